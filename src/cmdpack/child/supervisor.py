"""Between cmdpack and a runner: holds the deadline, and leaves no process behind.

Started in a session of its own. Standard input is its lifeline: a line ``cancel`` or
``output-limit`` is an order, its end means that cmdpack is gone. Standard output carries one JSON
report a line: ``started``, then ``ended``, which is written only when nothing is left running.
"""

import contextlib
import json
import os
import resource
import select
import signal
import sys
import time
from typing import Any

from . import boxes, processes, watchdog

_CANCEL_GRACE = 1.0  # seconds that a cancelled runner has to clean up after its KeyboardInterrupt
_EXIT_GRACE = (
    0.2  # seconds for helpers (a resource tracker, say) to follow their runner by themselves
)


def main(arguments: list[str]) -> None:
    """Run the command of one order: ``{"command", "timeout", "stdout", "stderr", "keep", "box"}``.

    `timeout` is in seconds; the rest are descriptors, `keep` one that the runner inherits as it is.
    A `box` is what `boxes.execute` wants, and under ``watch`` what `watchdog.Watchdog` wants.
    """
    order = json.loads(arguments[0])
    processes.become_subreaper()
    waker = _wake_on_child()
    try:
        runner = _start(order)
    except OSError as error:
        _report({"report": "ended", "reason": "not-started", "clean": True, "error": str(error)})
        return
    for descriptor in (order["stdout"], order["stderr"], order["keep"]):
        os.close(descriptor)
    _report({"report": "started", "pid": runner})
    watch = _Watch(runner, waker, time.monotonic() + order["timeout"], order["box"])
    reason = watch.until_over()
    _report({"report": "ended", "reason": reason, **watch.clean_up(reason)})


def _wake_on_child() -> int:
    """A descriptor that becomes readable when a child ends."""
    readable, writable = os.pipe()
    os.set_blocking(writable, False)
    signal.set_wakeup_fd(writable, warn_on_full_buffer=False)
    signal.signal(signal.SIGCHLD, lambda *_: None)
    return readable


def _start(order: dict[str, Any]) -> int:
    """Fork and execute the runner. Returns its process number."""
    command = order["command"]
    if not os.access(command[0], os.X_OK):
        raise FileNotFoundError(f"{command[0]} is not a program that can be executed")
    supervisor = os.getpid()
    pid = os.fork()
    if pid:
        return pid
    try:
        processes.die_with_parent(supervisor)
        os.setsid()
        signal.set_wakeup_fd(-1)
        for number in (signal.SIGCHLD, signal.SIGPIPE, signal.SIGINT):
            signal.signal(number, signal.SIG_DFL)
        nothing = os.open(os.devnull, os.O_RDONLY)
        os.dup2(nothing, 0)
        os.dup2(order["stdout"], 1)
        os.dup2(order["stderr"], 2)
        os.close(order["stdout"])
        os.close(order["stderr"])
        if order["box"] is not None:
            boxes.execute(order["box"], command, supervisor)
        os.execv(command[0], command)
    except OSError as error:
        os.write(2, f"cmdpack: {error}\n".encode())
    finally:
        os._exit(127)


class _Watch:
    """Waits for the first of: the runner's end, an order, the loss of cmdpack, a limit.

    A limit is the deadline, and for a box what its processes and files may take together. Of a box,
    `runner` is the process around it.
    """

    def __init__(
        self, runner: int, waker: int, deadline: float, box: dict[str, Any] | None
    ) -> None:
        self._runner = runner
        self._dog = watchdog.Watchdog(box["watch"], self._leader) if box else None
        self._looked = 0.0
        self._others = _Usage()
        self._boxed = box is not None
        self.detail: str | None = None
        self._waker = waker
        self._deadline = deadline
        self._orders = b""
        self.ending: dict[str, Any] = {}

    def until_over(self) -> str:
        """Block until it is over. Returns the reason."""
        poll = select.poll()
        poll.register(0, select.POLLIN)
        poll.register(self._waker, select.POLLIN)
        while True:
            remaining = self._deadline - time.monotonic()
            if remaining <= 0:
                return "deadline"
            ready = dict(poll.poll(min(remaining, self._patience()) * 1000))
            if self._waker in ready:
                os.read(self._waker, 4096)
            if self._ended():
                return "deadline" if self._killed_when_late() else "exit"
            if 0 in ready and (reason := self._obey()) is not None:
                return reason
            if self._takes_too_much():
                return "memory-limit"

    def _patience(self) -> float:
        """Seconds until there is something to look at."""
        return 3600 if self._dog is None else watchdog.INTERVAL

    def _takes_too_much(self) -> bool:
        now = time.monotonic()
        if self._dog is None or now - self._looked < watchdog.INTERVAL:
            return False
        self._looked = now
        self.detail = self._dog.problem(processes.descendants(os.getpid()))
        return self.detail is not None

    def _leader(self) -> int | None:
        """The process that runs the examples, seen from here."""
        if not self._boxed:
            return self._runner
        found = boxes.leader(self._runner)
        return None if found is None else found.pid

    def _killed_when_late(self) -> bool:
        """Whether the runner was killed for the deadline, while this process was kept stopped."""
        late = time.monotonic() >= self._deadline
        return late and self.ending["signal"] == signal.SIGKILL.name

    def _obey(self) -> str | None:
        received = os.read(0, 4096)
        if not received:
            return "lost"
        *words, self._orders = (self._orders + received).split(b"\n")
        for word in words:
            if word == b"cancel":
                self._interrupt()
                return "cancelled"
            if word == b"output-limit":
                return "output-limit"
        return None

    def _interrupt(self) -> None:
        """Let the runner clean up, for a moment; anything more from cmdpack cuts this short."""
        leader = self._leader()
        if leader is None:  # the box is not ready yet
            return
        with contextlib.suppress(ProcessLookupError):
            os.kill(leader, signal.SIGINT)
        limit = time.monotonic() + _CANCEL_GRACE
        while not self._ended() and (remaining := limit - time.monotonic()) > 0:
            ready, _, _ = select.select([self._waker, 0], [], [], remaining)
            if 0 in ready:
                return
            if ready:
                os.read(self._waker, 4096)

    def _ended(self) -> bool:
        self.collect()
        return bool(self.ending)

    def collect(self) -> None:
        """Reap every child that has ended, orphans among them, and keep the runner's status."""
        with contextlib.suppress(ChildProcessError):
            while True:
                pid, status, usage = os.wait4(-1, os.WNOHANG)
                if pid == 0:
                    return
                if pid == self._runner:
                    self.ending = _ending(status, usage, boxed=self._boxed)
                elif self._boxed:
                    self._others.add(usage)

    def clean_up(self, reason: str) -> dict[str, Any]:
        """End everything below this process; name what had outlived a runner that ended itself."""
        me = os.getpid()
        leftovers = []
        if reason == "exit":
            limit = time.monotonic() + _EXIT_GRACE
            while (living := processes.descendants(me)) and time.monotonic() < limit:
                time.sleep(0.005)
                self.collect()
            leftovers = [{"pid": p.pid, "name": processes.name_of(p)} for p in living]
        if sys.platform != "linux":
            self._end_group()
        clean = processes.end_all(lambda: processes.descendants(me), self.collect)
        return {
            "clean": clean,
            "leftovers": leftovers,
            "detail": self.detail,
            **self._others.added_to(self.ending),
        }

    def _end_group(self) -> None:
        """Without /proc, the runner's own process group is all that is known to be below it."""
        with contextlib.suppress(OSError):
            os.killpg(self._runner, signal.SIGKILL)
        while not self._ended():
            time.sleep(0.005)


class _Usage:
    """What the processes of a box took that ended as orphans: the first one of it does."""

    def __init__(self) -> None:
        self._peak = 0
        self._cpu = 0.0

    def add(self, usage: resource.struct_rusage) -> None:
        self._peak = max(self._peak, usage.ru_maxrss * _SCALE)
        self._cpu += usage.ru_utime + usage.ru_stime

    def added_to(self, ending: dict[str, Any]) -> dict[str, Any]:
        if not ending:
            return ending
        peak, cpu = max(self._peak, ending["peak_memory"]), self._cpu + ending["cpu"]
        return {**ending, "peak_memory": peak, "cpu": cpu}


_SCALE = 1 if sys.platform == "darwin" else 1024


def _ending(status: int, usage: resource.struct_rusage, *, boxed: bool) -> dict[str, Any]:
    code = os.waitstatus_to_exitcode(status)
    if boxed and code - 128 in signal.valid_signals():  # as bubblewrap passes a signal on
        code = 128 - code
    return {
        "status": code if code >= 0 else None,
        "signal": _name_of(-code) if code < 0 else None,
        "peak_memory": usage.ru_maxrss * _SCALE,
        "cpu": usage.ru_utime + usage.ru_stime,
    }


def _name_of(number: int) -> str:
    """The name of a signal; of the real-time signals, only the first and the last have one."""
    try:
        return signal.Signals(number).name
    except ValueError:
        return f"signal {number}"


def _report(report: dict[str, Any]) -> None:
    """Tell cmdpack; if it is gone, there is nobody to tell."""
    with contextlib.suppress(OSError):
        os.write(1, json.dumps(report).encode() + b"\n")
