import os
import stat
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from cmdpack import caches
from cmdpack.plan import CompileCache, PackOrigin
from cmdpack.result import RunResult

PACK = PackOrigin(name="jax", path="/packs/jax", trust="built-in", source="built-in")
Cli = Callable[..., subprocess.CompletedProcess[str]]


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The folder that caches are made below."""
    for name in ("JAX_COMPILATION_CACHE_DIR", "JAX_ENABLE_COMPILATION_CACHE"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "home"))
    return tmp_path / "home"


def make(
    pack: PackOrigin = PACK, jaxlib: str | None = "0.10.2", fresh: bool = False, **names: str
) -> CompileCache:
    """Tell where the cache is, and make it."""
    cache = caches.compile_cache(pack, jaxlib, names, fresh=fresh)
    assert caches.prepare(cache, pack) is None
    return cache


def refusal() -> str:
    """What is said where the cache cannot be made."""
    note = caches.prepare(caches.compile_cache(PACK, "0.10.2", {}, fresh=False), PACK)
    assert note is not None
    assert note.code == "cache"
    return note.message


def folder_of(cache: CompileCache) -> Path:
    assert cache.directory is not None
    return Path(cache.directory)


def mode(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


def test_the_folder_and_its_parents_are_the_users_alone(home: Path) -> None:
    before = os.umask(0)
    try:
        folder = folder_of(make())
    finally:
        os.umask(before)
    assert folder.parent.parent == home / "cmdpack"
    assert [mode(path) for path in (folder, folder.parent, home / "cmdpack")] == [0o700] * 3


def test_a_folder_that_others_could_write_is_made_private(home: Path) -> None:
    folder = folder_of(make())
    for path in (folder, folder.parent, home / "cmdpack"):
        path.chmod(0o777)
    assert folder_of(make()) == folder
    assert [mode(path) for path in (folder, folder.parent, home / "cmdpack")] == [0o700] * 3


def test_each_circumstance_has_a_folder_of_its_own(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    here = PACK.model_copy(update={"path": "pack"})
    monkeypatch.chdir(tmp_path)
    found = [
        make(),
        make(PACK.model_copy(update={"name": "other"})),
        make(PACK.model_copy(update={"path": "/packs/other"})),
        make(here),
        make(jaxlib="0.9.0"),
        make(XLA_FLAGS="--xla_cpu_enable_fast_math=true"),
        make(XLA_FLAGS="--xla_cpu_enable_fast_math=false"),
        make(JAX_NUM_CPU_DEVICES="8"),
        make(XLA_FLAGS="\udcff"),
    ]
    (tmp_path / "elsewhere").mkdir()
    monkeypatch.chdir(tmp_path / "elsewhere")
    found.append(make(here))
    monkeypatch.setattr(caches, "_processor", lambda: "another processor")
    found.append(make())
    assert len({it.directory for it in found}) == len(found)
    assert "0.9.0-" in folder_of(found[4]).name


def test_the_same_circumstances_share_a_folder() -> None:
    assert make(JAX_A="1", JAX_B="2") == make(JAX_B="2", JAX_A="1")


def test_the_processor_is_known() -> None:
    assert len(caches._processor()) > 5


@pytest.mark.parametrize("depth", [0, 1, 2])
def test_a_link_is_refused(home: Path, tmp_path: Path, depth: int) -> None:
    folder = folder_of(make())
    linked = [folder, folder.parent, folder.parent.parent][depth]
    target = tmp_path / "target"
    linked.rename(target)
    linked.symlink_to(target)
    said = f"no compile cache: {linked} cannot be written: it is not a folder of yours"
    assert refusal() == said


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can give a folder away")
def test_the_folder_of_another_user_is_refused() -> None:
    folder = folder_of(make())
    os.chown(folder, 12345, 12345)
    assert "it is not a folder of yours" in refusal()


def test_a_file_in_the_way(home: Path) -> None:
    home.write_text("no folder")
    said = refusal()
    assert said.startswith(f"no compile cache: {home}")
    assert "cannot be written: " in said


def test_to_tell_where_it_is_makes_and_removes_nothing(home: Path) -> None:
    assert caches.compile_cache(PACK, "0.10.2", {}, fresh=False).directory is not None
    assert not home.exists()
    old = folder_of(make(JAX_A="a"))
    long_ago = time.time() - 61 * 86400
    os.utime(old / "used", (long_ago, long_ago))
    caches.compile_cache(PACK, "0.10.2", {}, fresh=False)
    assert old.exists()


def test_nobody_asked_for_a_cache(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert make(fresh=True) == CompileCache(directory=None, reason="--fresh", disabled=True)
    assert make(jaxlib=None) == CompileCache(directory=None, reason="no jaxlib")
    monkeypatch.setenv("JAX_COMPILATION_CACHE_DIR", "/mine")
    own = make()
    assert own == CompileCache(directory=None, reason="left to your JAX_COMPILATION_CACHE_DIR")
    assert not home.exists()
    assert caches.variables(own) == {}
    assert caches.variables(make(fresh=True)) == {"JAX_ENABLE_COMPILATION_CACHE": "false"}


def test_a_cache_is_warm_once_it_holds_something() -> None:
    cache = make()
    assert not caches.is_warm(cache)
    (folder_of(cache) / "entry").write_bytes(b"")
    assert caches.is_warm(cache)
    assert not caches.is_warm(CompileCache(directory="/gone", reason=""))
    assert not caches.is_warm(make(fresh=True))


def test_caches_that_no_run_used_for_long_are_forgotten() -> None:
    old, recent, unmarked = (folder_of(make(JAX_A=name)) for name in "abc")
    long_ago = time.time() - 61 * 86400
    os.utime(old / "used", (long_ago, long_ago))
    (unmarked / "used").unlink()
    make()
    assert not old.exists()
    assert recent.exists()
    assert unmarked.exists()


def test_a_run_keeps_its_own_old_cache() -> None:
    cache = make()
    long_ago = time.time() - 61 * 86400
    os.utime(folder_of(cache) / "used", (long_ago, long_ago))
    (folder_of(cache) / "entry").write_bytes(b"")
    assert make() == cache
    assert caches.is_warm(cache)


# With JAX

CODE = """
import jax
import numpy as np
total = jax.jit(lambda x: (x * 3).sum())(np.arange(4.0))
print(float(total))
"""


def ran(done: subprocess.CompletedProcess[str]) -> RunResult:
    assert (done.returncode, done.stderr) == (0, ""), done.stdout
    return RunResult.model_validate_json(done.stdout)


def test_a_second_run_loads_what_the_first_compiled(
    cmdpack: Cli, command_file: Callable[..., Path], home: Path
) -> None:
    pytest.importorskip("jax")
    words = ("run", "--sandbox", "off", "--json", command_file(CODE))
    env = {"XDG_CACHE_HOME": str(home)}
    cold, warm = (ran(cmdpack(*words, env=env)).evidence for _ in range(2))
    fresh = ran(cmdpack(*words[:-1], "--fresh", words[-1], env=env)).evidence
    assert cold.executables == warm.executables == fresh.executables > 0
    assert (cold.cache_hits, warm.cache_hits, fresh.cache_hits) == (0, warm.executables, 0)
    folders = [path for path in (home / "cmdpack").glob("*/*") if path.is_dir()]
    assert [mode(path) for path in folders] == [0o700]

    entries = [path for path in folders[0].iterdir() if path.name.endswith("-cache")]
    assert entries
    for path in entries:
        path.write_bytes(b"torn")
    assert ran(cmdpack(*words, env=env)).outcome == "ok"

    own = home / "own"
    at_own = env | {
        "JAX_COMPILATION_CACHE_DIR": str(own),
        "JAX_PERSISTENT_CACHE_MIN_COMPILE_TIME_SECS": "0",
    }
    assert ran(cmdpack(*words, env=at_own)).outcome == "ok"
    assert list(own.iterdir())


@pytest.mark.parametrize("place", ["below a file", "in /proc"])
def test_a_home_that_cannot_be_written_costs_one_note(
    cmdpack: Cli, command_file: Callable[..., Path], tmp_path: Path, place: str
) -> None:
    if place == "in /proc" and not Path("/proc/self").exists():
        pytest.skip("no /proc")
    (tmp_path / "file").write_text("")
    home = "/proc/1/cmdpack" if place == "in /proc" else str(tmp_path / "file" / "home")
    words = ("run", "--sandbox", "off", "--json")
    good = cmdpack(*words, command_file("print('went on')"), env={"XDG_CACHE_HOME": home})
    result = ran(good)
    assert [note.code for note in result.notes] == ["cache"]
    assert result.notes[0].message.startswith(f"no compile cache: {home.split('/cmdpack')[0]}")
    assert result.units[0].printed[0].text == "went on\n"
    bad = cmdpack(*words, command_file("1 / 0"), env={"XDG_CACHE_HOME": home})
    assert bad.returncode == 1


@pytest.mark.skipif(sys.platform != "linux", reason="mounts a small file system")
def test_a_full_disk_costs_one_note(
    command_file: Callable[..., Path], home: Path, surroundings: dict[str, str]
) -> None:
    pytest.importorskip("jax")
    home.mkdir()
    mount = [
        "unshare",
        "-m",
        "sh",
        "-c",
        f'mount -t tmpfs -o size=4k tmpfs {home} && exec "$@"',
        "-",
    ]
    try:
        probe = subprocess.run([*mount, "true"], capture_output=True, check=False)
    except FileNotFoundError:
        pytest.skip("no unshare")
    if probe.returncode != 0:
        pytest.skip(f"cannot mount: {probe.stderr.decode().strip()}")
    path = command_file(CODE)
    done = subprocess.run(
        [*mount, sys.executable, "-m", "cmdpack", "run", "--sandbox", "off", "--json", str(path)],
        env={**surroundings, "XDG_CACHE_HOME": str(home)},
        capture_output=True,
        text=True,
        check=False,
    )
    result = ran(done)
    assert [note.code for note in result.notes] == ["cache"]
    assert "cannot be written" in result.notes[0].message
    assert [unit.warnings for unit in result.units if unit.warnings] == []
    assert result.units[-1].printed[0].text == "18.0\n"
