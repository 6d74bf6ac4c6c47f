"""What every engine follows, and what one that builds on another needs."""

from collections.abc import Callable, Iterable, Iterator
from typing import Protocol

from cmdpack import rollup
from cmdpack.events import Event, RunFinished, RunRestarted, SectionFinished, UnitFinished
from cmdpack.plan import Plan
from cmdpack.result import UnitResult
from cmdpack.supervision import Control

__all__ = ["Control", "Engine", "rejudged"]


class Engine(Protocol):
    """Carries a plan out."""

    def run(self, plan: Plan, control: Control) -> Iterator[Event]:
        """Run `plan`, yielding events as they happen; the last is always `RunFinished`.

        When `control` is cancelled, end what runs and finish with the outcome ``cancelled``.
        """
        ...


def rejudged(events: Iterable[Event], judge: Callable[[UnitResult], UnitResult]) -> Iterator[Event]:
    """Pass on the events of another engine, with a verdict of one's own on every unit.

    `judge` returns the unit it is given, or a copy with a worse outcome: what did not go well
    cannot be made good. It may be asked about a unit twice, since what a thread printed late is
    known only in the end; a verdict that comes late is told then. Sections, commands and the run
    follow from the units.
    """
    told: dict[str, UnitResult] = {}
    for event in events:
        match event:
            case UnitFinished(result=unit):
                told[unit.id] = judge(unit)
                yield UnitFinished(result=told[unit.id])
            case SectionFinished(result=section):
                yield SectionFinished(result=rollup.worse_section(section, told.values()))
            case RunFinished(result=result):
                units = tuple(map(judge, result.units))
                for unit in units:
                    if unit.id in told and unit.outcome != told[unit.id].outcome:
                        yield UnitFinished(result=unit)
                yield RunFinished(result=rollup.worse_result(result, units))
            case RunRestarted():
                told.clear()
                yield event
            case _:
                yield event
