"""What a tree of processes takes together, which no limit of a single process bounds."""

import contextlib
import os
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from . import processes

INTERVAL = 0.25  # seconds between two looks
_PAGE = os.sysconf("SC_PAGE_SIZE")
_RESERVE = 0.04  # the share of the machine's memory that a run must not touch


class Watchdog:
    """Looks at the memory and the files of a run.

    `order` is ``{"memory", "files", "mounts", "folder", "bytes"}``: bytes of memory, what lies in
    the file systems `mounts` of the box included; number of files in all of them; a folder of the
    host that the box may write, with its bytes.
    """

    def __init__(self, order: Mapping[str, Any], leader: Callable[[], int | None]) -> None:
        self._order = order
        self._leader = leader

    def problem(self, living: Sequence[processes.Process]) -> str | None:
        """What is too much, in words; None where all is well. `living` is the whole tree."""
        held, files = self._in_memory()
        limit = self._order["memory"]
        resident = held + sum(_resident(it.pid) for it in living)
        if resident > limit and held + sum(map(_proportional, living)) > limit:
            return f"its processes and files took more than {limit // 2**20} MiB of memory"
        if files > self._order["files"]:
            return f"it made more than {self._order['files']} files"
        if self._order["folder"] and _size(self._order["folder"]) > self._order["bytes"]:
            return f"its compile cache grew beyond {self._order['bytes'] // 2**20} MiB"
        if _is_short_of_memory():  # memory without a process too: shared, or of a memfd
            return "the machine was about to run out of memory"
        return None

    def _in_memory(self) -> tuple[int, int]:
        """Bytes and number of files in the file systems of the box."""
        leader, held, files = self._leader(), 0, 0
        for mount in self._order["mounts"] if leader else ():
            with contextlib.suppress(OSError):
                found = os.statvfs(f"/proc/{leader}/root{mount}")
                held += (found.f_blocks - found.f_bfree) * found.f_frsize
                files += found.f_files - found.f_ffree
        return held, files


def _resident(pid: int) -> int:
    try:
        with open(f"/proc/{pid}/statm", "rb") as stream:
            return int(stream.read().split()[1]) * _PAGE
    except (OSError, ValueError, IndexError):
        return 0


def _proportional(process: processes.Process) -> int:
    """Resident memory, shared pages divided among those that share them."""
    try:
        with open(f"/proc/{process.pid}/smaps_rollup", "rb") as stream:
            return sum(int(it.split()[1]) * 1024 for it in stream if it.startswith(b"Pss:"))
    except (OSError, ValueError, IndexError):
        return _resident(process.pid)


def _size(folder: str) -> int:
    """The bytes of the files of a folder, those of its subfolders included; links not followed."""
    found = 0
    with contextlib.suppress(OSError), os.scandir(folder) as entries:
        for entry in entries:
            with contextlib.suppress(OSError):
                if entry.is_dir(follow_symlinks=False):
                    found += _size(entry.path)
                found += max(entry.stat(follow_symlinks=False).st_blocks * 512, 512)
    return found


def _is_short_of_memory() -> bool:
    try:
        with open("/proc/meminfo", encoding="ascii") as stream:
            words = [line.split() for line in stream]
        facts = {word[0]: int(word[1]) for word in words}
        return facts["MemAvailable:"] < facts["MemTotal:"] * _RESERVE
    except (OSError, ValueError, LookupError):
        return False
