import json
from pathlib import Path

import pytest

from cmdpack.cli.app import run_app

TEXT = """\
---
description: "Core operations"
argument-hint: "[--operation=jit|grad|vmap] [--higher-order] [--agents=auto|all]"
dependencies: [first, numpy]
related: [other]
version: "2.0"
---

# Essentials

## Options

- `--operation=<op>`: which one to show (jit, grad, vmap)

## Example

```python
import math

# ============
# 1. JIT COMPILATION
# ============
x = 1
```

## Common Workflows

### A Day
```bash
/first --check
/essentials --operation=jit
```

## Related Commands

**Prerequisites**: before
- `/first` - start here
"""


@pytest.fixture
def pack(tmp_path: Path) -> Path:
    (tmp_path / "first.md").write_text("# First\n")
    (tmp_path / "essentials.md").write_text(TEXT)
    return tmp_path


def show(capsys: pytest.CaptureFixture[str], *arguments: str) -> str:
    assert run_app(["show", *arguments]) == 0
    return capsys.readouterr().out


def test_everything_that_the_file_says_is_shown(
    pack: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    text = show(capsys, "essentials", "--pack", str(pack))
    head, *parts = text.split("\n\n")
    first, place, usage = head.splitlines()
    assert first == "essentials 2.0: Core operations"
    assert place == f"  {pack}/essentials.md (user: --pack {pack})"
    run = f"  cmdpack run --pack {pack} essentials"
    assert usage.startswith(f"{run} [--operation=jit|grad|vmap|all] [--higher-order] [")
    assert parts[0].splitlines() == [
        "options",
        "  --operation=jit|grad|vmap|all  choice",
        "      which one to show (jit, grad, vmap)",
        "      declared at 3:18 (argument-hint), 13:3 (list)",
        "      jit selects JIT COMPILATION",
        "      grad selects nothing",
        "      vmap selects nothing",
        "      all selects every section",
        "  --higher-order  flag",
        "      declared at 3:46 (argument-hint)",
        "      selects nothing",
        "  --agents=auto|all  choice",
        "      declared at 3:63 (argument-hint)",
        "      concerns only an assistant",
    ]
    assert parts[1].splitlines() == [
        "sections",
        "  18-18  Example          part of every selection",
        "  20-23  JIT COMPILATION  --operation=jit (by its title)",
    ]
    relations = parts[2].splitlines()
    missing = "`dependencies` names commands, and numpy is a pip distribution"
    assert relations[1] == f"  cannot be run: {pack}/essentials.md:4:23: {missing} (RF001)"
    assert relations[2] == "        help: move it to `requires`: requires: [numpy]"
    assert relations[3:] == ["  related: other", "  Prerequisites: /first"]
    assert parts[3].splitlines() == [
        "workflows",
        "  A Day",
        "    0  /first --check",
        "    1  /essentials --operation=jit  (after 0)",
    ]
    findings = parts[4].splitlines()
    assert findings[1] == f"  {pack}/essentials.md:4:23: error[RF001]: {missing}"


def test_what_runs_first_is_shown_when_all_of_it_is_known(
    pack: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (pack / "essentials.md").write_text(TEXT.replace(", numpy", ""))
    text = show(capsys, "essentials", "--pack", str(pack))
    assert f"  runs first: {pack.name}:first\n" in text
    assert "findings" not in text


def test_a_file_is_shown_by_its_path(pack: Path, capsys: pytest.CaptureFixture[str]) -> None:
    text = show(capsys, str(pack / "first.md"))
    assert text.startswith(f"first: First\n  {pack}/first.md (user: {pack}/first.md)\n")


def test_nothing_in_the_file_is_executed(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    witness = tmp_path / "witness"
    code = f"```python\nopen({str(witness)!r}, 'w')\n```\n\n```bash\ntouch {witness}\n```\n"
    (tmp_path / "evil.md").write_text(f"# Evil\n\n{code}")
    show(capsys, str(tmp_path / "evil.md"))
    show(capsys, "--json", str(tmp_path / "evil.md"))
    assert not witness.exists()


def test_a_file_cannot_write_lines_of_ours_or_control_the_terminal(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "evil.md").write_text(
        '---\ndescription: "good\\nfindings\\n  none \\e[2J"\n'
        'options:\n  a: {help: "x\\n  --b  flag"}\n---\n# Evil\n'
    )
    lines = show(capsys, str(tmp_path / "evil.md")).splitlines()
    assert "evil: good findings none \\u001b[2J" in lines
    assert "findings" not in lines
    assert "  --b  flag" not in lines


def test_as_json_with_every_place_and_without_the_source(
    pack: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    shown = json.loads(show(capsys, "essentials", "--json", "--pack", str(pack)))
    spec = shown["command"]["spec"]
    assert "source" not in spec
    assert spec["options"][0]["declared"][0]["span"]["line"] == 3
    assert shown["effects"][0]["kind"] == "selects"
    [section_id] = shown["effects"][0]["sections"]["jit"]
    assert [it["id"] for it in spec["sections"]][1] == section_id
    assert shown["selectors"][section_id][0]["because"] == "title"
    assert "RF001" in shown["stopped"]
    assert [it["code"] for it in shown["diagnostics"]] == ["RF001"]


def test_the_usage_of_a_file_can_be_typed(
    pack: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(pack)
    (pack / "my notes.md").write_text("# Notes\n")
    assert "\n  cmdpack run './my notes.md'\n" in show(capsys, "./my notes.md")
