"""Selected sections, replaced literals and set variables, in real runs."""

import json
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from cmdpack import run
from cmdpack.engines.examples import ExamplesEngine
from cmdpack.events import RunFinished, RunRestarted
from cmdpack.plan import NOT_SELECTED, Plan
from cmdpack.planner import Wishes
from cmdpack.plugins import build_manager
from cmdpack.registry import load_registry
from cmdpack.result import RunResult
from cmdpack.supervision import Control

HEAD = """\
---
options:
  part: {choices: [one, two, three], default: all}
  extra:
  epochs: {metavar: N}
  quick:
  check: {env: {JAX_DEBUG_NANS: "1"}}
  intelligent:
---

# T

```python :setup
import os
```

```python :parameters
epochs = 3
quick = False
```

## One

```python part=one
print("one")
base = 10
```

## Two

```python part=two
print("two")
def times(n):
    return base * n
print(times(epochs), quick, os.environ.get("JAX_DEBUG_NANS"))
```

## Three

```python part=three
print("three")
raise ValueError("on purpose")
```

## Extra

```python extra :requires=no_such_package_anywhere
print("extra")
```
"""

Cli = Callable[..., subprocess.CompletedProcess[str]]


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "parts.md"
    path.write_text(HEAD, encoding="utf-8")
    return path


@pytest.fixture
def cli(cmdpack: list[str]) -> Cli:
    def start(*words: str | Path) -> subprocess.CompletedProcess[str]:
        command = [*cmdpack, *map(str, words)]
        return subprocess.run(command, capture_output=True, text=True, check=False, timeout=60)

    return start


def planned(file: Path, *tokens: str) -> Plan:
    plugins = build_manager()
    request = run.Request(word=str(file), tokens=tokens, wishes=Wishes(sandbox="off"))
    return run.prepare(plugins, load_registry(plugins), request)


def finished(plan: Plan) -> tuple[RunResult, list[Any]]:
    events = [*ExamplesEngine().run(plan, Control())]
    assert isinstance(events[-1], RunFinished)
    return events[-1].result, events


def ran(file: Path, *tokens: str) -> RunResult:
    return finished(planned(file, *tokens))[0]


def printed(result: RunResult) -> str:
    return "".join(part.text for unit in result.units for part in unit.printed)


def test_a_section_brings_along_what_it_needs(file: Path) -> None:
    result = ran(file, "--part=two")
    assert result.outcome == "ok"
    assert printed(result) == "two\n30 False None\n"
    outcomes = {(it.title, it.outcome, it.reason) for it in result.sections}
    assert ("One", "ok", None) in outcomes  # `base` alone
    assert ("Three", "skipped", NOT_SELECTED) in outcomes
    assert result.selection is not None
    assert result.selection.prefix is None
    assert result.evidence.units_ok == result.evidence.units_total == 7


def test_literals_are_replaced_and_variables_set(file: Path) -> None:
    result = ran(file, "--part=two", "--epochs=7", "--quick", "--check")
    assert printed(result) == "two\n70 True 1\n"


def test_a_default_is_replaced_without_a_selection_too(file: Path) -> None:
    assert "50 False None" in printed(ran(file, "--epochs=5"))


def test_what_was_selected_may_fail(file: Path) -> None:
    result = ran(file, "--part=three")
    assert (result.outcome, printed(result)) == ("failed", "three\n")


def test_what_was_selected_may_be_skipped(file: Path) -> None:
    result = ran(file, "--extra")
    [extra] = [it for it in result.sections if it.title == "Extra"]
    assert (extra.outcome, extra.reason) == (
        "skipped",
        "package missing: no_such_package_anywhere",
    )


def test_what_a_slice_lacks_is_fetched_once_and_told(file: Path) -> None:
    plan = planned(file, "--part=two")
    target = plan.commands[-1]

    def without_base(unit: Any) -> Any:
        lacking = {"left_out": NOT_SELECTED, "taken": None, "binds": ("base",)}
        return unit.model_copy(update=lacking) if unit.taken and "base" in unit.taken else unit

    examples = tuple(
        it.model_copy(update={"units": tuple(map(without_base, it.units))})
        for it in target.examples
    )
    broken = plan.model_copy(
        update={"commands": (target.model_copy(update={"examples": examples}),)}
    )
    result, events = finished(broken)
    [restart] = [event for event in events if isinstance(event, RunRestarted)]
    assert "the selection lacked base, which line 26 binds" in restart.reason
    assert result.outcome == "ok"
    assert "one\n" in printed(result)  # everything before
    assert "30 False None" in printed(result)
    assert result.selection is not None
    assert "lacked base" in (result.selection.prefix or "")
    assert [it.code for it in result.notes] == ["selection"]


@pytest.mark.parametrize(
    ("tokens", "problem"),
    [
        (["--epochs=many"], "it must be an int"),
        (["--part=four"], "is not a choice"),
    ],
)
def test_bad_arguments_stop_it_before_anything_runs(
    file: Path, cli: Cli, tokens: list[str], problem: str
) -> None:
    done = cli("run", "--sandbox", "off", file, *tokens)
    assert (done.returncode, done.stdout) == (2, "")
    assert problem in done.stderr


def test_the_plan_tells_of_every_unit(file: Path, cli: Cli) -> None:
    done = cli("run", "--sandbox", "off", "--plan", file, "--part=two", "--epochs=9")
    assert done.returncode == 0
    lines = [line.split() for line in done.stdout.splitlines()]
    assert ["parameter", "epochs", "=", "9"] in lines
    assert ["32:1", "taken", "selected"] in lines
    assert ["25:1", "left", "not", "selected"] in lines
    assert any(it[:3] == ["26:1", "taken", "binds"] for it in lines)
    done = cli("run", "--sandbox", "off", "--plan", "--json", file, "--part=two")
    plan = Plan.model_validate(json.loads(done.stdout))
    units = [unit for example in plan.commands[-1].examples for unit in example.units]
    assert all((unit.left_out is None) != (unit.taken is None) for unit in units)


def test_the_report_says_what_was_selected(file: Path, cli: Cli) -> None:
    done = cli("run", "--sandbox", "off", file, "--part=two", "--intelligent")
    assert done.returncode == 0
    first, second, *_ = done.stdout.splitlines()
    assert first == "note: --intelligent: concerns only an assistant, no effect on a run"
    assert second.startswith("selection: --part=two: Two, with ")
    assert done.stdout.splitlines()[-2].startswith("skipped: ")
    assert "not selected" in done.stdout.splitlines()[-2]
