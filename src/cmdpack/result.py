"""What a run comes to, as data: `RunResult`, and the verdicts that it is made of.

All times are in seconds. Wherever something belongs to a command, `command` is the `id` of a
`PlannedCommand`.
"""

from typing import Literal

from cmdpack.nouns import Noun, Span
from cmdpack.plan import Arguments, Note, PythonFacts, SandboxLevel, Selection, Trust

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
    "tracer",
    "shape",
    "dtype",
    "key",
    "nan",
    "device",
    "device-count",
    "assertion",
    "exit",
    "interrupt",
    "spawn",
    "other",
]
"""What kind of failure it was.

``api`` is what JAX removed, renamed or changed, ``package-missing`` an import that this Python
cannot satisfy, ``fragment`` a name that nothing in the run defines, ``not-python`` code that cannot
be compiled. ``tracer`` is Python that needs a value while JAX traces, ``shape`` and ``dtype`` are
arrays that do not fit, ``key`` is a misused random key, ``nan`` a NaN or infinity that was looked
for. ``device`` is a platform that does not start, ``device-count`` code for another number of
devices. ``assertion``, ``exit``, ``interrupt`` and ``spawn`` are how Python ended the unit.
"""
Cause = Literal[
    "shape", "dtype", "weak-type", "static-value", "structure", "placement", "redefined", "unknown"
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


class Estimate(Noun):
    """What XLA expects one call of an executable to cost: a static estimate, loops counted once.

    `flops` are floating-point operations, the others bytes. None is what XLA does not tell.
    """

    flops: int | None = None
    bytes_accessed: int | None = None
    peak_memory: int | None = None


class Compilation(Noun):
    """An executable that was made for a function of the examples, `function`, at its place.

    `called_line` is the line of the examples that made JAX compile. `cached` tells an executable
    that came from the compile cache.
    """

    function: str
    file: str
    line: int
    column: int
    called_line: int
    cached: bool
    estimate: Estimate | None = None


class Difference(Noun):
    """One argument of a compiled function: what it was, and what it was before."""

    argument: str
    now: str
    before: str


class Recompilation(Noun):
    """A function that was compiled again, at the line that called it; and what was new, and how.

    The `differences` are those, at most three, from the most similar earlier call. Without one,
    ``redefined`` is a function that was made anew or a changed setting of JAX, ``placement`` are
    other devices or another sharding, ``unknown`` is where JAX does not show its tracers.
    """

    function: str
    file: str
    line: int
    cause: Cause
    differences: tuple[Difference, ...] = ()


class UnitResult(Noun):
    """The verdict on one top-level statement. `command` is the id of its command in the plan.

    `functions` are the places, FILE:LINE:COLUMN, of the functions of the examples that it entered.
    `compilations` tells those of the examples' own functions, at most a thousand; `executables`
    counts all. Whatever is counted "from the cache" was not compiled but loaded.
    Of a blocked unit, `blocked_by` are the ids of the units whose failures are to blame, at the
    root, or of the one in which the process ended; `reason` names what it lacked.
    """

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
    blocked_by: tuple[str, ...] = ()
    error: Failure | None = None
    seconds: float = 0.0
    import_seconds: float = 0.0
    trace_seconds: float = 0.0
    lower_seconds: float = 0.0
    compile_seconds: float = 0.0
    executables: int = 0
    cache_hits: int = 0
    functions: tuple[str, ...] = ()
    compilations: tuple[Compilation, ...] = ()
    recompilations: tuple[Recompilation, ...] = ()
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
    trace_seconds: float
    lower_seconds: float
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
    """Where the time went; clocks are stopped when the devices are done.

    `trace` is Python run by JAX to see what it computes, `lower` the translation for XLA, `compile`
    XLA itself or the loading from the compile cache. `run` is what is left of `units`.
    """

    total: float = 0.0
    units: float = 0.0
    imports: float = 0.0
    trace: float = 0.0
    lower: float = 0.0
    compile: float = 0.0
    run: float = 0.0
    cpu: float | None = None


class Function(Noun):
    """A function that the examples define: by ``def``, ``async def`` or ``lambda``, anywhere.

    `name` is its qualified name, `command` the id of its command, `unit` that of its unit.
    `executed` tells that its body was entered, as Python or as JAX traced it, `compiled` that it is
    part of an executable; this is None where JAX does not say so.
    """

    name: str
    command: str
    unit: str
    file: str
    line: int
    column: int
    executed: bool
    compiled: bool | None


class Evidence(Noun):
    """What was really exercised, of what was to run. None is what cannot be told.

    `costliest` is the executable, of those of the examples' own functions, with the most FLOPs.
    """

    units_ok: int = 0
    units_total: int = 0
    functions_defined: int | None = None
    functions_executed: int | None = None
    functions_compiled: int | None = None
    functions: tuple[Function, ...] = ()
    executables: int = 0
    cache_hits: int = 0
    recompilations: tuple[Recompilation, ...] | None = None
    costliest: Compilation | None = None
    devices_used: tuple[str, ...] = ()


class Hot(Noun):
    """An executable in a profile: the `seconds` of its operations, in all threads and devices.

    `module` is its name for XLA, `function` that of the example's function, where it is one.
    `operation` is the one that took longest.
    """

    module: str
    function: str | None
    calls: int
    seconds: float
    operation: str
    operation_seconds: float


class TraceRecorded(Noun):
    """A profile that JAX has written, and where the time went. `size` is in bytes.

    `hottest` are the executables that took longest; None where the profile cannot be read.
    """

    directory: str
    files: int
    size: int
    hottest: tuple[Hot, ...] | None


class Program(Noun):
    """What XLA made of a function of the examples, optimised: files within the folder.

    `flops` is the estimate of one call.
    """

    function: str
    flops: int
    files: tuple[str, ...]


class HloRecorded(Noun):
    """What XLA has written of its programs. `size` is in bytes.

    `costliest` are those of the examples' own functions with the most FLOPs.
    """

    directory: str
    files: int
    size: int
    costliest: tuple[Program, ...]


class Recorded(Noun):
    """What the run has written for its user, where that was asked for."""

    trace: TraceRecorded | None = None
    hlo: HloRecorded | None = None


class Leftover(Noun):
    """A process that outlived its example and was killed."""

    pid: int
    name: str


class Ending(Noun):
    """How the runner's process ended, as its supervisor saw it. `peak_memory` is in bytes."""

    reason: Literal[
        "exit",
        "deadline",
        "cancelled",
        "output-limit",
        "memory-limit",
        "supervisor-lost",
        "not-started",
    ]
    status: int | None = None
    signal: str | None = None
    peak_memory: int | None = None


class RunResult(Noun):
    """The whole of a run, as data. `reason` tells an end that belongs to no unit.

    `command` is the id of the command that was asked for. Without a `selection` all of it ran.
    """

    outcome: Outcome
    reason: str | None = None
    command: str
    arguments: Arguments
    selection: Selection | None = None
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
    recorded: Recorded = Recorded()
    timing: Timing
    ending: Ending
    leftovers: tuple[Leftover, ...] = ()
    notes: tuple[Note, ...] = ()
