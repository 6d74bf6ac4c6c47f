from collections.abc import Callable
from typing import Any

import pytest

from cmdpack.report import failures
from cmdpack.result import Advice, Failure, Frame, UnitResult

Make = Callable[..., UnitResult]


def frame(**facts: Any) -> Frame:
    whole = {"file": "pack/one.md", "line": 3, "function": "<module>", "origin": "example", **facts}
    return Frame.model_validate(whole)


def shown(unit: UnitResult, *, all_frames: bool = False) -> list[str]:
    return list(failures.lines(unit, all_frames=all_frames))


def test_place_line_caret_message_cause_and_next_step(unit: Make) -> None:
    own = frame(column=5, end_line=3, end_column=10, source="y = x + 1")
    inside = frame(file="/jax/core.py", line=9, function="bind", origin="jax")
    failure = Failure(
        type="TypeError",
        message="no such sum",
        line=3,
        column=5,
        frames=(own, inside),
        advice=Advice(cause="x is text", next_step="write int(x)"),
    )
    failed = unit(outcome="failed", error=failure)
    lines = [
        "failed: TypeError at pack/one.md:3:5",
        "  3 | y = x + 1",
        "    |     ^^^^^",
        "  no such sum",
        "  cause: x is text",
        "  next:  write int(x)",
    ]
    assert shown(failed) == lines
    whole = [*lines[:3], "  /jax/core.py:9 in bind", *lines[3:]]
    assert shown(failed, all_frames=True) == whole


@pytest.mark.parametrize(
    ("facts", "caret"),
    [
        ({"column": 3, "end_line": 3, "end_column": 5}, "  3 |   ^^"),
        ({"column": 3, "end_line": 4, "end_column": 2}, "  3 |   ^^^^^^"),
        ({"column": 3, "end_line": 3, "end_column": 3}, "  3 |   ^"),
        ({}, None),
    ],
)
def test_the_caret(unit: Make, facts: dict[str, int], caret: str | None) -> None:
    failure = Failure(type="E", message="", frames=(frame(source="x\t= f(1)", **facts),))
    lines = shown(unit(outcome="failed", error=failure))[1:]
    caret = caret and caret.replace("  3 |", "    |")
    assert lines == ["  3 | x = f(1)", *([caret] if caret else [])]


def test_of_many_frames_the_call_and_the_innermost_are_shown(unit: Make) -> None:
    frames = tuple(frame(line=number, source=f"line {number}") for number in range(1, 41))
    failed = unit(outcome="failed", error=Failure(type="RecursionError", message="", frames=frames))
    lines = shown(failed)
    numbers = [line.split()[0] for line in lines[1:]]
    assert numbers == ["1", "...", "40"]
    assert lines[2] == "  ... 38 more frames, all with -v"
    assert len(shown(failed, all_frames=True)) == 41


def test_a_long_message_is_cut(unit: Make) -> None:
    message = "\n".join(map(str, range(30)))
    lines = shown(unit(outcome="failed", error=Failure(type="E", message=message)))
    assert lines[1:] == [*(f"  {n}" for n in range(12)), "  ... 18 more lines, all in --json"]


def test_a_unit_without_an_exception_tells_its_reason(unit: Make) -> None:
    ended = unit(outcome="timeout", reason="the run's 5 s were over")
    assert shown(ended) == ["timeout: pack/one.md:3:1: the run's 5 s were over"]
    assert shown(unit()) == shown(unit(outcome="skipped", reason="exited")) == []


def test_nothing_that_code_says_can_move_the_cursor(unit: Make) -> None:
    evil = "\x1b[2J\u202e\r\x9b\x00"
    failure = Failure(
        type=evil,
        message=evil,
        frames=(frame(source=evil, file=evil), frame(file=evil, function=evil, origin="library")),
        advice=Advice(cause=evil, next_step=evil),
    )
    whole = unit(outcome="crashed", error=failure, reason=evil, file=f"{evil}.md")
    bare = unit(outcome="crashed", reason=evil, file=f"{evil}.md")
    lines = [*shown(whole, all_frames=True), *shown(bare), failures.summary(whole)]
    assert all(line.isprintable() for line in lines)
