"""The target `claude`. That the real client takes what it writes is shown in tests/clients."""

import json
import re
from pathlib import Path

import pytest
import yaml

from cmdpack.errors import ContentError
from cmdpack.export.claude import ClaudeTarget, marketplace
from cmdpack.export.files import MANIFEST
from cmdpack.export.target import export_pack, find_pack
from cmdpack.packs import Pack, read_pack
from cmdpack.parse import read_command
from cmdpack.plan import Command
from cmdpack.plugins import build_manager
from cmdpack.registry import load_registry

ROOT = Path(__file__).parents[2]

MANIFEST_TOML = """\
[pack]
name = "demo"
version = "1.2.0"
description = "Demonstrations"
license = "MIT"
"""

GRAD = """\
---
title: "Gradients"
description: 'Shows "gradients": on *your* machine'
argument-hint: "[--operation=jit|grad] [--steps=<n>] [--agents=auto|jax] [--fast]"
allowed-tools: "*"
model: inherit
tags: [a, b]
dependencies: [setup]
options:
  operation: {choices: [jit, grad], default: all, help: the transformation}
  steps: {metavar: <n>, help: how many}
  agents: {choices: [auto, jax], help: who is consulted}
  fast: {help: no waiting}
---

# Gradients

Prose with $ARGUMENTS and $0 that is not exported.

```python operation=grad
import jax
```

ARGUMENTS: [--operation=jit|grad]
"""


def pack_of(folder: Path, text: str, name: str = "grad") -> Pack:
    (folder / "commands").mkdir(parents=True)
    (folder / "commands" / f"{name}.md").write_text(text)
    (folder / "manifest.toml").write_text(MANIFEST_TOML)
    return read_pack(folder, trust="plugin", source="plugin demo 1.2.0")[0]


def exported(pack: Pack) -> dict[str, str]:
    commands = [Command(spec=read_command(path), pack=pack.origin) for path in pack.files.values()]
    return ClaudeTarget().files(pack, commands)


@pytest.fixture
def grad(tmp_path: Path) -> str:
    return exported(pack_of(tmp_path, GRAD))["commands/grad.md"]


def frontmatter(text: str) -> dict[str, str]:
    loaded = yaml.safe_load(text.split("---\n")[1])
    assert isinstance(loaded, dict)
    return loaded


def test_the_manifest_is_that_of_the_pack(tmp_path: Path) -> None:
    files = exported(pack_of(tmp_path, GRAD))
    assert list(files) == [".claude-plugin/plugin.json", "README.md", "commands/grad.md"]
    manifest = json.loads(files[".claude-plugin/plugin.json"])
    assert manifest["name"] == "cmdpack-demo"
    assert manifest["version"] == "1.2.0"
    assert manifest["description"] == "Demonstrations"
    assert manifest["license"] == "MIT"


def test_what_the_pack_does_not_say_is_not_made_up(tmp_path: Path) -> None:
    (tmp_path / "bare").mkdir()
    (tmp_path / "bare" / "grad.md").write_text(GRAD)
    pack, _ = read_pack(tmp_path / "bare", trust="plugin", source="plugin")
    manifest = json.loads(exported(pack)[".claude-plugin/plugin.json"])
    assert manifest.keys() == {"name", "author", "keywords"}


def test_the_readme_is_long_enough_for_the_directory_and_lists_the_commands(tmp_path: Path) -> None:
    readme = exported(pack_of(tmp_path, GRAD))["README.md"]
    assert len(readme.split()) >= 40
    assert '\n| `/cmdpack-demo:grad` | Shows "gradients": on *your* machine |\n' in readme


def test_the_frontmatter_holds_three_quoted_scalars(grad: str) -> None:
    lines = grad.split("---\n")[1].splitlines()
    assert all(re.fullmatch(r'[a-z-]+: ".*"', line) for line in lines)
    assert frontmatter(grad) == {
        "description": 'Shows "gradients": on *your* machine',
        "argument-hint": "[--operation=jit|grad|all] [--steps=N] [--agents=auto|jax] [--fast]",
        "allowed-tools": "Bash(cmdpack run grad:*)",
    }


def test_the_arguments_stand_once_and_nothing_else_is_replaced(grad: str) -> None:
    assert grad.count("$ARGUMENTS") == 1
    assert re.findall(r"\$(?!ARGUMENTS)|!`|(?:^|\s)@", grad) == []


def test_the_options_are_listed_and_the_pack_s_prose_and_code_are_not(grad: str) -> None:
    assert "- `--operation=jit|grad|all`: the transformation\n" in grad
    assert "- `--fast`: no waiting\n" in grad
    assert "    cmdpack run grad\n" in grad
    assert "Prose with" not in grad
    assert "import jax" not in grad


def test_agents_are_the_assistants_business_only_where_the_command_has_them(
    grad: str, tmp_path: Path
) -> None:
    assert "never claim that an agent took part" in grad
    without = exported(pack_of(tmp_path / "b", GRAD.replace("agents", "people")))
    assert "never claim that an agent took part" not in without["commands/grad.md"]


def test_a_command_without_options_says_so(tmp_path: Path) -> None:
    text = exported(pack_of(tmp_path, "# Plain\n\n```python\n1\n```\n"))["commands/grad.md"]
    assert "It takes no options: append nothing." in text
    assert frontmatter(text).keys() == {"description", "allowed-tools"}


@pytest.mark.parametrize("name", ["a b", "x;y", "Grad", "a--b", "x:*)", "-x", "ä"])
def test_a_name_that_would_need_quoting_is_refused(tmp_path: Path, name: str) -> None:
    with pytest.raises(ContentError, match="the command's name cannot be exported"):
        exported(pack_of(tmp_path, GRAD, name))


@pytest.mark.parametrize("text", ["costs $0", "use $ARGUMENTS", "see !`id`", "the @jax.jit mark"])
def test_a_help_that_the_client_would_replace_is_refused(tmp_path: Path, text: str) -> None:
    pack = pack_of(tmp_path, GRAD.replace("no waiting", json.dumps(text)))
    with pytest.raises(ContentError, match=r"the help of `--fast`") as caught:
        exported(pack)
    line = GRAD.splitlines().index("  fast: {help: no waiting}") + 1
    assert caught.value.place == f"{tmp_path}/commands/grad.md:{line}"


@pytest.mark.parametrize("text", ["the `@jax.jit` mark", "me@example.org", "now!", "a `code` word"])
def test_a_help_that_the_client_leaves_alone_is_kept(tmp_path: Path, text: str) -> None:
    pack = pack_of(tmp_path, GRAD.replace("no waiting", json.dumps(text)))
    assert f"- `--fast`: {text}\n" in exported(pack)["commands/grad.md"]


def test_the_committed_export_is_a_fresh_one(tmp_path: Path) -> None:
    plugins = build_manager(entry_points=False)
    export_pack(find_pack(load_registry(plugins)), "claude", plugins, tmp_path / "claude")
    fresh, committed = tmp_path / "claude", ROOT / "exports" / "claude"
    names = {path.relative_to(fresh) for path in fresh.rglob("*")}
    assert {path.relative_to(committed) for path in committed.rglob("*")} == names
    stale = [
        str(name)
        for name in names
        if (fresh / name).is_file()
        and (fresh / name).read_bytes() != (committed / name).read_bytes()
    ]
    assert not stale, "run: python -m cmdpack export --to claude exports/claude"
    assert Path(MANIFEST) in names


def test_the_committed_marketplace_is_a_fresh_one() -> None:
    pack = find_pack(load_registry(build_manager(entry_points=False)))
    committed = (ROOT / ".claude-plugin" / "marketplace.json").read_text()
    assert committed == marketplace(pack, "./exports/claude"), "run: python tools/marketplace.py"


def test_the_flagship_commands_are_short() -> None:
    """A thousand tokens are about four thousand characters; Claude Code counts 600 for these."""
    files = list((ROOT / "exports" / "claude" / "commands").iterdir())
    assert {path.stem for path in files} >= {"jax-init", "jax-essentials"}
    assert max(len(path.read_text()) for path in files) < 4000


def test_what_may_be_typed_is_what_the_command_takes(tmp_path: Path) -> None:
    idle = exported(pack_of(tmp_path / "idle", GRAD.replace("python operation=grad", "python")))
    assert "--operation=jit|grad`" in idle["commands/grad.md"]
    selecting = GRAD.replace("default: all, ", "")
    unsaid = exported(pack_of(tmp_path / "unsaid", selecting))
    assert "--operation=jit|grad|all`" in unsaid["commands/grad.md"]
