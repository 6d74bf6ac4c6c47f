"""Which sections the arguments of a run select, and what is to be said of the other options."""

import itertools
from collections.abc import Collection, Iterator, Mapping, Sequence
from typing import NamedTuple

from cmdpack.codefacts import CodeFacts, UnitFacts
from cmdpack.errors import UsageError
from cmdpack.plan import (
    NOT_SELECTED,
    Arguments,
    Note,
    Plan,
    PlannedCommand,
    PlannedUnit,
    Selection,
)
from cmdpack.select import ALL, EffectKind, Selector, effects, selectors
from cmdpack.slices import slice_of
from cmdpack.spec import CommandSpec, Condition

_Active = Mapping[str, str | bool]
"""The options that select, with their values: a choice, or True for a flag."""

_TOLD: dict[EffectKind, str] = {
    "assistant": "concerns only an assistant, no effect on a run",
    "nothing": "selects nothing in this command, no effect on a run",
}


class Chosen(NamedTuple):
    """The sections that are asked for, by id, and the options that ask for them, as written.

    `always` are the sections that are part of every selection.
    """

    sections: tuple[str, ...]
    options: tuple[str, ...]
    always: tuple[str, ...]
    notes: tuple[Note, ...] = ()


def choose(spec: CommandSpec, arguments: Arguments) -> Chosen | None:
    """The sections of `spec` that `arguments` ask for; None where they ask for everything.

    Options that the user gave decide; where none of these selects, defaults do. A section is
    chosen when one of its selectors holds: each of its conditions, at least one of them by an
    option that was given. A condition on an option that was not given holds where the option has
    choices, since it could be any of them, and not where it is a flag. `all` asks for everything.

    Raises `UsageError` for options that select something each, and together nothing.
    """
    selecting = [it for it in effects(spec) if it.kind == "selects"]
    given = [it.option for it in selecting if arguments.gives(it.option)]
    active = _active(given or [it.option for it in selecting], arguments)
    if not active or ALL in active.values():
        return None
    ways = selectors(spec)
    flags = {option.name for option in spec.options if option.kind == "flag"}
    chosen = {
        section: [way for way in found if _holds(way, active, flags)]
        for section, found in ways.items()
    }
    sections = tuple(section for section, found in chosen.items() if found)
    idle = _idle(active, [way for found in chosen.values() for way in found])
    together = [_written(name, value) for name, value in active.items()]
    if not sections:
        raise UsageError(
            f"no section of {spec.name} goes with {' '.join(together)}",
            help="; ".join(_goes_with(name, ways) for name in idle),
        )
    return Chosen(
        sections=sections,
        options=tuple(together),
        always=tuple(section.id for section in spec.sections if section.kind == "setup"),
        notes=tuple(
            Note(
                code="selection",
                message=f"{_written(name, active[name])}: adds no section to "
                f"{' '.join(it for it in together if it != _written(name, active[name]))}; "
                f"{_goes_with(name, ways)}",
            )
            for name in idle
        ),
    )


def narrowed(
    command: PlannedCommand, code: Mapping[str, CodeFacts], chosen: Chosen
) -> tuple[PlannedCommand, Selection]:
    """Leave out of `command` what was not chosen and what nothing that was chosen needs.

    `code` holds the facts of each example by its id. What would be taken and is left out already,
    because a package is missing, stays left out for that.
    """
    units = [unit for example in command.examples for unit in example.units]
    facts = [unit for example in command.examples for unit in code[example.id].units]
    wanted = {*chosen.always, *chosen.sections}
    found = slice_of(facts, [n for n, unit in enumerate(units) if unit.section in wanted])
    judged = iter([_judged(unit, facts[n], found.taken.get(n)) for n, unit in enumerate(units)])
    examples = tuple(
        it.model_copy(update={"units": tuple(itertools.islice(judged, len(it.units)))})
        for it in command.examples
    )
    selection = Selection(options=chosen.options, sections=chosen.sections, prefix=found.prefix)
    return command.model_copy(update={"examples": examples}), selection


def _judged(unit: PlannedUnit, facts: UnitFacts, taken: str | None) -> PlannedUnit:
    if taken is None:
        return unit.model_copy(update={"left_out": NOT_SELECTED, "binds": facts.binds})
    return unit if unit.left_out is not None else unit.model_copy(update={"taken": taken})


def with_prefix(plan: Plan, why: str) -> Plan:
    """`plan` with everything before the last unit that it takes; `why` tells the reason."""
    *others, command = plan.commands
    units = [unit for example in command.examples for unit in example.units]
    last = max((n for n, unit in enumerate(units) if unit.left_out is None), default=-1)
    before = {unit.id for unit in units[:last] if unit.left_out == NOT_SELECTED}
    again = {"left_out": None, "taken": why, "binds": ()}
    examples = []
    for example in command.examples:
        own = tuple(it.model_copy(update=again) if it.id in before else it for it in example.units)
        examples.append(example.model_copy(update={"units": own}))
    narrower = plan.selection and plan.selection.model_copy(update={"prefix": why})
    whole = command.model_copy(update={"examples": tuple(examples)})
    return plan.model_copy(update={"commands": (*others, whole), "selection": narrower})


def idle_notes(spec: CommandSpec, arguments: Arguments) -> Iterator[Note]:
    """One note for each kind of option that was given and changes nothing."""
    told: dict[str, list[str]] = {}
    for effect in effects(spec):
        value = arguments.values.get(effect.option)
        if effect.kind not in _TOLD or not arguments.gives(effect.option):
            continue
        told.setdefault(_TOLD[effect.kind], []).append(_written(effect.option, value))
    for sentence, options in told.items():
        yield Note(code="selection", message=f"{', '.join(options)}: {sentence}")


def option_variables(spec: CommandSpec, arguments: Arguments) -> dict[str, str]:
    """The environment variables that the given options set; of two for one, the later option's."""
    return {
        name: value
        for option in spec.options
        if arguments.gives(option.name)
        for name, value in option.env.items()
    }


def _active(names: Sequence[str], arguments: Arguments) -> dict[str, str | bool]:
    values = {name: arguments.values.get(name) for name in names}
    return {name: value for name, value in values.items() if value not in {None, False}}


def _holds(way: Selector, active: _Active, flags: Collection[str]) -> bool:
    named = [it for it in way.conditions if it.option in active]
    others = [it for it in way.conditions if it.option not in active]
    return (
        bool(named)
        and all(active[it.option] in {True, *it.choices} for it in named)
        and not any(it.option in flags for it in others)
    )


def _idle(active: _Active, ways: Sequence[Selector]) -> list[str]:
    """The active options without a part in the choice."""
    used = {condition.option for way in ways for condition in way.conditions}
    return [name for name in active if name not in used]


def _goes_with(name: str, ways: Mapping[str, Sequence[Selector]]) -> str:
    """What `name` is written together with, by its author."""
    mine = [
        " ".join(map(written, way.conditions))
        for found in ways.values()
        for way in found
        if any(it.option == name for it in way.conditions)
    ]
    return f"sections are selected by {', '.join(dict.fromkeys(mine))}"


def written(condition: Condition) -> str:
    """A condition as an option on the command line; ``|`` stands between its choices."""
    choices = "|".join(condition.choices)
    return f"--{condition.option}={choices}" if choices else f"--{condition.option}"


def _written(name: str, value: str | bool | None) -> str:
    return f"--{name}={value}" if isinstance(value, str) else f"--{name}"
