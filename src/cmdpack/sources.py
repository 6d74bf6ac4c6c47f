"""What stands in the code of examples where a traceback points; nothing of it is executed."""

import ast
import functools
import warnings
from collections.abc import Iterator, Sequence
from typing import NamedTuple

from cmdpack.plan import PlannedCommand, PlannedExample
from cmdpack.result import Frame

Definition = ast.FunctionDef | ast.AsyncFunctionDef


class Source(NamedTuple):
    """The syntax tree of an example; its lines are those of the code, from 1."""

    command: PlannedCommand
    example: PlannedExample
    tree: ast.Module

    def line(self, node: ast.stmt | ast.expr | ast.excepthandler) -> int:
        """The line of the file in which `node` begins."""
        return self.example.line + node.lineno - 1

    def text(self, node: ast.expr) -> str:
        """The expression as it is spelled, on one line."""
        text = ast.get_source_segment(self.example.code, node) or ""
        return unparsed(node) if not text or "\n" in text else text


def unparsed(node: ast.AST) -> str:
    """Spell `node` on one line; what is nested too deeply for that is left out."""
    try:
        return ast.unparse(node).replace("\n", " ")
    except RecursionError:
        return "..."


def sources(commands: Sequence[PlannedCommand]) -> list[Source]:
    """Parse the examples of `commands`, all but those that only a newer Python understands."""
    return [
        Source(command, example, tree)
        for command in commands
        for example in command.examples
        if (tree := _parse(example.code)) is not None
    ]


@functools.lru_cache(maxsize=64)  # every failure of a run looks at the same examples
def _parse(code: str) -> ast.Module | None:
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # the run has warned already
            return ast.parse(code)
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return None


def place(example: PlannedExample, node: ast.expr) -> tuple[int | None, ...]:
    """Where `node` stands in the file, as a frame would say it."""
    lines = example.code.split("\n")
    ends = ((node.lineno, node.col_offset), (node.end_lineno or 0, node.end_col_offset or 0))
    found: list[int] = []
    for line, utf8 in ends:
        characters = len(lines[line - 1].encode()[:utf8].decode(errors="replace"))
        found += [example.line + line - 1, example.prefixes[line - 1] + characters + 1]
    return tuple(found)


def place_of(frame: Frame) -> tuple[int | None, ...]:
    """The same of a frame."""
    return frame.line, frame.column, frame.end_line, frame.end_column


def around(found: Sequence[Source], frame: Frame) -> Source | None:
    """The example that `frame` is in."""
    for source in found:
        lines = source.example.code.count("\n") + 1
        first = source.example.line
        if source.command.path == frame.file and first <= frame.line < first + lines:
            return source
    return None


def nodes_at(source: Source, frame: Frame) -> Iterator[ast.expr]:
    """The expressions that stand exactly where `frame` points, the outermost first."""
    for node in ast.walk(source.tree):
        if not isinstance(node, ast.expr) or source.line(node) != frame.line:
            continue  # cheap; most are elsewhere
        if place(source.example, node) == place_of(frame):
            yield node


def holders(source: Source, node: ast.AST) -> Iterator[ast.AST]:
    """What `node` is part of, from its parent to the module."""
    above = {child: it for it in ast.walk(source.tree) for child in ast.iter_child_nodes(it)}
    while (found := above.get(node)) is not None:
        yield found
        node = found


def function_at(source: Source, frame: Frame) -> Definition | None:
    """The function, by its ``def``, whose body `frame` is in."""
    line = frame.line - source.example.line + 1
    found = [
        node
        for node in ast.walk(source.tree)
        if isinstance(node, Definition)
        and node.name == frame.function
        and node.lineno <= line <= (node.end_lineno or 0)
    ]
    return max(found, key=lambda it: it.lineno, default=None)


def imported(found: Sequence[Source]) -> dict[str, str]:
    """What the names mean that imports, and nothing else, bind: ``jnp`` is ``jax.numpy``."""
    names: dict[str, str] = {}
    rebound = set()
    for node in (node for source in found for node in ast.walk(source.tree)):
        if isinstance(node, (ast.Import, ast.ImportFrom)):
            names.update(_meanings(node))
        elif isinstance(node, (*_DEFINED, ast.ClassDef)):
            rebound.add(node.name)
        elif isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store):
            rebound.add(node.id)
    return {name: meaning for name, meaning in names.items() if name not in rebound}


_DEFINED = (ast.FunctionDef, ast.AsyncFunctionDef)


def _meanings(node: ast.Import | ast.ImportFrom) -> Iterator[tuple[str, str]]:
    for alias in node.names:
        if isinstance(node, ast.ImportFrom):
            module = node.module if node.module and not node.level else ""
            yield alias.asname or alias.name, f"{module}.{alias.name}"
        elif alias.asname:
            yield alias.asname, alias.name
        else:
            package = alias.name.partition(".")[0]
            yield package, package


class Binding(NamedTuple):
    """A name that an example binds at its top level, and the line of the file where."""

    name: str
    file: str
    line: int


def bindings(found: Sequence[Source]) -> Iterator[Binding]:
    """What examples bind at their top level, also under ``if``, ``for``, ``try`` and ``with``."""
    for source in found:
        for name, line in _bound(source.tree):
            yield Binding(name, source.command.path, source.example.line + line - 1)


@functools.lru_cache(maxsize=64)
def _bound(tree: ast.Module) -> Sequence[tuple[str, int]]:
    found = []
    pending: list[ast.AST] = [*reversed(tree.body)]
    while pending:
        node = pending.pop()
        found += [(name, getattr(node, "lineno", 1)) for name in _bound_by(node)]
        if not isinstance(node, (*_DEFINED, ast.ClassDef, ast.Lambda)):
            pending += [*ast.iter_child_nodes(node)][::-1]
    return found


def _bound_by(node: ast.AST) -> Iterator[str]:
    match node:
        case ast.Import() | ast.ImportFrom():
            yield from (it.asname or it.name.partition(".")[0] for it in node.names)
        case ast.FunctionDef() | ast.AsyncFunctionDef() | ast.ClassDef():
            yield node.name
        case ast.Name(ctx=ast.Store()):
            yield node.id
        case ast.ExceptHandler(name=str(name)):
            yield name
