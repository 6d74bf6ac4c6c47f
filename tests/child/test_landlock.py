"""Landlock by bare system calls, in processes of their own: what is taken never comes back."""

import subprocess
import sys
from pathlib import Path

import pytest

from cmdpack.child import landlock

pytestmark = pytest.mark.skipif(landlock.version() == 0, reason="this kernel has no Landlock")

RESTRICTED = """
import os, sys
sys.path.insert(0, {folder!r})
import landlock
landlock.give_up_privileges()
landlock.restrict({readable!r}, {writable!r}, {plain!r}, isolate={isolate})
try:
    {statement}
    print("done")
except OSError as error:
    print(type(error).__name__)
"""


@pytest.fixture
def folders(tmp_path: Path) -> Path:
    for name in ("read", "write", "plain", "none"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "file").write_text("text")
    return tmp_path


def tried(folders: Path, statement: str, *, isolate: bool = False) -> str:
    python = [*sys.path, sys.base_prefix, "/usr", "/lib", "/lib64", "/etc"]
    code = RESTRICTED.format(
        folder=str(Path(landlock.__file__).parent),
        readable=[*filter(None, python), str(folders / "read"), "/not/there"],
        writable=[str(folders / "write")],
        plain=[str(folders / "plain")],
        isolate=isolate,
        statement=statement.replace("@", str(folders)),
    )
    command = [sys.executable, "-I", "-S", "-c", code]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.stderr == ""
    return done.stdout.strip()


@pytest.mark.parametrize(
    ("statement", "outcome"),
    [
        ("open('@/read/file').read()", "done"),
        ("open('@/read/file', 'a')", "PermissionError"),
        ("open('@/read/new', 'w')", "PermissionError"),
        ("open('@/write/new', 'w')", "done"),
        ("os.mkdir('@/write/folder')", "done"),
        ("open('@/plain/new', 'w').write('x')", "done"),
        ("os.unlink('@/plain/file')", "done"),
        ("os.rename('@/plain/file', '@/plain/other')", "done"),
        ("os.mkdir('@/plain/folder')", "PermissionError"),
        ("os.symlink('/', '@/plain/link')", "PermissionError"),
        ("os.mkfifo('@/plain/pipe')", "PermissionError"),
        ("open('@/none/file').read()", "PermissionError"),
        ("os.listdir('@/none')", "PermissionError"),
    ],
)
def test_only_what_is_allowed(folders: Path, statement: str, outcome: str) -> None:
    assert tried(folders, statement) == outcome


@pytest.mark.skipif(landlock.version() < 6, reason="signals are known since version 6")
@pytest.mark.parametrize(
    "statement",
    ["os.kill(os.getppid(), 0)", "__import__('socket').create_server(('127.0.0.1', 0)).close()"],
)
def test_isolated_nothing_leads_out(folders: Path, statement: str) -> None:
    assert tried(folders, statement) == "done"
    assert tried(folders, statement, isolate=True) == "PermissionError"
