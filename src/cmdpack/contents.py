"""What a consent is bound to: the files that a run or an export takes, and one digest over them.

The digest of a file is that of the bytes that were parsed, and so of the code that is run: nothing
is read a second time. The executable bit is no part of it, as no file of a pack is ever executed.
"""

import hashlib
import json
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import NamedTuple

from cmdpack.nouns import Noun
from cmdpack.packs import Pack
from cmdpack.plan import Command

_PREFIX = "sha256:"


class Part(Noun):
    """A file by name and the SHA-256 of its bytes, in hexadecimal."""

    name: str
    digest: str


class Text(NamedTuple):
    """A part, and what it says."""

    part: Part
    text: str


def of_run(commands: Sequence[Command]) -> tuple[Text, ...]:
    """The files of a run in the order in which they run, the one that was asked for last."""
    return tuple(_text(command) for command in commands)


def of_export(pack: Pack, commands: Sequence[Command]) -> tuple[Text, ...]:
    """The files of a pack by name, and before them its name and manifest, as they were read."""
    manifest = f"{pack.manifest.model_dump_json(indent=2)}\n"
    digest = hashlib.sha256(manifest.encode()).hexdigest()
    about = Text(Part(name=f"manifest of {pack.origin.name}", digest=digest), manifest)
    return (about, *sorted((_text(command) for command in commands), key=lambda it: it.part.name))


def _text(command: Command) -> Text:
    spec = command.spec
    return Text(Part(name=Path(spec.path).name, digest=spec.digest), spec.source)


def content_digest(texts: Iterable[Text]) -> str:
    """One digest over all: ``sha256:`` and the SHA-256 of their names and digests, in order."""
    parts = [[it.part.name, it.part.digest] for it in texts]
    return _PREFIX + hashlib.sha256(json.dumps(parts).encode()).hexdigest()


def is_digest(word: str) -> bool:
    """Whether `word` is written as `content_digest` writes it."""
    hexadecimal = word.removeprefix(_PREFIX)
    return word != hexadecimal and len(hexadecimal) == 64 and {*hexadecimal} <= {*_HEXADECIMAL}


_HEXADECIMAL = "0123456789abcdef"
