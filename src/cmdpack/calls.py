"""The call in an example's code at which a traceback points."""

import ast
import warnings
from collections.abc import Iterator, Sequence
from typing import NamedTuple

from cmdpack.plan import PlannedCommand, PlannedExample
from cmdpack.result import Frame


class Call(NamedTuple):
    """A call as it is spelled.

    `of_jax` tells that the name that it starts from is bound by an import from JAX alone.
    """

    function: str
    arguments: str
    decorates: bool
    of_jax: bool
    knows_functools: bool


def find_call(commands: Sequence[PlannedCommand], frame: Frame) -> Call | None:
    """Find the call that `frame` points at, in the examples of `commands`."""
    trees = [
        (command, example, tree)
        for command in commands
        for example in command.examples
        if (tree := _parse(example)) is not None
    ]
    known = _imported([tree for _, _, tree in trees])
    for command, example, tree in trees:
        if command.path == frame.file:
            for node in ast.walk(tree):
                if isinstance(node, ast.Call) and _place(example, node) == _place_of(frame):
                    return _call(node, example, tree, known)
    return None


def _parse(example: PlannedExample) -> ast.Module | None:
    """The syntax tree; None for code that a newer Python than ours understands."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # the run has warned already
            return ast.parse(example.code)
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return None


def _place(example: PlannedExample, node: ast.expr) -> tuple[int | None, ...]:
    """Where `node` stands in the file, as a frame would say it."""
    lines = example.code.split("\n")
    ends = ((node.lineno, node.col_offset), (node.end_lineno or 0, node.end_col_offset or 0))
    place: list[int] = []
    for line, utf8 in ends:
        characters = len(lines[line - 1].encode()[:utf8].decode(errors="replace"))
        place += [example.line + line - 1, example.prefixes[line - 1] + characters + 1]
    return tuple(place)


def _place_of(frame: Frame) -> tuple[int | None, ...]:
    return frame.line, frame.column, frame.end_line, frame.end_column


def _imported(trees: Sequence[ast.Module]) -> dict[str, str]:
    """The packages by the names that imports, and nothing else, bind to them or to their parts."""
    found: dict[str, str] = {}
    rebound = set()
    for node in (node for tree in trees for node in ast.walk(tree)):
        if isinstance(node, (ast.Import, ast.ImportFrom)):
            found.update(_bound(node))
        elif isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef)):
            rebound.add(node.name)
        elif isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store):
            rebound.add(node.id)
    return {name: package for name, package in found.items() if name not in rebound}


def _bound(node: ast.Import | ast.ImportFrom) -> Iterator[tuple[str, str]]:
    for alias in node.names:
        if isinstance(node, ast.ImportFrom):
            yield alias.asname or alias.name, (node.module or "").partition(".")[0]
        else:
            package = alias.name.partition(".")[0]
            yield alias.asname or package, package


def _call(node: ast.Call, example: PlannedExample, tree: ast.Module, known: dict[str, str]) -> Call:
    text = ast.get_source_segment(example.code, node) or ""
    if "\n" in text:
        text = ast.unparse(node)
    function = ast.unparse(node.func)
    root = node.func
    while isinstance(root, ast.Attribute):
        root = root.value
    return Call(
        function=function,
        arguments=text.removeprefix(function).strip()[1:-1].strip().rstrip(","),
        decorates=any(node in getattr(it, "decorator_list", ()) for it in ast.walk(tree)),
        of_jax=isinstance(root, ast.Name) and known.get(root.id) == "jax",
        knows_functools=known.get("functools") == "functools",
    )
