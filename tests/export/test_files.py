"""The writing that all export targets share."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

from cmdpack.errors import InputError
from cmdpack.export.files import MANIFEST, write_export

FILES = {"README.md": "read me\n", "commands/grad.md": "grad\n"}


def snapshot(directory: Path) -> dict[str, bytes]:
    return {
        str(path.relative_to(directory)): path.read_bytes()
        for path in sorted(directory.rglob("*"))
        if path.is_file()
    }


def test_creates_the_folder_and_its_parents(tmp_path: Path) -> None:
    target = tmp_path / "a" / "b"
    result = write_export(target, "claude", FILES)
    assert result.written == ("README.md", "commands/grad.md")
    assert result.removed == result.unchanged == ()
    assert (target / "commands/grad.md").read_text() == "grad\n"
    assert [path.name for path in target.parent.iterdir()] == ["b"]


def test_a_new_folder_has_the_users_ordinary_permissions(tmp_path: Path) -> None:
    (tmp_path / "ordinary").mkdir()
    write_export(tmp_path / "out", "claude", FILES)
    assert (tmp_path / "out").stat().st_mode == (tmp_path / "ordinary").stat().st_mode


def test_fills_an_empty_folder(tmp_path: Path) -> None:
    (tmp_path / "out").mkdir()
    write_export(tmp_path / "out", "claude", FILES)
    assert set(snapshot(tmp_path / "out")) == {*FILES, MANIFEST}


def test_a_relative_folder_is_taken_from_here(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "here").mkdir()
    monkeypatch.chdir(tmp_path / "here")
    write_export(Path(), "claude", FILES)
    assert (tmp_path / "here/README.md").is_file()


def test_the_same_export_again_changes_nothing(tmp_path: Path) -> None:
    write_export(tmp_path / "out", "claude", FILES)
    before = snapshot(tmp_path / "out")
    result = write_export(tmp_path / "out", "claude", FILES)
    assert result.written == ()
    assert result.unchanged == tuple(FILES)
    assert snapshot(tmp_path / "out") == before


def test_replaces_and_removes_what_it_wrote(tmp_path: Path) -> None:
    out = tmp_path / "out"
    write_export(out, "claude", FILES)
    result = write_export(out, "claude", {"README.md": "newer\n"})
    assert result.written == ("README.md",)
    assert result.removed == ("commands/grad.md",)
    assert not (out / "commands").exists()
    assert list(json.loads((out / MANIFEST).read_text())["files"]) == ["README.md"]


def test_leaves_other_files_of_the_user_alone(tmp_path: Path) -> None:
    out = tmp_path / "out"
    write_export(out, "claude", FILES)
    (out / "commands/mine.md").write_text("mine")
    write_export(out, "claude", {"README.md": "newer\n"})
    assert (out / "commands/mine.md").read_text() == "mine"


@pytest.mark.parametrize("files", [FILES | {"commands/grad.md": "newer\n"}, {"README.md": "x\n"}])
def test_a_file_that_the_user_changed_stops_everything(
    tmp_path: Path, files: dict[str, str]
) -> None:
    out = tmp_path / "out"
    write_export(out, "claude", FILES)
    (out / "commands/grad.md").write_text("changed by hand")
    before = snapshot(tmp_path)
    with pytest.raises(InputError, match=r"commands/grad\.md"):
        write_export(out, "claude", files)
    assert snapshot(tmp_path) == before


def test_a_file_that_already_has_the_new_content_is_no_obstacle(tmp_path: Path) -> None:
    out = tmp_path / "out"
    write_export(out, "claude", FILES)
    (out / "commands/grad.md").write_text("newer\n")
    result = write_export(out, "claude", FILES | {"commands/grad.md": "newer\n"})
    assert result.unchanged == tuple(FILES)


def test_refuses_a_folder_with_other_things(tmp_path: Path) -> None:
    (tmp_path / "note").write_text("mine")
    with pytest.raises(InputError, match="not empty"):
        write_export(tmp_path, "claude", FILES)
    assert snapshot(tmp_path) == {"note": b"mine"}


def test_refuses_a_file_in_the_place_of_the_folder(tmp_path: Path) -> None:
    (tmp_path / "out").write_text("a file")
    with pytest.raises(InputError, match="not a folder"):
        write_export(tmp_path / "out", "claude", FILES)


def test_refuses_the_export_of_another_target(tmp_path: Path) -> None:
    write_export(tmp_path / "out", "claude", FILES)
    with pytest.raises(InputError, match="'claude', not to 'codex'"):
        write_export(tmp_path / "out", "codex", FILES)


@pytest.mark.parametrize(
    "text", ["", "[]", '{"target": "claude"}', '{"target": "claude", "files": {"a": 1}}']
)
def test_refuses_a_manifest_that_it_did_not_write(tmp_path: Path, text: str) -> None:
    (tmp_path / MANIFEST).write_text(text)
    with pytest.raises(InputError, match="not a list of exported files"):
        write_export(tmp_path, "claude", FILES)


@pytest.mark.parametrize("path", ["../victim", "/victim", "a/../../victim", ""])
def test_a_manifest_cannot_reach_out_of_its_folder(tmp_path: Path, path: str) -> None:
    out = tmp_path / "out"
    out.mkdir()
    (tmp_path / "victim").write_text("")
    empty = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"
    (out / MANIFEST).write_text(json.dumps({"target": "claude", "files": {path: empty}}))
    with pytest.raises(InputError, match="outside of its folder"):
        write_export(out, "claude", FILES)
    assert (tmp_path / "victim").exists()


def test_never_writes_through_a_link(tmp_path: Path) -> None:
    victim = tmp_path / "victim"
    victim.mkdir()
    out = tmp_path / "out"
    write_export(out, "claude", {"README.md": "read me\n"})
    (out / "commands").symlink_to(victim)
    with pytest.raises(InputError, match="commands"):
        write_export(out, "claude", FILES)
    assert list(victim.iterdir()) == []
    (tmp_path / "link").symlink_to(victim)
    with pytest.raises(InputError, match="not a folder of its own"):
        write_export(tmp_path / "link", "claude", FILES)


def test_a_file_replaced_by_a_link_stops_everything(tmp_path: Path) -> None:
    out = tmp_path / "out"
    write_export(out, "claude", FILES)
    (tmp_path / "elsewhere").write_text("read me\n")
    (out / "README.md").unlink()
    (out / "README.md").symlink_to(tmp_path / "elsewhere")
    with pytest.raises(InputError, match=r"README\.md"):
        write_export(out, "claude", {"README.md": "newer\n"})
    assert (tmp_path / "elsewhere").read_text() == "read me\n"


@pytest.mark.skipif(sys.platform != "linux", reason="needs a folder that root cannot write into")
def test_a_place_where_nothing_can_be_written_is_one_clear_error() -> None:
    with pytest.raises(InputError, match="cannot be written") as caught:
        write_export(Path("/proc/cmdpack-export"), "claude", FILES)
    assert caught.value.help is not None


@pytest.mark.skipif(sys.platform != "linux", reason="limits the size of files as Linux does")
def test_a_full_disk_leaves_the_earlier_export_whole(tmp_path: Path) -> None:
    """A limit on the size of files stands in for the full disk: the same error, the same place."""
    out = tmp_path / "out"
    write_export(out, "claude", FILES)
    before = snapshot(tmp_path)
    program = (
        "import resource, signal, sys\n"
        "from pathlib import Path\n"
        "from cmdpack.errors import InputError\n"
        "from cmdpack.export.files import write_export\n"
        "signal.signal(signal.SIGXFSZ, signal.SIG_IGN)\n"
        "resource.setrlimit(resource.RLIMIT_FSIZE, (4096, 4096))\n"
        "try:\n"
        "    write_export(Path(sys.argv[1]), 'claude', {'README.md': 'a', 'big.md': 'b' * 9000})\n"
        "except InputError as error:\n"
        "    print(error)\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", program, str(out)],
        capture_output=True,
        text=True,
        check=True,
        timeout=60,
    )
    assert "cannot be written: File too large" in done.stdout
    assert snapshot(tmp_path) == before
