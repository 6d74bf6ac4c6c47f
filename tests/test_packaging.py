"""What is installed: every import is declared, and what the wheel is to hold exists."""

import ast
import re
import sys
from collections.abc import Iterator
from pathlib import Path

import tomli

ROOT = Path(__file__).parents[1]
PROJECT = tomli.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
EXTRAS = PROJECT["project"]["optional-dependencies"]
OURS = {"cmdpack"}
DISTRIBUTIONS = {"yaml": "pyyaml", "pydantic_core": "pydantic"}  # who brings which module
OF_THE_USER = {  # whose very purpose is to start it, or to read what it has written
    "jax": {"src/cmdpack/child/devices.py", "src/cmdpack/child/profile.py"}
}
WITH_JAX = {"numpy"}  # what the extra `jax` brings


def _imported(folder: Path) -> Iterator[tuple[str, str]]:
    """The top-level name of each import below `folder`, at any level of the code, and its file."""
    for path in folder.rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Import):
                names = [alias.name for alias in node.names]
            elif isinstance(node, ast.ImportFrom) and node.level == 0 and node.module:
                names = [node.module]
            else:
                continue
            for name in names:
                yield name.partition(".")[0], str(path.relative_to(ROOT))


def _foreign(folder: Path) -> dict[str, set[str]]:
    known = sys.stdlib_module_names | OURS
    found: dict[str, set[str]] = {}
    for name, file in _imported(folder):
        if name not in known:
            found.setdefault(DISTRIBUTIONS.get(name, name), set()).add(file)
    return found


def _declared(requirements: list[str]) -> set[str]:
    names = (re.match(r"[\w.-]+", requirement) for requirement in requirements)
    return {name[0].lower() for name in names if name}


def test_every_import_is_a_declared_dependency() -> None:
    declared = _declared(PROJECT["project"]["dependencies"])
    found = _foreign(ROOT / "src")
    assert {n: file for n, file in found.items() if n not in declared} == OF_THE_USER
    assert declared - found.keys() == set(), "declared, and imported nowhere"


def test_a_child_imports_the_standard_library_alone() -> None:
    assert _foreign(ROOT / "src" / "cmdpack" / "child") == OF_THE_USER


def test_the_extra_test_has_all_that_the_tests_import() -> None:
    declared = _declared([*PROJECT["project"]["dependencies"], *EXTRAS["test"], *EXTRAS["jax"]])
    declared |= WITH_JAX
    assert {n: file for n, file in _foreign(ROOT / "tests").items() if n not in declared} == {}


def test_what_the_wheel_is_to_hold_exists() -> None:
    included = PROJECT["tool"]["hatch"]["build"]["targets"]["wheel"]["force-include"]
    assert {*included.values()} == {"cmdpack/_pack/commands", "cmdpack/_pack/manifest.toml"}
    assert all((ROOT / source).exists() for source in included)
    assert [*(ROOT / "commands").glob("*.md")]
