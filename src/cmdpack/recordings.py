"""What a run writes for its user beside its result: a profiler's trace, and XLA's own programs.

Both go into folders that the user names and that hold nothing yet, so that nothing of the user's is
mixed with them or lost; nothing is written elsewhere.
"""

import os
from collections.abc import Iterator, Mapping
from pathlib import Path

from cmdpack.errors import InputError, UsageError
from cmdpack.plan import CompileCache, Recordings
from cmdpack.planner import Wishes


def planned(wishes: Wishes) -> Recordings:
    """The folders that the user asked for, absolute; nothing is made.

    Raises `UsageError` for one that cannot be used: a file, a folder that holds something, one
    that cannot be written, both the same.
    """
    folders = {}
    for flag, given in (("--trace", wishes.trace), ("--dump-hlo", wishes.dump_hlo)):
        if given is not None:
            folders[flag] = _usable(flag, given)
    if len({*folders.values()}) < len(folders):
        raise UsageError("--trace and --dump-hlo name the same folder", help="name two")
    found = {flag: str(folder) for flag, folder in folders.items()}
    return Recordings(trace=found.get("--trace"), hlo=found.get("--dump-hlo"))


def _usable(flag: str, given: str) -> Path:
    """The folder `given`, absolute. Raises `UsageError`."""
    place = f"{flag} {given}"
    if "\0" in given or not given.strip() or any(0xD800 <= ord(it) < 0xE000 for it in given):
        raise UsageError("this names no folder", place=place)
    if flag == "--dump-hlo" and any(it.isspace() or it in "'\"" for it in str(Path.cwd() / given)):
        raise UsageError(
            "XLA cannot be told of a path with spaces or quotes in it",
            place=place,
            help="name another folder",
        )
    folder = Path(os.path.abspath(given))  # noqa: PTH100 - `..` of a folder that is not there yet
    try:
        if not folder.is_dir():
            _require_new(folder, place)
        elif any(folder.iterdir()):
            raise UsageError(
                "this folder is not empty", place=place, help="name a new one, or empty it"
            )
        elif not os.access(folder, os.W_OK | os.X_OK):
            raise UsageError("this folder cannot be written", place=place)
    except OSError as error:
        raise UsageError(error.strerror or str(error), place=place) from None
    return folder


def _require_new(folder: Path, place: str) -> None:
    """Raise `UsageError` where `folder` cannot be made."""
    if folder.is_symlink() or folder.exists():
        raise UsageError("this is not a folder", place=place, help="name a new or an empty one")
    above = next(it for it in folder.parents if it.exists())
    if not above.is_dir():
        raise UsageError(f"{above} is not a folder", place=place)
    if not os.access(above, os.W_OK | os.X_OK):
        raise UsageError(f"{above} cannot be written", place=place)


def variables(recordings: Recordings, environment: Mapping[str, str]) -> dict[str, str]:
    """The settings of XLA that make it write its programs, after the user's own."""
    if recordings.hlo is None:
        return {}
    flags = [environment.get("XLA_FLAGS", ""), f"--xla_dump_to={recordings.hlo}", *_HLO_FLAGS]
    return {"XLA_FLAGS": " ".join(flags).strip()}


_HLO_FLAGS = ("--xla_dump_hlo_as_text",)


def without_cache(recordings: Recordings, cache: CompileCache) -> CompileCache:
    """`cache`, or none where XLA's programs are asked for: what is loaded is not compiled."""
    if recordings.hlo is None:
        return cache
    return CompileCache(directory=None, reason="--dump-hlo", disabled=True)


def prepare(recordings: Recordings) -> None:
    """Make the folders. Raises `InputError` where that cannot be done."""
    for folder in _folders(recordings):
        try:
            folder.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise InputError(error.strerror or str(error), place=str(folder)) from None


def _folders(recordings: Recordings) -> Iterator[Path]:
    yield from (Path(it) for it in (recordings.trace, recordings.hlo) if it is not None)
