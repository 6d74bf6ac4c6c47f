"""Which option selects which section."""

import ast
import re
import warnings
from collections.abc import Iterator, Mapping
from typing import Literal

from cmdpack.nouns import Noun
from cmdpack.parameters import parameters
from cmdpack.spec import CommandSpec, Condition, Example, Option, Section

ALL = "all"
"""The choice that selects every section, legal for every option that selects."""

DEFAULT_ENGINE = "examples"
"""The engine of a command that names none; it takes no options of its own."""

ASSISTANT_OPTIONS = frozenset({"agents", "orchestrate", "intelligent", "breakthrough"})
"""Options that concern only an assistant, whatever the command."""

Because = Literal["info", "title", "call"]
EffectKind = Literal["selects", "parameter", "environment", "assistant", "engine", "nothing"]


class Selector(Noun):
    """Conditions that, all holding, select a section.

    `because` tells where they come from: the fence's info string, the section's title, or a call
    in the section's code.
    """

    conditions: tuple[Condition, ...]
    because: Because


class Effect(Noun):
    """What one option does. `sections` maps a choice, or a flag's own name, to section ids.

    What an option that selects nothing means to another engine than the default one, only that
    engine knows: its kind is ``engine``.
    """

    option: str
    sections: dict[str, tuple[str, ...]]
    kind: EffectKind


def selectors(spec: CommandSpec) -> dict[str, tuple[Selector, ...]]:
    """Return what selects each section, by its id; a section that nothing selects has none.

    Conditions of an example's info string come first. Of a choice that none names, the first
    section whose title has it as a word, or else the first whose code calls it, is selected.
    ``all`` is left out: it selects every section.
    """
    examples = {example.id: example for example in spec.examples if example.runnable}
    sections = [section for section in spec.sections if section.example in examples]
    found: dict[str, list[Selector]] = {section.id: [] for section in sections}
    for section in sections:
        if conditions := examples[section.example].conditions:
            found[section.id].append(Selector(conditions=conditions, because="info"))
    free = [
        section
        for section in sections
        if section.kind != "setup" and not examples[section.example].conditions
    ]
    calls = _calls(free, examples)
    bound = _bound(spec)
    for option in spec.options:
        for choice in _inferred(option):
            if (option.name, choice) in bound:
                continue
            if guess := _guess(choice, free, calls):
                section_id, because = guess
                condition = Condition(option=option.name, choices=(choice,))
                found[section_id].append(Selector(conditions=(condition,), because=because))
    return {section_id: tuple(chosen) for section_id, chosen in found.items()}


def effects(spec: CommandSpec) -> tuple[Effect, ...]:
    """Return what each option of a command does: `selectors` the other way round."""
    chosen: dict[str, dict[str, list[str]]] = {option.name: {} for option in spec.options}
    for section_id, ways in selectors(spec).items():
        for condition in [condition for way in ways for condition in way.conditions]:
            for choice in condition.choices or (condition.option,):
                if condition.option in chosen:
                    chosen[condition.option].setdefault(choice, []).append(section_id)
    return tuple(
        Effect(
            option=option.name,
            sections={choice: tuple(ids) for choice, ids in chosen[option.name].items()},
            kind="selects" if chosen[option.name] else _kind(option, spec),
        )
        for option in spec.options
    )


def selecting_options(spec: CommandSpec) -> frozenset[str]:
    """Return the names of the options that select at least one section."""
    return frozenset(effect.option for effect in effects(spec) if effect.kind == "selects")


def legal_choices(spec: CommandSpec) -> dict[str, tuple[str, ...]]:
    """Return, for each option that has choices, every word that may be given for it."""
    selecting = selecting_options(spec)
    return {
        option.name: (*option.choices, ALL)
        if option.name in selecting and ALL not in option.choices
        else option.choices
        for option in spec.options
        if option.kind == "choice"
    }


def _kind(option: Option, spec: CommandSpec) -> EffectKind:
    """What an option does that selects nothing."""
    if option.name in parameters(spec):
        return "parameter"
    if option.env:
        return "environment"
    if option.name in ASSISTANT_OPTIONS:
        return "assistant"
    return "nothing" if spec.engine == DEFAULT_ENGINE else "engine"


def _bound(spec: CommandSpec) -> set[tuple[str, str]]:
    return {
        (condition.option, choice)
        for example in spec.examples
        for condition in example.conditions
        for choice in condition.choices
    }


def _inferred(option: Option) -> Iterator[str]:
    if option.kind == "choice" and option.name not in ASSISTANT_OPTIONS:
        yield from (choice for choice in option.choices if choice != ALL)


def _guess(
    choice: str, sections: list[Section], calls: Mapping[str, frozenset[str]]
) -> tuple[str, Because] | None:
    words = r"[-_\s]+".join(map(re.escape, re.split(r"[-_\s]+", choice)))
    title = re.compile(rf"(?<![\w-]){words}(?![\w-])", re.IGNORECASE)
    for section in sections:
        if title.search(section.title):
            return section.id, "title"
    name = choice.replace("-", "_")
    for section in sections:
        if name in calls[section.id]:
            return section.id, "call"
    return None


def _calls(sections: list[Section], examples: Mapping[str, Example]) -> dict[str, frozenset[str]]:
    """Return, by section, the last names of all that its code calls or decorates with."""
    lines = {
        example_id: tuple(_called(example))
        for example_id, example in examples.items()
        if not example.conditions
    }
    return {
        section.id: frozenset(
            name
            for name, line in lines[section.example]
            if section.span.line <= line
            and (line, 1) < (section.span.end_line, section.span.end_column)
        )
        for section in sections
    }


def _called(example: Example) -> Iterator[tuple[str, int]]:
    """Yield each called name with its line in the file; nothing for code that does not parse."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # odd escapes are for `check` to say, not for us
            tree = ast.parse(example.code)
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return
    for node in ast.walk(tree):
        used = [node.func] if isinstance(node, ast.Call) else getattr(node, "decorator_list", [])
        for function in used:
            name = getattr(function, "attr", getattr(function, "id", None))
            if name is not None:
                yield name, example.line + function.lineno - 1
