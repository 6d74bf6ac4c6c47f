"""The words with a colon that a fence's info string gives to the runner."""

import textwrap
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

Run = Callable[..., Any]


@pytest.fixture
def run_fences(run_file: Run, tmp_path: Path) -> Run:
    """Run a file of fences, each an info string and its code."""

    def run(*fences: tuple[str, str], **wishes: object) -> Any:
        text = "".join(
            f"## Part {number}\n\n```python {info}\n{textwrap.dedent(code).strip()}\n```\n\n"
            for number, (info, code) in enumerate(fences, start=1)
        )
        path = tmp_path / "directed.md"
        path.write_text(f"---\ntitle: Directed\n---\n\n{text}")
        return run_file(path, **wishes)

    return run


def test_an_expected_error_passes_with_what_was_raised(run_fences: Run) -> None:
    ran = run_fences(
        (":expect-error=ZeroDivisionError", "a = 1\na / 0"), ("", "print('on we go', a)")
    )
    assert ran.outcomes == ["ok", "ok", "ok"]
    assert ran.result.outcome == "ok"
    assert ran.result.units[1].reason == "raised as expected: ZeroDivisionError: division by zero"
    assert ran.stdout == "on we go 1\n"


@pytest.mark.parametrize("name", ["Odd", "decimal.InvalidOperation", "InvalidOperation"])
def test_the_error_is_named_with_or_without_its_module(run_fences: Run, name: str) -> None:
    code = "import decimal\nclass Odd(Exception): pass\n"
    last = "raise Odd" if name == "Odd" else "decimal.Decimal('x')"
    assert run_fences((f":expect-error={name}", code + last)).result.outcome == "ok"


def test_an_expected_error_that_is_not_raised(run_fences: Run) -> None:
    ran = run_fences((":expect-error=ValueError", "b = 2"), ("", "never = 1"))
    assert ran.outcomes == ["expected-error-missing", "skipped"]
    assert ran.result.outcome == "expected-error-missing"
    assert "ValueError was expected" in ran.result.units[0].reason


@pytest.mark.parametrize(
    ("code", "kind"),
    [
        ("int('x')\nb = 2", "ValueError"),  # too early: not the last unit
        ("raise KeyError", "KeyError"),  # another one
        ("class Mine(ValueError): pass\nraise Mine", "Mine"),  # a subclass is another type
    ],
)
def test_only_the_last_unit_may_raise_and_only_that_type(
    run_fences: Run, code: str, kind: str
) -> None:
    ran = run_fences((":expect-error=ValueError", code))
    assert ran.result.outcome == "failed"
    assert ran.last.error.type == kind


def test_an_example_without_its_package_is_skipped(run_fences: Run) -> None:
    ran = run_fences((":requires=nonesuch", "import nonesuch"), (":requires=json", "import json"))
    assert ran.outcomes == ["skipped", "ok"]
    assert ran.result.units[0].reason == "package missing: nonesuch"
    assert ran.result.outcome == "ok"


def test_nothing_ran_is_not_a_pass(run_fences: Run) -> None:
    assert run_fences((":requires=nonesuch", "import nonesuch")).result.outcome == "skipped"


def test_an_example_without_its_devices_is_skipped_with_the_hint(run_fences: Run) -> None:
    fences = ((":devices=3", "import jax\nn = jax.device_count()"), ("", "print('after')"))
    alone = run_fences(*fences)
    assert alone.outcomes == ["skipped", "skipped", "ok"]
    assert alone.result.units[0].reason == (
        "device missing: needs 3, there are 1; --emulate 3 makes them"
    )
    assert run_fences(*fences, emulate=3).outcomes == ["ok", "ok", "ok"]
