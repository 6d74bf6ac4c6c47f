"""What JAX has changed, as real code meets it."""

from collections.abc import Callable
from typing import Any

import pytest

from cmdpack.result import Failure, Frame

Explain = Callable[..., Any]

BELOW = ", below `import functools`"


@pytest.fixture(autouse=True)
def with_jax() -> None:
    pytest.importorskip("jax")


# Transformations that cannot be called with options alone


DECORATED = [
    (
        'import jax\n\n@jax.pmap(axis_name="i")\ndef f(x): return x',
        '@functools.partial(jax.pmap, axis_name="i")' + BELOW,
    ),
    (
        "import functools\nfrom jax import pmap\n@pmap(axis_name='i')\ndef f(x): return x",
        "@functools.partial(pmap, axis_name='i')",
    ),
    (
        "from jax import pmap as p\n@p(axis_name='i', backend=None)\ndef f(x): return x",
        "@functools.partial(p, axis_name='i', backend=None)" + BELOW,
    ),
    (
        "import jax as j\n@j.pmap(\n axis_name='i',\n donate_argnums=(0,),\n)\ndef f(x): pass",
        "@functools.partial(j.pmap, axis_name='i', donate_argnums=(0,))" + BELOW,
    ),
    (
        "import jax\n@jax.vmap(in_axes=(0, None),)\ndef f(x, y): return x",
        "@functools.partial(jax.vmap, in_axes=(0, None))" + BELOW,
    ),
    (
        "import jax\nclass Model:\n    @jax.grad(argnums=1)\n    def f(self, x): return x",
        "@functools.partial(jax.grad, argnums=1)" + BELOW,
    ),
    (
        "import jax\n@jax.value_and_grad(has_aux=True)\ndef f(x): return x, 1",
        "@functools.partial(jax.value_and_grad, has_aux=True)" + BELOW,
    ),
    (
        "import jax\n@jax.checkpoint(prevent_cse=False)\ndef f(x): return x",
        "@functools.partial(jax.checkpoint, prevent_cse=False)" + BELOW,
    ),
    (
        "import jax\n@jax.custom_jvp(nondiff_argnums=(1,))\ndef f(x, n): return x",
        "@functools.partial(jax.custom_jvp, nondiff_argnums=(1,))" + BELOW,
    ),
    ("import jax\n@jax.pmap()\ndef f(x): return x", "@functools.partial(jax.pmap)" + BELOW),
    (
        "import jax\nf = jax.pmap(axis_name='\u00b5')(lambda x: x)",
        "functools.partial(jax.pmap, axis_name='\u00b5')" + BELOW,
    ),
    (
        "import jax\nname = '\u00b5'; f = jax.vmap(axis_name=name)(lambda x: x)",
        "functools.partial(jax.vmap, axis_name=name)" + BELOW,
    ),
]


@pytest.mark.parametrize(("code", "spelling"), DECORATED)
def test_the_spelling_that_works(code: str, spelling: str, explained: Explain) -> None:
    told = explained(code)
    assert told.kind == "api"
    assert told.next_step == f"write {spelling}"
    assert "takes the function itself first" in told.cause
    if not told.next_step.startswith("write @"):
        return
    written = told.next_step.removeprefix("write ").removesuffix(BELOW)
    before, _, after = code.partition("@")
    mended = f"import functools\n{before}{written}\n{' ' * 4 * ('class' in before)}"
    mended += after[after.index("def ") :]
    exec(mended, {"__name__": "__main__"})  # the advice is true


@pytest.mark.parametrize(
    "code",
    [
        "def f(x, fun): return x\nf(1)",
        "def pmap(fun): return fun\n@pmap()\ndef f(x): return x",
        "from jax import pmap\ndef pmap(fun): return fun\npmap()",
        "import jax\njax = type('J', (), {'vmap': staticmethod(lambda fun: fun)})\njax.vmap()",
        "import functools, jax\ng = functools.partial(jax.vmap, in_axes=0)\ng()",
        "import jax\njax.lax.scan(init=0, xs=None)",
        "import jax\ndef helper(fun): return fun\nhelper()",
        "def outer():\n    def grad(fun, k=1): return fun\n    return grad(k=2)\nouter()",
        "import jax\njax.vmap(lambda fun: fun)()",
    ],
)
def test_a_users_own_function_is_not_taken_for_one_of_jax(code: str, explained: Explain) -> None:
    told = explained(code)
    assert told.kind == "other"
    assert told.advice is None or "functools.partial" not in told.next_step


def test_shard_map_and_jit_can_be_called_with_options_alone() -> None:
    jax = pytest.importorskip("jax")
    specs = {"in_specs": jax.P(), "out_specs": jax.P()}
    assert callable(jax.shard_map(**specs))
    assert callable(jax.jit(static_argnums=0))


def test_without_the_code_nothing_is_claimed(told: Explain) -> None:
    message = "pmap() missing 1 required positional argument: 'fun'"
    frame = Frame(
        file="/pack/one.md", line=3, function="<module>", source="@jax.pmap()", origin="example"
    )
    failure = Failure(type="TypeError", message=message, frames=(frame,))
    for codes in ([], ["import jax\n\n@jax.pmap()\ndef f(x): return x"], ["not python"]):
        assert told(failure, *codes)[1:] == ("other", None)


# Names


@pytest.mark.parametrize(
    ("code", "cause", "step"),
    [
        (
            "import jax\ny = jax.tree_map(abs, [1])",
            "jax.tree_map was removed in JAX 0.6.0 (deprecated since 0.4.26); this is JAX 0.10.2",
            "use jax.tree.map",
        ),
        (
            "from jax import tree_map",
            "jax.tree_map was removed in JAX 0.6.0 (deprecated since 0.4.26); this is JAX 0.10.2",
            "use jax.tree.map",
        ),
        (
            "import jax.numpy as jnp\njnp.trapz(jnp.ones(3))",
            (
                "jax.numpy.trapz was removed in JAX 0.4.24 (deprecated since 0.4.16); "
                "this is JAX 0.10.2"
            ),
            "use jnp.trapezoid",
        ),
        (
            "from jax.config import config",
            "jax.config.config was removed in JAX 0.4.25; this is JAX 0.10.2",
            "use jax.config",
        ),
        (
            "from jax.experimental.maps import xmap",
            (
                "jax.experimental.maps.xmap was removed in JAX 0.4.31 (deprecated since 0.4.26); "
                "this is JAX 0.10.2"
            ),
            "use jax.shard_map, or jax.vmap with spmd_axis_name",
        ),
        (
            "import jax\nprint(jax.experimental.host_callback.id_print(1))",
            (
                "jax.experimental.host_callback.id_print was removed in JAX 0.8.0 "
                "(deprecated since 0.4.26); this is JAX 0.10.2"
            ),
            "use jax.debug.print",
        ),
        (
            "import jax\njax.lax.tie_in(1, 2)",
            (
                "jax.lax.tie_in was removed in JAX 0.4.29 (deprecated since 0.4.24); "
                "this is JAX 0.10.2"
            ),
            "drop it: it did nothing since 0.2.0",
        ),
        (
            "from jax.util import safe_map",
            "jax.util was removed in JAX 0.8.0 (deprecated since 0.6.0); this is JAX 0.10.2",
            "nothing public replaces it: it was JAX's own, copy what you need",
        ),
        # JAX's own words
        (
            "import jax\njax.core.mapped_aval",
            (
                "jax.core.mapped_aval was removed in JAX 0.10.0 (deprecated since 0.8.2); "
                "this is JAX 0.10.2"
            ),
            "use jax.extend.core.mapped_aval",
        ),
        (
            "import jax\njax.lax.pvary(1, 'x')",
            "jax.lax.pvary was removed in JAX 0.10.0 (deprecated since 0.8.2); this is JAX 0.10.2",
            "use jax.lax.pcast(..., to='varying')",
        ),
        (
            "import jax\njax.device_put_sharded([1], jax.devices())",
            (
                "jax.device_put_sharded was removed in JAX 0.10.0 (deprecated since 0.8.1); "
                "this is JAX 0.10.2"
            ),
            "use jax.device_put with a jax.sharding.NamedSharding",
        ),
        (
            "import jax\njax.interpreters.pxla.ShardingSpec",
            "jax.interpreters.pxla.ShardingSpec was removed in JAX 0.10.0; this is JAX 0.10.2",
            "use jax.shard_map",
        ),
        (
            "import jax\njax.checkpoint(abs, concrete=True)(1.0)",
            (
                "The concrete option to jax.checkpoint was removed in JAX 0.10.0 "
                "(deprecated since 0.8.2); this is JAX 0.10.2"
            ),
            "use static_argnums",
        ),
    ],
)
def test_a_name_that_is_gone(code: str, cause: str, step: str, explained: Explain) -> None:
    told = explained(code)
    assert (told.kind, told.cause, told.next_step) == ("api", cause, step)


def test_a_name_that_never_was(explained: Explain) -> None:
    told = explained("import jax.numpy as jnp\njnp.zzzzqq(1)")
    assert (told.kind, "JAX 0.10.2 has no jax.numpy.zzzzqq" in told.cause) == ("api", True)
    assert "changelog" in told.next_step


def test_a_slip_of_the_pen(explained: Explain) -> None:
    told = explained("import jax.numpy as jnp\njnp.arrange(3)")
    assert told.kind == "other"
    assert told.next_step == "write jax.numpy.arange, if that is meant"
    told = explained("from jax import vmpa")
    assert told.next_step == "write jax.vmap, if that is meant"


def test_a_name_that_is_newer_than_the_jax_of_the_run(told: Explain) -> None:
    failure = Failure(
        type="AttributeError", message="module 'jax.tree' has no attribute 'zzz'", frames=()
    )
    assert "misspelled" in told(failure).cause
    failure = Failure(type="AttributeError", message="module 'jax' has no attribute 'P'")
    assert "misspelled" in told(failure).cause  # 0.10.2 would have it


def test_a_jax_older_than_a_removal_is_not_told_its_version(told: Explain) -> None:
    message = "jax.core.foo was deprecated in JAX v0.12.0 and removed in JAX v0.13.0; use jax.bar."
    assert told(Failure(type="AttributeError", message=message)).cause == (
        "jax.core.foo is gone from JAX (deprecated since 0.12.0); this is JAX 0.10.2"
    )


def test_a_package_that_uses_what_is_gone(told: Explain) -> None:
    frames = (
        Frame(file="/pack/one.md", line=1, function="<module>", origin="example"),
        Frame(file="/env/lib/site-packages/trax/a.py", line=9, function="f", origin="library"),
    )
    message = "module 'jax' has no attribute 'tree_map'"
    told_of = told(Failure(type="AttributeError", message=message, frames=frames), "import trax")
    assert told_of.next_step == "update the package trax, which uses it, or take an older JAX"


def test_an_attribute_that_arrays_never_had(explained: Explain) -> None:
    told = explained("import jax.numpy as jnp\njnp.ones(3).tofile('x')")
    assert (told.kind, told.cause) == ("other", "arrays of JAX have no tofile")


@pytest.mark.parametrize("type_", ["AttributeError", "ValueError"])
def test_a_deprecation_of_another_package_is_left_alone(type_: str, told: Explain) -> None:
    message = "thing.old was deprecated in 1.0 and removed in 2.0; use thing.new"
    assert told(Failure(type=type_, message=message))[1:] == ("other", None)


# Arguments and behaviour


@pytest.mark.parametrize(
    ("code", "cause", "step"),
    [
        ("jnp.ones(3).clip(a_min=0)", "the argument a_min of jnp.ones(3).clip was removed", "min="),
        ("jnp.sin(1.0, foo=2)", "jnp.sin of JAX 0.10.2 has no argument foo", "help(jnp.sin)"),
        ("jnp.where(condition=True, x=1, y=2)", "takes condition, x, y by position alone", "leave"),
        ("jax.jit(abs, (0,))", "takes at most 1 by position, and got 2", "name the others"),
        ("jax.jit(fun=abs)", "by position alone since JAX 0.7.0", "write jit(f, ...)"),
        ("jnp.ones(3).device()", "was removed in JAX 0.4.27", "write x.device"),
        ("jnp.percentile(jnp.ones(3), 50, interpolation='linear')", "JAX 0.8.0", "method="),
        ("jnp.sort(jnp.ones(3), kind='stable')", "no longer supported", "use stable=True"),
        ("jnp.ones(3).astype(jnp.ones(3))", "no longer supported", "dtype=arr.dtype"),
        ("jnp.array(None)", "no None since JAX 0.6.0", "jnp.nan"),
        ("jnp.linalg.solve(jnp.ones((2, 3, 3)), jnp.ones((2, 3)))", "since JAX 0.5.0", "squeeze"),
        ("jnp.ones(3).at[0].get(True)", "x.at[i].get() are named since JAX 0.4.14", "name=value"),
        ("jax.jit(abs).lower(1.0).compiler_ir('mhlo')", "no dialect mhlo", "stablehlo"),
        ("jax.jit(abs).lower(1.0).compile().cost_analysis()[0]", "since JAX 0.4.38", "[0]"),
    ],
)
def test_a_call_that_jax_does_not_take_any_more(
    code: str, cause: str, step: str, explained: Explain
) -> None:
    told = explained(f"import jax, jax.numpy as jnp\n{code}")
    assert told.kind == "api"
    assert cause in told.cause
    assert step in told.next_step


def test_an_argument_of_ones_own_function_is_not_one_of_jax(explained: Explain) -> None:
    told = explained("def clip(x): return x\nclip(1, a_min=0)")
    assert told.kind == "other"
    assert "JAX" not in told.cause
