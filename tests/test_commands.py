"""The built-in pack is honest: its examples run, assert, and execute what they define."""

import ast
import importlib.util
import json
import subprocess
import sys
import textwrap
import zipfile
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from cmdpack.arguments import read_arguments
from cmdpack.dependencies import chain
from cmdpack.plan import Command
from cmdpack.plugins import build_manager
from cmdpack.registry import load_registry
from cmdpack.result import RunResult
from cmdpack.select import effects
from cmdpack.spec import Example

ROOT = Path(__file__).parents[1]
REGISTRY = load_registry(build_manager(entry_points=False))
COMMANDS = {entry.name: entry.read() for entry in REGISTRY.entries()}
ASSISTANT = {"agents", "orchestrate", "intelligent", "breakthrough"}
ON_ALL_DEVICES = {"jax-essentials", "jax-debug"}
"""Commands that spread arrays over all devices that there are."""

Cli = Callable[..., subprocess.CompletedProcess[str]]

needs_jax = pytest.mark.skipif(importlib.util.find_spec("jax") is None, reason="JAX is missing")


@pytest.fixture(params=COMMANDS)
def command(request: pytest.FixtureRequest) -> Command:
    return COMMANDS[request.param]


# As files


def test_the_pack_has_its_commands() -> None:
    assert set(COMMANDS) == {"jax-init", "jax-essentials", "jax-debug", "jax-performance"}
    assert REGISTRY.diagnostics == ()


def test_nothing_is_odd(command: Command) -> None:
    assert command.spec.diagnostics == ()


def test_what_it_needs_is_there(command: Command) -> None:
    needed = [it.spec.name for it in chain(REGISTRY, command).commands]
    assert needed == list(dict.fromkeys(["jax-init", command.spec.name]))


def test_every_option_is_declared_in_all_three_places(command: Command) -> None:
    places = {
        option.name: {declaration.where for declaration in option.declared}
        for option in command.spec.options
    }
    everywhere = {"options", "argument-hint", "list"}
    assert places == dict.fromkeys(places, everywhere)
    assert places.keys() >= ASSISTANT


def test_what_every_option_does_is_known(command: Command) -> None:
    kinds = {effect.option: effect.kind for effect in effects(command.spec)}
    expected = {name: "assistant" if name in ASSISTANT else "selects" for name in kinds}
    assert kinds == expected


@pytest.mark.parametrize(
    ("name", "option", "choices"),
    [
        ("jax-essentials", "operation", {"jit", "grad", "vmap", "sharding", "pmap"}),
        ("jax-performance", "technique", {"caching", "mixed-precision", "memory", "profiling"}),
    ],
)
def test_every_choice_selects_a_section(name: str, option: str, choices: set[str]) -> None:
    [effect] = [effect for effect in effects(COMMANDS[name].spec) if effect.option == option]
    assert effect.sections.keys() == choices


def test_options_of_debugging_set_what_jax_reads() -> None:
    options = COMMANDS["jax-debug"].spec.options
    assert {option.name: option.env for option in options if option.env} == {
        "check-tracers": {"JAX_CHECK_TRACER_LEAKS": "1"},
        "disable-jit": {"JAX_DISABLE_JIT": "1"},
    }


def test_the_options_of_an_assistant_are_accepted(command: Command) -> None:
    tokens = ("--agents=jax", "--orchestrate", "--intelligent", "--breakthrough")
    assert read_arguments(command.spec, tokens).values["agents"] == "jax"


# As programs


Run = tuple[str, int, RunResult]


@pytest.fixture(scope="module", params=["jax-essentials", "jax-debug", "jax-performance"])
def name(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture(scope="module", params=[1, 8])
def run_on(request: pytest.FixtureRequest, name: str, cmdpack: Cli) -> Run:
    """A command, a number of devices, and the result there, that of `jax-init` included."""
    flags = ["--emulate", str(request.param)] if request.param > 1 else ["--platform", "cpu"]
    done = cmdpack("run", "--json", *flags, name)
    assert done.stderr == ""
    return name, request.param, RunResult.model_validate_json(done.stdout)


@needs_jax
def test_every_section_passes(run_on: Run) -> None:
    name, count, result = run_on
    assert result.outcome == "ok", [unit.error for unit in result.units if unit.error]
    assert {it.name: it.outcome for it in result.commands} == {"jax-init": "ok", name: "ok"}
    assert {it.outcome for it in result.sections} == {"ok"}
    planned = sum(len(COMMANDS[it].spec.sections) for it in ("jax-init", name))
    assert len(result.sections) == planned
    assert result.device_count == count
    assert len(result.evidence.devices_used) == (count if name in ON_ALL_DEVICES else 1)


@needs_jax
def test_nothing_is_left_to_be_explained(run_on: Run) -> None:
    _, _, result = run_on
    assert [unit.warnings for unit in result.units if unit.warnings] == []
    assert {part.stream for unit in result.units for part in unit.printed} == {"stdout"}
    assert (result.notes, result.leftovers) == ((), ())


@needs_jax
def test_every_section_shows_something(run_on: Run) -> None:
    _, _, result = run_on
    shown = {(unit.command, unit.section) for unit in result.units if unit.printed}
    silent = [it for it in result.sections if (it.command, it.id) not in shown]
    assert [it.title for it in silent] in ([], ["Setup"])


@needs_jax
def test_few_executables_are_made(run_on: Run) -> None:
    name, _, result = run_on
    made = [unit.executables for unit in result.units if unit.command == name]
    assert 10 < sum(made) <= 60


def invocations() -> Iterator[tuple[str, str]]:
    """Every option of every command that changes what runs, with each of its choices."""
    for name, command in COMMANDS.items():
        flags = {option.name for option in command.spec.options if option.kind == "flag"}
        for effect in effects(command.spec):
            for choice in effect.sections:
                flag = effect.option in flags
                yield name, f"--{effect.option}" if flag else f"--{effect.option}={choice}"


@needs_jax
@pytest.mark.parametrize(("name_of", "option"), [*invocations()])
def test_every_option_changes_what_runs(name_of: str, option: str, cmdpack: Cli) -> None:
    done = cmdpack("run", "--json", "--platform", "cpu", name_of, option)
    assert done.stderr == ""
    result = RunResult.model_validate_json(done.stdout)
    assert result.outcome == "ok", [unit.error for unit in result.units if unit.error]
    assert result.selection is not None
    assert result.selection.prefix is None
    whole = {it.id for it in result.sections if it.outcome == "ok" and it.command == name_of}
    assert whole >= {*result.selection.sections}
    own = [unit for unit in result.units if unit.command == name_of]
    ran = sum(unit.outcome == "ok" for unit in own)
    assert 0 < ran < len(own)
    chosen = {unit.id for unit in own if unit.section in result.selection.sections}
    idle = [it.name for it in result.evidence.functions if not it.executed and it.unit in chosen]
    assert idle == []


@needs_jax
@pytest.mark.parametrize(
    ("name_of", "options"),
    [
        ("jax-essentials", ["--operation=sharding", "--devices"]),
        ("jax-essentials", ["--operation=pmap"]),
        ("jax-debug", ["--check-tracers", "--print-values", "--disable-jit"]),
    ],
)
def test_options_together_pass_on_eight_devices(
    name_of: str, options: list[str], cmdpack: Cli
) -> None:
    done = cmdpack("run", "--json", "--emulate", "8", name_of, *options)
    result = RunResult.model_validate_json(done.stdout)
    assert result.outcome == "ok", [unit.error for unit in result.units if unit.error]
    assert result.device_count == 8


WATCH = """
import runpy, sys, types

def functions(code):
    for inner in code.co_consts:
        if isinstance(inner, types.CodeType):
            yield inner
            yield from functions(inner)

path = sys.argv[1]
with open(path, encoding="utf-8") as file:
    whole = compile(file.read(), path, "exec")
defined = {(it.co_name, it.co_firstlineno) for it in functions(whole)}
executed = set()

def watch(frame, event, argument):
    if event == "call" and frame.f_code.co_filename == path:
        executed.add((frame.f_code.co_name, frame.f_code.co_firstlineno))

sys.setprofile(watch)
runpy.run_path(path, run_name="__main__")
sys.setprofile(None)
print("DEFINED", len(defined), "NEVER EXECUTED", sorted(defined - executed))
"""


def fences(command: Command) -> Iterator[str]:
    return (runs_alone(example) for example in command.spec.examples if example.runnable)


def runs_alone(example: Example) -> str:
    """The example's code; where its last statement is to raise, that it does."""
    expected = example.directives.get("expect-error")
    if expected is None:
        return example.code
    lines = example.code.splitlines()
    start = ast.parse(example.code).body[-1].lineno - 1
    last = textwrap.indent("\n".join(lines[start:]), "    ")
    return "\n".join(
        [
            *lines[:start],
            f"try:\n{last}",
            f"except Exception as raised:\n    assert type(raised).__name__ == '{expected}'",
            "else:\n    raise AssertionError\n",
        ]
    )


def watched(
    code: str, folder: Path, surroundings: dict[str, str]
) -> subprocess.CompletedProcess[str]:
    (folder / "fences.py").write_text(code, encoding="utf-8")
    return subprocess.run(
        [sys.executable, "-W", "error", "-c", WATCH, str(folder / "fences.py")],
        env={**surroundings, "JAX_PLATFORMS": "cpu"},
        cwd=folder,
        capture_output=True,
        text=True,
        check=False,
    )


@needs_jax
def test_copied_out_of_the_file_it_runs_and_executes_all_that_it_defines(
    command: Command, tmp_path: Path, surroundings: dict[str, str]
) -> None:
    done = watched("\n".join(fences(command)), tmp_path, surroundings)
    assert (done.returncode, done.stderr) == (0, "")
    _, _, verdict = done.stdout.rpartition("DEFINED ")
    count, _, never = verdict.partition(" NEVER EXECUTED ")
    assert int(count) > 3
    assert never == "[]\n"


def test_a_function_that_is_never_executed_would_be_seen(
    tmp_path: Path, surroundings: dict[str, str]
) -> None:
    code = "def f():\n    return lambda: 1\n\ndef g(): pass\n\ng()\n"
    done = watched(code, tmp_path, surroundings)
    assert done.stdout == "DEFINED 3 NEVER EXECUTED [('<lambda>', 2), ('f', 1)]\n"


def test_examples_assert(command: Command) -> None:
    for example in command.spec.examples:
        if example.runnable and "setup" not in example.directives:
            assert "assert " in example.code, f"{command.spec.path}:{example.line}"


# As shipped


def test_a_wheel_brings_the_pack(tmp_path: Path, surroundings: dict[str, str]) -> None:
    if importlib.util.find_spec("hatchling") is None:
        pytest.skip("hatchling is missing")
    if not (ROOT / "pyproject.toml").exists():
        pytest.skip("not in a checkout")
    subprocess.run(
        [sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", str(tmp_path)],
        cwd=ROOT,
        capture_output=True,
        check=True,
    )
    [wheel] = tmp_path.glob("*.whl")
    site = tmp_path / "site"
    with zipfile.ZipFile(wheel) as archive:
        archive.extractall(site)
    for source in (ROOT / "manifest.toml", *(ROOT / "commands").glob("*.md")):
        shipped = site / "cmdpack" / "_pack" / source.relative_to(ROOT)
        assert shipped.read_bytes() == source.read_bytes()
    done = subprocess.run(
        [sys.executable, "-m", "cmdpack", "list", "--json"],
        cwd=tmp_path,
        env={**surroundings, "PYTHONPATH": str(site)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert (done.returncode, done.stderr) == (0, "")
    listed = json.loads(done.stdout)
    assert set(COMMANDS) <= {it["name"] for it in listed["commands"]}
    assert str(site / "cmdpack" / "_pack") in done.stdout
    assert str(ROOT / "commands") not in done.stdout
