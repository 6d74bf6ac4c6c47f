"""Where compiled executables are kept between runs: one private folder per pack and circumstances.

JAX's persistent cache is not safe to share between jaxlib versions, processors or flags (a stale
entry can crash the process), so all of these are part of the folder's name.
"""

import contextlib
import hashlib
import os
import platform
import shutil
import stat
import time
from collections.abc import Mapping
from pathlib import Path

from cmdpack.child.boxes import NOBODY
from cmdpack.plan import CompileCache, Note, PackOrigin

_FORMAT = "1"
_UNUSED_DAYS = 60
_OWN_SETTINGS = ("JAX_COMPILATION_CACHE_DIR", "JAX_ENABLE_COMPILATION_CACHE")
_MARK = "used"
_BOXED_BYTES = 256 * 2**20
_BOXED_FILES = 10_000
_HOMELESS = CompileCache(directory=None, reason="no home folder is known", disabled=True)
IN_BOX = "/cache"
"""Where a sandbox shows its cache."""


def compile_cache(
    pack: PackOrigin, jaxlib: str | None, circumstances: Mapping[str, str], *, fresh: bool
) -> CompileCache:
    """Tell where the cache folder is, or why there is none; nothing is made or looked at.

    `circumstances` are the environment variables that change what is compiled.
    """
    if fresh:
        return CompileCache(directory=None, reason="--fresh", disabled=True)
    for name in _OWN_SETTINGS:
        if name in os.environ:
            return CompileCache(directory=None, reason=f"left to your {name}")
    if jaxlib is None:
        return CompileCache(directory=None, reason="no jaxlib")
    if (root := _root()) is None:
        return _HOMELESS
    folder = root / f"{jaxlib}-{_key(pack, circumstances)}"
    return CompileCache(directory=str(folder), reason="kept for this pack")


def boxed_cache(
    pack: PackOrigin, jaxlib: str | None, circumstances: Mapping[str, str], *, fresh: bool
) -> CompileCache:
    """The cache of a sandboxed run, a folder that no run of other circumstances ever reads.

    `circumstances` hold the level of the sandbox and the content of all files of the run. The
    user's own cache is out of its reach.
    """
    if fresh or jaxlib is None:
        reason = "--fresh" if fresh else "no jaxlib"
        return CompileCache(directory=None, reason=reason, disabled=True)
    if (root := _root()) is None:
        return _HOMELESS
    folder = root / f"{jaxlib}-{_key(pack, circumstances)}" / "entries"
    return CompileCache(directory=str(folder), reason="kept for this content", boxed=True)


def prepare(cache: CompileCache, pack: PackOrigin) -> Note | None:
    """Make the folder of `cache`, private to the user, and forget those that are long unused.

    A folder that cannot be made or written costs the cache, never the run: the note says so.
    """
    if cache.directory is None:
        return None
    entries = Path(cache.directory)
    folder = entries.parent if cache.boxed else entries
    try:
        for path in (folder.parent.parent, folder.parent, folder):
            _make_private(path)
        (folder / _MARK).write_bytes(_identity(pack) + b"\n")
        if cache.boxed:
            _make_boxed(entries)
    except OSError as error:
        reason = f"{error.filename or folder} cannot be written: {error.strerror or error}"
        return Note(code="cache", message=f"no compile cache: {reason}")
    _forget_unused(folder.parent)
    return None


def prune(cache: CompileCache) -> None:
    """Empty a cache that a sandbox has filled with too much, or with other things than files."""
    if cache.directory is not None and cache.boxed:
        with contextlib.suppress(OSError, RecursionError):
            _clean(Path(cache.directory))


def variables(cache: CompileCache) -> dict[str, str]:
    """The settings that make JAX use the cache for every executable, however quick to compile."""
    if cache.disabled:
        return {"JAX_ENABLE_COMPILATION_CACHE": "false"}
    if cache.directory is None:
        return {}
    return {
        "JAX_COMPILATION_CACHE_DIR": IN_BOX if cache.boxed else cache.directory,
        "JAX_PERSISTENT_CACHE_MIN_COMPILE_TIME_SECS": "0",
        "JAX_PERSISTENT_CACHE_MIN_ENTRY_SIZE_BYTES": "-1",
    }


def is_warm(cache: CompileCache) -> bool:
    """Whether the cache holds anything that could be loaded."""
    if cache.directory is None:
        return False
    with contextlib.suppress(OSError), os.scandir(cache.directory) as entries:
        return any(entry.name != _MARK for entry in entries)
    return False


def _root() -> Path | None:
    import platformdirs  # noqa: PLC0415 - only a run needs it

    try:
        return platformdirs.user_cache_path("cmdpack", appauthor=False) / f"compile-{_FORMAT}"
    except RuntimeError:  # without a home
        return None


def _key(pack: PackOrigin, circumstances: Mapping[str, str]) -> str:
    parts = [_processor(), *map("=".join, sorted(circumstances.items()))]
    known = b"\0".join([_identity(pack), *map(os.fsencode, parts)])
    return hashlib.sha256(known).hexdigest()[:20]


def _identity(pack: PackOrigin) -> bytes:
    """What tells a pack from others of its name: a relative path means another one elsewhere."""
    return os.fsencode(f"{pack.name} {Path(pack.path).resolve()}")


def _processor() -> str:
    """What the processor can do: an executable for another one may stop the process."""
    with contextlib.suppress(OSError, UnicodeError):
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").split("\n\n", 1)[0].splitlines()
        wanted = ("model name", "flags", "Features", "CPU part")
        return "\n".join(line for line in lines if line.startswith(wanted))
    return f"{platform.machine()} {platform.processor()}"


def _make_private(folder: Path) -> None:
    """Make `folder` for this user alone. Raises `OSError`, also where it is another's or a link."""
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    found = folder.lstat()
    if not stat.S_ISDIR(found.st_mode) or found.st_uid != os.getuid():
        raise PermissionError(0, "it is not a folder of yours", str(folder))
    if found.st_mode & 0o077:
        folder.chmod(0o700)


def _make_boxed(entries: Path) -> None:
    """Make the folder that a sandbox writes, empty if what is there is too much, or odd.

    Nothing in it is opened or followed. A sandbox that root starts is not root's.
    """
    try:
        _clean(entries)
    except RecursionError:
        raise OSError(0, "what a sandbox has left there goes too deep", str(entries)) from None
    entries.mkdir(mode=0o700, exist_ok=True)
    if os.geteuid() == 0:
        os.chown(entries, NOBODY, NOBODY, follow_symlinks=False)


def _clean(entries: Path) -> None:
    """Remove a folder of entries that is not what it should be."""
    with contextlib.suppress(FileNotFoundError):
        descriptor = os.open(entries, os.O_PATH | os.O_NOFOLLOW | os.O_DIRECTORY)
        try:
            os.chmod(f"/proc/self/fd/{descriptor}", 0o700)  # noqa: PTH101 - this very folder
        finally:
            os.close(descriptor)
        if not _is_proper(entries):
            shutil.rmtree(entries)


def _is_proper(entries: Path) -> bool:
    """Whether a folder holds plain files alone, and not too many."""
    left, number = _BOXED_BYTES, _BOXED_FILES
    with os.scandir(entries) as found:
        for entry in found:
            facts = entry.stat(follow_symlinks=False)
            left -= max(facts.st_size, facts.st_blocks * 512)
            number -= 1
            if not stat.S_ISREG(facts.st_mode) or facts.st_nlink > 1 or min(left, number) < 0:
                return False
    return True


def _forget_unused(root: Path) -> None:
    """Remove caches that no run has used for a long time: each jaxlib version leaves one behind."""
    oldest = time.time() - _UNUSED_DAYS * 86400
    with contextlib.suppress(OSError):
        for folder in root.iterdir():
            mark = folder / _MARK
            if not folder.is_symlink() and mark.exists() and mark.stat().st_mtime < oldest:
                shutil.rmtree(folder, ignore_errors=True)
