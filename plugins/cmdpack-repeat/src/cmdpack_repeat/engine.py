"""The engine: the same plan in one fresh process after another, each compared with the first."""

import os
from collections.abc import Generator, Iterator
from time import monotonic

from cmdpack.engines.base import Control, rejudged
from cmdpack.engines.examples import ExamplesEngine
from cmdpack.events import Event, NoteAdded, RunFinished, RunRestarted, RunStarted
from cmdpack.plan import CompileCache, Note, Plan
from cmdpack.result import RunResult
from cmdpack_repeat.compare import Comparison, is_found

_RUNS = 2
_HASH_SEED = "PYTHONHASHSEED"
_SHORTEST = 0.1  # seconds for a run whose time is already over


class RepeatEngine:
    """Runs the examples as the engine `examples` does, several times.

    The command's option ``runs`` says how often, else twice. A run that does not end well is the
    last. Nothing is kept between the runs: not the process, not its hash seed (unless
    ``PYTHONHASHSEED`` is the user's own), not what was compiled.
    """

    def run(self, plan: Plan, control: Control) -> Iterator[Event]:
        """Run `plan` again and again; the result is that of the last run, and says so in a note.

        For whoever follows, a further run is a restart: what was told before is void.
        The plan's time is for all runs together.
        """
        count = int(plan.arguments.values.get("runs") or _RUNS)
        deadline = monotonic() + plan.timeout
        done: list[RunResult] = []
        for number in range(1, count + 1):
            own = _own_plan(plan, number, deadline - monotonic())
            events = ExamplesEngine().run(own, control)
            if done:
                yield RunRestarted(reason=f"run {number} of {count}, compared with the first")
                events = rejudged(events, Comparison(own, done[0]).judge)
            done.append((yield from _to_its_end(events, started=bool(done))))
            if done[-1].outcome != "ok":
                break
        note = Note(code="engine", message=_summary(plan, done, count))
        yield NoteAdded(note=note)
        last = done[-1]
        yield RunFinished(result=last.model_copy(update={"notes": (*last.notes, note)}))


def _own_plan(plan: Plan, number: int, left: float) -> Plan:
    """The plan of one run, which shares with the others only what its user has fixed."""
    environment = {**plan.environment, "JAX_ENABLE_COMPILATION_CACHE": "false"}
    if not _fixed_hash_seed():
        environment[_HASH_SEED] = str(number)
    cache = CompileCache(directory=None, reason="each run compiles for itself")
    changes = {"environment": environment, "cache": cache, "timeout": max(left, _SHORTEST)}
    return plan.model_copy(update=changes)


def _fixed_hash_seed() -> str | None:
    """The hash seed that the user has fixed; with two seeds of our own a verdict is no chance."""
    seed = os.environ.get(_HASH_SEED)
    return None if seed in {"", "random"} else seed


def _to_its_end(events: Iterator[Event], *, started: bool) -> Generator[Event, None, RunResult]:
    """Pass on what happens between the start and the end of one run, and return its result."""
    for event in events:
        if isinstance(event, RunFinished):
            return event.result
        if not (started and isinstance(event, RunStarted)):
            yield event
    raise AssertionError("every engine ends with RunFinished")


def _summary(plan: Plan, done: list[RunResult], count: int) -> str:
    """What the result does not say by itself: how many runs there were, and what was compared."""
    if len(done) == 1:
        return "the first run did not end well, and was not compared with another"
    own = [unit for unit in done[-1].units if unit.command == plan.command]
    if differing := sum(map(is_found, own)):
        units = "1 unit was" if differing == 1 else f"{differing} units were"
        return f"{units} not the same in run {len(done)} as in the first"
    if done[-1].outcome != "ok":
        return f"run {len(done)} of {count} did not end well, though the first did"
    seed = _fixed_hash_seed()
    seeds = f"{_HASH_SEED} {seed}, yours" if seed else f"{_HASH_SEED} 1 to {count}"
    return f"{len(own)} units printed the same in {count} fresh processes ({seeds})"
