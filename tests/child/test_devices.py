"""The devices that JAX finds, asked as cmdpack asks it, of a package of the outline of JAX."""

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

from cmdpack import children


def ask(path: Path, code: str) -> dict[str, Any]:
    (path / "jax.py").write_text(code)
    done = subprocess.run(
        children.in_user_python(sys.executable, "devices"),
        env={**os.environ, "PYTHONPATH": str(path)},
        capture_output=True,
        text=True,
        check=True,
    )
    answer: dict[str, Any] = json.loads(done.stdout)
    return answer


def test_the_devices_are_the_only_thing_on_standard_output(tmp_path: Path) -> None:
    code = """
import os, types, atexit, time
print("noise"); os.write(1, b"noise")
atexit.register(time.sleep, 60)
def default_backend(): return "cpu"
def devices():
    return [types.SimpleNamespace(id=i, platform="cpu", device_kind="é") for i in range(2)]
"""
    assert ask(tmp_path, code) == {
        "platform": "cpu",
        "devices": [{"id": i, "platform": "cpu", "kind": "é"} for i in range(2)],
    }


def test_what_is_raised_is_the_answer_with_the_innermost_file(tmp_path: Path) -> None:
    error = ask(tmp_path, "def default_backend(): raise RuntimeError('no backend')")["error"]
    assert error == {
        "type": "RuntimeError",
        "message": "no backend",
        "file": str(tmp_path / "jax.py"),
    }


def test_an_exit_is_an_answer_too(tmp_path: Path) -> None:
    assert ask(tmp_path, "raise SystemExit(3)")["error"]["type"] == "SystemExit"
