"""The channel: what was written is read, and what is read was written."""

import mmap
import os
import struct
import zlib
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cmdpack.child import wire

COMMITTED_AT = 64
HEADER = struct.Struct("<III")

Channel = tuple[mmap.mmap, wire.Writer, wire.Reader]


def new_channel() -> Channel:
    descriptor, memory = wire.create({"commands": []})
    os.close(descriptor)
    return memory, wire.Writer(memory), wire.Reader(memory)


@pytest.fixture
def channel() -> Iterator[Channel]:
    memory, writer, reader = new_channel()
    yield memory, writer, reader
    memory.close()


json_text = st.text(st.characters(exclude_categories=["Cs"]))
records = st.dictionaries(
    json_text, st.recursive(json_text | st.integers() | st.none(), st.lists, max_leaves=5)
)


@given(request=records, written=st.lists(records, max_size=5))
@settings(deadline=None, max_examples=30)
def test_what_is_written_is_read(request: wire.Record, written: list[wire.Record]) -> None:
    descriptor, memory = wire.create(request)
    attached = wire.attach(descriptor)
    with memory, attached:
        assert wire.request_of(attached) == request
        writer, reader = wire.Writer(attached), wire.Reader(memory)
        found = []
        for record in written:
            writer.append(record)
            found += reader.read()
        assert [*reader.read(final=True)] == []
        assert found == written
        assert reader.corrupt is None


@given(data=st.data(), count=st.integers(1, 4))
@settings(deadline=None, max_examples=150)
def test_a_changed_byte_never_yields_what_was_not_written(data: st.DataObject, count: int) -> None:
    memory, writer, reader = new_channel()
    with memory:
        written: list[wire.Record] = [
            {"record": "output", "text": "é" * number} for number in range(count)
        ]
        for record in written:
            writer.append(record)
        whole = writer._position - reader._journal
        places = st.integers(COMMITTED_AT, COMMITTED_AT + 7) | st.integers(
            reader._journal, reader._journal + whole - 1
        )
        memory[data.draw(places)] ^= data.draw(st.integers(1, 255))
        found = [*reader.read(), *reader.read(final=True)]
        assert found == written[: len(found)]
        assert reader.corrupt is not None or len(found) <= count
        if reader.corrupt is None:  # then less was committed, and the closing record is missed
            (committed,) = struct.unpack_from("<Q", memory, COMMITTED_AT)
            assert committed < whole
            assert len(found) < count


def commit(memory: mmap.mmap, reader: wire.Reader, data: bytes) -> None:
    memory[reader._journal : reader._journal + len(data)] = data
    struct.pack_into("<Q", memory, COMMITTED_AT, len(data))


def framed(payload: bytes, number: int = 0, length: int | None = None) -> bytes:
    size = len(payload) if length is None else length
    return HEADER.pack(size, number, zlib.crc32(payload)) + payload


@pytest.mark.parametrize(
    ("data", "problem"),
    [
        (framed(b"{}")[:-1], "is cut short"),
        (framed(b"{}")[:5], "is cut short"),
        (framed(b"{}", number=1), "is numbered 1"),
        (framed(b"{}", length=2**32 - 1), "is cut short"),
        (framed(b"{}")[:-1] + b"x", "does not match its checksum"),
        (framed(b"[]"), "is not a JSON object"),
        (framed(b"{"), "is not a JSON object"),
        (framed(b"\xff\xff"), "is not a JSON object"),
        (framed(b"[" * 100_000), "is not a JSON object"),
        (framed(b""), "is not a JSON object"),
    ],
)
def test_what_is_broken_is_named_at_the_end(channel: Channel, data: bytes, problem: str) -> None:
    memory, _, reader = channel
    commit(memory, reader, data)
    assert [*reader.read()] == []
    assert [*reader.read(final=True)] == []
    assert reader.corrupt == f"record 0 {problem}"


def test_a_position_beyond_the_end_is_not_followed(channel: Channel) -> None:
    memory, writer, reader = channel
    writer.append({"a": 1})
    struct.pack_into("<Q", memory, COMMITTED_AT, 2**64 - 1)
    assert [*reader.read(final=True)] == [{"a": 1}]
    assert reader.corrupt == "record 1 is numbered 0"


def test_a_record_that_is_not_whole_yet_is_waited_for(channel: Channel) -> None:
    memory, writer, reader = channel
    writer.append({"a": 1})
    last = memory[writer._position - 1]
    memory[writer._position - 1] = 0
    assert [*reader.read()] == []
    memory[writer._position - 1] = last
    assert [*reader.read(final=True)] == [{"a": 1}]
    assert reader.corrupt is None


def test_a_full_journal_takes_no_more_and_stays_readable(channel: Channel) -> None:
    _, writer, reader = channel
    chunk = {"text": "x" * (1024 * 1024)}
    while writer._position + len(chunk["text"]) + 100 + wire.RESERVE < writer._end:
        writer.append(chunk, leave=wire.RESERVE)
    with pytest.raises(wire.ChannelFullError):
        writer.append(chunk, leave=wire.RESERVE)
    writer.append({"last": True})  # what output has to leave
    with pytest.raises(wire.ChannelFullError):
        writer.append({"text": "x" * wire.JOURNAL_CAPACITY})
    writer.append({"very last": True})
    found = [*reader.read(final=True)]
    assert found[-2:] == [{"last": True}, {"very last": True}]
    assert reader.corrupt is None


def test_what_utf_8_cannot_hold_is_replaced(channel: Channel) -> None:
    _, writer, reader = channel
    writer.append({"text": "a\ud800b\udcffé"})
    assert [*reader.read(final=True)] == [{"text": "a?b?é"}]


def test_a_write_inside_a_write_is_queued(
    channel: Channel, monkeypatch: pytest.MonkeyPatch
) -> None:
    _, writer, reader = channel
    commit_one = writer._commit

    def interrupted(record: wire.Record, leave: int) -> None:
        if record == {"outer": 1}:
            writer.append({"inner": 2})  # as a signal handler does
        commit_one(record, leave)

    monkeypatch.setattr(writer, "_commit", interrupted)
    writer.append({"outer": 1})
    assert [*reader.read(final=True)] == [{"outer": 1}, {"inner": 2}]


def test_pending_output_survives_its_writer(channel: Channel) -> None:
    memory, writer, reader = channel
    writer.hold(1, b"first ", 0)
    writer.hold(1, b"second", 6)
    assert reader.pending() == (1, b"first second")
    writer.hold(0, b"", 0)
    assert reader.pending() == (0, b"")
    struct.pack_into("<II", memory, reader._pending, 2, 2**32 - 1)
    assert len(reader.pending()[1]) == wire.PENDING_CAPACITY


def test_an_attached_channel_has_no_descriptor() -> None:
    before = sorted(path.name for path in Path("/dev/fd").iterdir())
    descriptor, memory = wire.create({})
    attached = wire.attach(os.dup(descriptor))
    memory.close()
    os.close(descriptor)
    assert sorted(path.name for path in Path("/dev/fd").iterdir()) == before
    assert wire.request_of(attached) == {}
    attached.close()


def test_what_is_no_channel_is_refused() -> None:
    descriptor = os.memfd_create("other") if hasattr(os, "memfd_create") else os.open(".", 0)
    os.ftruncate(descriptor, 4096)
    with pytest.raises(ValueError, match="not a cmdpack channel"):
        wire.attach(descriptor)
