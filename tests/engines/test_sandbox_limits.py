"""Floods in the real sandbox, each bounded, and each once with only its own limit raised."""

import os
from collections.abc import Callable
from typing import Any

import pytest

from cmdpack import sandbox

Run = Callable[..., Any]
MIB = 2**20


pytestmark = pytest.mark.usefixtures("full_sandbox")


@pytest.fixture
def boxed(run_code: Run, monkeypatch: pytest.MonkeyPatch) -> Run:
    """Run fences of Python in a sandbox with limits of the test's own."""

    def to_its_end(*fences: str, limits: dict[str, int] | None = None, **places: Any) -> Any:
        if limits is not None:
            usual = sandbox.limits(gpu=False)
            monkeypatch.setattr(sandbox, "limits", lambda *, gpu: {**usual, **limits})
        for name, value in places.items():
            monkeypatch.setattr(sandbox, name, value)
        ran = run_code(*fences, sandbox="auto", timeout=60.0, keep_going=False)
        monkeypatch.undo()
        assert ran.result.sandbox == "full"
        return ran

    return to_its_end


FORKS = """
import os, time
children = []
try:
    for _ in range(120):
        if (child := os.fork()) == 0:
            time.sleep(60)
            os._exit(0)
        children.append(child)
except OSError as error:
    print(error.errno, end=" ")
print(len(children) == 120)
"""


def test_a_fork_bomb(boxed: Run) -> None:
    assert boxed(FORKS, limits={"processes": 400}).stdout == "True\n", "the control"
    ran = boxed(FORKS, limits={"processes": 60})
    assert ran.stdout == "11 False\n"


def test_threads_count(boxed: Run) -> None:
    code = (
        "import threading, time\nfor _ in range(100):\n"
        "    threading.Thread(target=time.sleep, args=(1,)).start()"
    )
    assert boxed(code, limits={"processes": 400}).result.outcome == "ok", "the control"
    ran = boxed(code, limits={"processes": 60})
    assert ran.last.error.type == "RuntimeError"
    assert "only so many processes and threads" in ran.last.error.advice.cause


def test_the_usual_limits_bind(boxed: Run) -> None:
    code = "import resource as r\nprint(*[r.getrlimit(getattr(r, 'RLIMIT_' + n)) for n in WORDS])"
    words = ("DATA", "NPROC", "FSIZE", "NOFILE", "CORE")
    found = boxed(code.replace("WORDS", repr(words))).stdout
    usual = sandbox.limits(gpu=False).values()
    assert found == " ".join(f"({it}, {it})" for it in usual) + "\n"
    raised = boxed("import resource as r\nr.setrlimit(r.RLIMIT_NPROC, (9999, 9999))")
    assert raised.last.error.type == "ValueError"


def test_memory_of_one_process(boxed: Run) -> None:
    code = "import mmap\nmemory = bytearray(200 * 2**20)\nprint(len(memory))"
    assert boxed(code, limits={"data": 1024 * MIB}).result.outcome == "ok", "the control"
    ran = boxed(code, limits={"data": 128 * MIB})
    assert (ran.last.error.type, ran.result.outcome) == ("MemoryError", "out-of-memory")


def test_an_array_that_is_too_large(boxed: Run) -> None:
    pytest.importorskip("jax")
    ran = boxed("import jax.numpy as jnp\nx = jnp.ones((10**5, 10**5)).block_until_ready()")
    assert ran.result.outcome == "out-of-memory"
    assert ran.result.ending.reason == "exit"


TREE = """
import os, time
for _ in range(3):
    if os.fork() == 0:
        memory = bytearray(80 * 2**20)
        time.sleep(3)
        os._exit(0)
time.sleep(2)
print("went on")
"""


def test_memory_of_many_processes(boxed: Run) -> None:
    assert boxed(TREE).stdout == "went on\n", "the control"
    ran = boxed(TREE, _memory_limit=lambda: 150 * MIB)
    assert (ran.result.outcome, ran.result.ending.reason) == ("out-of-memory", "memory-limit")
    assert "more than 150 MiB of memory" in ran.result.reason


DISK = """
with open("flood", "wb") as stream:
    for _ in range(24):
        stream.write(bytes(2**20))
print("all")
"""


@pytest.mark.parametrize("folder", [".", "/tmp", "/dev/shm"])
def test_a_flood_of_bytes(boxed: Run, folder: str) -> None:
    code = DISK.replace('"flood"', f'"{folder}/flood"')
    assert boxed(code, SCRATCH_BYTES=64 * MIB).stdout == "all\n", "the control"
    ran = boxed(code, SCRATCH_BYTES=16 * MIB)
    assert "No space left" in ran.last.error.message
    assert "scratch folder of the sandbox is full" in ran.last.error.advice.cause


def test_a_large_file(boxed: Run) -> None:
    assert boxed(DISK, limits={"file": 64 * MIB}).stdout == "all\n", "the control"
    ran = boxed(DISK, limits={"file": 16 * MIB})
    assert "File too large" in ran.last.error.message


INODES = """
import time
for number in range(3000):
    open(f"{number}", "w").close()
time.sleep(1.5)
print("all")
"""


def test_a_flood_of_files(boxed: Run) -> None:
    assert boxed(INODES).stdout == "all\n", "the control"
    ran = boxed(INODES, FILES=1000)
    assert ran.result.ending.reason == "memory-limit"
    assert "more than 1000 files" in ran.result.reason


CACHE = """
import time
for number in range(16):
    with open(f"/cache/{number}", "wb") as stream:
        stream.write(bytes(2**20))
time.sleep(1.5)
print("all")
"""


def test_a_flood_of_the_compile_cache(boxed: Run) -> None:
    pytest.importorskip("jax")
    assert boxed(CACHE).stdout == "all\n", "the control"
    ran = boxed(CACHE, CACHE_BYTES=4 * MIB)
    assert ran.result.ending.reason == "memory-limit"
    assert "compile cache" in ran.result.reason


def test_descriptors(boxed: Run) -> None:
    code = "import os\nfor _ in range(300): os.dup(1)\nprint('all')"
    assert boxed(code).stdout == "all\n", "the control"
    ran = boxed(code, limits={"descriptors": 100})
    assert ran.last.error.type == "OSError"


def test_descriptors_of_others_are_closed(boxed: Run) -> None:
    readable, writable = os.pipe()
    os.set_inheritable(readable, True)
    ran = boxed("import os\nprint(len(os.listdir('/proc/self/fd')))")
    os.close(readable)
    os.close(writable)
    assert ran.stdout == "4\n"  # the three of every process, and that of the listing


@pytest.mark.parametrize(
    "statement", ["os.system('yes')", "print('x' * 100_000_000)", "os.write(2, b'x' * 9_000_000)"]
)
def test_a_flood_of_output(boxed: Run, statement: str) -> None:
    assert boxed(f"import os\n{statement}").result.outcome == "output-limit"


def test_input_is_at_its_end_and_there_is_no_terminal(boxed: Run) -> None:
    assert boxed("input()").last.error.type == "EOFError"
    assert boxed("open('/dev/tty')").last.error.type == "OSError"
