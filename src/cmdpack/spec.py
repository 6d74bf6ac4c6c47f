"""What a command file says, once read: `CommandSpec` and the nouns that it is made of.

Every part carries the span of the text that it was read from.
"""

from typing import Literal

from pydantic import Field

from cmdpack.diagnostics import Diagnostic
from cmdpack.nouns import Noun, Span

OptionKind = Literal["flag", "choice", "value"]
DeclaredIn = Literal["options", "argument-hint", "list"]
SectionKind = Literal["setup", "banner", "heading"]


class Key(Noun):
    """A top-level frontmatter key as written: its raw scalar text, or its items for a sequence.

    A mapping keeps only its span: what is known of it is read by the parts that need it.
    """

    name: str
    value: str | tuple[str, ...] | None
    span: Span
    value_span: Span


class Name(Noun):
    """A name that the file mentions (a dependency, a related command, a workflow label)."""

    name: str
    span: Span


class Declaration(Noun):
    """Where an option was declared: frontmatter `options`, `argument-hint`, or the Options list."""

    where: DeclaredIn
    span: Span


class Option(Noun):
    """A typed parameter of a command.

    `choices` is empty unless `kind` is ``choice``. `metavar` is the placeholder of a ``value``
    option as its author wrote it. `declared` is in the order of precedence.
    """

    name: str
    kind: OptionKind
    choices: tuple[str, ...] = ()
    default: str | None = None
    metavar: str | None = None
    help: str = ""
    env: dict[str, str] = Field(default_factory=dict)
    declared: tuple[Declaration, ...]


class Invocation(Noun):
    """A command with arguments, as written to an assistant: ``/name positional --option=value``.

    `options` maps a name to its value, or to None where none was given (a flag).
    """

    command: str
    options: dict[str, str | None] = Field(default_factory=dict)
    positionals: tuple[str, ...] = ()
    text: str
    span: Span


class Condition(Noun):
    """A word of a fence's info string: an option as a flag, or with one of the `choices`."""

    option: str
    choices: tuple[str, ...] = ()


class Example(Noun):
    """A fenced code block.

    `code` is the block's text with its container's indentation or quote marks removed; `line` is
    the file's line of the first code line, and `prefixes[i]` the number of characters removed from
    code line ``i``, so that positions can be given in the file. `conditions` are the words of the
    info string that select (all must hold), `directives` the words with a leading colon.
    """

    id: str
    language: str
    info: str
    code: str
    line: int
    prefixes: tuple[int, ...]
    heading: str | None
    heading_span: Span | None
    conditions: tuple[Condition, ...] = ()
    directives: dict[str, str | None] = Field(default_factory=dict)
    closed: bool = True
    span: Span

    @property
    def runnable(self) -> bool:
        """Whether the default engine runs this block: Python that its author did not exempt."""
        return self.language in {"python", "py", "python3"} and "no-run" not in self.directives


class Section(Noun):
    """A named stretch of one example that an option can select.

    `title` is as its author wrote it, less rules and a leading number. Code before the first
    banner is a section of kind ``setup`` and is part of every selection.
    """

    id: str
    title: str
    kind: SectionKind
    example: str
    span: Span


class Step(Noun):
    """One invocation of a workflow; `needs` are the indices of the steps that must come before."""

    invocation: Invocation
    needs: tuple[int, ...] = ()
    comment: str = ""


class Workflow(Noun):
    """A named graph of invocations."""

    name: str
    title: str
    steps: tuple[Step, ...]
    span: Span


class Related(Noun):
    """One line of a group of related commands: an invocation, and why one would use it."""

    invocation: Invocation
    text: str


class RelatedGroup(Noun):
    """A titled group under ``## Related Commands``."""

    title: str
    help: str
    commands: tuple[Related, ...]
    span: Span


class Agent(Noun):
    """An agent that the file describes."""

    name: str
    role: str
    span: Span


class Team(Noun):
    """A named, ordered list of agents; `members` are the names that the file gives it."""

    name: str
    title: str
    members: tuple[str, ...]
    span: Span


class Trigger(Noun):
    """A pattern, in the author's words, and the agents that it calls for."""

    pattern: str
    agents: tuple[str, ...]
    span: Span


class CommandSpec(Noun):
    """One Markdown command file, read.

    `name` is the file's stem. `path` is the file as the user or the pack named it, `digest` the
    SHA-256 of its bytes. `source` is its whole text; every span refers to it.
    """

    name: str
    path: str
    digest: str
    source: str = Field(repr=False)
    title: str
    description: str = ""
    version: str | None = None
    keys: tuple[Key, ...] = ()
    tags: tuple[str, ...] = ()
    requires: tuple[str, ...] = ()
    engine: str = "examples"
    target: str | None = None
    options: tuple[Option, ...] = ()
    examples: tuple[Example, ...] = ()
    sections: tuple[Section, ...] = ()
    dependencies: tuple[Name, ...] = ()
    related: tuple[Name, ...] = ()
    workflow_labels: tuple[Name, ...] = ()
    workflows: tuple[Workflow, ...] = ()
    usage: tuple[Invocation, ...] = ()
    related_groups: tuple[RelatedGroup, ...] = ()
    agents: tuple[Agent, ...] = ()
    teams: tuple[Team, ...] = ()
    triggers: tuple[Trigger, ...] = ()
    diagnostics: tuple[Diagnostic, ...] = ()
