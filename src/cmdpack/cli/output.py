"""What the verbs share: the registry they ask, and how they write."""

import os
import shutil
import sys
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Annotated

import typer

from cmdpack.diagnostics import Diagnostic
from cmdpack.plugins import build_manager
from cmdpack.registry import Registry, load_registry
from cmdpack.terminal import printable

PackOption = Annotated[
    list[Path] | None,
    typer.Option(
        "--pack",
        metavar="DIR",
        help="Also look names up in this folder of command files. Can be given again.",
    ),
]
JsonOption = Annotated[bool, typer.Option("--json", help="Write one JSON document.")]


def open_registry(pack: Sequence[Path] | None) -> Registry:
    """Gather the packs that names are looked up in. Raises what `load_registry` raises."""
    return load_registry(build_manager(), pack_dirs=tuple(pack or ()))


def write(text: str) -> None:
    """Write lines to standard output, their control characters written out."""
    sys.stdout.write(f"{printable(text)}\n")


def write_notes(notes: Iterable[Diagnostic | str]) -> None:
    """Write what the user should know, and what stops nothing, to standard error."""
    for note in notes:
        sys.stderr.write(f"note: {printable(str(note))}\n")


def line_width() -> int | None:
    """Return the width to keep to, in characters: at a terminal, or where COLUMNS asks for it."""
    if sys.stdout.isatty() or "COLUMNS" in os.environ:
        return shutil.get_terminal_size().columns
    return None
