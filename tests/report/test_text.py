from collections.abc import Callable

import pytest

from cmdpack.events import (
    CommandStarted,
    Event,
    NoteAdded,
    OutputWritten,
    RunFinished,
    RunRestarted,
    RunStarted,
    SectionStarted,
    UnitFinished,
    WarningRaised,
)
from cmdpack.plan import Note, Plan
from cmdpack.report.text import TextReport, evidence
from cmdpack.result import Device, Evidence, RunResult, Timing, UnitResult, Warned

Make = Callable[..., UnitResult]


def shown(*events: Event, verbose: bool = False) -> list[str]:
    report = TextReport(verbose=verbose)
    return [line for event in events for line in report.lines(event)]


def printed(text: str) -> OutputWritten:
    return OutputWritten(command="one", unit="one:3:1", stream="stdout", text=text)


def test_a_run_from_its_start_to_its_end(plan: Plan, unit: Make, result: RunResult) -> None:
    lines = shown(
        RunStarted(plan=plan.model_copy(update={"notes": (Note(code="cache", message="none"),)})),
        CommandStarted(command="one", pack="mine", role="target"),
        SectionStarted(command="one", section="s1", title="First"),
        printed("a\nb\n"),
        UnitFinished(result=unit()),
        NoteAdded(note=Note(code="device", message="on the CPU")),
        RunRestarted(reason="SIGSEGV"),
        RunFinished(result=result),
    )
    assert lines[:-1] == [
        "note: none",
        "one (mine 1.0, --pack pack, asked for)",
        "  First",
        "    a",
        "    b",
        "note: on the CPU",
        "the run starts again: SIGSEGV",
    ]
    assert lines[-1] == evidence(result)


def test_lines_are_shown_whole(unit: Make) -> None:
    assert shown(printed("a"), printed("b\nc"), printed("d\n")) == ["    ab", "    cd"]
    assert shown(printed("no end"), UnitFinished(result=unit())) == ["    no end"]
    assert shown(printed("\n\n  x  \n")) == ["", "", "      x"]


def test_nothing_that_is_printed_can_move_the_cursor() -> None:
    assert shown(printed("\x1b[2J\u202ea\rb\n")) == [r"    \u001b[2J\u202ea\u000db"]
    assert shown(printed("\x1b"), printed("[2J\n")) == [r"    \u001b[2J"]
    title = SectionStarted(command="one", section="s1", title="a\nb\x1b")
    assert shown(title) == [r"  a b\u001b"]


def test_warnings_tell_their_place() -> None:
    warned = Warned(category="UserWarning", message="a\nb", file="pack/one.md", line=3)
    event = WarningRaised(command="one", unit="one:3:1", warning=warned)
    assert shown(event) == ["    pack/one.md:3: UserWarning: a b"]


def test_verbose_tells_of_every_unit(unit: Make) -> None:
    result = unit(seconds=1.5, compile_seconds=0.25, executables=2)
    assert shown(UnitFinished(result=result)) == []
    assert shown(UnitFinished(result=result), verbose=True) == [
        "    ok       3:1  1.500 s, 0.250 s of it making 2 executables"
    ]


def test_an_end_that_belongs_to_no_unit_is_told(result: RunResult, unit: Make) -> None:
    crashed = result.model_copy(update={"outcome": "crashed", "reason": "killed\nby SIGSEGV"})
    assert shown(RunFinished(result=crashed))[0] == "crashed: killed by SIGSEGV"
    own = crashed.model_copy(update={"units": (unit(outcome="crashed"),)})
    assert len(shown(RunFinished(result=own))) == 1


CPUS = tuple(Device(id=number, platform="cpu", kind="cpu") for number in range(8))


@pytest.mark.parametrize(
    ("facts", "part"),
    [
        ({}, "; no device used; 1.00 s: "),
        ({"platform": "cpu", "device_count": 8, "devices": CPUS}, "; cpu: 8 devices (cpu); "),
        (
            {
                "platform": "cpu",
                "device_count": 8,
                "devices": CPUS,
                "evidence": Evidence(devices_used=("TFRT_CPU_0", "TFRT_CPU_1")),
            },
            "; cpu: 2 of 8 devices used (cpu); ",
        ),
        (
            {"evidence": Evidence(units_ok=3, units_total=4, executables=5, cache_hits=2)},
            "3 of 4 units; functions not available, 5 executables (2 from the cache), ",
        ),
        (
            {"timing": Timing(total=9.0, imports=1.0, trace=0.5, compile=2.25, run=0.5)},
            "; 9.00 s: import 1.00, trace 0.50, lower 0.00, compile 2.25, run 0.50; ",
        ),
        ({}, "; jax 0.10.2, jaxlib 0.10.2, Python 3.12.1 (/env/bin/python); sandbox off"),
    ],
)
def test_one_line_of_evidence(result: RunResult, facts: dict[str, object], part: str) -> None:
    line = evidence(result.model_copy(update=facts))
    assert line.startswith("ok: one: 0 of 0 sections, ")
    assert part in line
    assert "\n" not in line
