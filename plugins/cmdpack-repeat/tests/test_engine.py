"""The engine on real files, in real processes, from the plan that cmdpack itself makes of them."""

import os
import subprocess
import sys
import textwrap
from collections.abc import Callable
from pathlib import Path

import pytest

from cmdpack.engines.base import Control
from cmdpack.events import Event, NoteAdded, RunFinished, RunRestarted, RunStarted, UnitFinished
from cmdpack.plan import Plan
from cmdpack.result import RunResult
from cmdpack_repeat.engine import RepeatEngine

Planned = Callable[..., Plan]


@pytest.fixture
def plan(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Planned:
    """What `cmdpack run --plan` makes of a file with this code; options come as words.

    The file does not name the engine, which need not be installed here: it is handed the plan.
    """
    monkeypatch.delenv("PYTHONHASHSEED", raising=False)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))

    def make(code: str, *words: str, timeout: float = 60.0, name: str = "sample") -> Plan:
        head = "---\ntitle: Sample\noptions:\n  runs: {choices: ['2', '3']}\n---\n"
        text = f"{head}\n# Sample\n\n```python\n{textwrap.dedent(code).strip()}\n```\n"
        (tmp_path / f"{name}.md").write_text(text, encoding="utf-8")
        flags = ["--plan", "--json", "--sandbox", "off", "--timeout", str(timeout)]
        done = subprocess.run(
            [sys.executable, "-m", "cmdpack", "run", *flags, f"./{name}.md", *words],
            cwd=tmp_path,
            capture_output=True,
            text=True,
            check=True,
        )
        return Plan.model_validate_json(done.stdout)

    return make


def run(plan: Plan, control: Control | None = None) -> list[Event]:
    return [*RepeatEngine().run(plan, control or Control())]


def result_of(events: list[Event]) -> RunResult:
    last = events[-1]
    assert isinstance(last, RunFinished)
    return last.result


def printed(result: RunResult) -> str:
    return "".join(part.text for unit in result.units for part in unit.printed)


def test_two_runs_in_fresh_processes_are_one_stream(plan: Planned) -> None:
    made = plan("import os\nprint('same')\nprint(os.getpid() > 0, file=__import__('sys').stderr)")
    events = run(made)
    assert [sum(isinstance(it, kind) for it in events) for kind in (RunStarted, RunFinished)] == [
        1,
        1,
    ]
    assert [it.reason for it in events if isinstance(it, RunRestarted)] == [
        "run 2 of 2, compared with the first"
    ]
    result = result_of(events)
    assert result.outcome == "ok"
    assert result.notes[-1].message == (
        "3 units printed the same in 2 fresh processes (PYTHONHASHSEED 1 to 2)"
    )
    assert NoteAdded(note=result.notes[-1]) == events[-2]


def test_the_order_of_a_set_is_found_at_its_line(plan: Planned) -> None:
    result = result_of(run(plan("x = 1\nprint(*{'embed', 'attend', 'norm'})\nprint('after')")))
    assert [unit.outcome for unit in result.units] == ["ok", "failed", "ok"]
    unit = result.units[1]
    assert unit.error is not None
    assert (unit.error.type, unit.error.line, unit.line) == ("not reproducible", 11, 11)
    assert unit.error.frames[0].source == "print(*{'embed', 'attend', 'norm'})"
    first, later = (line.split()[2:] for line in unit.error.message.splitlines()[1:])
    assert first != later
    assert sorted(first) == sorted(later) == ["attend", "embed", "norm"]
    assert unit.error.advice is not None
    assert "sorted" in unit.error.advice.next_step
    assert result.outcome == result.sections[0].outcome == result.commands[0].outcome == "failed"
    assert result.notes[-1].message == "1 unit was not the same in run 2 as in the first"


def test_each_run_is_a_process_of_its_own(plan: Planned) -> None:
    result = result_of(run(plan("import os\nprint(os.getpid())")))
    assert result.units[-1].outcome == "failed"


def test_logs_on_standard_error_may_differ(plan: Planned) -> None:
    result = result_of(run(plan("import os, sys\nprint(os.getpid(), file=sys.stderr)")))
    assert result.outcome == "ok"


def test_the_option_says_how_often(plan: Planned) -> None:
    events = run(plan("print(1)", "--runs=3"))
    assert sum(isinstance(it, RunRestarted) for it in events) == 2
    assert "in 3 fresh processes" in result_of(events).notes[-1].message


def test_a_first_run_that_fails_is_the_only_one(plan: Planned) -> None:
    events = run(plan("print(1)\n1 / 0"))
    assert not any(isinstance(it, RunRestarted) for it in events)
    result = result_of(events)
    assert result.outcome == "failed"
    assert result.units[1].error is not None
    assert result.units[1].error.type == "ZeroDivisionError"
    assert result.notes[-1].message.startswith("the first run did not end well")


def test_a_later_run_that_fails_says_that_the_first_did_not(plan: Planned, tmp_path: Path) -> None:
    mark = tmp_path / "mark"
    code = f"""
        from pathlib import Path
        mark = Path({str(mark)!r})
        print("same")
        assert not mark.exists()
        mark.touch()
    """
    result = result_of(run(plan(code)))
    failed = result.units[3]
    assert (failed.outcome, failed.kind) == ("failed", "assertion")
    assert failed.reason == "it was ok in the first run"
    assert result.notes[-1].message == "run 2 of 2 did not end well, though the first did"


def test_a_unit_that_is_reached_in_one_run_only_is_found(plan: Planned, tmp_path: Path) -> None:
    code = f"""
        import pathlib, sys
        if pathlib.Path({str(tmp_path / "mark")!r}).exists():
            sys.exit(0)
        _ = pathlib.Path({str(tmp_path / "mark")!r}).write_text("")
    """
    unit = result_of(run(plan(code))).units[2]
    assert unit.outcome == "failed"
    assert unit.error is not None
    assert "first run: (an empty line)\n  this run:  (skipped: exited)" in unit.error.message


def test_what_is_printed_after_the_last_unit_counts(plan: Planned) -> None:
    code = "import atexit, os\n_ = atexit.register(lambda: print(os.getpid()))\nprint('last')"
    events = run(plan(code))
    assert [unit.outcome for unit in result_of(events).units] == ["ok", "ok", "failed"]
    told = [it.result.outcome for it in events if isinstance(it, UnitFinished)]
    assert told[-1] == "failed"


def test_a_hash_seed_of_the_users_own_stays(plan: Planned, monkeypatch: pytest.MonkeyPatch) -> None:
    made = plan("import os\nprint(os.environ['PYTHONHASHSEED'], *{'a', 'b', 'c', 'd'})")
    monkeypatch.setenv("PYTHONHASHSEED", "42")
    result = result_of(run(made))
    assert result.outcome == "ok"
    assert printed(result).startswith("42 ")
    assert "(PYTHONHASHSEED 42, yours)" in result.notes[-1].message


def test_nothing_compiled_is_handed_on(plan: Planned) -> None:
    code = """
        import os
        print(sorted(name for name in os.environ if "COMPILATION_CACHE" in name))
        print(os.environ["JAX_ENABLE_COMPILATION_CACHE"])
    """
    assert printed(result_of(run(plan(code)))) == "['JAX_ENABLE_COMPILATION_CACHE']\nfalse\n"


def test_a_cancelled_run_is_not_repeated(plan: Planned) -> None:
    control = Control()
    events: list[Event] = []
    for event in RepeatEngine().run(plan("import time\nprint('on')\ntime.sleep(60)"), control):
        events.append(event)
        if isinstance(event, UnitFinished) and event.result.printed:
            control.cancel()
    assert result_of(events).outcome == "cancelled"
    assert not any(isinstance(it, RunRestarted) for it in events)


def test_a_second_run_can_be_cancelled(plan: Planned) -> None:
    control = Control()
    events: list[Event] = []
    for event in RepeatEngine().run(plan("import time\ntime.sleep(0.5)\nprint(1)"), control):
        events.append(event)
        if isinstance(event, RunRestarted):
            control.cancel()
    assert result_of(events).outcome == "cancelled"


def test_the_time_is_for_all_runs_together(plan: Planned) -> None:
    result = result_of(run(plan("import time\ntime.sleep(2.5)\nprint('done')", timeout=4.0)))
    assert result.outcome == "timeout"
    assert result.notes[-1].message == "run 2 of 2 did not end well, though the first did"


def test_no_run_goes_on_when_nobody_follows(plan: Planned, tmp_path: Path) -> None:
    kept = tmp_path / "pid"
    code = f"""
        import os, time
        from pathlib import Path
        _ = Path({str(kept)!r}).write_text(str(os.getpid()))
        time.sleep(60)
    """
    events = RepeatEngine().run(plan(code), Control())
    for event in events:
        if isinstance(event, UnitFinished) and kept.exists():
            break
    del events
    with pytest.raises(ProcessLookupError):
        os.kill(int(kept.read_text()), 0)
