"""The account of a run, from what was said: no process is needed."""

from collections.abc import Iterable
from typing import Any

import pytest

from cmdpack.account import Account
from cmdpack.events import (
    Event,
    NoteAdded,
    OutputWritten,
    SectionFinished,
    SectionStarted,
    UnitFinished,
    WarningRaised,
)
from cmdpack.nouns import Span
from cmdpack.plan import (
    Arguments,
    CompileCache,
    PackOrigin,
    Plan,
    PlannedCommand,
    PlannedExample,
    PlannedSection,
    PlannedUnit,
    PythonFacts,
)
from cmdpack.result import Ending, Leftover, RunResult
from cmdpack.supervision import Ended

UNITS = ("c:1:1", "c:2:1", "c:3:1")


def plan() -> Plan:
    """One command, two sections: the first has two units, the second has one."""
    spans = [Span(line=n, column=1, end_line=n, end_column=9) for n in (1, 2, 3)]
    sections = [PlannedSection(id=it, title=it, span=spans[0]) for it in ("one", "two")]
    units = [
        PlannedUnit(id=name, span=span, section=section)
        for name, span, section in zip(UNITS, spans, ("one", "one", "two"), strict=True)
    ]
    command = PlannedCommand(
        id="c",
        name="c",
        path="c.md",
        file="/abs/c.md",
        pack=PackOrigin(name="p", path="/p", trust="user", source="/p"),
        digest="",
        role="target",
        reason="asked for",
        sections=tuple(sections),
        examples=(PlannedExample(id="e", code="", line=1, prefixes=(), units=tuple(units)),),
    )
    return Plan(
        command="c",
        arguments=Arguments(),
        engine="examples",
        commands=(command,),
        python=PythonFacts(
            executable="/py", version="3.11.1", implementation="cpython", chosen_because="x"
        ),
        timeout=12.0,
        trust="user",
        cache=CompileCache(directory="/cache", reason="kept"),
    )


Record = dict[str, Any]


def started(unit: str) -> Record:
    return {"record": "unit-started", "unit": unit}


def finished(unit: str, outcome: str = "ok", **facts: Any) -> Record:
    costs = {"seconds": 0.5, "import_seconds": 0.0, "compile_seconds": 0.25, "executables": 1}
    costs |= {"trace_seconds": 0.0, "lower_seconds": 0.0}
    verdict = {"outcome": outcome, "kind": None, "reason": None, "error": None, "exited": False}
    more = {"cache_hits": 0, "devices": ["cpu:0"], "functions_compiled": [], "compilations": []}
    return {"record": "unit-finished", "unit": unit, **verdict, **costs, **more, **facts}


def output(text: str, stream: str = "stdout") -> Record:
    return {"record": "output", "stream": stream, "text": text}


def failed(unit: str, kind: str = "other") -> Record:
    frame = {
        "file": "/abs/c.md",
        "line": 2,
        "column": 3,
        "end_line": 2,
        "end_column": 5,
        "function": "f",
        "source": "x = 1",
        "origin": "example",
    }
    inner = {**frame, "file": "/lib.py", "line": 99, "origin": "library"}
    error = {"type": "ValueError", "message": "bad", "frames": [frame, inner]}
    return finished(unit, "failed", kind=kind, error=error)


CLOSING: Record = {"record": "closing", "stopped": None, "platform": None, "devices": []}
WHOLE = [it for unit in UNITS for it in (started(unit), finished(unit))]


def ended(reason: str = "exit", **facts: Any) -> Ended:
    ending = {"reason": reason, "status": 0, **facts}
    names = ("corrupt", "clean", "leftovers")
    apart = {name: ending.pop(name) for name in names if name in ending}
    return Ended(
        Ending.model_validate(ending),
        apart.get("leftovers", ()),
        apart.get("corrupt"),
        1.5,
        apart.get("clean", True),
    )


def tell(
    records: Iterable[Record], end: Ended | None = None, *, cancelled: bool = False
) -> tuple[list[Event], RunResult]:
    account = Account(plan())
    events = [it for record in records for it in account.take(record, cancelled=cancelled)]
    events += account.close(end or ended())
    return events, account.result()


def outcomes(result: RunResult) -> list[str]:
    return [unit.outcome for unit in result.units]


def test_an_orderly_run() -> None:
    device = {"id": 0, "platform": "cpu", "kind": "cpu"}
    closing = {**CLOSING, "platform": "cpu", "devices": [device]}
    events, result = tell([{"record": "hello"}, *WHOLE, {"record": "winding-down"}, closing])
    assert (result.outcome, result.reason) == ("ok", None)
    assert [(it.title, it.outcome, it.units) for it in result.sections] == [
        ("one", "ok", 2),
        ("two", "ok", 1),
    ]
    kinds = [type(event) for event in events]
    assert kinds.count(SectionStarted) == kinds.count(SectionFinished) == 2
    assert kinds.index(SectionFinished) < len(kinds) - 1 - kinds[::-1].index(SectionStarted)
    assert kinds[-1] == SectionFinished
    assert (result.platform, result.device_count) == ("cpu", 1)
    assert result.evidence.executables == 3
    assert (result.timing.units, result.timing.compile, result.timing.cpu) == (1.5, 0.75, 1.5)


def need(name: str = "a", *causes: str, line: int | None = None) -> Record:
    return {"name": name, "how": "failed", "causes": [*causes], "line": line}


def test_what_is_blocked_names_its_cause() -> None:
    left = {"record": "unit-blocked", "unit": UNITS[1], "needs": [need("a", UNITS[0])]}
    begun = finished(UNITS[2], "blocked", needs=[need("b", UNITS[0], line=7)])
    events, result = tell(
        [started(UNITS[0]), failed(UNITS[0]), left, started(UNITS[2]), begun, CLOSING]
    )
    assert outcomes(result) == ["failed", "blocked", "blocked"]
    assert [unit.blocked_by for unit in result.units] == [(), UNITS[:1], UNITS[:1]]
    assert [unit.reason for unit in result.units[1:]] == [
        "needs a, which failed at c.md:1",
        "needs b at line 7, which failed at c.md:1",
    ]
    assert [it.result.id for it in events if isinstance(it, UnitFinished)] == [*UNITS]
    assert [(it.outcome, it.reason) for it in result.sections] == [
        ("failed", None),
        ("blocked", "needs b at line 7, which failed at c.md:1"),
    ]


@pytest.mark.parametrize("needs", [[need("a", "nobody")], [need("a")], None])
def test_a_unit_that_nothing_known_blocks_makes_no_sense(needs: list[Record] | None) -> None:
    left = {"record": "unit-blocked", "unit": UNITS[0], "needs": needs}
    _, result = tell([left, CLOSING])
    assert result.outcome == "crashed"


def test_an_interrupt_of_the_examples_own_stops_without_a_way_on() -> None:
    closing = {**CLOSING, "stopped": "interrupted"}
    _, result = tell([started(UNITS[0]), failed(UNITS[0], "interrupt"), closing])
    assert result.units[1].reason == "the run stopped at c.md:1"


def test_a_failure_has_the_line_of_the_example_and_stops_the_rest() -> None:
    closing = {**CLOSING, "stopped": "failed"}
    _, result = tell([started(UNITS[0]), failed(UNITS[0]), closing])
    assert outcomes(result) == ["failed", "skipped", "skipped"]
    assert result.units[1].reason == "the run stopped at c.md:1; --keep-going runs on"
    error = result.units[0].error
    assert error is not None
    assert (error.line, error.column) == (2, 3)
    assert [frame.file for frame in error.frames] == ["c.md", "/lib.py"]
    assert [it.outcome for it in result.sections] == ["failed", "skipped"]


def test_an_exit_skips_the_rest() -> None:
    closing = {**CLOSING, "stopped": "exited"}
    _, result = tell([started(UNITS[0]), finished(UNITS[0], exited=True), closing])
    assert (result.outcome, outcomes(result)) == ("ok", ["ok", "skipped", "skipped"])
    assert result.units[1].reason == "exited"


@pytest.mark.parametrize(
    ("end", "outcome", "reason"),
    [
        (ended("deadline"), "timeout", "the run's 12 s were over"),
        (ended("cancelled"), "cancelled", "cancelled"),
        (ended("output-limit"), "output-limit", "more than 4 MiB of output"),
        (ended("supervisor-lost", clean=False), "crashed", "the supervisor of the run was killed"),
        (ended("not-started"), "crashed", "/py could not be started"),
        (ended(status=None, signal="SIGSEGV"), "crashed", "killed by SIGSEGV"),
        (ended(corrupt="record 3"), "crashed", "the channel of the run is corrupt: record 3"),
        (ended(status=3), "crashed", "ended without its closing record, status 3"),
        (ended(), "crashed", "ended without its closing record, status 0"),
    ],
)
def test_an_end_in_a_unit_is_that_units(end: Ended, outcome: str, reason: str) -> None:
    events, result = tell([*WHOLE[:2], started(UNITS[1]), output("words")], end)
    rest = "cancelled" if outcome == "cancelled" else "blocked"
    assert outcomes(result) == ["ok", outcome, rest]
    assert [unit.reason for unit in result.units] == [None, reason, reason]
    assert (result.outcome, result.reason) == (outcome, reason)
    assert result.units[1].printed[0].text == "words"
    assert (result.units[1].error is not None) == (outcome == "crashed")
    assert len([it for it in events if isinstance(it, UnitFinished)]) == 2
    assert result.notes == ()


@pytest.mark.parametrize(
    ("records", "end", "outcome"),
    [
        ([*WHOLE], ended("deadline"), "timeout"),
        ([*WHOLE], ended(), "crashed"),
        ([*WHOLE, CLOSING], ended(status=3), "crashed"),
        ([*WHOLE, CLOSING], ended(status=None, signal="SIGSEGV"), "crashed"),
        ([*WHOLE, CLOSING], ended(corrupt="record 9"), "crashed"),
        ([*WHOLE, {"record": "output-limit"}], ended(status=1), "output-limit"),
        ([*WHOLE, CLOSING], ended("cancelled"), "cancelled"),
        ([], ended("deadline"), "timeout"),
        ([], ended("not-started"), "crashed"),
    ],
)
def test_an_end_outside_units_is_the_runs(records: list[Record], end: Ended, outcome: str) -> None:
    _, result = tell(records, end)
    assert set(outcomes(result)) == ({"ok"} if records else {"blocked"})
    assert result.outcome == outcome
    assert result.reason


@pytest.mark.parametrize(
    "record",
    [
        {},
        {"record": "unheard-of"},
        {"record": ["closing"]},
        {"record": "unit-started", "unit": "none"},
        {"record": "unit-finished", "unit": UNITS[0]},
        {"record": "output", "stream": "stdin", "text": "x"},
        {"record": "output", "stream": "stdout", "text": 3},
        {"record": "warning", "message": "m", "category": 1, "file": [], "line": "x"},
        {**finished(UNITS[0]), "error": {"frames": 3}},
        {**finished(UNITS[0]), "outcome": "splendid"},
    ],
)
def test_a_record_without_sense_is_never_success(record: Record) -> None:
    _, result = tell([*WHOLE[:1], record, *WHOLE[1:], CLOSING])
    assert result.outcome == "crashed"
    assert result.reason == "the channel of the run is corrupt: a record makes no sense"


def test_an_interrupt_that_was_asked_for_is_a_cancellation() -> None:
    records = [started(UNITS[0]), failed(UNITS[0], kind="interrupt")]
    _, asked = tell(records, ended("cancelled"), cancelled=True)
    assert (asked.outcome, outcomes(asked)) == ("cancelled", ["cancelled"] * 3)
    _, own = tell([*records, {**CLOSING, "stopped": "failed"}])
    assert (own.outcome, outcomes(own)) == ("failed", ["failed", "skipped", "skipped"])


def test_output_goes_to_its_unit_and_late_output_to_the_last() -> None:
    records = [
        output("early "),
        started(UNITS[0]),
        output("a"),
        output("b"),
        output("err", "stderr"),
        output("c"),
        finished(UNITS[0]),
        output("late"),
        *WHOLE[2:],
        output("exit", "stderr"),
        CLOSING,
    ]
    events, result = tell(records)
    parts = [[(it.stream, it.text) for it in unit.printed] for unit in result.units]
    assert parts == [
        [("stdout", "early ab"), ("stderr", "err"), ("stdout", "c"), ("stdout", "late")],
        [],
        [("stderr", "exit")],
    ]
    told = [(it.unit, it.text) for it in events if isinstance(it, OutputWritten)]
    assert told[0] == (None, "early ")
    assert told[1] == (UNITS[0], "a")
    assert told[-1] == (None, "exit")


def test_late_output_is_not_that_of_a_unit_that_is_skipped() -> None:
    skipped = {"record": "unit-skipped", "unit": UNITS[1], "reason": "too few devices"}
    warned = {"record": "warning", "category": "W", "message": "m", "file": "f", "line": 1}
    _, result = tell([*WHOLE[:2], output("late"), warned, skipped, *WHOLE[4:], CLOSING])
    assert outcomes(result) == ["ok", "skipped", "ok"]
    assert [[it.text for it in unit.printed] for unit in result.units] == [["late"], [], []]
    assert [len(unit.warnings) for unit in result.units] == [1, 0, 0]


def test_native_words_explain_a_crash() -> None:
    account = Account(plan())
    for record in (*WHOLE[:2], started(UNITS[1])):
        [*account.take(record)]
    [*account.take_native("stderr", "F0000 fatal: of XLA\n")]
    [*account.close(ended(status=None, signal="SIGABRT"))]
    error = account.result().units[1].error
    assert error is not None
    assert (error.type, error.message, error.line) == ("SIGABRT", "F0000 fatal: of XLA", 2)


def test_warnings_have_the_shown_path_and_the_caches_are_one_note() -> None:
    def warning(message: str) -> Record:
        place = {"category": "UserWarning", "file": "/abs/c.md", "line": 1}
        return {"record": "warning", "message": message, **place}

    cache = warning("Error writing persistent compilation cache entry for 'f': disk full")
    events, result = tell([started(UNITS[0]), warning("mind"), cache, cache, *WHOLE[1:], CLOSING])
    [raised] = [it for it in events if isinstance(it, WarningRaised)]
    assert (raised.unit, raised.warning.file) == (UNITS[0], "c.md")
    assert result.units[0].warnings == (raised.warning,)
    [note] = [it for it in events if isinstance(it, NoteAdded)]
    assert note.note.message == "the compile cache in /cache cannot be written"
    assert result.notes == (note.note,)


def test_what_outlived_the_run_is_named() -> None:
    left = (Leftover(pid=77, name="sleep 60"),)
    _, result = tell([*WHOLE, CLOSING], ended(leftovers=left, clean=False))
    assert result.outcome == "ok"
    assert result.leftovers == left
    assert [note.code for note in result.notes] == ["leftover", "not-clean"]
    assert "77" in result.notes[0].message
