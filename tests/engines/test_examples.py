"""What examples may expect of Python, and where their positions are."""

import venv
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from cmdpack.events import (
    CommandStarted,
    OutputWritten,
    RunFinished,
    RunStarted,
    SectionFinished,
    UnitFinished,
    UnitStarted,
    WarningRaised,
)

Run = Callable[..., Any]


def test_events_come_in_order_and_end_with_the_result(run_code: Run) -> None:
    ran = run_code("print('one')\nprint('two')")
    kinds = [type(event) for event in ran.events]
    assert kinds[:3] == [RunStarted, CommandStarted, kinds[2]]
    assert kinds[-2:] == [SectionFinished, RunFinished]
    assert kinds.count(UnitStarted) == kinds.count(UnitFinished) == 2
    assert ran.result.outcome == "ok"
    assert ran.result.reason is None
    assert ran.result.ending.status == 0
    assert "".join(event.text for event in ran.only(OutputWritten)) == "one\ntwo\n"


# A real __main__


def test_an_example_is_the_main_program(run_code: Run) -> None:
    ran = run_code("""
        import sys, pickle, dataclasses, typing
        assert __name__ == "__main__" and sys.modules["__main__"].__dict__ is globals()
        assert sys.argv == [__file__] and __file__.endswith("sample.md")
        @dataclasses.dataclass
        class Point:
            x: int
            near: "Point | None" = None
        assert pickle.loads(pickle.dumps(Point(1))) == Point(1)
        assert typing.get_type_hints(Point)["near"] == Point | None
    """)
    assert set(ran.outcomes) == {"ok"}


@pytest.fixture
def commands(tmp_path: Path) -> Path:
    folder = tmp_path / "pack/commands"
    folder.mkdir(parents=True)
    return folder


def test_names_are_shared_between_fences_and_with_dependencies(
    commands: Path, run_file: Run
) -> None:
    (commands / "base.md").write_text("# Base\n\n```python\nshared = 40\n```\n")
    target = commands / "target.md"
    target.write_text(
        "---\ndependencies: [base]\n---\n# Target\n\n```python\nmore = shared + 1\n```\n\n"
        "Text.\n\n```python\nprint(more + 1, __file__)\n```\n"
    )
    ran = run_file(target)
    assert ran.stdout == f"42 {target}\n"
    assert [command.name for command in ran.result.commands] == ["base", "target"]


def test_future_imports_hold_to_the_end_of_the_file(run_code: Run) -> None:
    ran = run_code(
        "from __future__ import annotations\ndef f(x: undefined): ...",
        "def g(x: undefined_too): ...\nprint(g.__annotations__)",
    )
    assert ran.stdout == "{'x': 'undefined_too'}\n"


def test_future_imports_end_with_their_file(commands: Path, run_file: Run) -> None:
    (commands / "base.md").write_text(
        "# Base\n\n```python\nfrom __future__ import annotations\n```\n"
    )
    target = commands / "target.md"
    target.write_text(
        "---\ndependencies: [base]\n---\n# Target\n\n"
        "```python\ndef f(x: int): ...\nprint(f.__annotations__)\n```\n"
    )
    assert run_file(target).stdout == "{'x': <class 'int'>}\n"


def test_only_a_string_at_the_beginning_is_the_docstring(run_code: Run) -> None:
    ran = run_code('"The docstring."\nprint(__doc__)\n"later"\nprint(__doc__)')
    assert ran.stdout == "The docstring.\n" * 2


def test_source_is_visible_to_inspect(run_code: Run) -> None:
    ran = run_code("""
        import inspect, linecache
        def f():
            "é"
            return 1
        class C:
            def m(self): ...
        print(inspect.getsource(f), inspect.getsource(C), end="")
        linecache.checkcache()
        assert linecache.getline(__file__, f.__code__.co_firstlineno) == "def f():\\n"
        linecache.clearcache()
        assert linecache.getline(__file__, f.__code__.co_firstlineno) == "def f():\\n"
    """)
    assert ran.stdout == 'def f():\n    "é"\n    return 1\n class C:\n    def m(self): ...\n'
    assert set(ran.outcomes) == {"ok"}


@pytest.mark.parametrize("prefix", ["   ", "> "])
def test_source_of_an_inner_fence_is_visible_too(
    tmp_path: Path, run_file: Run, prefix: str
) -> None:
    code = "import inspect\nclass C:\n    x = 1\nprint(inspect.getsource(C))\n1 / 0"
    lines = ["```python", *code.splitlines(), "```"]
    opening = "1. Item:\n\n" if prefix.isspace() else ""
    path = tmp_path / "inner.md"
    path.write_text(f"# Inner\n\n{opening}" + "".join(f"{prefix}{line}\n" for line in lines))
    ran = run_file(path)
    printed = [line.strip() for line in ran.stdout.splitlines() if line.strip()]
    assert printed == ["class C:", "x = 1"]
    frame = ran.last.error.frames[-1]
    source = path.read_text().splitlines()[frame.line - 1]
    assert source[frame.column - 1 : frame.end_column - 1] == "1 / 0"
    assert frame.source[frame.column - 1 : frame.end_column - 1] == "1 / 0"
    assert (ran.last.line, ran.last.column) == (frame.line, len(prefix) + 1)
    assert (ran.last.end_line, ran.last.end_column) == (frame.line, len(prefix) + 6)


def test_nothing_of_cmdpack_and_not_the_folder_is_on_the_path(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, run_code: Run
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "secret_module.py").write_text("")
    ran = run_code("""
        import sys, os
        assert not {"", os.getcwd()} & set(sys.path), sys.path
        assert not any("child" in folder for folder in sys.path), sys.path
        import secret_module
    """)
    assert ran.last.error.type == "ModuleNotFoundError"
    assert ran.last.kind == "package-missing"


# Failures


def test_a_failure_stops_the_run_and_skips_the_rest(run_code: Run) -> None:
    ran = run_code("a = 1\nassert a == 2, 'not two'\nprint('never')", "print('never')")
    assert ran.outcomes == ["ok", "failed", "skipped", "skipped"]
    assert ran.last.kind == "assertion"
    assert ran.last.error.message == "not two"
    assert ran.result.units[-1].reason.startswith("the run stopped at ")
    assert ran.result.outcome == "failed"
    assert ran.result.ending.status == 0


def test_a_traceback_has_the_lines_of_the_file(run_code: Run) -> None:
    ran = run_code("""
        def inner(x):
            return {"é": x}["ü"]

        def outer(x):
            return "日本", inner(x)

        outer(1)
    """)
    path = Path(ran.last.file)
    lines = path.read_text().splitlines()
    frames = ran.last.error.frames
    assert [frame.function for frame in frames] == ["<module>", "outer", "inner"]
    spans = [lines[f.line - 1][f.column - 1 : f.end_column - 1] for f in frames]
    assert spans == ["outer(1)", "inner(x)", '{"é": x}["ü"]']
    assert [frame.source for frame in frames] == [lines[f.line - 1] for f in frames]
    assert {frame.file for frame in frames} == {str(path)}
    assert (ran.last.error.line, ran.last.error.column) == (frames[-1].line, frames[-1].column)
    assert ran.last.error.type == "KeyError"


def test_frames_of_libraries_are_told_from_the_examples(run_code: Run) -> None:
    ran = run_code("import json\njson.loads('{')")
    origins = [frame.origin for frame in ran.last.error.frames]
    assert origins[0] == "example"
    assert set(origins[1:]) == {"library"}
    assert not any("cmdpack" in frame.file for frame in ran.last.error.frames)


@pytest.mark.parametrize(
    ("statement", "kind", "outcome"),
    [
        ("raise KeyboardInterrupt", "interrupt", "failed"),
        ("raise SystemExit(3)", "exit", "failed"),
        ("raise SystemExit('words')", "exit", "failed"),
        ("raise SystemExit([])", "exit", "failed"),
        ("raise MemoryError", None, "out-of-memory"),
        ("raise RuntimeError('RESOURCE_EXHAUSTED: out of HBM')", None, "out-of-memory"),
        ("import no_such_module", "package-missing", "failed"),
        ("eval('1 +')", "not-python", "failed"),
        ("raise ValueError('\\udc80 lone')", "other", "failed"),
        ("raise type('E', (Exception,), {'__module__': []})", "other", "failed"),
        ("raise type('E', (Exception,), {'__str__': lambda self: 1 / 0})", "other", "failed"),
        ("raise type('E', (Exception,), {'__notes__': 3})", "other", "failed"),
        ("(i for i in ()).throw(ValueError)", "other", "failed"),
        ("exec(compile('1/0', 'x', 'exec').replace(co_linetable=b''))", "other", "failed"),
        ("def f(): f()\nf()", "other", "failed"),
        ("raise ExceptionGroup('many', [ValueError(1)])", "other", "failed"),
    ],
)
def test_every_exception_is_a_failure_with_its_kind(
    run_code: Run, statement: str, kind: str | None, outcome: str
) -> None:
    ran = run_code(f"print('before')\n{statement}\nprint('after')")
    assert (ran.last.outcome, ran.last.kind) == (outcome, kind)
    assert ran.result.outcome == outcome
    assert ran.outcomes[-1] == "skipped"
    assert ran.stdout == "before\n"
    assert ran.result.ending.status == 0
    assert ran.last.error.line == ran.last.line or statement.startswith("def")


@pytest.mark.parametrize("status", ["", "0", "None", "False"])
def test_an_exit_without_an_error_skips_the_rest_and_passes(run_code: Run, status: str) -> None:
    ran = run_code("import sys", f"sys.exit({status})", "print('never')")
    assert ran.outcomes == ["ok", "ok", "skipped"]
    assert ran.result.units[-1].reason == "exited"
    assert ran.result.outcome == "ok"


# Warnings


def test_a_warning_points_at_the_line_of_the_file(run_code: Run) -> None:
    ran = run_code(
        "x = 1",
        """
        import warnings
        def warn(level):
            warnings.warn("soon gone \\udc80", stacklevel=level)
        warn(2)
        warn(9)
        print("printed")
        """,
    )
    path = Path(ran.last.file)
    lines = path.read_text().splitlines()
    found = [event.warning for event in ran.only(WarningRaised)]
    assert [warning.file for warning in found] == [str(path)] * 2
    assert [lines[warning.line - 1] for warning in found] == ["warn(2)", "warn(9)"]
    assert [unit.warnings for unit in ran.result.units if unit.warnings] == [
        (warning,) for warning in found
    ]
    assert found[0].category == "UserWarning"
    assert ran.text("stderr") == ""


def test_what_the_compiler_warns_of_belongs_to_its_unit(run_code: Run) -> None:
    ran = run_code("x = 1", "y = 2\n\nz = (\n  y is 1\n)")
    [event] = ran.only(WarningRaised)
    assert event.warning.category == "SyntaxWarning"
    lines = Path(ran.last.file).read_text().splitlines()
    assert "y is 1" in lines[event.warning.line - 1]
    assert event.unit == ran.result.units[-1].id


def test_what_the_parser_warns_of_has_the_lines_of_the_file(run_code: Run) -> None:
    ran = run_code("import warnings\nwarnings.simplefilter('always')", "a = 1\nb = '\\d'; c = 3")
    [event] = ran.only(WarningRaised)
    lines = Path(ran.last.file).read_text().splitlines()
    assert "'\\d'" in lines[event.warning.line - 1]
    assert event.unit == ran.result.units[-2].id


def test_a_loop_that_warns_loses_nothing_and_floods_nothing(run_code: Run) -> None:
    ran = run_code("""
        import warnings
        warnings.simplefilter("always")
        for i in range(1000): warnings.warn(f"number {i}")
    """)
    assert ran.result.outcome == "ok"
    assert len(ran.only(WarningRaised)) < 500
    told = "".join(event.warning.message for event in ran.only(WarningRaised))
    assert "number 0" in told
    assert "number 999" in ran.text("stderr")


def test_examples_may_record_their_warnings(run_code: Run) -> None:
    ran = run_code("""
        import warnings
        with warnings.catch_warnings(record=True) as caught:
            warnings.warn("mine")
        print(len(caught))
    """)
    assert ran.stdout == "1\n"
    assert ran.only(WarningRaised) == []


# Output


@pytest.mark.parametrize(
    ("statement", "text"),
    [
        ("print('no newline', end='')", "no newline"),
        ("sys.stdout.buffer.write(b'a\\xff\\n')", "a\N{REPLACEMENT CHARACTER}\n"),
        ("sys.stdout.buffer.write('é'.encode()[:1])", "\N{REPLACEMENT CHARACTER}"),
        ("print('é\\x00\\x1b', chr(0x1F600))", "é\x00\x1b \N{GRINNING FACE}\n"),
        ("print('\\udcff')", "\N{REPLACEMENT CHARACTER}\n"),
        ("for _ in range(300_000): sys.stdout.write('x')", "x" * 300_000),
        ("print('y' * 3_000_000)", "y" * 3_000_000 + "\n"),
        ("os.write(1, b'native')", "native"),
        ("subprocess.run(['sh', '-c', 'echo shell'])", "shell\n"),
        ("os.write(1, 'é'.encode()[:1])", "\N{REPLACEMENT CHARACTER}"),
        ("print('to stderr', file=sys.stderr)", ""),
    ],
)
def test_what_is_printed_arrives_whole(run_code: Run, statement: str, text: str) -> None:
    ran = run_code("import sys, os, subprocess", statement)
    assert ran.outcomes == ["ok", "ok"]
    assert ran.stdout == text


def test_output_belongs_to_the_unit_that_wrote_it(run_code: Run) -> None:
    count = 20
    lines = [
        f"print('p{i}'); os.write(1, b'n{i}'); os.system('echo s{i}'); print('e{i}', file=err)"
        for i in range(count)
    ]
    units = run_code("import os; from sys import stderr as err", *lines).result.units[2:]
    for i in range(count):
        texts = ["".join(part.text for part in unit.printed) for unit in units[4 * i : 4 * i + 4]]
        assert texts == [f"p{i}\n", f"n{i}", f"s{i}\n", f"e{i}\n"]


def test_output_of_threads_and_exit_handlers_goes_to_the_last_unit(run_code: Run) -> None:
    ran = run_code("""
        import atexit, threading, time
        atexit.register(print, "from the exit handler")
        threading.Thread(target=lambda: (time.sleep(0.1), print("from the thread"))).start()
    """)
    assert ran.result.outcome == "ok"
    printed = "".join(part.text for part in ran.result.units[-1].printed)
    assert printed == "from the thread\nfrom the exit handler\n"


def test_surrogates_that_cannot_be_printed_fail_as_in_python(run_code: Run) -> None:
    ran = run_code("print('\\ud800')")
    assert ran.last.error.type == "UnicodeEncodeError"


# The Python


def test_the_examples_run_in_a_python_without_cmdpack(tmp_path: Path, run_code: Run) -> None:
    venv.create(tmp_path / "bare", with_pip=False, symlinks=True)
    ran = run_code(
        """
        import sys
        print(sys.prefix)
        assert not any("cmdpack" in folder for folder in sys.path), sys.path
        import cmdpack
        """,
        python=str(tmp_path / "bare"),
    )
    assert ran.stdout == f"{tmp_path / 'bare'}\n"
    assert ran.last.error.message == "No module named 'cmdpack'"
    assert ran.result.python.executable == str(tmp_path / "bare/bin/python")
