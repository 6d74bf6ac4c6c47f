"""Verdicts on units -> verdicts on sections, commands and the run. Pure."""

from collections.abc import Iterable, Iterator, Sequence
from typing import NamedTuple

from cmdpack.plan import NOT_SELECTED, Plan, PlannedCommand, PlannedSection, PlannedUnit
from cmdpack.result import (
    CommandResult,
    Compilation,
    Evidence,
    Function,
    Outcome,
    RunResult,
    SectionResult,
    Timing,
    UnitResult,
)

_RANK: dict[Outcome, int] = {"blocked": 1, "skipped": 2, "ok": 3}
"""Outcomes from the worst, the first that decides; whatever is not here is worse than all."""


class Located(NamedTuple):
    """A planned unit with the section and the command that it belongs to."""

    command: PlannedCommand
    section: PlannedSection
    unit: PlannedUnit


def located(plan: Plan) -> Iterator[Located]:
    """Every unit of `plan`, in the order in which it runs."""
    for command in plan.commands:
        sections = {section.id: section for section in command.sections}
        for example in command.examples:
            for unit in example.units:
                yield Located(command, sections[unit.section], unit)


def section(
    command: PlannedCommand, planned: PlannedSection, units: Sequence[UnitResult]
) -> SectionResult:
    """The verdict on a section of at least one unit: that of its worst unit that was to run."""
    units = _to_run(units) or units
    worst = _worst(units)
    return SectionResult(
        id=planned.id,
        command=command.id,
        title=planned.title,
        span=planned.span,
        outcome=worst.outcome,
        reason=worst.reason,
        units=len(units),
        seconds=sum(unit.seconds for unit in units),
        trace_seconds=sum(unit.trace_seconds for unit in units),
        lower_seconds=sum(unit.lower_seconds for unit in units),
        compile_seconds=sum(unit.compile_seconds for unit in units),
    )


def command(planned: PlannedCommand, units: Sequence[UnitResult]) -> CommandResult:
    """The verdict on a command: ok where at least one unit is, and none failed or is blocked."""
    return CommandResult(
        id=planned.id,
        name=planned.name,
        pack=planned.pack.name,
        path=planned.path,
        role=planned.role,
        outcome=_of_command(units),
    )


def run(commands: Sequence[CommandResult], end: Outcome | None) -> Outcome:
    """The verdict on a run: the worst bad outcome of its commands and its end, else the target's.

    A dependency without a line of Python does not count.
    """
    bad = [it.outcome for it in commands if it.outcome not in {"ok", "skipped"}]
    bad += [end] if end is not None else []
    return min(bad, key=_rank, default=commands[-1].outcome)


def evidence(units: Sequence[UnitResult], functions: Sequence[Function] | None) -> Evidence:
    """What the units together exercised; `functions` are None where they could not be counted."""
    compilations = [it for unit in units for it in unit.compilations]
    seen = functions or ()
    told = functions is not None and all(it.compiled is not None for it in seen)
    return Evidence(
        units_ok=sum(unit.outcome == "ok" for unit in units),
        units_total=len(_to_run(units)),
        functions_defined=None if functions is None else len(functions),
        functions_executed=None if functions is None else sum(it.executed for it in functions),
        functions_compiled=sum(bool(it.compiled) for it in seen) if told else None,
        functions=tuple(seen),
        executables=sum(unit.executables for unit in units),
        cache_hits=sum(unit.cache_hits for unit in units),
        recompilations=tuple(it for u in units for it in u.recompilations) if told else None,
        costliest=max(filter(_flops, compilations), key=_flops, default=None),
        devices_used=tuple(dict.fromkeys(name for unit in units for name in unit.devices)),
    )


def _to_run(units: Sequence[UnitResult]) -> list[UnitResult]:
    """Those that a selection has not left out: what nobody asked for is no shortcoming."""
    return [unit for unit in units if unit.reason != NOT_SELECTED]


def _flops(compilation: Compilation) -> int:
    return (compilation.estimate and compilation.estimate.flops) or 0


def timing(units: Sequence[UnitResult], *, total: float, cpu: float | None) -> Timing:
    """Where the time of the units went, in seconds."""
    seconds = sum(unit.seconds for unit in units)
    imports = sum(unit.import_seconds for unit in units)
    tracing = sum(unit.trace_seconds for unit in units)
    lowering = sum(unit.lower_seconds for unit in units)
    compiling = sum(unit.compile_seconds for unit in units)
    return Timing(
        total=total,
        units=seconds,
        imports=imports,
        trace=tracing,
        lower=lowering,
        compile=compiling,
        run=max(0.0, seconds - imports - tracing - lowering - compiling),
        cpu=cpu,
    )


def worse_section(section: SectionResult, units: Iterable[UnitResult]) -> SectionResult:
    """`section` after some of `units`, of any section, were judged worse than before."""
    own = [it for it in units if (it.command, it.section) == (section.command, section.id)]
    if not own or _rank(_worst(own).outcome) >= _rank(section.outcome):
        return section
    worst = _worst(own)
    return section.model_copy(update={"outcome": worst.outcome, "reason": worst.reason})


def worse_result(result: RunResult, units: tuple[UnitResult, ...]) -> RunResult:
    """`result` after some of its units were judged worse: `units` are all of them, in order."""
    commands = tuple(
        it.model_copy(
            update={"outcome": _of_command([unit for unit in units if unit.command == it.name])}
        )
        for it in result.commands
    )
    before = None if result.outcome in {"ok", "skipped"} else result.outcome
    ok = sum(unit.outcome == "ok" for unit in units)
    return result.model_copy(
        update={
            "outcome": run(commands, before),
            "commands": commands,
            "sections": tuple(worse_section(it, units) for it in result.sections),
            "units": units,
            "evidence": result.evidence.model_copy(update={"units_ok": ok}),
        }
    )


def _of_command(units: Sequence[UnitResult]) -> Outcome:
    outcomes = {unit.outcome for unit in units}
    passed = "ok" in outcomes and outcomes <= {"ok", "skipped"}
    return "ok" if passed else _worst(units).outcome if units else "skipped"


def _worst(units: Sequence[UnitResult]) -> UnitResult:
    """The unit that decides, the first of its kind: failed-like, blocked, skipped, then ok."""
    return min(units, key=lambda unit: _rank(unit.outcome))


def _rank(outcome: Outcome) -> int:
    return _RANK.get(outcome, 0)
