"""What a unit printed in two runs -> its verdict."""

import re
from itertools import zip_longest
from typing import NamedTuple

from cmdpack.plan import Plan
from cmdpack.result import Advice, Failure, Frame, RunResult, UnitResult

_ADDRESS = re.compile(r"0x[0-9a-f]{6,}")
_NUMBER = re.compile(r"[-+]?\d+(\.\d*)?(e[-+]?\d+)?")
_TYPE = "not reproducible"
_NOTHING = "(nothing)"  # where one text has no such line
_EMPTY = "(an empty line)"


class Difference(NamedTuple):
    """The first line, counted from 1, in which two texts differ."""

    line: int
    first: str
    later: str


class Comparison:
    """Judges the units of a later run by what the first one came to.

    Only those of the command that was asked for: what it depends on may tell the time. And only by
    standard output: the other is for logs.
    """

    def __init__(self, plan: Plan, first: RunResult) -> None:
        self._command = plan.command
        self._first = {unit.id: unit for unit in first.units}
        self._sources = dict(_sources(plan))

    def judge(self, unit: UnitResult) -> UnitResult:
        """`unit`, failed where it went well and yet not as in the first run."""
        first = self._first[unit.id]
        if unit.outcome not in {"ok", "skipped"}:
            # Nobody would look for it: the very same code has just gone well.
            reason = unit.reason or f"it was {first.outcome} in the first run"
            return unit.model_copy(update={"reason": reason})
        stopped = unit.outcome == "skipped" and unit.reason != "exited"  # what stopped it is told
        if stopped or unit.command != self._command:
            return unit
        texts = _came_to(first), _came_to(unit)
        if (found := difference(*texts)) is None:
            return unit
        failure = Failure(
            type=_TYPE,
            message=f"what it prints differs from the first run, first in its line {found.line}:\n"
            f"  first run: {found.first or _EMPTY}\n"
            f"  this run:  {found.later or _EMPTY}",
            line=unit.line,
            column=unit.column,
            frames=(self._frame(unit),),
            advice=advice(*texts),
        )
        failed = {"outcome": "failed", "kind": "other", "error": failure}
        return unit.model_copy(update=failed)

    def _frame(self, unit: UnitResult) -> Frame:
        return Frame(
            file=unit.file,
            line=unit.line,
            column=unit.column,
            end_line=unit.end_line,
            end_column=unit.end_column,
            function="<module>",
            source=self._sources[unit.id],
            origin="example",
        )


def is_found(unit: UnitResult) -> bool:
    """Whether `unit` failed by a comparison, and not by itself."""
    return unit.error is not None and unit.error.type == _TYPE


def difference(first: str, later: str) -> Difference | None:
    """The first line that differs, or None."""
    lines = zip_longest(first.split("\n"), later.split("\n"), fillvalue=_NOTHING)
    for number, (before, after) in enumerate(lines, start=1):
        if before != after:
            return Difference(number, before, after)
    return None


def advice(first: str, later: str) -> Advice:
    """What makes texts like these differ, from the most certain to the most general."""
    texts = first, later
    if _alike(texts, _ADDRESS):
        return Advice(
            cause="an address in memory is printed, and each process has its own",
            next_step="print what the object holds, not its default repr",
        )
    words = [sorted(re.findall(r"[\w.+-]+", text)) for text in texts]
    if words[0] == words[1]:
        return Advice(
            cause="the same words in another order: a set is iterated over, or work is awaited in "
            "the order in which it happens to end",
            next_step="iterate over sorted(...), and collect results by name",
        )
    if _alike(texts, _NUMBER):
        return Advice(
            cause="only numbers differ: a generator without a seed, hash(), the time, or a sum "
            "whose order is not fixed",
            next_step="make keys with jax.random.key(SEED), replace hash() with zlib.crc32, "
            "assert on times instead of printing them",
        )
    return Advice(
        cause="the unit depends on something that a fresh process does not repeat",
        next_step="look for the time, process and file names, and the order of sets and threads",
    )


def _alike(texts: tuple[str, str], what: re.Pattern[str]) -> bool:
    first, later = (what.sub("", text) for text in texts)
    return first == later


def _came_to(unit: UnitResult) -> str:
    """What a unit printed, or that it was not reached."""
    if unit.outcome != "ok":
        return f"({unit.outcome}: {unit.reason})"
    return "".join(part.text for part in unit.printed if part.stream == "stdout")


def _sources(plan: Plan) -> list[tuple[str, str]]:
    """The first line of each unit as it stands in its file, less what a container puts before."""
    found = []
    for example in (example for command in plan.commands for example in command.examples):
        lines = example.code.split("\n")
        for unit in example.units:
            index = unit.span.line - example.line
            found.append((unit.id, " " * example.prefixes[index] + lines[index]))
    return found
