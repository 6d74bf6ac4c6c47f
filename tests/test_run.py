import os
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from cmdpack import run
from cmdpack.errors import ContentError, InputError, ResolutionError, UsageError
from cmdpack.events import NoteAdded, RunFinished, RunStarted
from cmdpack.hookspecs import EngineSpec
from cmdpack.plan import Plan
from cmdpack.planner import Wishes
from cmdpack.plugins import Plugin, build_manager
from cmdpack.registry import Registry, load_registry
from cmdpack.run import Request
from cmdpack.supervision import Control

Write = Callable[..., Path]

PLUGINS = build_manager(entry_points=False)


@pytest.fixture(autouse=True)
def no_settings(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    own = (*run._JAX_PREFIXES, "VIRTUAL_ENV", "CONDA_PREFIX")
    for name in [name for name in os.environ if name.startswith(own)]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    return None


@pytest.fixture(scope="module")
def registry() -> Registry:
    return load_registry(PLUGINS)


def prepare(registry: Registry, path: Path, *tokens: str, **more: object) -> Plan:
    wishes = Wishes(sandbox="off")
    request = Request(str(path), tokens, wishes, **more)  # type: ignore[arg-type]
    return run.prepare(PLUGINS, registry, request)


def test_a_word_becomes_a_plan_and_a_plan_becomes_events(
    registry: Registry, command_file: Write
) -> None:
    plan = prepare(registry, command_file("print('one')"))
    assert (plan.command, plan.trust, plan.python.executable) == ("sample", "user", sys.executable)
    events = [*run.execute(PLUGINS, plan, Control())]
    assert events[0] == RunStarted(plan=plan)
    assert isinstance(events[-1], RunFinished)
    assert events[-1].result.outcome == "ok"


def test_a_plan_runs_nothing_and_tells_the_users_own_settings(
    registry: Registry, command_file: Write, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XLA_FLAGS", "--xla_cpu_enable_fast_math=false")
    monkeypatch.setenv("JAX_ENABLE_X64", "1")
    monkeypatch.setenv("HIP_VISIBLE_DEVICES", "0")
    monkeypatch.setenv("ROCR_VISIBLE_DEVICES", "1")
    monkeypatch.setenv("NVIDIA_VISIBLE_DEVICES", "2")
    monkeypatch.setenv("TF_XLA_FLAGS", "--tf_xla_auto_jit=2")
    monkeypatch.setenv("SECRET", "word")
    plan = prepare(registry, command_file(f"open({str(tmp_path / 'trace')!r}, 'w')"))
    assert plan.environment == {
        "XLA_FLAGS": "--xla_cpu_enable_fast_math=false",
        "JAX_ENABLE_X64": "1",
        "HIP_VISIBLE_DEVICES": "0",
        "ROCR_VISIBLE_DEVICES": "1",
        "NVIDIA_VISIBLE_DEVICES": "2",
        "TF_XLA_FLAGS": "--tf_xla_auto_jit=2",
    }
    assert not (tmp_path / "trace").exists()
    assert not (tmp_path / "cache").exists()


def test_the_order_of_what_can_be_wrong(
    registry: Registry, command_file: Write, tmp_path: Path
) -> None:
    broken = command_file("x = = 1", name="broken.md")
    with pytest.raises(ResolutionError):
        prepare(registry, tmp_path / "gone.md", "--nope")
    with pytest.raises(UsageError, match="no option --nope"):
        run.prepare(PLUGINS, registry, Request(str(broken), ("--nope",)))
    with pytest.raises(InputError, match="no such Python"):
        run.prepare(PLUGINS, registry, Request(str(broken), python="/no/such/python"))
    with pytest.raises(ContentError, match="PY001"):
        prepare(registry, broken)


def test_no_cache_for_a_fresh_run_and_one_note_where_it_fails(
    registry: Registry, command_file: Write, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pytest.importorskip("jaxlib")
    path = command_file("x = 1")
    assert prepare(registry, path).cache.directory is not None
    fresh = prepare(registry, path, fresh=True)
    assert (fresh.cache.directory, fresh.notes) == (None, ())
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "file"))
    failing = prepare(registry, path)
    assert failing.notes == ()
    assert str(failing.cache.directory).startswith(str(tmp_path / "file"))
    started, told, *_, finished = run.execute(PLUGINS, failing, Control())
    assert started == RunStarted(plan=failing)
    assert isinstance(told, NoteAdded)
    assert told.note.message.startswith(f"no compile cache: {tmp_path / 'file'}")
    assert isinstance(finished, RunFinished)
    assert finished.result.notes == (told.note,)
    assert finished.result.outcome == "ok"


def test_an_engine_that_nobody_has_is_refused_at_its_key(
    registry: Registry, command_file: Write
) -> None:
    path = command_file("x = 1", keys="title: x\nengine: observe")
    with pytest.raises(ResolutionError, match="no engine is named observe") as raised:
        prepare(registry, path)
    assert raised.value.place == f"{path}:3:1"
    plan = prepare(registry, command_file("x = 1")).model_copy(update={"engine": "observe"})
    with pytest.raises(ResolutionError, match="no engine is named observe"):
        run.execute(PLUGINS, plan, Control())


@pytest.mark.parametrize(
    ("base", "top", "refused"),
    [
        ("", "", False),
        ("engine: examples", "", False),
        ("engine: far", "engine: far", False),
        ("", "engine: far", False),
        ("engine:", "engine: far", False),
        ("engine: far", "", True),
        ("engine: examples", "engine: far", True),
    ],
)
def test_a_dependency_runs_in_no_engine_but_its_own(
    tmp_path: Path, base: str, top: str, *, refused: bool
) -> None:
    for name, keys in {"base": base, "top": f"dependencies: [base]\n{top}"}.items():
        head = f"---\ntitle: x\n{keys.strip()}\n---\n\n"
        (tmp_path / f"{name}.md").write_text(f"{head}```python\nx = 1\n```\n")
    far = EngineSpec(name="far", help="", load="no_such_module:engine")
    far_away = Plugin(name="far", distribution="far", version="1", engines=(far,))
    plugins = PLUGINS.model_copy(update={"loaded": (*PLUGINS.loaded, far_away)})
    registry = load_registry(plugins, pack_dirs=(tmp_path,))
    request = Request("top", wishes=Wishes(sandbox="off"))
    if not refused:
        assert run.prepare(plugins, registry, request).engine == (top[8:] or "examples")
        return
    with pytest.raises(ResolutionError, match="base names the engine") as raised:
        run.prepare(plugins, registry, request)
    assert raised.value.place == f"{tmp_path / 'base.md'}:3:1"


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
