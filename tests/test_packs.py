import os
from pathlib import Path

import pytest

from cmdpack.errors import ContentError, UsageError
from cmdpack.packs import read_pack


def fill(folder: Path, *names: str) -> Path:
    for name in names:
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text("# A command\n")
    return folder


def names(folder: Path) -> list[str]:
    pack, diagnostics = read_pack(folder, trust="user", source="a test")
    assert diagnostics == ()
    return list(pack.files)


def test_a_bare_folder_holds_commands_in_the_order_of_their_names(tmp_path: Path) -> None:
    assert names(fill(tmp_path, "b.md", "a.md", "notes.txt")) == ["a", "b"]


def test_a_full_pack_holds_what_is_in_commands(tmp_path: Path) -> None:
    assert names(fill(tmp_path, "commands/a.md", "agents/b.md", "c.md")) == ["a"]


def test_what_every_folder_has_is_no_command(tmp_path: Path) -> None:
    fill(tmp_path, "a.md", "README.md", "changelog.md", "LICENSE.md", ".hidden.md")
    (tmp_path / "folder.md").mkdir()
    assert names(tmp_path) == ["a"]


def test_a_pack_is_named_by_its_manifest_or_else_its_folder(tmp_path: Path) -> None:
    fill(tmp_path / "mine", "a.md")
    pack, _ = read_pack(tmp_path / "mine", trust="user", source="--pack mine")
    assert (pack.origin.name, pack.origin.version) == ("mine", None)
    (tmp_path / "mine" / "manifest.toml").write_text('[pack]\nname = "yours"\nversion = "2"\n')
    pack, _ = read_pack(tmp_path / "mine", trust="user", source="--pack mine")
    assert (pack.origin.name, pack.origin.version) == ("yours", "2")
    assert (pack.origin.trust, pack.origin.source) == ("user", "--pack mine")


def test_no_manifest_can_raise_its_own_trust(tmp_path: Path) -> None:
    fill(tmp_path, "a.md")
    (tmp_path / "manifest.toml").write_text('[pack]\ntrust = "built-in"\n')
    pack, [diagnostic] = read_pack(tmp_path, trust="user", source="a test")
    assert pack.origin.trust == "user"
    assert diagnostic.code == "MF001"


def test_a_link_that_leads_out_is_left_out_and_said(tmp_path: Path) -> None:
    fill(tmp_path, "outside.md", "pack/a.md")
    (tmp_path / "pack" / "b.md").symlink_to(tmp_path / "outside.md")
    (tmp_path / "pack" / "c.md").symlink_to(tmp_path / "pack" / "a.md")
    (tmp_path / "pack" / "d.md").symlink_to(tmp_path / "pack" / "d.md")
    pack, [diagnostic] = read_pack(tmp_path / "pack", trust="user", source="a test")
    assert list(pack.files) == ["a", "c"]
    assert (diagnostic.code, diagnostic.path) == ("PK001", str(tmp_path / "pack" / "b.md"))


def test_a_name_that_is_no_text_is_left_out_and_said(tmp_path: Path) -> None:
    fill(tmp_path, "a.md", os.fsdecode(b"\xff.md"))
    pack, [diagnostic] = read_pack(tmp_path, trust="user", source="a test")
    assert list(pack.files) == ["a"]
    assert (diagnostic.code, diagnostic.path) == ("PK002", f"{tmp_path}/\\xff.md")


def test_commands_cannot_be_a_link_that_leads_out(tmp_path: Path) -> None:
    fill(tmp_path, "outside/a.md", "pack/manifest.toml")
    (tmp_path / "pack" / "manifest.toml").write_text("")
    (tmp_path / "pack" / "commands").symlink_to(tmp_path / "outside")
    with pytest.raises(UsageError, match="no command files"):
        read_pack(tmp_path / "pack", trust="user", source="a test")


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("missing", "missing: does not exist"),
        ("file.md", "file.md: is not a folder"),
        ("empty", "empty: the folder holds no command files"),
    ],
)
def test_what_is_no_pack_is_refused(tmp_path: Path, name: str, message: str) -> None:
    fill(tmp_path, "file.md", "empty/README.md")
    with pytest.raises(UsageError, match=message) as raised:
        read_pack(tmp_path / name, trust="user", source="a test")
    assert "a pack is a folder with" in str(raised.value)


def test_a_broken_manifest_stops(tmp_path: Path) -> None:
    fill(tmp_path, "a.md", "manifest.toml")
    (tmp_path / "manifest.toml").write_text("a = oops")
    with pytest.raises(ContentError, match=r"manifest\.toml:1:5"):
        read_pack(tmp_path, trust="user", source="a test")
