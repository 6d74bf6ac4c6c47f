"""A run's processes, from cmdpack's side: a supervisor, below it a runner, and a channel between.

cmdpack ── lifeline, orders ──> supervisor ── starts, ends ──> runner
   └──────── reads ─── shared memory, and two pipes ─── writes ───┘
"""

import codecs
import contextlib
import functools
import json
import os
import selectors
import signal
import subprocess
import uuid
from collections.abc import Iterator, Mapping, Sequence
from time import monotonic
from typing import Any, NamedTuple

from cmdpack import children
from cmdpack.child import processes, streams, wire
from cmdpack.result import Ending, Leftover, Stream

_TICK = 0.05  # seconds between looks at the journal, which nobody announces
_OVERDUE = 1.0  # seconds after its deadline at which a silent supervisor is taken for stopped
_PATIENCE = 12.0  # seconds more until it is killed; it may need ten to end what is below it
_MARK = "CMDPACK_RUN"  # the environment variable that marks the processes of a run


class Recorded(NamedTuple):
    """A record that the runner wrote."""

    record: wire.Record


class Native(NamedTuple):
    """What something other than the runner's Python wrote to its descriptors 1 or 2."""

    stream: Stream
    text: str


class Ended(NamedTuple):
    """The last signal: no process of the run is left, unless `clean` is false."""

    ending: Ending
    leftovers: tuple[Leftover, ...]
    corrupt: str | None
    cpu: float | None
    clean: bool
    detail: str | None = None


Signal = Recorded | Native | Ended


class Control:
    """Lets another thread, or a signal handler, cancel a run: once politely, twice at once."""

    def __init__(self) -> None:
        self.cancelled = 0

    def cancel(self) -> None:
        """Ask for the end of the run."""
        self.cancelled += 1


class Supervision:
    """One supervised run. Iterate over `signals`; `close` ends everything, at any time."""

    def __init__(
        self,
        python: str,
        request: wire.Record,
        *,
        timeout: float,
        environment: Mapping[str, str],
        box: Mapping[str, Any] | None = None,
    ) -> None:
        """Start the processes; `timeout` is in seconds, `environment` is the runner's whole one.

        Where there is a `box`, the runner is in it (see `sandbox.order`).
        """
        self._received = b""
        self._report: dict[str, Any] | None = None
        self._runner = 0
        self._native_left = streams.LIMIT
        self._orders_given = 0
        self._overdue = monotonic() + timeout + _OVERDUE
        self._mark = f"{os.getpid()}-{uuid.uuid4()}"
        descriptor, self._memory = wire.create(request)
        self._reader = wire.Reader(self._memory)
        pipes = [os.pipe() for _ in range(2)]
        processes.become_subreaper()  # should the supervisor be killed, what is below it is ours
        try:
            order = {
                "command": _command(python, descriptor, box),
                "timeout": timeout,
                "stdout": pipes[0][1],
                "stderr": pipes[1][1],
                "keep": descriptor,
                "box": box if box and box.get("program") else None,
            }
            self._supervisor = _start(order, {**environment, _MARK: self._mark})
        except OSError:
            for readable, _ in pipes:
                os.close(readable)
            raise
        finally:
            for number in (descriptor, pipes[0][1], pipes[1][1]):
                os.close(number)
        self._selector = selectors.DefaultSelector()
        self._listen(pipes)

    def _listen(self, pipes: Sequence[tuple[int, int]]) -> None:
        names: tuple[Stream, Stream] = ("stdout", "stderr")
        for name, (readable, _) in zip(names, pipes, strict=True):
            os.set_blocking(readable, False)
            decoder = codecs.getincrementaldecoder("utf-8")("replace")
            self._selector.register(readable, selectors.EVENT_READ, (name, decoder))
        self._selector.register(_stdout_of(self._supervisor), selectors.EVENT_READ, None)

    def signals(self, control: Control) -> Iterator[Signal]:
        """Everything that happens, in order, the last being `Ended`."""
        try:
            while self._report is None:
                ready = self._selector.select(_TICK)
                # The journal first: output that is ready now was written after its unit started.
                yield from self._records()
                for key, _ in ready:
                    if key.data is None:
                        self._hear()
                    else:
                        yield from self._native(key)
                self._pass_on(control)
                self._hurry()
            yield from self._rest()
        finally:
            self.close()

    def _records(self, *, final: bool = False) -> Iterator[Recorded]:
        return map(Recorded, self._reader.read(final=final))

    def _native(self, key: selectors.SelectorKey) -> Iterator[Native]:
        stream, decoder = key.data
        try:
            data = os.read(key.fd, 65536)
        except BlockingIOError:
            return
        if not data:
            self._selector.unregister(key.fd)
            os.close(key.fd)
        shown = data[: max(self._native_left, 0)]
        self._native_left -= len(data)
        if text := decoder.decode(shown, final=not data):
            yield Native(stream, text)
        if self._native_left < 0:
            self._order("output-limit")

    def _hear(self) -> None:
        """Take in what the supervisor reports; its silence for ever means that it is gone."""
        received = os.read(_stdout_of(self._supervisor), 65536)
        if not received:
            self._report = {"reason": "supervisor-lost", **self._sweep()}
            return
        *lines, self._received = (self._received + received).split(b"\n")
        for report in map(json.loads, lines):
            if report["report"] == "started":
                self._runner = report["pid"]
            elif report["report"] == "ended":
                self._report = report

    def _sweep(self) -> dict[str, Any]:
        """End what a killed supervisor has left behind; its orphans have become our children."""
        left = self._left_behind()
        named = [process for process in left if process.pid != self._runner]
        leftovers = [{"pid": p.pid, "name": processes.name_of(p)} for p in named]
        clean = processes.end_all(self._left_behind, lambda: None)
        for process in left:
            with contextlib.suppress(ChildProcessError):  # of the others, another is the parent
                os.waitpid(process.pid, os.WNOHANG)
        return {"clean": clean, "leftovers": leftovers}

    def _left_behind(self) -> list[processes.Process]:
        found = processes.bearing(os.getpid(), f"{_MARK}={self._mark}")
        return [process for process in found if process.pid != self._supervisor.pid]

    def _pass_on(self, control: Control) -> None:
        if control.cancelled > 1:
            self._hang_up()
        elif control.cancelled > self._orders_given:
            self._orders_given = control.cancelled
            self._order("cancel")

    def _wake(self) -> None:
        """Let the supervisor go on: user code can stop it, and with it the deadline."""
        self._supervisor.send_signal(signal.SIGCONT)

    def _hurry(self) -> None:
        """Wake a supervisor that is overdue; one that does not come round is killed.

        User code that keeps stopping its supervisor is ended first. Were the supervisor killed
        over its head, this process would become its parent, and be the next that it stops.
        """
        late = monotonic() - self._overdue
        if late <= 0:
            return
        if late > _PATIENCE or processes.is_stopped(self._supervisor.pid):
            below = functools.partial(processes.descendants, self._supervisor.pid)
            processes.end_all(below, lambda: None)
        if late > _PATIENCE:
            self._supervisor.kill()
        else:
            self._wake()

    def _order(self, words: str) -> None:
        self._wake()
        if self._supervisor.stdin is not None and not self._supervisor.stdin.closed:
            with contextlib.suppress(OSError):
                os.write(self._supervisor.stdin.fileno(), words.encode() + b"\n")

    def _hang_up(self) -> None:
        self._wake()
        if self._supervisor.stdin is not None:
            self._supervisor.stdin.close()

    def _rest(self) -> Iterator[Signal]:
        """What was written before the end and not read yet, then the end."""
        for key in [*self._selector.get_map().values()]:
            if key.data is not None:
                while key.fd in self._selector.get_map() and self._native_left >= 0:
                    before = self._native_left
                    yield from self._native(key)
                    if before == self._native_left:
                        break
        yield from self._records(final=True)
        number, data = self._reader.pending()
        if data:
            name: Stream = "stderr" if number == 2 else "stdout"
            yield Native(name, data.decode(errors="replace"))
        yield self._ended(self._report or {})

    def _ended(self, report: dict[str, Any]) -> Ended:
        reason = "cancelled" if report["reason"] == "lost" else report["reason"]
        facts = {name: report.get(name) for name in ("status", "signal", "peak_memory")}
        ending = Ending.model_validate({"reason": reason, **facts})
        leftovers = tuple(Leftover.model_validate(found) for found in report.get("leftovers", ()))
        return Ended(
            ending,
            leftovers,
            self._reader.corrupt,
            report.get("cpu"),
            report.get("clean", False),
            report.get("detail"),
        )

    def close(self) -> None:
        """End the run if it still goes on, wait until nothing is left of it, free everything."""
        self._hang_up()
        self._await_supervisor()
        if self._supervisor.stdout is not None:
            self._supervisor.stdout.close()
        for key in [*self._selector.get_map().values()]:
            if key.data is not None:
                os.close(key.fd)
        self._selector.close()
        self._memory.close()

    def _await_supervisor(self) -> None:
        """Wait for the supervisor; end one that user code keeps stopping, and do its work."""
        self._overdue = monotonic() + _PATIENCE
        while self._supervisor.poll() is None:
            with contextlib.suppress(subprocess.TimeoutExpired):
                self._supervisor.wait(_TICK)
            self._hurry()
        if self._supervisor.returncode != 0:
            self._sweep()


def _command(python: str, channel: int, box: Mapping[str, Any] | None) -> list[str]:
    if box is None:
        return children.in_user_python(python, "runner", str(channel))
    confinement = {"channel": channel, **box["confinement"]}
    return children.isolated(python, "boxed", json.dumps(confinement))


def _start(order: dict[str, Any], environment: Mapping[str, str]) -> subprocess.Popen[bytes]:
    kept = (order["stdout"], order["stderr"], order["keep"])
    return subprocess.Popen(  # noqa: S603 - a list, no shell
        children.in_our_python("supervisor", json.dumps(order)),
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=order["stderr"],
        env=dict(environment),
        pass_fds=kept,
        start_new_session=True,
        bufsize=0,
    )


def _stdout_of(process: subprocess.Popen[bytes]) -> int:
    if process.stdout is None:
        raise AssertionError("the supervisor is started with a pipe for its reports")
    return process.stdout.fileno()
