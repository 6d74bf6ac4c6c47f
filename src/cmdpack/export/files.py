"""Writes an export into a folder: all of it or nothing, and never over what somebody else wrote.

Beside the files lies `MANIFEST`, which holds the SHA-256 of each. A later export replaces and
removes exactly the files that still have that content; everything else in its way is an error,
found before the first byte is written.
"""

import hashlib
import json
import secrets
import shutil
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path, PurePosixPath

from pydantic import TypeAdapter, ValidationError

from cmdpack.errors import InputError
from cmdpack.nouns import Noun

MANIFEST = ".cmdpack-export.json"
_DIGESTS = TypeAdapter(dict[str, str])


class Written(Noun):
    """What an export did to `directory`, as paths below it."""

    directory: str
    written: tuple[str, ...]
    unchanged: tuple[str, ...]
    removed: tuple[str, ...]


def write_export(directory: Path, target: str, files: Mapping[str, str]) -> Written:
    """Make `directory` hold exactly `files` (relative path to text) as an export to `target`.

    The folder is created, filled when empty, or brought up to date when it holds an earlier export
    to the same target.

    Raises:
        InputError: something that this export did not write is in the way, or the folder cannot be
            read or written. Nothing was changed, unless the system failed between two renames; then
            the same export, run again, finishes it.

    """
    directory = directory.absolute()
    contents = {path: text.encode() for path, text in files.items()}
    manifest = _manifest(target, contents)
    with _readable_errors(directory):
        previous = _previous(directory, target)
        obstacles = list(_obstacles(directory, previous, contents))
        if obstacles:
            raise InputError(
                "files in the way that no export of cmdpack wrote, or that were changed since: "
                + ", ".join(obstacles),
                place=str(directory),
                help="move them away, or export into another folder",
            )
        changed = tuple(path for path in contents if not _holds(directory / path, contents[path]))
        removed = tuple(path for path in sorted(previous.keys() - contents.keys()))
        _install(directory, {path: contents[path] for path in changed} | {MANIFEST: manifest})
        _remove(directory, removed)
    return Written(
        directory=str(directory),
        written=changed,
        unchanged=tuple(path for path in contents if path not in changed),
        removed=removed,
    )


def _manifest(target: str, contents: Mapping[str, bytes]) -> bytes:
    digests = {path: _digest(data) for path, data in contents.items()}
    document = {"generator": "cmdpack", "target": target, "files": digests}
    return (json.dumps(document, indent=2) + "\n").encode()


def _digest(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


def _previous(directory: Path, target: str) -> dict[str, str]:
    """The files of the export in `directory`, with their digests; none in a new folder."""
    if directory.is_symlink() or (directory.exists() and not directory.is_dir()):
        raise InputError(
            "is not a folder of its own", place=str(directory), help="name a new or an empty folder"
        )
    manifest = directory / MANIFEST
    if not directory.exists() or not any(directory.iterdir()):
        return {}
    if manifest.is_symlink() or not manifest.is_file():
        raise InputError(
            "the folder is not empty and holds no export of cmdpack",
            place=str(directory),
            help="name a new or an empty folder",
        )
    return _digests(manifest, target)


def _digests(manifest: Path, target: str) -> dict[str, str]:
    try:
        document = json.loads(manifest.read_bytes())
        written_for, digests = document["target"], _DIGESTS.validate_python(document["files"])
    except (ValueError, KeyError, TypeError, ValidationError) as error:
        raise InputError(
            "is not a list of exported files as cmdpack writes it",
            place=str(manifest),
            help="export into a new folder",
        ) from error
    if written_for != target:
        raise InputError(
            f"the folder holds an export to {written_for!r}, not to {target!r}",
            place=str(manifest.parent),
            help="give each target a folder of its own",
        )
    strays = [path for path in digests if not _stays_inside(path)]
    if strays:
        raise InputError(
            f"lists a file outside of its folder: {strays[0]}",
            place=str(manifest),
            help="this manifest was not written by cmdpack: export into a new folder",
        )
    return digests


def _stays_inside(path: str) -> bool:
    pure = PurePosixPath(path)
    return bool(pure.parts) and not pure.is_absolute() and ".." not in pure.parts


def _obstacles(
    directory: Path, previous: Mapping[str, str], contents: Mapping[str, bytes]
) -> Iterator[str]:
    """Yield every path where writing or removing would touch what is not ours."""
    for path in sorted(previous.keys() | contents.keys()):
        blocked = _blocked_parent(directory, path)
        place = directory / path
        if blocked is not None:
            yield blocked
        elif place.is_symlink() or (place.exists() and not place.is_file()):
            yield path
        elif place.exists():
            data = place.read_bytes()
            if _digest(data) != previous.get(path) and data != contents.get(path):
                yield path


def _blocked_parent(directory: Path, path: str) -> str | None:
    """The first folder on the way to `path` that is a link or no folder at all."""
    for parent in reversed(PurePosixPath(path).parents[:-1]):
        place = directory / parent
        if place.is_symlink() or (place.exists() and not place.is_dir()):
            return str(parent)
    return None


def _holds(place: Path, data: bytes) -> bool:
    return place.is_file() and place.read_bytes() == data


def _install(directory: Path, contents: Mapping[str, bytes]) -> None:
    """Write everything beside `directory`, where a full disk harms nothing; then rename it."""
    directory.parent.mkdir(parents=True, exist_ok=True)
    staging = directory.parent / f".{directory.name}.{secrets.token_hex(4)}"
    staging.mkdir()
    try:
        for path, data in contents.items():
            place = staging / path
            place.parent.mkdir(parents=True, exist_ok=True)
            place.write_bytes(data)
        if not directory.exists():
            staging.rename(directory)
            return
        for path in contents:
            (directory / path).parent.mkdir(parents=True, exist_ok=True)
            (staging / path).replace(directory / path)
    finally:
        shutil.rmtree(staging, ignore_errors=True)


def _remove(directory: Path, paths: tuple[str, ...]) -> None:
    """Delete files of the earlier export, and the folders that this leaves empty."""
    for path in paths:
        place = directory / path
        place.unlink(missing_ok=True)
        with suppress(OSError):  # not empty: others keep files there
            for parent in place.parents:
                if parent == directory:
                    break
                parent.rmdir()


@contextmanager
def _readable_errors(directory: Path) -> Iterator[None]:
    """Say what the system refused, and where, instead of a traceback."""
    try:
        yield
    except OSError as error:
        raise InputError(
            f"cannot be written: {error.strerror or error}",
            place=str(error.filename or directory),
            help="check the permissions and the free space, or export into another folder",
        ) from error
