"""What a run has written for its user, in a few lines: where, how much, and what to look at."""

from collections.abc import Iterator

from cmdpack.result import HloRecorded, Hot, Program, Recorded, TraceRecorded
from cmdpack.terminal import one_line

_SHOWN = 3


def lines(recorded: Recorded) -> Iterator[str]:
    """The lines that follow a run; none where nothing was asked for."""
    for first, *more in (*_trace(recorded.trace), *_hlo(recorded.hlo)):
        yield one_line(first)
        yield from (f"  {one_line(text)}" for text in more)


def _trace(trace: TraceRecorded | None) -> Iterator[list[str]]:
    if trace is not None:
        first = f"trace: {trace.directory}: {_amount(trace.files, trace.size)}; xprof opens it"
        unread = ["it could not be read here"] if trace.files and trace.hottest is None else []
        yield [first, *unread, *map(_hot, (trace.hottest or ())[:_SHOWN])]


def _hot(hot: Hot) -> str:
    calls = f"{hot.calls} call{'' if hot.calls == 1 else 's'}"
    share = 100 * hot.operation_seconds / hot.seconds if hot.seconds else 0
    return (
        f"{hot.function or hot.module}: {1000 * hot.seconds:.3g} ms of operations in {calls}, "
        f"{share:.0f} % of it {hot.operation}"
    )


def _hlo(hlo: HloRecorded | None) -> Iterator[list[str]]:
    if hlo is not None:
        first = f"hlo: {hlo.directory}: {_amount(hlo.files, hlo.size)}"
        yield [first, *map(_program, hlo.costliest[:_SHOWN])]


def _program(program: Program) -> str:
    return f"{program.function}: {', '.join(program.files[:_SHOWN]) or 'no file'}"


def _amount(files: int, size: int) -> str:
    return f"{files} file{'' if files == 1 else 's'}, {size / 1e6:.1f} MB"
