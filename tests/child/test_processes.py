"""Processes below another: finding them all, naming them, ending them all."""

import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator

import pytest

from cmdpack.child import processes

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="needs /proc")

Start = Callable[..., "subprocess.Popen[str]"]


def end_below(root: int) -> bool:
    return processes.end_all(lambda: processes.descendants(root), lambda: None)


@pytest.fixture
def start() -> Iterator[Start]:
    """Start a Python program that says on a line when it is ready; all below it are ended."""
    begun: list[subprocess.Popen[str]] = []

    def python(code: str) -> subprocess.Popen[str]:
        process = subprocess.Popen(
            [sys.executable, "-c", code], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )
        begun.append(process)
        assert process.stdout is not None
        assert process.stdout.readline() == "ready\n"
        return process

    yield python
    for process in begun:
        end_below(process.pid)
        process.kill()
        process.communicate()


TREE = """
import os, signal, time
for _ in range(3):
    if os.fork() == 0:
        for number in {*range(1, 32)} - {9, 19}:
            signal.signal(number, signal.SIG_IGN)
        os.setsid()
        if os.fork() == 0:
            time.sleep(60)
        os.wait()
time.sleep(0.2)
print("ready", flush=True)
signal.signal(signal.SIGCHLD, lambda *_: None)
while True:
    time.sleep(60)
"""


def test_all_below_a_process_are_found_and_ended(start: Start) -> None:
    root = start(TREE)
    found = processes.descendants(root.pid)
    assert len(found) == 6
    assert root.pid not in [process.pid for process in found]
    assert {processes.name_of(process).split()[1] for process in found} == {"-c"}
    assert end_below(root.pid)
    assert processes.descendants(root.pid) == []
    assert root.poll() is None


def test_all_are_ended_where_there_are_no_process_descriptors(
    start: Start, monkeypatch: pytest.MonkeyPatch
) -> None:
    root = start(TREE)
    monkeypatch.delattr(os, "pidfd_open")
    assert end_below(root.pid)
    assert processes.descendants(root.pid) == []


def test_those_that_bear_a_mark_are_found(start: Start) -> None:
    root = start(
        "import subprocess, sys\n"
        "for mark in ('MINE=a7', 'MINE=b8'):\n"
        "    subprocess.Popen(['sleep', '60'], env=dict([mark.split('=')]))\n"
        "print('ready', flush=True)\n"
        "sys.stdin.read()"
    )
    [found] = processes.bearing(root.pid, "MINE=a7")
    assert processes.name_of(found) == "sleep 60"


def test_those_that_keep_forking_are_ended_too(start: Start) -> None:
    root = start("""
import ctypes, os, signal, time
ctypes.CDLL(None).prctl(36, 1, 0, 0, 0)  # as the supervisor: orphans below it stay below it
signal.signal(signal.SIGCHLD, signal.SIG_IGN)
if os.fork() == 0:
    limit = time.monotonic() + 20
    while time.monotonic() < limit:  # a process that is always another
        if os.fork():
            os._exit(0)
        time.sleep(0.001)
    os._exit(0)
print("ready", flush=True)
time.sleep(60)
""")
    assert end_below(root.pid)
    assert processes.descendants(root.pid) == []


def test_a_process_whose_first_thread_ended_still_lives(start: Start) -> None:
    root = start("""
import ctypes, os, threading, time
if os.fork() == 0:
    threading.Thread(target=time.sleep, args=(60,)).start()
    ctypes.CDLL(None).syscall({"x86_64": 60}.get(os.uname().machine, 93), 0)
time.sleep(0.3)
print("ready", flush=True)
os.wait()
time.sleep(60)
""")
    [found] = processes.descendants(root.pid)
    assert found.state == "Z"
    assert found.living
    assert end_below(root.pid)
    assert processes.descendants(root.pid) == []


def test_the_dead_are_not_counted_and_have_a_name(start: Start) -> None:
    start("print('ready', flush=True)")
    time.sleep(0.1)
    zombies = [
        found
        for name in processes._numbers("/proc")
        if (found := processes._read(name)) and found.parent == os.getpid() and found.state == "Z"
    ]
    assert zombies
    assert processes.descendants(os.getpid()) == []
    assert processes.name_of(zombies[0]).startswith("[python")
    gone = zombies[0]._replace(pid=2**22 + 1)
    assert processes.name_of(gone) == "[gone]"


def test_a_namesake_is_never_signalled(start: Start) -> None:
    root = start("import time; print('ready', flush=True); time.sleep(60)")
    seen = processes._read(str(root.pid))
    assert seen is not None
    processes._signal(seen._replace(start=seen.start - 1), 9)
    processes._signal(seen._replace(pid=2**22 + 1), 9)
    time.sleep(0.1)
    assert root.poll() is None
    processes._signal(seen, 9)
    assert root.wait() == -9


def test_a_name_with_parentheses_is_read(start: Start) -> None:
    root = start("""
import ctypes, time
ctypes.CDLL(None).prctl(15, b") R 1 (x", 0, 0, 0)
print("ready", flush=True)
time.sleep(60)
""")
    seen = processes._read(str(root.pid))
    assert seen is not None
    assert (seen.pid, seen.parent) == (root.pid, os.getpid())
    assert seen.state in "RS"
