import os
import sys
import venv
from pathlib import Path

import pytest

from cmdpack import interpreters
from cmdpack.errors import CmdpackError, InputError, UsageError
from cmdpack.interpreters import Examination, choose
from cmdpack.parse import parse_command
from cmdpack.plan import Command, PackOrigin

OURS = "the Python that runs cmdpack"


@pytest.fixture(scope="module")
def bare(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An environment without any package."""
    folder = tmp_path_factory.mktemp("environments") / "bare"
    venv.create(folder, with_pip=False, symlinks=True)
    return folder


@pytest.fixture(scope="module")
def with_jax(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An environment that looks as if it had JAX, which nothing here imports."""
    folder = tmp_path_factory.mktemp("environments") / "with-jax"
    venv.create(folder, with_pip=False, symlinks=True)
    site = next(folder.glob("lib/python*/site-packages"))
    for name, version in {"jax": "0.9.1", "jaxlib": "0.9.0"}.items():
        (site / name).mkdir()
        (site / name / "__init__.py").write_text("raise SystemExit('imported')")
        (site / f"{name}-{version}.dist-info").mkdir()
    (site / "jax_plugins" / "xla_cuda13").mkdir(parents=True)
    return folder


def script(path: Path, text: str) -> str:
    path.write_text(f"#!/bin/sh\n{text}\n")
    path.chmod(0o755)
    return str(path)


def named(python: str | Path, environment: dict[str, str] | None = None) -> Examination:
    return choose(str(python), environment or {}, ())


def refusal(python: str | Path) -> CmdpackError:
    with pytest.raises(CmdpackError) as caught:
        named(python)
    return caught.value


# The Python that the user names


def test_by_the_path_of_a_program(bare: Path) -> None:
    python = named(bare / "bin" / "python").python
    assert python.executable == str(bare / "bin" / "python")
    assert python.chosen_because == "--python"
    assert python.versions == {}
    assert python.version.split(".")[:2] == [str(part) for part in sys.version_info[:2]]


def test_by_the_folder_of_an_environment(bare: Path) -> None:
    found = named(bare)
    assert found.python.executable == str(bare / "bin" / "python")
    assert not found.has_jax


def test_by_a_path_from_here(bare: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(bare.parent)
    assert named("bare").python.executable == str(bare / "bin" / "python")
    assert named("bare/bin/python").python.executable == str(bare / "bin" / "python")


def test_by_a_word_on_the_path(bare: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (bare / "bin" / "our-python").unlink(missing_ok=True)
    (bare / "bin" / "our-python").symlink_to("python")
    monkeypatch.setenv("PATH", f"{bare / 'bin'}{os.pathsep}{os.environ['PATH']}")
    assert named("our-python").python.executable == str(bare / "bin" / "our-python")


def test_what_the_user_names_goes_before_the_active_environment(bare: Path, with_jax: Path) -> None:
    assert named(bare, {"VIRTUAL_ENV": str(with_jax)}).python.chosen_because == "--python"


@pytest.mark.parametrize("word", ["no-such-python", "./no-such-python", "", "/dev/null"])
def test_one_that_does_not_exist(word: str) -> None:
    error = refusal(word)
    assert isinstance(error, InputError)
    assert "no such Python program" in str(error)


def test_a_folder_without_a_python(tmp_path: Path) -> None:
    error = refusal(tmp_path)
    assert isinstance(error, InputError)
    assert str(error).startswith(f"{tmp_path}: no such Python program\n  help: ")


def test_a_program_that_is_no_python(tmp_path: Path) -> None:
    error = refusal("/bin/ls")
    assert isinstance(error, UsageError)
    assert str(error).startswith("/bin/ls: does not answer as a Python 3.11 or newer would: ")
    (tmp_path / "data").write_text("neither a script nor a program")
    (tmp_path / "data").chmod(0o755)
    error = refusal(tmp_path / "data")
    assert isinstance(error, InputError)
    assert "cannot be started" in str(error)
    (tmp_path / "data").chmod(0o644)
    assert isinstance(refusal(tmp_path / "data"), InputError)


OLD = (
    '{"executable": "/old", "version": "3.9.18", "implementation": "cpython", "versions": {}, '
    '"has_jax": false, "accelerators": [], "examples": {}}'
)


def test_a_python_that_is_too_old(tmp_path: Path) -> None:
    error = refusal(script(tmp_path / "python", f"echo '{OLD}'"))
    assert isinstance(error, UsageError)
    assert error.message == "is Python 3.9.18; examples run under Python 3.11 or newer"
    error = refusal(script(tmp_path / "older", "echo 'Unknown option: -P' >&2; exit 2"))
    assert isinstance(error, UsageError)
    assert error.message.endswith(
        "does not answer as a Python 3.11 or newer would: Unknown option: -P"
    )


@pytest.mark.parametrize(
    "answer",
    ["", "{}", "[1]", "null", '{"version": 3}', OLD.replace("3.9.18", "new"), "{" * 5000],
)
def test_an_answer_that_makes_no_sense(tmp_path: Path, answer: str) -> None:
    error = refusal(script(tmp_path / "python", f"echo '{answer}'"))
    assert isinstance(error, UsageError)
    assert error.message == "does not answer as a Python 3.11 or newer would"


def test_a_python_that_does_not_answer(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(interpreters, "_ANSWER_SECONDS", 0.2)
    error = refusal(script(tmp_path / "python", "exec sleep 30"))
    assert isinstance(error, InputError)
    assert error.message == "did not answer within 0.2 s"


def test_a_python_that_prints_when_it_starts(bare: Path, tmp_path: Path) -> None:
    chatty = script(tmp_path / "chatty", f'echo "welcome"\nexec {bare}/bin/python "$@"')
    assert named(chatty).python.executable == str(bare / "bin" / "python")


# Without a name


def test_the_active_environment_if_it_has_jax(with_jax: Path) -> None:
    for variable in ("VIRTUAL_ENV", "CONDA_PREFIX"):
        found = choose(None, {variable: str(with_jax)}, ())
        assert found.has_jax
        assert found.python.executable == str(with_jax / "bin" / "python")
        assert found.python.chosen_because == f"the active environment ({variable})"
        assert found.python.versions == {"jax": "0.9.1", "jaxlib": "0.9.0"}
        assert found.python.accelerators == ("cuda",)


def test_one_without_jax_is_passed_over_and_that_is_said(bare: Path, with_jax: Path) -> None:
    python = choose(None, {"VIRTUAL_ENV": str(bare)}, ()).python
    assert python.executable == sys.executable
    assert python.chosen_because == f"{OURS}; {bare}/bin/python (VIRTUAL_ENV) has no JAX"
    both = {"VIRTUAL_ENV": str(bare), "CONDA_PREFIX": str(with_jax)}
    assert choose(None, both, ()).python.executable == str(with_jax / "bin" / "python")


def test_one_that_is_too_old_is_passed_over_and_that_is_said(tmp_path: Path) -> None:
    (tmp_path / "bin").mkdir()
    script(tmp_path / "bin" / "python", f"echo '{OLD}'")
    python = choose(None, {"VIRTUAL_ENV": str(tmp_path)}, ()).python
    assert python.executable == sys.executable
    assert "(VIRTUAL_ENV) is Python 3.9.18; examples run under" in python.chosen_because


@pytest.mark.parametrize("folder", ["", "/no/such/folder", sys.prefix])
def test_an_active_environment_that_is_none_or_our_own(folder: str) -> None:
    assert choose(None, {"VIRTUAL_ENV": folder}, ()).python.chosen_because == OURS


def test_an_environment_of_the_current_folder_is_never_taken(
    with_jax: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / ".venv").symlink_to(with_jax)
    monkeypatch.chdir(tmp_path)
    assert choose(None, {}, ()).python.executable == sys.executable


def test_modules_of_the_current_folder_are_not_looked_at(
    bare: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("jax", "jaxlib", "json", "platform"):
        (tmp_path / f"{name}.py").write_text("raise SystemExit('imported')")
    monkeypatch.chdir(tmp_path)
    assert not named(bare).has_jax


# What it says of the examples


def test_units_and_imports_are_what_that_python_sees(bare: Path) -> None:
    text = (
        "# T\n\n```python\nimport json.tool\nx = 1; y = 2\n```\n\n"
        "- a\n\n  ```python\n  def f():\n      from os import path\n  ```\n\n"
        "```python\nx = = 1\n```\n\n```python :no-run\nnot run\n```\n"
    )
    pack = PackOrigin(name="p", path="p.md", trust="user", source="p.md")
    command = Command(spec=parse_command(text, "p.md"), pack=pack)
    code = named_examination(bare, command).code
    assert list(code) == ["p.md/e1", "p.md/e2", "p.md/e3"]
    assert [(unit.line, unit.column) for unit in code["p.md/e1"].units] == [(4, 1), (5, 1), (5, 8)]
    assert code["p.md/e1"].imports == ("json",)
    [unit] = code["p.md/e2"].units
    assert (unit.line, unit.column, unit.end_line) == (11, 3, 12)
    assert code["p.md/e2"].imports == ("os",)
    error = code["p.md/e3"].error
    assert error is not None
    assert (error.line, error.column, error.message) == (16, 5, "invalid syntax")


def named_examination(python: Path, command: Command) -> Examination:
    return choose(str(python), {}, (command,))


@pytest.mark.parametrize("sign", ["dev/nvidiactl", "proc/driver/nvidia/version"])
def test_signs_of_an_nvidia_device(tmp_path: Path, sign: str) -> None:
    assert not interpreters.shows_nvidia(tmp_path)
    (tmp_path / sign).parent.mkdir(parents=True)
    (tmp_path / sign).write_text("")
    assert interpreters.shows_nvidia(tmp_path)
