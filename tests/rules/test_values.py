"""Values that cannot be used as they are, and calls that cannot be made."""

from collections.abc import Callable
from typing import Any

import pytest

Explain = Callable[..., Any]

JAX = "import jax\nimport jax.numpy as jnp\n"


@pytest.mark.parametrize(
    ("code", "cause", "step"),
    [
        ("x = 2\nassert x == 3", "x == 3 is false", "print x before line 2"),
        ("x = y = 2\nassert x < y, 'no'", "x < y is false", "print x and y before line 2"),
        ("assert 1 > 2", "1 > 2 is false", "print the values before line 1"),
        ("assert not [1], 'full'", "not [1] is false", "look at what it compares"),
        (
            "def check(x):\n    assert (x\n        == 3)\ncheck(2)",
            "x == 3 is false",
            "print x before line 2",
        ),
    ],
)
def test_an_assertion_of_the_examples_own(
    code: str, cause: str, step: str, explained: Explain
) -> None:
    told = explained(code)
    assert (told.kind, told.cause, told.next_step) == ("assertion", cause, step)


def test_an_assertion_of_a_library_says_itself_what_is_wrong(explained: Explain) -> None:
    assert explained("import numpy\nnumpy.testing.assert_allclose(1, 2)").advice is None


@pytest.mark.parametrize(
    ("code", "kind", "cause", "step"),
    [
        (
            "with jax.debug_nans(True):\n    jnp.log(-1.0)",
            "nan",
            "jnp.log(-1.0) gives a NaN, in the operation log",
            "jax.numpy.where before the operation",
        ),
        (
            "with jax.debug_infs(True):\n    jnp.float32(1) / jnp.float32(0)",
            "nan",
            "gives an infinity, in the operation div",
            "jax.numpy.where",
        ),
        (
            (
                "key = jax.random.key(0)\nwith jax.debug_key_reuse(True):\n"
                "    jax.random.normal(key)\n    jax.random.normal(key)"
            ),
            "key",
            "jax.random.normal(key) uses a random key that has been used before",
            "key, subkey = jax.random.split(key)",
        ),
        (
            "jax.random.normal(jax.random.split(jax.random.key(0), 3))",
            "key",
            "jax.random.normal takes one key, and got (3,) of them",
            "jax.vmap(jax.random.normal)(keys)",
        ),
        ("jax.random.normal(0)", "key", "take a key first, and this one got 0", "random.key(0)"),
        (
            "import numpy\nnumpy.asarray(jax.random.key(0))",
            "key",
            "a random key is no array of numbers",
            "jax.random.key_data",
        ),
        ("x = jnp.ones(3)\nx[0] = 1", "other", "cannot be changed in place", "x = x.at[0].set(1)"),
        ("x = jnp.ones(3)\nx[1:] += 1", "other", "in place", "write x = x.at[1:].add(1)"),
        ("x = jnp.ones(3)\nx[0] -= 1", "other", "in place", "write x = x.at[i].set(y)"),
        (
            "jax.jit(lambda x, n: x, static_argnums=1)(1.0, [1])",
            "other",
            "a list cannot be one",
            "a tuple",
        ),
        ("jax.jit(abs, static_argnums=3)(1)", "other", "", ""),
        (
            "jax.jit(lambda x: x, static_argnames='n')",
            "other",
            "static_argnames has 'n', and the function has no such argument",
            "name an argument",
        ),
        (
            "x = jnp.ones(3)\njax.jit(lambda x: x + 1, donate_argnums=0)(x)\nx + 1",
            "other",
            "the array float32[3] was donated",
            "use what the function returned",
        ),
        ("def f(x): return f(x)\nf(1)", "other", "calls itself", "jax.lax.while_loop"),
        ("f = jax.jit(lambda x: f(x))\nf(1.0)", "other", "calls itself while JAX", "while_loop"),
        (
            "jnp.ones((1 << 20, 1 << 20))",
            "other",
            "4398046511104 bytes were asked for at once",
            "smaller arrays",
        ),
        (
            (
                "def cb(x): raise ValueError('inside')\n"
                "jax.pure_callback(cb, jax.ShapeDtypeStruct((), 'float32'), 1.0)"
            ),
            "other",
            "called back into Python failed: ValueError: inside",
            "with NumPy arrays",
        ),
        ("f = None\nf(1)", "other", "what is called here is None", "`return`"),
        (
            "def f(x, *, y=1): return x\nf(1, 2)",
            "other",
            "f(x, *, y=1), defined at /pack/one.md:3, takes 1 positional argument but 2 were given",
            "f(x, *, y=1)",
        ),
        ("def f(x): return x\nf(y=1)", "other", "unexpected keyword argument 'y'", "f(x)"),
        ("def f(x, y): return x\nf(1)", "other", "missing 1 required positional argument", "f("),
        ("@jax.jit\ndef f(x): return x\nf(1, 2)", "other", "f(x), defined at", "f(x)"),
    ],
)
def test_what_cannot_be(code: str, kind: str, cause: str, step: str, explained: Explain) -> None:
    pytest.importorskip("jax")
    told = explained(JAX + code)
    assert told.kind == kind
    if cause:
        assert cause in told.cause
        assert step in told.next_step


def test_a_call_of_one_of_two_functions_of_a_name_is_not_explained(explained: Explain) -> None:
    told = explained("def f(x): return x\ndef f(x, y): return x\nf(1)")
    assert told[1:] == ("other", None)
