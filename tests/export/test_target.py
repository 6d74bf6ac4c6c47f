"""What every export goes through: the choice of a pack, the trust in it, and the target."""

import re
from pathlib import Path

import pytest

from cmdpack.errors import ContentError, GrantError, ResolutionError
from cmdpack.export.target import export_pack, find_pack
from cmdpack.hookspecs import TargetSpec
from cmdpack.packs import Pack, read_pack
from cmdpack.plan import Trust
from cmdpack.plugins import Plugin, Plugins, build_manager
from cmdpack.registry import Registry


def pack_of(folder: Path, trust: Trust) -> Pack:
    folder.mkdir()
    (folder / "grad.md").write_text("# Gradients\n\n```python\n1\n```\n")
    return read_pack(folder, trust=trust, source=f"{trust} {folder.name}")[0]


def test_finds_the_built_in_pack_and_those_of_plugins_by_name(tmp_path: Path) -> None:
    own, other = pack_of(tmp_path / "own", "built-in"), pack_of(tmp_path / "other", "plugin")
    registry = Registry(packs=(other, own))
    assert find_pack(registry) == own
    assert find_pack(registry, "other") == other


def test_a_pack_that_is_missing_or_there_twice_is_named(tmp_path: Path) -> None:
    (tmp_path / "deeper").mkdir()
    one, two = pack_of(tmp_path / "a", "plugin"), pack_of(tmp_path / "deeper" / "a", "plugin")
    with pytest.raises(ResolutionError, match="the built-in pack is not installed"):
        find_pack(Registry(packs=(one,)))
    with pytest.raises(ResolutionError, match="a pack called a is installed more than once"):
        find_pack(Registry(packs=(one, two)), "a")


def test_a_plugin_s_pack_is_exported(tmp_path: Path) -> None:
    plugins = build_manager(entry_points=False)
    export_pack(pack_of(tmp_path / "own", "plugin"), "claude", plugins, tmp_path / "out")
    assert (tmp_path / "out" / "commands" / "grad.md").is_file()


def test_a_pack_of_somebody_else_s_is_not(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    plugins = build_manager(entry_points=False)
    hint = f"cmdpack trust --for export {tmp_path / 'own'}"
    with pytest.raises(GrantError, match=f"needs a stored grant.*\n.*{re.escape(hint)}"):
        export_pack(pack_of(tmp_path / "own", "user"), "claude", plugins, tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_a_store_that_cannot_be_believed_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    (tmp_path / "state" / "cmdpack").mkdir(parents=True)
    (tmp_path / "state" / "cmdpack" / "trust.json").write_text("{")
    plugins = build_manager(entry_points=False)
    with pytest.raises(GrantError, match=r"note: no grant counts, as .* cannot be believed"):
        export_pack(pack_of(tmp_path / "own", "user"), "claude", plugins, tmp_path / "out")


def test_a_target_that_is_none_is_an_error_of_its_plugin(tmp_path: Path) -> None:
    spec = TargetSpec(name="odd", help="no target", load="builtins:dict")
    plugin = Plugin(name="odd", distribution="odd", version="1", targets=(spec,))
    pack = pack_of(tmp_path / "own", "built-in")
    with pytest.raises(ContentError, match="the target odd has no method files"):
        export_pack(pack, "odd", Plugins(loaded=(plugin,)), tmp_path / "out")
