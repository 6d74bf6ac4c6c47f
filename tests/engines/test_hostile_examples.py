"""Examples that break what they can reach. Nothing of it is taken for success, nothing is left."""

import json
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import psutil
import pytest

from cmdpack.events import Event, OutputWritten, UnitStarted
from cmdpack.supervision import Control

Run = Callable[..., Any]
Document = Callable[..., Path]
Follow = Callable[..., Iterator[Event]]
Processes = Callable[[], list[psutil.Process]]

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="needs /proc")


def wait_until(condition: Callable[[], bool], seconds: float = 5.0) -> bool:
    limit = time.monotonic() + seconds
    while not (found := condition()) and time.monotonic() < limit:
        time.sleep(0.01)
    return found


# The channel


@pytest.mark.parametrize(
    "closing",
    [
        "os.closerange(0, 65536)",
        "for n in range(999):\n    try: os.close(n)\n    except OSError: pass",
        "sys.stdout.close(); sys.stderr.close(); sys.stdin.close()",
        "nothing = os.open(os.devnull, os.O_RDWR); os.dup2(nothing, 1); os.dup2(nothing, 2)",
    ],
)
def test_descriptors_may_be_closed(run_code: Run, closing: str) -> None:
    ran = run_code(f"import os, sys\nprint('before')\nout = sys.stdout\n{closing}", "x = 1")
    assert set(ran.outcomes) == {"ok"}
    assert ran.result.outcome == "ok"
    assert ran.stdout == "before\n"


def test_what_is_printed_after_everything_is_closed_is_not_lost(run_code: Run) -> None:
    ran = run_code("import os\nprint('before')\nos.closerange(0, 65536)\nprint('after')")
    assert ran.result.outcome == "ok"
    assert ran.stdout == "before\nafter\n"


@pytest.mark.parametrize(
    "statement",
    [
        "for _ in range(100): print('x' * 1_000_000)",
        "for _ in range(100): sys.stdout.buffer.write(b'x' * 1_000_000)",
        "for _ in range(100): os.write(1, b'x' * 1_000_000)",
        "os.system('yes')",
        "print('x' * 100_000_000)",
        "while True: print('\\x00' * 100_000)",
        "while True: print('a'); print('b', file=sys.stderr)",
    ],
)
def test_a_flood_of_output_is_an_output_limit(run_code: Run, statement: str) -> None:
    before = psutil.Process().memory_info().rss
    ran = run_code(f"import os, sys\n{statement}\nnever = 1")
    assert ran.last.outcome == "blocked"
    assert ran.outcomes == ["ok", "output-limit", "blocked"]
    assert ran.result.outcome == "output-limit"
    assert sum(len(event.text) for event in ran.only(OutputWritten)) <= 4 * 2**20
    assert psutil.Process().memory_info().rss - before < 120 * 2**20


@pytest.mark.parametrize(
    "patch",
    [
        "import json; json.dumps = json.JSONEncoder.encode = json.JSONEncoder.iterencode = None",
        "import json; json.JSONEncoder = json.JSONDecoder = json.loads = None",
        "import sys; sys.modules['json'] = sys.modules['os'] = sys.modules['ctypes'] = None",
        "import time; time.perf_counter = time.sleep = time.monotonic = None",
        "import os; os.getpid = lambda: 1",
        "import os; os.write = os.fstat = None",
        "import sys; sys.stdout = sys.stderr = sys.__stdout__ = None",
        "import sys; sys.stdout.write = sys.stdout.flush = None",
        "import builtins; builtins.print = builtins.open = builtins.input = None",
        "import warnings; warnings.showwarning = warnings.warn_explicit = warnings.warn = None",
        "import ast, linecache, threading; ast.Module = ast.parse = linecache.getline = None",
        "import zlib, struct, codecs; zlib.crc32 = struct.Struct = codecs.lookup = None",
        "import sys; sys.modules.clear()",
        "import sys; sys.meta_path.clear(); sys.path.clear(); sys.path_hooks.clear()",
        "import sys; sys.setrecursionlimit(60)",
        "import gc; gc.disable(); gc.set_threshold(1)",
        "import signal; signal.signal(14, lambda *_: print('x')); signal.setitimer(0, 0.001)",
    ],
)
def test_patched_modules_lose_no_record(run_code: Run, patch: str) -> None:
    ran = run_code(patch, "x = 1", "y = 1 / 0", "z = 2")
    assert ran.outcomes[-1] == "skipped"
    assert ran.outcomes[-2] == "failed"
    assert set(ran.outcomes[:-2]) == {"ok"}
    assert ran.last.error.type == "ZeroDivisionError"
    assert ran.result.ending.status == 0
    assert ran.result.outcome == "failed"


@pytest.mark.parametrize(
    "attack",
    [
        "memory.close()",
        "memory[:] = bytes(len(memory))",
        "writer.append({'record': 'hello'}); memory[writer._position - 3] ^= 1",
        "writer._number += 1",
        "writer._position += 1",
        "writer.append({'record': 'unit-finished', 'unit': 'none'})",
        "writer.append({'record': ['unit-finished']})",
        "writer.append({})",
        "writer.append({'record': 'warning', 'message': 3})",
        "writer.append({'record': 'output', 'stream': 'other', 'text': 'x'})",
    ],
)
def test_who_finds_the_channel_and_breaks_it_never_succeeds(run_code: Run, attack: str) -> None:
    ran = run_code(
        f"""
        import gc
        [writer] = [it for it in gc.get_objects() if type(it).__name__ == "Writer"]
        memory = writer._memory
        {attack}
        x = 1
        """
    )
    assert ran.result.outcome == "crashed"
    assert ran.result.reason


@pytest.mark.parametrize("value", ["bytes(8)", "b'\\xff' * 8"])
def test_an_overwritten_position_is_written_anew(run_code: Run, value: str) -> None:
    ran = run_code(f"""
        import gc
        [writer] = [it for it in gc.get_objects() if type(it).__name__ == "Writer"]
        writer._memory[64:72] = {value}
        print("on")
    """)
    assert ran.result.outcome == "ok"
    assert ran.stdout == "on\n"


# The end of the process


@pytest.mark.parametrize(
    ("statement", "reason"),
    [
        ("os._exit(0)", "ended without its closing record, status 0"),
        ("os._exit(7)", "ended without its closing record, status 7"),
        ("ctypes.string_at(0)", "killed by SIGSEGV"),
        ("os.abort()", "killed by SIGABRT"),
        ("os.kill(os.getpid(), signal.SIGKILL)", "killed by SIGKILL"),
        ("os.kill(os.getpid(), signal.SIGTERM)", "killed by SIGTERM"),
        ("os.kill(os.getpid(), 40)", "killed by signal 40"),
        ("os.execv('/bin/true', ['true'])", "ended without its closing record, status 0"),
        ("threading.Thread(target=os._exit, args=(0,)).start(); time.sleep(9)", "status 0"),
        ("os.kill(os.getppid(), signal.SIGKILL); time.sleep(9)", "the supervisor of the run"),
    ],
)
def test_the_death_of_the_process_is_a_crash(
    run_code: Run, processes: Processes, statement: str, reason: str
) -> None:
    ran = run_code(
        "import ctypes, os, signal, sys, threading, time\nfine = 1",
        f"""
        print("last words")
        print("no newline", end="")
        if True:
            {statement}
        print("never")
        """,
    )
    assert ran.outcomes == ["ok"] * 4 + ["crashed", "blocked"]
    assert ran.result.outcome == "crashed"
    assert reason in ran.result.units[4].reason
    assert ran.result.units[5].reason == ran.result.units[4].reason
    assert ran.stdout == "last words\nno newline"
    assert ran.result.units[4].error.line == ran.result.units[4].line
    assert ran.result.leftovers == ()
    assert wait_until(lambda: not processes())


@pytest.mark.parametrize(
    "statement",
    [
        "atexit.register(os._exit, 0)",
        "atexit.register(os.kill, os.getpid(), 9)",
        "threading.Thread(target=lambda: (time.sleep(0.2), os._exit(0))).start()",
    ],
)
def test_a_death_after_the_last_unit_is_a_crash_too(run_code: Run, statement: str) -> None:
    ran = run_code(f"import atexit, os, threading, time\n{statement}")
    assert set(ran.outcomes) == {"ok"}
    assert ran.result.outcome == "crashed"
    assert "after the last unit, in a thread or an exit handler" in ran.result.reason


# Deadlines

END_OF_THREAD = "ctypes.CDLL(None).syscall({'x86_64': 60}.get(os.uname().machine, 93), 0)"


@pytest.mark.parametrize(
    "statement",
    [
        "time.sleep(60)",
        "while True: pass",
        "for n in {*range(1, 32)} - {9, 19}: signal.signal(n, signal.SIG_IGN)\ntime.sleep(60)",
        "os.kill(os.getpid(), signal.SIGSTOP)",
        "os.fork(); os.fork(); time.sleep(60)",
        # The first thread alone ends: the process looks like a zombie, and goes on.
        f"threading.Thread(target=time.sleep, args=(60,)).start()\n{END_OF_THREAD}",
    ],
)
def test_a_hang_is_a_timeout_at_its_deadline(
    run_code: Run, processes: Processes, statement: str
) -> None:
    start = time.monotonic()
    ran = run_code(
        f"import ctypes, os, signal, threading, time\nprint('on')\n{statement}\nnever = 1",
        timeout=1.0,
    )
    assert time.monotonic() - start < 3.0
    assert ran.result.outcome == "timeout"
    assert ran.outcomes[-2:] == ["timeout", "blocked"]
    assert ran.result.reason == "the run's 1 s were over"
    assert ran.stdout == "on\n"
    assert processes() == []


@pytest.mark.parametrize(
    "statement",
    [
        "threading.Thread(target=time.sleep, args=(60,)).start()",
        "atexit.register(time.sleep, 60)",
    ],
)
def test_a_hang_after_the_last_unit_is_named(run_code: Run, statement: str) -> None:
    ran = run_code(f"import atexit, threading, time\n{statement}", timeout=1.0)
    assert set(ran.outcomes) == {"ok"}
    assert ran.result.outcome == "timeout"
    assert ran.result.reason.endswith("after the last unit, in a thread or an exit handler")


# Processes of an example

DAEMON = """
import os, signal, time
def daemon():
    for number in {*range(1, 32)} - {9, 19}:
        signal.signal(number, signal.SIG_IGN)
    os.closerange(0, 65536)
    while True:
        time.sleep(1)
if os.fork() == 0:
    os.setsid()
    if os.fork() == 0:
        daemon()
    os._exit(0)
os.wait()
"""


@pytest.mark.parametrize("after", ["print('on')", "1 / 0", "os._exit(0)", "time.sleep(60)"])
def test_a_daemon_changes_no_outcome_and_does_not_survive(
    run_code: Run, processes: Processes, after: str
) -> None:
    ran = run_code(DAEMON, f"{after}\nlast = 1", timeout=1.5)
    expected = {"1 / 0": "failed", "os._exit(0)": "crashed", "time.sleep(60)": "timeout"}
    assert ran.result.outcome == expected.get(after, "ok")
    assert processes() == []
    if after != "time.sleep(60)":  # whoever is killed at a deadline has outlived nothing
        [leftover] = ran.result.leftovers
        assert not psutil.pid_exists(leftover.pid)
        assert "python" in leftover.name
        assert any(str(leftover.pid) in note.message for note in ran.result.notes)


def test_a_crowd_of_children_does_not_survive(run_code: Run, processes: Processes) -> None:
    ran = run_code(
        """
        import os, time
        for _ in range(5):
            os.fork()
        time.sleep(60)
    """,
        timeout=1.5,
    )
    assert ran.result.outcome == "timeout"
    assert processes() == []


def test_a_child_that_goes_on_with_the_examples_reports_nothing(run_code: Run) -> None:
    ran = run_code("""
        import os, sys
        child = os.fork()
        if child:
            _, status = os.waitpid(child, 0)
        print("parent" if child else "child", flush=True)
        sys.exit(0 if child and os.waitstatus_to_exitcode(status) == 3 else 3)
    """)
    assert ran.result.outcome == "ok"
    assert sorted(ran.stdout.split()) == ["child", "parent"]
    assert len({unit.id for unit in ran.result.units}) == len(ran.result.units)


@pytest.mark.parametrize(
    "statement",
    [
        "multiprocessing.get_context('spawn').Process(target=print).start()",
        "multiprocessing.get_context('spawn').Pool(2)",
        "multiprocessing.get_context('forkserver').Process(target=print).start()",
        "multiprocessing.set_start_method('spawn'); multiprocessing.Pool(2).map(abs, [1])",
        "futures.ProcessPoolExecutor(1, multiprocessing.get_context('spawn')).submit(abs, 1)",
    ],
)
def test_processes_that_would_import_the_file_are_refused(
    run_code: Run, processes: Processes, statement: str
) -> None:
    start = time.monotonic()
    ran = run_code(f"import multiprocessing\nfrom concurrent import futures\n{statement}")
    assert (ran.last.outcome, ran.last.kind) == ("failed", "spawn")
    assert "fork" in ran.last.error.message
    assert time.monotonic() - start < 3
    assert processes() == []


def test_forked_pools_work(run_code: Run) -> None:
    ran = run_code("""
        import multiprocessing
        def double(x): return 2 * x
        with multiprocessing.get_context("fork").Pool(2) as pool:
            print(pool.map(double, [1, 2, 3]))
    """)
    assert ran.result.outcome == "ok"
    assert ran.stdout == "[2, 4, 6]\n"


# Cancelling

CLEANS_UP = """
import pathlib, time
try:
    print("on", flush=True)
    time.sleep(60)
finally:
    pathlib.Path(__file__).with_suffix(".cleaned").touch()
"""


def test_cancelling_lets_the_example_clean_up(document: Document, follow: Follow) -> None:
    control, path = Control(), document(CLEANS_UP, "never = 1")
    events = []
    for event in follow(path, control, timeout=20.0):
        events.append(event)
        if isinstance(event, OutputWritten):
            control.cancel()
    result = events[-1].result
    assert [unit.outcome for unit in result.units] == ["ok", "cancelled", "cancelled"]
    assert result.outcome == "cancelled"
    assert result.ending.reason == "cancelled"
    assert path.with_suffix(".cleaned").exists()


@pytest.mark.parametrize(("times", "limit"), [(1, 2.5), (2, 0.8)])
def test_an_example_that_will_not_be_interrupted_is_killed(
    document: Document, follow: Follow, times: int, limit: float
) -> None:
    control = Control()
    path = document("import signal, time\nsignal.signal(2, signal.SIG_IGN)", "time.sleep(60)")
    begun, events = 0.0, []
    for event in follow(path, control, timeout=20.0):
        events.append(event)
        if isinstance(event, UnitStarted) and event.unit.endswith(":11:1"):  # it sleeps
            begun = time.monotonic()
            for count in range(times):
                threading.Timer(0.1 * count, control.cancel).start()
    assert time.monotonic() - begun < limit
    assert events[-1].result.outcome == "cancelled"


def test_a_run_that_nobody_follows_to_its_end_leaves_nothing(
    document: Document, follow: Follow, processes: Processes
) -> None:
    events = follow(document("import time\ntime.sleep(60)"), timeout=20.0)
    next(event for event in events if isinstance(event, UnitStarted))
    assert processes()
    events.close()
    assert processes() == []


# cmdpack itself


def started(cmdpack: list[str], path: Path) -> subprocess.Popen[str]:
    """A real `cmdpack run` of an example that has begun: it has made a file."""
    process = subprocess.Popen(
        [*cmdpack, "run", "--json", "--sandbox", "off", str(path)],
        stdout=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )
    assert wait_until(path.with_suffix(".on").exists, 10.0)
    return process


ON = "import pathlib\npathlib.Path(__file__).with_suffix('.on').touch()"


def test_nothing_survives_a_killed_cmdpack(
    document: Document, cmdpack: list[str], processes: Processes
) -> None:
    path = document(DAEMON, ON, "time.sleep(60)")
    process = started(cmdpack, path)
    pids = [found.pid for found in processes()]
    assert len(pids) >= 4  # cmdpack, supervisor, runner, daemon
    process.kill()
    process.communicate()
    assert wait_until(lambda: not processes())
    left = [psutil.Process(pid).status() for pid in pids if psutil.pid_exists(pid)]
    assert set(left) <= {psutil.STATUS_ZOMBIE}  # init may not have taken notice yet


def test_an_interrupt_of_cmdpack_gives_a_result_and_130(
    document: Document, cmdpack: list[str]
) -> None:
    process = started(cmdpack, document(ON, CLEANS_UP))
    process.send_signal(signal.SIGINT)
    output, _ = process.communicate(timeout=10)
    assert process.returncode == 130
    assert json.loads(output)["outcome"] == "cancelled"


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGHUP])
def test_nothing_survives_a_terminated_cmdpack(
    document: Document, cmdpack: list[str], processes: Processes, number: int
) -> None:
    process = started(cmdpack, document(ON, "import time\ntime.sleep(60)"))
    process.send_signal(number)
    process.communicate(timeout=10)
    assert wait_until(lambda: not processes())


def test_what_a_killed_supervisor_leaves_behind_is_ended(
    run_code: Run, processes: Processes
) -> None:
    ran = run_code("""
        import os, signal, subprocess, time
        subprocess.Popen(["sleep", "77"], start_new_session=True)
        os.kill(os.getppid(), signal.SIGKILL)
        time.sleep(9)
    """)
    assert ran.result.outcome == "crashed"
    assert ran.result.ending.reason == "supervisor-lost"
    assert "sleep 77" in [leftover.name for leftover in ran.result.leftovers]
    assert processes() == []


@pytest.mark.parametrize("processes_of_it", [1, 4])
def test_a_supervisor_that_is_stopped_again_and_again_still_ends_the_run(
    run_code: Run, processes: Processes, processes_of_it: int
) -> None:
    start = time.monotonic()
    ran = run_code(
        f"""
        import os, signal
        supervisor = os.getppid()
        for _ in range({processes_of_it - 1}):
            os.fork()
        while True:  # whoever is the parent: were the supervisor gone, it would be cmdpack
            os.kill(os.getppid(), signal.SIGSTOP)
            os.kill(supervisor, signal.SIGSTOP)
        """,
        timeout=1.0,
    )
    assert time.monotonic() - start < 8.0
    assert ran.result.outcome == "timeout"
    assert processes() == []


def test_a_forked_child_fails_in_its_own_words(run_code: Run) -> None:
    ran = run_code("""
        import os
        if os.fork() == 0:
            raise ValueError("in the child")
        assert os.waitstatus_to_exitcode(os.wait()[1]) == 1
    """)
    assert ran.result.outcome == "ok"
    text = ran.text("stderr")
    assert "ValueError: in the child" in text
    assert "sample.md" in text
    assert "runner.py" not in text


def test_names_that_an_example_chose_are_cut(run_code: Run) -> None:
    ran = run_code("raise type('E' * 10**7, (Exception,), {})")
    assert ran.result.outcome == "failed"
    assert len(ran.last.error.type) < 2000
