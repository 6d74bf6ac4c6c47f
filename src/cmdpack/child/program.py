"""The examples of a command, compiled unit by unit, before anything runs."""

import ast
import itertools
import types
import warnings
from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple

from . import failures, units
from .counters import Counter, Function, compile_counted

_FUTURES = sum(
    getattr(__import__("__future__"), name).compiler_flag
    for name in __import__("__future__").all_feature_names
)

Lines = tuple[int, None, list[str], str]


class Step(NamedTuple):
    """A unit that is ready to run.

    `name` is its name in reports (None: it is left out), `functions` are those with a counter in
    it, their columns those of the file, `warned` what compiling it warned of, `expects` the type of
    exception that it must raise, `devices` how many its example needs.
    """

    name: str | None
    unit: units.Unit
    code: types.CodeType
    functions: Sequence[Function]
    warned: Sequence[warnings.WarningMessage]
    expects: str | None
    devices: int | None


def steps(command: dict[str, Any], counter: Counter | None, lines: Lines) -> Iterator[Step]:
    """Compile the units of a command; its `__future__` imports hold for all that comes after.

    With a `counter`, it is told of every function that is entered. `lines` are the file's.
    """
    flags = 0
    for example in command["examples"]:
        place = units.Place(example["line"], example["prefixes"])
        ready: list[tuple[types.CodeType, list[Function]]] = []
        with warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("always")
            _, found = units.parse(example["code"], command["file"], place)
            for unit in found:
                _replace(unit.node, example["replaced"])
            for name, unit in zip(example["units"], found, strict=True):
                module = _module(unit.node, first=not ready)
                told = counter if name is not None else None
                ready.append(_compiled(module, command["file"], flags, told))
                flags |= ready[-1][0].co_flags & _FUTURES
        for name, unit, (code, functions) in zip(example["units"], found, ready, strict=True):
            yield Step(
                name,
                unit,
                code,
                [_placed(it, lines[2]) for it in functions],
                [it for it in caught if _first_to_hold(it.lineno, found) is unit],
                example["expects"] if unit is found[-1] else None,
                example["devices"],
            )


def lines_of(command: dict[str, Any]) -> Lines:
    """An entry for `linecache`: the Markdown file's lines, those that are not code left blank.

    So `inspect` can parse it as Python, that of an indented fence as the body of an `if` that
    stands where the fence begins. Without a modification time the entry is never thrown out.
    """
    lines: list[str] = []
    for example in command["examples"]:
        lines += ["\n"] * (example["line"] - 1 - len(lines))
        if lines and any(example["prefixes"]):
            lines[-1] = "if True:\n"
        pairs = zip(example["code"].split("\n"), example["prefixes"], strict=False)
        lines += [" " * prefix + line + "\n" for line, prefix in pairs]
    return sum(map(len, lines)), None, lines, command["file"]


def _replace(node: ast.stmt, new: dict[str, str]) -> None:
    """Let an assignment to one name, if it is one of `new`, bind that literal instead."""
    match node:
        case ast.Assign(targets=[ast.Name(id=name)]) | ast.AnnAssign(target=ast.Name(id=name)):
            if name in new and node.value is not None:
                literal = ast.parse(new[name], mode="eval").body
                for it in ast.walk(literal):
                    ast.copy_location(it, node.value)
                node.value = literal


def _first_to_hold(line: int, found: Sequence[units.Unit]) -> units.Unit | None:
    return next((unit for unit in found if unit.line <= line <= unit.end_line), None)


def _module(node: ast.stmt, *, first: bool) -> ast.Module:
    future = isinstance(node, ast.ImportFrom) and node.module == "__future__"
    # Only at its beginning is a lone string the module's docstring.
    guard = [] if first or future else [ast.Pass(lineno=node.lineno, col_offset=0)]
    return ast.Module([*guard, node], type_ignores=[])


def _compiled(
    module: ast.Module, file: str, flags: int, counter: Counter | None
) -> tuple[types.CodeType, list[Function]]:
    """The code of a unit, and its functions."""
    if counter is not None:
        return compile_counted(module, file, flags, counter)
    return compile(module, file, "exec", flags=flags, dont_inherit=True), []


def _placed(function: Function, lines: Sequence[str]) -> Function:
    source = next(itertools.islice(lines, function.line - 1, None), "")
    column = failures.column(source, function.column) or 1
    return function._replace(name=failures.clip(function.name), column=column)
