"""The default engine: runs a command's own examples, unit after unit, in the user's Python."""

import re
from collections.abc import Iterator
from time import monotonic
from typing import Any

from cmdpack import caches, recordings, sandbox
from cmdpack.account import Account
from cmdpack.child import wire
from cmdpack.events import Event, RunFinished, RunRestarted, RunStarted
from cmdpack.plan import CompileCache, Note, NoteCode, Plan, PlannedCommand
from cmdpack.selection import with_prefix
from cmdpack.supervision import Control, Ended, Native, Recorded, Supervision

_UNDEFINED = re.compile(r"name '(\w+)' is not defined")
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
            account = Account(_noting(_without_cache(plan, reason), "cache", reason))
            yield from _attempt(account, control, left)
        left = deadline - monotonic()
        if (lacking := _lacking(account)) is not None and left > 0:
            yield RunRestarted(reason=lacking)
            account = Account(_noting(with_prefix(account.plan, lacking), "selection", lacking))
            yield from _attempt(account, control, left)
        yield from _finish(account)


def _finish(account: Account) -> Iterator[Event]:
    """The result, with what the run has written."""
    written, notes = recordings.recorded(account.plan, account.result())
    for note in notes:
        yield from account.note(note)
    yield RunFinished(result=account.result().model_copy(update={"recorded": written}))


def _lacking(account: Account) -> str | None:
    """What a selection has left out though it was needed, if it has: a bug of the slice."""
    if account.plan.selection is None:
        return None
    units = [unit for example in account.plan.commands[-1].examples for unit in example.units]
    left_out = {name: unit.span.line for unit in units for name in unit.binds}
    for result in account.result().units:
        found = result.error and _UNDEFINED.match(result.error.message)
        if found and result.error and result.error.type == "NameError" and found[1] in left_out:
            return (
                f"the selection lacked {found[1]}, which line {left_out[found[1]]} binds: once "
                "more with everything before it (please report this file: a bug of the selection)"
            )
    return None


def _noting(plan: Plan, code: NoteCode, message: str) -> Plan:
    return plan.model_copy(update={"notes": (*plan.notes, Note(code=code, message=message))})


def _without_cache(plan: Plan, reason: str) -> Plan:
    cache = CompileCache(directory=None, reason=reason, disabled=True)
    return plan.model_copy(update={"cache": cache})


def _attempt(account: Account, control: Control, timeout: float) -> Iterator[Event]:
    plan = account.plan
    with sandbox.scratch(plan) as folder:
        variables = sandbox.environment(plan, folder, caches.variables(plan.cache))
        supervision = Supervision(
            plan.python.executable,
            request_of(plan),
            timeout=timeout,
            environment=variables,
            box=sandbox.order(plan, folder, variables),
        )
        for signal in supervision.signals(control):
            match signal:
                case Recorded(record):
                    yield from account.take(record, cancelled=control.cancelled > 0)
                case Native(stream, text):
                    yield from account.take_native(stream, text)
                case Ended():
                    yield from account.close(signal)
    caches.prune(plan.cache)


def request_of(plan: Plan, *, evidence: bool = True) -> wire.Record:
    """What a runner is told of `plan`. Without `evidence` it takes no notice of what examples do.

    That is for the benchmark which measures what the notice costs.
    """
    return {
        "evidence": evidence,
        "commands": [_command(command) for command in plan.commands],
        "keep_going": plan.keep_going,
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
                "replaced": example.replaced,
            }
            for example in command.examples
        ],
    }
