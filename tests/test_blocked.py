"""What is told of a unit that is blocked."""

from typing import Any

import pytest
from pydantic import ValidationError

from cmdpack import blocked


def need(name: str, how: str = "failed", *causes: str, line: int | None = None) -> dict[str, Any]:
    return {"name": name, "how": how, "causes": [*(causes or ("one",))], "line": line}


def reason(*needs: dict[str, Any]) -> str:
    return str(blocked.fields(needs, lambda name: f"{name}.md:1")["reason"])


@pytest.mark.parametrize(
    ("needs", "sentence"),
    [
        ([need("a")], "needs a, which failed at one.md:1"),
        ([need("a", line=7)], "needs a at line 7, which failed at one.md:1"),
        ([need("a"), need("b")], "needs a and b, which failed at one.md:1"),
        ([need("a", "blocked")], "needs a, which needs what failed at one.md:1"),
        (
            [need("a", "changed")],
            "needs a, which the failure at one.md:1 may have left half-changed",
        ),
        ([need("a", "unknown")], "needs a, which what failed at one.md:1 may have bound"),
        ([need("a", "failed", "one", "two")], "needs a, which failed at one.md:1 and two.md:1"),
        (
            [need("a"), need("b", "failed", "two"), need("c")],
            "needs a and c, which failed at one.md:1; and b, which failed at two.md:1",
        ),
        ([need(it) for it in "abcde"], "needs a, b, c and 2 more, which failed at one.md:1"),
    ],
)
def test_the_reason_is_one_sentence(needs: list[dict[str, Any]], sentence: str) -> None:
    assert reason(*needs) == sentence


def test_every_cause_is_to_blame_once() -> None:
    needs = [need("a", "failed", "x", "y"), need("b", "changed", "y", "z")]
    assert blocked.fields(needs, str)["blocked_by"] == ("x", "y", "z")


@pytest.mark.parametrize("wrong", [{"causes": []}, {"how": "other"}, {"name": None}])
def test_what_makes_no_sense_is_refused(wrong: dict[str, Any]) -> None:
    with pytest.raises(ValidationError):
        blocked.fields([{**need("a"), **wrong}], str)
