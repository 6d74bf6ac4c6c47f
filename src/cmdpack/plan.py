"""What will run, in order, and why: `Plan`. A run is started from its plan alone."""

from collections import Counter
from collections.abc import Sequence
from typing import Literal, Self

from pydantic import Field, model_validator

from cmdpack.nouns import Noun, Span
from cmdpack.spec import CommandSpec

Role = Literal["dependency", "target"]
Trust = Literal["built-in", "plugin", "user"]
SandboxLevel = Literal["full", "partial", "off"]


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


def identities(commands: Sequence[Command]) -> dict[str, str]:
    """Return one word for each command that no other of `commands` answers to, by its path.

    It is the command's name; where that is not enough ``PACK:NAME``, and in the end the path.
    """
    words = {it.spec.path: (it.spec.name, it.qualified, it.spec.path) for it in commands}
    taken = Counter(word for own in words.values() for word in {*own})
    return {
        path: next((word for word in own if taken[word] == 1), path) for path, own in words.items()
    }


class Chain(Noun):
    """Commands in the order in which they run, the one that was asked for last.

    `needed_by` names for each path the paths of the commands that depend on it, in that order.
    """

    commands: tuple[Command, ...]
    needed_by: dict[str, tuple[str, ...]] = Field(default_factory=dict)


class Arguments(Noun):
    """The validated arguments of one run: `given` as typed, `values` for every declared option.

    A flag's value is True or False; an option without value and default is None.
    """

    given: tuple[str, ...] = ()
    values: dict[str, str | bool | None] = Field(default_factory=dict)
    positionals: tuple[str, ...] = ()

    def gives(self, option: str) -> bool:
        """Whether the user typed `option`; else its value is its default."""
        return any(token.partition("=")[0] == f"--{option}" for token in self.given)


class PythonFacts(Noun):
    """The Python that runs the examples, as it describes itself; `versions` by distribution."""

    executable: str
    version: str
    implementation: str
    chosen_because: str
    versions: dict[str, str] = Field(default_factory=dict)
    accelerators: tuple[str, ...] = ()


NOT_SELECTED = "not selected"
"""Why a unit is left out that no option asks for, and nothing that is asked for needs."""


class PlannedUnit(Noun):
    """One top-level statement at its place in the file.

    `left_out` tells why it will not run; where something was selected, `taken` tells why it will.
    `binds` are the names that a unit which was not selected would have bound.
    """

    id: str
    span: Span
    section: str
    left_out: str | None = None
    taken: str | None = None
    binds: tuple[str, ...] = ()


class PlannedExample(Noun):
    """The code of one example with what is needed to report positions in its file.

    `expects` is the type of exception that its last unit must raise; it is skipped where JAX has
    fewer than `devices` devices. `replaced` maps names, which top-level assignments of the example
    bind to literals, to the Python text of other literals that take their place.
    """

    id: str
    code: str
    line: int
    prefixes: tuple[int, ...]
    units: tuple[PlannedUnit, ...]
    expects: str | None = None
    devices: int | None = None
    replaced: dict[str, str] = Field(default_factory=dict)


class PlannedSection(Noun):
    """A section, which the units of one example refer to by its id."""

    id: str
    title: str
    span: Span


class PlannedCommand(Noun):
    """One command's share of a run; `file` is `path` made absolute, as tracebacks carry it.

    `id` is the one word that tells it from the others of the run: events and results carry it as
    `command`, and the ids of its units begin with it. It is the name where that is unique, else
    ``PACK:NAME``, else the path.
    """

    id: str
    name: str
    path: str
    file: str
    pack: PackOrigin
    digest: str
    role: Role
    reason: str
    sections: tuple[PlannedSection, ...]
    examples: tuple[PlannedExample, ...]


class Selection(Noun):
    """What was asked for of the command: its `sections`, by id, and the `options` that chose them.

    `prefix` tells why all that stands before had to be taken along; None where that which the
    sections need was told apart.
    """

    options: tuple[str, ...]
    sections: tuple[str, ...]
    prefix: str | None = None


class CompileCache(Noun):
    """Where compiled executables are kept between runs, or why they are not.

    Without a `directory`, JAX is left to the user's own settings, unless the cache is `disabled`.
    One that is `boxed` is what a sandbox writes, and so is read with care.
    """

    directory: str | None
    reason: str
    disabled: bool = False
    boxed: bool = False


class Recordings(Noun):
    """Folders, absolute, that the run is to fill: with a profiler's trace, with XLA's programs."""

    trace: str | None = None
    hlo: str | None = None


class Box(Noun):
    """What a sandbox shows beside the system's libraries, and what its Python imports from.

    `readable` are folders and files at their own places, `path` is its `sys.path`. With `gpu` the
    device nodes of GPUs are in it.
    """

    readable: tuple[str, ...]
    path: tuple[str, ...]
    gpu: bool = False


NoteCode = Literal[
    "cache",
    "content",
    "device",
    "engine",
    "grant",
    "leftover",
    "not-clean",
    "plugin",
    "recording",
    "sandbox",
    "selection",
]


class Note(Noun):
    """One sentence about the run as a whole."""

    code: NoteCode
    message: str


class Plan(Noun):
    """Everything that a run depends on. Times are in seconds.

    `command` is the id of the command that was asked for, the last of `commands`. Without a
    `selection` all of it runs.
    With `keep_going` the run goes on after a unit that failed, with all that does not need it;
    without, it stops there.
    `environment` are the variables that decide what JAX does: those that the run sets, and the
    user's own that the run keeps.
    `content` is one digest over all files of the run (see `contents`); `grant` tells by which
    stored consent the code runs outside the sandbox.
    """

    command: str
    arguments: Arguments
    selection: Selection | None = None
    engine: str
    commands: tuple[PlannedCommand, ...]
    python: PythonFacts
    platform: str | None = None
    emulate: int | None = None
    timeout: float
    keep_going: bool = False
    sandbox: SandboxLevel = "off"
    box: Box | None = None
    trust: Trust
    content: str = ""
    grant: str | None = None
    cache: CompileCache
    recordings: Recordings = Recordings()
    environment: dict[str, str] = Field(default_factory=dict)
    notes: tuple[Note, ...] = ()

    @model_validator(mode="after")
    def _tell_units_apart(self) -> Self:
        """Two units of one id would share one verdict, and one of them never run."""
        examples = [example for command in self.commands for example in command.examples]
        seen = Counter(unit.id for example in examples for unit in example.units)
        if twice := [name for name, number in seen.items() if number > 1]:
            raise ValueError(f"units of one id: {', '.join(twice)}")
        return self
