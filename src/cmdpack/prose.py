"""A command's prose -> its workflows, related commands, agents, teams and triggers.

What is looked for are shapes that authors of command files use anyway; what has another shape is
left alone. Slash-command lines are read, never handed to a shell.
"""

import re
from collections.abc import Callable, Collection, Iterator, Sequence

from cmdpack.hints import OptionHint, read_invocation, read_option_item
from cmdpack.markdown import (
    Block,
    Document,
    Fence,
    Heading,
    Item,
    Paragraph,
    headings_above,
)
from cmdpack.nouns import Span
from cmdpack.spec import (
    Agent,
    Invocation,
    Related,
    RelatedGroup,
    Step,
    Team,
    Trigger,
    Workflow,
)

SHELL_LANGUAGES = frozenset({"", "bash", "sh", "shell", "console", "zsh"})
_AGENT_NAME = re.compile(r"[a-z][a-z0-9]*(?:-[a-z0-9]+)*")
_AGENTS = re.compile(r"\bagents?\b", re.IGNORECASE)
_ARROW = re.compile(r"\u2192|->|\u27f6|=>")
_DASHES = " \t:-\u2013\u2014"


def read_option_list(document: Document) -> tuple[OptionHint, ...]:
    """Read the bullets under a heading "Options"."""
    items = (
        block
        for block in document.blocks
        if isinstance(block, Item) and _is_under(block, _is_options_heading)
    )
    return tuple(hint for item in items if (hint := read_option_item(item)) is not None)


def read_workflows(
    fences: Sequence[tuple[Fence, str]],
) -> tuple[tuple[Workflow, ...], tuple[Invocation, ...]]:
    """Read the slash-command lines of shell fences, each given with its language.

    A fence under a heading that invokes at least two different commands is a workflow, whose steps
    follow one another. The lines of the others are usage.
    """
    workflows: list[Workflow] = []
    usage: list[Invocation] = []
    names: dict[str, int] = {}
    for fence, language in fences:
        if language not in SHELL_LANGUAGES:
            continue
        steps = _read_steps(fence)
        commands = {step.invocation.command for step in steps}
        if fence.heading is None or len(commands) < 2:
            usage += [step.invocation for step in steps]
            continue
        title = fence.heading.text
        name = _unused(slug(title), names)
        workflows.append(Workflow(name=name, title=title, steps=steps, span=fence.span))
    return tuple(workflows), tuple(usage)


def slug(title: str) -> str:
    """Return `title` in lower case with a hyphen for whatever is neither letter nor digit."""
    return re.sub(r"[\W_]+", "-", title.lower()).strip("-") or "workflow"


def _unused(name: str, used: dict[str, int]) -> str:
    """Return `name`, with a number if it is `used`: a mapping of names to the last number."""
    candidate = name
    while candidate in used:
        used[name] += 1
        candidate = f"{name}-{used[name]}"
    used[candidate] = 1
    return candidate


def _read_steps(fence: Fence) -> tuple[Step, ...]:
    steps: list[Step] = []
    above: list[str] = []
    for text, line, column in _code_lines(fence):
        stripped = text.strip()
        if stripped.startswith("#"):
            above.append(stripped.lstrip("# \t"))
            continue
        read = read_invocation(text, line, column)
        if read is None:
            continue
        invocation, beside = read
        comment = "\n".join(part for part in (*above, beside) if part)
        needs = (len(steps) - 1,) if steps else ()
        steps.append(Step(invocation=invocation, needs=needs, comment=comment))
        above = []
    return tuple(steps)


def _code_lines(fence: Fence) -> Iterator[tuple[str, int, int]]:
    """Yield each line of code with the file's line and column of its first character."""
    lines = fence.code.split("\n")
    for index, prefix in enumerate(fence.prefixes):
        yield lines[index], fence.line + index, prefix + 1


def read_related(document: Document) -> tuple[RelatedGroup, ...]:
    """Read the groups under "Related Commands": a strong title, and bullets of slash commands."""
    groups: list[RelatedGroup] = []
    title: tuple[str, str, Span] | None = None
    commands: list[Related] = []

    def close() -> None:
        if title is not None and commands:
            name, text, span = title
            groups.append(RelatedGroup(title=name, help=text, commands=tuple(commands), span=span))
        commands.clear()

    for block in document.blocks:
        if isinstance(block, Heading) or not _is_under(block, _is_related_heading):
            close()
            title = None
        elif isinstance(block, Paragraph) and block.lead:
            close()
            title = block.text[: block.lead].strip(_DASHES), _after(block, block.lead), block.span
        elif isinstance(block, Item) and (related := _read_related_item(block)) is not None:
            if title is None and block.heading is not None:
                title = block.heading.text, "", block.heading.span
            commands.append(related)
    close()
    return tuple(groups)


def _read_related_item(item: Item) -> Related | None:
    code = item.name
    if code is None:
        return None
    width = code.span.end_column - code.span.column - len(code.text)
    read = read_invocation(code.text, code.span.line, code.span.column + width // 2)
    return Related(invocation=read[0], text=_after(item, len(code.text))) if read else None


def read_agents(
    document: Document, selectable: Collection[str]
) -> tuple[tuple[Agent, ...], tuple[Team, ...]]:
    """Read agents and teams; `selectable` are the choices of the option `agents`.

    An agent is a heading, or a bullet with a strong name, under a heading that mentions agents. A
    team is a heading that is named as one of the choices; its members are the bullets that begin
    with an agent's name.
    """
    agents: dict[str, Agent] = {}
    teams: dict[str, Team] = {}
    members: dict[str, list[str]] = {}
    for block in document.blocks:
        if isinstance(block, Fence | Paragraph) or block.name is None:
            continue
        name = block.name.text
        rest = _after(block, len(name))
        above = block.heading.name if block.heading else None
        if isinstance(block, Heading) and name in selectable:
            if name not in teams:
                teams[name] = Team(name=name, title=rest, members=(), span=block.span)
        elif not _AGENT_NAME.fullmatch(name):
            continue
        elif isinstance(block, Item) and above is not None and above.text in selectable:
            members.setdefault(above.text, []).append(name)
        elif _names_agent(block) and rest:
            agents.setdefault(name, Agent(name=name, role=rest, span=block.span))
    with_members = (
        team.model_copy(update={"members": tuple(dict.fromkeys(members.get(team.name, ())))})
        for team in teams.values()
    )
    return tuple(agents.values()), tuple(with_members)


def _names_agent(block: Heading | Item) -> bool:
    strong = block.name is not None and block.lead == len(block.name.text)
    return (strong or isinstance(block, Heading)) and _is_under(block, _is_agents_heading)


def read_triggers(document: Document, known: Collection[str]) -> tuple[Trigger, ...]:
    """Read lines ``- words -> agent + agent`` under headings that mention agents.

    A word looks like an agent if it has a hyphen or is one of the `known` names.
    """
    triggers: list[Trigger] = []
    for block in document.blocks:
        if isinstance(block, Heading | Paragraph) or not _is_under(block, _is_agents_heading):
            continue
        for text, span in _trigger_lines(block):
            pattern, *rest = _ARROW.split(text)
            names = tuple(name.strip(" `*\t") for name in re.split(r"[+,]", "".join(rest)))
            if len(rest) == 1 and pattern.strip() and all(_is_agent(name, known) for name in names):
                triggers.append(Trigger(pattern=pattern.strip(), agents=names, span=span))
    return tuple(triggers)


def _trigger_lines(block: Item | Fence) -> Iterator[tuple[str, Span]]:
    if isinstance(block, Item):
        yield block.text, block.span
        return
    for text, line, column in _code_lines(block):
        words = text.strip()
        if words.startswith(("- ", "* ")):
            start = column + text.index(words)
            yield (
                words[2:],
                Span(line=line, column=start, end_line=line, end_column=start + len(words)),
            )


def _is_agent(name: str, known: Collection[str]) -> bool:
    return _AGENT_NAME.fullmatch(name) is not None and ("-" in name or name in known)


def _after(block: Heading | Item | Paragraph, offset: int) -> str:
    """Return the text after `offset`, less the dash or colon that it begins with."""
    return block.text[offset:].lstrip(_DASHES).rstrip()


def _is_under(block: Block, matches: Callable[[Heading], bool]) -> bool:
    return any(matches(heading) for heading in headings_above(block))


def _is_options_heading(heading: Heading) -> bool:
    return heading.text.lower().rstrip(": ").endswith("options")


def _is_related_heading(heading: Heading) -> bool:
    return heading.text.lower().strip(": ") == "related commands"


def _is_agents_heading(heading: Heading) -> bool:
    return _AGENTS.search(heading.text) is not None
