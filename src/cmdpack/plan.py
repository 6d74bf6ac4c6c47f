"""What will run, in order, and why: `Plan`. A run is started from its plan alone."""

from typing import Literal

from pydantic import Field

from cmdpack.nouns import Noun, Span
from cmdpack.spec import CommandSpec

Role = Literal["dependency", "target"]
Trust = Literal["built-in", "plugin", "user"]
SandboxLevel = Literal["off"]


class PackOrigin(Noun):
    """Where a pack came from, which decides what its code may do.

    `source` names it for a person: ``built-in``, ``plugin NAME VERSION``, ``--pack DIR`` or a path.
    """

    name: str
    version: str | None = None
    path: str
    trust: Trust
    source: str


class Command(Noun):
    """A command and the pack that it was found in."""

    spec: CommandSpec
    pack: PackOrigin

    @property
    def qualified(self) -> str:
        """``PACK:NAME``, which names one command of one pack."""
        return f"{self.pack.name}:{self.spec.name}"


class Arguments(Noun):
    """The validated arguments of one run: `given` as typed, `values` for every declared option.

    A flag's value is True or False; an option without value and default is None.
    """

    given: tuple[str, ...] = ()
    values: dict[str, str | bool | None] = Field(default_factory=dict)
    positionals: tuple[str, ...] = ()


class PythonFacts(Noun):
    """The Python that runs the examples, as it describes itself; `versions` by distribution."""

    executable: str
    version: str
    implementation: str
    chosen_because: str
    versions: dict[str, str] = Field(default_factory=dict)
    accelerators: tuple[str, ...] = ()


class PlannedUnit(Noun):
    """One top-level statement at its place in the file; `left_out` tells why it will not run."""

    id: str
    span: Span
    section: str
    left_out: str | None = None


class PlannedExample(Noun):
    """The code of one example with what is needed to report positions in its file.

    `expects` is the type of exception that its last unit must raise; it is skipped where JAX has
    fewer than `devices` devices.
    """

    id: str
    code: str
    line: int
    prefixes: tuple[int, ...]
    units: tuple[PlannedUnit, ...]
    expects: str | None = None
    devices: int | None = None


class PlannedSection(Noun):
    """A section, and the conditions under which an option selects it (empty: none does)."""

    id: str
    title: str
    span: Span
    reason: str


class PlannedCommand(Noun):
    """One command's share of a run; `file` is `path` made absolute, as tracebacks carry it."""

    name: str
    path: str
    file: str
    pack: PackOrigin
    digest: str
    role: Role
    reason: str
    sections: tuple[PlannedSection, ...]
    examples: tuple[PlannedExample, ...]


class CompileCache(Noun):
    """Where compiled executables are kept between runs, or why they are not.

    `failed` tells a cache that was wanted and cannot be had from one that nobody wanted.
    """

    directory: str | None
    reason: str
    failed: bool = False


class Note(Noun):
    """One sentence about the run as a whole."""

    code: Literal[
        "cache", "content", "device", "engine", "leftover", "not-clean", "plugin", "selection"
    ]
    message: str


class Plan(Noun):
    """Everything that a run depends on. Times are in seconds.

    `environment` are the variables that decide what JAX does: those that the run sets, and the
    user's own that the run keeps.
    """

    command: str
    arguments: Arguments
    engine: str
    commands: tuple[PlannedCommand, ...]
    python: PythonFacts
    platform: str | None = None
    emulate: int | None = None
    timeout: float
    sandbox: SandboxLevel = "off"
    trust: Trust
    cache: CompileCache
    environment: dict[str, str] = Field(default_factory=dict)
    notes: tuple[Note, ...] = ()
