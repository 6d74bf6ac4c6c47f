"""What a run emits as it goes, to end with its result: `Event`."""

from typing import Annotated, Literal

from pydantic import Field

from cmdpack.nouns import Noun
from cmdpack.plan import Note, Plan
from cmdpack.result import RunResult, SectionResult, Stream, UnitResult, Warned


class RunStarted(Noun):
    """A run begins, by this plan."""

    event: Literal["run-started"] = "run-started"
    plan: Plan


class CommandStarted(Noun):
    """The first unit of a command is about to run."""

    event: Literal["command-started"] = "command-started"
    command: str
    pack: str
    role: Literal["dependency", "target"]


class SectionStarted(Noun):
    """The first unit of a section is about to run."""

    event: Literal["section-started"] = "section-started"
    command: str
    section: str
    title: str


class UnitStarted(Noun):
    """A unit is about to run."""

    event: Literal["unit-started"] = "unit-started"
    command: str
    unit: str


class OutputWritten(Noun):
    """Text was written while `unit` ran; after the last unit, by a thread or an exit handler."""

    event: Literal["output"] = "output"
    command: str
    unit: str | None
    stream: Stream
    text: str


class WarningRaised(Noun):
    """A Python warning was raised while `unit` ran."""

    event: Literal["warning"] = "warning"
    command: str
    unit: str | None
    warning: Warned


class UnitFinished(Noun):
    """A unit has come to its end, whatever that was."""

    event: Literal["unit-finished"] = "unit-finished"
    result: UnitResult


class SectionFinished(Noun):
    """The last unit of a section that runs has come to its end."""

    event: Literal["section-finished"] = "section-finished"
    result: SectionResult


class RunRestarted(Noun):
    """Everything since `RunStarted` is void: the run begins again."""

    event: Literal["run-restarted"] = "run-restarted"
    reason: str


class NoteAdded(Noun):
    """Something became known of the run as a whole."""

    event: Literal["note"] = "note"
    note: Note


class RunFinished(Noun):
    """The last event: nothing of the run is left."""

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
