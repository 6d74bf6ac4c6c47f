"""What a function was called with when JAX traced it, and how two such calls differ.

Only JAX's tracers, plain values and the builtin containers are looked into, and the attributes of
other objects; nothing that a user has written is called.
"""

import itertools
import types
from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple

_DEPTH = 8
_LEAVES = 500
_TEXT = 60  # characters of a value
_SHOWN = 3  # differences of one recompilation
_PLAIN = (bool, int, float, complex, str, bytes, type(None))


class Array(NamedTuple):
    """An argument that JAX traces; `sharding` is its type with the axes of its mesh, if any."""

    dtype: str
    shape: str
    weak: bool
    sharding: str

    def __str__(self) -> str:
        return f"{self.dtype}[{self.shape}]{' (weakly typed)' if self.weak else ''}"


class Static(NamedTuple):
    """An argument that JAX does not trace; `identity` tells objects without a value apart."""

    text: str
    identity: int = 0

    def __str__(self) -> str:
        return self.text


Leaf = Array | Static
Signature = dict[str, Leaf]


def of(frame: types.FrameType, tracer: type) -> Signature:
    """The arguments of the function that `frame` has just begun, by path; `tracer` is JAX's."""
    code = frame.f_code
    count = code.co_argcount + code.co_kwonlyargcount
    count += bool(code.co_flags & 0x04) + bool(code.co_flags & 0x08)  # *args, **kwargs
    values = frame.f_locals
    leaves = itertools.chain.from_iterable(
        _leaves(name, values.get(name), tracer, 0) for name in code.co_varnames[:count]
    )
    return dict(itertools.islice(leaves, _LEAVES))


def _leaves(path: str, value: Any, tracer: type, depth: int) -> Iterator[tuple[str, Leaf]]:  # noqa: ANN401
    if isinstance(value, tracer):
        yield path, _array(value)
        return
    if type(value) in _PLAIN:
        yield path, Static(repr(value)[:_TEXT])
        return
    inside = _inside(value) if depth < _DEPTH else []
    leaves = [
        leaf for name, it in inside for leaf in _leaves(f"{path}{name}", it, tracer, depth + 1)
    ]
    yield from leaves
    if not any(isinstance(leaf, Array) for _, leaf in leaves):
        # What holds arrays is rebuilt for each trace, and so are containers: neither is the same.
        builtin = isinstance(value, (tuple, list, dict))
        yield path, Static(_title(value), 0 if builtin else id(value))


def _array(value: Any) -> Array:  # noqa: ANN401
    aval = getattr(value, "aval", None)
    mesh = getattr(getattr(aval, "sharding", None), "mesh", None)
    axes = ",".join(f"{name}={size}" for name, size in dict(getattr(mesh, "shape", {})).items())
    sharding = f"{str(aval).removeprefix('~')} over {axes}" if axes else ""
    weak = bool(getattr(aval, "weak_type", False))
    return Array(str(value.dtype), ",".join(map(str, value.shape)), weak, sharding)


def _inside(value: object) -> Sequence[tuple[str, Any]]:
    if isinstance(value, (list, tuple)):
        items = tuple.__iter__(value) if isinstance(value, tuple) else list.__iter__(value)
        return [(f"[{index}]", item) for index, item in enumerate(items)]
    if isinstance(value, dict):
        return [(f"[{_key(key)}]", item) for key, item in dict.items(value)]
    try:
        attributes = object.__getattribute__(value, "__dict__")
    except AttributeError:
        return []
    if isinstance(value, (type, types.ModuleType, types.FunctionType)):
        return []
    return [(f".{name}", item) for name, item in attributes.items()]


def _key(key: object) -> str:
    return repr(key)[:_TEXT] if type(key) in _PLAIN else type(key).__name__


def _title(value: object) -> str:
    name = value.__qualname__ if isinstance(value, (type, types.FunctionType)) else None
    return str(name or f"a {type(value).__name__}")[:_TEXT]


class Change(NamedTuple):
    """How a call differs from the one before that is most like it."""

    cause: str
    differences: list[dict[str, str]]


def change(now: Signature, before: Sequence[Signature]) -> Change:
    """Why JAX has traced again; `before` are the signatures that it had traced, at least one."""
    # Of the most similar ones, the last. No difference explains nothing: any other explains more.
    compared = [_compare(now, old) for old in reversed(before)]
    found = min(filter(None, compared), key=lambda it: sum(d.weight for d in it), default=[])
    if not found:
        return Change("redefined", [])
    return Change(found[0].cause, [it.described() for it in found[:_SHOWN]])


class _Difference(NamedTuple):
    path: str
    cause: str
    weight: int
    now: Leaf | None
    before: Leaf | None

    def described(self) -> dict[str, str]:
        new, old = (self._text(leaf) for leaf in (self.now, self.before))
        return {"argument": self.path, "now": new, "before": old}

    def _text(self, leaf: Leaf | None) -> str:
        if self.cause == "placement" and isinstance(leaf, Array):
            return leaf.sharding or f"{leaf} without a mesh"
        return str(leaf or "absent")


def _compare(now: Signature, before: Signature) -> list[_Difference]:
    paths = [*now, *(path for path in before if path not in now)]
    found = [_difference(path, now.get(path), before.get(path)) for path in paths]
    return [it for it in found if it] or [
        _Difference(
            path, "static-value", 1, Static(f"another {leaf.text.removeprefix('a ')}"), leaf
        )
        for path, leaf in before.items()
        if isinstance(leaf, Static) and leaf != now[path]  # objects without a value: another one
    ]


def _difference(path: str, new: Leaf | None, old: Leaf | None) -> _Difference | None:
    match new, old:
        case Array(), Array():
            pairs = zip(("dtype", "shape", "weak-type", "placement"), new, old, strict=True)
            causes = [cause for cause, a, b in pairs if a != b]
        case Static(), Static():
            causes = ["static-value"] if new.text != old.text else []
        case _:
            causes = ["structure"]
    return _Difference(path, causes[0], len(causes), new, old) if causes else None
