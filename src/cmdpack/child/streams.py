"""`sys.stdout` and `sys.stderr` of a run: what Python code prints becomes records of the channel.

What native code and child processes write goes to the descriptors 1 and 2: pipes to cmdpack.
"""

import codecs
import fcntl
import io
import os
import struct
import sys
import termios
import threading
from collections.abc import Callable
from time import perf_counter, sleep

from .wire import PENDING_CAPACITY, RESERVE, ChannelFullError, Writer

LIMIT = 4 * 1024 * 1024
"""Bytes that the examples of one run may print."""

_INTERVAL = 0.02  # seconds between records, when there are many
_BURST = 200  # records that may be made without waiting
_DRAIN = 0.2  # seconds to wait for cmdpack to take what native code wrote, at the end of a unit
_CHUNK = 256 * 1024
_SWITCH = 200  # bytes of the limit that a change between the streams costs: it makes a record
_NAMES = {1: "stdout", 2: "stderr"}

# Looked up now: user code may replace them.
_getpid = os.getpid
_write_some = os.write
_fstat = os.fstat


class Recorder:
    """Collects what is printed, in order, and makes records of it.

    In a forked child, which must not write to the channel, output goes to the descriptors instead.
    """

    def __init__(self, writer: Writer, overflow: Callable[[], None]) -> None:
        self._writer = writer
        self._overflow = overflow
        self._leader = _getpid()
        self._lock = threading.RLock()
        self._decoders = {n: codecs.getincrementaldecoder("utf-8")("replace") for n in _NAMES}
        self._stream = 1
        self._held = bytearray()
        self._left = LIMIT
        self._flushed = 0.0
        self._credit, self._counted = float(_BURST), 0.0

    def write(self, stream: int, data: bytes) -> None:
        """Take `data` printed to `stream`, 1 or 2. When it is too much, `overflow` is called."""
        if _getpid() != self._leader:
            _write_through(stream, data)
            return
        with self._lock:
            if stream != self._stream or len(self._held) + len(data) > PENDING_CAPACITY:
                self.flush()
                self._left -= _SWITCH * (stream != self._stream)
                self._stream = stream
            excess = len(data) > self._left
            data = data[: max(self._left, 0)]
            self._left -= len(data)
            if len(data) > PENDING_CAPACITY:
                for start in range(0, len(data), _CHUNK):
                    self._record(data[start : start + _CHUNK])
            else:
                self._writer.hold(stream, data, len(self._held))
                self._held += data
                if perf_counter() - self._flushed > _INTERVAL:
                    self.flush()
                elif data.endswith(b"\n"):
                    self.show()
            if excess:
                self.flush()
                self._overflow()

    def show(self) -> None:
        """Make a record of what is held, so that it is seen now, unless there were too many."""
        if _getpid() != self._leader:
            return
        with self._lock:
            now = perf_counter()
            self._credit = min(_BURST, self._credit + (now - self._counted) / _INTERVAL)
            self._counted = now
            if self._credit >= 1:
                self._credit -= 1
                self.flush()

    def flush(self) -> None:
        """Make a record of what is held."""
        with self._lock:
            if self._held:
                self._record(bytes(self._held))
                self._held.clear()
                self._writer.hold(0, b"", 0)
            self._flushed = perf_counter()

    def finish(self) -> None:
        """Make a record of what is held, characters that were begun and not ended included."""
        with self._lock:
            self.flush()
            for self._stream in _NAMES:
                self._record(b"", final=True)

    def _record(self, data: bytes, *, final: bool = False) -> None:
        text = self._decoders[self._stream].decode(data, final)
        if text:
            record = {"record": "output", "stream": _NAMES[self._stream], "text": text}
            try:
                self._writer.append(record, leave=RESERVE)
            except ChannelFullError:
                self._overflow()


class _Stream(io.RawIOBase):
    """The binary layer below `sys.stdout` or `sys.stderr`."""

    def __init__(self, recorder: Recorder, number: int) -> None:
        self._recorder = recorder
        self._number = number
        self.name = f"<{_NAMES[number]}>"

    def writable(self) -> bool:
        return True

    def fileno(self) -> int:
        return self._number

    def write(self, data: object, /) -> int:
        view = memoryview(data).cast("B")  # type: ignore[arg-type]
        self._recorder.write(self._number, bytes(view))
        return len(view)

    def flush(self) -> None:
        self._recorder.show()


def install(recorder: Recorder) -> None:
    """Replace `sys.stdout` and `sys.stderr`."""
    for number, errors in ((1, "surrogateescape"), (2, "backslashreplace")):
        raw = _Stream(recorder, number)
        # Nothing is kept in the stream: what was printed before a crash must not be lost.
        stream = io.TextIOWrapper(raw, "utf-8", errors, write_through=True)
        for name in (_NAMES[number], f"__{_NAMES[number]}__"):
            setattr(sys, name, stream)


def _write_through(descriptor: int, data: bytes) -> None:
    view = memoryview(data)
    while view:
        view = view[_write_some(descriptor, view) :]


class NativeOutput:
    """The pipes behind the descriptors 1 and 2, as long as user code leaves them in place."""

    def __init__(self) -> None:
        self._pipes = {number: _identity(number) for number in _NAMES}

    def drain(self) -> None:
        """Flush what C has buffered, and wait until cmdpack has read what is in the pipes.

        Only then is a unit at its end: what it wrote is shown as its own.
        """
        if (ctypes := sys.modules.get("ctypes")) is not None:
            ctypes.pythonapi.fflush(None)
        limit = perf_counter() + _DRAIN
        while any(map(self._waiting, self._pipes)) and perf_counter() < limit:
            sleep(0.0005)

    def _waiting(self, number: int) -> bool:
        if self._pipes[number] is None or _identity(number) != self._pipes[number]:
            return False
        try:
            answer = fcntl.ioctl(number, termios.FIONREAD, b"\0\0\0\0")
        except OSError:
            return False
        (count,) = struct.unpack("i", answer)
        return bool(count)


def _identity(descriptor: int) -> tuple[int, int] | None:
    try:
        status = _fstat(descriptor)
    except OSError:
        return None
    return status.st_dev, status.st_ino
