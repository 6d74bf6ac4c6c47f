"""``cmdpack export``, as a user types it."""

import json
import subprocess
import sys
from pathlib import Path

import pytest


def cmdpack(*arguments: str, cwd: Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "cmdpack", *arguments],
        cwd=cwd,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


@pytest.fixture
def pack(tmp_path: Path) -> Path:
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "grad.md").write_text("# Gradients\n")
    return tmp_path / "mine"


def test_writes_the_built_in_pack_and_then_finds_it_unchanged(tmp_path: Path) -> None:
    first = cmdpack("export", "--to", "claude", "out", cwd=tmp_path)
    assert (first.returncode, first.stderr) == (0, "")
    files = [path for path in (tmp_path / "out").rglob("*") if path.is_file()]
    count = len(files) - 1  # the list of what was written is not on the list
    assert first.stdout == f"{tmp_path}/out: {count} written\n"
    assert (tmp_path / "out/commands/jax-essentials.md").is_file()
    second = cmdpack("export", "--to", "claude", "out", cwd=tmp_path)
    assert second.stdout == f"{tmp_path}/out: {count} unchanged\n"


def test_json_lists_what_was_written(tmp_path: Path) -> None:
    done = cmdpack("export", "--to", "claude", "--name", "jax", "--json", "out", cwd=tmp_path)
    document = json.loads(done.stdout)
    assert document["directory"] == f"{tmp_path}/out"
    assert set(document["written"]) >= {
        ".claude-plugin/plugin.json",
        "README.md",
        "commands/jax-essentials.md",
        "commands/jax-init.md",
    }
    assert document["unchanged"] == document["removed"] == []


def test_a_pack_that_nobody_vouched_for_needs_a_grant(tmp_path: Path, pack: Path) -> None:
    done = cmdpack("export", "--to", "claude", "--pack", str(pack), "out", cwd=tmp_path)
    assert done.returncode == 3
    assert f"{pack}: exporting a pack that is neither built in nor installed" in done.stderr
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize(
    ("arguments", "code", "message"),
    [
        (("--to", "nobody", "out"), 2, "no target is named nobody"),
        (("--to", "claude", "--name", "none", "out"), 2, "a pack called none is not installed"),
        (("--to", "claude", "--name", "jax", "--pack", "mine", "out"), 2, "both choose a pack"),
        (("--to", "claude", "--pack", "nowhere", "out"), 2, "does not exist"),
        (("out",), 2, "--to"),
        (("--to", "claude", "mine"), 6, "the folder is not empty and holds no export"),
        (("--to", "claude", "mine/grad.md"), 6, "is not a folder of its own"),
    ],
)
def test_what_cannot_be_done_is_one_clear_error(
    tmp_path: Path, pack: Path, arguments: tuple[str, ...], code: int, message: str
) -> None:
    done = cmdpack("export", *arguments, cwd=tmp_path)
    assert (done.returncode, done.stdout) == (code, "")
    assert message in done.stderr
    assert "Traceback" not in done.stderr
    assert not (tmp_path / "out").exists()
