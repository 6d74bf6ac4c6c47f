"""Starting bubblewrap, from the supervisor's side: the process forked for it goes through here.

Process limits do not bind root, and so a box that root starts is given away to nobody. For that,
root first binds what the box shall show into a folder that nobody can reach: home folders such as
/root are closed to others, and stay so.
"""

import contextlib
import ctypes
import os
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, NamedTuple, NoReturn

from . import processes

NOBODY = 65534
_NEW_MOUNTS = 0x20000  # CLONE_NEWNS
_BIND, _REC, _PRIVATE = 0x1000, 0x4000, 0x40000
_STAGES = ("/mnt", "/media", "/srv", "/opt", "/tmp")

NAMESPACES = (
    "--unshare-all",
    "--unshare-user",
    "--disable-userns",
    "--new-session",
    "--die-with-parent",
    "--clearenv",
    *("--uid", "1000", "--gid", "1000", "--hostname", "sandbox", "--cap-drop", "ALL"),
)
"""What every box is: namespaces of its own of every kind, and no way to make others in it."""


class Bind(NamedTuple):
    """A path of the host and where the box shows it; `kind` is ro-bind, bind or dev-bind."""

    kind: str
    source: str
    target: str


def execute(box: Mapping[str, Any], command: Sequence[str], supervisor: int) -> NoReturn:
    """Replace this process, a child of `supervisor`, by bubblewrap with `command` in the box."""
    binds = [Bind(*bind) for bind in box["binds"]]
    if os.geteuid() == 0:
        with contextlib.suppress(PermissionError):  # a root that may not mount
            binds = _staged(binds)
        os.setgroups([])
        os.setgid(NOBODY)
        os.setuid(NOBODY)
        processes.die_with_parent(supervisor)  # a new user id has made the kernel forget it
    words = [box["program"], *arguments({**box, "binds": binds}), "--", *command]
    os.execv(box["program"], words)


def arguments(box: Mapping[str, Any]) -> Iterator[str]:
    """The flags that make `box`: ``{"binds", "links", "texts", "sizes", "environment", "folder"}``.

    `sizes` are those of file systems in memory, in bytes by path; `texts` are files by path.
    """
    yield from NAMESPACES
    for target, path in box["links"]:
        yield from ("--symlink", target, path)
    yield from ("--proc", "/proc", "--dev", "/dev")
    for path, size in box["sizes"].items():
        yield from ("--size", str(size), "--tmpfs", path)
    for kind, source, target in box["binds"]:
        yield from (f"--{kind}", source, target)
    for path, text in box["texts"].items():
        yield from ("--ro-bind-data", str(_file_of(text)), path)
    for path in box["folders"]:
        yield from ("--dir", path)
    yield from ("--remount-ro", "/dev", "--remount-ro", "/")
    for name, value in box["environment"].items():
        yield from ("--setenv", name, value)
    yield from ("--chdir", box["folder"])


def _file_of(text: str) -> int:
    descriptor = os.memfd_create("cmdpack", 0)  # not closed by exec: bubblewrap reads it
    os.write(descriptor, text.encode())
    os.lseek(descriptor, 0, os.SEEK_SET)
    return descriptor


def _staged(binds: Sequence[Bind]) -> list[Bind]:
    """Bind the sources into a folder of a mount namespace of our own, open to everybody in it."""
    libc = ctypes.CDLL(None, use_errno=True)

    def mount(source: str, target: str, kind: str | None, flags: int, data: str | None) -> None:
        words = (os.fsencode(word) if word else None for word in (source, target, kind))
        if libc.mount(*words, ctypes.c_ulong(flags), data.encode() if data else None) != 0:
            raise _error(f"mounting {source}")

    if libc.unshare(_NEW_MOUNTS) != 0:
        raise _error("a mount namespace")
    mount("none", "/", None, _REC | _PRIVATE, None)
    stage = next(path for path in _STAGES if os.path.isdir(path))
    opened = [os.open(bind.source, os.O_PATH) for bind in binds]
    mount("cmdpack", stage, "tmpfs", 0, "mode=755,size=1m")
    staged = []
    for number, (bind, descriptor) in enumerate(zip(binds, opened, strict=True)):
        place = f"{stage}/{number}"
        if os.path.isdir(f"/proc/self/fd/{descriptor}"):
            os.mkdir(place)
        else:
            os.close(os.open(place, os.O_CREAT | os.O_WRONLY))
        mount(f"/proc/self/fd/{descriptor}", place, None, _BIND | _REC, None)
        os.close(descriptor)
        staged.append(bind._replace(source=place))
    return staged


def leader(outermost: int) -> processes.Process | None:
    """The process that runs the examples: the first one below the first one of the box."""
    first = next(iter(_below(outermost)), None)
    return None if first is None else next(iter(_below(first.pid)), None)


def _below(parent: int) -> list[processes.Process]:
    """The children of `parent`, the oldest first."""
    found = [it for it in processes.descendants(parent) if it.parent == parent]
    return sorted(found, key=lambda it: (it.start, it.pid))


def _error(what: str) -> OSError:
    number = ctypes.get_errno()
    return OSError(number, f"{what}: {os.strerror(number)}")
