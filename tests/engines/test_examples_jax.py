"""What is seen of JAX while examples run."""

import importlib.util
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from cmdpack.events import RunRestarted, WarningRaised

Run = Callable[..., Any]
Document = Callable[..., Path]
Processes = Callable[[], list[Any]]

pytestmark = pytest.mark.skipif(
    importlib.util.find_spec("jaxlib") is None, reason="JAX is not installed"
)


def test_compilation_is_counted_and_kept_between_runs(document: Document, run_file: Run) -> None:
    path = document(
        """
        import jax
        import jax.numpy as jnp
        @jax.jit
        def f(x):
            return jnp.sin(x) * 2
        y = f(1.0)
        unused = 1
        """
    )
    cold, warm, fresh = run_file(path), run_file(path), run_file(path, fresh=True)
    for ran in (cold, warm, fresh):
        assert ran.result.outcome == "ok"
        by_line = {unit.line: unit for unit in ran.result.units}
        imported, called, unused = by_line[4], by_line[9], by_line[10]
        assert imported.import_seconds > 0.05
        assert imported.executables == 0
        assert called.executables >= 1
        assert 0 < called.compile_seconds <= called.seconds
        assert len(called.devices) == 1
        assert (unused.executables, unused.compile_seconds) == (0, 0)
        assert ran.result.platform == "cpu"
        assert ran.result.device_count == len(ran.result.devices) == 1
        assert ran.result.timing.compile == sum(unit.compile_seconds for unit in by_line.values())
    hits = [ran.result.evidence.cache_hits for ran in (cold, warm, fresh)]
    assert hits == [0, warm.result.evidence.executables, 0]
    assert cold.result.evidence.executables == warm.result.evidence.executables


def test_emulated_devices_are_used(run_code: Run) -> None:
    ran = run_code(
        """
        def late():
            import jax
            return jax
        jax = late()
        mesh = jax.make_mesh((8,), ("i",))
        x = jax.device_put(jax.numpy.arange(8.0), jax.NamedSharding(mesh, jax.P("i")))
        """,
        emulate=8,
    )
    assert ran.result.outcome == "ok"
    assert ran.result.device_count == 8
    assert len(ran.result.evidence.devices_used) == 8
    assert ran.result.units[1].import_seconds > 0.05


def test_an_example_may_set_jax_up_before_importing_it(run_code: Run) -> None:
    ran = run_code("""
        import os
        os.environ["XLA_FLAGS"] = "--xla_force_host_platform_device_count=8"
        os.environ["JAX_PLATFORMS"] = "cpu"
        import importlib.util
        assert importlib.util.find_spec("jax").loader.get_filename("jax").endswith("__init__.py")
        import jax
        print(jax.device_count(), type(jax.__loader__).__name__)
    """)
    assert ran.stdout == "8 SourceFileLoader\n"


@pytest.mark.parametrize(
    "start",
    [
        "y = jax.pure_callback(broken, jax.ShapeDtypeStruct((), 'float32'))",
        "jax.jit(lambda: jax.debug.callback(broken))()",
    ],
)
def test_an_asynchronous_error_belongs_to_the_unit_that_started_it(
    run_code: Run, start: str
) -> None:
    ran = run_code(f"""
        import jax, time
        def broken():
            time.sleep(0.2)
            raise ValueError("out of the callback")
        {start}
        after = 1
    """)
    assert ran.outcomes == ["ok", "ok", "failed", "skipped"]
    assert "out of the callback" in ran.last.error.message


def test_a_platform_that_does_not_exist_is_a_failure_of_the_device(run_code: Run) -> None:
    ran = run_code("""
        import jax
        jax.config.update("jax_platforms", "tpu")
        jax.numpy.ones(3)
    """)
    assert ran.outcomes == ["ok", "ok", "failed"]
    assert ran.last.kind == "device"
    assert ran.last.error.advice is not None


def test_a_hang_inside_a_compilation_ends_at_the_deadline(
    run_code: Run, processes: Processes
) -> None:
    # XLA folds this window over constants by itself, for minutes; tracing it takes no time.
    deadline = 5.0
    ran = run_code(
        """
        import jax
        n = 400
        def slow():
            return jax.lax.reduce_window(
                jax.numpy.ones((n, n)), 0.0, jax.lax.add, (n, n), (1, 1), "SAME"
            )
        lowered = jax.jit(slow).lower()
        lowered.compile()
        """,
        timeout=deadline,
    )
    assert deadline <= ran.result.timing.total < deadline + 2.0
    assert ran.outcomes == ["ok", "ok", "ok", "ok", "timeout"]
    assert ran.result.outcome == "timeout"
    assert processes() == []


# A compile cache that kills. What it holds does not matter to cmdpack, so JAX is not needed here.

CRASHES_WHEN_WARM = """
import ctypes, os, pathlib
folder = os.environ.get("JAX_COMPILATION_CACHE_DIR")
if folder:
    entry = pathlib.Path(folder, "entry")
    if entry.exists():
        ctypes.string_at(0)
    entry.touch()
print("through", os.environ.get("JAX_ENABLE_COMPILATION_CACHE"))
"""


def test_a_death_with_a_warm_cache_is_tried_once_more_without(
    document: Document, run_file: Run
) -> None:
    path = document(CRASHES_WHEN_WARM)
    cold, warm = run_file(path), run_file(path)
    assert cold.result.outcome == warm.result.outcome == "ok"
    assert cold.only(RunRestarted) == []
    [restarted] = warm.only(RunRestarted)
    assert "SIGSEGV" in restarted.reason
    assert warm.stdout == "through false\n"
    assert warm.result.ending.signal is None
    assert any(note.code == "cache" and "SIGSEGV" in note.message for note in warm.result.notes)


@pytest.mark.parametrize("fresh", [True, False])
def test_a_death_without_a_warm_cache_is_final(
    document: Document, run_file: Run, fresh: bool
) -> None:
    path = document("import ctypes\nctypes.string_at(0)")
    ran = run_file(path, fresh=fresh)
    assert ran.result.outcome == "crashed"
    assert ran.only(RunRestarted) == []


def test_a_death_that_has_nothing_to_do_with_the_cache_stays_one(
    document: Document, run_file: Run
) -> None:
    path = document(CRASHES_WHEN_WARM.replace("print", "ctypes.string_at(0); print"))
    assert run_file(path).result.outcome == "crashed"
    again = run_file(path)
    assert len(again.only(RunRestarted)) == 1
    assert again.result.outcome == "crashed"
    assert again.result.ending.signal == "SIGSEGV"


def test_both_attempts_share_one_deadline(document: Document, run_file: Run) -> None:
    slow = CRASHES_WHEN_WARM.replace("ctypes.string_at(0)", "time.sleep(1); ctypes.string_at(0)")
    path = document("import time", slow, "time.sleep(0 if folder else 60)")
    run_file(path)
    start = time.monotonic()
    ran = run_file(path, timeout=2.5)
    assert time.monotonic() - start < 3.4
    assert len(ran.only(RunRestarted)) == 1
    assert ran.result.outcome == "timeout"


def test_a_cache_that_cannot_be_used_is_one_note(run_code: Run) -> None:
    ran = run_code("""
        import os, shutil
        folder = os.environ["JAX_COMPILATION_CACHE_DIR"]
        shutil.rmtree(folder)
        open(folder, "w").close()
        import jax
        y = jax.jit(lambda x: x + 1)(1.0), jax.jit(lambda x: x - 1)(1.0)
    """)
    assert ran.result.outcome == "ok"
    assert ran.only(WarningRaised) == []
    [note] = [note for note in ran.result.notes if note.code == "cache"]
    assert "cannot be read" in note.message
