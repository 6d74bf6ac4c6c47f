"""Which values can have been changed by code that was handed them."""

import dataclasses
import enum
import functools
import math
import types
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from cmdpack.child import changeable

pytestmark = pytest.mark.own_process


@dataclasses.dataclass
class Open:
    value: Any


@dataclasses.dataclass(frozen=True)
class Frozen:
    value: Any


@dataclasses.dataclass(frozen=True)
class FrozenOnOpen(dict):  # type: ignore[type-arg]
    value: Any


class Pair(NamedTuple):
    first: Any
    second: Any


class Tagged(tuple):  # noqa: SLOT001 - on purpose
    """A tuple whose instances have attributes."""


class Liar:
    """What says of itself that it is a number, and must not be asked."""

    @property
    def __class__(self) -> type:
        raise AssertionError

    def __getattribute__(self, name: str) -> Any:
        raise AssertionError

    def __eq__(self, other: object) -> bool:
        raise AssertionError

    __hash__ = None  # type: ignore[assignment]


class LyingKind(type):
    def __getattribute__(cls, name: str) -> Any:
        raise AssertionError


class Color(enum.Enum):
    RED = 1


def double(x: Any) -> Any:
    return 2 * x


CONSTANT = [
    *(None, True, 1, 1.5, 2j, "text", b"bytes", range(3), ..., (), (1, ("x",)), frozenset({1})),
    *(math, double, len, int, Open, Color, "".join, double.__call__, functools.partial(double, 1)),
    *(Frozen(1), Frozen((1, "x")), Pair(1, None), Pair(double, jnp.ones(1)), list[int], int | str),
    *(jnp.ones(2), jax.random.key(0), jax.jit(double), jax.grad(double), jnp.float32, jnp.sum),
    *(jax.config, jax.make_mesh((1,), ("a",)), jax.sharding.PartitionSpec("a"), jax.devices()[0]),
    *(np.float32(1), np.dtype("f4"), np.sum, np.add, np.float64),
]
CHANGEABLE = [
    *([], {}, set(), bytearray(), iter([1]), (i for i in ()), (1, []), Tagged()),
    *(Open(1), Frozen([]), FrozenOnOpen(1), Pair(1, []), [].append, functools.partial(double, [])),
    *(np.ones(2), np.random.default_rng(0), jax.new_ref(jnp.ones(1)), types.SimpleNamespace()),
    (((((((1,),),),),),),),
    tuple(range(1000)),
]


@pytest.mark.parametrize("value", CONSTANT, ids=lambda it: type(it).__name__)
def test_what_cannot_have_changed(value: object) -> None:
    assert not changeable.can_change(value)


@pytest.mark.parametrize("value", CHANGEABLE, ids=lambda it: type(it).__name__)
def test_what_can_have_changed(value: object) -> None:
    assert changeable.can_change(value)
    assert changeable.can_be_stored_in(value)


def test_a_donated_array_has_changed() -> None:
    array = jnp.ones(3)
    assert not changeable.can_change(array)
    jax.jit(lambda x: x + 1, donate_argnums=0)(array)
    assert changeable.can_change(array)


@pytest.mark.parametrize(
    ("value", "stored_in"), [(1, False), ((), False), (jnp.ones(1), False), (math, True),
                             (Open, True), (double, True), ([], True)],
)  # fmt: skip
def test_modules_classes_and_functions_have_attributes(value: object, *, stored_in: bool) -> None:
    assert changeable.can_be_stored_in(value) == stored_in


@pytest.mark.parametrize(
    ("value", "leads"), [(1, False), ("x", False), (np.ones(1), False), (jnp.ones(1), False),
                         ([], True), (double, True), (Open(1), True)],
)  # fmt: skip
def test_plain_data_leads_to_no_code(value: object, *, leads: bool) -> None:
    assert changeable.leads_to_code(value) == leads


def test_methods_and_iterators_are_known() -> None:
    items: list[int] = []
    assert changeable.owner(items.append) is items
    assert changeable.owner(len) is changeable.owner(double) is changeable.owner(items) is None
    assert changeable.is_iterator(iter(items))
    assert not changeable.is_iterator(items)


def test_neither_a_value_nor_its_class_is_ever_asked() -> None:
    assert changeable.can_change(Liar())
    assert changeable.leads_to_code(Liar())
    kind = LyingKind("Kind", (), {})
    assert changeable.can_change(type.__call__(kind))
    assert not changeable.can_change(kind)
    assert changeable.leads_to_code(type.__call__(kind))
