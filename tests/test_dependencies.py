from pathlib import Path

import pytest

from cmdpack.dependencies import chain, check_dependencies
from cmdpack.errors import ResolutionError
from cmdpack.plan import Command
from cmdpack.plugins import Plugins
from cmdpack.registry import Registry, load_registry


class Folder:
    """A pack of commands that are nothing but their dependencies."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def write(self, **dependencies: str) -> None:
        for name, items in dependencies.items():
            (self.path / f"{name}.md").write_text(f"---\ndependencies: [{items}]\n---\n# {name}\n")

    @property
    def registry(self) -> Registry:
        return load_registry(Plugins(loaded=()), pack_dirs=(self.path,))

    def chain(self, name: str) -> tuple[Command, ...]:
        return chain(self.registry, self.registry.find(name)).commands


@pytest.fixture
def folder(tmp_path: Path) -> Folder:
    return Folder(tmp_path)


def test_dependencies_come_first_each_once_and_the_command_last(folder: Folder) -> None:
    folder.write(top="left, right", left="base", right="base", base="")
    assert [it.spec.name for it in folder.chain("top")] == ["base", "left", "right", "top"]


def test_who_needs_whom_however_it_is_written(folder: Folder) -> None:
    folder.write(top=f"left, '{folder.path.name}:base', base", left="base", base="")
    registry = folder.registry
    needed_by = chain(registry, registry.find("top")).needed_by
    assert {
        Path(path).stem: [Path(other).stem for other in others]
        for path, others in needed_by.items()
    } == {"base": ["left", "top"], "left": ["top"], "top": []}


def test_a_command_without_dependencies_is_alone(folder: Folder) -> None:
    folder.write(base="")
    assert [it.spec.name for it in folder.chain("base")] == ["base"]


def test_a_circle_is_drawn_and_placed_at_the_edge_that_closes_it(folder: Folder) -> None:
    folder.write(top="a", a="b", b="top, a")
    (folder.path / "b.md").write_text("---\ntags: x\ndependencies: [a]\n---\n# b\n")
    with pytest.raises(ResolutionError, match="in a circle: a -> b -> a") as raised:
        folder.chain("top")
    assert raised.value.place == f"{folder.path / 'b.md'}:3:16"


def test_a_command_that_depends_on_itself(folder: Folder) -> None:
    folder.write(a="a")
    with pytest.raises(ResolutionError, match="in a circle: a -> a"):
        folder.chain("a")


def test_a_missing_dependency_is_placed_with_the_nearest_names(folder: Folder) -> None:
    folder.write(top="base, bass", base="")
    with pytest.raises(ResolutionError, match="no command is named bass") as raised:
        folder.chain("top")
    assert raised.value.place == f"{folder.path / 'top.md'}:2:22"
    assert raised.value.help == "did you mean base?"
    assert "(RF002)" in raised.value.message


def test_a_dependency_of_a_dependency_is_placed_in_its_own_file(folder: Folder) -> None:
    folder.write(top="base", base="gone")
    with pytest.raises(ResolutionError) as raised:
        folder.chain("top")
    assert raised.value.place == f"{folder.path / 'base.md'}:2:16"


@pytest.mark.parametrize("name", ["numpy", "Torch", "pluggy", "'optax>=0.2'", "'jax[cuda]'"])
def test_a_distribution_is_told_from_a_command(folder: Folder, name: str) -> None:
    folder.write(top=name)
    with pytest.raises(ResolutionError, match="is a pip distribution") as raised:
        folder.chain("top")
    assert "(RF001)" in raised.value.message
    assert "requires: [" in (raised.value.help or "")


def test_a_command_can_have_the_name_of_a_distribution(folder: Folder) -> None:
    folder.write(top="numpy", numpy="")
    assert [it.spec.name for it in folder.chain("top")] == ["numpy", "top"]


def test_every_missing_dependency_is_a_finding(folder: Folder) -> None:
    folder.write(top="base, numpy, bass", base="")
    registry = folder.registry
    found = check_dependencies(registry, registry.find("top"))
    assert [(it.code, it.severity, it.span.column) for it in found] == [
        ("RF001", "error", 22),
        ("RF002", "error", 29),
    ]


def test_two_packs_can_have_the_dependency(tmp_path: Path) -> None:
    folders = [tmp_path / name for name in ("one", "two", "three")]
    for folder in folders:
        folder.mkdir()
    Folder(folders[0]).write(top="base")
    Folder(folders[1]).write(base="")
    Folder(folders[2]).write(base="")
    registry = load_registry(Plugins(loaded=()), pack_dirs=folders)
    with pytest.raises(ResolutionError, match="two:base or three:base") as raised:
        chain(registry, registry.find("top"))
    assert raised.value.place == f"{folders[0] / 'top.md'}:2:16"
    Folder(folders[0]).write(top="'three:base'")
    assert chain(registry, registry.find("top")).commands[0].qualified == "three:base"


def test_a_circle_through_a_name_with_its_pack(folder: Folder) -> None:
    folder.write(a=f"'{folder.path.name}:b'", b=f"'{folder.path.name}:a'")
    with pytest.raises(ResolutionError, match="in a circle: a -> b -> a"):
        folder.chain("a")


def test_a_circle_through_commands_of_one_name(tmp_path: Path) -> None:
    for pack, items in {"pa": "x, 'pb:foo'", "pb": "'pa:foo'"}.items():
        (tmp_path / pack).mkdir()
        Folder(tmp_path / pack).write(foo=items, x="")
    registry = load_registry(Plugins(loaded=()), pack_dirs=(tmp_path / "pa", tmp_path / "pb"))
    with pytest.raises(ResolutionError, match="pa:foo -> pb:foo -> pa:foo") as raised:
        chain(registry, registry.find("pa:foo"))
    assert raised.value.place == f"{tmp_path / 'pb' / 'foo.md'}:2:16"
    assert raised.value.help == "remove pa:foo from the dependencies of pb:foo"
