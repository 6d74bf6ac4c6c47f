"""Fixtures that tests of several floors share."""

import functools
import json
import os
import subprocess
import sys
import textwrap
from collections.abc import Callable
from pathlib import Path

import jsonschema
import pytest
from hypothesis import settings

# The same examples at each run: a change is judged by them, and not by luck. Whoever looks for new
# ones says `--hypothesis-profile=default`.
settings.register_profile("steady", derandomize=True)
settings.load_profile("steady")

OWN_PROCESS = "CMDPACK_TESTS_OWN_PROCESS"
# Makes arrays while it is collected; see test_own_process.py.
collect_ignore = [] if OWN_PROCESS in os.environ else ["child/test_changeable.py"]


@pytest.fixture
def stand_in() -> Path:
    """A command file of the shape, and with the defects, of those that circulate in public."""
    return Path(__file__).parent / "data" / "stand-in.md"


@functools.cache
def validator(name: str) -> jsonschema.Draft202012Validator:
    """Holds a document against a published schema, ``result`` or ``event``."""
    schema = Path(__file__).parents[1] / "docs" / "schema" / f"{name}.schema.json"
    return jsonschema.Draft202012Validator(json.loads(schema.read_text(encoding="utf-8")))


def _check_documents(words: list[str], output: str) -> None:
    """What `run` writes for programs is what the schemas say, whatever came of the run."""
    if "run" in words and "--plan" not in words and output:
        if "--events" in words:
            for line in output.splitlines():
                _check_document("event", line)
        elif "--json" in words:
            _check_document("result", output)


def _check_document(schema: str, text: str) -> None:
    error = jsonschema.exceptions.best_match(validator(schema).iter_errors(json.loads(text)))
    assert error is None, f"{error.json_path} of the {schema}: {error.message[:300]}"


_SETTINGS = ("JAX_", "XLA_", "TPU_", "PYTHON", "CMDPACK_")
_SHOWN = {"VIRTUAL_ENV", "CONDA_PREFIX", "NO_COLOR", "COLUMNS", "LINES", "TERM"}


@pytest.fixture(scope="session")
def surroundings(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """The environment of a user without settings, whose caches and grants are the session's own."""
    kept = {
        name: value
        for name, value in os.environ.items()
        if not name.startswith(_SETTINGS) and name not in _SHOWN
    }
    own = {"XDG_CACHE_HOME": "caches", "XDG_STATE_HOME": "state"}
    return {**kept, **{name: str(tmp_path_factory.mktemp(it)) for name, it in own.items()}}


@pytest.fixture(scope="session")
def cmdpack(surroundings: dict[str, str]) -> Callable[..., subprocess.CompletedProcess[str]]:
    """The command line, in a process of its own, with `env` over the surroundings."""

    def run(
        *words: str | Path, env: dict[str, str] | None = None, cwd: Path | None = None
    ) -> subprocess.CompletedProcess[str]:
        done = subprocess.run(
            [sys.executable, "-m", "cmdpack", *map(str, words)],
            env={**surroundings, **(env or {})},
            cwd=cwd,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            check=False,
            timeout=120,
        )
        _check_documents([*map(str, words)], done.stdout)
        return done

    return run


@pytest.fixture
def command_file(tmp_path: Path) -> Callable[..., Path]:
    """Write a command file of some fences of Python."""

    def write(*fences: str, name: str = "sample.md", keys: str = "title: Sample") -> Path:
        path = tmp_path / name
        blocks = [f"```python\n{textwrap.dedent(fence).strip()}\n```\n" for fence in fences]
        text = f"---\n{keys}\n---\n\n# Sample\n\n" + "\nText.\n\n".join(blocks)
        path.write_text(text, encoding="utf-8")
        return path

    return write
