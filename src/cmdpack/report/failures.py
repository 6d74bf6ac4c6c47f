"""A failure for a person: the place, the line with a caret, what was said, and the next step."""

from collections.abc import Iterator

from cmdpack.result import Failure, Frame, UnitResult
from cmdpack.terminal import one_line, printable

_MESSAGE_LINES = 12
_FRAMES = 3  # of the example's own; of more, the outermost and the innermost


def lines(unit: UnitResult, *, all_frames: bool = False) -> Iterator[str]:
    """The lines that explain why `unit` did not end well; nothing for one that did.

    Only the example's own frames are shown, of many the outermost and the innermost, unless
    `all_frames`.
    """
    failure = unit.error
    if failure is None:
        if unit.outcome not in {"ok", "skipped"}:
            place = _place(unit, unit.line, unit.column)
            yield f"{unit.outcome}: {place}: {one_line(unit.reason or '')}"
        return
    line, column = failure.line or unit.line, failure.column or unit.column
    kind = "" if unit.kind in {None, "other"} else f" ({unit.kind})"
    yield f"{unit.outcome}: {printable(failure.type)} at {_place(unit, line, column)}{kind}"
    yield from _frames(failure, all_frames=all_frames)
    yield from _message(failure)
    if unit.reason not in {None, failure.message}:
        yield f"  {printable(unit.reason)}"
    if failure.advice is not None:
        yield f"  cause: {printable(failure.advice.cause)}"
        yield f"  next:  {printable(failure.advice.next_step)}"


def _place(unit: UnitResult, line: int, column: int) -> str:
    return f"{printable(unit.file)}:{line}:{column}"


def _frames(failure: Failure, *, all_frames: bool) -> Iterator[str]:
    """The example's own frames: of many, the call and the line where it failed."""
    frames = [it for it in failure.frames if all_frames or it.origin == "example"]
    if all_frames or len(frames) <= _FRAMES:
        for frame in frames:
            yield from _frame(frame)
        return
    yield from _frame(frames[0])
    yield f"  ... {len(frames) - 2} more frames, all with -v"
    yield from _frame(frames[-1])


def _frame(frame: Frame) -> Iterator[str]:
    number = str(frame.line)
    if frame.origin != "example":
        yield f"  {printable(frame.file)}:{number} in {printable(frame.function)}"
        return
    yield f"  {number} | {printable(frame.source.expandtabs(1))}"
    if frame.column is not None and frame.end_column is not None:
        end = frame.end_column if frame.end_line == frame.line else len(frame.source) + 1
        caret = "^" * max(1, end - frame.column)
        yield f"  {' ' * len(number)} | {' ' * (frame.column - 1)}{caret}"


def _message(failure: Failure) -> Iterator[str]:
    said = printable(failure.message).splitlines()
    for line in said[:_MESSAGE_LINES]:
        yield f"  {line}"
    if len(said) > _MESSAGE_LINES:
        yield f"  ... {len(said) - _MESSAGE_LINES} more lines, all in --json"


def summary(unit: UnitResult) -> str:
    """One line for a unit in the list of `-v`."""
    times = f"{unit.seconds:.3f} s"
    if unit.executables:
        making = unit.trace_seconds + unit.lower_seconds + unit.compile_seconds
        times += f", {making:.3f} s of it making {unit.executables} executables"
    return f"{unit.outcome:8} {unit.line}:{unit.column}  {one_line(times)}"
