"""What the reports are shown: a plan and the parts of a run, as plain values."""

from collections.abc import Callable
from typing import Any

import pytest

from cmdpack.nouns import Span
from cmdpack.plan import (
    Arguments,
    CompileCache,
    PackOrigin,
    Plan,
    PlannedCommand,
    PlannedExample,
    PlannedSection,
    PlannedUnit,
    PythonFacts,
)
from cmdpack.result import Ending, Evidence, RunResult, Timing, UnitResult


@pytest.fixture
def plan() -> Plan:
    """One command of one section of two units, on lines 3 and 4."""
    spans = [Span(line=line, column=1, end_line=line, end_column=6) for line in (3, 4)]
    command = PlannedCommand(
        id="one",
        name="one",
        path="pack/one.md",
        file="/pack/one.md",
        pack=PackOrigin(
            name="mine", version="1.0", path="pack", trust="user", source="--pack pack"
        ),
        digest="",
        role="target",
        reason="asked for",
        sections=(PlannedSection(id="s1", title="First", span=spans[0]),),
        examples=(
            PlannedExample(
                id="e1",
                code="x = 1\ny = 2",
                line=3,
                prefixes=(0, 0),
                units=tuple(
                    PlannedUnit(id=f"one:{span.line}:1", span=span, section="s1") for span in spans
                ),
            ),
        ),
    )
    return Plan(
        command="one",
        arguments=Arguments(given=("--mode=fast",)),
        engine="examples",
        commands=(command,),
        python=PythonFacts(
            executable="/env/bin/python",
            version="3.12.1",
            implementation="cpython",
            chosen_because="--python",
            versions={"jaxlib": "0.10.2", "jax": "0.10.2"},
        ),
        timeout=600.0,
        trust="user",
        cache=CompileCache(directory="/cache/one", reason="kept for this pack"),
        environment={"XLA_FLAGS": "--xla_a=1"},
    )


@pytest.fixture
def unit() -> Callable[..., UnitResult]:
    """Make the result of the unit on line 3."""

    def make(**facts: Any) -> UnitResult:
        place = {"line": 3, "column": 1, "end_line": 3, "end_column": 6}
        whole = {
            "id": "one:3:1",
            "command": "one",
            "file": "pack/one.md",
            "section": "s1",
            "outcome": "ok",
            **place,
            **facts,
        }
        return UnitResult.model_validate(whole)

    return make


@pytest.fixture
def result(plan: Plan) -> RunResult:
    """The result of a run in which all went well and JAX was not used."""
    return RunResult(
        outcome="ok",
        command="one",
        arguments=plan.arguments,
        python=plan.python,
        platform=None,
        device_count=0,
        devices=(),
        versions=plan.python.versions,
        sandbox="off",
        trust="user",
        commands=(),
        sections=(),
        units=(),
        evidence=Evidence(units_ok=2, units_total=2),
        timing=Timing(total=1.0),
        ending=Ending(reason="exit", status=0),
    )
