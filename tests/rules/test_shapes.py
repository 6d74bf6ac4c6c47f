"""Shapes, types and structures that do not fit, in real computations."""

from collections.abc import Callable
from typing import Any

import pytest

Explain = Callable[..., Any]


@pytest.fixture(autouse=True)
def with_jax() -> None:
    pytest.importorskip("jax")


CASES = [
    ("ones((2, 3)) @ ones((2, 3))", "shape", "must be equal, and are 3 and 2"),
    ("jnp.dot(ones((2, 3)), ones(4))", "shape", "must be equal, and are 3 and 4"),
    ("ones(3) + ones(4)", "shape", "add cannot broadcast the shapes (3,), (4,)"),
    ("jax.lax.mul(ones(3), ones(4))", "shape", "mul cannot broadcast"),
    ("jnp.concatenate([ones((2, 3)), ones((2, 4))])", "shape", "another dimension than 0"),
    ("jnp.stack([ones(3), ones(4)])", "shape", "only arrays of one shape can be stacked"),
    ("ones(6).reshape(4, 2)", "shape", "6 elements do not fill the shape (4, 2)"),
    (
        "jax.vmap(lambda a, b: a + b)(ones(3), ones(4))",
        "shape",
        "different sizes: 3 (axis 0 of argument a), 4 (axis 0 of argument b)",
    ),
    (
        "jax.vmap(abs, in_axes=(0, 0))(ones(3))",
        "shape",
        "tells of 2 arguments, and the call gives 1",
    ),
    ("jax.vmap(lambda a: a)(1.0)", "shape", "along axis 0 of an argument of shape ()"),
    ("jnp.einsum('ij,jk->ik', ones((2, 3)), ones((4, 5)))", "shape", "the letter j"),
    ("jax.lax.scan(lambda c, x: (ones(2), x), ones(3), ones(3))", "shape", "what scan carries"),
    ("jax.lax.while_loop(lambda c: False, lambda c: ones(2), ones(3))", "shape", "while_loop"),
    ("jax.lax.cond(True, abs, lambda x: ones(2), ones(3))", "shape", "both branches of cond"),
    ("jnp.zeros(3).at[:2].set(ones(3))", "shape", "does not fit the place"),
    ("ones(3)[0, 0]", "shape", "2 indices for an array of 1 dimensions"),
    ("jnp.sum(ones(3), axis=1)", "shape", "there is no axis 1"),
    ("jnp.squeeze(ones((2, 3)), 0)", "shape", "axis 0 of the shape (2, 3)"),
    ("jnp.split(ones(5), 2)", "shape", "1 would be left over"),
    ("jax.grad(lambda x: x**2)(ones(3))", "shape", "return one number; the output had shape: (3,)"),
    ("float(ones(3))", "shape", "is no Python number"),
    ("if ones(3) > 0: pass", "shape", "neither true nor false"),
    ("jnp.array([[1, 2], [3]])", "shape", "different lengths"),
    (
        "jax.device_put(ones(4), jax.NamedSharding(jax.make_mesh((1,), ('x',)), jax.P('x', None)))",
        "shape",
        "the sharding names 2 dimensions, and the array has 1",
    ),
    ("numpy.ones(3) + numpy.ones(4)", "shape", "NumPy cannot broadcast the shapes (3,) (4,)"),
    ("numpy.ones((2, 3)) @ numpy.ones((2, 3))", "shape", "must be equal, and are 3 and 2"),
    ("jax.lax.scan(lambda c, x: (c, x), 0.0, (ones(3), ones(4)))", "shape", "have 3, 4 entries"),
    ("jax.lax.dynamic_slice(ones(3), (0,), (5,))", "shape", "a slice of (5,) does not fit"),
    ("jnp.einsum('ij,jk', ones(3), ones(3))", "shape", "einsum names ij"),
    ("jax.lax.cond(ones(3), abs, abs, 1)", "shape", "has the shape (3,)"),
    ("jax.lax.while_loop(lambda c: c, lambda c: c, 1.0)", "dtype", "must be one truth value"),
    ("jax.grad(lambda x: x, argnums=2)(1.0)", "dtype", "argnums=2 counts from 0"),
    ("jax.grad(lambda x: x**2)(3)", "dtype", "the argument is of type int32"),
    ("jax.jacfwd(lambda x: x)(jnp.arange(3))", "dtype", "jacfwd differentiates by real numbers"),
    ("jax.grad(lambda x: x * 1j)(1.0)", "dtype", "this one is of type complex64"),
    ("jax.lax.add(ones(3), jnp.arange(3))", "dtype", "its arguments are float32, int32"),
    ("jax.random.key(0) + 1", "dtype", "add was given a random key"),
    ("jnp.sum([1, 2])", "dtype", "sum got a list"),
    ("jnp.dot(ones(3), {'a': 1})", "dtype", "dot got a dict"),
    ("jax.grad(lambda x: 1.0)('a')", "dtype", "got a str"),
    ("jax.jit(lambda x: x)('a')", "dtype", "its argument x is of type str"),
    ("jnp.array(['a'])", "dtype", "JAX has arrays of numbers alone"),
    ("jax.grad(lambda x: x, has_aux=True)(1.0)", "dtype", "has_aux=True"),
    ("jax.tree.map(lambda a, b: a, [1, 2], [1, 2, 3])", "other", "one list has 2 entries"),
    ("jax.tree.map(lambda a, b: a, {'a': 1}, {'b': 1})", "other", "the structures differ"),
    ("a, b = ones(3)", "other", "too many values for 2 names"),
    ("a, b = ones(1)", "other", "not enough values for 2 names"),
]


@pytest.mark.parametrize(("code", "kind", "cause"), CASES, ids=[case[0] for case in CASES])
def test_what_does_not_fit(code: str, kind: str, cause: str, explained: Explain) -> None:
    told = explained(
        f"import jax, numpy\nimport jax.numpy as jnp\nfrom jax.numpy import ones\n{code}"
    )
    assert told.kind == kind
    assert cause in told.cause
    assert told.next_step


@pytest.mark.parametrize(
    "code",
    [
        "raise ValueError('axis 1 is out of bounds for array of dimension 1')",
        "def f():\n    raise TypeError('add got incompatible shapes for broadcasting: 3.')\nf()",
        "raise KeyError('add got incompatible shapes')",
    ],
)
def test_what_the_author_says_is_left_alone(code: str, explained: Explain) -> None:
    assert explained(code)[1:] == ("other", None)
