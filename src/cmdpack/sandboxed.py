"""What a sandbox kept from happening, in the user's words: the line, what it tried, what to do."""

import re
from typing import NamedTuple

from cmdpack.plan import SandboxLevel
from cmdpack.result import Advice, Failure

UNPROTECTED = {
    "partial": "a partial sandbox protects files and TCP alone: UDP, Unix sockets, GPUs, what "
    "other processes are called, and the machine's memory stay within reach"
}
"""What code at a level can still do."""


def in_words(level: SandboxLevel) -> str:
    """A level as it ends the last line of a report."""
    return "partial (files and TCP only)" if level == "partial" else level


class _Sign(NamedTuple):
    """What a message says when the sandbox is the reason, and what that means."""

    pattern: str
    cause: str
    next_step: str = "`cmdpack trust` or --sandbox off allows it"


_NETWORK = (
    _Sign(
        r"host='(?P<what>[^']+)', port=\d+",
        "the sandbox has no network: {line} tried {what}",
    ),
    _Sign(
        r"Network is unreachable|Errno 101|ENETUNREACH|name resolution|Name or service not known"
        r"|nodename nor servname|No address associated|Could not resolve host|urlopen error",
        "the sandbox has no network: {line} tried {what}",
    ),
)
_FILES = (
    _Sign(
        r"\[Errno 2\] No such file or directory: b?(?P<what>'[^']*'|\"[^\"]*\")",
        "the sandbox shows none of your files: {line} asked for {what}",
        "make what is needed in the example itself; `cmdpack trust` or --sandbox off shows it all",
    ),
    _Sign(
        r"\[Errno 30\] Read-only file system(: (?P<what>'[^']*'))?",
        "the sandbox is read-only outside of its scratch folder: {line} tried to write {what}",
        "write to the current folder, which lasts as long as the run; `cmdpack trust` or "
        "--sandbox off allows it",
    ),
    _Sign(
        r"\[Errno 28\]|No space left on device",
        "the scratch folder of the sandbox is full: {line} wrote beyond 512 MiB",
    ),
    _Sign(
        r"\[Errno 27\]|File too large",
        "the sandbox allows files of at most 1 GiB: {line} wrote a larger one",
    ),
)
_PROCESSES = (
    _Sign(
        r"\[Errno 11\] Resource temporarily unavailable|can't start new thread",
        "the sandbox allows only so many processes and threads: {line} asked for another",
    ),
)
_RIGHTS = (
    _Sign(
        r"\[Errno (1|13)\] [^:]*(: (?P<what>'[^']*'))?",
        "the sandbox does not allow this: {line} tried {what}",
    ),
)
_SIGNS = (*_NETWORK, *_FILES, *_PROCESSES)
_NOT_RAISED_BY_THE_SYSTEM = {"AssertionError", "TypeError", "KeyError"}


def explained(
    level: SandboxLevel, failure: Failure, advice: Advice | None, tried: str | None = None
) -> Advice | None:
    """Advice on a failure that the sandbox is the reason of; else the `advice` that there is.

    `tried` is the network address that the example tried last.
    """
    if level == "off" or failure.type in _NOT_RAISED_BY_THE_SYSTEM:
        return advice
    signs = (*_SIGNS, *_RIGHTS) if "Permission" in failure.type or level == "partial" else _SIGNS
    where = "the example" if failure.line is None else f"line {failure.line}"
    for sign in signs:
        if found := re.search(sign.pattern, failure.message):
            what = found.groupdict().get("what") or (sign in _NETWORK and tried) or "it"
            cause = sign.cause.format(line=where, what=what)
            return Advice(cause=cause, next_step=sign.next_step)
    return advice
