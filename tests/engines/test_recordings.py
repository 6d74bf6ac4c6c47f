"""Profiles and programs of real runs."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

Run = Callable[..., Any]

CODE = """
import jax
import jax.numpy as jnp

class Model:
    def loss(self, x):
        return (x @ x.T).sum()

@jax.jit
def small(x):
    return x + 1

model = Model()
gradient = jax.jit(lambda x: jax.grad(model.loss)(x))
for _ in range(3):
    y = gradient(jnp.ones((300, 200)))
z = small(jnp.ones(3))
"""


@pytest.fixture(autouse=True)
def with_jax() -> None:
    pytest.importorskip("jax")


def told(ran: Any) -> list[str]:
    return [note.message for note in ran.result.notes if note.code == "recording"]


def test_a_profile_and_the_programs_of_a_run(
    run_code: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    elsewhere = tmp_path / "here"
    elsewhere.mkdir()
    monkeypatch.chdir(elsewhere)
    trace, hlo = tmp_path / "out" / "trace", tmp_path / "hlo"
    ran = run_code(CODE, trace=str(trace), dump_hlo=str(hlo), timeout=60.0)
    assert ran.result.outcome == "ok"
    assert told(ran) == []
    assert [*elsewhere.iterdir()] == []

    written = ran.result.recorded.trace
    files = [path for path in trace.rglob("*") if path.is_file()]
    assert written.directory == str(trace)
    assert (written.files, written.size) == (len(files), sum(it.stat().st_size for it in files))
    assert any(path.name.endswith(".xplane.pb") for path in files)
    hottest = {it.function: it for it in written.hottest}
    assert hottest["<lambda>"].calls == 3
    assert hottest["small"].calls == 1
    assert hottest["<lambda>"].seconds > hottest["small"].seconds
    assert 0 < hottest["<lambda>"].operation_seconds <= hottest["<lambda>"].seconds
    assert hottest["<lambda>"].module == "jit__lambda"

    programs = ran.result.recorded.hlo
    files = [path for path in hlo.rglob("*") if path.is_file()]
    assert (programs.files, programs.size) == (len(files), sum(it.stat().st_size for it in files))
    assert [it.function for it in programs.costliest] == ["<lambda>", "small"]
    (name,) = programs.costliest[0].files
    assert "dot" in (hlo / name).read_text()
    assert ran.result.evidence.cache_hits == 0
    assert ran.events[0].plan.recordings.trace == str(trace)


def test_the_programs_are_written_though_a_cache_is_warm(run_code: Run, tmp_path: Path) -> None:
    run_code(CODE, timeout=60.0)
    ran = run_code(CODE, dump_hlo=str(tmp_path / "hlo"), timeout=60.0)
    assert ran.result.evidence.cache_hits == 0
    assert len(ran.result.recorded.hlo.costliest[0].files) == 1
    assert ran.result.recorded.trace is None


def test_a_profile_begins_with_the_first_device_and_not_sooner(
    run_code: Run, tmp_path: Path
) -> None:
    ran = run_code(
        "import os, jax\nfrom jax._src import xla_bridge\n"
        "assert not xla_bridge.backends_are_initialized()\n"
        "jax.config.update('jax_num_cpu_devices', 2)\nassert len(jax.devices()) == 2\n"
        "jax.jit(lambda x: x + 1)(1.0)",
        trace=str(tmp_path / "trace"),
    )
    assert ran.result.outcome == "ok"
    assert "<lambda>" in [it.function for it in ran.result.recorded.trace.hottest]


@pytest.mark.parametrize(
    ("code", "outcome", "why"),
    [
        ("x = 1", "ok", "the run used no device of JAX"),
        ("import jax\njax.devices()\nimport os\nos._exit(3)", "crashed", "did not come to its end"),
        (
            "import jax\njax.devices()\njax.profiler.stop_trace()",
            "ok",
            "the example, or a full disk, kept JAX from it",
        ),
    ],
)
def test_a_profile_that_was_not_written_is_said_to_be_none(
    code: str, outcome: str, why: str, run_code: Run, tmp_path: Path
) -> None:
    folder = tmp_path / "trace"
    ran = run_code(code, trace=str(folder))
    assert ran.result.outcome == outcome
    if "stop_trace" in code:  # the example has written it itself
        assert ran.result.recorded.trace.files > 0
        return
    assert (ran.result.recorded.trace.files, ran.result.recorded.trace.hottest) == (0, None)
    (said,) = told(ran)
    assert f"no profile was written to {folder}" in said
    assert why in said


def test_an_example_that_sets_flags_of_xla_itself(run_code: Run, tmp_path: Path) -> None:
    ran = run_code(
        "import os\nos.environ['XLA_FLAGS'] = ''\nimport jax\njax.jit(abs)(1.0)",
        dump_hlo=str(tmp_path / "hlo"),
    )
    assert ran.result.recorded.hlo.files == 0
    assert "XLA wrote no program" in told(ran)[0]


def test_an_example_that_records_itself_is_told_why_it_cannot(
    run_code: Run, tmp_path: Path
) -> None:
    ran = run_code(
        f"import jax\njax.devices()\njax.profiler.start_trace({str(tmp_path / 'own')!r})",
        trace=str(tmp_path / "trace"),
    )
    assert ran.last.error.advice.next_step == "run without --trace"
    assert ran.result.recorded.trace.files > 0
    assert not (tmp_path / "own").exists()


def test_without_the_private_hook_there_is_no_profile_and_no_trouble(
    run_code: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The function that is waited for is JAX's own; a later JAX may not have it."""
    (tmp_path / "sitecustomize.py").write_text(
        "import sys\n"
        "class Gone:\n"
        "    def find_spec(self, name, path=None, target=None):\n"
        "        bridge = sys.modules.get('jax._src.xla_bridge')\n"
        "        if name == 'jax.profiler' and hasattr(bridge, 'backends'):\n"
        "            bridge.all_backends = bridge.__dict__.pop('backends')\n"
        "sys.meta_path.insert(0, Gone())\n"
    )
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    ran = run_code("import jax\nx = 1", trace=str(tmp_path / "trace"))
    assert ran.result.outcome == "ok"
    assert ran.result.recorded.trace.files == 0
