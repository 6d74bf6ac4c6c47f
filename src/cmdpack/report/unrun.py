"""What did not run and why, in as few lines as tell it: the last ones before the evidence."""

from collections.abc import Iterator, Sequence
from pathlib import PurePath

from cmdpack.plan import NOT_SELECTED
from cmdpack.result import Outcome, RunResult, UnitResult
from cmdpack.terminal import one_line

_NAMED = 3  # skipped sections that are named; more are counted
_PLACES = 10  # lines of blocked units that are named

_DEATHS: frozenset[Outcome] = frozenset({"timeout", "crashed", "output-limit"})


def lines(result: RunResult) -> Iterator[str]:
    """One line for each reason for which sections, or units of others, were skipped or blocked."""
    yield from _skipped_sections(result)
    yield from _skipped_units(result)
    yield from _blocked(result)


def _skipped_sections(result: RunResult) -> Iterator[str]:
    titles: dict[str, list[str]] = {}
    for section in result.sections:
        if section.outcome == "skipped":
            titles.setdefault(section.reason or "", []).append(section.title)
    for reason, skipped in titles.items():
        shown = ", ".join(skipped) if len(skipped) <= _NAMED else f"{len(skipped)} sections"
        yield f"skipped: {one_line(f'{shown}: {reason}')}"


def _skipped_units(result: RunResult) -> Iterator[str]:
    """Those of sections of which something ran."""
    whole = {(it.command, it.id) for it in result.sections if it.outcome == "skipped"}
    counts: dict[str, int] = {}
    for unit in result.units:
        if unit.outcome == "skipped" and (unit.command, unit.section) not in whole:
            counts[unit.reason or ""] = counts.get(unit.reason or "", 0) + 1
    for reason, count in counts.items():
        if reason != NOT_SELECTED:
            yield f"skipped: {_units(count)}: {one_line(reason)}"


def _blocked(result: RunResult) -> Iterator[str]:
    units = {unit.id: unit for unit in result.units}
    groups: dict[tuple[str, ...], list[UnitResult]] = {}
    for unit in result.units:
        if unit.outcome == "blocked":
            groups.setdefault(unit.blocked_by, []).append(unit)
    for causes, blocked in groups.items():
        because = _because([units[it] for it in causes])
        if len(blocked) == 1 or not because:
            because = blocked[0].reason or ""
        yield f"blocked: {_units(len(blocked))} ({_places(blocked)}): {one_line(because)}"


def _because(causes: Sequence[UnitResult]) -> str:
    """What the units that are blocked by `causes` have in common."""
    places = ", ".join(f"{PurePath(it.file).name}:{it.line}" for it in causes)
    if any(it.outcome in _DEATHS for it in causes):
        return f"the run ended at {places}"
    return places and f"for want of what failed at {places}"


def _places(units: Sequence[UnitResult]) -> str:
    """The lines of `units`, which may be of several files, the first of them."""
    shown = ", ".join(dict.fromkeys(str(it.line) for it in units[:_PLACES]))
    more = len(units) - _PLACES
    noun = "line" if len({it.line for it in units}) == 1 else "lines"
    return f"{noun} {shown}" + (f" and {more} more, all with -v" if more > 0 else "")


def _units(count: int) -> str:
    return f"{count} unit{'' if count == 1 else 's'}"
