"""Folders of one's own work: what may be called so, and what lies in one."""

import os
from pathlib import Path

import pytest

from cmdpack import folders
from cmdpack.errors import UsageError
from cmdpack.packs import read_pack
from cmdpack.parse import read_command
from cmdpack.spec import CommandSpec

IS_ROOT = os.geteuid() == 0
OTHER = 12345


@pytest.fixture
def work(tmp_path: Path) -> Path:
    folder = tmp_path / "work" / "deep"
    folder.mkdir(parents=True, mode=0o755)
    (folder / "one.md").write_text("# One\n")
    return tmp_path / "work"


def read(path: Path) -> CommandSpec:
    return read_command(path)


def test_a_folder_of_one_s_own_is_named_by_its_real_path(work: Path, tmp_path: Path) -> None:
    (tmp_path / "link").symlink_to(work)
    assert folders.own(tmp_path / "link") == work.resolve()
    assert folders.own(tmp_path / "link" / ".." / "work") == work.resolve()


@pytest.mark.parametrize("name", ["one.md", "nowhere"])
def test_what_is_no_folder(work: Path, name: str) -> None:
    with pytest.raises(UsageError, match=r"is not a folder|cannot be found"):
        folders.own(work / "deep" / name)


def test_the_home_and_all_above_it_are_too_wide(
    work: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HOME", str(work / "deep"))
    for path in (work / "deep", work):
        with pytest.raises(UsageError, match="is too wide"):
            folders.own(path)
    with pytest.raises(UsageError):
        folders.own(Path("/"))


def test_everything_below_is_held_as_it_was_read(work: Path, tmp_path: Path) -> None:
    one = work / "deep" / "one.md"
    assert folders.holds(work, read(one))
    assert folders.holds(work / "deep", read(one))
    (tmp_path / "link.md").symlink_to(one)
    assert folders.holds(work, read(tmp_path / "link.md"))
    spec = read(one)
    one.write_text("# Two\n")
    assert not folders.holds(work, spec)
    assert folders.holds(work, read(one))


def test_what_lies_elsewhere_is_not(work: Path, tmp_path: Path) -> None:
    (tmp_path / "two.md").write_text("# Two\n")
    (work / "link.md").symlink_to(tmp_path / "two.md")
    (tmp_path / "workshop").mkdir()
    (tmp_path / "workshop" / "three.md").write_text("# Three\n")
    assert not folders.holds(work, read(work / "link.md"))
    assert not folders.holds(work, read(work / ".." / "two.md"))
    assert not folders.holds(work, read(tmp_path / "workshop" / "three.md"))


def test_a_way_that_is_turned_after_the_reading_leads_nowhere(work: Path, tmp_path: Path) -> None:
    (tmp_path / "evil.md").write_text("# Evil\n")
    spec = read(tmp_path / "evil.md")
    (tmp_path / "evil.md").unlink()
    (tmp_path / "evil.md").symlink_to(work / "deep" / "one.md")
    assert not folders.holds(work, spec)
    assert folders.holds(work, read(tmp_path / "evil.md"))


def test_a_folder_that_was_moved_and_replaced_by_a_link_is_another(
    work: Path, tmp_path: Path
) -> None:
    work.rename(tmp_path / "moved")
    assert not folders.holds(work, read(tmp_path / "moved" / "deep" / "one.md"))
    work.symlink_to(tmp_path / "moved")
    assert not folders.holds(work, read(work / "deep" / "one.md"))


@pytest.mark.parametrize("place", ["", "deep", "deep/one.md"])
def test_what_everybody_can_write_is_not_one_s_own(work: Path, place: str) -> None:
    spec = read(work / "deep" / "one.md")
    (work / place).chmod(0o777)
    assert not folders.holds(work, spec)


def test_nor_is_what_lies_where_everybody_can_swap_it(work: Path, tmp_path: Path) -> None:
    spec = read(work / "deep" / "one.md")
    try:
        tmp_path.chmod(0o777)
        assert not folders.holds(work, spec)
        with pytest.raises(UsageError, match="that every user of this machine can write"):
            folders.own(work)
        tmp_path.chmod(0o1777)  # as /tmp: others cannot rename what is there
        assert folders.holds(work, spec)
    finally:
        tmp_path.chmod(0o700)


@pytest.mark.skipif(not IS_ROOT, reason="only root can give files away")
@pytest.mark.parametrize("place", ["", "deep", "deep/one.md"])
def test_nor_what_another_owns(work: Path, place: str) -> None:
    spec = read(work / "deep" / "one.md")
    os.chown(work / place, OTHER, OTHER)
    assert not folders.holds(work, spec)


def test_a_pack_is_held_with_its_manifest(work: Path, tmp_path: Path) -> None:
    pack, _ = read_pack(work / "deep", trust="user", source="")
    assert folders.holds_pack(work, pack)
    assert not folders.holds_pack(tmp_path / "other", pack)
    (work / "deep" / "manifest.toml").write_text('[pack]\ndescription = "else"\n')
    assert not folders.holds_pack(work, pack)
    (work / "deep" / "one.md").unlink()
    assert not folders.holds_pack(work, pack)
