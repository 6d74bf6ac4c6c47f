"""What a command's options declare, held against the rest of its file."""

import re
from collections.abc import Iterator

from cmdpack.diagnostics import Diagnostic
from cmdpack.select import legal_choices
from cmdpack.spec import CommandSpec, Invocation

_PLACEHOLDER = re.compile(r"[<>|{}\[\]$\u2026]|\.\.\.")


def check_options(spec: CommandSpec) -> tuple[Diagnostic, ...]:
    """Return a diagnostic for each default that may not be given (OP002), and for each option or
    choice that the file's own invocations of its command use and do not declare (OP003).
    """  # noqa: D205 - one sentence
    legal = legal_choices(spec)
    return (*_defaults(spec, legal), *_invocations(spec, legal))


def _defaults(spec: CommandSpec, legal: dict[str, tuple[str, ...]]) -> Iterator[Diagnostic]:
    for option in spec.options:
        if option.name in legal and option.default not in {None, *legal[option.name]}:
            yield Diagnostic(
                code="OP002",
                severity="warning",
                message=f"the default `{option.default}` of `{option.name}` is none of its choices,"
                " for the option selects nothing; it is ignored",
                path=spec.path,
                span=option.declared[0].span,
                help="leave the default out, or name the option in the fences that it selects",
            )


def _invocations(spec: CommandSpec, legal: dict[str, tuple[str, ...]]) -> Iterator[Diagnostic]:
    for invocation in _own_invocations(spec):
        for name, value in invocation.options.items():
            if (problem := _problem(spec, legal, name, value)) is not None:
                yield Diagnostic(
                    code="OP003",
                    severity="warning",
                    message=f"`{invocation.text}`: {problem}",
                    path=spec.path,
                    span=invocation.span,
                    help="correct the line, or declare the option under `options`",
                )


def _own_invocations(spec: CommandSpec) -> Iterator[Invocation]:
    steps = (step.invocation for workflow in spec.workflows for step in workflow.steps)
    related = (it.invocation for group in spec.related_groups for it in group.commands)
    for invocation in (*steps, *spec.usage, *related):
        if invocation.command == spec.name:
            yield invocation


def _problem(
    spec: CommandSpec, legal: dict[str, tuple[str, ...]], name: str, value: str | None
) -> str | None:
    """Tell what `spec` does not know of ``--name=value``; a placeholder stands for any value."""
    option = next((it for it in spec.options if it.name == name), None)
    if option is None:
        return f"{spec.name} has no option `{name}`"
    if value is None or _PLACEHOLDER.search(value):
        return None
    if option.kind == "flag":
        return f"`{name}` is a flag and takes no value"
    if option.kind == "choice" and value not in legal[name]:
        return f"`{value}` is no choice of `{name}`: {', '.join(legal[name])}"
    return None
