"""The account of a run: what the runner and its supervisor say -> events, and in the end a result.

Nothing here owns a process, so that every way a run can go is tested with plain values.
"""

import re
from collections.abc import Iterator
from pathlib import PurePath
from time import monotonic
from typing import Any

from cmdpack import blocked, rollup
from cmdpack.child import wire
from cmdpack.child.streams import LIMIT
from cmdpack.events import (
    CommandStarted,
    Event,
    NoteAdded,
    OutputWritten,
    SectionFinished,
    SectionStarted,
    UnitFinished,
    UnitStarted,
    WarningRaised,
)
from cmdpack.exercised import Exercised
from cmdpack.plan import Note, Plan, PlannedSection
from cmdpack.planner import fallback_notes
from cmdpack.result import (
    Advice,
    Device,
    Ending,
    Failure,
    Kind,
    Leftover,
    Outcome,
    Printed,
    RunResult,
    SectionResult,
    Stream,
    UnitResult,
    Warned,
)
from cmdpack.rollup import Located
from cmdpack.sandboxed import explained
from cmdpack.supervision import Ended

_CACHE_WARNING = re.compile("Error (reading|writing) persistent compilation cache entry")
_CACHE_PROBLEM = {"reading": "read", "writing": "written"}
_OUTPUT_LIMIT = f"more than {LIMIT // 2**20} MiB of output"
_FACTS = (
    *("outcome", "reason", "seconds", "import_seconds", "trace_seconds"),
    *("lower_seconds", "compile_seconds", "executables", "cache_hits", "devices"),
)
_TAIL = 2000  # characters of native output that explain a crash


class Account:
    """Keeps the account of one run."""

    def __init__(self, plan: Plan) -> None:
        self.plan = plan
        self.ending = Ending(reason="not-started")
        self._asked = plan.platform or plan.environment.get("JAX_PLATFORMS")
        self._started = monotonic()
        self._units = {unit.unit.id: unit for unit in rollup.located(plan)}
        self._files = {command.file: command.path for command in plan.commands}
        self._exercised = Exercised(self._units)
        self._current: Located | None = None
        self._section: Located | None = None
        self._results: dict[str, UnitResult] = {}
        self._printed: list[tuple[Stream, list[str]]] = []
        self._warnings: list[Warned] = []
        self._tail = ""
        self._closing: wire.Record | None = None
        self._senseless = False
        self._limit_reached = False
        self._leftovers: tuple[Leftover, ...] = ()
        self._cpu: float | None = None
        self._end_outcome: Outcome | None = None
        self._end_reason: str | None = None
        self._notes = [*plan.notes]

    # What the runner says

    def take(self, record: wire.Record, *, cancelled: bool = False) -> Iterator[Event]:
        """Enter one record of the runner's; `cancelled` tells whether the run's end was asked for.

        A record that makes no sense, which only user code can have written, ends no program of
        ours: it ends the trust in the channel.
        """
        if self._senseless:
            return
        try:
            yield from self._enter(record, cancelled=cancelled)
        except (LookupError, TypeError, ValueError, AttributeError):
            self._senseless = True

    def _enter(self, record: wire.Record, *, cancelled: bool) -> Iterator[Event]:
        match record["record"]:
            case "unit-started":
                yield from self._start(self._units[record["unit"]])
            case "unit-finished":
                yield from self._finish(self._verdict(record, cancelled=cancelled))
            case "unit-blocked" | "unit-skipped":
                yield from self._leave(self._units[record["unit"]], record)
            case "output":
                yield from self._print(record["stream"], record["text"])
            case "warning":
                yield from self._warn(record)
            case "functions" | "entered":
                self._exercised.enter(record)
            case "output-limit":
                self._limit_reached = True
            case "closing":
                self._closing = record
            case "hello" | "winding-down":
                pass
            case other:
                raise ValueError(other)

    def take_native(self, stream: Stream, text: str) -> Iterator[Event]:
        """Enter what was written past Python."""
        self._tail = (self._tail + text)[-_TAIL:]
        yield from self._print(stream, text)

    def _start(self, unit: Located) -> Iterator[Event]:
        yield from self._enter_section(unit)
        self._hand_late_output_over()
        self._current, self._tail = unit, ""
        yield UnitStarted(command=unit.command.id, unit=unit.unit.id)

    def _enter_section(self, unit: Located) -> Iterator[Event]:
        before = self._section
        if before is None or before.section is not unit.section:
            yield from self._end_section()
            if before is None or before.command is not unit.command:
                yield CommandStarted(
                    command=unit.command.id, pack=unit.command.pack.name, role=unit.command.role
                )
            yield SectionStarted(
                command=unit.command.id, section=unit.section.id, title=unit.section.title
            )
            self._section = unit

    def _leave(self, unit: Located, record: wire.Record) -> Iterator[Event]:
        """Enter that the runner has come to a unit and has not run it."""
        if record["record"] == "unit-blocked":
            facts = {"outcome": "blocked", **blocked.fields(record["needs"], self._place)}
        else:
            facts = {"outcome": "skipped", "reason": record["reason"]}
        yield from self._enter_section(unit)
        self._hand_late_output_over()
        yield from self._finish(self._result(unit, **facts))

    def _finish(self, result: UnitResult) -> Iterator[Event]:
        self._results[result.id] = result
        self._current, self._printed, self._warnings = None, [], []
        yield UnitFinished(result=result)

    def _hand_late_output_over(self) -> None:
        """Give what came after a unit's end (threads, exit handlers) to the unit that ran last."""
        if self._current is None and self._results and (self._printed or self._warnings):
            name, before = next(reversed(self._results.items()))
            later = {
                "printed": (*before.printed, *self._all_printed()),
                "warnings": (*before.warnings, *self._warnings),
            }
            self._results[name] = before.model_copy(update=later)
            self._printed, self._warnings = [], []

    def _all_printed(self) -> Iterator[Printed]:
        for stream, texts in self._printed:
            yield Printed(stream=stream, text="".join(texts))

    def _end_section(self) -> Iterator[Event]:
        if self._section is not None:
            command, section, _ = self._section
            units = self._results_of(section)
            yield SectionFinished(result=rollup.section(command, section, units))
            self._section = None

    def _print(self, stream: Stream, text: str) -> Iterator[Event]:
        where = self._section or next(iter(self._units.values()))
        unit = self._current.unit.id if self._current else None
        event = OutputWritten(command=where.command.id, unit=unit, stream=stream, text=text)
        if not self._printed or self._printed[-1][0] != stream:
            self._printed.append((stream, []))
        self._printed[-1][1].append(text)
        yield event

    def _warn(self, record: wire.Record) -> Iterator[Event]:
        if found := _CACHE_WARNING.match(record["message"]):
            problem = f"cannot be {_CACHE_PROBLEM[found[1]]}"
            where = f"the compile cache in {self.plan.cache.directory}"
            yield from self.note(Note(code="cache", message=f"{where} {problem}"))
            return
        warning = Warned(
            category=record["category"],
            message=record["message"],
            file=self._shown(record["file"]),
            line=record["line"],
        )
        self._warnings.append(warning)
        yield WarningRaised(
            command=self._section.command.id if self._section else self.plan.command,
            unit=self._current.unit.id if self._current else None,
            warning=warning,
        )

    def note(self, note: Note) -> Iterator[Event]:
        """Enter a note on the run as a whole, once."""
        if note not in self._notes:
            self._notes.append(note)
            yield NoteAdded(note=note)

    # Verdicts

    def _verdict(self, record: wire.Record, *, cancelled: bool) -> UnitResult:
        kind, failure = record["kind"], None
        if record["error"] is not None:
            failure = self._failure(record["error"])
            kind, advice = self._advise(kind, failure)
            advice = explained(self.plan.sandbox, failure, advice, record["error"].get("tried"))
            failure = failure.model_copy(update={"advice": advice})
        facts = {name: record[name] for name in _FACTS} | self._exercised.compilations(record)
        if cancelled and kind == "interrupt":
            facts |= {"outcome": "cancelled", "reason": "cancelled"}
        if needs := record.get("needs"):
            facts |= blocked.fields(needs, self._place)
        return self._result(self._units[record["unit"]], kind=kind, error=failure, **facts)

    def _place(self, name: str) -> str:
        unit = self._units[name]
        return f"{PurePath(unit.command.path).name}:{unit.unit.span.line}"

    def _advise(self, kind: Kind, failure: Failure) -> tuple[Kind, Advice | None]:
        from cmdpack import advice  # noqa: PLC0415 - what goes well needs none, and it costs 20 ms

        plan = self.plan
        around = advice.Circumstances(plan.python, self._asked, plan.commands, plan.emulate)
        return advice.advise(kind, failure, around)

    def _failure(self, error: dict[str, Any]) -> Failure:
        frames = [{**f, "file": self._shown(f["file"])} for f in error["frames"]]
        own = [frame for frame in frames if frame["origin"] == "example"]
        return Failure.model_validate(
            {
                "type": error["type"],
                "message": error["message"],
                "line": own[-1]["line"] if own else None,
                "column": own[-1]["column"] if own else None,
                "frames": frames,
            }
        )

    def _result(self, unit: Located, **facts: Any) -> UnitResult:  # noqa: ANN401
        span = unit.unit.span
        return UnitResult.model_validate(
            {
                "id": unit.unit.id,
                "command": unit.command.id,
                "file": unit.command.path,
                "section": unit.section.id,
                "printed": tuple(self._all_printed()),
                "warnings": self._warnings,
                "functions": self._exercised.unit(),
                **span.model_dump(),
                **facts,
            }
        )

    def _shown(self, file: str) -> str:
        return self._files.get(file, file)

    # The end

    def close(self, end: Ended) -> Iterator[Event]:
        """Enter the end of the run, as the supervisor saw it, and judge what had not finished."""
        self.ending, self._leftovers, self._cpu = end.ending, end.leftovers, end.cpu
        for leftover in end.leftovers:
            outlived = f"process {leftover.pid} outlived the run and was killed: {leftover.name}"
            yield from self.note(Note(code="leftover", message=outlived))
        if not end.clean and end.ending.reason != "supervisor-lost":
            stuck = "a process of the run could not be ended"
            yield from self.note(Note(code="not-clean", message=stuck))
        platform = (self._closing or {}).get("platform")
        for note in fallback_notes(self.plan.python, self.plan.environment, platform):
            yield from self.note(note)
        outcome, reason = self._judge(end)
        self._hand_late_output_over()
        if self._current is not None and outcome is not None:
            crash = self._crash(reason) if outcome == "crashed" else None
            current = self._result(self._current, outcome=outcome, reason=reason, error=crash)
            yield from self._finish(current)
        self._end_outcome, self._end_reason = outcome, reason or None
        self._skip_the_rest(outcome, reason)
        yield from self._end_section()

    def _judge(self, end: Ended) -> tuple[Outcome | None, str]:
        """The outcome that the end itself brings, with its reason; None for an orderly end."""
        ending = end.ending
        where = "" if self._current else " after the last unit, in a thread or an exit handler"
        told: dict[str, tuple[Outcome, str]] = {
            "deadline": ("timeout", f"the run's {self.plan.timeout:g} s were over{where}"),
            "cancelled": ("cancelled", "cancelled"),
            "output-limit": ("output-limit", _OUTPUT_LIMIT),
            "memory-limit": ("out-of-memory", f"the run was ended: {end.detail}"),
            "supervisor-lost": ("crashed", "the supervisor of the run was killed"),
            "not-started": ("crashed", f"{self.plan.python.executable} could not be started"),
        }
        if ending.reason in told:
            return told[ending.reason]
        if self._limit_reached:
            return told["output-limit"]
        if ending.signal is not None:
            return "crashed", f"killed by {ending.signal}{where}"
        if (corrupt := "a record makes no sense" if self._senseless else end.corrupt) is not None:
            return "crashed", f"the channel of the run is corrupt: {corrupt}"
        if self._closing is None or ending.status != 0:
            closing = "without" if self._closing is None else "after"
            return "crashed", f"ended {closing} its closing record, status {ending.status}{where}"
        return None, ""

    def _crash(self, reason: str) -> Failure:
        """A crash has no exception; what the process said last is its message."""
        failure = Failure(
            type=self.ending.signal or "exit",
            message=self._tail.strip() or reason,
            line=self._current.unit.span.line if self._current else None,
            column=self._current.unit.span.column if self._current else None,
        )
        _, advice = self._advise("other", failure)
        return failure.model_copy(update={"advice": advice})

    def _skip_the_rest(self, outcome: Outcome | None, reason: str) -> None:
        """Give every unit that did not run its outcome: blocked by a death, else skipped."""
        last = next(reversed(self._results.values()), None)
        stop = (self._closing or {}).get("stopped")
        by = (last.id,) if last and last.outcome == outcome != "cancelled" else ()
        if outcome is not None:
            rest: Outcome = "cancelled" if outcome == "cancelled" else "blocked"
            why = reason
        elif stop == "exited":
            rest, why = "skipped", "exited"
        else:
            rest = "skipped"
            why = f"the run stopped at {last.file}:{last.line}" if last else "the run did not start"
            if stop == "failed":
                why += "; --keep-going runs on"
        self._printed, self._warnings = [], []
        for name, unit in self._units.items():
            if name in self._results:
                continue
            if (left_out := unit.unit.left_out) is not None:
                self._results[name] = self._result(unit, outcome="skipped", reason=left_out)
            else:
                self._results[name] = self._result(unit, outcome=rest, reason=why, blocked_by=by)

    # The result

    def result(self) -> RunResult:
        """The whole account, once the run is closed."""
        plan, closing = self.plan, self._closing or {}
        units = [self._results[name] for name in self._units]
        commands = [
            rollup.command(command, [u for u in units if self._units[u.id].command is command])
            for command in plan.commands
        ]
        devices = tuple(Device.model_validate(device) for device in closing.get("devices", ()))
        return RunResult(
            outcome=rollup.run(commands, self._end_outcome),
            reason=self._end_reason,
            command=plan.command,
            arguments=plan.arguments,
            selection=plan.selection,
            python=plan.python,
            platform=closing.get("platform"),
            device_count=len(devices),
            devices=devices,
            versions=plan.python.versions,
            sandbox=plan.sandbox,
            trust=plan.trust,
            commands=tuple(commands),
            sections=tuple(self._section_results()),
            units=tuple(units),
            evidence=rollup.evidence(units, self._exercised.functions()),
            timing=rollup.timing(units, total=monotonic() - self._started, cpu=self._cpu),
            ending=self.ending,
            leftovers=self._leftovers,
            notes=tuple(self._notes),
        )

    def _section_results(self) -> Iterator[SectionResult]:
        for command in self.plan.commands:
            for section in command.sections:
                if units := self._results_of(section):
                    yield rollup.section(command, section, units)

    def _results_of(self, section: PlannedSection) -> list[UnitResult]:
        return [
            self._results[name]
            for name, unit in self._units.items()
            if unit.section is section and name in self._results
        ]
