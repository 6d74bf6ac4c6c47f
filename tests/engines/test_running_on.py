"""Going on after a failure: what still runs, and what is blocked by what, in real runs."""

import re
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from cmdpack.events import OutputWritten, UnitFinished

Run = Callable[..., Any]


@pytest.fixture
def run_on(run_code: Run) -> Run:
    """Run fences of Python to their end, going on after a failure."""

    def to_its_end(*fences: str, **wishes: Any) -> Any:
        return run_code(*fences, keep_going=True, **wishes)

    return to_its_end


def test_what_does_not_need_a_failure_runs(run_on: Run) -> None:
    ran = run_on("a = 1 / 0\nb = 2\nc = a + b\nd = c\nprint(b)", "print(d)\nprint('end')")
    assert ran.outcomes == ["failed", "ok", "blocked", "blocked", "ok", "blocked", "ok"]
    assert ran.stdout == "2\nend\n"
    assert ran.result.outcome == "failed"
    assert [section.outcome for section in ran.result.sections] == ["failed", "blocked"]
    failed, _, at_once, later, *_ = ran.result.units
    assert at_once.reason == f"needs a, which failed at sample.md:{failed.line}"
    assert later.reason == f"needs c, which needs what failed at sample.md:{failed.line}"
    blocked = [unit for unit in ran.result.units if unit.outcome == "blocked"]
    assert {unit.blocked_by for unit in blocked} == {(failed.id,)}
    assert [event.result for event in ran.only(UnitFinished)] == [*ran.result.units]
    assert ran.result.evidence.units_ok == 3


def test_a_call_is_blocked_with_the_line_that_missed_the_name(run_on: Run) -> None:
    ran = run_on("def f():\n    print('began')\n    return a", "a = 1 / 0", "b = f()\nprint(b)")
    assert ran.outcomes == ["ok", "failed", "blocked", "blocked"]
    call = ran.result.units[2]
    assert re.fullmatch(r"needs a at line 6, which failed at sample\.md:\d+", call.reason)
    assert call.error is None
    assert ran.stdout == "began\n"
    assert call.functions
    assert ran.result.evidence.functions_executed == 1


def test_a_half_changed_value_is_told_from_a_missing_one(run_on: Run) -> None:
    ran = run_on("state = [1]\nstate.remove(2)\nprint(state)")
    assert ran.outcomes == ["ok", "failed", "blocked"]
    reason = "needs state, which the failure at sample.md:5 may have left half-changed"
    assert ran.result.units[-1].reason == reason


def test_many_names_and_causes_are_told_in_one_sentence(run_on: Run) -> None:
    lines = [f"{name} = 1 / 0" for name in "abcde"]
    ran = run_on("\n".join([*lines, "x, y = a, b", "print(x, y, c)", "print(x + y + a)"]))
    assert ran.result.units[5].reason == (
        "needs a, which failed at sample.md:4; and b, which failed at sample.md:5"
    )
    first, second = (unit.id for unit in ran.result.units[:2])
    assert ran.result.units[7].blocked_by == (first, second)


def test_without_going_on_the_run_stops_and_says_what_goes_on(run_code: Run) -> None:
    ran = run_code("a = 1 / 0\nprint(1)", keep_going=False)
    assert ran.outcomes == ["failed", "skipped"]
    assert ran.result.units[-1].reason.endswith("sample.md:4; --keep-going runs on")
    assert ran.result.units[-1].blocked_by == ()
    assert run_code("a = 1 / 0\nprint(1)").outcomes == ["failed", "skipped"]


@pytest.mark.parametrize(
    ("statement", "outcome", "reason"),
    [
        ("raise SystemExit(3)", "failed", "exited"),
        ("raise SystemExit", "ok", "exited"),
        ("raise KeyboardInterrupt", "failed", r"the run stopped at .*sample\.md:4"),
    ],
)
def test_an_exit_ends_the_run_all_the_same(
    run_on: Run, statement: str, outcome: str, reason: str
) -> None:
    ran = run_on(statement, "print('never')")
    assert ran.outcomes == [outcome, "skipped"]
    assert re.fullmatch(reason, ran.result.units[-1].reason)


def test_the_end_of_the_process_blocks_the_rest(run_on: Run) -> None:
    ran = run_on("a = 1 / 0\nb = a", "import os; os._exit(3)", "print('never')")
    assert ran.outcomes == ["failed", "blocked", "ok", "crashed", "blocked"]
    assert ran.result.units[-1].blocked_by == (ran.result.units[-2].id,)
    assert ran.result.units[1].blocked_by == (ran.result.units[0].id,)


def test_an_expected_error_that_is_missing_is_a_failure(tmp_path: Path, run_file: Run) -> None:
    path = tmp_path / "sample.md"
    path.write_text(
        "# Sample\n\n```python :expect-error=ValueError\na = 1\n```\n\nText.\n\n"
        "```python :expect-error=NameError\nb = missing\n```\n\nText.\n\n"
        "```python :expect-error=NameError\nprint(a)\n```\n\nText.\n\n```python\nprint(2)\n```\n"
    )
    ran = run_file(path, keep_going=True)
    assert ran.outcomes == ["expected-error-missing", "ok", "blocked", "ok"]


def test_a_dependency_that_fails_blocks_those_who_use_its_names(
    tmp_path: Path, run_file: Run
) -> None:
    folder = tmp_path / "pack/commands"
    folder.mkdir(parents=True)
    (folder / "base.md").write_text("# Base\n\n```python\ngood = 1\nbad = 1 / 0\n```\n")
    target = folder / "target.md"
    target.write_text(
        "---\ndependencies: [base]\n---\n# Target\n\n```python\nprint(good)\nprint(bad)\n```\n"
    )
    ran = run_file(target, keep_going=True)
    assert ran.outcomes == ["ok", "failed", "ok", "blocked"]
    assert ran.result.units[-1].reason == "needs bad, which failed at base.md:5"
    assert [it.outcome for it in ran.result.commands] == ["failed", "blocked"]
    assert ran.result.outcome == "failed"


def test_a_section_whose_needed_unit_failed_is_blocked(run_on: Run) -> None:
    ran = run_on("import no_such_module as m\nprint(1)", "m.f()\nm.g(2)", "print(3)")
    assert [it.outcome for it in ran.result.sections] == ["failed", "blocked", "ok"]
    assert ran.result.sections[1].reason == "needs m, which failed at sample.md:4"


def test_a_file_of_which_nothing_runs_is_no_pass(tmp_path: Path, run_file: Run) -> None:
    path = tmp_path / "sample.md"
    path.write_text("# Sample\n\n```python :requires=no-such-package\nprint(1)\nprint(2)\n```\n")
    ran = run_file(path, keep_going=True)
    assert ran.outcomes == ["skipped", "skipped"]
    assert ran.result.outcome == "skipped"


# Hostile and plain odd


def test_a_thousand_units(run_on: Run) -> None:
    lines = ["a = 1 / 0", "n = 0", *["n += 1", "b = a"] * 500, "print(n)"]
    ran = run_on("\n".join(lines))
    assert ran.stdout == "500\n"
    assert ran.outcomes.count("ok") == 502
    assert ran.outcomes.count("blocked") == 500


@pytest.mark.parametrize(
    ("lines", "outcomes", "stdout"),
    [
        (["print = 1 / 0", "print(1)", "del print", "x = 2"], "failed blocked blocked ok", ""),
        (["print = lambda *_: None", "print(1)", "del print", "print(2)"], "ok ok ok ok", "2\n"),
        (["__builtins__ = {}", "print(1)", "def f(): print(2)", "f()"], "ok ok ok failed", "1\n"),
        (["__builtins__ = 1 / 0", "print(1)", "def f(): print(2)", "f()"], "failed ok ok ok", None),
        (["del __builtins__", "print(1)"], "ok ok", "1\n"),
        (["import builtins", "builtins.print = None", "print(1)", "x = 1"], "ok ok failed ok", ""),
        (["globals().clear()", "1 / 0", "x = 1"], "ok failed ok", ""),
        (["globals()[3] = 4", "a = 1 / 0", "a", "x = 1"], "ok failed blocked ok", ""),
        (["import json", "json = 1 / 0", "json.dumps(1)", "import json", "json.dumps(1)"],
         "ok failed blocked ok ok", ""),
        (["import sys", "sys.modules.clear()", "a = 1 / 0", "a", "b = 1"],
         "ok ok failed blocked ok", ""),
        (["import sys; sys.modules['__main__'] = 3", "a = 1 / 0", "a"],
         "ok ok failed blocked", ""),
        (["a = [1]", "def f(): del a[:]; raise KeyError", "f()", "a"], "ok ok failed blocked", ""),
        (["a = 1", "def f(): global a; del a", "f()", "a", "b = 1"], "ok ok ok failed ok", ""),
        (["def f(n): return f(n + 1)", "f(0)", "a = 1"], "ok failed ok", ""),
        (["class Exception(BaseException): pass", "raise Exception", "x = 1"], "ok failed ok", ""),
        (["import builtins; del builtins.NameError", "a = 1 / 0", "def f(): a", "f()", "b = 1"],
         "ok ok failed ok blocked ok", ""),
    ],
)  # fmt: skip
def test_units_that_take_python_apart(
    run_on: Run, lines: list[str], outcomes: str, stdout: str | None
) -> None:
    ran = run_on("\n".join(lines))
    assert ran.outcomes == outcomes.split()
    assert stdout is None or ran.stdout == stdout
    assert ran.result.ending.status == 0


def test_output_of_failed_and_blocked_units_is_kept(run_on: Run) -> None:
    ran = run_on(
        "import sys",
        "for _ in (1,): print('open', end=''); 1 / 0",
        "for _ in (1,): sys.stdout.buffer.write(b'\\xff\\n'); 1 / 0",
        "def f(): print('half', end=''); return a",
        "a = 1 / 0\nf()\nprint('end')",
    )
    assert ran.outcomes == ["ok", "failed", "failed", "ok", "failed", "blocked", "ok"]
    texts = ["".join(part.text for part in unit.printed) for unit in ran.result.units]
    assert texts == ["", "open", "\N{REPLACEMENT CHARACTER}\n", "", "", "half", "end\n"]


def test_output_in_ten_million_pieces_is_bounded(run_on: Run) -> None:
    ran = run_on(
        "from sys import stdout\n1 / 0\nfor _ in range(10_000_000): stdout.write('x' * 40)\nz = 1",
        timeout=60.0,
    )
    assert ran.outcomes == ["ok", "failed", "output-limit", "blocked"]
    assert sum(len(event.text) for event in ran.only(OutputWritten)) <= 4 * 2**20
    assert ran.result.units[-1].blocked_by == (ran.result.units[-2].id,)


# Real JAX


@pytest.mark.parametrize("emulate", [None, 8])
def test_a_whole_command_file_in_one_run(
    stand_in: Path, run_file: Run, emulate: int | None, tmp_path: Path
) -> None:
    """The file as it stands, but for its dependency: three failures, and nothing is blocked."""
    path = tmp_path / "stand-in.md"
    text = stand_in.read_text().replace("dependencies: [signal-init]\n", "")
    path.write_text(text)
    ran = run_file(path, keep_going=True, emulate=emulate, timeout=120.0)
    lines = text.splitlines()
    failed = [unit for unit in ran.result.units if unit.outcome == "failed"]
    shown = [(lines[unit.line - 1], lines[unit.error.line - 1].strip()) for unit in failed]
    assert shown == [
        ("@pmap(axis_name='sensors')", "@pmap(axis_name='sensors')"),
        ("@pmap(axis_name='stations')", "@pmap(axis_name='stations')"),
        ("show_filters()", "key, noise_key = random.split(key)"),
    ]
    assert failed[-1].error.type == "UnboundLocalError"
    assert {*ran.outcomes} == {"ok", "failed"}
    outcomes = [section.outcome for section in ran.result.sections]
    assert outcomes == ["ok", "ok", "ok", "ok", "failed", "failed"]
    assert ran.result.device_count == (emulate or 1)


def test_arrays_outlive_the_failure_of_what_they_were_handed_to(run_on: Run) -> None:
    ran = run_on(
        """
        import jax
        import jax.numpy as jnp
        import numpy as np
        x = jnp.ones(3)
        data = np.ones(4)
        key = jax.random.key(0)
        def shout(*values): raise ValueError
        step = jax.jit(shout)
        step(x, key)
        jnp.dot(x, data)
        shout(data)
        x + jax.random.uniform(key, (3,))
        data
        x[0] = 1.0
        x + 1
        """,
        timeout=120.0,
    )
    assert ran.outcomes == ["ok"] * 8 + ["failed"] * 3 + ["ok", "blocked", "failed", "ok"]


def test_an_array_that_was_donated_to_a_failure_is_gone(run_on: Run) -> None:
    ran = run_on(
        """
        import jax, jax.numpy as jnp
        x = jnp.ones(3)
        step = jax.jit(lambda v: v + 1, donate_argnums=0)
        def train(v): step(v); raise ValueError
        train(x)
        x + 1
        """,
        timeout=120.0,
    )
    assert ran.outcomes[-2:] == ["failed", "blocked"]


def test_names_missed_within_transformations_are_blocked(run_on: Run) -> None:
    ran = run_on(
        """
        import jax, jax.numpy as jnp
        scale = jnp.ones(2) @ jnp.ones(3)
        @jax.jit
        def f(x): return x * scale
        f(1.0)
        jax.grad(f)(1.0)
        jax.vmap(f)(jnp.ones(3))
        jax.lax.scan(lambda c, x: (c, f(x)), 0, jnp.ones(3))
        jnp.ones(3)
        """,
        timeout=120.0,
    )
    assert ran.outcomes == ["ok", "failed", "ok", *["blocked"] * 4, "ok"]
    assert {unit.blocked_by for unit in ran.result.units[3:7]} == {(ran.result.units[1].id,)}


def test_a_unit_that_rebinds_jax(run_on: Run) -> None:
    ran = run_on(
        """
        import jax
        jax = jax.no_such_thing
        jax.jit
        import jax
        jax.jit(lambda x: x)(1.0)
        import jax.no_such_part
        jax.no_such_part.f()
        jax.jit(lambda x: x)(1.0)
        """,
        timeout=120.0,
    )
    expected = ["ok", "failed", "blocked", "ok", "ok", "failed", "blocked", "ok"]
    assert ran.outcomes == expected, sys.version
