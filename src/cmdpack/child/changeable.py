"""Whether a value can have been changed by code that was handed it, told without calling any of it.

Only the type is looked at, and that past whatever a class of the user's says of itself.
"""

import functools
import types
from typing import Any

_Exception = Exception  # looked up now: user code may delete it
_DEEPEST = 4  # containers within containers that are looked into
_LONGEST = 200  # of a tuple, elements that are looked at

_mro = type.__dict__["__mro__"].__get__
_module = type.__dict__["__module__"].__get__
_name = type.__dict__["__name__"].__get__

_CONSTANT = (
    *(bool, int, float, complex, str, bytes, range, slice),
    *(type(None), type(...), type(NotImplemented), types.GenericAlias, types.UnionType),
)
_HOLDERS = (type, types.ModuleType, types.FunctionType)
_CODE = (*_HOLDERS, types.WrapperDescriptorType, types.MethodDescriptorType)
_METHOD = (types.MethodType, types.BuiltinMethodType, types.MethodWrapperType)
_LIBRARIES = {"jax", "jaxlib"}
_CHANGEABLE = {"Ref", "TransformedRef"}
_CONSTANT_OF_NUMPY = {"generic", "dtype", "ufunc", "_ArrayFunctionDispatcher"}
_ARRAYS = {("jaxlib", "ArrayImpl"), ("numpy", "ndarray")}


def can_change(value: object) -> bool:
    """Whether code that got hold of `value` can have changed it. When unsure: yes.

    Numbers, text, modules, functions and classes count as constant, and so does what JAX makes:
    its arrays, keys, meshes and transformed functions. An array that was donated is no more.
    """
    try:
        return _can_change(value, _DEEPEST)
    except _Exception:
        return True


def can_be_stored_in(value: object) -> bool:
    """Whether an attribute or an item of `value` can be set: more than calls may change."""
    return not {*_mro(type(value))}.isdisjoint(_HOLDERS) or can_change(value)


def leads_to_code(value: object) -> bool:
    """Whether examples' own code can be reached through `value`: not through plain data."""
    try:
        kinds = _mro(type(value))
        return not (set(kinds) & {*_CONSTANT} or any(_kind(it) in _ARRAYS for it in kinds))
    except _Exception:
        return True


def owner(value: Any) -> object:  # noqa: ANN401
    """What calling `value` changes, if it is a method bound to something, else None."""
    found = value.__self__ if type(value) in _METHOD else None
    return None if type(found) is types.ModuleType else found


def is_iterator(value: object) -> bool:
    """Whether a loop over `value` uses it up."""
    return any("__next__" in _own(it) for it in _mro(type(value)))


def _can_change(value: Any, depth: int) -> bool:  # noqa: ANN401
    kind = type(value)
    bases = _mro(kind)
    if _kind(kind) == ("jaxlib", "ArrayImpl"):
        return bool(kind.is_deleted(value))
    if kind in _CONSTANT or not {*bases}.isdisjoint(_CODE) or _is_constant_of_library(bases):
        return False
    parts = _parts(value, kind, bases)
    if parts is None or depth == 0 or len(parts) > _LONGEST:
        return True
    return any(_can_change(it, depth - 1) for it in parts)


def _parts(value: Any, kind: type, bases: tuple[type, ...]) -> list[Any] | None:  # noqa: ANN401
    """What `value` is made of once and for all; None where that is not so."""
    if kind in _METHOD:
        return [owner(value)]
    if kind is functools.partial:
        return [value.func, *value.args, *value.keywords.values()]
    if kind is frozenset or (tuple in bases and not _has_dict(kind)):
        return [*value] if kind is frozenset else [*tuple.__iter__(value)]
    if _is_frozen(bases):
        return [*object.__getattribute__(value, "__dict__").values()]
    return None


def _is_constant_of_library(bases: tuple[type, ...]) -> bool:
    package, name = _kind(bases[0])
    if package in _LIBRARIES:
        return name not in _CHANGEABLE
    return any(_kind(it) in {("numpy", name) for name in _CONSTANT_OF_NUMPY} for it in bases)


def _has_dict(kind: type) -> bool:
    """Whether instances have attributes of their own."""
    return bool(type.__dict__["__dictoffset__"].__get__(kind))


def _is_frozen(bases: tuple[type, ...]) -> bool:
    """Whether it is a dataclass, and frozen, and so are all that it derives from."""
    return len(bases) > 1 and all(
        it is object or getattr(_own(it).get("__dataclass_params__"), "frozen", False)
        for it in bases
    )


def _own(kind: type) -> Any:  # noqa: ANN401
    return type.__dict__["__dict__"].__get__(kind)


def _kind(kind: type) -> tuple[str, str]:
    """The package that a class belongs to, and its name."""
    return str(_module(kind)).partition(".")[0], str(_name(kind))
