"""``cmdpack run``, as a user types it, with examples that need no JAX."""

import itertools
import json
import re
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest
from pydantic import TypeAdapter

from cmdpack.events import Event
from cmdpack.plan import Plan
from cmdpack.result import RunResult

Cli = Callable[..., subprocess.CompletedProcess[str]]
Write = Callable[..., Path]

NO_SANDBOX = ("run", "--sandbox", "off")


# The forms of a report


def test_text_shows_titles_output_and_one_line_of_evidence(
    cmdpack: Cli, command_file: Write
) -> None:
    path = command_file("print('one')\nprint('two')", "import sys\nprint('three', file=sys.stderr)")
    done = cmdpack(*NO_SANDBOX, path)
    assert (done.returncode, done.stderr) == (0, "")
    head, *middle, evidence = done.stdout.splitlines()
    assert head == f"sample ({path.parent.name}, {path}, asked for)"
    assert middle == ["  Sample", "    one", "    two", "  Sample", "    three"]
    assert re.fullmatch(
        r"ok: sample: 2 of 2 sections, 4 of 4 units; 0 executables \(0 from the cache\); "
        r"no device used; \d+\.\d\d s: import 0\.\d\d, "
        r"trace 0\.00, lower 0\.00, compile 0\.00, run 0\.\d\d; .*"
        rf"Python {sys.version.split()[0]} \({re.escape(sys.executable)}\); sandbox off",
        evidence,
    )


def test_verbose_reports_every_unit(cmdpack: Cli, command_file: Write) -> None:
    path = command_file("x = 1\nprint(x)")
    shown = cmdpack(*NO_SANDBOX, "-v", path).stdout
    assert [line.split()[:2] for line in shown.splitlines() if line.startswith("    ok")] == [
        ["ok", "8:1"],
        ["ok", "9:1"],
    ]


def test_json_is_one_document_of_the_schema(cmdpack: Cli, command_file: Write) -> None:
    path = command_file("print('\\x1b[31mred')\nx = 1")
    done = cmdpack(*NO_SANDBOX, "--json", path)
    assert (done.returncode, done.stderr) == (0, "")
    result = RunResult.model_validate_json(done.stdout)
    assert json.loads(done.stdout) == json.loads(result.model_dump_json())
    assert (result.outcome, result.command, result.sandbox) == ("ok", "sample", "off")
    assert [unit.id for unit in result.units] == ["sample:8:1", "sample:9:1"]
    assert result.units[0].printed[0].text == "\x1b[31mred\n"
    assert result.python.chosen_because == "the Python that runs cmdpack"


def test_json_of_a_failure(cmdpack: Cli, command_file: Write) -> None:
    path = command_file("x = 1\nassert x == 2, 'no'\nprint('never')")
    done = cmdpack(*NO_SANDBOX, "--json", path)
    assert (done.returncode, done.stderr) == (1, "")
    result = RunResult.model_validate_json(done.stdout)
    assert [unit.outcome for unit in result.units] == ["ok", "failed", "skipped"]
    failed = result.units[1]
    assert failed.error is not None
    assert (failed.file, failed.line, failed.error.type) == (str(path), 9, "AssertionError")
    assert failed.kind == "assertion"


def test_events_are_json_lines_that_end_with_the_result(cmdpack: Cli, command_file: Write) -> None:
    done = cmdpack(*NO_SANDBOX, "--events", command_file("print('one')\n1 / 0"))
    assert (done.returncode, done.stderr) == (1, "")
    adapter: TypeAdapter[Event] = TypeAdapter(Event)
    events = [adapter.validate_json(line) for line in done.stdout.splitlines()]
    names = [event.event for event in events]
    assert [name for name, _ in itertools.groupby(names)] == [
        "run-started",
        "command-started",
        "section-started",
        "unit-started",
        "output",
        "unit-finished",
        "unit-started",
        "unit-finished",
        "section-finished",
        "run-finished",
    ]


def test_events_come_while_the_run_goes_on(
    command_file: Write, surroundings: dict[str, str]
) -> None:
    path = command_file("print('first')", "import time\ntime.sleep(60)")
    words = [sys.executable, "-m", "cmdpack", *NO_SANDBOX, "--events", str(path)]
    with subprocess.Popen(words, stdout=subprocess.PIPE, text=True, env=surroundings) as process:
        assert process.stdout is not None
        for line in process.stdout:
            if json.loads(line)["event"] == "output":
                break
        process.send_signal(signal.SIGINT)
        rest = [json.loads(line) for line in process.stdout]
    assert process.returncode == 130
    assert rest[-1]["event"] == "run-finished"
    assert rest[-1]["result"]["outcome"] == "cancelled"


# The plan


@pytest.fixture
def tracing(command_file: Write, tmp_path: Path) -> Path:
    """A command that leaves a file behind when it runs."""
    return command_file(f"open({str(tmp_path / 'trace')!r}, 'w').close()")


def test_a_plan_runs_nothing(cmdpack: Cli, tracing: Path, tmp_path: Path) -> None:
    done = cmdpack(*NO_SANDBOX, "--plan", tracing)
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.startswith("plan: sample\n")
    assert f"1. sample (asked for) {tracing}\n" in done.stdout
    assert "  Sample  lines 8-8  1 units\n" in done.stdout
    assert not (tmp_path / "trace").exists()
    assert cmdpack(*NO_SANDBOX, tracing).returncode == 0
    assert (tmp_path / "trace").exists()


def test_a_plan_with_an_unknown_engine_is_refused(cmdpack: Cli, command_file: Write) -> None:
    path = command_file("x = 1", keys="title: x\nengine: warp")
    done = cmdpack(*NO_SANDBOX, "--plan", path)
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr.startswith(f"error: {path}:3:1: no engine is named warp\n")


@pytest.mark.parametrize("flag", ["--plan", "--verbose", "-v", "--sandbox", "--pack", "--platform"])
def test_a_flag_of_the_runners_after_the_name_is_known(
    cmdpack: Cli, command_file: Write, flag: str
) -> None:
    done = cmdpack(*NO_SANDBOX, command_file("x = 1"), flag)
    assert done.returncode == 2
    assert f"{flag} is a flag of cmdpack and stands before the name" in done.stderr


def test_a_plan_as_json_holds_everything(cmdpack: Cli, tracing: Path, tmp_path: Path) -> None:
    done = cmdpack(*NO_SANDBOX, "--timeout", "7", "--plan", "--json", tracing)
    assert (done.returncode, done.stderr) == (0, "")
    plan = Plan.model_validate_json(done.stdout)
    assert json.loads(done.stdout) == json.loads(plan.model_dump_json())
    assert (plan.timeout, plan.trust, plan.sandbox) == (7.0, "user", "off")
    assert not (tmp_path / "trace").exists()


def test_the_plan_that_a_run_starts_with_is_the_one_that_is_shown(
    cmdpack: Cli, tracing: Path
) -> None:
    shown = json.loads(cmdpack(*NO_SANDBOX, "--plan", "--json", tracing).stdout)
    started = json.loads(cmdpack(*NO_SANDBOX, "--events", tracing).stdout.splitlines()[0])
    assert started["plan"] == shown


# Exit codes


@pytest.mark.parametrize(
    ("code", "outcome", "exit_code"),
    [
        ("x = 1", "ok", 0),
        ("1 / 0", "failed", 1),
        ("raise SystemExit(0)", "ok", 0),
        ("raise SystemExit(3)", "failed", 1),
        ("import os\nos._exit(0)", "crashed", 1),
        ("raise KeyboardInterrupt", "failed", 1),
        ("raise MemoryError", "out-of-memory", 1),
    ],
)
def test_exit_codes(
    cmdpack: Cli, command_file: Write, code: str, outcome: str, exit_code: int
) -> None:
    done = cmdpack(*NO_SANDBOX, command_file(code))
    assert (done.returncode, done.stderr) == (exit_code, "")
    assert done.stdout.splitlines()[-1].startswith(f"{outcome}: sample: ")


def test_the_timeout_is_kept(cmdpack: Cli, command_file: Write) -> None:
    path = command_file("import time\ntime.sleep(60)")
    start = time.monotonic()
    done = cmdpack(*NO_SANDBOX, "--timeout", "0.5", path)
    assert time.monotonic() - start < 20
    assert done.returncode == 1
    assert f"timeout: {path}:9:1: the run's 0.5 s were over\n" in done.stdout


@pytest.mark.parametrize("flags", [(), ("--plan",), ("--json",)])
def test_code_of_others_runs_in_a_sandbox_or_not_at_all(
    cmdpack: Cli, tracing: Path, tmp_path: Path, flags: tuple[str, ...]
) -> None:
    done = cmdpack("run", *flags, tracing)
    if done.returncode == 4:
        assert done.stdout == ""
        assert done.stderr.startswith(f"error: {tracing}: code from outside the built-in pack")
        assert "--sandbox off" in done.stderr
    else:
        assert "full" in done.stdout
    assert not (tmp_path / "trace").exists()


@pytest.mark.parametrize("flag", ["--trace", "--dump-hlo"])
def test_nothing_is_recorded_from_a_sandbox(cmdpack: Cli, tracing: Path, flag: str) -> None:
    done = cmdpack("run", flag, "new", tracing, cwd=tracing.parent)
    assert done.returncode == 2
    assert done.stderr.startswith(f"error: {flag} writes a folder, and nothing leaves a sandbox")


CAUSE = (
    "jax.pmap takes the function itself first; it cannot be called with options alone and used "
    "as a decorator"
)


def test_a_failure_is_explained_at_its_place(cmdpack: Cli, command_file: Write) -> None:
    pytest.importorskip("jax")
    path = command_file(
        "import functools\nimport jax",
        """
        @jax.pmap(axis_name="i")
        def parallel(x):
            return jax.lax.psum(x, "i")
        """,
    )
    done = cmdpack(*NO_SANDBOX, path)
    assert (done.returncode, done.stderr) == (1, "")
    assert done.stdout.splitlines()[2:-1] == [
        "  Sample",
        f"failed: TypeError at {path}:15:2 (api)",
        '  15 | @jax.pmap(axis_name="i")',
        "     |  ^^^^^^^^^^^^^^^^^^^^^^^",
        "  pmap() missing 1 required positional argument: 'fun'",
        f"  cause: {CAUSE}",
        '  next:  write @functools.partial(jax.pmap, axis_name="i")',
    ]


# Dependencies and words


def test_a_dependency_runs_first_and_shares_its_names(cmdpack: Cli, tmp_path: Path) -> None:
    (tmp_path / "base.md").write_text("---\ntitle: Base\n---\n\n# Base\n\n```python\nn = 41\n```\n")
    (tmp_path / "top.md").write_text(
        "---\ntitle: Top\ndependencies: [base]\n---\n\n# Top\n\n```python\nprint(n + 1)\n```\n"
    )
    done = cmdpack(*NO_SANDBOX, "--pack", ".", "top", cwd=tmp_path)
    assert done.returncode == 0
    lines = done.stdout.splitlines()
    pack = tmp_path.name
    assert lines[:2] == [f"base ({pack}, --pack ., needed by top)", "  Base"]
    assert lines[2:5] == [f"top ({pack}, --pack ., asked for)", "  Top", "    42"]


@pytest.fixture
def twins(tmp_path: Path) -> Callable[[str, str], None]:
    """Write two packs with a command foo: that of pb, which that of pa depends on."""

    def write(first: str, second: str) -> None:
        for pack, keys, code in (
            ("pa", "title: x\ndependencies: ['pb:foo']", second),
            ("pb", "title: x\ntags: a", first),
        ):
            (tmp_path / pack).mkdir()
            text = f"---\n{keys}\n---\n\n# Foo\n\n```python\n{code}\n```\n"
            (tmp_path / pack / "foo.md").write_text(text)

    return write


TWINS = (*NO_SANDBOX, "--pack", "pa", "--pack", "pb")


def test_two_commands_of_one_name_both_run(
    cmdpack: Cli, tmp_path: Path, twins: Callable[[str, str], None]
) -> None:
    twins("print('first')", "print('second')")
    done = cmdpack(*TWINS, "pa:foo", cwd=tmp_path)
    assert (done.returncode, done.stderr) == (0, "")
    *lines, evidence = done.stdout.splitlines()
    assert lines == [
        "pb:foo (pb, --pack pb, needed by pa:foo)",
        "  Foo",
        "    first",
        "pa:foo (pa, --pack pa, asked for)",
        "  Foo",
        "    second",
    ]
    assert evidence.startswith("ok: pa:foo: 2 of 2 sections, 2 of 2 units; ")


def test_a_failure_is_that_of_the_file_that_it_is_in(
    cmdpack: Cli, tmp_path: Path, twins: Callable[[str, str], None]
) -> None:
    twins("1 / 0", "print('second')")
    done = cmdpack(*TWINS, "--json", "pa:foo", cwd=tmp_path)
    result = RunResult.model_validate_json(done.stdout)
    assert (done.returncode, result.outcome, result.command) == (1, "failed", "pa:foo")
    assert [(it.id, it.command, it.file, it.outcome) for it in result.units] == [
        ("pb:foo:9:1", "pb:foo", "pb/foo.md", "failed"),
        ("pa:foo:9:1", "pa:foo", "pa/foo.md", "skipped"),
    ]
    assert [(it.id, it.name, it.outcome) for it in result.commands] == [
        ("pb:foo", "foo", "failed"),
        ("pa:foo", "foo", "skipped"),
    ]
    assert [it.command for it in result.sections] == ["pb:foo", "pa:foo"]


def test_a_file_can_have_the_names_of_what_it_depends_on(cmdpack: Cli, tmp_path: Path) -> None:
    for folder, keys, word in (("one", "tags: a", "base"), ("two", "dependencies: [p:foo]", "top")):
        (tmp_path / folder / "p").mkdir(parents=True)
        text = f"---\ntitle: x\n{keys}\n---\n\n# Foo\n\n```python\nprint('{word}')\n```\n"
        (tmp_path / folder / "p" / "foo.md").write_text(text)
    words = (*NO_SANDBOX, "--pack", "one/p", "two/p/foo.md")
    done = cmdpack(*words, cwd=tmp_path)
    assert (done.returncode, done.stderr) == (0, "")
    *lines, _ = done.stdout.splitlines()
    assert lines == [
        "one/p/foo.md (p, --pack one/p, needed by two/p/foo.md)",
        "  Foo",
        "    base",
        "two/p/foo.md (p, two/p/foo.md, asked for)",
        "  Foo",
        "    top",
    ]


def test_a_dependency_that_fails_ends_the_run(cmdpack: Cli, tmp_path: Path) -> None:
    (tmp_path / "base.md").write_text("---\ntitle: Base\n---\n\n```python\n1 / 0\n```\n")
    (tmp_path / "top.md").write_text(
        "---\ntitle: Top\ndependencies: [base]\n---\n\n```python\nprint('no')\n```\n"
    )
    done = cmdpack(*NO_SANDBOX, "--json", "--pack", ".", "top", cwd=tmp_path)
    result = RunResult.model_validate_json(done.stdout)
    assert done.returncode == 1
    assert [(it.name, it.outcome) for it in result.commands] == [
        ("base", "failed"),
        ("top", "skipped"),
    ]


def test_what_an_option_does_not_do_is_said(cmdpack: Cli, tmp_path: Path) -> None:
    (tmp_path / "one.md").write_text(
        '---\ntitle: x\nargument-hint: "[--mode=fast|slow] [--intelligent]"\n---\n\n'
        "# One\n\n## Fast\n\n```python\nprint(1)\n```\n"
    )
    words = ("--mode=fast", "--intelligent")
    done = cmdpack(*NO_SANDBOX, "./one.md", *words, cwd=tmp_path)
    assert done.returncode == 0
    notes = [line for line in done.stdout.splitlines() if line.startswith("note: ")]
    assert notes == [
        "note: --intelligent: concerns only an assistant, no effect on a run",
    ]


# After a failure


def test_going_on_tells_each_failure_whole_and_what_is_blocked_in_a_line(
    cmdpack: Cli, command_file: Write
) -> None:
    path = command_file("a = 1 / 0\nb = a\nc = b\nprint('on')", "1 / 0")
    done = cmdpack(*NO_SANDBOX, "--keep-going", path)
    assert done.returncode == 1
    lines = done.stdout.splitlines()
    assert sum(line.startswith("failed: ZeroDivisionError at ") for line in lines) == 2
    assert [line for line in lines if "blocked" in line] == [
        "blocked: 2 units (lines 9, 10): for want of what failed at sample.md:8"
    ]
    assert "    on" in lines
    assert lines[-1].startswith("failed: sample: 0 of 2 sections, 1 of 5 units; ")


def test_verbose_tells_what_every_blocked_unit_needs(cmdpack: Cli, command_file: Write) -> None:
    path = command_file("a = 1 / 0\nb = a\nc = b")
    lines = cmdpack(*NO_SANDBOX, "--keep-going", "-v", path).stdout.splitlines()
    told = [line.partition(": needs ")[2] for line in lines if ": needs " in line]
    assert told == [
        "a, which failed at sample.md:8",
        "b, which needs what failed at sample.md:8",
    ]


def test_stopping_says_what_would_go_on(cmdpack: Cli, command_file: Write) -> None:
    path = command_file("1 / 0\nprint('never')", "print('never')")
    for flags in ((), ("--fail-fast",)):
        lines = cmdpack(*NO_SANDBOX, *flags, path).stdout.splitlines()
        stopped = f"the run stopped at {path}:8; --keep-going runs on"
        assert lines[-3:-1] == [f"skipped: Sample: {stopped}", f"skipped: 1 unit: {stopped}"]


def test_the_plan_says_what_comes_after_a_failure(cmdpack: Cli, command_file: Write) -> None:
    path = command_file("print(1)")
    shown = [cmdpack(*NO_SANDBOX, "--plan", *it, path).stdout for it in ((), ("--keep-going",))]
    assert "at a failure   the run stops\n" in shown[0]
    assert "at a failure   what does not need it still runs\n" in shown[1]
    own = [cmdpack("run", "--plan", "--json", *it, "jax-init") for it in ((), ("--fail-fast",))]
    assert [Plan.model_validate_json(it.stdout).keep_going for it in own] == [True, False]


# Escaping

NASTY = "\x1b]0;title\x07\x1b[2J\u202egnp.exe\u202c\rover\x9b31m\x00"


@pytest.mark.parametrize("flags", [(), ("-v",)])
def test_what_examples_print_cannot_move_the_cursor(
    cmdpack: Cli, command_file: Write, flags: tuple[str, ...]
) -> None:
    path = command_file(
        f"print({NASTY!r})",
        f"import warnings\nwarnings.warn({NASTY!r})",
        f"raise type({'E' + NASTY[:5]!r}, (Exception,), {{}})({NASTY!r})",
    )
    done = cmdpack(*NO_SANDBOX, *flags, path)
    assert done.returncode == 1
    assert not set(re.findall(r"[^\x20-\x7e\n]", done.stdout))
    shown = r"\u001b]0;title\u0007\u001b[2J\u202egnp.exe\u202c{}over\u009b31m\u0000"
    assert done.stdout.count(shown.format(r"\u000d")) == 2  # printed, and said by the exception
    assert done.stdout.count(shown.format(" ")) == 1  # warned, on one line


def test_text_in_a_pipe_has_no_escape_codes(cmdpack: Cli, command_file: Write) -> None:
    done = cmdpack(*NO_SANDBOX, command_file("print(1)\n1 / 0"), env={"FORCE_COLOR": "1"})
    assert "\x1b" not in done.stdout


def test_text_that_the_encoding_lacks_is_no_crash(cmdpack: Cli, command_file: Write) -> None:
    env = {"PYTHONIOENCODING": "ascii", "PYTHONUTF8": "0"}
    done = cmdpack(*NO_SANDBOX, command_file("print('\u00b5s \U0001f600')"), env=env)
    assert done.returncode == 0
    assert r"\xb5s \U0001f600" in done.stdout
