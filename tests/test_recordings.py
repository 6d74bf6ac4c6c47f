"""The folders that a run fills for its user: which can be used, and what is asked of XLA."""

import os
from pathlib import Path

import pytest

from cmdpack import recordings
from cmdpack.errors import InputError, UsageError
from cmdpack.plan import CompileCache, Recordings
from cmdpack.planner import Wishes


def planned(**folders: Path | str) -> Recordings:
    return recordings.planned(Wishes(**{name: str(it) for name, it in folders.items()}))  # type: ignore[arg-type]


def test_folders_are_new_or_empty_and_absolute(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "empty").mkdir()
    found = planned(trace="a/b", dump_hlo="empty")
    assert found == Recordings(trace=str(tmp_path / "a" / "b"), hlo=str(tmp_path / "empty"))
    assert [*tmp_path.rglob("*")] == [tmp_path / "empty"]  # planning makes nothing
    assert planned() == Recordings()
    assert planned(trace="x/../y").trace == str(tmp_path / "y")


def test_folders_are_made_when_the_run_begins(tmp_path: Path) -> None:
    recordings.prepare(planned(trace=tmp_path / "a" / "b", dump_hlo=tmp_path / "c"))
    assert (tmp_path / "a" / "b").is_dir()
    assert (tmp_path / "c").is_dir()
    recordings.prepare(Recordings(trace=str(tmp_path / "c")))  # once more is no trouble


@pytest.mark.parametrize("flag", ["trace", "dump_hlo"])
@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("file", "this is not a folder"),
        ("full", "this folder is not empty"),
        ("file/below", "file is not a folder"),
        ("dangling", "this is not a folder"),
        ("fifo", "this is not a folder"),
        ("", "this names no folder"),
        ("  ", "this names no folder"),
        ("a\0b", "this names no folder"),
        ("\udcff", "this names no folder"),
        ("x" * 300, "File name too long"),
    ],
)
def test_what_cannot_be_used_is_said_in_one_sentence(
    flag: str, name: str, said: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "file").write_text("mine")
    (tmp_path / "full").mkdir()
    (tmp_path / "full" / "mine").touch()
    (tmp_path / "dangling").symlink_to("nowhere")
    os.mkfifo(tmp_path / "fifo")
    with pytest.raises(UsageError) as caught:
        planned(**{flag: name})
    assert said in caught.value.message
    assert caught.value.place is not None
    assert caught.value.place.startswith("--trace " if flag == "trace" else "--dump-hlo ")


def test_one_folder_is_not_for_both(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="the same folder"):
        planned(trace=tmp_path / "a", dump_hlo=tmp_path / "b" / ".." / "a")


def test_a_path_that_xla_cannot_be_told_of(tmp_path: Path) -> None:
    assert planned(trace=tmp_path / "a b").trace == str(tmp_path / "a b")
    with pytest.raises(UsageError, match="spaces or quotes"):
        planned(dump_hlo=tmp_path / "a b")


def test_a_folder_that_nobody_can_make() -> None:
    with pytest.raises((UsageError, InputError)) as caught:
        recordings.prepare(planned(trace="/proc/cmdpack"))
    assert "/proc" in str(caught.value)
    assert "\n" not in caught.value.message


def test_a_disk_without_room() -> None:
    if os.statvfs("/sys").f_blocks:
        pytest.skip("/sys is a file system without blocks on Linux")
    with pytest.raises(InputError, match="only 0 MiB are free there"):
        recordings.prepare(Recordings(trace="/sys/kernel"))


def test_the_flags_of_xla_follow_those_of_the_user() -> None:
    asked = Recordings(hlo="/tmp/x")
    dump = "--xla_dump_to=/tmp/x --xla_dump_hlo_as_text"
    assert recordings.variables(asked, {}) == {"XLA_FLAGS": dump}
    both = recordings.variables(asked, {"XLA_FLAGS": "--xla_a=1"})
    assert both == {"XLA_FLAGS": f"--xla_a=1 {dump}"}
    assert recordings.variables(Recordings(trace="/tmp/x"), {}) == {}


def test_what_is_loaded_from_the_cache_is_not_compiled() -> None:
    cache = CompileCache(directory="/cache", reason="kept")
    assert recordings.without_cache(Recordings(trace="/x"), cache) is cache
    off = recordings.without_cache(Recordings(hlo="/x"), cache)
    assert (off.directory, off.disabled, off.reason) == (None, True, "--dump-hlo")


@pytest.mark.parametrize(
    ("function", "name"),
    [
        ("f", "jit_f"),
        ("Model.loss", "jit_loss"),
        ("outer.<locals>.inner", "jit_inner"),
        ("outer.<locals>.<lambda>", "jit__lambda"),
        ("list_", "jit_list"),
    ],
)
def test_the_name_that_xla_has_for_a_function(function: str, name: str) -> None:
    assert recordings.module(function) == name
    jax = pytest.importorskip("jax")

    def some(x: object) -> object:
        return x

    some.__name__ = function.rpartition(".")[2]
    assert f"module @{name} " in jax.jit(some).lower(1.0).as_text()  # JAX gives it that name
