"""Standard output, whose failure is told from every other."""

import contextlib
import io
import os
import sys
from collections.abc import Iterator
from typing import Any

from cmdpack.errors import InputError


class _StandardOutput(io.FileIO):
    """Standard output, which tells its own failure from every other. Then it takes no more."""

    def write(self, data: Any, /) -> int:  # noqa: ANN401 - whatever is a buffer
        """Write `data`. Raises InputError, or BrokenPipeError where nobody reads any more."""
        try:
            return super().write(data)
        except OSError as error:
            nowhere = os.open(os.devnull, os.O_WRONLY)
            os.dup2(nowhere, self.fileno())  # what is still in buffers must not complain again
            os.close(nowhere)
            if isinstance(error, BrokenPipeError):
                raise
            raise InputError(
                f"standard output cannot be written: {error.strerror}",
                help="make room there, or send the output elsewhere",
            ) from error


@contextlib.contextmanager
def checked_output() -> Iterator[None]:
    """Let all that is written to the process's standard output raise as `_StandardOutput` does.

    A `sys.stdout` that somebody else put there is left alone. Raises InputError where there is no
    standard output.
    """
    theirs = sys.stdout
    if theirs is None:  # as Python has it where the descriptor is closed
        raise InputError("standard output is closed", help="send it to a file or to /dev/null")
    if sys.__stdout__ is None or theirs is not sys.__stdout__:
        yield
        theirs.flush()
        return
    raw = _StandardOutput(theirs.fileno(), "w", closefd=False)
    ours = io.TextIOWrapper(
        io.BufferedWriter(raw), encoding=theirs.encoding, line_buffering=raw.isatty()
    )
    sys.stdout = ours
    try:
        yield
    finally:
        sys.stdout = theirs
        ours.flush()
