"""Evidence is true: programs whose numbers are known give exactly those."""

import importlib.util
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from cmdpack.report.text import evidence
from cmdpack.result import RunResult

Run = Callable[..., Any]
Document = Callable[..., Path]

needs_jax = pytest.mark.skipif(
    importlib.util.find_spec("jaxlib") is None, reason="JAX is not installed"
)


def names(result: RunResult, which: str) -> set[str]:
    """The functions that were executed, or compiled."""
    return {it.name for it in result.evidence.functions if getattr(it, which)}


def again(result: RunResult) -> list[tuple[str, int, str, list[tuple[str, str, str]]]]:
    return [
        (it.function, it.line, it.cause, [(d.argument, d.now, d.before) for d in it.differences])
        for it in result.evidence.recompilations or ()
    ]


# Functions, without JAX


def test_functions_are_defined_and_executed(run_code: Run) -> None:
    ran = run_code(
        """
        def called(): return (lambda: 1)()
        def never(): return (lambda: 2)()
        class A:
            def method(self): return called()
        """,
        """
        é = "é"; f = lambda: 3
        A().method()
        called()
        f()
        """,
    )
    seen = ran.result.evidence
    assert (seen.functions_defined, seen.functions_executed, seen.functions_compiled) == (6, 4, 0)
    assert names(ran.result, "executed") == {
        *("called", "called.<locals>.<lambda>", "A.method", "<lambda>")
    }
    places = [(it.name, it.line, it.column) for it in seen.functions]
    assert places[0] == ("called", 4, 1)
    assert places[1] == ("called.<locals>.<lambda>", 4, 23)
    assert places[-1] == ("<lambda>", 13, 14)
    file = ran.result.units[0].file
    by_line = {unit.line: unit.functions for unit in ran.result.units}
    assert by_line[14] == (f"{file}:7:5", f"{file}:4:1", f"{file}:4:23")
    assert by_line[15] == (f"{file}:4:1", f"{file}:4:23")
    assert by_line[4] == ()
    assert "exercised 4 of 6 functions, 0 executables" in evidence(ran.result)


@pytest.mark.parametrize(
    "end", ["os.kill(os.getpid(), 9)", "os._exit(3)", "1 / 0", "ctypes.string_at(0)"]
)
def test_what_ran_before_the_end_is_known_whatever_the_end(run_code: Run, end: str) -> None:
    ran = run_code(f"""
        import ctypes, os
        def before(): pass
        def last():
            {end}
        def after(): pass
        before()
        last()
        after()
    """)
    assert ran.result.outcome != "ok"
    assert names(ran.result, "executed") == {"before", "last"}
    assert [len(unit.functions) for unit in ran.result.units] == [0, 0, 0, 0, 1, 1, 0]


def test_a_forked_child_counts_for_nothing(run_code: Run) -> None:
    ran = run_code("""
        import os
        def in_child(): os._exit(0)
        child = os.fork()
        in_child() if child == 0 else os.waitpid(child, 0)
    """)
    assert ran.result.outcome == "ok"
    assert names(ran.result, "executed") == set()


def test_code_that_does_anything_to_names_is_counted_all_the_same(run_code: Run) -> None:
    ran = run_code("""
        import builtins, inspect, pickle, sys
        def f(): "Doc."
        def e(): return 1
        def g(): return inspect.getsource(f)
        if saved := dict(vars(builtins)):
            take = delattr
            for name in saved: take(builtins, name)
            e()
            saved["vars"](builtins).update(saved)
        assert pickle.loads(pickle.dumps(f)) is f
        __builtins__ = {}
        f()
        text = g()
        sys.stdout.write(text + f.__doc__)
    """)
    assert set(ran.outcomes) == {"ok"}, ran.last.error
    assert ran.stdout == 'def f(): "Doc."\nDoc.'
    assert names(ran.result, "executed") - {"e"} == {"f", "g"}


def test_beside_numba_nothing_is_counted_and_nothing_is_claimed(run_code: Run) -> None:
    ran = run_code("# as numba would\ndef f(): pass\nf()")
    seen = ran.result.evidence
    assert (seen.functions_defined, seen.functions_executed) == (None, None)
    assert "functions not available, 0 executables" in evidence(ran.result)


def test_what_the_compiler_warns_of_is_told_once_and_counters_are_not(run_code: Run) -> None:
    ran = run_code("def f(x): return x is 1\ny = (lambda: '\\d')()")
    found = [(it.category, it.line) for unit in ran.result.units for it in unit.warnings]
    assert ("SyntaxWarning", 4) in found
    assert len(found) == len(set(found))
    assert not any("callable" in it.message for u in ran.result.units for it in u.warnings)


# Compilations

PLANTED = """
    from functools import partial
    import jax, jax.numpy as jnp
    import numpy as np

    def never(x):
        return x
    def only_traced(x):
        return x * 2.0
    def in_callback(x):
        return np.asarray(x) + 1
    def helper(x):
        return jnp.tanh(x)
    @partial(jax.jit, static_argnums=1)
    def unrolled(x, times):
        for _ in range(times):
            x = helper(x)
        return x
    @jax.jit
    def calls_back(x):
        return jax.pure_callback(in_callback, jax.ShapeDtypeStruct((), jnp.float32), x)
    def body(carry, x):
        return carry + x, x
    def eager(x):
        return x + 1
    twice = jax.jit(only_traced)
    x, y, z = (np.ones(n, np.float32) for n in (128, 64, 3))
    zero = np.float32(0)

    twice(x)
    twice(x)
    twice(y)
    twice(y.astype(np.int32))
    jax.jit(jax.grad(lambda x: only_traced(x).sum()))(x)
    unrolled(z, 4)
    unrolled(z, 5)
    calls_back(zero)
    jax.lax.scan(body, zero, z)
    eager(3)
    for _ in range(3):
        jax.jit(lambda v: v - 1)(z)
    lowered = jax.jit(helper).lower(z)
    lowered.compile()
    jax.eval_shape(helper, x)
"""


def planted(ran: Any) -> None:
    assert ran.result.outcome == "ok", ran.last.error
    result, seen = ran.result, ran.result.evidence
    assert (seen.functions_defined, seen.functions_executed, seen.functions_compiled) == (10, 9, 7)
    assert {it.name for it in seen.functions} - names(result, "executed") == {"never"}
    assert names(result, "executed") - names(result, "compiled") == {"in_callback", "eager"}
    first = next(unit.line for unit in result.units if unit.executables)
    assert again(result) == [
        ("only_traced", first + 2, "shape", [("x", "float32[64]", "float32[128]")]),
        ("only_traced", first + 3, "dtype", [("x", "int32[64]", "float32[64]")]),
        ("unrolled", first + 6, "static-value", [("times", "5", "4")]),
        ("<lambda>", first + 11, "redefined", []),
        ("<lambda>", first + 11, "redefined", []),
    ]
    by_line = {unit.line - first: unit for unit in result.units if unit.line >= first}
    made = {line: unit.executables for line, unit in by_line.items() if unit.executables}
    assert made == {0: 1, 2: 1, 3: 1, 4: 1, 5: 1, 6: 1, 7: 1, 8: 1, 10: 3, 13: 1}
    assert seen.executables == 12
    [unrolled] = by_line[5].compilations
    assert (unrolled.function, unrolled.called_line) == ("unrolled", first + 5)
    assert unrolled.estimate.bytes_accessed == 2 * 4 * 3
    assert by_line[0].compilations[0].estimate.flops == 128
    assert seen.costliest.estimate.flops == max(
        c.estimate.flops or 0 for unit in result.units for c in unit.compilations
    )
    times = result.timing
    assert min(times.trace, times.lower, times.compile, times.run) > 0
    parts = times.imports + times.trace + times.lower + times.compile + times.run
    assert parts == pytest.approx(times.units)


@needs_jax
def test_planted_programs_give_exactly_their_numbers(document: Document, run_file: Run) -> None:
    cold = run_file(document(PLANTED))
    planted(cold)
    warm = run_file(document(PLANTED))
    planted(warm)
    hits = [ran.result.evidence.cache_hits for ran in (cold, warm)]
    callbacks = 1  # JAX keeps no executable that calls back
    assert hits[1] == 12 - callbacks
    assert hits[0] == 2  # the lambdas that are alike
    line = evidence(warm.result)
    assert "\n" not in line
    assert "exercised 9 of 10 functions, 12 executables (11 from the cache)" in line
    assert "5 recompilations, first at sample.md:" in line
    assert ": float32[64] after float32[128]; costliest" in line
    assert "(static estimate, loops counted once)" in line


@needs_jax
def test_counters_move_no_line_and_no_key_of_the_cache(
    document: Document, run_file: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Not even keys that hold every line and column that JAX knows of."""
    monkeypatch.setenv("JAX_COMPILATION_CACHE_INCLUDE_METADATA_IN_KEY", "true")
    without, counted = run_file(document(f"{PLANTED}\n    # numba")), run_file(document(PLANTED))
    assert without.result.evidence.functions_defined is None
    assert counted.result.evidence.functions_defined == 10
    assert counted.result.evidence.executables == without.result.evidence.executables == 12
    assert counted.result.evidence.cache_hits == 11


@needs_jax
def test_other_devices_and_shardings_are_recompilations_with_their_reason(run_code: Run) -> None:
    ran = run_code(
        """
        import jax, numpy as np
        from jax.sharding import AxisType
        mesh = jax.make_mesh((2,), ("i",), axis_types=(AxisType.Auto,))
        @jax.jit
        def h(x):
            return x - 1
        @jax.jit
        def add(x):
            return x + 1
        y = np.ones((4, 2), np.float32)
        there = jax.device_put(y, jax.devices()[1])
        spread = jax.device_put(y, jax.NamedSharding(mesh, jax.P("i")))
        h(y)
        h(there)
        h(spread)
        add(y)
        there + there
        """,
        emulate=2,
    )
    assert set(ran.outcomes) == {"ok"}
    elsewhere, sharded = again(ran.result)
    assert elsewhere == ("h", 17, "placement", [])
    assert sharded[:3] == ("h", 18, "placement")
    assert "h on other devices or another sharding" in evidence(ran.result)


# What JAX does not offer


WITHOUT = """
    import importlib.machinery, sys
    class Without:
        def find_spec(self, name, path, target=None):
            if name != "jax.{module}":
                return None
            spec = importlib.machinery.PathFinder.find_spec(name, path)
            execute = spec.loader.exec_module
            def exec_module(module):
                execute(module)
                del module.{name}
            spec.loader.exec_module = exec_module
            return spec
    sys.meta_path.insert(0, Without())
    import jax, numpy as np
    {more}
    @jax.jit
    def f(x):
        return x + 1
    f(np.ones(3))
    f(np.ones(4))
"""


@needs_jax
@pytest.mark.parametrize(
    ("module", "name", "more"),
    [
        ("monitoring", "register_scalar_listener", ""),
        ("core", "Tracer", "jax.devices = None"),
    ],
)
def test_what_jax_does_not_tell_is_not_available(
    run_code: Run, module: str, name: str, more: str
) -> None:
    ran = run_code(WITHOUT.format(module=module, name=name, more=more))
    assert set(ran.outcomes) == {"ok"}
    seen, line = ran.result.evidence, evidence(ran.result)
    assert seen.functions_executed == 3
    assert seen.executables == 2
    assert ran.result.timing.compile > 0
    if module == "monitoring":
        assert (seen.functions_compiled, seen.recompilations, seen.costliest) == (None, None, None)
        assert "recompilations not available" in line
        assert {it.compiled for it in seen.functions} == {None}
    else:
        assert seen.functions_compiled == 1
        assert [it[2:] for it in again(ran.result)] == [("unknown", [])]
        assert [it.estimate for unit in ran.result.units for it in unit.compilations] == [None] * 2
        assert "f, reason not available" in line
        assert "static estimate" not in line
