import os
import subprocess
import sys
from pathlib import Path

import pytest

from cmdpack.cli import plugins
from cmdpack.cli.app import VERBS, run_app


def cmdpack(
    *arguments: str | bytes, env: dict[str, str] | None = None
) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "cmdpack", *arguments],
        env=env,
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )


@pytest.mark.parametrize("arguments", [[], ["-h"], ["--help"]])
def test_help_lists_every_verb(arguments: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    assert run_app(arguments) == 0
    out = capsys.readouterr().out
    assert all(f"  {verb}  " in f"{out} " or f"  {verb} " in out for verb in VERBS)
    assert "cmdpack --version" in out


@pytest.mark.parametrize("verb", VERBS)
@pytest.mark.parametrize("flag", ["-h", "--help"])
def test_every_verb_has_help(verb: str, flag: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert run_app([verb, flag]) == 0
    assert capsys.readouterr().out.startswith(f"Usage: cmdpack {verb} ")


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["lst"], "error: no verb is named lst\n  help: did you mean list?\n"),
        (
            ["jax-essentials"],
            "error: no verb is named jax-essentials\n  help: the verbs are run, list",
        ),
        (["--zzz"], "error: No such option: --zzz\n  help: cmdpack --help\n"),
        (["list", "--zzz"], "error: No such option: --zzz\n  help: cmdpack list --help\n"),
        (["list", "surplus"], "error: Got unexpected extra argument"),
        (["show"], "error: Missing argument 'NAME|PATH'"),
        (["show", "no-such-command"], "error: no command is named no-such-command\n  help: "),
        (["list", "--pack", "no/such"], "error: no/such: does not exist\n  help: "),
    ],
)
def test_misuse_is_one_message_and_exit_code_2(
    arguments: list[str], message: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run_app(arguments) == 2
    out, err = capsys.readouterr()
    assert out == ""
    assert err.startswith(message)


def test_content_that_cannot_be_used_is_exit_code_1(tmp_path: Path) -> None:
    (tmp_path / "a.md").write_text("# A\n")
    (tmp_path / "manifest.toml").write_text("oops")
    done = cmdpack("list", "--pack", str(tmp_path))
    assert done.returncode == 1
    assert done.stderr.startswith(f"error: {tmp_path}/manifest.toml:1:5: the manifest is not TOML")
    assert "Traceback" not in done.stderr


def test_what_cannot_be_read_is_exit_code_6(tmp_path: Path) -> None:
    (tmp_path / "a.md").write_bytes(b"\xff\xfe\xfd")
    done = cmdpack("show", str(tmp_path / "a.md"))
    assert done.returncode == 6
    assert done.stderr.startswith(f"error: {tmp_path}/a.md")


def test_an_argument_that_is_no_text_is_refused() -> None:
    done = cmdpack("show", b"\xff.md")
    assert done.returncode == 2
    assert done.stderr == "error: the argument '\\udcff.md' is not UTF-8\n"


def test_a_message_cannot_control_the_terminal(capsys: pytest.CaptureFixture[str]) -> None:
    assert run_app(["show", "evil\x1b[2J"]) == 2
    assert "\x1b" not in capsys.readouterr().err


def test_a_reader_that_has_had_enough_is_no_error() -> None:
    read, write = os.pipe()
    os.close(read)
    try:
        done = subprocess.run(
            [sys.executable, "-m", "cmdpack", "plugins"],
            stdout=write,
            stderr=subprocess.PIPE,
            text=True,
            check=False,
            timeout=60,
        )
    finally:
        os.close(write)
    assert done.stderr == ""
    assert done.returncode == 141


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs /dev/full")
def test_a_full_disk_is_one_message() -> None:
    with Path("/dev/full").open("w") as full:
        done = subprocess.run(
            [sys.executable, "-m", "cmdpack", "plugins"],
            stdout=full,
            stderr=subprocess.PIPE,
            text=True,
            check=False,
            timeout=60,
        )
    assert done.returncode == 6
    assert done.stderr == (
        "error: standard output cannot be written: No space left on device\n"
        "  help: make room there, or send the output elsewhere\n"
    )


def test_a_closed_output_is_one_message() -> None:
    done = subprocess.run(
        ["sh", "-c", f"{sys.executable} -m cmdpack plugins >&-"],
        stderr=subprocess.PIPE,
        text=True,
        check=False,
        timeout=60,
    )
    assert done.returncode == 6
    assert done.stderr.startswith("error: standard output is closed\n")


def test_an_error_of_the_system_elsewhere_is_a_bug_with_its_traceback(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(plugins, "command", _fails)
    with pytest.raises(FileNotFoundError):
        run_app(["plugins"])


def _fails() -> None:
    raise FileNotFoundError(2, "No such file or directory", "/gone")


def test_a_terminal_without_unicode_gets_escapes(tmp_path: Path) -> None:
    (tmp_path / "a.md").write_text("---\ndescription: naïve ☃\n---\n# A\n", encoding="utf-8")
    env = {**os.environ, "PYTHONIOENCODING": "ascii", "PYTHONUTF8": "0"}
    done = cmdpack("list", "--pack", str(tmp_path), env=env)
    assert done.returncode == 0
    assert "na\\xefve \\u2603" in done.stdout


def test_an_interrupt_is_exit_code_130(tmp_path: Path) -> None:
    info = tmp_path / "slow-1.dist-info"
    info.mkdir()
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: slow\nVersion: 1\n")
    (info / "entry_points.txt").write_text("[cmdpack]\nslow = slow_plugin\n")
    (tmp_path / "slow_plugin.py").write_text("raise KeyboardInterrupt\n")
    paths = [str(tmp_path), *filter(None, [os.environ.get("PYTHONPATH")])]
    done = cmdpack("list", env={**os.environ, "PYTHONPATH": os.pathsep.join(paths)})
    assert (done.returncode, done.stdout, done.stderr) == (130, "", "")
