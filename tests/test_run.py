import os
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from cmdpack import run
from cmdpack.errors import ContentError, ResolutionError, SandboxError, UsageError
from cmdpack.plan import Plan
from cmdpack.planner import Wishes
from cmdpack.plugins import build_manager
from cmdpack.registry import Registry, load_registry
from cmdpack.result import RunFinished, RunStarted
from cmdpack.run import Request
from cmdpack.supervision import Control

Write = Callable[..., Path]


@pytest.fixture(autouse=True)
def no_settings(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    own = ("JAX_", "XLA_", "TPU_", "VIRTUAL_ENV", "CONDA_PREFIX")
    for name in [name for name in os.environ if name.startswith(own)]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    return None


@pytest.fixture(scope="module")
def registry() -> Registry:
    return load_registry(build_manager(entry_points=False))


def prepare(registry: Registry, path: Path, *tokens: str, **more: object) -> Plan:
    wishes = Wishes(sandbox="off")
    return run.prepare(registry, Request(str(path), tokens, wishes, **more))  # type: ignore[arg-type]


def test_a_word_becomes_a_plan_and_a_plan_becomes_events(
    registry: Registry, command_file: Write
) -> None:
    plan = prepare(registry, command_file("print('one')"))
    assert (plan.command, plan.trust, plan.python.executable) == ("sample", "user", sys.executable)
    events = [*run.execute(build_manager(entry_points=False), plan, Control())]
    assert events[0] == RunStarted(plan=plan)
    assert isinstance(events[-1], RunFinished)
    assert events[-1].result.outcome == "ok"


def test_a_plan_runs_nothing_and_tells_the_users_own_settings(
    registry: Registry, command_file: Write, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XLA_FLAGS", "--xla_cpu_enable_fast_math=false")
    monkeypatch.setenv("JAX_ENABLE_X64", "1")
    monkeypatch.setenv("SECRET", "word")
    plan = prepare(registry, command_file(f"open({str(tmp_path / 'trace')!r}, 'w')"))
    assert plan.environment == {
        "XLA_FLAGS": "--xla_cpu_enable_fast_math=false",
        "JAX_ENABLE_X64": "1",
    }
    assert not (tmp_path / "trace").exists()


def test_the_order_of_what_can_be_wrong(
    registry: Registry, command_file: Write, tmp_path: Path
) -> None:
    broken = command_file("x = = 1", name="broken.md")
    with pytest.raises(ResolutionError):
        prepare(registry, tmp_path / "gone.md", "--nope")
    with pytest.raises(UsageError, match="no option --nope"):
        run.prepare(registry, Request(str(broken), ("--nope",)))
    with pytest.raises(SandboxError):
        run.prepare(registry, Request(str(broken), python="/no/such/python"))
    with pytest.raises(ContentError, match="PY001"):
        prepare(registry, broken)


def test_no_cache_for_a_fresh_run_and_a_note_where_it_fails(
    registry: Registry, command_file: Write, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pytest.importorskip("jaxlib")
    path = command_file("x = 1")
    assert prepare(registry, path).cache.directory is not None
    fresh = prepare(registry, path, fresh=True)
    assert (fresh.cache.directory, fresh.notes) == (None, ())
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "file"))
    failed = prepare(registry, path)
    assert [note.code for note in failed.notes] == ["cache"]


def test_an_engine_that_nobody_has(registry: Registry, command_file: Write) -> None:
    plan = prepare(registry, command_file("x = 1", keys="title: x\nengine: observe"))
    with pytest.raises(ResolutionError, match="no engine is named observe"):
        run.execute(build_manager(entry_points=False), plan, Control())


def test_what_no_json_can_hold_is_refused(
    registry: Registry, command_file: Write, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = command_file("x = 1")
    folder = os.fsdecode(bytes(tmp_path) + b"/\xff")
    try:
        Path(folder).mkdir()
    except OSError:
        pytest.skip("this file system knows no such names")
    monkeypatch.chdir(folder)
    path.rename("sample.md")
    with pytest.raises(UsageError, match="the path of sample is not UTF-8"):
        prepare(registry, Path("./sample.md").relative_to("."), python="/no/such/python")
    monkeypatch.setenv("JAX_X", "\udcff")
    Path("sample.md").rename(path)
    with pytest.raises(UsageError, match="JAX_X is not UTF-8"):
        prepare(registry, path)
