import io
import re
from collections.abc import Callable, Iterator

import pytest

from cmdpack.events import Event, RunFinished, RunRestarted, RunStarted, UnitFinished
from cmdpack.plan import Plan
from cmdpack.report import live
from cmdpack.report.text import TextReport
from cmdpack.result import RunResult, UnitResult


@pytest.fixture
def events(plan: Plan, unit: Callable[..., UnitResult], result: RunResult) -> list[Event]:
    return [RunStarted(plan=plan), UnitFinished(result=unit()), RunFinished(result=result)]


def test_events_are_shown_and_passed_on(
    events: list[Event], capsys: pytest.CaptureFixture[str]
) -> None:
    assert [*live.follow(iter(events), TextReport())] == events
    assert "ok: one: 0 of 0 sections, 2 of 2 units; " in capsys.readouterr().out


def test_each_event_is_passed_on_before_the_next_is_asked_for(events: list[Event]) -> None:
    asked: list[Event] = []

    def source() -> Iterator[Event]:
        for event in events:
            asked.append(event)
            yield event

    follower = live.follow(source(), TextReport())
    assert next(follower) == events[0]
    assert asked == events[:1]
    follower.close()
    assert asked == events[:1]


def at_a_terminal(monkeypatch: pytest.MonkeyPatch) -> io.StringIO:
    class Terminal(io.StringIO):
        def isatty(self) -> bool:
            return True

    terminal = Terminal()
    monkeypatch.setattr("sys.stdout", terminal)
    monkeypatch.setenv("TERM", "xterm")
    return terminal


def test_a_run_that_starts_again_is_counted_from_nothing(
    events: list[Event], unit: Callable[..., UnitResult], monkeypatch: pytest.MonkeyPatch
) -> None:
    terminal = at_a_terminal(monkeypatch)
    done = UnitFinished(result=unit())
    again = [events[0], done, done, RunRestarted(reason="SIGSEGV"), done, events[-1]]
    assert [*live.follow(iter(again), TextReport())] == again
    assert re.findall(r"(\d)/2", terminal.getvalue())[-1] == "1"


def test_a_report_that_stops_half_way_gives_the_cursor_back(
    events: list[Event], monkeypatch: pytest.MonkeyPatch
) -> None:
    terminal = at_a_terminal(monkeypatch)
    follower = live.follow(iter(events), TextReport())
    next(follower)
    follower.close()
    assert terminal.getvalue().startswith("\x1b[?25l")
    assert "\x1b[?25h" in terminal.getvalue()
