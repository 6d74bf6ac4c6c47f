"""What stops cmdpack. Problems in the content of a pack are `Diagnostic` values instead.

    CmdpackError                 shown to the user as one message, without a traceback
    ├── ContentError         1   a file that was to be used cannot be used as it stands
    ├── UnavailableError     1   this machine lacks what the run needs
    ├── UsageError           2   the command line asks for what cannot be
    │   └── ResolutionError  2   a name leads nowhere, to two places, or in a circle
    ├── GrantError           3   a stored consent is needed
    ├── SandboxError         4   code of others, and no sandbox to run it in
    ├── IntegrityError       5   content is not what it is said to be
    └── InputError           6   something cannot be read or written

The number is the exit code of the command line. Every message names the place, the thing, the fact
and the next step.
"""

from enum import IntEnum
from typing import ClassVar


class ExitCode(IntEnum):
    """The exit codes of the command line, the only place where they are numbers."""

    OK = 0
    FAILED = 1
    USAGE = 2
    GRANT_NEEDED = 3
    NO_SANDBOX = 4
    INTEGRITY = 5
    IO = 6
    CANCELLED = 130
    PIPE_CLOSED = 141


class CmdpackError(Exception):
    """Base of all errors that a user is meant to read."""

    exit_code: ClassVar[ExitCode] = ExitCode.FAILED

    def __init__(self, message: str, *, place: str | None = None, help: str | None = None) -> None:
        """Keep `place` (``file:line:column``), the fact `message`, and the next step `help`."""
        super().__init__(message)
        self.message = message
        self.place = place
        self.help = help

    def __str__(self) -> str:
        text = f"{self.place}: {self.message}" if self.place else self.message
        return f"{text}\n  help: {self.help}" if self.help else text


class ContentError(CmdpackError):
    """A file that was to be used cannot be used as it stands."""


class UnavailableError(CmdpackError):
    """This machine lacks what the run needs: a package, a device."""


class UsageError(CmdpackError):
    """The command line asks for what cannot be."""

    exit_code = ExitCode.USAGE


class ResolutionError(UsageError):
    """A name leads nowhere, to two places, or in a circle."""


class GrantError(CmdpackError):
    """A stored consent is needed."""

    exit_code = ExitCode.GRANT_NEEDED


class SandboxError(CmdpackError):
    """Code of others, and no sandbox to run it in."""

    exit_code = ExitCode.NO_SANDBOX


class IntegrityError(CmdpackError):
    """Content is not what it is said to be."""

    exit_code = ExitCode.INTEGRITY


class InputError(CmdpackError):
    """Something cannot be read or written."""

    exit_code = ExitCode.IO
