"""The one analysis of units: a unit is a top-level statement, at its place in the Markdown file.

`try`, `with`, `for` and `if` are one unit each; ``a(); b()`` are two. Positions are those of the
file: lines from 1, columns from 1 in characters, ends exclusive.
"""

import ast
import re
import warnings
from collections.abc import Sequence
from typing import Any, NamedTuple

from . import names

_LINE_END = re.compile(r"\r\n?|\n")
_PLACED = (
    ast.stmt,
    ast.expr,
    ast.excepthandler,
    ast.arg,
    ast.keyword,
    ast.alias,
    ast.pattern,
    *((ast.type_param,) if hasattr(ast, "type_param") else ()),
)
"""The nodes that have a position."""


class Place(NamedTuple):
    """Where code stands in its file: the first line, and the prefix cut off each line."""

    line: int
    prefixes: Sequence[int]

    def column(self, line: int, column: int) -> int:
        """The file's column, from 1, of the code's `line`, from 1, and `column`, from 0."""
        index = line - 1
        prefix = self.prefixes[index] if 0 <= index < len(self.prefixes) else 0
        return prefix + column + 1


class Unit(NamedTuple):
    """A top-level statement: its syntax tree, and its span in the file."""

    node: ast.stmt
    line: int
    column: int
    end_line: int
    end_column: int


def parse(code: str, filename: str, place: Place) -> tuple[ast.Module, list[Unit]]:
    """Parse `code` into its module and its units; the tree's lines are those of the file.

    Raises `SyntaxError` with positions in the file, also for what only the compiler refuses, such
    as a top-level ``return``, and `ValueError` for code that cannot be compiled at all. What the
    parser warns of, it warns of with lines of the file; the compiler does when a unit is compiled.
    """
    try:
        with warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("always")
            tree = ast.parse(code, filename)
            parser_warnings = [*caught]
            compile(tree, filename, "exec", dont_inherit=True)
    except SyntaxError as error:
        raise _in_file(error, filename, place) from None
    except (RecursionError, MemoryError) as error:
        raise ValueError(f"nested too deeply to compile ({type(error).__name__})") from None
    for found in parser_warnings:
        line = found.lineno + place.line - 1
        warnings.warn_explicit(found.message, found.category, filename, line)
    lines = lines_of(code)
    units = [_unit(node, lines, place) for node in tree.body]
    ast.increment_lineno(tree, place.line - 1)
    _shift_columns(tree, place)
    return tree, units


def lines_of(code: str) -> list[str]:
    """The lines of `code` as Python and Markdown count them, without their ends."""
    return _LINE_END.split(code)


def span_of(unit: Unit) -> dict[str, Any]:
    """Where a unit stands, as the planner takes it."""
    return {
        "line": unit.line,
        "column": unit.column,
        "end_line": unit.end_line,
        "end_column": unit.end_column,
    }


def describe(unit: Unit, *, future: bool = False) -> dict[str, Any]:
    """The facts of a unit that a selection is sliced by, with its span.

    `future` says that ``from __future__ import annotations`` holds in its example.
    """
    found = names.of(unit.node, future=future)
    return {
        **span_of(unit),
        "binds": sorted(found.binds),
        "deletes": sorted(found.deletes),
        "certain": sorted(found.certain),
        "bodies": found.bodies,
    }


def defers_annotations(found: Sequence[Unit]) -> bool:
    """Whether annotations in code of these units are text: ``from __future__`` said so."""
    return any(
        isinstance(unit.node, ast.ImportFrom)
        and unit.node.module == "__future__"
        and any(alias.name == "annotations" for alias in unit.node.names)
        for unit in found
    )


def imports(tree: ast.Module) -> set[str]:
    """The top-level names of the packages that the code imports, anywhere in it."""
    found = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            found |= {alias.name.partition(".")[0] for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.level == 0 and node.module:
            found.add(node.module.partition(".")[0])
    return found


def _unit(node: ast.stmt, lines: Sequence[str], place: Place) -> Unit:
    first: ast.stmt | ast.expr = node
    decorators = getattr(node, "decorator_list", [])
    if decorators:
        first = decorators[0]
    column = _characters(lines[first.lineno - 1], first.col_offset)
    if decorators:  # the unit begins at the @ sign
        column = lines[first.lineno - 1].rfind("@", 0, column)
    end_line = node.end_lineno or node.lineno
    end = _characters(lines[end_line - 1], node.end_col_offset or 0)
    return Unit(
        node,
        line=place.line + first.lineno - 1,
        column=place.column(first.lineno, max(column, 0)),
        end_line=place.line + end_line - 1,
        end_column=place.column(end_line, end),
    )


def _characters(line: str, utf8: int) -> int:
    """`ast` counts columns in UTF-8 bytes; people and editors count characters."""
    return utf8 if line.isascii() else len(line.encode()[:utf8].decode(errors="replace"))


def _shift_columns(tree: ast.Module, place: Place) -> None:
    """Move columns right by what was cut off each line: carets stand under the file's text."""
    if not any(place.prefixes):
        return
    for node in ast.walk(tree):
        if isinstance(node, _PLACED):
            node.col_offset += place.column(node.lineno - place.line + 1, -1)
            if node.end_lineno is not None and node.end_col_offset is not None:
                node.end_col_offset += place.column(node.end_lineno - place.line + 1, -1)


def _in_file(error: SyntaxError, filename: str, place: Place) -> SyntaxError:
    line = error.lineno or 1
    column = place.column(line, (error.offset or 1) - 1)
    return SyntaxError(error.msg, (filename, line + place.line - 1, column, error.text))
