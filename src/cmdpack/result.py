"""What a run emits as it goes (`Event`) and what it comes to (`RunResult`): one schema.

All times are in seconds. Wherever something belongs to a command, `command` is the `id` of a
`PlannedCommand`.
"""

from typing import Annotated, Literal

from pydantic import Field

from cmdpack.nouns import Noun, Span
from cmdpack.plan import Arguments, Note, Plan, PythonFacts, SandboxLevel, Trust

Outcome = Literal[
    "ok",
    "failed",
    "blocked",
    "skipped",
    "timeout",
    "out-of-memory",
    "crashed",
    "output-limit",
    "expected-error-missing",
    "cancelled",
]
Kind = Literal[
    "api",
    "package-missing",
    "fragment",
    "not-python",
    "device",
    "assertion",
    "exit",
    "interrupt",
    "spawn",
    "other",
]
FrameOrigin = Literal["example", "jax", "library"]
Stream = Literal["stdout", "stderr"]


class Frame(Noun):
    """One level of a traceback. `origin` tells the example's own lines from those of libraries."""

    file: str
    line: int
    column: int | None = None
    end_line: int | None = None
    end_column: int | None = None
    function: str
    source: str = ""
    origin: FrameOrigin


class Advice(Noun):
    """Why something failed, in one sentence, and the next step."""

    cause: str
    next_step: str


class Failure(Noun):
    """What stopped a unit. `line` is that of the innermost frame in the Markdown file."""

    type: str
    message: str
    line: int | None = None
    column: int | None = None
    frames: tuple[Frame, ...] = ()
    advice: Advice | None = None


class Printed(Noun):
    """Text that an example wrote, unescaped."""

    stream: Stream
    text: str


class Warned(Noun):
    """A Python warning; `line` is set when it points into the Markdown file."""

    category: str
    message: str
    file: str
    line: int


class UnitResult(Noun):
    """The verdict on one top-level statement. `command` is the id of its command in the plan."""

    id: str
    command: str
    file: str
    line: int
    column: int
    end_line: int
    end_column: int
    section: str
    outcome: Outcome
    kind: Kind | None = None
    reason: str | None = None
    error: Failure | None = None
    seconds: float = 0.0
    import_seconds: float = 0.0
    compile_seconds: float = 0.0
    executables: int = 0
    cache_hits: int = 0
    devices: tuple[str, ...] = ()
    printed: tuple[Printed, ...] = ()
    warnings: tuple[Warned, ...] = ()


class SectionResult(Noun):
    """The verdict on one section, rolled up from its units; `command` as in `UnitResult`."""

    id: str
    command: str
    title: str
    span: Span
    outcome: Outcome
    reason: str | None = None
    units: int
    seconds: float
    compile_seconds: float


class CommandResult(Noun):
    """The verdict on one command of the run. `id` is what units and sections call `command`."""

    id: str
    name: str
    pack: str
    path: str
    role: Literal["dependency", "target"]
    outcome: Outcome


class Device(Noun):
    """One device as JAX names it."""

    id: int
    platform: str
    kind: str


class Timing(Noun):
    """Where the time went. `run` is what is left of `units` after imports and compilation."""

    total: float = 0.0
    units: float = 0.0
    imports: float = 0.0
    compile: float = 0.0
    run: float = 0.0
    cpu: float | None = None


class Evidence(Noun):
    """What was really exercised."""

    units_ok: int = 0
    units_total: int = 0
    executables: int = 0
    cache_hits: int = 0
    devices_used: tuple[str, ...] = ()


class Leftover(Noun):
    """A process that outlived its example and was killed."""

    pid: int
    name: str


class Ending(Noun):
    """How the runner's process ended, as its supervisor saw it. `peak_memory` is in bytes."""

    reason: Literal[
        "exit", "deadline", "cancelled", "output-limit", "supervisor-lost", "not-started"
    ]
    status: int | None = None
    signal: str | None = None
    peak_memory: int | None = None


class RunResult(Noun):
    """The whole of a run, as data. `reason` tells an end that belongs to no unit.

    `command` is the id of the command that was asked for.
    """

    outcome: Outcome
    reason: str | None = None
    command: str
    arguments: Arguments
    python: PythonFacts
    platform: str | None
    device_count: int
    devices: tuple[Device, ...]
    versions: dict[str, str]
    sandbox: SandboxLevel
    trust: Trust
    commands: tuple[CommandResult, ...]
    sections: tuple[SectionResult, ...]
    units: tuple[UnitResult, ...]
    evidence: Evidence
    timing: Timing
    ending: Ending
    leftovers: tuple[Leftover, ...] = ()
    notes: tuple[Note, ...] = ()


class RunStarted(Noun):
    event: Literal["run-started"] = "run-started"
    plan: Plan


class CommandStarted(Noun):
    event: Literal["command-started"] = "command-started"
    command: str
    pack: str
    role: Literal["dependency", "target"]


class SectionStarted(Noun):
    event: Literal["section-started"] = "section-started"
    command: str
    section: str
    title: str


class UnitStarted(Noun):
    event: Literal["unit-started"] = "unit-started"
    command: str
    unit: str


class OutputWritten(Noun):
    event: Literal["output"] = "output"
    command: str
    unit: str | None
    stream: Stream
    text: str


class WarningRaised(Noun):
    event: Literal["warning"] = "warning"
    command: str
    unit: str | None
    warning: Warned


class UnitFinished(Noun):
    event: Literal["unit-finished"] = "unit-finished"
    result: UnitResult


class SectionFinished(Noun):
    event: Literal["section-finished"] = "section-finished"
    result: SectionResult


class RunRestarted(Noun):
    """Everything since `RunStarted` is void: the run begins again."""

    event: Literal["run-restarted"] = "run-restarted"
    reason: str


class NoteAdded(Noun):
    event: Literal["note"] = "note"
    note: Note


class RunFinished(Noun):
    event: Literal["run-finished"] = "run-finished"
    result: RunResult


Event = Annotated[
    RunStarted
    | CommandStarted
    | SectionStarted
    | UnitStarted
    | OutputWritten
    | WarningRaised
    | UnitFinished
    | SectionFinished
    | RunRestarted
    | NoteAdded
    | RunFinished,
    Field(discriminator="event"),
]
