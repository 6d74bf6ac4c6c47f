"""The channel between cmdpack and a runner: one bounded stretch of shared memory.

User code can close or flood a descriptor that it finds; memory without one it cannot. The parent
makes an anonymous file, maps it, and writes the request into it; the runner maps it and drops the
descriptor. From then on the runner appends records and the parent reads them.

    header    magic, positions, and how far the journal is committed
    request   one JSON value, written before the runner starts
    pending   output not yet worth a record, kept here so that a crash cannot lose it
    journal   records, each with its length, its number and a checksum

A gap, a bad record or a missing closing record is never taken for success. Code that shares a
process with the runner can forge records on purpose; nothing in one process can prevent that. What
the supervisor saw (exit status, signal, deadline) travels elsewhere.
"""

import json
import mmap
import os
import struct
import tempfile
import threading
import zlib
from collections.abc import Iterator
from typing import Any

Record = dict[str, Any]

MAGIC = b"CMDPACK1"
JOURNAL_CAPACITY = 24 * 1024 * 1024
RESERVE = 1024 * 1024
"""Bytes of the journal that output leaves to the records of verdicts and of the end."""
PENDING_CAPACITY = 32 * 1024

_HEADER = struct.Struct("<8sQQQQ")  # magic, request length, pending start, journal start, end
_COMMITTED = struct.Struct("<Q")
_PENDING = struct.Struct("<II")  # stream, length
_RECORD = struct.Struct("<III")  # length, number, CRC-32 of the payload
_COMMITTED_AT = 64
_REQUEST_AT = 128


class ChannelFullError(Exception):
    """The journal has no room for another record."""


class _Encoder(json.JSONEncoder):
    """JSON by functions that were looked up now: user code may replace those of `json` later."""

    encode = json.JSONEncoder.encode
    iterencode = json.JSONEncoder.iterencode


_to_json = _Encoder(separators=(",", ":"), ensure_ascii=False).encode
_decode = json.loads
_checksum = zlib.crc32


def _encode(record: Record) -> bytes:
    """JSON in UTF-8; a lone surrogate, which no reader could take, becomes a question mark."""
    return _to_json(record).encode(errors="replace")


def create(request: Record) -> tuple[int, mmap.mmap]:
    """Make a channel that holds `request`. Returns a descriptor for the child, and the mapping.

    On Linux the size is sealed: the reader cannot be killed by a file that shrinks under its map.
    """
    body = _encode(request)
    pending = _REQUEST_AT + len(body)
    pending += -pending % 8
    journal = pending + _PENDING.size + PENDING_CAPACITY
    end = journal + JOURNAL_CAPACITY
    descriptor = _anonymous_file(end)
    memory = mmap.mmap(descriptor, end)
    _HEADER.pack_into(memory, 0, MAGIC, len(body), pending, journal, end)
    memory[_REQUEST_AT : _REQUEST_AT + len(body)] = body
    return descriptor, memory


def _anonymous_file(size: int) -> int:
    if hasattr(os, "memfd_create"):
        descriptor = os.memfd_create("cmdpack", os.MFD_CLOEXEC | os.MFD_ALLOW_SEALING)
        os.ftruncate(descriptor, size)
        import fcntl  # noqa: PLC0415 - exists on POSIX alone

        seals = fcntl.F_SEAL_SHRINK | fcntl.F_SEAL_GROW | fcntl.F_SEAL_SEAL
        fcntl.fcntl(descriptor, fcntl.F_ADD_SEALS, seals)
        return descriptor
    with tempfile.TemporaryFile() as file:
        descriptor = os.dup(file.fileno())
    os.ftruncate(descriptor, size)
    return descriptor


def attach(descriptor: int) -> mmap.mmap:
    """Map the channel behind `descriptor` and close every descriptor of it."""
    size = os.fstat(descriptor).st_size
    # mmap keeps a duplicate of its own. It takes the lowest free number: the one that `probe` had.
    probe = os.dup(descriptor)
    os.close(probe)
    memory = mmap.mmap(descriptor, size)
    for number in (descriptor, probe):
        os.close(number)
    if memory[: len(MAGIC)] != MAGIC:
        raise ValueError("this is not a cmdpack channel")
    return memory


def request_of(memory: mmap.mmap) -> Record:
    """The request that the channel was created with."""
    _, length, *_ = _HEADER.unpack_from(memory, 0)
    request: Record = _decode(bytes(memory[_REQUEST_AT : _REQUEST_AT + length]))
    return request


class Writer:
    """Appends records. Only the process that made it writes; a forked child must not use it."""

    def __init__(self, memory: mmap.mmap) -> None:
        self._memory = memory
        _, _, self._pending, self._journal, self._end = _HEADER.unpack_from(memory, 0)
        self._position = self._journal
        self._number = 0
        self._lock = threading.RLock()
        self._busy = False
        self._queue: list[tuple[Record, int]] = []

    def append(self, record: Record, *, leave: int = 0) -> None:
        """Commit one record. Raises `ChannelFullError` where less than `leave` bytes would be left.

        A signal handler that writes in the middle of a write is queued behind it.
        """
        with self._lock:
            self._queue.append((record, leave))
            if self._busy:
                return
            self._busy = True
            try:
                while self._queue:
                    self._commit(*self._queue.pop(0))
            finally:
                self._busy = False

    def _commit(self, record: Record, leave: int) -> None:
        payload = _encode(record)
        start = self._position + _RECORD.size
        stop = start + len(payload)
        if stop + leave > self._end:
            raise ChannelFullError
        self._memory[start:stop] = payload
        _RECORD.pack_into(
            self._memory, self._position, len(payload), self._number, _checksum(payload)
        )
        self._position = stop
        self._number += 1
        _COMMITTED.pack_into(self._memory, _COMMITTED_AT, stop - self._journal)

    def hold(self, stream: int, data: bytes, offset: int) -> None:
        """Keep `data` as pending output from byte `offset` on; ``hold(0, b"", 0)`` clears it."""
        start = self._pending + _PENDING.size + offset
        self._memory[start : start + len(data)] = data
        _PENDING.pack_into(self._memory, self._pending, stream, offset + len(data))


class Reader:
    """Reads what a writer has committed; verifies sizes, order and checksums."""

    def __init__(self, memory: mmap.mmap) -> None:
        self._memory = memory
        _, _, self._pending, self._journal, self._end = _HEADER.unpack_from(memory, 0)
        self._position = self._journal
        self._number = 0
        self.corrupt: str | None = None

    def read(self, *, final: bool = False) -> Iterator[Record]:
        """Yield the records committed since the last call.

        A record that is not whole yet is left for the next call. With `final`, when nobody writes
        any more, it sets `corrupt` to the reason, and reading ends.
        """
        (committed,) = _COMMITTED.unpack_from(self._memory, _COMMITTED_AT)
        limit = min(self._journal + committed, self._end)
        while self.corrupt is None and self._position < limit:
            record = self._next(limit, final=final)
            if record is None:
                return
            yield record

    def _next(self, limit: int, *, final: bool) -> Record | None:
        start = self._position + _RECORD.size
        problem = "is cut short"
        if start <= limit:
            length, number, checksum = _RECORD.unpack_from(self._memory, self._position)
            if number != self._number:
                problem = f"is numbered {number}"
            elif start + length <= limit:
                payload = bytes(self._memory[start : start + length])
                if _checksum(payload) == checksum:
                    return self._decoded(payload, start + length)
                problem = "does not match its checksum"
        if final:
            self.corrupt = f"record {self._number} {problem}"
        return None

    def _decoded(self, payload: bytes, stop: int) -> Record | None:
        try:
            record = _decode(payload)
        except (ValueError, RecursionError):
            record = None
        if not isinstance(record, dict):
            self.corrupt = f"record {self._number} is not a JSON object"
            return None
        self._position = stop
        self._number += 1
        return record

    def pending(self) -> tuple[int, bytes]:
        """The stream and bytes of output that a dead writer had not made a record of."""
        stream, length = _PENDING.unpack_from(self._memory, self._pending)
        start = self._pending + _PENDING.size
        return stream, bytes(self._memory[start : start + min(length, PENDING_CAPACITY)])
