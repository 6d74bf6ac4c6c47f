"""``cmdpack show``: what a command file says, and what cmdpack makes of it. Nothing is executed."""

import shlex
from collections.abc import Iterable, Iterator
from typing import Annotated

import typer

from cmdpack.arguments import synopsis
from cmdpack.cli.output import JsonOption, PackOption, open_registry, write, write_notes
from cmdpack.contents import content_digest, of_run
from cmdpack.declarations import check_options
from cmdpack.dependencies import chain, check_dependencies
from cmdpack.diagnostics import Diagnostic
from cmdpack.errors import CmdpackError, ExitCode
from cmdpack.nouns import Noun
from cmdpack.parameters import parameters
from cmdpack.plan import Command
from cmdpack.registry import Registry
from cmdpack.select import ALL, Effect, Selector, effects, legal_choices, selectors
from cmdpack.selection import written
from cmdpack.spec import Option, Section
from cmdpack.terminal import one_line, table

_BECAUSE = {"info": "its fence says so", "title": "by its title", "call": "its code calls it"}
_BREAK, _SET_OFF = "\n", "\n      "


class Shown(Noun):
    """A command, and what follows from its file.

    `runs_first` are the commands that it depends on, in order, unless `stopped` says why they
    cannot be had. `content` is one digest over its file and theirs. `selectors` maps section
    ids. `diagnostics` are all of this file.
    """

    command: Command
    effects: tuple[Effect, ...]
    selectors: dict[str, tuple[Selector, ...]]
    runs_first: tuple[str, ...]
    stopped: str | None
    content: str | None
    diagnostics: tuple[Diagnostic, ...]


def command(
    name: Annotated[
        str, typer.Argument(metavar="NAME|PATH", help="A command's name, or the path of its file.")
    ],
    pack: PackOption = None,
    *,
    json: JsonOption = False,
) -> ExitCode:
    """Show what a command file says, without running it: options, sections, relations, findings."""
    registry = open_registry(pack)
    shown = _shown(registry, registry.find(name))
    if json:
        write(shown.model_dump_json(indent=2, exclude={"command": {"spec": {"source"}}}))
        return ExitCode.OK
    write_notes(registry.diagnostics)
    write("\n".join(_lines(shown, _called(shown.command, name))))
    return ExitCode.OK


def _shown(registry: Registry, found: Command) -> Shown:
    runs_first: tuple[str, ...] = ()
    stopped = content = None
    try:
        commands = chain(registry, found).commands
        runs_first = tuple(it.qualified for it in commands[:-1])
        content = content_digest(of_run(commands))
    except CmdpackError as error:
        stopped = str(error)
    found_here = (*found.spec.diagnostics, *check_options(found.spec))
    findings = (*found_here, *check_dependencies(registry, found))
    return Shown(
        command=found,
        effects=effects(found.spec),
        selectors=selectors(found.spec),
        runs_first=runs_first,
        stopped=stopped,
        content=content,
        diagnostics=tuple(sorted(findings, key=lambda it: (it.span.line, it.span.column))),
    )


def _called(found: Command, word: str) -> str:
    """Return what to write after ``cmdpack run`` for a command that was found by `word`."""
    named = found.pack.source != found.pack.path and found.pack.trust == "user"
    words = ["--pack", found.pack.path] if named else []
    return shlex.join([*words, word])


def _lines(shown: Shown, called: str) -> Iterator[str]:
    spec = shown.command.spec
    pack = shown.command.pack
    version = f" {spec.version}" if spec.version else ""
    yield one_line(f"{spec.name}{version}: {spec.description or spec.title}")
    yield f"  {one_line(f'{spec.path} ({pack.trust}: {pack.source})')}"
    yield f"  {one_line(synopsis(spec, called))}"
    if shown.content:
        yield f"  content {shown.content}"
    yield from _part("options", _options(shown))
    yield from _part("sections", _sections(shown))
    yield from _part("relations", _relations(shown))
    yield from _part("workflows", _workflows(shown))
    yield from _part("findings", (str(found) for found in shown.diagnostics))


def _part(title: str, lines: Iterable[str]) -> Iterator[str]:
    # What a file says over several lines is set off, so that it cannot pass for a line of ours.
    shown = [f"  {line.replace(_BREAK, _SET_OFF)}" for line in lines]
    if shown:
        yield from ("", title, *shown)


def _options(shown: Shown) -> Iterator[str]:
    legal = legal_choices(shown.command.spec)
    for option, effect in zip(shown.command.spec.options, shown.effects, strict=True):
        yield _option(option, legal.get(option.name, ()))
        if option.help:
            yield f"    {option.help}"
        places = ", ".join(
            f"{it.span.line}:{it.span.column} ({it.where})" for it in option.declared
        )
        yield f"    declared at {places}"
        yield from (f"    {line}" for line in _effect(option, effect, shown))


def _option(option: Option, legal: Iterable[str]) -> str:
    default = f", default {option.default}" if option.default is not None else ""
    if option.kind == "choice":
        return f"--{option.name}={'|'.join(legal)}  choice{default}"
    if option.kind == "value":
        return f"--{option.name}={option.metavar or 'VALUE'}  value{default}"
    return f"--{option.name}  flag"


def _effect(option: Option, effect: Effect, shown: Shown) -> Iterator[str]:
    for variable, value in option.env.items():
        yield f"sets {variable}={value}"
    replaced = parameters(shown.command.spec).get(option.name)
    if replaced is not None:
        yield f"replaces {replaced.name} = {replaced.default!r} at line {replaced.line}"
    if effect.kind == "assistant":
        yield "concerns only an assistant"
    elif effect.kind == "engine":
        yield f"handed to the engine {shown.command.spec.engine}"
    elif effect.kind == "nothing":
        yield "selects nothing"
    titles = {section.id: section.title for section in shown.command.spec.sections}
    for choice, ids in effect.sections.items():
        selected = ", ".join(titles[section_id] for section_id in ids)
        yield f"{choice} selects {selected}"
    if effect.sections and option.kind == "choice":
        idle = [it for it in option.choices if it not in effect.sections and it != ALL]
        yield from (f"{choice} selects nothing" for choice in idle)
        yield f"{ALL} selects every section"


def _sections(shown: Shown) -> Iterator[str]:
    rows = [
        (
            f"{section.span.line}-{section.span.end_line}",
            section.title,
            _selected_by(section, shown),
        )
        for section in shown.command.spec.sections
    ]
    if rows:
        yield from table(rows).split("\n")


def _selected_by(section: Section, shown: Shown) -> str:
    if section.kind == "setup":
        return "part of every selection"
    ways = shown.selectors.get(section.id, ())
    return "; ".join(
        f"{' '.join(map(written, way.conditions))} ({_BECAUSE[way.because]})" for way in ways
    )


def _relations(shown: Shown) -> Iterator[str]:
    spec = shown.command.spec
    if shown.stopped:
        yield f"cannot be run: {shown.stopped}"
    elif shown.runs_first:
        yield f"runs first: {', '.join(shown.runs_first)}"
    if spec.requires:
        yield f"requires: {', '.join(spec.requires)}"
    if spec.related:
        yield f"related: {', '.join(it.name for it in spec.related)}"
    for group in spec.related_groups:
        yield f"{group.title}: {', '.join(it.invocation.text for it in group.commands)}"
    if spec.agents or spec.teams:
        yield f"agents: {len(spec.agents)}, teams: {len(spec.teams)}"


def _workflows(shown: Shown) -> Iterator[str]:
    for workflow in shown.command.spec.workflows:
        yield workflow.title
        for number, step in enumerate(workflow.steps):
            after = f"  (after {', '.join(map(str, step.needs))})" if step.needs else ""
            yield f"  {number}  {step.invocation.text}{after}"
