"""Why something failed, in one sentence, and the next step: the first rule that knows wins."""

from cmdpack.result import Advice, Failure, Kind
from cmdpack.rules import api, devices, names, shapes, tracers, values
from cmdpack.rules.base import Circumstances, Rule

__all__ = ["RULES", "Circumstances", "advise"]

RULES: tuple[Rule, ...] = (
    api.decorator_factory,
    names.missing_package,
    devices.unknown_xla_flag,
    devices.backend_missing,
    api.removed_name,
    api.told_by_jax,
    api.changed,
    api.removed_argument,
    names.slip,
    names.unbound_local,
    devices.axis_name,
    names.fragment,
    tracers.truth,
    tracers.leak,
    tracers.conversion,
    devices.leading_axis,
    devices.indivisible,
    devices.placement,
    devices.too_few,
    devices.too_late,
    shapes.mapped_axes,
    shapes.shape,
    shapes.dtype,
    shapes.structure,
    values.not_a_number,
    values.key_reuse,
    values.immutable,
    values.wrong_call,
    values.assertion,
    values.said,
    values.memory,
)


def advise(kind: Kind, failure: Failure, around: Circumstances) -> tuple[Kind, Advice | None]:
    """The kind of `failure`, better known now than to its runner, and advice where there is any."""
    if _own_words(failure):
        return kind, None
    for rule in RULES:
        if (finding := rule(failure, around)) is not None:
            return finding.kind or kind, finding.advice
    return kind, None


def _own_words(failure: Failure) -> bool:
    """Whether the example itself has raised it: then its author has said what is wrong."""
    last = failure.frames[-1] if failure.frames else None
    return last is not None and last.origin == "example" and last.source.split()[:1] == ["raise"]
