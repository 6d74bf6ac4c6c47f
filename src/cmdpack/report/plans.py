"""A plan as text: everything that a run would depend on, nothing hidden."""

from collections.abc import Iterator

from cmdpack.plan import Plan, PlannedCommand
from cmdpack.sandboxed import in_words
from cmdpack.terminal import one_line, printable, table


def lines(plan: Plan) -> Iterator[str]:
    """The lines that a person reads before a run."""
    yield printable(" ".join(["plan:", plan.command, *plan.arguments.given]))
    if plan.selection is not None:
        yield f"selection: {selection(plan)}"
    yield table(list(_circumstances(plan)))
    for number, command in enumerate(plan.commands, 1):
        yield printable(f"{number}. {command.id} ({command.reason}) {command.path}")
        yield table(list(_sections(command)))
        if command.role == "target" and plan.selection is not None:
            yield table([("  ", "unit", "", "why"), *_units(command)])
    yield from (f"note: {printable(note.message)}" for note in plan.notes)


def selection(plan: Plan) -> str:
    """What of a command was asked for, and what it brings along, in one line."""
    chosen, command = plan.selection, plan.commands[-1]
    if chosen is None:
        return "everything"
    units = [unit for example in command.examples for unit in example.units]
    titles = [it.title for it in command.sections if it.id in chosen.sections]
    taken = [unit for unit in units if unit.left_out is None]
    brought = sum(unit.section not in chosen.sections for unit in taken)
    along = f", with {brought} units from elsewhere that it needs" if brought else ""
    if chosen.prefix is not None:
        along = f", with everything before: {chosen.prefix}"
    return one_line(
        f"{' '.join(chosen.options)}: {', '.join(titles)}{along}; "
        f"{len(taken)} of {len(units)} units"
    )


def _units(command: PlannedCommand) -> Iterator[tuple[str, ...]]:
    for example in command.examples:
        for unit in example.units:
            verdict = "taken" if unit.left_out is None else "left"
            why = unit.taken if unit.left_out is None else unit.left_out
            yield "  ", f"{unit.span.line}:{unit.span.column}", verdict, why or ""


def _circumstances(plan: Plan) -> Iterator[tuple[str, str]]:
    python = plan.python
    yield "python", f"{python.executable} {python.version}, {python.chosen_because}"
    versions = [f"{name} {version}" for name, version in sorted(python.versions.items())]
    yield "versions", ", ".join(versions) or "no JAX"
    platform = plan.platform or "the one that JAX picks"
    yield "platform", f"{plan.emulate} emulated CPU devices" if plan.emulate else platform
    yield "engine", plan.engine
    yield "trust", f"{plan.trust} code, sandbox {in_words(plan.sandbox)}"
    yield "content", plan.content
    yield "timeout", f"{plan.timeout:g} s"
    going_on = "what does not need it still runs" if plan.keep_going else "the run stops"
    yield "at a failure", going_on
    yield "compile cache", plan.cache.directory or f"none: {plan.cache.reason}"
    for example in plan.commands[-1].examples:
        for name, text in example.replaced.items():
            yield "parameter", f"{name} = {text}"
    if plan.recordings.trace is not None:
        yield "trace", f"a profile goes to {plan.recordings.trace}; the run is slower for it"
    if plan.recordings.hlo is not None:
        yield "hlo", f"XLA writes its programs to {plan.recordings.hlo}"
    for name, value in sorted(plan.environment.items()):
        yield "environment", f"{name}={value}"


def _sections(command: PlannedCommand) -> Iterator[tuple[str, ...]]:
    units = [unit for example in command.examples for unit in example.units]
    for section in command.sections:
        own = [unit for unit in units if unit.section == section.id]
        if own:
            span = f"lines {own[0].span.line}-{own[-1].span.end_line}"
            taken = sum(unit.left_out is None for unit in own)
            count = f"{len(own)} units" if taken == len(own) else f"{taken} of {len(own)} units"
            left_out = next((unit.left_out for unit in own if unit.left_out), "")
            yield "  ", section.title, span, count, left_out
