"""The plugin `cmdpack-repeat` as a stranger has it: installed by pip into a folder on the path."""

import json
import os
import pty
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
SOURCE = ROOT / "plugins" / "cmdpack-repeat"

Cmdpack = Callable[..., subprocess.CompletedProcess[str]]

UNREPRODUCIBLE = """\
---
title: Layers
engine: repeat
---

# Layers

```python
print("layers:")
for name in {"embed", "attend", "norm"}:
    print(name)
```
"""


@pytest.fixture(scope="session")
def site(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """The variables of a Python for which the plugin has been installed from its folder."""
    folder = tmp_path_factory.mktemp("site")
    alone = ["--no-index", "--no-build-isolation", "--no-deps", "--disable-pip-version-check"]
    subprocess.run(
        [sys.executable, "-m", "pip", "install", "-q", *alone, "--target", folder, SOURCE],
        check=True,
        capture_output=True,
    )
    assert [*folder.glob("cmdpack_repeat-*.dist-info/entry_points.txt")]
    return _on_the_path(str(folder))


def _on_the_path(*folders: str) -> dict[str, str]:
    ours = [path for path in os.environ.get("PYTHONPATH", "").split(os.pathsep) if path]
    return {"PYTHONPATH": os.pathsep.join([*folders, *ours])}


@pytest.fixture
def layers(tmp_path: Path) -> Path:
    path = tmp_path / "layers.md"
    path.write_text(UNREPRODUCIBLE, encoding="utf-8")
    return path


def test_it_is_listed_with_all_that_it_registers(cmdpack: Cmdpack, site: dict[str, str]) -> None:
    [repeat] = [
        it
        for it in json.loads(cmdpack("plugins", "--json", env=site).stdout)["loaded"]
        if it["name"] == "repeat"
    ]
    assert (repeat["distribution"], repeat["built_in"]) == ("cmdpack-repeat", False)
    assert [Path(pack).name for pack in repeat["packs"]] == ["pack"]
    assert [engine["name"] for engine in repeat["engines"]] == ["repeat"]
    assert repeat["targets"] == []


def test_its_command_is_found_by_name_in_a_trusted_pack(
    cmdpack: Cmdpack, site: dict[str, str]
) -> None:
    listing = json.loads(cmdpack("list", "--json", env=site).stdout)
    assert listing["diagnostics"] == []
    [pack] = [it["pack"] for it in listing["commands"] if it["name"] == "jax-reproducible"]
    assert (pack["name"], pack["trust"], pack["source"]) == (
        "repeat",
        "plugin",
        "plugin repeat 0.1.0",
    )
    shown = json.loads(cmdpack("show", "--json", "jax-reproducible", env=site).stdout)
    assert shown["command"]["spec"]["engine"] == "repeat"
    assert shown["command"]["spec"]["diagnostics"] == []


@pytest.mark.parametrize("devices", [1, 8])
def test_its_command_passes(cmdpack: Cmdpack, site: dict[str, str], devices: int) -> None:
    flags = ["--json", "--emulate", str(devices)]
    done = cmdpack("run", *flags, "jax-reproducible", env=site)
    assert done.returncode == 0, done.stdout + done.stderr
    result = json.loads(done.stdout)
    assert (result["outcome"], result["trust"], result["sandbox"]) == ("ok", "plugin", "off")
    assert len(result["evidence"]["devices_used"]) == devices
    assert [it["outcome"] for it in result["sections"]] == ["ok"] * 4
    [note] = result["notes"]
    assert note["code"] == "engine"
    assert "printed the same in 2 fresh processes" in note["message"]


def test_its_option_is_its_engines_own(cmdpack: Cmdpack, site: dict[str, str]) -> None:
    plan = json.loads(
        cmdpack("run", "--plan", "--json", "jax-reproducible", "--runs=3", env=site).stdout
    )
    assert (plan["engine"], plan["trust"], plan["notes"]) == ("repeat", "plugin", [])
    assert plan["arguments"]["values"] == {"runs": "3"}
    done = cmdpack("run", "--plan", "jax-reproducible", "--runs=7", env=site)
    assert done.returncode == 2
    assert "--runs" in done.stderr


def test_what_differs_fails_with_its_place(
    cmdpack: Cmdpack, site: dict[str, str], layers: Path
) -> None:
    done = cmdpack("run", "--sandbox", "off", "layers.md", env=site, cwd=layers.parent)
    assert done.returncode == 1
    assert "the run starts again: run 2 of 2, compared with the first\n" in done.stdout
    assert (
        "failed: not reproducible at layers.md:10:1\n"
        '  10 | for name in {"embed", "attend", "norm"}:\n'
        "     | ^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^\n"
        "  what it prints differs from the first run, first in its line 1:\n"
    ) in done.stdout
    assert done.stdout.splitlines()[-1].startswith("failed: layers: 0 of 1 sections, 1 of 2 units")


def test_events_are_one_run_that_starts_again(
    cmdpack: Cmdpack, site: dict[str, str], layers: Path
) -> None:
    done = cmdpack("run", "--sandbox", "off", "--events", layers, env=site)
    events = [json.loads(line) for line in done.stdout.splitlines()]
    kinds = [event["event"] for event in events]
    assert kinds[0] == "run-started"
    assert kinds[-2:] == ["note", "run-finished"]
    assert [kinds.count(it) for it in ("run-started", "run-restarted", "run-finished")] == [1] * 3
    assert events[0]["plan"]["cache"]["directory"] is None
    verdicts = [it["result"]["outcome"] for it in events if it["event"] == "unit-finished"]
    assert verdicts == ["ok", "ok", "ok", "failed"]


def test_progress_at_a_terminal_begins_again_with_the_second_run(
    surroundings: dict[str, str], site: dict[str, str], layers: Path
) -> None:
    ours, theirs = pty.openpty()
    process = subprocess.Popen(
        [sys.executable, "-m", "cmdpack", "run", "--sandbox", "off", str(layers)],
        env={**surroundings, **site, "TERM": "xterm", "COLUMNS": "120", "NO_COLOR": "1"},
        stdin=subprocess.DEVNULL,
        stdout=theirs,
        stderr=subprocess.STDOUT,
    )
    os.close(theirs)
    shown = b""
    try:
        while data := os.read(ours, 65536):
            shown += data
    except OSError:  # so a terminal tells its end
        pass
    finally:
        os.close(ours)
    assert process.wait() == 1
    assert b"2/2" in shown
    assert b"3/2" not in shown


def test_without_it_its_names_are_unknown_and_where_it_is_is_told(
    cmdpack: Cmdpack, layers: Path
) -> None:
    done = cmdpack("run", "jax-reproducible", env=_on_the_path())
    assert done.returncode == 2
    assert done.stderr == (
        "error: the command jax-reproducible is in the catalogue of pack jax, but not installed\n"
        f"  help: {sys.executable} -m pip install {SOURCE}\n"
    )
    done = cmdpack("run", "--sandbox", "off", layers, env=_on_the_path())
    assert done.returncode == 2
    assert "no engine is named repeat" in done.stderr
    assert "installed are: examples" in done.stderr
