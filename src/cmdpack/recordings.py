"""What a run writes for its user beside its result: a profiler's trace, and XLA's own programs.

Both go into folders that the user names and that hold nothing yet, so that nothing of the user's is
mixed with them or lost; nothing is written elsewhere.
"""

import contextlib
import json
import os
import re
import shutil
from collections.abc import Iterator, Mapping
from pathlib import Path

from cmdpack import children
from cmdpack.errors import InputError, UsageError
from cmdpack.plan import CompileCache, Note, Plan, Recordings
from cmdpack.planner import Wishes
from cmdpack.result import (
    Compilation,
    HloRecorded,
    Hot,
    Program,
    Recorded,
    RunResult,
    TraceRecorded,
)

_READING_SECONDS = 60.0
_COSTLIEST = 5  # functions whose programs are named
_LEAST_FREE = 64 * 2**20  # bytes on the disk without which nothing is begun


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
    """Make the folders. Raises `InputError` where that cannot be done, or the disk is full."""
    for folder in _folders(recordings):
        try:
            folder.mkdir(parents=True, exist_ok=True)
            free = shutil.disk_usage(folder).free
        except OSError as error:
            raise InputError(error.strerror or str(error), place=str(folder)) from None
        if free < _LEAST_FREE:
            raise InputError(f"only {free // 2**20} MiB are free there", place=str(folder))


def _folders(recordings: Recordings) -> Iterator[Path]:
    yield from (Path(it) for it in (recordings.trace, recordings.hlo) if it is not None)


# After the run


def recorded(plan: Plan, result: RunResult) -> tuple[Recorded, list[Note]]:
    """What the run has written, and what should be said where it is nothing."""
    trace = hlo = None
    notes = []
    if (folder := plan.recordings.trace) is not None:
        trace = _trace(Path(folder), plan, result)
        if not trace.files:
            notes.append(_nothing("no profile was written", folder, result))
    if (folder := plan.recordings.hlo) is not None:
        hlo = _hlo(Path(folder), result)
        if not hlo.files:
            notes.append(_nothing("XLA wrote no program", folder, result))
    return Recorded(trace=trace, hlo=hlo), notes


def _nothing(what: str, folder: str, result: RunResult) -> Note:
    why = "the example, or a full disk, kept JAX from it"
    if result.platform is None:
        why = "the run used no device of JAX, or did not come to its end"
    return Note(code="recording", message=f"{what} to {folder}: {why}")


def _trace(folder: Path, plan: Plan, result: RunResult) -> TraceRecorded:
    files = _files(folder)
    profile = next((path for path in files if path.name.endswith(".xplane.pb")), None)
    return TraceRecorded(
        directory=str(folder),
        files=len(files),
        size=sum(files.values()),
        hottest=None if profile is None else _hottest(profile, plan, result),
    )


def _hottest(profile: Path, plan: Plan, result: RunResult) -> tuple[Hot, ...] | None:
    """Have the Python of the run read the profile; its JAX knows how."""
    command = children.in_user_python(plan.python.executable, "profile", str(profile))
    surroundings = {**os.environ, "JAX_PLATFORMS": "cpu"}
    functions = {module(it.function): it.function for it in _compilations(result)}
    try:
        done = children.ask(command, "", timeout=_READING_SECONDS, environment=surroundings)
        told = json.loads(done.stdout.splitlines()[-1])
        return tuple(
            Hot.model_validate({**it, "function": functions.get(it["module"])}) for it in told
        )
    except (InputError, LookupError, TypeError, ValueError):
        return None


def _hlo(folder: Path, result: RunResult) -> HloRecorded:
    files = _files(folder)
    flops: dict[str, int] = {}
    for it in _compilations(result):
        if it.estimate is not None and it.estimate.flops is not None:
            flops[it.function] = max(flops.get(it.function, 0), it.estimate.flops)
    first = sorted(flops, key=lambda name: -flops[name])[:_COSTLIEST]
    names = [path.relative_to(folder).as_posix() for path in files]
    optimised = [name for name in names if name.endswith("after_optimizations.txt")]
    return HloRecorded(
        directory=str(folder),
        files=len(files),
        size=sum(files.values()),
        costliest=tuple(
            Program(
                function=function,
                flops=flops[function],
                files=tuple(name for name in optimised if f".{module(function)}." in name),
            )
            for function in first
        ),
    )


def module(function: str) -> str:
    """The name that XLA knows a jitted function by; `function` is its qualified name."""
    name = function.rpartition(".")[2]
    return re.sub(r"[^\w.-]", "_", f"jit({name})").rstrip("_")


def _compilations(result: RunResult) -> Iterator[Compilation]:
    for unit in result.units:
        yield from unit.compilations


def _files(folder: Path) -> dict[Path, int]:
    """The files below `folder` with their sizes in bytes; what cannot be read counts as none."""
    found = {}
    for above, _, names in os.walk(folder):
        for name in sorted(names):
            path = Path(above, name)
            with contextlib.suppress(OSError):
                found[path] = path.lstat().st_size
    return found
