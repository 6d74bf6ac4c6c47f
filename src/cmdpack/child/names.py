"""What a unit does with the names of the module: the part of the one analysis that the runner uses.

`flows` goes through the syntax tree and `scopes` knows what a name stands for; the slices of a
selection are computed from the same steps.
"""

import ast
import sys
from collections.abc import Collection, Iterable, Mapping
from typing import Any, NamedTuple

from . import flows

_DEEPEST = 50_000
"""Frames of Python for a syntax tree that the compiler took."""

READERS = frozenset(
    {
        "abs",
        "all",
        "any",
        "ascii",
        "bin",
        "bool",
        "bytes",
        "callable",
        "chr",
        "complex",
        "dict",
        "dir",
        "divmod",
        "enumerate",
        "filter",
        "float",
        "format",
        "frozenset",
        "getattr",
        "hasattr",
        "hash",
        "hex",
        "id",
        "int",
        "isinstance",
        "issubclass",
        "len",
        "list",
        "map",
        "max",
        "min",
        "oct",
        "ord",
        "pow",
        "print",
        "range",
        "repr",
        "reversed",
        "round",
        "set",
        "slice",
        "sorted",
        "str",
        "sum",
        "tuple",
        "type",
        "zip",
    }
)
"""Built-in functions that change nothing they are handed, but for iterators that they use up."""

READING_METHODS = frozenset(
    {
        "all",
        "any",
        "argmax",
        "argmin",
        "argsort",
        "as_text",
        "astype",
        "at",
        "block_until_ready",
        "capitalize",
        "compile",
        "conj",
        "copy",
        "cost_analysis",
        "count",
        "cumprod",
        "cumsum",
        "decode",
        "devices",
        "diagonal",
        "dot",
        "encode",
        "endswith",
        "eval_shape",
        "flatten",
        "format",
        "get",
        "index",
        "indices",
        "is_deleted",
        "is_integer",
        "isdigit",
        "item",
        "items",
        "join",
        "keys",
        "lower",
        "lstrip",
        "max",
        "mean",
        "memory_analysis",
        "min",
        "nonzero",
        "partition",
        "prod",
        "ravel",
        "repeat",
        "replace",
        "reshape",
        "round",
        "rsplit",
        "rstrip",
        "searchsorted",
        "split",
        "squeeze",
        "startswith",
        "std",
        "strip",
        "sum",
        "swapaxes",
        "take",
        "title",
        "to_py",
        "tobytes",
        "tolist",
        "trace",
        "transpose",
        "upper",
        "values",
        "var",
        "zfill",
    }
)
"""Methods of arrays, texts, containers and compiled functions that change nothing.

`partition` of an array does, and is left to the caller to tell from that of a text.
"""


class Names(NamedTuple):
    """The module's names in one unit; `late` are those in the bodies of its functions."""

    binds: frozenset[str]
    """What running the unit binds, or may bind."""

    deletes: frozenset[str]
    """What ``del``, or the end of an ``except``, deletes."""

    reads: frozenset[str]
    """What is read while the unit runs, and not certainly bound by itself before."""

    late_reads: frozenset[str]
    """What the functions defined in it read when they are called."""

    late_binds: frozenset[str]
    """What such functions bind or delete through ``global``."""

    mutates: frozenset[str]
    """Names whose objects the unit may change in place, as far as its text shows."""

    late_mutates: frozenset[str]
    """Names whose objects such functions may change in place."""

    certain: frozenset[str]
    """What it certainly binds, or deletes, if it does not fail."""

    opaque: tuple[str, ...]
    """Why anything might happen to any name, if so: a star import."""

    bodies: tuple[Mapping[str, Any], ...]
    """The steps of its bodies, see `flows`."""


def of(node: ast.stmt, *, future: bool = False, libraries: Collection[str] = frozenset()) -> Names:
    """The names of the unit `node`.

    `future` says that ``from __future__ import annotations`` holds, `libraries` names what stands
    for modules and functions that change none of their arguments, such as those of JAX.
    """
    limit = sys.getrecursionlimit()
    try:
        sys.setrecursionlimit(max(limit, _DEEPEST))
        tracer = flows.Tracer(future=future)
        tracer.statement(node)
    finally:
        sys.setrecursionlimit(limit)
    now, *later = tracer.bodies
    compound = not isinstance(node, _SIMPLE)
    certain = (set() if compound else now.certain | now.deletes) - _walrus(node)
    pure = frozenset(libraries)
    return Names(
        binds=frozenset(now.binds),
        deletes=frozenset(now.deletes),
        reads=frozenset(now.reads),
        late_reads=_union(body.reads for body in later),
        late_binds=_union(body.binds | body.deletes for body in later) - now.binds,
        mutates=frozenset(_changed(now.steps, pure)),
        late_mutates=_union(_changed(body.steps, pure) for body in later),
        certain=frozenset(certain & (now.binds | now.deletes)),
        opaque=tuple(
            step[1] for body in tracer.bodies for step in body.steps if step[0] == "opaque"
        ),
        bodies=tuple(body.plain() for body in tracer.bodies),
    )


_SIMPLE = (
    ast.Assign,
    ast.AnnAssign,
    ast.AugAssign,
    ast.Delete,
    ast.Import,
    ast.ImportFrom,
    ast.FunctionDef,
    ast.AsyncFunctionDef,
    ast.ClassDef,
    *((ast.TypeAlias,) if hasattr(ast, "TypeAlias") else ()),
)
"""What binds its names if it does not fail; of the other statements none is certain to."""


def _walrus(node: ast.AST) -> set[str]:
    return {it.target.id for it in ast.walk(node) if isinstance(it, ast.NamedExpr)}


def _union(found: Iterable[Iterable[str]]) -> frozenset[str]:
    return frozenset(name for names in found for name in names)


def _changed(steps: Iterable[list[Any]], pure: frozenset[str]) -> set[str]:
    """The module's names whose objects these steps may change."""
    roots: dict[str, set[str]] = {}
    changed: set[str] = set()

    def names(variables: Iterable[str]) -> set[str]:
        found = [roots.get(it, set()) if ":" in it else {it} for it in variables]
        return set().union(*found)

    for step in steps:
        match step:
            case ["store", whole, *_]:
                changed |= names([whole])
            case ["flow" | "make" | "part" | "attr" | "iter", str(result), [*sources], *_]:
                roots.setdefault(result, set()).update(names(sources))
            case [str(kind), str(result), [*callee], *rest] if kind.endswith(("call", "method")):
                owner, called = names(callee), rest[0] if kind.endswith("method") else ""
                handed = names(it for argument in rest[-1] for it in argument[1:])
                if not owner or not owner <= pure | (frozenset() if called else READERS):
                    roots[result] = handed | owner
                    changed |= set() if called in READING_METHODS else handed
                    changed |= owner if called and called not in READING_METHODS else set()
    return changed
