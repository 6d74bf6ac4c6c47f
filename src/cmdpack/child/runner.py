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

from . import failures, streams, units, wire
from .jaxwatch import JaxWatch

_WARNINGS = 200  # records; a loop that warns must not fill the journal
_FUTURES = sum(
    getattr(__import__("__future__"), name).compiler_flag
    for name in __import__("__future__").all_feature_names
)


def main(arguments: list[str]) -> None:
    """Run the request in the channel whose descriptor is the first argument."""
    memory = wire.attach(int(arguments[0]))
    Runner(wire.Writer(memory), wire.request_of(memory)).run()


class Runner:
    """One run: its channel, its `__main__`, and what is watched on the way."""

    def __init__(self, writer: wire.Writer, request: wire.Record) -> None:
        self._writer = writer
        self._commands = request["commands"]
        self._documents = {command["file"] for command in self._commands}
        self._leader = os.getpid()
        self._warned = 0
        self._flags = 0

    def run(self) -> NoReturn:
        """Run every unit until one fails, then what was registered for the exit, and report."""
        self._report({"record": "hello", "pid": self._leader, "python": sys.version.split()[0]})
        self._native = streams.NativeOutput()
        self._recorder = streams.Recorder(self._writer, self._output_limit)
        self._streams = streams.install(self._recorder)
        self._show_warning = warnings.showwarning
        warnings.showwarning = self._warn
        self._main = _main_module()
        self._jax = JaxWatch()
        stopped = self._run_commands()
        self._flush()
        devices = self._jax.devices()  # before the exit handlers, which close JAX's backends
        self._wind_down()
        self._report({"record": "closing", "stopped": stopped, **devices})
        os._exit(0)

    def _run_commands(self) -> str | None:
        for command in self._commands:
            file = command["file"]
            self._main.__file__ = file
            sys.argv = [file]
            linecache.cache[file] = _lines_of(command)
            self._flags = 0
            for example in command["examples"]:
                if (stopped := self._run_example(example, file)) is not None:
                    return stopped
        return None

    def _run_example(self, example: dict[str, Any], file: str) -> str | None:
        """Run the units of one example. Returns why the run stops, or None."""
        place = units.Place(example["line"], example["prefixes"])
        _, found = units.parse(example["code"], file, place)
        for unit, name in zip(found, example["units"], strict=True):
            self._report({"record": "unit-started", "unit": name})
            verdict = self._run_unit(unit, file)
            self._report({"record": "unit-finished", "unit": name, **verdict})
            if verdict["outcome"] != "ok" or verdict["exited"]:
                return "exited" if verdict["exited"] else "failed"
        return None

    def _run_unit(self, unit: units.Unit, file: str) -> dict[str, Any]:
        error: BaseException | None = None
        devices: tuple[str, ...] = ()
        start = perf_counter()
        try:
            exec(self._compile(unit.node, file), self._main.__dict__)
            devices = self._jax.settle()
        except BaseException as raised:
            error = raised
        seconds = perf_counter() - start
        self._flush()
        return {**self._verdict(error), **self._costs(unit.node, seconds), "devices": devices}

    def _compile(self, node: ast.stmt, file: str) -> types.CodeType:
        """Compile one statement; `__future__` imports hold for the statements after them."""
        # A leading `pass` keeps a lone string from becoming the module's docstring.
        module = ast.Module([ast.Pass(lineno=node.lineno, col_offset=0), node], type_ignores=[])
        if isinstance(node, ast.ImportFrom) and node.module == "__future__":
            module.body.pop(0)
        code: types.CodeType = compile(module, file, "exec", flags=self._flags, dont_inherit=True)
        self._flags |= code.co_flags & _FUTURES
        return code

    def _verdict(self, error: BaseException | None) -> dict[str, Any]:
        if error is None:
            return {"outcome": "ok", "kind": None, "error": None, "exited": False}
        exited = isinstance(error, SystemExit)
        if exited and getattr(error, "code", None) in {None, 0}:
            return {"outcome": "ok", "kind": None, "error": None, "exited": True}
        outcome, kind = failures.outcome_of(error)
        return {
            "outcome": outcome,
            "kind": kind,
            "error": failures.describe(error, self._documents),
            "exited": exited,
        }

    def _costs(self, node: ast.stmt, seconds: float) -> dict[str, Any]:
        taken = self._jax.take()
        if isinstance(node, (ast.Import, ast.ImportFrom)):
            taken["import_seconds"] = seconds
        return {"seconds": seconds, **taken}

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
        if file is not None or os.getpid() != self._leader:
            self._show_warning(message, category, filename, lineno, file, line)
        elif self._warned < _WARNINGS:
            self._warned += 1
            self._recorder.flush()
            text = str(message)[:2000]
            self._report(
                {
                    "record": "warning",
                    "category": category.__name__,
                    "message": text,
                    "file": filename,
                    "line": lineno,
                }
            )

    def _flush(self) -> None:
        for stream in self._streams:
            with contextlib.suppress(OSError, ValueError):  # closed by the example
                stream.flush()
        if os.getpid() == self._leader:
            self._recorder.flush()
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
        if os.getpid() == self._leader:
            self._writer.append(record)

    def _output_limit(self) -> NoReturn:
        self._writer.append({"record": "output-limit"})
        os._exit(1)


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


def _lines_of(command: dict[str, Any]) -> tuple[int, None, list[str], str]:
    """An entry for `linecache`: the Markdown file's lines, those that are not code left blank.

    So `inspect` can parse it as Python. Without a modification time it is never thrown out.
    """
    lines: list[str] = []
    for example in command["examples"]:
        lines += ["\n"] * (example["line"] - 1 - len(lines))
        pairs = zip(example["code"].split("\n"), example["prefixes"], strict=False)
        lines += [" " * prefix + line + "\n" for line, prefix in pairs]
    return sum(map(len, lines)), None, lines, command["file"]
