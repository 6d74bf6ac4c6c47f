"""What a command line costs before it does anything, seen from outside."""

import json
import subprocess
import sys

import pytest

from cmdpack import __version__
from cmdpack.cli.app import VERBS

_HEAVY = {"jax", "jaxlib", "numpy", "rich", "mcp"}


def loaded(*arguments: str, before: str = "") -> set[str]:
    """Return the modules that one command line has imported when it ends."""
    code = (
        f"import json, sys\n{before}\nsys.argv[1:] = {list(arguments)!r}\n"
        "from cmdpack.__main__ import main\n"
        "code = main()\n"
        "sys.stderr.write(json.dumps([code, *sys.modules]))"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=60
    )
    code, *modules = json.loads(done.stderr.splitlines()[-1])
    assert code == 0
    return set(modules)


def test_the_version_is_printed_before_anything_heavy_is_imported() -> None:
    modules = loaded("--version")
    assert not modules & {"typer", "pydantic", "pluggy", "yaml", "pyromark", *_HEAVY}


@pytest.mark.parametrize("arguments", [["list"], ["list", "--json"], ["plugins"], ["--help"]])
def test_no_verb_that_only_reads_imports_what_only_runs_need(arguments: list[str]) -> None:
    modules = loaded(*arguments)
    assert not modules & _HEAVY
    assert "typer" in modules


def test_help_imports_no_verb() -> None:
    assert not {f"cmdpack.cli.{verb}" for verb in VERBS} & set(loaded("--help"))


def test_these_tests_can_fail() -> None:
    assert "numpy" in loaded("--version", before="import numpy")


def test_the_version_as_users_ask_for_it() -> None:
    done = subprocess.run(
        [sys.executable, "-m", "cmdpack", "--version"], capture_output=True, text=True, check=True
    )
    assert done.stdout == f"cmdpack {__version__}\n"
