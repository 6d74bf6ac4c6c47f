"""Verdicts on units -> verdicts on sections, commands and the run."""

from typing import get_args

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cmdpack import rollup
from cmdpack.nouns import Span
from cmdpack.plan import PackOrigin, PlannedCommand, PlannedSection
from cmdpack.result import CommandResult, Outcome, UnitResult

SPAN = Span(line=1, column=1, end_line=2, end_column=1)
SECTION = PlannedSection(id="s", title="Section", span=SPAN)
COMMAND = PlannedCommand(
    id="c",
    name="c",
    path="c.md",
    file="/c.md",
    pack=PackOrigin(name="p", path="/p", trust="user", source="/p"),
    digest="",
    role="target",
    reason="asked for",
    sections=(SECTION,),
    examples=(),
)
FAILED = [it for it in get_args(Outcome) if it not in {"ok", "skipped", "blocked"}]


def unit(outcome: Outcome, **facts: object) -> UnitResult:
    place = {**SPAN.model_dump(), "command": "c", "file": "c.md", "section": "s", "id": "c:1:1"}
    return UnitResult.model_validate({**place, "outcome": outcome, **facts})


def result(outcome: Outcome, role: str = "target") -> CommandResult:
    facts = {"id": "c", "name": "c", "pack": "p", "path": "c.md", "role": role, "outcome": outcome}
    return CommandResult.model_validate(facts)


outcomes = st.lists(st.sampled_from(get_args(Outcome)), min_size=1)


@given(said=outcomes)
def test_the_worst_unit_decides_on_a_section(said: list[Outcome]) -> None:
    found = rollup.section(COMMAND, SECTION, [unit(it) for it in said]).outcome
    ranks = [FAILED, ["blocked"], ["skipped"], ["ok"]]
    expected = next(it for rank in ranks for it in said if it in rank)
    assert found == expected


@given(said=outcomes)
def test_a_command_passes_only_with_an_ok_and_nothing_bad(said: list[Outcome]) -> None:
    found = rollup.command(COMMAND, [unit(it) for it in said]).outcome
    assert (found == "ok") == ("ok" in said and set(said) <= {"ok", "skipped"})


def test_nothing_ran_is_not_a_pass() -> None:
    assert rollup.command(COMMAND, []).outcome == "skipped"
    assert rollup.command(COMMAND, [unit("skipped")]).outcome == "skipped"


@pytest.mark.parametrize(
    ("commands", "end", "outcome"),
    [
        ([result("ok")], None, "ok"),
        ([result("skipped", "dependency"), result("ok")], None, "ok"),
        ([result("ok", "dependency"), result("skipped")], None, "skipped"),
        ([result("failed", "dependency"), result("skipped")], None, "failed"),
        ([result("ok")], "crashed", "crashed"),
        ([result("timeout")], "timeout", "timeout"),
        ([result("blocked", "dependency"), result("blocked")], "timeout", "timeout"),
        ([result("failed", "dependency"), result("blocked")], "crashed", "failed"),
    ],
)
def test_a_run_is_what_its_worst_part_is(
    commands: list[CommandResult], end: Outcome | None, outcome: Outcome
) -> None:
    assert rollup.run(commands, end) == outcome


def test_evidence_and_times_are_sums() -> None:
    units = [
        unit("ok", seconds=1.0, import_seconds=0.75, executables=2, devices=("a", "b")),
        unit("ok", seconds=2.0, compile_seconds=0.5, cache_hits=1, devices=("b", "c")),
        unit("failed", seconds=0.5, compile_seconds=1.5),
    ]
    seen = rollup.evidence(units, None)
    assert (seen.units_ok, seen.units_total, seen.executables, seen.cache_hits) == (2, 3, 2, 1)
    assert seen.devices_used == ("a", "b", "c")
    times = rollup.timing(units, total=9.0, cpu=None)
    assert (times.units, times.imports, times.compile, times.run) == (3.5, 0.75, 2.0, 0.75)
    assert rollup.timing(units[2:], total=1.0, cpu=1.0).run == 0.0
