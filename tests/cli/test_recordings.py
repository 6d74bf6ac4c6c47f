"""``cmdpack run --trace DIR --dump-hlo DIR``, as a user types it."""

import json
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

Cli = Callable[..., subprocess.CompletedProcess[str]]
Write = Callable[..., Path]

RUN = ("run", "--sandbox", "off")


def test_the_plan_tells_of_both_and_makes_nothing(
    cmdpack: Cli, command_file: Write, tmp_path: Path
) -> None:
    path = command_file("x = 1")
    asked = ("--trace", "t", "--dump-hlo", "h")
    done = cmdpack(*RUN, *asked, "--plan", "--json", path, cwd=tmp_path, env={"XLA_FLAGS": "--a"})
    plan = json.loads(done.stdout)
    assert plan["recordings"] == {"trace": str(tmp_path / "t"), "hlo": str(tmp_path / "h")}
    assert plan["environment"]["XLA_FLAGS"].startswith(f"--a --xla_dump_to={tmp_path / 'h'} ")
    assert plan["cache"]["reason"] == "--dump-hlo"
    assert not (tmp_path / "t").exists()
    assert not (tmp_path / "h").exists()


@pytest.mark.parametrize("flag", ["--trace", "--dump-hlo"])
def test_a_folder_that_cannot_be_used_stops_the_run(
    flag: str, cmdpack: Cli, command_file: Write, tmp_path: Path
) -> None:
    path = command_file("print('ran')")
    done = cmdpack(*RUN, flag, ".", path, cwd=tmp_path)
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr.startswith(f"error: {flag} .: this folder is not empty")
    assert done.stderr.count("error:") == 1


def test_a_run_says_what_it_has_written(cmdpack: Cli, command_file: Write, tmp_path: Path) -> None:
    pytest.importorskip("jax")
    path = command_file("import jax\n\n@jax.jit\ndef double(x):\n    return 2 * x\n\ndouble(1.0)")
    done = cmdpack(*RUN, "--trace", "t", "--dump-hlo", "h", path, cwd=tmp_path)
    assert (done.returncode, done.stderr) == (0, "")
    lines = done.stdout.splitlines()
    trace = next(n for n, text in enumerate(lines) if text.startswith("trace: "))
    assert lines[trace].startswith(f"trace: {tmp_path / 't'}: 2 files, ")
    assert lines[trace + 1].startswith("  double: ")
    hlo = next(n for n, text in enumerate(lines) if text.startswith("hlo: "))
    name = lines[hlo + 1].removeprefix("  double: ")
    assert "multiply" in (tmp_path / "h" / name).read_text()
    assert hlo + 2 == len(lines) - 1  # only the evidence follows
