"""The processes below this one: finding them all, and ending them all. Linux finds them in /proc.

Elsewhere only the process group of the runner is known, and the promise is best-effort.
"""

import contextlib
import ctypes
import os
import signal
import sys
import time
from collections.abc import Callable
from typing import NamedTuple

_PR_SET_PDEATHSIG = 1
_PR_SET_CHILD_SUBREAPER = 36
_PATIENCE = 10.0  # seconds until a process that cannot be killed is given up (stuck in the kernel)


class Process(NamedTuple):
    """A process as /proc shows it; `start`, in clock ticks since boot, tells it from a namesake."""

    pid: int
    parent: int
    start: int
    state: str
    threads: int

    @property
    def living(self) -> bool:
        """Whether anything of it still runs: when its first thread has ended, others may go on."""
        return self.state not in "ZX" or self.threads > 1


def become_subreaper() -> None:
    """Make orphans below this process its children, so that none can leave by double fork."""
    _prctl(_PR_SET_CHILD_SUBREAPER, 1)


def die_with_parent(parent: int) -> None:
    """Have the kernel kill this process when `parent`, which must have started it, ends."""
    _prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
    if os.getppid() != parent:
        os._exit(1)


def _prctl(option: int, value: int) -> None:
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(option, value, 0, 0, 0)


def descendants(root: int) -> list[Process]:
    """Every living process below `root`, zombies left out."""
    children: dict[int, list[Process]] = {}
    for name in _numbers("/proc"):
        if (process := _read(name)) is not None:
            children.setdefault(process.parent, []).append(process)
    found: list[Process] = []
    queue = [root]
    while queue:
        below = children.get(queue.pop(), [])
        found += [process for process in below if process.living]
        queue += [process.pid for process in below]
    return found


def bearing(root: int, mark: str) -> list[Process]:
    """Those of `descendants` that were started with `mark` somewhere in their environment."""
    return [process for process in descendants(root) if mark.encode() in _environment(process)]


def _environment(process: Process) -> bytes:
    with contextlib.suppress(OSError), open(f"/proc/{process.pid}/environ", "rb") as stream:
        return stream.read()
    return b""


def is_stopped(pid: int) -> bool:
    """Whether a process has been stopped by a signal and does not run."""
    process = _read(str(pid))
    return process is not None and process.state in "Tt"


def name_of(process: Process) -> str:
    """The command line of `process`, or its short name in brackets."""
    for file, form in (("cmdline", "{}"), ("comm", "[{}]")):
        with contextlib.suppress(OSError), open(f"/proc/{process.pid}/{file}", "rb") as stream:
            text = stream.read(200).replace(b"\0", b" ").decode(errors="replace").strip()
            if text:
                return form.format(text)
    return "[gone]"


def end_all(find: Callable[[], list[Process]], reap: Callable[[], object]) -> bool:
    """Kill all that `find` finds and wait until it finds none; False if something stays.

    Processes are stopped first, until no new one appears: what is stopped cannot fork away.
    `reap` collects the children of this process that have ended.
    """
    deadline = time.monotonic() + _PATIENCE
    stopped: set[tuple[int, int]] = set()
    while new := [p for p in find() if (p.pid, p.start) not in stopped]:
        for process in new:
            _signal(process, signal.SIGSTOP)
            stopped.add((process.pid, process.start))
        if time.monotonic() > deadline:
            break
    while living := find():
        for process in living:
            _signal(process, signal.SIGKILL)
        reap()
        if time.monotonic() > deadline:
            return False
        time.sleep(0.001)
    reap()
    return True


def _signal(process: Process, number: int) -> None:
    """Signal exactly this process: its number may have passed to another since it was seen."""
    handle = _handle(process.pid)
    with contextlib.suppress(OSError):
        seen = _read(str(process.pid))
        if seen is not None and seen.start == process.start:
            if handle is None:
                os.kill(process.pid, number)
            else:
                signal.pidfd_send_signal(handle, number)
    if handle is not None:
        os.close(handle)


def _handle(pid: int) -> int | None:
    """A descriptor of the process, where both the kernel and this build of Python have them."""
    with contextlib.suppress(OSError, AttributeError):
        return os.pidfd_open(pid)
    return None


def _numbers(folder: str) -> list[str]:
    try:
        return [name for name in os.listdir(folder) if name.isdecimal()]
    except OSError:
        return []


def _read(pid: str) -> Process | None:
    try:
        with open(f"/proc/{pid}/stat", "rb") as stream:
            text = stream.read()
    except OSError:
        return None
    # The second field is a name in parentheses, which may itself hold spaces and parentheses.
    fields = text[text.rindex(b")") + 2 :].split()
    return Process(int(pid), int(fields[1]), int(fields[19]), fields[0].decode(), int(fields[17]))
