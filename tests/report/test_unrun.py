from collections.abc import Callable
from typing import Any

import pytest

from cmdpack.nouns import Span
from cmdpack.plan import NOT_SELECTED
from cmdpack.report import unrun
from cmdpack.result import RunResult, SectionResult, UnitResult

Make = Callable[..., UnitResult]


def section(number: int, outcome: str, reason: str | None = None) -> SectionResult:
    return SectionResult.model_validate(
        {
            "id": f"s{number}",
            "command": "one",
            "title": f"Title {number}",
            "span": Span(line=1, column=1, end_line=2, end_column=1),
            "outcome": outcome,
            "reason": reason,
            "units": 1,
            **dict.fromkeys(("seconds", "trace_seconds", "lower_seconds", "compile_seconds"), 0.0),
        }
    )


@pytest.fixture
def lines(result: RunResult, unit: Make) -> Callable[..., list[str]]:
    def tell(units: list[dict[str, Any]], *sections: SectionResult) -> list[str]:
        made = [unit(**{"id": f"one:{it['line']}:1", **it}) for it in units]
        return [*unrun.lines(result.model_copy(update={"units": made, "sections": sections}))]

    return tell


Lines = Callable[..., list[str]]
FAILED = {"line": 3, "outcome": "failed"}


def blocked(line: int, *causes: str, reason: str = "needs a") -> dict[str, Any]:
    return {"line": line, "outcome": "blocked", "reason": reason, "blocked_by": causes}


def test_nothing_is_said_of_what_ran(lines: Lines) -> None:
    assert lines([{"line": 3}, FAILED], section(1, "failed")) == []


def test_one_blocked_unit_says_what_it_needs(lines: Lines) -> None:
    assert lines([FAILED, blocked(4, "one:3:1", reason="needs a\x1b")]) == [
        "blocked: 1 unit (line 4): needs a\\u001b"
    ]


def test_blocked_units_are_told_by_their_cause(lines: Lines) -> None:
    want = "for want of what failed at one.md:3"
    shown = ", ".join(map(str, range(5, 15)))
    units = [FAILED, {**FAILED, "line": 4}, *(blocked(5 + i, "one:3:1") for i in range(30))]
    assert lines([*units, *(blocked(50 + i, "one:3:1", "one:4:1") for i in (0, 0, 1))]) == [
        f"blocked: 30 units (lines {shown} and 20 more, all with -v): {want}",
        "blocked: 3 units (lines 50, 51): for want of what failed at one.md:3, one.md:4",
    ]


def test_what_an_end_of_the_process_blocks_is_no_want(lines: Lines) -> None:
    units = [{"line": 3, "outcome": "timeout"}, blocked(4, "one:3:1"), blocked(5, "one:3:1")]
    assert lines(units) == ["blocked: 2 units (lines 4, 5): the run ended at one.md:3"]
    units = [blocked(4, reason="killed"), blocked(5, reason="killed")]
    assert lines(units) == ["blocked: 2 units (lines 4, 5): killed"]


def test_skipped_sections_are_named_and_units_of_others_counted(lines: Lines) -> None:
    units = [
        FAILED,
        {"line": 4, "outcome": "skipped", "reason": "stopped"},
        {"line": 5, "outcome": "skipped", "reason": "stopped"},
        {"line": 6, "outcome": "skipped", "reason": NOT_SELECTED},
        {"line": 7, "section": "s2", "outcome": "skipped", "reason": "stopped"},
    ]
    assert lines(units, section(1, "failed"), section(2, "skipped", "stopped")) == [
        "skipped: Title 2: stopped",
        "skipped: 2 units: stopped",
    ]


def test_many_skipped_sections_are_counted(lines: Lines) -> None:
    sections = [section(number, "skipped", "exited") for number in range(4)]
    assert lines([], *sections) == ["skipped: 4 sections: exited"]
