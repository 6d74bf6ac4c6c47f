"""Watching JAX: what does not need it. The rest is in tests/engines/test_examples_jax.py."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

START = """
from cmdpack.child.compilations import Compilations
from cmdpack.child.counters import Counter
from cmdpack.child.jaxwatch import JaxWatch
import sys
watch = JaxWatch(Compilations((), Counter(print)))
"""
MONITORING = """
listeners = []
register_event_duration_secs_listener = register_event_listener = listeners.append
"""


def run(code: str, path: Path) -> str:
    """Run `code` in a Python of its own, which finds its modules in `path` first."""
    done = subprocess.run(
        [sys.executable, "-c", START + code],
        env={**os.environ, "PYTHONPATH": str(path)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.stderr == ""
    return done.stdout.strip()


@pytest.fixture
def package(tmp_path: Path) -> Path:
    """A package of the name and the outline of JAX, which takes its time to be imported."""
    (tmp_path / "jax").mkdir()
    (tmp_path / "jax/monitoring.py").write_text(MONITORING)
    (tmp_path / "jax/__init__.py").write_text(
        "import time; time.sleep(0.1)\nfrom jax import monitoring\n"
        "effects_barrier = live_arrays = list\n"
    )
    return tmp_path


def test_a_late_import_is_timed_and_leaves_no_trace(package: Path) -> None:
    code = """
assert watch in sys.meta_path and "jax" not in sys.modules
def late():
    import jax
    return jax
jax = late()
taken = watch.take()
assert taken["import_seconds"] >= 0.1, taken
assert watch.take()["import_seconds"] == 0
assert watch not in sys.meta_path
assert type(jax.__loader__).__name__ == type(jax.__spec__.loader).__name__ == "SourceFileLoader"
assert len(jax.monitoring.listeners) == 2
assert watch.settle() == () and watch.devices() == {"platform": None, "devices": []}
print("done")
"""
    assert run(code, package) == "done"


def test_looking_for_jax_imports_nothing_and_finds_its_loader(package: Path) -> None:
    code = """
import importlib.util
spec = importlib.util.find_spec("jax")
assert "jax" not in sys.modules and watch in sys.meta_path
print(spec.loader.get_filename("jax"))
"""
    assert run(code, package) == str(package / "jax/__init__.py")


def test_a_failed_import_can_be_tried_again(package: Path) -> None:
    good = package / "jax/__init__.py"
    code = f"""
import pathlib
path = pathlib.Path({str(good)!r})
text = path.read_text()
path.write_text("raise ImportError('broken')")
try:
    import jax
except ImportError:
    path.write_text(text + "# mended")
import jax
print(len(jax.monitoring.listeners))
"""
    assert run(code, package) == "2"


def test_something_else_of_the_name_is_left_alone(tmp_path: Path) -> None:
    (tmp_path / "jax.py").write_text("name = 'mine'")
    code = "import jax\nprint(jax.name, watch.settle(), watch.devices()['platform'])"
    assert run(code, tmp_path) == "mine () None"


def test_an_absent_jax_is_absent(tmp_path: Path) -> None:
    code = """
sys.path = [folder for folder in sys.path if "site-packages" not in folder]
try:
    import jax
except ModuleNotFoundError as error:
    print(error)
"""
    assert run(code, tmp_path) == "No module named 'jax'"
