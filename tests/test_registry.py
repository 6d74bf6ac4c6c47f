from pathlib import Path

import pytest

from cmdpack.errors import ContentError, InputError, ResolutionError, UsageError
from cmdpack.plugins import Plugin, Plugins
from cmdpack.registry import Registry, load_registry

COMMAND = "---\ndescription: a test\n---\n# Title\n\n```python\nx = 1\n```\n"


def pack(folder: Path, *names: str, manifest: str = "") -> Path:
    (folder / "commands").mkdir(parents=True)
    for name in names:
        (folder / "commands" / f"{name}.md").write_text(COMMAND)
    (folder / "manifest.toml").write_text(manifest)
    return folder


def plugin(name: str, *packs: Path, built_in: bool = False) -> Plugin:
    return Plugin(
        name=name, distribution=f"dist-{name}", version="1.5", built_in=built_in, packs=packs
    )


def registry(*plugins: Plugin, pack_dirs: tuple[Path, ...] = ()) -> Registry:
    return load_registry(Plugins(loaded=plugins), pack_dirs=pack_dirs)


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty current folder."""
    folder = tmp_path / "here"
    folder.mkdir()
    monkeypatch.chdir(folder)
    return folder


def test_trust_follows_from_where_a_pack_was_found(tmp_path: Path, here: Path) -> None:
    found = registry(
        plugin("cmdpack", pack(tmp_path / "own", "a"), built_in=True),
        plugin("fruit", pack(tmp_path / "fruit", "b")),
        pack_dirs=(pack(tmp_path / "mine", "c"),),
    )
    (here / "d.md").write_text(COMMAND)
    origins = {word: found.find(word).pack for word in ("a", "b", "c", "./d.md")}
    assert {word: (origin.trust, origin.source) for word, origin in origins.items()} == {
        "a": ("built-in", "built-in"),
        "b": ("plugin", "plugin fruit 1.5"),
        "c": ("user", f"--pack {tmp_path / 'mine'}"),
        "./d.md": ("user", "d.md"),
    }


def test_a_word_is_never_looked_up_in_the_current_folder(tmp_path: Path, here: Path) -> None:
    (here / "d.md").write_text(COMMAND)
    found = registry(plugin("fruit", pack(tmp_path / "fruit", "b")))
    with pytest.raises(ResolutionError, match="no command is named d") as raised:
        found.find("d")
    assert "write ./d.md" in str(raised.value)
    assert found.find("d.md").spec.path == "d.md"


def test_the_current_folder_never_hides_an_installed_command(tmp_path: Path, here: Path) -> None:
    (here / "b.md").write_text(COMMAND)
    found = registry(plugin("fruit", pack(tmp_path / "fruit", "b")))
    assert found.find("b").pack.trust == "plugin"


def test_an_unknown_name_names_the_nearest(tmp_path: Path, here: Path) -> None:
    found = registry(plugin("fruit", pack(tmp_path / "fruit", "jax-init", "jax-debug", "other")))
    with pytest.raises(ResolutionError, match="did you mean jax-init"):
        found.find("jax-inti")
    with pytest.raises(ResolutionError, match="`cmdpack list` shows all commands"):
        found.find("zzz")


def test_a_command_of_the_catalogue_says_what_to_install(tmp_path: Path, here: Path) -> None:
    manifest = '[pack]\nname = "jax"\n[catalogue]\njax-models = "cmdpack-jax-ml"\n'
    found = registry(plugin("fruit", pack(tmp_path / "fruit", "a", manifest=manifest)))
    with pytest.raises(ResolutionError, match="pip install cmdpack-jax-ml") as raised:
        found.find("jax-models")
    assert "in the catalogue of pack jax, but not installed" in str(raised.value)


def test_a_catalogue_can_name_a_folder_beside_it(tmp_path: Path, here: Path) -> None:
    manifest = '[pack]\nname = "jax"\n[catalogue]\nmore = "./plugins/a pear"\n'
    found = registry(plugin("fruit", pack(tmp_path / "fruit", "a", manifest=manifest)))
    with pytest.raises(ResolutionError, match=r"in the folder ./plugins/a pear of the source of"):
        found.find("more")
    folder = tmp_path / "fruit" / "plugins" / "a pear"
    folder.mkdir(parents=True)
    with pytest.raises(ResolutionError, match="-m pip install") as raised:
        found.find("more")
    assert f"'{folder}'" in str(raised.value)


def test_two_packs_with_one_command_are_told_apart_by_name(tmp_path: Path, here: Path) -> None:
    found = registry(
        plugin("fruit", pack(tmp_path / "apples", "a")),
        pack_dirs=(pack(tmp_path / "pears", "a"),),
    )
    with pytest.raises(ResolutionError, match="apples:a or pears:a") as raised:
        found.find("a")
    assert "plugin fruit 1.5" in str(raised.value)
    assert found.find("pears:a").pack.path == str(tmp_path / "pears")
    assert found.find("apples:a").qualified == "apples:a"


def test_two_packs_of_one_name_are_told_apart_by_path(tmp_path: Path, here: Path) -> None:
    first = pack(tmp_path / "1" / "apples", "a")
    second = pack(tmp_path / "2" / "apples", "a")
    found = registry(pack_dirs=(first, second))
    for word in ("a", "apples:a"):
        with pytest.raises(ResolutionError, match="by the path of its file") as raised:
            found.find(word)
        assert str(first / "commands" / "a.md") in str(raised.value)
        assert str(second / "commands" / "a.md") in str(raised.value)


def test_a_folder_named_twice_counts_once_with_its_first_trust(tmp_path: Path, here: Path) -> None:
    folder = pack(tmp_path / "own", "a")
    found = registry(
        plugin("cmdpack", folder, built_in=True), pack_dirs=(folder, tmp_path / "x" / ".." / "own")
    )
    assert len(found.packs) == 1
    assert found.find("a").pack.trust == "built-in"


def test_a_folder_is_no_command(tmp_path: Path, here: Path) -> None:
    (here / "folder").mkdir()
    with pytest.raises(ResolutionError, match=r"with --pack \./folder"):
        registry().find("./folder")


@pytest.mark.parametrize(
    ("word", "hint"),
    [
        ("./jax-inti.md", "did you mean jax-init.md?"),
        ("/jax-debug", "the command is named jax-debug"),
        ("jax-debug.md", "the command is named jax-debug"),
        ("no/such/folder/a.md", "there is no file no/such/folder/a.md"),
    ],
)
def test_a_path_that_leads_nowhere(tmp_path: Path, here: Path, word: str, hint: str) -> None:
    (here / "jax-init.md").write_text(COMMAND)
    found = registry(plugin("fruit", pack(tmp_path / "fruit", "jax-debug")))
    with pytest.raises(ResolutionError) as raised:
        found.find(word)
    assert hint in str(raised.value)


def test_commands_are_parsed_in_the_order_of_packs_and_names(tmp_path: Path) -> None:
    found = registry(
        plugin("fruit", pack(tmp_path / "fruit", "b", "a")),
        pack_dirs=(pack(tmp_path / "mine", "c"),),
    )
    assert [command.qualified for command in found.commands()] == ["fruit:a", "fruit:b", "mine:c"]
    assert [command.spec.title for command in found.commands()] == ["Title"] * 3


def test_a_dependency_is_looked_up_in_the_same_pack_first(tmp_path: Path, here: Path) -> None:
    found = registry(
        plugin("fruit", pack(tmp_path / "apples", "a", "shared")),
        pack_dirs=(pack(tmp_path / "pears", "b", "shared"),),
    )
    assert found.dependency("shared", found.find("a")).qualified == "apples:shared"
    assert found.dependency("shared", found.find("b")).qualified == "pears:shared"
    assert found.dependency("a", found.find("b")).qualified == "apples:a"


def test_a_dependency_is_never_a_path(tmp_path: Path, here: Path) -> None:
    (here / "a.md").write_text(COMMAND)
    (here / "d.md").write_text(COMMAND)
    found = registry()
    of = found.find("./a.md")
    for name in ("./d.md", "d.md", str(here / "d.md"), "../here/d", "."):
        assert not found.knows(name, of)
        with pytest.raises(ResolutionError, match="no command is named"):
            found.dependency(name, of)


def test_a_file_of_its_own_can_only_depend_on_itself_and_the_registry(
    tmp_path: Path, here: Path
) -> None:
    (here / "b.md").write_text(COMMAND)
    found = registry(plugin("fruit", pack(tmp_path / "fruit", "b")))
    of = found.find("./b.md")
    assert found.knows("b", of)
    assert found.dependency("b", of) == of


def test_a_broken_pack_of_a_plugin_is_left_out_and_named(tmp_path: Path) -> None:
    found = registry(
        plugin("broken", pack(tmp_path / "broken", "a", manifest="oops")),
        plugin("missing", tmp_path / "nowhere"),
        plugin("fruit", pack(tmp_path / "fruit", "b")),
    )
    assert [entry.qualified for entry in found.entries()] == ["fruit:b"]
    first, second = found.diagnostics
    assert (first.code, second.code) == ("PL001", "PL001")
    assert "plugin broken (distribution dist-broken)" in first.message
    assert "not TOML" in first.message
    assert "does not exist" in second.message


def test_what_the_user_named_must_be_right(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="does not exist"):
        registry(pack_dirs=(tmp_path / "nowhere",))
    with pytest.raises(ContentError, match="not TOML"):
        registry(pack_dirs=(pack(tmp_path / "broken", "a", manifest="oops"),))


def test_findings_of_manifests_and_plugins_are_carried_along(tmp_path: Path) -> None:
    found = registry(pack_dirs=(pack(tmp_path / "a", "b", manifest="colour = 1\n"),))
    assert [diagnostic.code for diagnostic in found.diagnostics] == ["MF001"]


def test_a_file_finds_its_siblings_before_others_of_their_name(tmp_path: Path, here: Path) -> None:
    found = registry(plugin("fruit", pack(tmp_path / "fruit", "a", "c")))
    for name in ("a", "b"):
        (here / f"{name}.md").write_text(COMMAND)
    of = found.find("./b.md")
    sibling = found.dependency("a", of)
    assert (sibling.spec.path, sibling.pack) == ("a.md", of.pack)
    assert found.dependency("b", sibling).spec.path == "b.md"
    assert found.dependency("c", of).pack.name == "fruit"
    assert not found.knows("d", of)


def test_a_sibling_that_leads_out_of_the_folder_is_none(tmp_path: Path, here: Path) -> None:
    (tmp_path / "secret.md").write_text(COMMAND)
    (here / "secret.md").symlink_to(tmp_path / "secret.md")
    (here / "b.md").write_text(COMMAND)
    found = registry()
    assert not found.knows("secret", found.find("./b.md"))


def test_the_pack_of_a_file_in_a_folder_commands_is_the_folder_around(tmp_path: Path) -> None:
    root = pack(tmp_path / "fruit", "a", "b", manifest='[pack]\nname = "pears"\nversion = "2"\n')
    found = registry()
    of = found.find(str(root / "commands" / "a.md"))
    assert (of.pack.name, of.pack.version, of.pack.trust) == ("pears", "2", "user")
    assert of.pack.source == str(root / "commands" / "a.md")
    assert found.dependency("b", of).pack == of.pack
    (root / "manifest.toml").unlink()
    assert found.find(str(root / "commands" / "a.md")).pack.name == "fruit"


def test_each_refusal_of_a_word_has_a_next_step(here: Path) -> None:
    (here / "notes").mkdir()
    found = registry()
    with pytest.raises(ResolutionError, match="no command is named notes") as raised:
        found.find("notes")
    assert "--pack ./notes" in str(raised.value)
    with pytest.raises(ResolutionError, match=r"there is no file zz\.md") as raised:
        found.find("zz.md")
    assert "cmdpack list" in (raised.value.help or "")
    with pytest.raises(InputError, match="File name too long"):
        found.find("x" * 300)
