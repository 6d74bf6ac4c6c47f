"""Runs a plan's units, one after another, in a real `__main__`, and reports on each.

The last record is the closing one. Whatever ends the process before it is not a success.
"""

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
from time import perf_counter
from typing import Any, NoReturn, TextIO

from . import attempts, devices, failures, program, streams, wire
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


_OK = {"outcome": "ok", "kind": None, "reason": None, "error": None, "exited": False}


class Runner:
    """One run: its channel, its `__main__`, and what is watched on the way."""

    def __init__(self, writer: wire.Writer, request: wire.Record) -> None:
        self._writer = writer
        self._commands = request["commands"]
        self._documents = {command["file"] for command in self._commands}
        self._leader = _getpid()
        self._warned = 0
        self._place = ("", 0)
        self._counter = Counter(self._entered)
        self._compilations = Compilations(self._documents, self._counter)
        self._trace = Trace(request.get("trace"))

    def run(self) -> NoReturn:
        """Run every unit until one fails, then what was registered for the exit, and report."""
        self._report({"record": "hello", "pid": self._leader, "python": sys.version.split()[0]})
        self._native = streams.NativeOutput()
        self._recorder = streams.Recorder(self._writer, self._output_limit)
        streams.install(self._recorder)
        self._show_warning = warnings.showwarning
        warnings.showwarning = self._warn
        sys.excepthook = _show_exception
        self._main = _main_module()
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
        counter = self._counter if can_count(codes) else None
        programs = [(command, self._compile(command, counter)) for command in self._commands]
        steps = [step for _, steps in programs for step in steps]
        functions = [{"unit": it.name, **f._asdict()} for it in steps for f in it.functions]
        self._report({"record": "functions", "functions": functions if counter else None})
        for command, steps in programs:
            file = command["file"]
            self._main.__file__ = file
            sys.argv = [file]
            for step in steps:
                if step.name is not None and (stopped := self._run_step(step, file)) is not None:
                    return stopped
        return None

    def _compile(self, command: dict[str, Any], counter: Counter | None) -> list[Step]:
        lines = linecache.cache[command["file"]] = program.lines_of(command)
        return [*program.steps(command, counter, lines)]

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

    def _run_step(self, step: Step, file: str) -> str | None:
        """Run one unit and report on it. Returns why the run stops, or None."""
        count = devices.count() if step.devices else None
        if step.devices is not None and count is not None and count < step.devices:
            needs = f"device missing: needs {step.devices}, there are {count}"
            reason = f"{needs}; --emulate {step.devices} makes them"
            self._report({"record": "unit-skipped", "unit": step.name, "reason": reason})
            return None
        self._place = (file, step.unit.line)
        self._report({"record": "unit-started", "unit": step.name})
        self._counter.restart()
        attempts.take()
        verdict = self._run_unit(step)
        self._report({"record": "unit-finished", "unit": step.name, **verdict})
        if verdict["outcome"] == "ok" and not verdict["exited"]:
            return None
        return "exited" if verdict["exited"] else "failed"

    def _run_unit(self, step: Step) -> dict[str, Any]:
        error: BaseException | None = None
        used: tuple[str, ...] = ()
        start = perf_counter()
        try:
            for found in step.warned:
                place = (found.filename, found.lineno)
                warnings.warn_explicit(found.message, found.category, *place)
            exec(step.code, self._main.__dict__)
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
