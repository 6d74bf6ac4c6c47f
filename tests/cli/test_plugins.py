"""Third-party plugins, seen from a process of their own."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest


class Site:
    """A folder of installed distributions, as pip leaves them, and cmdpack run with it."""

    def __init__(self, path: Path, surroundings: dict[str, str]) -> None:
        self.path = path
        self.surroundings = surroundings

    def install(self, name: str, code: str) -> None:
        info = self.path / f"{name}-1.5.dist-info"
        info.mkdir()
        (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {name}\nVersion: 1.5\n")
        (info / "entry_points.txt").write_text(f"[cmdpack]\n{name} = {name}_plugin\n")
        (self.path / f"{name}_plugin.py").write_text(code)

    def cmdpack(self, *arguments: str, **variables: str) -> subprocess.CompletedProcess[str]:
        paths = [str(self.path), *filter(None, [self.surroundings.get("PYTHONPATH")])]
        return subprocess.run(
            [sys.executable, "-m", "cmdpack", *arguments],
            env={**self.surroundings, "PYTHONPATH": os.pathsep.join(paths), **variables},
            capture_output=True,
            text=True,
            check=False,
            timeout=60,
        )


PACK = """\
from pathlib import Path
from cmdpack.hookspecs import TargetSpec, hookimpl

@hookimpl
def packs():
    return [Path(__file__).parent / "fruit"]

@hookimpl
def targets():
    return [TargetSpec(name="pear", help="for Pear", load="nowhere:Pear")]
"""


@pytest.fixture
def site(tmp_path: Path, surroundings: dict[str, str]) -> Site:
    (tmp_path / "fruit").mkdir()
    (tmp_path / "fruit" / "apple-pie.md").write_text("# Apple pie\n")
    return Site(tmp_path, surroundings)


def test_a_plugin_is_listed_with_all_that_it_registers(site: Site) -> None:
    site.install("apple", PACK)
    done = site.cmdpack("plugins")
    assert done.returncode == 0
    rows = [line.split() for line in done.stdout.splitlines()]
    at = rows.index(["apple", "apple", "1.5", "pack", str(site.path / "fruit")])
    assert rows[at + 1] == ["target", "pear:", "for", "Pear"]
    assert rows[1][0] == "cmdpack"


def test_as_json(site: Site) -> None:
    site.install("apple", PACK)
    site.install("banana", "raise RuntimeError('rotten')")
    plugins = json.loads(site.cmdpack("plugins", "--json").stdout)
    [apple] = [it for it in plugins["loaded"] if it["name"] == "apple"]
    assert apple["packs"] == [str(site.path / "fruit")]
    [diagnostic] = plugins["diagnostics"]
    assert diagnostic["code"] == "PL001"
    assert "rotten" in diagnostic["message"]


def test_its_commands_can_be_used_by_name(site: Site) -> None:
    site.install("apple", PACK)
    done = site.cmdpack("list")
    [line] = [line for line in done.stdout.splitlines() if line.startswith("apple-pie ")]
    assert line.endswith("fruit  plugin apple 1.5")
    assert "plugin: plugin apple 1.5" in site.cmdpack("show", "apple-pie").stdout


def test_a_plugin_that_fails_costs_a_note_and_not_the_output(site: Site) -> None:
    site.install("apple", PACK)
    site.install("banana", "print('{broken json')")
    site.install("cherry", "raise SystemExit('bye')")
    done = site.cmdpack("list", "--json")
    assert done.returncode == 0
    listing = json.loads(done.stdout)
    assert "apple-pie" in [it["name"] for it in listing["commands"]]
    assert [it["code"] for it in listing["diagnostics"]] == ["PL001", "PL001"]
    done = site.cmdpack("list")
    assert "plugin banana (distribution banana) printed to standard output" in done.stderr
    assert "plugin cherry (distribution cherry) raised SystemExit: bye" in done.stderr


def test_an_environment_variable_leaves_plugins_out(site: Site) -> None:
    site.install("apple", PACK)
    done = site.cmdpack("list", CMDPACK_NO_PLUGINS="1")
    assert done.returncode == 0
    assert "apple-pie" not in done.stdout
