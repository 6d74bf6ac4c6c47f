"""Landlock, the kernel's own file and network restrictions, by bare system calls.

A second layer inside of a box of bubblewrap, and the first one of a partial sandbox. Nothing here
needs rights: a process can only take from itself, and from all that it starts.
"""

import ctypes
import os
import struct
import sys
from collections.abc import Sequence

_CREATE_RULESET, _ADD_RULE, _RESTRICT_SELF = 444, 445, 446  # the same on every architecture
_VERSION = 1  # the flag that asks for the version of the interface
_BENEATH_PATH = 1
_PR_SET_NO_NEW_PRIVS = 38

_EXECUTE, _WRITE_FILE, _READ_FILE, _READ_DIR = 1, 2, 4, 8
_REMOVE_FILE, _MAKE_FILE, _TRUNCATE = 1 << 5, 1 << 8, 1 << 14
_READ = _EXECUTE | _READ_FILE | _READ_DIR
_PLAIN = _WRITE_FILE | _READ_FILE | _READ_DIR | _REMOVE_FILE | _MAKE_FILE | _TRUNCATE
_OF_FILES = _EXECUTE | _WRITE_FILE | _READ_FILE | _TRUNCATE
_KNOWN = ((1, (1 << 13) - 1), (2, 1 << 13), (3, _TRUNCATE))  # rights, by the version they came with
WITH_TCP = 4
"""The first version of the interface that knows TCP; Linux 6.7."""
_TCP = 0b11  # bind and connect
_SCOPES = 0b11  # abstract Unix sockets and signals


def version() -> int:
    """The version of the interface that this kernel has; 0 where there is none."""
    if sys.platform != "linux":
        return 0
    found = _libc().syscall(_CREATE_RULESET, None, ctypes.c_size_t(0), ctypes.c_uint32(_VERSION))
    return max(int(found), 0)


def give_up_privileges() -> None:
    """Let no program that this process executes gain rights, whatever its file says."""
    if _libc().prctl(_PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0:
        raise _error("no new privileges")


def restrict(
    readable: Sequence[str], writable: Sequence[str], plain: Sequence[str], *, isolate: bool
) -> int:
    """Leave this process those paths and what is below them, `isolate` also from the outside.

    In the folders `plain` it can make files, and neither links nor folders nor pipes.
    Isolated it has no TCP, and neither signals nor abstract Unix sockets lead out of its domain.
    `give_up_privileges` comes first. Returns the version of the interface, 0 where nothing could be
    restricted. Raises `OSError` where the kernel refuses.
    """
    found = version()
    if found == 0:
        return 0
    files = sum(rights for since, rights in _KNOWN if found >= since)
    tcp = _TCP if isolate and found >= WITH_TCP else 0
    scopes = _SCOPES if isolate and found >= 6 else 0
    size = 24 if found >= 6 else 16 if found >= WITH_TCP else 8
    attributes = struct.pack("<QQQ", files, tcp, scopes)[:size]
    ruleset = _libc().syscall(
        _CREATE_RULESET, attributes, ctypes.c_size_t(size), ctypes.c_uint32(0)
    )
    if ruleset < 0:
        raise _error("a Landlock ruleset")
    try:
        for paths, rights in ((readable, _READ), (writable, files), (plain, _PLAIN)):
            for path in paths:
                _allow(ruleset, path, rights & files)
        if _libc().syscall(_RESTRICT_SELF, ruleset, ctypes.c_uint32(0)) != 0:
            raise _error("Landlock")
    finally:
        os.close(ruleset)
    return found


def _allow(ruleset: int, path: str, rights: int) -> None:
    try:
        descriptor = os.open(path, os.O_PATH | os.O_CLOEXEC)
    except OSError:  # what is not there need not be allowed
        return
    try:
        if not os.path.isdir(path):
            rights &= _OF_FILES
        rule = struct.pack("<Qi", rights, descriptor)
        if _libc().syscall(_ADD_RULE, ruleset, _BENEATH_PATH, rule, ctypes.c_uint32(0)) != 0:
            raise _error(path)
    finally:
        os.close(descriptor)


def _libc() -> ctypes.CDLL:
    return ctypes.CDLL(None, use_errno=True)


def _error(what: str) -> OSError:
    number = ctypes.get_errno()
    return OSError(number, f"{what}: {os.strerror(number)}")
