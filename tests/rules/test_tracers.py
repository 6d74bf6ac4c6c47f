"""What tracing cannot know, in real functions under `jax.jit`."""

from collections.abc import Callable
from typing import Any

import pytest

Explain = Callable[..., Any]


@pytest.fixture(autouse=True)
def with_jax() -> None:
    pytest.importorskip("jax")


STATIC = "; or, if it is a setting, make x static: jax.jit(..., static_argnames='x')"


@pytest.mark.parametrize(
    ("body", "cause", "step"),
    [
        (
            "if x > 0:\n        x = -x\n    return x",
            "`if` asks whether x > 0 is true, which is not known while JAX traces f for jit",
            "write jax.numpy.where(condition, a, b) or jax.lax.cond(condition, f, g, x)" + STATIC,
        ),
        ("return 1 if x > 0 else 2", "`if` asks whether x > 0 is true", "jax.lax.cond"),
        ("while x > 0: x = x - 1", "`while` asks whether x > 0", "jax.lax.while_loop"),
        ("return x > 0 and x < 1", "`and` asks whether", "jax.numpy.logical_and"),
        ("return x > 0 or x < 1", "`or` asks whether", "jax.numpy.logical_and"),
        ("return not x", "`not` asks whether", "jax.numpy.logical_and"),
        ("assert x > 0", "`assert` asks whether x > 0", "checkify"),
        ("return bool(x)", "bool() asks whether bool(x)", "jax.numpy.where"),
        (
            "return float(x)",
            "float(x) needs the number itself, which is not known while JAX traces f for jit",
            "keep it an array, with x.astype(float), and convert what the function returns"
            + STATIC,
        ),
        ("return x.item()", "x.item() needs the number itself", ".item() on what the function"),
        ("return range(x)", "range(x) needs a Python integer", "jax.lax.fori_loop"),
        ("return [1, 2, 3][x]", "[1, 2, 3][x] needs a Python integer", "jax.numpy.array(...)[i]"),
        ("return numpy.sin(x)", "numpy.sin(x) asks NumPy", "use jax.numpy.sin instead of NumPy"),
        ("return numpy.asarray(x)", "asks NumPy", "use jax.numpy.asarray instead"),
        ("return jnp.zeros(x)", "a shape is made of a traced value", STATIC),
        ("return jnp.ones(3).reshape(x)", "a shape is made of a traced value", STATIC),
        ("return jnp.arange(x)", "jnp.arange(x) makes a shape of a traced value", STATIC),
        ("return jnp.ones(3)[:x]", "no length that is known", "jax.lax.dynamic_slice_in_dim"),
        ("return jnp.ones(3)[jnp.ones(3) > x]", "how many elements the mask picks", "where(mask"),
        ("return jnp.nonzero(jnp.ones(3) > x)", "how long the result of jnp.nonzero", "size=N"),
        ("return jnp.where(jnp.ones(3) > x)", "how long the result of jnp.where", "three arg"),
        ("return jnp.unique(x * jnp.ones(3))", "how long the result of", "jax.numpy.unique(x, "),
        ("return {x: 1}", "cannot be a key", "jax.lax.switch"),
        ("return f'{x:.2f}'", "no number that could be formatted", "jax.debug.print('{:.2f}', x)"),
    ],
)
def test_a_value_that_is_not_known(body: str, cause: str, step: str, explained: Explain) -> None:
    head = "import jax, numpy\nimport jax.numpy as jnp\n@jax.jit\ndef f(x):\n    "
    told = explained(f"{head}{body}\nf(3)")
    assert told.kind == "tracer"
    assert cause in told.cause
    assert step in told.next_step


def test_static_arguments_are_offered_under_jit_alone(explained: Explain) -> None:
    told = explained("import jax\njax.vmap(lambda x: 1 if x else 2)(jax.numpy.ones(3))")
    assert told.kind == "tracer"
    assert "static" not in told.next_step


@pytest.mark.parametrize(
    "code",
    [
        "kept = []\n@jax.jit\ndef f(x):\n    kept.append(x * 2)\n    return x\nf(1.0)\nkept[0] + 1",
        (
            "kept = []\n@jax.jit\ndef f(x):\n    kept.append(x)\n    return x\n"
            "with jax.checking_leaks():\n    f(1.0)"
        ),
    ],
)
def test_a_value_that_leaks(code: str, explained: Explain) -> None:
    told = explained(f"import jax\n{code}")
    assert told.kind == "tracer"
    assert told.cause.startswith("a value of f")
    assert "kept beyond its call" in told.cause
    assert told.next_step == "return it from f instead, and keep what the call gives"


def test_a_value_that_leaks_from_a_line(explained: Explain) -> None:
    told = explained(
        "import jax\nkept = []\n@jax.jit\ndef f(x):\n    kept.append(x * 2)\n    return x\nf(1.0)\n"
        "kept[0] + 1"
    )
    assert "made in line 5" in told.cause
