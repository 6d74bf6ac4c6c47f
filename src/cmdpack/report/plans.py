"""A plan as text: everything that a run would depend on, nothing hidden."""

from collections.abc import Iterator

from cmdpack.plan import Plan, PlannedCommand
from cmdpack.terminal import printable, table


def lines(plan: Plan) -> Iterator[str]:
    """The lines that a person reads before a run."""
    yield printable(" ".join(["plan:", plan.command, *plan.arguments.given]))
    yield table(list(_circumstances(plan)))
    for number, command in enumerate(plan.commands, 1):
        yield printable(f"{number}. {command.id} ({command.reason}) {command.path}")
        yield table(list(_sections(command)))
    yield from (f"note: {printable(note.message)}" for note in plan.notes)


def _circumstances(plan: Plan) -> Iterator[tuple[str, str]]:
    python = plan.python
    yield "python", f"{python.executable} {python.version}, {python.chosen_because}"
    versions = [f"{name} {version}" for name, version in sorted(python.versions.items())]
    yield "versions", ", ".join(versions) or "no JAX"
    platform = plan.platform or "the one that JAX picks"
    yield "platform", f"{plan.emulate} emulated CPU devices" if plan.emulate else platform
    yield "engine", plan.engine
    yield "trust", f"{plan.trust} code, sandbox {plan.sandbox}"
    yield "timeout", f"{plan.timeout:g} s"
    going_on = "what does not need it still runs" if plan.keep_going else "the run stops"
    yield "at a failure", going_on
    yield "compile cache", plan.cache.directory or f"none: {plan.cache.reason}"
    for name, value in sorted(plan.environment.items()):
        yield "environment", f"{name}={value}"


def _sections(command: PlannedCommand) -> Iterator[tuple[str, ...]]:
    units = [unit for example in command.examples for unit in example.units]
    for section in command.sections:
        own = [unit for unit in units if unit.section == section.id]
        if own:
            span = f"lines {own[0].span.line}-{own[-1].span.end_line}"
            yield "  ", section.title, span, f"{len(own)} units", own[0].left_out or ""
