"""Folders of one's own work: whether nobody else can put a file where its owner trusts all files.

The same is asked when a folder is approved and each time that a file in it is to run.
"""

import hashlib
import os
import stat
from pathlib import Path

from cmdpack.errors import CmdpackError, UsageError
from cmdpack.packs import Pack, read_pack
from cmdpack.parse import LARGEST_FILE
from cmdpack.spec import CommandSpec


def own(folder: Path) -> Path:
    """Return the real path of a folder of the user's own work.

    Raises `UsageError` for what is not, and for the home folder and all above it: what others sent
    lies there too.
    """
    try:
        real = folder.resolve(strict=True)
    except OSError as error:
        raise UsageError(f"cannot be found: {error.strerror}", place=str(folder)) from error
    fact = _fault(real)
    if fact is None and _home().is_relative_to(real):
        fact = "is too wide: it holds more than your own work"
    if fact is not None:
        raise UsageError(
            fact,
            place=str(real),
            help="name a folder that is yours, that nobody else may write, and in which all is "
            "your own work",
        )
    return real


def _home() -> Path:
    try:
        return Path.home().resolve()
    except RuntimeError:  # without one, only the root of all is too wide
        return Path("/")


def holds(folder: Path, spec: CommandSpec) -> bool:
    """Whether what was read for `spec` is what lies, as a file of the user's, below `folder`.

    `folder` must still be what was approved: the real path of a folder that only the user can
    write. The file is compared with what was read, as the way to it may have changed since.
    """
    try:
        real = Path(spec.path).resolve(strict=True)
        if not real.is_relative_to(folder) or folder.resolve(strict=True) != folder:
            return False
        between = [it for it in real.parents if it.is_relative_to(folder)]
        if any(_fault(it) is not None for it in between):
            return False
        return _digest_of_own(real) == spec.digest
    except OSError:
        return False


def holds_pack(folder: Path, pack: Pack) -> bool:
    """Whether the pack that was read, apart from its commands, is one that lies below `folder`."""
    try:
        real = Path(pack.origin.path).resolve(strict=True)
        again, _ = read_pack(real, trust="user", source="")
    except (OSError, CmdpackError):
        return False
    read = (pack.manifest, pack.origin.name)
    return real.is_relative_to(folder) and (again.manifest, again.origin.name) == read


def _fault(folder: Path) -> str | None:
    """What is wrong with a folder as one of the user's own; `folder` is a real path."""
    found = folder.lstat()
    if not stat.S_ISDIR(found.st_mode):
        return "is not a folder"
    if found.st_uid != os.geteuid():
        return "belongs to another user"
    if found.st_mode & stat.S_IWOTH:
        return "can be written by every user of this machine"
    for parent in folder.parents:
        above = parent.lstat()
        if above.st_uid not in {os.geteuid(), 0}:
            return f"lies in a folder of another user: {parent}"
        if above.st_mode & stat.S_IWOTH and not above.st_mode & stat.S_ISVTX:
            return f"lies in a folder that every user of this machine can write: {parent}"
    return None


def _digest_of_own(path: Path) -> str | None:
    """The SHA-256 of a regular file of the user's that not everybody can write."""
    number = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
    try:
        found = os.fstat(number)
        if not stat.S_ISREG(found.st_mode) or found.st_uid != os.geteuid():
            return None
        if found.st_mode & stat.S_IWOTH:
            return None
        with open(number, "rb", closefd=False) as file:
            return hashlib.sha256(file.read(LARGEST_FILE + 1)).hexdigest()
    finally:
        os.close(number)
