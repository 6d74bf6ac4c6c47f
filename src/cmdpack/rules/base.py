"""What every rule follows: a failure and its circumstances in, a finding out, or None."""

import re
from collections.abc import Callable, Sequence
from typing import NamedTuple

from cmdpack.plan import PlannedCommand, PythonFacts
from cmdpack.result import Advice, Failure, Frame, Kind
from cmdpack.sources import Source, around, nodes_at, sources


class Finding(NamedTuple):
    """What a rule makes of a failure. Without a `kind`, the one that the runner gave stays."""

    kind: Kind | None
    advice: Advice


class Circumstances(NamedTuple):
    """What a rule may need to know of the run: its Python, the platform asked for, its code.

    `devices` is how many are emulated.
    """

    python: PythonFacts
    platform: str | None
    commands: Sequence[PlannedCommand] = ()
    devices: int | None = None


Rule = Callable[[Failure, Circumstances], Finding | None]


def finding(kind: Kind | None, cause: str, next_step: str) -> Finding:
    """Make a finding of its parts."""
    return Finding(kind, Advice(cause=cause, next_step=next_step))


class Saying(NamedTuple):
    """A message that tells what is wrong, and what to make of it.

    `pattern` is searched in the message; what its named groups hold goes into the templates.
    """

    pattern: str
    cause: str
    next_step: str


def match_saying(kind: Kind | None, sayings: Sequence[Saying], failure: Failure) -> Finding | None:
    """The finding of the first of `sayings` that the message of `failure` holds."""
    for saying in sayings:
        if found := re.search(saying.pattern, failure.message, re.DOTALL):
            groups = {name: tidy(text) for name, text in found.groupdict(default="").items()}
            return finding(kind, saying.cause.format(**groups), saying.next_step.format(**groups))
    return None


def tidy(text: str) -> str:
    """`text` on one line, and not longer than a sentence can bear."""
    return " ".join(text.split())[:_LONGEST]


_LONGEST = 200  # characters of a message that go into a sentence


def own_frame(failure: Failure) -> Frame | None:
    """The innermost frame that is the example's own."""
    own = [frame for frame in failure.frames if frame.origin == "example"]
    return own[-1] if own else None


def inner_frame(failure: Failure) -> Frame | None:
    """The innermost frame that is not of JAX: the example's own, or one of a library."""
    found = [frame for frame in failure.frames if frame.origin != "jax"]
    return found[-1] if found else None


def through(failure: Failure, *files: str) -> bool:
    """Whether a frame of JAX is in a file of one of these names."""
    names = {frame.file.rpartition("/")[2] for frame in failure.frames if frame.origin == "jax"}
    return not names.isdisjoint(files)


class Spot(NamedTuple):
    """The example that failed, its innermost frame there, and all examples."""

    source: Source
    frame: Frame
    everywhere: Sequence[Source]

    def text(self) -> str | None:
        """What the caret stands under, on one line."""
        node = next(nodes_at(self.source, self.frame), None)
        return None if node is None else tidy(self.source.text(node))


def spot(failure: Failure, circumstances: Circumstances) -> Spot | None:
    """Where in the examples `failure` comes from; None where that cannot be told."""
    frame = own_frame(failure)
    if frame is None:
        return None
    everywhere = sources(circumstances.commands)
    source = around(everywhere, frame)
    return None if source is None else Spot(source, frame, everywhere)
