"""Why a unit is blocked, for a person: what it needs, and what that was lost to."""

from collections.abc import Callable, Sequence
from typing import Any, Literal

from pydantic import Field

from cmdpack.nouns import Noun

How = Literal["failed", "blocked", "changed", "unknown"]

_NAMED = 3  # names of one cause that are told; more are counted

_TOLD: dict[How, str] = {
    "failed": "which failed at {}",
    "blocked": "which needs what failed at {}",
    "changed": "which the failure at {} may have left half-changed",
    "unknown": "which what failed at {} may have bound",
}


class Need(Noun):
    """A name that a unit could not have, as the runner tells it; `line` is where it was missed."""

    name: str
    how: How
    causes: tuple[str, ...] = Field(min_length=1)
    line: int | None = None


def fields(told: Sequence[dict[str, Any]], place: Callable[[str], str]) -> dict[str, Any]:
    """The fields of a unit's result that tell what it could not have, and what is to blame.

    `place` shows where a unit stands by its id; it raises `LookupError` for one that there is not.
    """
    needs = [Need.model_validate(need) for need in told]
    causes = dict.fromkeys(cause for need in needs for cause in need.causes)
    return {"reason": _reason(needs, place), "blocked_by": tuple(causes)}


def _reason(needs: Sequence[Need], place: Callable[[str], str]) -> str:
    groups: dict[tuple[How, tuple[str, ...]], list[str]] = {}
    for need in needs:
        at = f" at line {need.line}" if need.line else ""
        groups.setdefault((need.how, need.causes), []).append(f"{need.name}{at}")
    told = [
        f"{_listed(names)}, {_TOLD[how].format(_listed([place(it) for it in causes]))}"
        for (how, causes), names in groups.items()
    ]
    return f"needs {'; and '.join(told)}"


def _listed(words: Sequence[str]) -> str:
    """The first of `words`, and how many there are more."""
    more = len(words) - _NAMED
    shown = [*words] if more <= 0 else [*words[:_NAMED], f"{more} more"]
    return shown[0] if len(shown) == 1 else f"{', '.join(shown[:-1])} and {shown[-1]}"
