"""manifest.toml: what a pack says about itself as a whole."""

import re
from pathlib import Path
from typing import Any

import tomli
from pydantic import Field, StrictInt, ValidationError
from pydantic_core import ErrorDetails

from cmdpack.diagnostics import Diagnostic
from cmdpack.errors import ContentError, InputError
from cmdpack.nouns import Noun, Span

FILE_NAME = "manifest.toml"


class TriggerRule(Noun):
    """Imports found in a program, and the agents that they call for."""

    agents: tuple[str, ...]
    imports: tuple[str, ...] = ()
    reason: str = ""


class WorkflowStep(Noun):
    """One invocation, as text, and the indices of the steps that must come before."""

    run: str
    needs: tuple[StrictInt, ...] = ()


class WorkflowRecipe(Noun):
    """A named graph of invocations; `parameters` says in words what each ``{name}`` stands for."""

    parameters: dict[str, str] = Field(default_factory=dict)
    steps: tuple[WorkflowStep, ...] = ()


class About(Noun):
    """The table ``[pack]``. `requires` are distributions that the commands import."""

    name: str | None = None
    version: str | None = None
    description: str = ""
    license: str | None = None
    requires: tuple[str, ...] = ()


class Manifest(Noun):
    """A pack's manifest.

    `catalogue` maps what lives elsewhere to the distribution that has it: a name that pip finds, or
    ``./`` and the path of a folder beside the manifest.
    """

    pack: About = About()
    catalogue: dict[str, str] = Field(default_factory=dict)
    teams: dict[str, tuple[str, ...]] = Field(default_factory=dict)
    triggers: tuple[TriggerRule, ...] = ()
    workflows: dict[str, WorkflowRecipe] = Field(default_factory=dict)


Key = tuple[str | int, ...]
"""The way to a value: names of tables and keys, and indices of arrays."""


def read_manifest(path: Path) -> tuple[Manifest, tuple[Diagnostic, ...]]:
    """Read a manifest, with a diagnostic for each key or value that is not understood.

    Raises InputError if the file cannot be read, ContentError if it is not TOML in UTF-8.
    """
    try:
        text = path.read_bytes().decode("utf-8-sig")
        data = tomli.loads(text)
    except OSError as error:
        raise InputError(f"cannot be read: {error.strerror}", place=str(path)) from error
    except UnicodeDecodeError as error:
        before = error.object[: error.start].decode()
        line, column = before.count("\n") + 1, len(before) - before.rfind("\n")
        raise ContentError(
            "the manifest is not UTF-8",
            place=f"{path}:{line}:{column}",
            help="save the file as UTF-8",
        ) from error
    except tomli.TOMLDecodeError as error:
        raise ContentError(
            f"the manifest is not TOML: {error.msg}", place=f"{path}:{error.lineno}:{error.colno}"
        ) from error
    except RecursionError as error:
        raise ContentError("the manifest is nested too deeply", place=f"{path}:1:1") from error
    manifest, problems = _validated(data)
    return manifest, _diagnostics(path, text, problems)


def _validated(data: dict[str, Any]) -> tuple[Manifest, list[ErrorDetails]]:
    """Return the manifest without what does not fit, and what does not."""
    try:
        return Manifest.model_validate(data), []
    except ValidationError as error:
        problems = error.errors(include_url=False)
    # The deepest and last first, so that the keys of what is yet to be left out stay true.
    for key in sorted({_left_out(problem) for problem in problems}, reverse=True):
        parent: Any = data
        for part in key[:-1]:
            parent = parent[part]
        del parent[key[-1]]
    return Manifest.model_validate(data), problems


def _left_out(problem: ErrorDetails) -> Key:
    """Return what a problem costs: an unknown key itself, or the whole entry with a wrong value.

    A step is not left out alone: the others of its workflow count on its place.
    """
    return problem["loc"] if problem["type"] == "extra_forbidden" else problem["loc"][:2]


def _diagnostics(path: Path, text: str, problems: list[ErrorDetails]) -> tuple[Diagnostic, ...]:
    spans = _spans(text)
    found = []
    for problem in problems:
        key = ".".join(map(str, problem["loc"]))
        if problem["type"] == "extra_forbidden":
            code, fact = "MF001", f"{key} is not a key that cmdpack knows, and is ignored"
        else:
            entry = ".".join(map(str, _left_out(problem)))
            code, fact = "MF002", f"{key}: {problem['msg'].lower()}; {entry} is ignored"
        found.append(
            Diagnostic(
                code=code,
                severity="warning",
                message=fact,
                path=str(path),
                span=_nearest(spans, problem["loc"]),
            )
        )
    return tuple(sorted(found, key=lambda diagnostic: diagnostic.span.line))


def _nearest(spans: dict[Key, Span], key: Key) -> Span:
    """Return where `key` is written, or else the table around it: best effort, for a person."""
    while key and key not in spans:
        key = key[:-1]
    return spans.get(key, Span(line=1, column=1, end_line=1, end_column=1))


_HEADER = re.compile(r"\s*(?P<array>\[)?\[\s*(?P<name>[^\[\]]+?)\s*\]")
_ASSIGNMENT = re.compile(r"\s*(?P<name>[\w-]+|\"[^\"]*\"|'[^']*')\s*=")


def _spans(text: str) -> dict[Key, Span]:
    """Find the lines of tables and keys by their looks, since tomli keeps no places."""
    spans: dict[Key, Span] = {}
    counts: dict[str, int] = {}
    table: Key = ()
    for number, line in enumerate(text.split("\n"), start=1):
        if header := _HEADER.match(line):
            name = header["name"]
            table = tuple(part.strip().strip("\"'") for part in name.split("."))
            if header["array"]:
                counts[name] = counts.get(name, -1) + 1
                table = (*table, counts[name])
            key, matched = table, header
        elif assignment := _ASSIGNMENT.match(line):
            key, matched = (*table, assignment["name"].strip("\"'")), assignment
        else:
            continue
        start = len(line) - len(line.lstrip()) + 1
        end = matched.end("name") + 1
        spans.setdefault(key, Span(line=number, column=start, end_line=number, end_column=end))
    return spans
