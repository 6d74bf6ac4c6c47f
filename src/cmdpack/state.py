"""What cmdpack must not forget: one private folder, whole writes, and a lock the kernel releases.

A write is seen whole or not at all, whatever ends the process and wherever the disk is full. Nobody
but its owner may write what is read here: what others could have written counts for nothing.
"""

import contextlib
import os
import secrets
import stat
from collections.abc import Iterator
from pathlib import Path
from time import monotonic, sleep

from cmdpack.errors import InputError

_TEMPORARY = ".new-"
_PATIENCE = 30.0  # seconds to wait for a lock, which others hold for milliseconds
_OTHERS_WRITE = stat.S_IWGRP | stat.S_IWOTH


class UnsafeError(Exception):
    """A file that cannot be believed; the text says why."""


def folder() -> Path:
    """Where state is kept: ``$XDG_STATE_HOME/cmdpack``, or what the system has for it.

    Nothing is made. Raises `InputError` where there is no such place: without a home, or where the
    variable holds a relative path, which would lie in whatever folder is the current one.
    """
    import platformdirs  # noqa: PLC0415 - most verbs need no state

    named = os.environ.get("XDG_STATE_HOME", "").strip()
    found = None
    with contextlib.suppress(RuntimeError):  # without a home
        found = platformdirs.user_state_path("cmdpack", appauthor=False)
    if found is None or not found.is_absolute() or (named and not Path(named).is_absolute()):
        raise InputError(
            "there is no place to keep grants: no home folder is known",
            place=named or None,
            help="set HOME or XDG_STATE_HOME to an absolute path",
        )
    return found


def make(place: Path) -> None:
    """Make the folder `place`, and those above it, for this user alone; one that is there stays.

    Raises `OSError`, also where it is another's, or a link.
    """
    for each in (*reversed(place.parents), place):
        if not each.exists():
            each.mkdir(mode=0o700, exist_ok=True)
    found = place.lstat()
    if not stat.S_ISDIR(found.st_mode) or found.st_uid != os.geteuid():
        raise PermissionError(0, "it is not a folder of yours", str(place))


def read(path: Path, limit: int) -> bytes | None:
    """The content of a file of state, of at most `limit` bytes; None where there is none.

    Raises `UnsafeError` for a file that is not regular, too long or unreadable, and where somebody
    else owns or may write it or its folder.
    """
    try:
        around = path.parent.lstat()
        _check(around, "its folder", right=stat.S_ISDIR(around.st_mode))
        # Not through a link, and without waiting for whoever would write a FIFO.
        number = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
    except FileNotFoundError:
        return None
    except OSError as error:
        raise UnsafeError(f"the file cannot be read: {error.strerror}") from error
    try:
        found = os.fstat(number)
        _check(found, "the file", right=stat.S_ISREG(found.st_mode))
        with open(number, "rb", closefd=False) as file:
            content = file.read(limit + 1)
    except OSError as error:
        raise UnsafeError(f"the file cannot be read: {error.strerror}") from error
    finally:
        os.close(number)
    if len(content) > limit:
        raise UnsafeError(f"the file has more than {limit} bytes")
    return content


def _check(found: os.stat_result, what: str, *, right: bool) -> None:
    if not right:
        raise UnsafeError(f"{what} is a link or something else that it should not be")
    if found.st_uid != os.geteuid():
        raise UnsafeError(f"{what} belongs to another user")
    if found.st_mode & _OTHERS_WRITE:
        raise UnsafeError(f"others than you may write {what}")


def write(path: Path, content: bytes) -> None:
    """Put `content` at `path`, mode 0600, so that a reader finds all of it or what was before.

    Raises `OSError`; then what was before is still there.
    """
    new = path.with_name(f"{_TEMPORARY}{secrets.token_hex(8)}")
    flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
    number = os.open(new, flags, 0o600)
    try:
        with open(number, "wb") as file:  # noqa: PTH123 - see above
            os.fchmod(number, 0o600)  # whatever the umask took away
            file.write(content)
            file.flush()
            os.fsync(number)
        new.replace(path)
    except BaseException:
        with contextlib.suppress(OSError):
            new.unlink()
        raise
    sync(path.parent)


def sync(place: Path) -> None:
    """Let what was renamed in the folder `place` outlive a loss of power."""
    number = os.open(place, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(number)
    finally:
        os.close(number)


def sweep(place: Path) -> None:
    """Remove what writers left behind that were killed. Only for whoever holds the lock."""
    for path in place.glob(f"{_TEMPORARY}*"):
        path.unlink(missing_ok=True)


@contextlib.contextmanager
def locked(path: Path) -> Iterator[None]:
    """Hold the lock file at `path`, which is never removed. It ends with the process that holds it.

    Raises `OSError`, and `InputError` when somebody else holds it for half a minute.
    """
    import fcntl  # noqa: PLC0415 - not everywhere, and needed by writers alone

    flags = os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC
    number = os.open(path, flags, 0o600)
    try:
        until = monotonic() + _PATIENCE
        while True:
            try:
                fcntl.flock(number, fcntl.LOCK_EX | fcntl.LOCK_NB)
                break
            except BlockingIOError:
                if monotonic() > until:
                    raise InputError(
                        f"another cmdpack has held this lock for {_PATIENCE:g} s",
                        place=str(path),
                        help="end that process, and try again",
                    ) from None
                sleep(0.01)
        yield
    finally:
        os.close(number)
