"""A supervised run, seen from cmdpack's side: signals in order, and nothing left behind."""

import os
import sys
import time
from pathlib import Path
from typing import Any

import pytest

from cmdpack.child.streams import LIMIT
from cmdpack.supervision import Control, Ended, Native, Recorded, Signal, Supervision

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="needs /proc")


def supervision(code: str, timeout: float = 10.0, python: str = sys.executable) -> Supervision:
    """A run of one example of one line, one unit."""
    unit = {
        "code": code,
        "line": 1,
        "prefixes": [0],
        "units": ["u"],
        "expects": None,
        "devices": None,
        "replaced": {},
    }
    request: dict[str, Any] = {
        "commands": [{"file": "/f.md", "examples": [unit]}],
        "evidence": True,
        "keep_going": False,
    }
    return Supervision(python, request, timeout=timeout, environment=os.environ)


def run(code: str, **options: Any) -> list[Signal]:
    return [*supervision(code, **options).signals(Control())]


def native(signals: list[Signal], stream: str = "stdout") -> str:
    return "".join(it.text for it in signals if isinstance(it, Native) and it.stream == stream)


def last(signals: list[Signal]) -> Ended:
    end = signals[-1]
    assert isinstance(end, Ended)
    assert not any(isinstance(it, Ended) for it in signals[:-1])
    return end


def test_signals_come_in_order_and_the_end_is_the_last() -> None:
    signals = run("__import__('os').write(1, b'native'), print('printed')")
    records = [it.record["record"] for it in signals if isinstance(it, Recorded)]
    assert records[0] == "hello"
    assert records[-1] == "closing"
    end = last(signals)
    assert (end.ending.reason, end.ending.status, end.clean) == ("exit", 0, True)
    assert end.corrupt is None
    assert end.cpu is not None
    assert end.ending.peak_memory is not None
    assert end.ending.peak_memory > 2**20


def test_a_run_leaves_no_descriptor_open() -> None:
    before = sorted(path.name for path in Path("/proc/self/fd").iterdir())
    run("pass")
    stopped = supervision("while True: pass")
    signals = stopped.signals(Control())
    next(signals)
    signals.close()  # type: ignore[attr-defined]
    assert sorted(path.name for path in Path("/proc/self/fd").iterdir()) == before


@pytest.mark.parametrize("python", ["/no/such/python", "/etc/passwd", "/"])
def test_what_cannot_be_started_is_said_to_be_so(python: str) -> None:
    end = last(run("pass", python=python))
    assert end.clean
    assert end.leftovers == ()
    assert end.ending.reason == "not-started" or end.ending.status == 127


def test_a_character_in_two_writes_is_one() -> None:
    write, wait = "__import__('os').write(1, bytes([b]))", "__import__('time').sleep(0.1)"
    assert native(run(f"[({write}, {wait}) for b in {'é'.encode()}]")) == "é"


@pytest.mark.parametrize("descriptor", [1, 2])
def test_what_is_written_past_python_is_bounded(descriptor: int) -> None:
    code = f"while True: __import__('os').write({descriptor}, b'x' * 65536)"
    signals = run(code)
    assert last(signals).ending.reason == "output-limit"
    assert len(native(signals, "stdout" if descriptor == 1 else "stderr")) == LIMIT


def test_output_that_was_pending_at_a_crash_is_not_lost() -> None:
    signals = run("print('last', end=' '), print('words', end=''), __import__('os')._exit(3)")
    recorded = [it.record.get("text", "") for it in signals if isinstance(it, Recorded)]
    assert native(signals).endswith("words")
    assert "".join(recorded) + native(signals) == "last words"
    assert last(signals).ending.status == 3


@pytest.mark.parametrize("cancelled", [0, 1, 2])
def test_a_stopped_supervisor_goes_on(cancelled: int) -> None:
    code = "__import__('os').kill(__import__('os').getppid(), 19), __import__('time').sleep(60)"
    control, start = Control(), time.monotonic()
    end: Ended | None = None
    for signal in supervision(code, timeout=1.0 if not cancelled else 20.0).signals(control):
        if isinstance(signal, Recorded) and signal.record["record"] == "unit-started":
            for _ in range(cancelled):
                control.cancel()
        if isinstance(signal, Ended):
            end = signal
    assert end is not None
    assert end.ending.reason == ("cancelled" if cancelled else "deadline")
    assert end.clean
    assert time.monotonic() - start < 4


def test_the_runner_inherits_three_descriptors_and_no_input(tmp_path: Path) -> None:
    found = tmp_path / "found"
    write = f"open({str(found)!r}, 'w').write"
    run(f"{write}(repr((sorted(__import__('os').listdir('/proc/self/fd')), input)))")
    # The listing and the file itself hold one descriptor each.
    assert found.read_text().startswith("(['0', '1', '2', '3', '4']")
    signals = run("input()")
    [verdict] = [it.record for it in signals if isinstance(it, Recorded) and "outcome" in it.record]
    assert verdict["error"]["type"] == "EOFError"
