"""The default engine: runs a command's own examples, unit after unit, in the user's Python."""

import os
from collections.abc import Iterator
from time import monotonic
from typing import Any

from cmdpack import caches, recordings
from cmdpack.account import Account
from cmdpack.child import wire
from cmdpack.events import Event, RunFinished, RunRestarted, RunStarted
from cmdpack.plan import CompileCache, Note, Plan, PlannedCommand
from cmdpack.supervision import Control, Ended, Native, Recorded, Supervision

_RETRIED = {"SIGSEGV", "SIGBUS", "SIGILL", "SIGABRT", "SIGFPE"}


class ExamplesEngine:
    """Runs the units of a plan under a supervisor."""

    def run(self, plan: Plan, control: Control) -> Iterator[Event]:
        """Run `plan`; a run that a signal kills while it has a compile cache is tried once without.

        A stale cache entry can crash the process that loads it (see `caches`).
        """
        recordings.prepare(plan.recordings)
        yield RunStarted(plan=plan)
        deadline = monotonic() + plan.timeout
        account = Account(plan)
        if (problem := caches.prepare(plan.cache, plan.commands[-1].pack)) is not None:
            plan = _without_cache(plan, problem.message)
            account = Account(plan)
            yield from account.note(problem)
        was_warm = caches.is_warm(plan.cache)
        yield from _attempt(account, control, plan.timeout)
        left = deadline - monotonic()
        if was_warm and account.ending.signal in _RETRIED and left > 0:
            reason = f"{account.ending.signal} with a compile cache; once more without it"
            yield RunRestarted(reason=reason)
            notes = (*plan.notes, Note(code="cache", message=reason))
            again = _without_cache(plan, reason).model_copy(update={"notes": notes})
            account = Account(again)
            yield from _attempt(account, control, left)
        yield RunFinished(result=account.result())


def _without_cache(plan: Plan, reason: str) -> Plan:
    cache = CompileCache(directory=None, reason=reason, disabled=True)
    return plan.model_copy(update={"cache": cache})


def _attempt(account: Account, control: Control, timeout: float) -> Iterator[Event]:
    plan = account.plan
    supervision = Supervision(
        plan.python.executable,
        _request(plan),
        timeout=timeout,
        environment={**os.environ, **plan.environment, **caches.variables(plan.cache)},
    )
    for signal in supervision.signals(control):
        match signal:
            case Recorded(record):
                yield from account.take(record, cancelled=control.cancelled > 0)
            case Native(stream, text):
                yield from account.take_native(stream, text)
            case Ended():
                yield from account.close(signal)


def _request(plan: Plan) -> wire.Record:
    return {
        "commands": [_command(command) for command in plan.commands],
        "trace": plan.recordings.trace,
    }


def _command(command: PlannedCommand) -> dict[str, Any]:
    return {
        "file": command.file,
        "examples": [
            {
                "code": example.code,
                "line": example.line,
                "prefixes": example.prefixes,
                "units": [None if unit.left_out else unit.id for unit in example.units],
                "expects": example.expects,
                "devices": example.devices,
            }
            for example in command.examples
        ],
    }
