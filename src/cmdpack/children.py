"""Starting the programs in `child/`: which file, which Python, which flags."""

import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

from cmdpack.errors import InputError

_DOOR = str(Path(__file__).parent / "child" / "__main__.py")


def in_user_python(python: str, role: str, *arguments: str) -> list[str]:
    """The command that plays `role` in `python`, without the current folder on its path."""
    return [python, "-P", _DOOR, role, *arguments]


def isolated(python: str, role: str, *arguments: str) -> list[str]:
    """The command that plays `role` in `python`, which heeds no variable and writes no bytecode."""
    return [python, "-I", "-B", _DOOR, role, *arguments]


def in_our_python(role: str, *arguments: str) -> list[str]:
    """The command that plays `role` in the Python of cmdpack, without `site`, which costs time."""
    return [sys.executable, "-I", "-S", _DOOR, role, *arguments]


def ask(
    command: Sequence[str], question: str, *, timeout: float, environment: Mapping[str, str] | None
) -> subprocess.CompletedProcess[str]:
    """Run a short-lived child to its end; `timeout` is in seconds.

    Raises `InputError` when the program cannot be started or does not answer in time.
    """
    try:
        return subprocess.run(  # noqa: S603 - a list, no shell
            command,
            input=question,
            capture_output=True,
            text=True,
            errors="replace",
            timeout=timeout,
            env=environment,
            check=False,
            start_new_session=True,
        )
    except OSError as error:
        raise InputError(
            f"cannot be started: {error.strerror}",
            place=command[0],
            help="name a Python program with --python",
        ) from error
    except subprocess.TimeoutExpired as error:
        raise InputError(f"did not answer within {timeout:g} s", place=command[0]) from error
