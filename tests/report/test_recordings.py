from cmdpack.report import recordings
from cmdpack.result import HloRecorded, Hot, Program, Recorded, TraceRecorded


def hot(function: str | None, seconds: float = 0.002, calls: int = 3) -> Hot:
    return Hot(
        module="jit_f",
        function=function,
        calls=calls,
        seconds=seconds,
        operation="dot.2",
        operation_seconds=seconds / 2,
    )


def test_nothing_is_said_where_nothing_was_asked_for() -> None:
    assert [*recordings.lines(Recorded())] == []


def test_where_the_time_went_and_which_files_to_look_at() -> None:
    trace = TraceRecorded(
        directory="/out/t",
        files=2,
        size=1_120_000,
        hottest=(hot("f"), hot(None, 0.0, 1), hot("h"), hot("unseen")),
    )
    hlo = HloRecorded(
        directory="/out/h",
        files=1,
        size=0,
        costliest=(
            Program(function="f", flops=9, files=("a.txt", "b.txt")),
            Program(function="g", flops=1, files=()),
        ),
    )
    assert [*recordings.lines(Recorded(trace=trace, hlo=hlo))] == [
        "trace: /out/t: 2 files, 1.1 MB; xprof opens it",
        "  f: 2 ms of operations in 3 calls, 50 % of it dot.2",
        "  jit_f: 0 ms of operations in 1 call, 0 % of it dot.2",
        "  h: 2 ms of operations in 3 calls, 50 % of it dot.2",
        "hlo: /out/h: 1 file, 0.0 MB",
        "  f: a.txt, b.txt",
        "  g: no file",
    ]


def test_a_profile_that_cannot_be_read() -> None:
    trace = TraceRecorded(directory="/out/t", files=2, size=1, hottest=None)
    assert [*recordings.lines(Recorded(trace=trace))][1] == "  it could not be read here"


def test_nothing_that_code_names_can_move_the_cursor() -> None:
    evil = "\x1b[2J\u202e\r\x9b"
    trace = TraceRecorded(directory=evil, files=1, size=1, hottest=(hot(evil),))
    hlo = HloRecorded(
        directory=evil,
        files=1,
        size=1,
        costliest=(Program(function=evil, flops=1, files=(evil,)),),
    )
    assert all(it.isprintable() for it in recordings.lines(Recorded(trace=trace, hlo=hlo)))
