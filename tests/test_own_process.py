"""Tests that start JAX in their own process, which must not fork afterwards, as others do."""

import importlib.util
import re
import subprocess
import sys
from pathlib import Path

import pytest

HERE = Path(__file__).parent


@pytest.mark.skipif(importlib.util.find_spec("jax") is None, reason="JAX is missing")
@pytest.mark.parametrize(
    ("file", "least"), [("test_slices.py", 40), ("child/test_changeable.py", 30)]
)
def test_with_jax_in_the_process(file: str, least: int, surroundings: dict[str, str]) -> None:
    words = ["-m", "pytest", "-q", "-p", "no:cacheprovider", "-m", "own_process", str(HERE / file)]
    done = subprocess.run(
        [sys.executable, *words],
        env={**surroundings, "CMDPACK_TESTS_OWN_PROCESS": "1", "JAX_PLATFORMS": "cpu"},
        cwd=HERE.parent,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    passed = re.search(r"(\d+) passed", done.stdout)
    assert passed is not None
    assert int(passed[1]) >= least
