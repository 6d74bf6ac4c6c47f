"""An engine on top of another: verdicts that are worse than those it was given."""

from collections.abc import Callable
from typing import Any

from cmdpack.engines.base import rejudged
from cmdpack.events import NoteAdded, RunFinished, RunRestarted, SectionFinished, UnitFinished
from cmdpack.plan import Note
from cmdpack.result import UnitResult

RunCode = Callable[..., Any]

CODE = """
    print("good")

    # ============================================================================
    # SECOND
    # ============================================================================
    print("bad")
    print("good again")
"""


def text(unit: UnitResult) -> str:
    return "".join(part.text for part in unit.printed)


def fault(word: str) -> Callable[[UnitResult], UnitResult]:
    """A judge that finds fault with every unit that prints `word`."""

    def judge(unit: UnitResult) -> UnitResult:
        if word not in text(unit):
            return unit
        return unit.model_copy(update={"outcome": "failed", "kind": "other", "reason": word})

    return judge


def test_what_is_judged_as_before_passes_unchanged(run_code: RunCode) -> None:
    events = run_code(CODE).events
    assert [*rejudged(events, fault("nowhere"))] == events


def test_sections_commands_and_the_run_follow_from_a_worse_unit(run_code: RunCode) -> None:
    events = [*rejudged(run_code(CODE).events, fault("bad"))]
    units = [event.result for event in events if isinstance(event, UnitFinished)]
    assert [unit.outcome for unit in units] == ["ok", "failed", "ok"]
    sections = [event.result for event in events if isinstance(event, SectionFinished)]
    assert [(it.outcome, it.reason) for it in sections] == [("ok", None), ("failed", "bad")]
    result = events[-1].result
    assert result.units == tuple(units)
    assert result.sections == tuple(sections)
    assert [command.outcome for command in result.commands] == ["failed"]
    assert result.outcome == "failed"
    assert (result.evidence.units_ok, result.evidence.units_total) == (2, 3)


def test_what_is_known_only_in_the_end_is_told_then(run_code: RunCode) -> None:
    code = "import atexit\n_ = atexit.register(lambda: print('bad'))\nprint('last')"
    events = [*rejudged(run_code(code).events, fault("bad"))]
    *_, late, last = events
    assert isinstance(late, UnitFinished)
    assert (late.result.outcome, text(late.result)) == ("failed", "last\nbad\n")
    assert isinstance(last, RunFinished)
    assert last.result.outcome == "failed"


def test_a_failure_stays_the_worst_there_is(run_code: RunCode) -> None:
    ran = run_code("print('bad')\n1 / 0")
    events = [*rejudged(ran.events, fault("bad"))]
    assert [unit.outcome for unit in events[-1].result.units] == ["failed", "failed"]
    crashed = run_code("print('bad')\nimport os\nos.abort()")
    *_, last = rejudged(crashed.events, lambda unit: unit)
    assert last.result == crashed.result


def test_a_restart_makes_what_was_told_void(run_code: RunCode) -> None:
    """A unit that never finished again after a restart has no verdict to be mended."""
    ran = run_code("print('good')")
    [finished] = ran.only(UnitFinished)
    void = finished.model_copy(update={"result": fault("good")(finished.result)})
    note = NoteAdded(note=Note(code="engine", message="once more"))
    events = [void, RunRestarted(reason="again"), note, ran.events[-1]]
    assert [*rejudged(events, lambda unit: unit)] == events
