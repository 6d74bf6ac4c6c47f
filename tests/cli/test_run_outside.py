"""``cmdpack run`` seen from outside: pipes, terminals, and what it costs its own process."""

import os
import pty
import re
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import psutil
import pytest

Write = Callable[..., Path]

NO_SANDBOX = ("run", "--sandbox", "off")


# Pipes and terminals


def test_a_closed_pipe_ends_it_quietly_and_leaves_no_process(
    command_file: Write, surroundings: dict[str, str]
) -> None:
    path = command_file(
        "import time\nwhile True:\n    print('line ' * 1000)\n    time.sleep(0.001)"
    )
    words = [sys.executable, "-m", "cmdpack", *NO_SANDBOX, str(path)]
    env = {**surroundings, "CMDPACK_TEST_MARK": str(path)}
    pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE}
    with subprocess.Popen(words, text=True, env=env, **pipes) as process:
        assert process.stdout is not None
        assert process.stderr is not None
        assert process.stdout.readline().startswith("sample (")
        process.stdout.close()
        assert process.stderr.read() == ""
    assert process.returncode == 141
    assert [it for it in psutil.process_iter() if _mark(it) == str(path)] == []


def _mark(process: psutil.Process) -> str | None:
    try:
        return process.environ().get("CMDPACK_TEST_MARK")
    except psutil.Error:
        return None


def at_a_terminal(words: list[str], env: dict[str, str]) -> tuple[int, str]:
    """Run a program at a pseudo-terminal. Returns its exit code, and all that it wrote."""
    terminal, end = pty.openpty()
    with subprocess.Popen(words, stdin=end, stdout=end, stderr=end, env=env) as process:
        os.close(end)
        written = b""
        try:
            while data := os.read(terminal, 65536):
                written += data
        except OSError:  # Linux says the end of a terminal so
            pass
    os.close(terminal)
    return process.returncode, written.decode()


def screen_of(written: str, width: int) -> list[str]:
    """The lines that a terminal of `width` columns shows in the end."""
    lines, row, column = [""], 0, 0
    for code, number, final, text in re.findall(
        r"(\x1b\[[?]?(\d*)[\d;]*([A-Za-z]))|([^\x1b])", written
    ):
        if final == "A":
            row = max(0, row - int(number or 1))
        elif final == "K":
            lines[row] = ""
        elif text == "\r":
            column = 0
        elif text == "\n" or (not code and column == width):
            row, column = row + 1, 0
            lines += [""] * (row + 1 - len(lines))
        if text and text not in "\r\n":
            lines[row] = f"{lines[row][:column]:{column}}{text}{lines[row][column + 1 :]}"
            column += 1
    return lines


@pytest.mark.parametrize("width", [40, 120])
def test_live_progress_leaves_only_the_report_behind(
    command_file: Write, surroundings: dict[str, str], width: int
) -> None:
    path = command_file(
        "import time\nprint('one')\ntime.sleep(0.3)", "print('\\x1b[2Jtwo')\nprint('x' * 30)"
    )
    words = [sys.executable, "-m", "cmdpack", *NO_SANDBOX, str(path)]
    env = {**surroundings, "TERM": "xterm-256color", "COLUMNS": str(width), "LINES": "30"}
    code, written = at_a_terminal(words, env)
    assert code == 0
    assert re.search(r"[1-4]/5", written)  # there was progress to see
    assert "\x1b[32mok: " in written
    assert written.count("\x1b[?25l") == written.count("\x1b[?25h") == 1
    shown = screen_of(written, width)
    text = "".join(line.ljust(width) if len(line) == width else f"{line}\n" for line in shown)
    plain = subprocess.run(
        [*words], env=surroundings, capture_output=True, text=True, check=True
    ).stdout
    times = re.compile(r"\d+\.\d\d")
    assert times.sub("#", text.rstrip("\n")) == times.sub("#", plain.rstrip("\n"))


def test_no_color_is_respected(command_file: Write, surroundings: dict[str, str]) -> None:
    words = [sys.executable, "-m", "cmdpack", *NO_SANDBOX, str(command_file("print('one')"))]
    env = {**surroundings, "TERM": "xterm-256color", "NO_COLOR": "1"}
    code, written = at_a_terminal(words, env)
    assert code == 0
    assert "ok: sample" in written
    assert set(re.findall(r"\x1b\[([\d;]*)m", written)) <= {"", "0", "1", "2"}


# What a run costs the parent

HEAVY = {"jax", "jaxlib", "numpy", "rich", "mcp"}


def imported(words: list[str], env: dict[str, str]) -> set[str]:
    """The packages that a program imports itself, its children not counted."""
    done = subprocess.run(
        [sys.executable, "-X", "importtime", *words],
        env=env,
        capture_output=True,
        text=True,
        check=True,
    )
    lines = re.findall(r"import time:.*\| +(\S+)", done.stderr)
    return {name.partition(".")[0] for name in lines}


def test_the_parent_imports_nothing_heavy(
    command_file: Write, surroundings: dict[str, str]
) -> None:
    words = ["-m", "cmdpack", *NO_SANDBOX, str(command_file("import numpy"))]
    found = imported(words, surroundings)
    assert "cmdpack" in found
    assert not found & HEAVY


def test_a_heavy_import_would_be_seen(surroundings: dict[str, str]) -> None:
    assert "numpy" in imported(["-c", "import numpy"], surroundings)
    assert "rich" in imported(["-c", "import rich.console"], surroundings)


@pytest.mark.skipif(sys.platform != "linux", reason="the peak of one process is read from /proc")
def test_the_parent_stays_small(command_file: Write, surroundings: dict[str, str]) -> None:
    meter = (
        "import pathlib, re, sys\n"
        "from cmdpack.__main__ import main\n"
        "code = main()\n"
        "status = pathlib.Path('/proc/self/status').read_text()\n"
        "print(re.search(r'VmHWM:\\s+(\\d+) kB', status)[1], file=sys.stderr)\n"
        "sys.exit(code)\n"
    )
    path = command_file("data = bytearray(200 << 20)\nprint(len(data))")
    done = subprocess.run(
        [sys.executable, "-c", meter, *NO_SANDBOX, str(path)],
        env=surroundings,
        capture_output=True,
        text=True,
        check=True,
    )
    assert f"    {200 << 20}\n" in done.stdout  # what the example takes is not the parent's
    assert 10 << 10 < int(done.stderr) < 80 << 10  # kB
