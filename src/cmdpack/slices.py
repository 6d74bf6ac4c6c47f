"""The units that a selection needs, by definition and use of names: selection -> slice. Pure."""

from collections.abc import Collection, Mapping, Sequence
from typing import NamedTuple

from cmdpack.abstract import Needs, needs
from cmdpack.codefacts import UnitFacts

SELECTED = "selected"


class Slice(NamedTuple):
    """The units taken, by index, with the reason for each.

    `prefix` says why everything before the last selected unit had to be taken, if it had.
    """

    taken: Mapping[int, str]
    prefix: str | None = None


def slice_of(units: Sequence[UnitFacts], selected: Collection[int]) -> Slice:
    """The units that must run for the `selected` ones to do what they do when all run.

    `units` are all of one command, in the order in which they run; `selected` are indices.
    """
    if not selected:
        return Slice({})
    last = max(selected)
    found = needs(units[: last + 1])
    for index, need in enumerate(found):
        if need.opaque is not None:
            reason = f"{need.opaque} at line {units[index].line}"
            return Slice(_prefix(last, selected, reason), reason)
    taken = dict.fromkeys(selected, SELECTED)
    for index, need in enumerate(found):
        if need.process is not None:
            taken.setdefault(index, need.process)
    left = sorted(taken)
    while left:
        index = left.pop()
        wanted = _wanted(index, found[index], units[index].line)
        if index in selected:
            wanted = _late(index, found[index], units[index].line) | wanted
        for other, reason in wanted.items():
            if other not in taken:
                taken[other] = reason
                left.append(other)
    return Slice(dict(sorted(taken.items())))


def _prefix(last: int, selected: Collection[int], reason: str) -> dict[int, str]:
    return {
        index: SELECTED if index in selected else f"before {reason}" for index in range(last + 1)
    }


def _wanted(index: int, need: Needs, line: int) -> dict[int, str]:
    """The units before this one that it needs, each with the reason."""
    wanted: dict[int, str] = {}
    before = (1 << index) - 1
    for name in sorted(need.bound):
        for other in _bits(need.bound[name] & before):
            wanted.setdefault(other, f"binds {name}, which line {line} reads")
    for name in sorted(need.changed):
        for other in _bits(need.changed[name] & before):
            wanted.setdefault(other, f"changes {name}, which line {line} reads")
    for other in _bits(need.traced & before):
        wanted.setdefault(other, f"is where JAX traced a function that line {line} calls again")
    return wanted


def _late(index: int, need: Needs, line: int) -> dict[int, str]:
    """What functions of a selected unit read if they are called by whoever goes on from there."""
    return {
        other: f"binds {name}, which a function of line {line} reads"
        for name in sorted(need.late, reverse=True)
        for other in _bits(need.late[name] & ((1 << index) - 1))
    }


def _bits(number: int) -> list[int]:
    found = []
    while number:
        lowest = number & -number
        found.append(lowest.bit_length() - 1)
        number ^= lowest
    return found
