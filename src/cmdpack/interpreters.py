"""Which Python runs the examples, and what it says of itself and of the code."""

import json
import os
import shutil
import sys
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from pydantic import Field

from cmdpack import children
from cmdpack.codefacts import CodeFacts
from cmdpack.errors import CmdpackError, InputError, UsageError
from cmdpack.nouns import Noun
from cmdpack.plan import Command, PythonFacts
from cmdpack.planner import example_key, planned_path

_ANSWER_SECONDS = 60.0
_OLDEST = (3, 11)
_NVIDIA = ("dev/nvidiactl", "proc/driver/nvidia/version")


class Candidate(NamedTuple):
    """A Python that may run the examples, and why it is the one."""

    executable: str
    because: str


class _Answer(Noun):
    """What `child/facts.py` writes, in a Python that may be anything."""

    executable: str | None
    version: str = Field(pattern=r"^\d+\.\d+")
    implementation: str
    versions: dict[str, str]
    has_jax: bool
    accelerators: tuple[str, ...]
    folders: tuple[str, ...] = ()
    path: tuple[str, ...] = ()
    examples: dict[str, CodeFacts]


class Examination(NamedTuple):
    """What one Python says of itself, whether it has JAX, and its view of each example by key.

    `folders` are all that it is made of, `path` is its `sys.path`: what a sandbox must show.
    """

    python: PythonFacts
    has_jax: bool
    code: dict[str, CodeFacts]
    folders: tuple[str, ...]
    path: tuple[str, ...]


def choose(
    named: str | None,
    environment: Mapping[str, str],
    commands: Sequence[Command],
    *,
    names: bool = True,
) -> Examination:
    """Examine the Python that the user named, else the active environment's, else our own.

    The active environment (`VIRTUAL_ENV`, `CONDA_PREFIX`) is taken only if it has JAX; where it is
    passed over, the reason is told. `names` is as in `examine`. Raises `UsageError` for a program
    that is not a Python of a supported version, `InputError` for one that cannot be started.
    """
    if named is not None:
        return examine(Candidate(_program(named), "--python"), commands, names=names)
    passed_over = ""
    for variable, python in _active(environment):
        try:
            found = examine(
                Candidate(python, f"the active environment ({variable})"), commands, names=names
            )
        except CmdpackError as error:
            passed_over += f"; {python} ({variable}) {error.message}"
        else:
            if found.has_jax:
                return found
            passed_over += f"; {python} ({variable}) has no JAX"
    because = f"the Python that runs cmdpack{passed_over}"
    return examine(Candidate(sys.executable, because), commands, names=names)


def _active(environment: Mapping[str, str]) -> Iterator[tuple[str, str]]:
    """The Pythons of active environments other than our own, and what says that they are."""
    for variable in ("VIRTUAL_ENV", "CONDA_PREFIX"):
        if folder := environment.get(variable):
            python = Path(folder, "bin", "python")
            if python.is_file() and Path(folder).resolve() != Path(sys.prefix).resolve():
                yield variable, str(python)


def _program(named: str) -> str:
    """The absolute path of a program named by path, by folder of an environment, or by word."""
    path = Path(named)
    if path.is_dir():
        path = path / "bin" / "python"
    found = str(path.absolute()) if path.is_file() else shutil.which(named)
    if found is None:
        raise InputError(
            "no such Python program",
            place=named,
            help="name a Python program, or the folder of an environment, with --python",
        )
    return found


def examine(
    candidate: Candidate, commands: Sequence[Command], *, names: bool = True
) -> Examination:
    """Ask a Python for its facts and for the units of all runnable examples of `commands`.

    What the units do with `names` takes a while to find out, and only a selection needs it.
    """
    question = {"names": names, "examples": [*_examples(commands)]}
    command = children.in_user_python(candidate.executable, "facts")
    done = children.ask(
        command, json.dumps(question), timeout=_ANSWER_SECONDS, environment=dict(os.environ)
    )
    lines = done.stdout.splitlines()
    try:
        answer = _Answer.model_validate(json.loads(lines[-1]))  # it may print when it starts
    except (IndexError, ValueError, RecursionError):
        raise UsageError(
            "does not answer as a Python 3.11 or newer would"
            + (f": {done.stderr.strip().splitlines()[-1]}" if done.stderr.strip() else ""),
            place=candidate.executable,
            help="name another Python with --python",
        ) from None
    return _examination(candidate, answer)


def _examples(commands: Sequence[Command]) -> Iterator[dict[str, Any]]:
    for command in commands:
        for example in command.spec.examples:
            if example.runnable:
                yield {
                    "id": example_key(command, example),
                    "file": planned_path(command),
                    "code": example.code,
                    "line": example.line,
                    "prefixes": example.prefixes,
                    "requires": (example.directives.get("requires") or "").split(","),
                }


def _examination(candidate: Candidate, answer: _Answer) -> Examination:
    if tuple(map(int, answer.version.split(".")[:2])) < _OLDEST:
        raise UsageError(
            f"is Python {answer.version}; examples run under Python 3.11 or newer",
            place=candidate.executable,
            help="name another Python with --python",
        )
    facts = PythonFacts(
        executable=answer.executable or candidate.executable,
        version=answer.version,
        implementation=answer.implementation,
        chosen_because=candidate.because,
        versions=answer.versions,
        accelerators=answer.accelerators,
    )
    return Examination(facts, answer.has_jax, answer.examples, answer.folders, answer.path)


def shows_nvidia(root: Path = Path("/")) -> bool:
    """Whether the machine below `root` shows an NVIDIA device or its driver."""
    return any((root / path).exists() for path in _NVIDIA)
