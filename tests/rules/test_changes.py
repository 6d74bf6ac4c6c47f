"""The table of changes is true of the JAX that is installed."""

import importlib
import re
import warnings
from collections.abc import Callable
from typing import Any

import pytest

from cmdpack.rules.changes import ADDED, REMOVED, REMOVED_ARGUMENTS, Removed

Explain = Callable[..., Any]

jax = pytest.importorskip("jax")
pytestmark = pytest.mark.skipif(
    jax.__version_info__ < (0, 10, 2), reason="an older JAX still has some of it"
)


def code_for(row: Removed) -> str:
    """The plainest code that uses what `row` removes."""
    module, _, name = row.name.rpartition(".")
    if module == "jax.Array":
        return f"import jax.numpy as jnp\njnp.ones(2).{name}"
    if row.name.startswith("jax.config.jax_"):
        return f"import jax\njax.config.update({name!r}, True)"
    if module == "jax.config" and name != "config":
        return f"import jax\njax.config.{name}"
    return "import jax.config" if row.name == "jax.config" else f"from {module} import {name}"


def found(name: str) -> Any:
    """What a dotted name means; a module is imported on the way."""
    package, *parts = name.split(".")
    value = importlib.import_module(package)
    for number, part in enumerate(parts, 1):
        if not hasattr(value, part):
            value = importlib.import_module(".".join([package, *parts[:number]]))
        else:
            value = getattr(value, part)
    return value


@pytest.mark.parametrize("row", REMOVED, ids=lambda row: row.name)
def test_what_is_removed_fails_and_is_explained(row: Removed, explained: Explain) -> None:
    told = explained(code_for(row))
    assert told.kind == "api"
    assert told.cause.startswith((f"{row.name} was removed in JAX", f"{row.name} is gone", "arr."))
    assert row.removed is None or f"in JAX {row.removed}" in told.cause
    assert row.deprecated is None or f"deprecated since {row.deprecated}" in told.cause
    assert told.cause.endswith("this is JAX 0.10.2")
    assert row.instead.rpartition(": ")[2].partition("jax.numpy.")[0] in told.next_step


@pytest.mark.parametrize(
    "row", [row for row in REMOVED if "." in row.name], ids=lambda row: row.name
)
def test_what_is_named_instead_exists(row: Removed) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("error")  # nor is it deprecated itself
        for name in re.findall(
            r"(?:jax|functools|math|collections)(?:\.[A-Za-z]\w*)+", row.instead
        ):
            assert found(name) is not None


def test_what_is_called_instead_can_be_called() -> None:
    values: dict[str, Any] = {"x": found("jax.numpy.ones")(3), "i": 0, "y": 2.0, "a": 1, "seed": 0}
    values |= {"jax": jax, "key": found("jax.random.key")(0)}
    values |= {"f": abs, "args": (1.0,), "DIR": None}
    called = [
        row.instead for row in REMOVED if re.fullmatch(r"[\w.]+(\[i\].*)?\(.*\)", row.instead)
    ]
    assert len(called) > 8
    for code in called:
        eval(code.replace("sort(a,", "sort(x,"), values)


CALLS = {
    "clip": "jax.numpy.clip(jax.numpy.ones(3), {}=1)",
    "reshape": "jax.numpy.reshape(jax.numpy.ones(3), {}=(3, 1))",
    "solve": "jax.scipy.linalg.solve(jax.numpy.eye(2), jax.numpy.ones(2), {}=True)",
    "softmax": "jax.nn.softmax(jax.numpy.ones(3), {}=0.0)",
    "log_softmax": "jax.nn.log_softmax(jax.numpy.ones(3), {}=0.0)",
    "shard_map": "jax.shard_map(abs, out_specs=jax.P(), {}=False)",
    "pjit": "jax.experimental.pjit.pjit(abs, {}=None)",
    "with_sharding_constraint": "jax.lax.with_sharding_constraint(jax.numpy.ones(3), {}=None)",
    "ShapeDtypeStruct": "jax.ShapeDtypeStruct((), float, {}=None)",
    "pmap": "jax.pmap(abs, {}=None)",
    "jit": "jax.jit(abs, {}=None)",
}


@pytest.mark.parametrize("row", REMOVED_ARGUMENTS, ids=lambda row: f"{row.function}-{row.argument}")
def test_an_argument_that_is_removed(row: Any, explained: Explain) -> None:
    call = CALLS[row.function].format(row.argument)
    told = explained(f"import jax, jax.numpy, jax.scipy.linalg, jax.experimental.pjit\n{call}")
    assert told.kind == "api"
    assert f"the argument {row.argument} of {call.partition('(')[0]}" in told.cause
    assert row.removed is None or f"in JAX {row.removed}" in told.cause
    assert row.instead.rpartition(": ")[2] in told.next_step


def test_what_is_new_exists() -> None:
    assert all(found(row.name) is not None for row in ADDED)


def test_no_name_stands_twice() -> None:
    names = [row.name for row in REMOVED]
    assert len(names) == len({*names})
