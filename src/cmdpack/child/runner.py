"""Runs a plan's units, one after another, in a real `__main__`, and reports on each.

The last record is the closing one. Whatever ends the process before it is not a success.
"""

import __future__

import ast
import atexit
import builtins
import contextlib
import importlib.machinery
import linecache
import os
import sys
import threading
import types
import warnings
from collections.abc import Iterable
from time import perf_counter
from typing import Any, NamedTuple, NoReturn, TextIO

from . import attempts, devices, failures, poison, program, streams, wire
from .compilations import Compilations
from .counters import Counter, can_count
from .jaxwatch import JaxWatch
from .program import Step
from .trace import Trace

_WARNINGS = 200  # records; a loop that warns must not fill the journal: the others are output

_HERE = os.path.dirname(__file__)
# Looked up now: user code may replace or delete them.
_getpid = os.getpid
_Exception = Exception


def main(arguments: list[str]) -> None:
    """Run the request in the channel whose descriptor is the first argument."""
    memory = wire.attach(int(arguments[0]))
    Runner(wire.Writer(memory), wire.request_of(memory)).run()


_ANNOTATIONS = __future__.annotations.compiler_flag

_OK = {
    **dict.fromkeys(("kind", "reason", "error")),
    "outcome": "ok",
    "exited": False,
    "needs": (),
}


class _Ready(NamedTuple):
    """A unit with its body, and with its facts where the run goes on after a failure.

    The body is made before anything runs: a function, as a module, keeps the builtins that there
    are when it is made, whatever examples do to their `__builtins__` later.
    """

    step: Step
    body: types.FunctionType
    facts: poison.Facts | None


class Runner:
    """One run: its channel, its `__main__`, and what is watched on the way."""

    def __init__(self, writer: wire.Writer, request: wire.Record) -> None:
        self._writer = writer
        self._commands = request["commands"]
        self._keeps_going = request["keep_going"]
        self._libraries: set[str] = set()
        self._documents = {command["file"] for command in self._commands}
        self._leader = _getpid()
        self._warned = 0
        self._place = ("", 0)
        self._counter = Counter(self._entered)
        self._counts = request["evidence"]
        self._compilations = Compilations(self._documents, self._counter, listens=self._counts)
        self._trace = Trace(request.get("trace"))

    def run(self) -> NoReturn:
        """Run every unit, or until one fails, then what waits for the exit, and report."""
        self._report({"record": "hello", "pid": self._leader, "python": sys.version.split()[0]})
        self._native = streams.NativeOutput()
        self._recorder = streams.Recorder(self._writer, self._output_limit)
        streams.install(self._recorder)
        self._show_warning = warnings.showwarning
        warnings.showwarning = self._warn
        sys.excepthook = _show_exception
        self._main = _main_module()
        self._poison = poison.Poison(self._main.__dict__)
        self._jax = JaxWatch(self._compilations, self._trace)
        stopped = self._run_commands()
        self._flush()
        self._trace.finish()
        found = self._jax.devices()  # before the exit handlers, which close JAX's backends
        self._wind_down()
        self._report({"record": "closing", "stopped": stopped, **found})
        os._exit(0)

    def _run_commands(self) -> str | None:
        # Everything is compiled before anything runs, and so before user code can interfere.
        codes = [it["code"] for command in self._commands for it in command["examples"]]
        counter = self._counter if self._counts and can_count(codes) else None
        programs = [(command, self._compile(command, counter)) for command in self._commands]
        steps = [ready.step for _, prepared in programs for ready in prepared]
        functions = [{"unit": it.name, **f._asdict()} for it in steps for f in it.functions]
        self._report({"record": "functions", "functions": functions if counter else None})
        for command, prepared in programs:
            file = command["file"]
            self._main.__file__ = file
            sys.argv = [file]
            for ready in prepared:
                if (stopped := self._run_step(ready, file)) is not None:
                    return stopped
        return None

    def _compile(self, command: dict[str, Any], counter: Counter | None) -> list[_Ready]:
        lines = linecache.cache[command["file"]] = program.lines_of(command)
        steps = program.steps(command, counter, lines)
        return [self._ready(step) for step in steps if step.name is not None]

    def _ready(self, step: Step) -> _Ready:
        body = types.FunctionType(step.code, self._main.__dict__)
        if not self._keeps_going:
            return _Ready(step, body, None)
        node, future = step.unit.node, bool(step.code.co_flags & _ANNOTATIONS)
        self._libraries |= poison.pure_imports(node)
        facts = poison.facts_of(node, future=future, libraries=self._libraries)
        return _Ready(step, body, facts)

    def _entered(self, number: int, frame: types.FrameType) -> None:
        """Report a function that a unit enters for the first time, at once: it may not come back.

        Where there is no room for that, or the example has taken Python apart, it stays untold.
        """
        try:
            if _getpid() == self._leader:
                self._writer.append({"record": "entered", "function": number}, leave=wire.RESERVE)
        except _Exception:
            return
        self._compilations.first_entry(number, frame)

    def _run_step(self, ready: _Ready, file: str) -> str | None:
        """Run one unit and report on it. Returns why the run stops, or None."""
        step, facts = ready.step, ready.facts
        if (reason := _lacking_devices(step)) is not None:
            self._report({"record": "unit-skipped", "unit": step.name, "reason": reason})
            return None
        if facts is not None and (needs := self._poison.needs(facts)):
            self._report({"record": "unit-blocked", "unit": step.name, "needs": _told(needs)})
            self._poison.blocked(facts, needs)
            return None
        self._place = (file, step.unit.line)
        self._report({"record": "unit-started", "unit": step.name})
        self._counter.restart()
        attempts.take()
        before = self._poison.snapshot()
        verdict = self._run_unit(ready)
        told = {**verdict, "needs": _told(verdict["needs"])}
        self._report({"record": "unit-finished", "unit": step.name, **told})
        if facts is not None:
            self._learn(step.name, facts, verdict, before)
        return self._stop(verdict)

    def _learn(
        self, name: str | None, facts: poison.Facts, verdict: dict[str, Any], before: poison.Values
    ) -> None:
        """Enter what became of a unit into what the next ones may read."""
        if verdict["outcome"] == "ok":
            self._poison.passed(facts, before)
        elif verdict["outcome"] == "blocked":
            self._poison.blocked(facts, verdict["needs"], before)
        else:
            self._poison.failed(facts, str(name), before)

    def _stop(self, verdict: dict[str, Any]) -> str | None:
        """Why the run stops after a unit with this verdict, or None."""
        if verdict["exited"]:
            return "exited"
        if verdict["outcome"] in {"ok", "blocked"}:
            return None
        if verdict["kind"] == "interrupt":
            return "interrupted"
        return None if self._keeps_going else "failed"

    def _run_unit(self, ready: _Ready) -> dict[str, Any]:
        step = ready.step
        error: BaseException | None = None
        used: tuple[str, ...] = ()
        start = perf_counter()
        try:
            for found in step.warned:
                place = (found.filename, found.lineno)
                warnings.warn_explicit(found.message, found.category, *place)
            ready.body()
            used = self._jax.settle()
        except BaseException as raised:
            if _getpid() != self._leader:
                raise  # a forked child ends as it would have without us, with its own status
            error = raised
        seconds = perf_counter() - start
        self._flush()
        taken = self._jax.take()
        if isinstance(step.unit.node, (ast.Import, ast.ImportFrom)):
            taken["import_seconds"] = seconds
        verdict = self._verdict(error, step.expects)
        return {**_OK, **verdict, "seconds": seconds, **taken, "devices": used}

    def _verdict(self, error: BaseException | None, expects: str | None) -> dict[str, Any]:
        """How a unit that ended with `error` differs from `_OK`."""
        if needs := self._poison.missed(error):
            return {"outcome": "blocked", "needs": needs}
        if expects is not None and error is None:
            reason = f"{expects} was expected, and nothing was raised"
            return {"outcome": "expected-error-missing", "reason": reason}
        if error is None:
            return {}
        if expects is not None and failures.is_named(error, expects):
            return {"reason": f"raised as expected: {failures.summary(error)}"}
        exited = isinstance(error, SystemExit)
        status = getattr(error, "code", None)  # anything at all
        if exited and (status is None or (isinstance(status, int) and status == 0)):
            return {"exited": True}
        outcome, kind = failures.outcome_of(error)
        described = failures.describe(error, self._documents) | {"tried": attempts.take()}
        return {"outcome": outcome, "kind": kind, "error": described, "exited": exited}

    def _warn(  # noqa: PLR0913, PLR0917 - the signature is Python's
        self,
        message: Warning | str,
        category: type[Warning],
        filename: str,
        lineno: int,
        file: TextIO | None = None,
        line: str | None = None,
    ) -> None:
        """Stand in for `warnings.showwarning`: a warning is a record, not a line of output."""
        if os.path.dirname(filename) == _HERE:  # its `stacklevel` goes beyond the example
            filename, lineno = self._place
        if file is not None or _getpid() != self._leader or self._warned == _WARNINGS:
            self._show_warning(message, category, filename, lineno, file, line)
        else:
            self._warned += 1
            self._recorder.flush()
            text = str(message)[:2000]
            self._report(
                {
                    "record": "warning",
                    "category": failures.clip(category.__name__),
                    "message": text,
                    "file": failures.clip(filename),
                    "line": lineno,
                }
            )

    def _flush(self) -> None:
        for stream in (sys.stdout, sys.stderr):  # which may be the example's own by now
            with contextlib.suppress(Exception):
                stream.flush()
        if _getpid() == self._leader:
            self._recorder.finish()
            self._native.drain()

    def _wind_down(self) -> None:
        """What Python does before it ends: wait for threads, then run the exit handlers.

        The rest of the interpreter's end is skipped: it frees memory that the kernel frees faster.
        """
        self._report({"record": "winding-down"})
        getattr(threading, "_shutdown", lambda: None)()
        atexit._run_exitfuncs()
        self._flush()

    def _report(self, record: wire.Record) -> None:
        """Append a record. A forked child that goes on with the examples reports nothing."""
        if _getpid() == self._leader:
            self._writer.append(record)

    def _output_limit(self) -> NoReturn:
        self._writer.append({"record": "output-limit"})
        os._exit(1)


def _lacking_devices(step: Step) -> str | None:
    count = devices.count() if step.devices else None
    if step.devices is None or count is None or count >= step.devices:
        return None
    needs = f"device missing: needs {step.devices}, there are {count}"
    return f"{needs}; --emulate {step.devices} makes them"


def _told(needs: Iterable[poison.Need]) -> list[dict[str, Any]]:
    return [need._asdict() for need in needs]


def _show_exception(
    kind: type[BaseException], error: BaseException, trace: types.TracebackType | None
) -> None:
    """Show what ends a forked child as Python would have without us."""
    trace = failures.without_ours(trace)
    sys.__excepthook__(kind, error.with_traceback(trace), trace)


class _MainSpec(importlib.machinery.ModuleSpec):
    """The spec of the examples' `__main__`, which no other process can import.

    `multiprocessing` asks for its name when it is about to start a process that would; a pool would
    then start such processes for ever, each failing on a Markdown file.
    """

    def __init__(self) -> None:
        super().__init__("__main__", None)

    @property
    def name(self) -> str:
        if sys._getframe(1).f_code.co_name == "get_preparation_data":
            raise failures.SpawnError(
                "an example cannot start processes by 'spawn' or 'forkserver': they would import "
                "its __main__, which is a Markdown file; use threads, or "
                "multiprocessing.get_context('fork') before JAX has started"
            )
        return "__main__"

    @name.setter
    def name(self, value: str) -> None:
        """Accept what the base class sets; the name never changes."""


def _main_module() -> types.ModuleType:
    module = types.ModuleType("__main__")
    module.__spec__ = _MainSpec()
    module.__dict__["__builtins__"] = builtins
    sys.modules["__main__"] = module
    return module
