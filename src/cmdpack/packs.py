"""Packs: folders of command files, listed but not yet parsed."""

import os
from collections.abc import Iterator
from pathlib import Path

from cmdpack.diagnostics import Diagnostic
from cmdpack.errors import InputError, UsageError
from cmdpack.manifest import FILE_NAME, Manifest, read_manifest
from cmdpack.nouns import Noun, Span
from cmdpack.plan import PackOrigin, Trust

_COMMANDS = "commands"
_NOT_COMMANDS = {"readme", "changelog", "license"}
_FORM = "a pack is a folder with commands/*.md, or with *.md"


class Pack(Noun):
    """A pack: where it came from, what its manifest says, and its command files by name."""

    origin: PackOrigin
    manifest: Manifest
    files: dict[str, Path]


def read_pack(folder: Path, *, trust: Trust, source: str) -> tuple[Pack, tuple[Diagnostic, ...]]:
    """List the commands of a pack folder and read its manifest.

    A folder with a folder ``commands`` is a full pack; any other is taken for a bare folder of
    Markdown. A link that leads out of the folder is left out with diagnostic PK001, a file whose
    name is not UTF-8 with PK002.
    Raises UsageError if there is no such folder or no command in it, InputError if it cannot be
    read, and what `read_manifest` raises.
    """
    if _encodable(folder) != str(folder):
        raise UsageError("the name of the folder is not UTF-8", place=_encodable(folder))
    try:
        return _read(folder, trust, source)
    except OSError as error:
        raise InputError(f"cannot be read: {error.strerror}", place=str(folder)) from error


def _read(folder: Path, trust: Trust, source: str) -> tuple[Pack, tuple[Diagnostic, ...]]:
    if not folder.is_dir():
        fact = "is not a folder" if folder.exists() else "does not exist"
        raise UsageError(fact, place=str(folder), help=_FORM)
    manifest, found = Manifest(), list[Diagnostic]()
    if (folder / FILE_NAME).is_file():
        manifest, problems = read_manifest(folder / FILE_NAME)
        found.extend(problems)
    files = {}
    root = folder.resolve()
    for path in _markdown(folder):
        if (reason := _unusable(path, root)) is None:
            files[path.stem] = path
        else:
            found.append(reason)
    if not files:
        raise UsageError("the folder holds no command files", place=str(folder), help=_FORM)
    origin = _origin(manifest, root, path=str(folder), trust=trust, source=source)
    return Pack(origin=origin, manifest=manifest, files=files), tuple(found)


def _origin(manifest: Manifest, root: Path, *, path: str, trust: Trust, source: str) -> PackOrigin:
    return PackOrigin(
        name=manifest.pack.name or root.name,
        version=manifest.pack.version,
        path=path,
        trust=trust,
        source=source,
    )


def origin_of_file(path: Path) -> PackOrigin:
    """Return the origin of a command file that its user named by its path.

    Its pack is the folder around a folder ``commands``, whose manifest gives it a name, or else
    the bare folder that it lies in. Raises what `read_manifest` raises.
    """
    root, manifest = _root_of_file(path), Manifest()
    if path.parent.resolve() != root and (root / FILE_NAME).is_file():
        manifest, _ = read_manifest(root / FILE_NAME)
    return _origin(manifest, root, path=str(path), trust="user", source=str(path))


def beside(path: Path, name: str) -> Path | None:
    """Return the file of the command `name` in the pack of the command file at `path`."""
    root = _root_of_file(path)
    try:
        found = [it for it in _listed(path.parent) if it.stem == name]
    except OSError:  # a folder that can be entered and not listed
        return None
    return next((it for it in found if _unusable(it, root) is None), None)


def _root_of_file(path: Path) -> Path:
    folder = path.parent.resolve()
    return folder.parent if folder.name == _COMMANDS else folder


def _markdown(folder: Path) -> Iterator[Path]:
    commands = folder / _COMMANDS
    return _listed(commands if commands.is_dir() else folder)


def _listed(folder: Path) -> Iterator[Path]:
    for path in sorted(folder.iterdir()):
        hidden = path.name.startswith(".")
        named = path.suffix == ".md" and path.stem.lower() not in _NOT_COMMANDS
        if named and not hidden and path.is_file():
            yield path


def _encodable(path: Path) -> str:
    return os.fsencode(path).decode(errors="backslashreplace")


def _unusable(path: Path, root: Path) -> Diagnostic | None:
    if _encodable(path) != str(path):
        code, fact = "PK002", "the name of the file is not UTF-8, and it is left out"
        next_step = "rename the file"
    elif not path.resolve().is_relative_to(root):
        code, fact = "PK001", "the file is a link that leads out of its pack, and is left out"
        next_step = "put the file itself into the pack"
    else:
        return None
    return Diagnostic(
        code=code,
        severity="warning",
        message=fact,
        path=_encodable(path),
        span=Span(line=1, column=1, end_line=1, end_column=1),
        help=next_step,
    )
