"""Runs Markdown files as a user does: through the planner, a supervisor and a runner."""

import ctypes
import os
import shutil
import subprocess
import sys
import tempfile
import textwrap
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import psutil
import pytest

import cmdpack as cmdpack_package
from cmdpack import run, sandbox
from cmdpack.errors import SandboxError
from cmdpack.events import Event, RunFinished
from cmdpack.planner import Wishes
from cmdpack.plugins import build_manager
from cmdpack.registry import load_registry
from cmdpack.result import RunResult, UnitResult
from cmdpack.supervision import Control

MARK = "CMDPACK_TEST_MARK"


class Ran(NamedTuple):
    """A run that is over: its events and its result."""

    events: list[Event]
    result: RunResult

    @property
    def outcomes(self) -> list[str]:
        return [unit.outcome for unit in self.result.units]

    @property
    def last(self) -> UnitResult:
        """The last unit that ran."""
        return [unit for unit in self.result.units if unit.outcome != "skipped"][-1]

    @property
    def stdout(self) -> str:
        return self.text("stdout")

    def text(self, stream: str) -> str:
        printed = [part for unit in self.result.units for part in unit.printed]
        return "".join(part.text for part in printed if part.stream == stream)

    def only(self, kind: type[Any]) -> list[Any]:
        return [event for event in self.events if isinstance(event, kind)]


Run = Callable[..., Ran]


@pytest.fixture(autouse=True)
def own_surroundings(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, request: pytest.FixtureRequest
) -> Iterator[str]:
    """Keep the user's settings and caches out, and mark every process that a test starts."""
    for name in [*os.environ]:
        if name.startswith(("JAX_", "XLA_", "PYTHON")) or name in {"VIRTUAL_ENV", "CONDA_PREFIX"}:
            monkeypatch.delenv(name)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    mark = f"{os.getpid()}:{request.node.nodeid}"
    monkeypatch.setenv(MARK, mark)
    yield mark
    assert marked(mark) == []


def marked(mark: str) -> list[psutil.Process]:
    """The living processes, other than this one, whose environment carries `mark`."""
    found = []
    for process in psutil.process_iter():
        try:
            theirs = process.environ().get(MARK)
            if theirs == mark and process.pid != os.getpid() and process.is_running():
                found.append(process)
        except psutil.Error:  # ended meanwhile, or a zombie
            continue
    return found


@pytest.fixture
def processes(own_surroundings: str) -> Callable[[], list[psutil.Process]]:
    """The processes that this test has started and that still live."""
    return lambda: marked(own_surroundings)


@pytest.fixture
def document(tmp_path: Path) -> Callable[..., Path]:
    """Write fences of Python to a Markdown file."""

    def write(*fences: str, name: str = "sample.md") -> Path:
        path = tmp_path / name
        blocks = [f"```python\n{textwrap.dedent(fence).strip()}\n```\n" for fence in fences]
        path.write_text("# Sample\n\n" + "\nText.\n\n".join(blocks), encoding="utf-8")
        return path

    return write


@pytest.fixture
def follow() -> Callable[..., Iterator[Event]]:
    """Start a run of a file, of a pack where it lies in a folder `commands`; follow its events."""

    def start(path: Path, control: Control | None = None, **wishes: Any) -> Iterator[Event]:
        options = {name: wishes.pop(name) for name in ("python", "fresh") if name in wishes}
        plugins = build_manager()
        if path.parent.name == "commands":
            registry, word = load_registry(plugins, pack_dirs=(path.parents[1],)), path.stem
        else:
            registry, word = load_registry(plugins), str(path)
        request = run.Request(word=word, wishes=Wishes(**{"sandbox": "off", **wishes}), **options)
        plan = run.prepare(plugins, registry, request)
        return run.execute(plugins, plan, control or Control())

    return start


@pytest.fixture
def run_file(follow: Callable[..., Iterator[Event]]) -> Run:
    """Run a Markdown file to its end."""

    def to_its_end(path: Path, **wishes: Any) -> Ran:
        events = [*follow(path, timeout=wishes.pop("timeout", 20.0), **wishes)]
        finished = events[-1]
        assert isinstance(finished, RunFinished)
        return Ran(events, finished.result)

    return to_its_end


@pytest.fixture
def run_code(run_file: Run, document: Callable[..., Path]) -> Run:
    """Run fences of Python to their end."""

    def to_its_end(*fences: str, **wishes: Any) -> Ran:
        return run_file(document(*fences), **wishes)

    return to_its_end


@pytest.fixture
def cmdpack() -> list[str]:
    """The command that starts cmdpack as a process of its own."""
    return [sys.executable, "-m", "cmdpack"]


# Who runs a test: its own user, and where that is root somebody without rights

STRANGER = 54321


class Person(NamedTuple):
    """A user with a folder of their own, in which they start programs."""

    folder: Path
    uid: int | None

    @property
    def environment(self) -> dict[str, str]:
        places = {"CACHE": "cache", "STATE": "state", "CONFIG": "config"}
        own = {f"XDG_{name}_HOME": str(self.folder / place) for name, place in places.items()}
        home = {"HOME": str(self.folder), "PATH": os.environ["PATH"], "LANG": "C.UTF-8"}
        return {**home, **own}

    def write(self, name: str, text: str) -> Path:
        path = self.folder / name
        path.parent.mkdir(exist_ok=True)
        path.write_text(text, encoding="utf-8")
        for it in (path, path.parent):
            if self.uid is not None:
                os.chown(it, self.uid, self.uid)
        return path

    def start(self, words: Sequence[str | Path], **more: Any) -> subprocess.Popen[str]:
        return subprocess.Popen(
            [*map(str, words)],
            env={**self.environment, **more.pop("env", {})},
            cwd=self.folder,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            preexec_fn=None if self.uid is None else self._become,  # noqa: PLW1509 - no deadlock
            **more,
        )

    def run(self, *words: str | Path, **more: Any) -> subprocess.CompletedProcess[str]:
        with self.start(words, **more) as process:
            out, errors = process.communicate(timeout=120)
        return subprocess.CompletedProcess([*words], process.returncode, out, errors)

    def cmdpack(self, *words: str | Path, **more: Any) -> subprocess.CompletedProcess[str]:
        return self.run(sys.executable, "-m", "cmdpack", *words, **more)

    def _become(self) -> None:
        """Become this user, to whom the Python of the test run is open, wherever it lies."""
        closed = _closed(Path(sys.base_prefix))
        if closed is not None:
            _open_way(closed)
        os.setgroups([])
        os.setgid(self.uid or 0)
        os.setuid(self.uid or 0)


def _closed(path: Path) -> Path | None:
    """The uppermost folder on the way to `path` that others may not enter."""
    found = [it for it in (*path.parents, path) if not it.stat().st_mode & 1]
    return min(found, key=lambda it: len(it.parts), default=None)


def _open_way(closed: Path) -> None:
    """For this process alone, show of the folder `closed` only the Python in it, to everybody."""
    libc = ctypes.CDLL(None, use_errno=True)
    prefix = Path(sys.base_prefix)
    done = libc.unshare(0x20000) or libc.mount(b"none", b"/", None, 0x44000, None)
    descriptor = os.open(prefix, os.O_PATH)  # of the new mount namespace, hence not sooner
    done = done or libc.mount(b"none", bytes(closed), b"tmpfs", 0, b"mode=755,size=1m")
    prefix.mkdir(parents=True)
    source = f"/proc/self/fd/{descriptor}".encode()
    if done or libc.mount(source, bytes(prefix), None, 0x5000, None):
        raise OSError(ctypes.get_errno(), "the way to Python cannot be opened")
    os.close(descriptor)


@pytest.fixture(scope="session")
def full_sandbox() -> None:
    """Skip what needs the full sandbox, with the reason, where it cannot be had."""
    try:
        with sandbox.required("full", "tests"):
            pass
    except SandboxError as error:
        pytest.skip(f"no full sandbox: {error.message}")


@pytest.fixture(params=["me", "stranger"], scope="module")
def someone(request: pytest.FixtureRequest) -> Iterator[Person]:
    """The user of the test run, and where that is root, a user without rights too."""
    if request.param == "stranger" and os.geteuid() != 0:
        pytest.skip("the test run itself has no rights: tested as `me`")
    uid = STRANGER if request.param == "stranger" else None
    for needed in (Path(sys.prefix), Path(cmdpack_package.__file__).parent):
        if uid is not None and not needed.is_relative_to(sys.base_prefix) and _closed(needed):
            pytest.skip(f"{needed} is closed to other users: tested as `me`")
    folder = Path(tempfile.mkdtemp(prefix="test-of-cmdpack-"))
    if uid is not None:
        os.chown(folder, uid, uid)
    yield Person(folder, uid)
    shutil.rmtree(folder)


@pytest.fixture
def person(someone: Person) -> Person:
    """Someone whose folder is empty."""
    for path in someone.folder.iterdir():
        shutil.rmtree(path) if path.is_dir() else path.unlink()
    return someone
