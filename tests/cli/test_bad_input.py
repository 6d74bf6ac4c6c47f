"""Bad input, by name: one clear message with its place, the right exit code, nothing half-done."""

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

Cli = Callable[..., subprocess.CompletedProcess[str]]

HEAD = b"---\ntitle: Sample\n---\n\n"
FENCE = b"```python\nopen('trace', 'w')\nprint('ran')\n```\n"


@pytest.fixture
def try_file(cmdpack: Cli, tmp_path: Path) -> Callable[..., subprocess.CompletedProcess[str]]:
    """Run a file of these bytes as a user would who trusts it."""

    def run(content: bytes, name: str = "sample.md") -> subprocess.CompletedProcess[str]:
        (tmp_path / name).write_bytes(content)
        return cmdpack("run", "--sandbox", "off", f"./{name}", cwd=tmp_path)

    return run


def refused(done: subprocess.CompletedProcess[str], code: int, message: str) -> bool:
    """Whether the one thing said is an error that begins with `message`."""
    assert "Traceback" not in done.stderr
    assert done.stderr.startswith(f"error: {message}"), done.stderr
    assert done.stderr.count("error:") == 1
    assert done.stdout == ""
    return done.returncode == code


@pytest.mark.parametrize(
    ("content", "code", "message"),
    [
        (b"", 1, "sample.md: nothing to run: it holds no Python example"),
        (HEAD + b"# Words alone\n", 1, "sample.md: nothing to run: it holds no Python example"),
        (HEAD + b"```python\n# remarks alone\n```\n", 1, "sample.md: nothing to run"),
        (HEAD + b"```python\n```\n", 1, "sample.md: nothing to run"),
        (HEAD + b"```bash\nls\n```\n", 1, "sample.md: nothing to run"),
        (HEAD + FENCE[:-5], 1, "sample.md:5:1: [MD001] this code fence is never closed"),
        (
            HEAD + FENCE + b"\n~~~text\nnever closed\n",
            1,
            "sample.md:10:1: [MD001] this code fence is never closed",
        ),
        (
            HEAD + FENCE + b"\n```python\nx = 1\ny = (2\n```\n",
            1,
            "sample.md:12:5: [PY001] this example is not Python: '(' was never closed",
        ),
        (
            HEAD + b"- one\n\n  ```python\n  x = = 1\n  ```\n",
            1,
            "sample.md:8:7: [PY001] this example is not Python: invalid syntax",
        ),
        (
            HEAD + b"```python\nx = 1\nreturn x\n```\n",
            1,
            "sample.md:7:1: [PY001] this example is not Python: 'return' outside function",
        ),
        (
            HEAD + b"```python\nx = " + b"(" * 3000 + b")" * 3000 + b"\n```\n",
            1,
            "sample.md:6:",
        ),
        (
            HEAD + b"```python\nx = " + b"-" * 60000 + b"1\n```\n",
            1,
            "sample.md:6:1: [PY001] this example is not Python: nested too deeply",
        ),
        (b"---\n\ttitle: x\n---\n" + FENCE, 1, "sample.md:2:1: [FM001] the frontmatter is not"),
        (b"---\nno key\ntitle: x\n---\n" + FENCE, 1, "sample.md:2:1: [FM001] this line is"),
        (b"---\ntitle: &a x\nother: *a\n---\n" + FENCE, 1, "sample.md:2:8: [FM006]"),
        (b"---\ntitle: Sample\n\n" + FENCE, 1, "sample.md:1:1: [FM002] the frontmatter"),
        (b"\x7fELF\x02\x01\x01\x00" * 99, 6, "sample.md:1:8: this is not text: byte 7 is NUL"),
        (HEAD + b"caf\xe9\n", 6, "sample.md:5:4: this is not UTF-8: byte 26 is 0xE9"),
        (HEAD + b"a\0b\n", 6, "sample.md:5:2: this is not text"),
        (b"a" * 10 * 1024 * 1024, 6, "sample.md: the file has 10.0 MiB"),
    ],
    ids=[
        "empty",
        "no Python",
        "comments only",
        "empty fence",
        "another language",
        "Python fence never closed",
        "text fence never closed",
        "syntax error",
        "syntax error in a list",
        "top-level return",
        "nested parentheses",
        "nested operators",
        "tab in the YAML",
        "broken YAML",
        "YAML alias",
        "frontmatter never closed",
        "binary",
        "not UTF-8",
        "NUL",
        "10 MB",
    ],
)
def test_a_file_that_cannot_run_is_refused_at_its_place(
    try_file: Cli, tmp_path: Path, content: bytes, code: int, message: str
) -> None:
    done = try_file(content)
    assert refused(done, code, message)
    assert "\n  help: " in done.stderr
    assert not (tmp_path / "trace").exists()


@pytest.mark.parametrize(
    ("content", "note"),
    [
        (FENCE, "sample.md:1:1: the file has no frontmatter (FM003)"),
        (b"---\ntitle: [a\n---\n" + FENCE, "sample.md:2:8: the value of `title` is not YAML"),
        (HEAD.replace(b"\n", b"\r\n") + FENCE.replace(b"\n", b"\r\n"), None),
        (b"\xef\xbb\xbf" + HEAD + FENCE, None),
    ],
    ids=["no frontmatter", "a value that is not YAML", "CRLF", "byte-order mark"],
)
def test_what_is_merely_odd_runs_with_one_note(
    try_file: Cli, tmp_path: Path, content: bytes, note: str | None
) -> None:
    done = try_file(content)
    assert (done.returncode, done.stderr) == (0, "")
    notes = [line for line in done.stdout.splitlines() if line.startswith("note: ")]
    assert len(notes) == (note is not None)
    assert note is None or notes[0].startswith(f"note: {note}")
    assert (tmp_path / "trace").exists()


def test_a_failure_in_a_file_with_crlf_is_shown_at_its_line(try_file: Cli) -> None:
    body = "---\ntitle: a\n---\n\n```python\nx = 1\nassert x == 2, 'no'\n```\n"
    done = try_file(body.replace("\n", "\r\n").encode())
    assert done.returncode == 1
    assert "failed: AssertionError at sample.md:7:8 (assertion)\n" in done.stdout


def test_paths_that_are_no_files(cmdpack: Cli, tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    (tmp_path / "full").mkdir()
    (tmp_path / "full" / "one.md").write_bytes(HEAD + FENCE)
    os.mkfifo(tmp_path / "pipe.md")
    (tmp_path / "loop.md").symlink_to("loop.md")
    run = ("run", "--sandbox", "off")

    def said(*words: str) -> subprocess.CompletedProcess[str]:
        return cmdpack(*run, *words, cwd=tmp_path)

    assert refused(said("./missing.md"), 2, "there is no file ./missing.md")
    assert refused(said("./empty"), 2, "./empty is a folder, not a command file")
    assert refused(said("full/"), 2, "full/ is a folder, not a command file")
    assert refused(said("full"), 2, "no command is named full")
    assert refused(said("--pack", "empty", "one"), 2, "empty: the folder holds no command files")
    assert refused(said("--pack", "gone", "one"), 2, "gone: does not exist")
    assert refused(said("--pack", "full/one.md", "one"), 2, "full/one.md: is not a folder")
    assert refused(said("./pipe.md"), 6, "pipe.md: this is not a regular file")
    assert refused(said("/dev/zero"), 6, "/dev/zero: this is not a regular file")
    assert refused(said("./loop.md"), 2, "there is no file ./loop.md")
    assert refused(said("full/one.md/two.md"), 2, "there is no file full/one.md/two.md")
    assert refused(said("x" * 300 + ".md"), 6, "")
    done = said("--pack", "full", "one")
    assert (done.returncode, done.stderr) == (0, "")


def test_the_nearest_file_is_named(cmdpack: Cli, tmp_path: Path) -> None:
    (tmp_path / "gradients.md").write_bytes(HEAD + FENCE)
    done = cmdpack("run", "--sandbox", "off", "./gradient.md", cwd=tmp_path)
    assert done.returncode == 2
    assert done.stderr.endswith("  help: did you mean gradients.md?\n")


@pytest.mark.parametrize(
    ("manifest", "code", "message"),
    [
        (b"[pack\n", 1, "pack/manifest.toml:1:6: "),
        (b"\xff\n", 1, "pack/manifest.toml:1:1: the manifest is not UTF-8"),
        (b"[pack]\nname = 3\n", None, ""),
    ],
    ids=["not TOML", "not UTF-8", "a value of another type"],
)
def test_manifests(
    cmdpack: Cli, tmp_path: Path, manifest: bytes, code: int | None, message: str
) -> None:
    (tmp_path / "pack").mkdir()
    (tmp_path / "pack" / "one.md").write_bytes(HEAD + FENCE)
    (tmp_path / "pack" / "manifest.toml").write_bytes(manifest)
    done = cmdpack("run", "--sandbox", "off", "--pack", "pack", "one", cwd=tmp_path)
    if code is None:
        assert (done.returncode, done.stderr) == (0, "")
        assert done.stdout.startswith("note: pack/manifest.toml:2:1: ")
    else:
        assert refused(done, code, message)


def test_dependencies_that_lead_nowhere(cmdpack: Cli, tmp_path: Path) -> None:
    files = {
        "a": "[b]",
        "b": "[c]",
        "c": "[a]",
        "misspelt": "[jax-inti]",
        "library": '["optax>=0.2"]',
        "itself": "[itself]",
    }
    for name, dependencies in files.items():
        head = f"---\ntitle: x\ndependencies: {dependencies}\n---\n\n".encode()
        (tmp_path / f"{name}.md").write_bytes(head + FENCE)

    def said(name: str) -> subprocess.CompletedProcess[str]:
        words = ("run", "--sandbox", "off", "--pack", ".", name)
        return cmdpack(*words, cwd=tmp_path)

    assert refused(said("a"), 2, "c.md:3:16: the dependencies go in a circle: a -> b -> c -> a")
    assert refused(said("itself"), 2, "itself.md:3:16: the dependencies go in a circle")
    assert refused(said("misspelt"), 2, "misspelt.md:3:16: ")
    assert "did you mean jax-init" in said("misspelt").stderr
    assert refused(said("library"), 2, "library.md:3:16: ")
    assert "requires: [optax>=0.2]" in said("library").stderr
    assert not (tmp_path / "trace").exists()


def test_one_name_in_two_packs(cmdpack: Cli, tmp_path: Path) -> None:
    for pack in ("left", "right"):
        (tmp_path / pack).mkdir()
        fence = FENCE.replace(b"'ran'", f"'{pack}'".encode())
        (tmp_path / pack / "one.md").write_bytes(HEAD + fence)
    run = ("run", "--sandbox", "off", "--pack", "left", "--pack", "right")
    assert refused(cmdpack(*run, "one", cwd=tmp_path), 2, "2 packs have a command named one: ")
    done = cmdpack(*run, "right:one", cwd=tmp_path)
    assert done.returncode == 0
    assert "\n    right\n" in done.stdout


def test_arguments_that_a_command_does_not_take(cmdpack: Cli, tmp_path: Path) -> None:
    head = b'---\ntitle: x\nargument-hint: "[--mode=fast|slow] [--loud]"\n---\n\n'
    (tmp_path / "one.md").write_bytes(head + FENCE)

    def said(*words: str) -> subprocess.CompletedProcess[str]:
        return cmdpack("run", "--sandbox", "off", "./one.md", *words, cwd=tmp_path)

    assert refused(said("--mdoe=fast"), 2, "one has no option --mdoe; did you mean --mode?")
    assert refused(said("--mode=fats"), 2, "--mode=fats is not a choice of one: ")
    assert "did you mean fast?" in said("--mode=fats").stderr
    assert refused(said("--loud", "--loud"), 2, "--loud is given twice")
    assert refused(said("stray"), 2, "")
    assert refused(said("--plan"), 2, "--plan is a flag of cmdpack and stands before the name")
    assert not (tmp_path / "trace").exists()


def test_a_plugin_that_raises_is_one_note_and_the_work_goes_on(
    cmdpack: Cli, tmp_path: Path, surroundings: dict[str, str]
) -> None:
    (tmp_path / "one.md").write_bytes(HEAD + FENCE)
    site = tmp_path / "site"
    info = site / "cmdpack_broken-1.0.dist-info"
    info.mkdir(parents=True)
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: cmdpack-broken\nVersion: 1.0\n")
    (info / "entry_points.txt").write_text("[cmdpack]\nbroken = cmdpack_broken\n")
    (site / "cmdpack_broken.py").write_text("print('noise')\n1 / 0\n")
    words = ("run", "--sandbox", "off", "./one.md")
    done = cmdpack(*words, cwd=tmp_path, env={"PYTHONPATH": str(site)})
    assert (done.returncode, done.stderr) == (0, "")
    notes = [line for line in done.stdout.splitlines() if line.startswith("note: ")]
    assert len(notes) == 1
    assert "cmdpack_broken.py:2:1" in notes[0]
    assert "plugin broken (distribution cmdpack-broken) raised ZeroDivisionError" in notes[0]
    assert "noise" not in done.stdout


@pytest.mark.parametrize(
    ("flags", "message"),
    [
        (["--timeout", "0"], "Invalid value for '--timeout'"),
        (["--timeout", "nan"], "Invalid value for '--timeout'"),
        (["--timeout", "soon"], "Invalid value for '--timeout'"),
        (["--emulate", "0"], "Invalid value for '--emulate'"),
        (["--emulate", "1025"], "Invalid value for '--emulate'"),
        (["--platform", "abacus"], "Invalid value for '--platform'"),
        (["--sandbox", "maybe"], "Invalid value for '--sandbox'"),
        (["--emulate", "2", "--platform", "cuda"], "--emulate makes CPU devices"),
        (["--json", "--events"], "--events goes with neither --json nor --plan"),
        (["--plan", "--events"], "--events goes with neither --json nor --plan"),
        (["--keep-going", "--fail-fast"], "--keep-going and --fail-fast contradict each other"),
        (["--python", "/bin/ls"], "/bin/ls: does not answer as a Python 3.11"),
    ],
)
def test_flags_that_make_no_sense(
    cmdpack: Cli, command_file: Callable[..., Path], flags: list[str], message: str
) -> None:
    path = command_file("print('ran')")
    assert refused(cmdpack("run", "--sandbox", "off", *flags, path), 2, message)


def test_no_name_at_all(cmdpack: Cli) -> None:
    assert refused(cmdpack("run"), 2, "Missing argument 'name'")


def test_output_that_cannot_be_written(
    command_file: Callable[..., Path], surroundings: dict[str, str]
) -> None:
    if not Path("/dev/full").exists():
        pytest.skip("no /dev/full")
    words = [sys.executable, "-m", "cmdpack", "run", "--sandbox", "off", command_file("print(1)")]
    with Path("/dev/full").open("w") as full:
        done = subprocess.run(
            words, stdout=full, stderr=subprocess.PIPE, text=True, env=surroundings, check=False
        )
    assert done.returncode == 6
    assert "Traceback" not in done.stderr
    assert "No space left on device" in done.stderr
