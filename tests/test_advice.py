import linecache
from typing import Any

import pytest

from cmdpack.advice import Circumstances, advise
from cmdpack.child import failures, units
from cmdpack.plan import PackOrigin, PlannedCommand, PlannedExample, PythonFacts
from cmdpack.result import Failure, Frame

FILE = "/pack/one.md"
PYTHON = PythonFacts(
    executable="/env/bin/python",
    version="3.12.1",
    implementation="cpython",
    chosen_because="--python",
    versions={"jax": "0.10.2", "jaxlib": "0.10.2"},
)


def planned(code: str) -> PlannedCommand:
    example = PlannedExample(
        id="e1", code=code, line=1, prefixes=(0,) * len(code.split("\n")), units=()
    )
    return PlannedCommand(
        id="one",
        name="one",
        path=FILE,
        file=FILE,
        pack=PackOrigin(name="pack", path="/pack", trust="user", source="pack"),
        digest="",
        role="target",
        reason="asked for",
        sections=(),
        examples=(example,),
    )


def raised_by(code: str) -> Failure:
    """What really happens when Python executes `code`, as the whole of its file."""
    tree, _ = units.parse(code, FILE, units.Place(1, [0] * len(code.split("\n"))))
    lines = [f"{text}\n" for text in code.split("\n")]
    linecache.cache[FILE] = (len(code), None, lines, FILE)
    try:
        exec(compile(tree, FILE, "exec"), {"__name__": "__main__"})
    except Exception as error:  # noqa: BLE001 - whatever the code under test raises
        return Failure.model_validate(failures.describe(error, {FILE}))
    pytest.fail("the code raised nothing")


def told(failure: Failure, platform: str | None = None, code: str = "") -> tuple[str, Any]:
    commands = (planned(code),) if code else ()
    return advise("other", failure, Circumstances(PYTHON, platform, commands))


# Transformations that cannot be called with options alone

BELOW = ", below `import functools`"


@pytest.mark.parametrize(
    ("code", "spelling"),
    [
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
    ],
)
def test_the_spelling_that_works(code: str, spelling: str) -> None:
    pytest.importorskip("jax")
    failure = raised_by(code)
    kind, advice = told(failure, code=code)
    assert kind == "api"
    assert advice.next_step == f"write {spelling}"
    assert "takes the function itself first" in advice.cause
    if not advice.next_step.startswith("write @"):
        return
    written = advice.next_step.removeprefix("write ").removesuffix(BELOW)
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
def test_a_users_own_function_is_not_taken_for_one_of_jax(code: str) -> None:
    pytest.importorskip("jax")
    kind, advice = told(raised_by(code), code=code)
    assert kind == "other"
    assert advice is None or "functools.partial" not in advice.next_step


def test_shard_map_and_jit_can_be_called_with_options_alone() -> None:
    jax = pytest.importorskip("jax")
    specs = {"in_specs": jax.P(), "out_specs": jax.P()}
    assert callable(jax.shard_map(**specs))
    assert callable(jax.jit(static_argnums=0))


def test_without_the_code_nothing_is_claimed() -> None:
    message = "pmap() missing 1 required positional argument: 'fun'"
    frame = Frame(file=FILE, line=3, function="<module>", source="@jax.pmap()", origin="example")
    failure = Failure(type="TypeError", message=message, frames=(frame,))
    assert told(failure) == ("other", None)
    assert told(failure, code="import jax\n\n@jax.pmap()\ndef f(x): return x") == ("other", None)
    assert told(failure, code="not python") == ("other", None)


# Packages


@pytest.mark.parametrize(
    ("module", "distribution"),
    [("optax", "optax"), ("PIL.Image", "pillow"), ("sklearn", "scikit-learn")],
)
def test_a_missing_package(module: str, distribution: str) -> None:
    failure = Failure(type="ModuleNotFoundError", message=f"No module named {module!r}")
    kind, advice = told(failure)
    assert kind == "package-missing"
    assert advice.cause == f"/env/bin/python has no package {module.partition('.')[0]}"
    assert advice.next_step == f"/env/bin/python -m pip install {distribution}"


def test_a_part_that_is_gone_is_not_a_missing_package() -> None:
    failure = Failure(type="ModuleNotFoundError", message="No module named 'jax.old'")
    assert told(failure)[0] == "api"


# Devices


def test_an_unknown_flag_of_xla_is_named() -> None:
    said = "F1122 17:00:00 12 parse_flags_from_env.cc:234] Unknown flag in XLA_FLAGS: --xla_nope"
    kind, advice = told(Failure(type="exit", message=said))
    assert kind == "device"
    assert advice.cause == "XLA_FLAGS holds what this jaxlib does not know: --xla_nope"
    assert "XLA_FLAGS" in advice.next_step


@pytest.mark.parametrize(
    ("type_", "message"),
    [
        ("RuntimeError", "Unable to initialize backend 'cuda': no device"),
        ("RuntimeError", "Unknown backend: 'wat' requested"),
        ("AssertionError", ""),
    ],
)
def test_a_platform_that_jax_cannot_start(type_: str, message: str) -> None:
    frame = Frame(file="/jax/_src/xla_bridge.py", line=1, function="backends", origin="jax")
    failure = Failure(type=type_, message=message, frames=(frame,))
    kind, advice = told(failure, platform="cuda")
    assert kind == "device"
    assert advice.cause == "JAX cannot start cuda; the JAX of /env/bin/python has: cpu"
    assert "the platform that JAX_PLATFORMS names" in told(failure)[1].cause


def test_an_assertion_of_the_example_says_nothing_of_devices() -> None:
    frame = Frame(file=FILE, line=1, function="<module>", origin="example")
    failure = Failure(type="AssertionError", message="", frames=(frame,))
    assert told(failure, platform="cuda") == ("other", None)


def test_other_failures_keep_their_kind() -> None:
    failure = Failure(type="ValueError", message="no")
    assert advise("assertion", failure, Circumstances(PYTHON, None)) == ("assertion", None)
