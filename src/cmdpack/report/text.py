"""A run as lines of text: section titles, what examples printed, and one line of evidence."""

from collections.abc import Iterator
from pathlib import PurePath

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
from cmdpack.plan import NOT_SELECTED, Plan, PlannedCommand
from cmdpack.report import failures, recordings, unrun
from cmdpack.report.plans import selection
from cmdpack.result import Evidence, Recompilation, RunResult, UnitResult
from cmdpack.sandboxed import in_words
from cmdpack.terminal import one_line, printable

_INDENT = "    "


class TextReport:
    """Turns events into whole lines; what an example printed is indented and escaped."""

    def __init__(self, *, verbose: bool = False) -> None:
        self._verbose = verbose
        self._open = ""  # output that has not come to the end of its line
        self._roles: dict[str, str] = {}

    def lines(self, event: Event) -> Iterator[str]:
        """The lines that `event` adds."""
        if isinstance(event, OutputWritten):
            yield from self._output(event.text)
            return
        yield from self._close_line()
        match event:
            case RunStarted(plan=plan):
                yield from self._start(plan)
            case CommandStarted(command=command):
                yield f"{printable(command)} ({self._roles[command]})"
            case SectionStarted(title=title):
                yield f"  {one_line(title)}"
            case WarningRaised(warning=warning):
                place = f"{printable(warning.file)}:{warning.line}"
                yield f"{_INDENT}{place}: {warning.category}: {one_line(warning.message)}"
            case UnitFinished(result=unit):
                yield from self._unit(unit)
            case RunRestarted(reason=reason):
                yield f"the run starts again: {one_line(reason)}"
            case NoteAdded(note=note):
                yield f"note: {one_line(note.message)}"
            case RunFinished(result=result):
                yield from _ending(result)

    def _start(self, plan: Plan) -> Iterator[str]:
        self._roles = {command.id: _role(command) for command in plan.commands}
        yield from (f"note: {one_line(note.message)}" for note in plan.notes)
        if plan.selection is not None:
            yield f"selection: {selection(plan)}"

    def _unit(self, unit: UnitResult) -> Iterator[str]:
        if self._verbose:
            yield f"{_INDENT}{failures.summary(unit)}"
        elif unit.outcome == "blocked":
            return  # told in the end, with the others of its cause
        yield from failures.lines(unit, all_frames=self._verbose)

    def _output(self, text: str) -> Iterator[str]:
        *whole, self._open = (self._open + text).split("\n")
        yield from (f"{_INDENT}{printable(line)}".rstrip() for line in whole)

    def _close_line(self) -> Iterator[str]:
        if self._open:
            yield f"{_INDENT}{printable(self._open)}"
            self._open = ""


def _role(command: PlannedCommand) -> str:
    pack = f"{command.pack.name} {command.pack.version or ''}".strip()
    return printable(f"{pack}, {command.pack.source}, {command.reason}")


def _ending(result: RunResult) -> Iterator[str]:
    """The last lines: what did not run, what went wrong outside a unit, then the evidence."""
    yield from unrun.lines(result)
    judged = {unit.outcome for unit in result.units}
    if result.outcome not in {"ok", *judged}:
        yield f"{result.outcome}: {one_line(result.reason or '')}"
    yield from recordings.lines(result.recorded)
    yield evidence(result)


def evidence(result: RunResult) -> str:
    """One line: the verdict, what was exercised, on what, how long, and with which versions."""
    counted = [section for section in result.sections if section.reason != NOT_SELECTED]
    sections = sum(section.outcome == "ok" for section in counted)
    seen = result.evidence
    times = result.timing
    versions = [f"{name} {version}" for name, version in sorted(result.versions.items())]
    return one_line(
        f"{result.outcome}: {result.command}: "
        f"{sections} of {len(counted)} sections, "
        f"{seen.units_ok} of {seen.units_total} units; "
        f"{_functions(seen)}{_executables(seen)}{_recompilations(seen)}{_costliest(seen)}; "
        f"{_devices(result)}; "
        f"{times.total:.2f} s: import {times.imports:.2f}, trace {times.trace:.2f}, "
        f"lower {times.lower:.2f}, compile {times.compile:.2f}, run {times.run:.2f}; "
        f"{', '.join([*versions, f'Python {result.python.version}'])} "
        f"({result.python.executable}); sandbox {in_words(result.sandbox)}"
    )


def _functions(seen: Evidence) -> str:
    if seen.functions_defined is None:
        return "functions not available, "
    if not seen.functions_defined:
        return ""
    defined = _count(seen.functions_defined, "function")
    return f"exercised {seen.functions_executed} of {defined}, "


def _executables(seen: Evidence) -> str:
    return f"{_count(seen.executables, 'executable')} ({seen.cache_hits} from the cache)"


def _recompilations(seen: Evidence) -> str:
    """How many there were, and of the first where and why."""
    if seen.recompilations is None:
        return ", recompilations not available"
    if not seen.recompilations:
        return ""
    first = seen.recompilations[0]
    count = _count(len(seen.recompilations), "recompilation")
    place = f"{PurePath(first.file).name}:{first.line}"
    return f", {count}{', first' if len(seen.recompilations) > 1 else ''} at {place}: {why(first)}"


def why(recompilation: Recompilation) -> str:
    """What was new about a function that was compiled again."""
    if not recompilation.differences:
        return {
            "placement": f"{recompilation.function} on other devices or another sharding",
            "redefined": f"{recompilation.function} made anew, or other settings of JAX",
        }.get(recompilation.cause, f"{recompilation.function}, reason not available")
    first, *more = recompilation.differences
    others = f" and {len(more)} more" if more else ""
    return f"{first.now} after {first.before}{others}"


def _costliest(seen: Evidence) -> str:
    if seen.costliest is None or seen.costliest.estimate is None:
        return ""
    estimate = seen.costliest.estimate
    moved = f", {_scaled(estimate.bytes_accessed)}B moved" if estimate.bytes_accessed else ""
    return (
        f"; costliest {seen.costliest.function}: {_scaled(estimate.flops or 0)}FLOP{moved} a call "
        "(static estimate, loops counted once)"
    )


def _scaled(number: int) -> str:
    """A number with a decimal prefix, to be followed by its unit."""
    power = min(4, max(0, (len(str(number)) - 1) // 3))
    return f"{number / 1000**power:.3g} {('', 'k', 'M', 'G', 'T')[power]}"


def _count(number: int, noun: str) -> str:
    return f"{number} {noun}{'' if number == 1 else 's'}"


def _devices(result: RunResult) -> str:
    if result.platform is None:
        return "no device used"
    kinds = ", ".join(dict.fromkeys(device.kind for device in result.devices))
    used = len(result.evidence.devices_used)
    if not used:  # what ran left no array behind: that tells nothing of what it ran on
        return f"{result.platform}: {result.device_count} devices ({kinds})"
    return f"{result.platform}: {used} of {result.device_count} devices used ({kinds})"
