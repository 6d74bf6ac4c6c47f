"""What a Python says of itself, asked as cmdpack asks it."""

import json
import os
import sys
from pathlib import Path
from typing import Any

import pytest

from cmdpack import children

Example = dict[str, Any]


def ask(*examples: Example, path: Path | None = None) -> dict[str, Any]:
    environment = {**os.environ, **({"PYTHONPATH": str(path)} if path else {})}
    done = children.ask(
        children.in_user_python(sys.executable, "facts"),
        json.dumps({"examples": examples, "names": True}),
        timeout=30,
        environment=environment,
    )
    answer: dict[str, Any] = json.loads(done.stdout)
    return answer


def example(code: str, line: int = 10) -> Example:
    prefixes = [0] * (code.count("\n") + 1)
    facts = {"id": "e", "file": "f.md", "code": code}
    return {**facts, "line": line, "prefixes": prefixes, "requires": []}


def test_it_is_this_python() -> None:
    answer = ask()
    assert answer["executable"] == sys.executable
    assert answer["version"] == ".".join(map(str, sys.version_info[:3]))
    assert answer["implementation"] == sys.implementation.name
    assert answer["examples"] == {}


def test_nothing_is_imported_to_know_versions_and_accelerators(tmp_path: Path) -> None:
    for name in ("jax", "jaxlib", "libtpu"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "__init__.py").write_text("raise SystemExit('imported')")
        (tmp_path / f"{name}-99.1.dist-info").mkdir()
    for plugin in ("xla_cuda13", "xla_rocm7", "other_vendor", "__pycache__"):
        (tmp_path / "jax_plugins" / plugin).mkdir(parents=True)
    answer = ask(path=tmp_path)
    assert answer["has_jax"] is True
    assert {answer["versions"][name] for name in ("jax", "jaxlib")} == {"99.1"}
    assert answer["accelerators"] == ["cuda", "other_vendor", "rocm", "tpu"]


def test_examples_are_parsed_and_not_run(tmp_path: Path) -> None:
    made = tmp_path / "made"
    code = f"import os.path, numpy\nopen({str(made)!r}, 'w'); é = '\\d'"
    answer = ask(example(code))["examples"]["e"]
    assert [(unit["line"], unit["column"]) for unit in answer["units"]] == [
        (10, 1),
        (11, 1),
        (11, code.splitlines()[1].index("é") + 1),
    ]
    assert answer["imports"] == ["numpy", "os"]
    assert not made.exists()


@pytest.mark.parametrize(
    ("code", "line", "column"),
    [("x = 1\ny = (", 11, 5), ("return", 10, 1), ("x = 1\x00", 10, 1)],
)
def test_what_is_not_python_is_an_error_with_its_place(code: str, line: int, column: int) -> None:
    error = ask(example(code))["examples"]["e"]["error"]
    assert (error["line"], error["column"]) == (line, column)
    assert error["message"]
