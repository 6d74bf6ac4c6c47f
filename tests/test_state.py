"""State that survives: whole writes, whatever ends the process, and files that can be believed."""

import fcntl
import os
import signal
import socket
import stat
import subprocess
import sys
from pathlib import Path

import pytest

from cmdpack import state
from cmdpack.errors import InputError
from cmdpack.state import UnsafeError

IS_ROOT = os.geteuid() == 0


@pytest.fixture
def place(tmp_path: Path) -> Path:
    folder = tmp_path / "state"
    state.make(folder)
    return folder


# Where it is


def test_a_home_is_needed_and_a_relative_path_is_none(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_STATE_HOME", "/some/where")
    assert state.folder() == Path("/some/where/cmdpack")
    monkeypatch.setenv("XDG_STATE_HOME", "where/ever")
    with pytest.raises(InputError, match="no home folder is known"):
        state.folder()
    monkeypatch.delenv("XDG_STATE_HOME")
    monkeypatch.setenv("HOME", "/home/of")
    assert state.folder() == Path("/home/of/.local/state/cmdpack")


def test_folders_are_private_whatever_the_umask(tmp_path: Path) -> None:
    before = os.umask(0)
    try:
        state.make(tmp_path / "a" / "b" / "state")
        state.write(tmp_path / "a" / "b" / "state" / "file", b"x")
    finally:
        os.umask(before)
    made = [tmp_path / "a", tmp_path / "a" / "b", tmp_path / "a" / "b" / "state"]
    assert [stat.S_IMODE(it.stat().st_mode) for it in made] == [0o700] * 3
    assert stat.S_IMODE((made[-1] / "file").stat().st_mode) == 0o600


def test_a_mode_is_kept_when_the_umask_takes_all(place: Path) -> None:
    before = os.umask(0o777)
    try:
        state.write(place / "file", b"x")
    finally:
        os.umask(before)
    assert stat.S_IMODE((place / "file").stat().st_mode) == 0o600


def test_a_link_is_no_folder(tmp_path: Path, place: Path) -> None:
    (tmp_path / "link").symlink_to(place)
    with pytest.raises(PermissionError, match="not a folder of yours"):
        state.make(tmp_path / "link")


# What can be believed


def test_reads_what_was_written(place: Path) -> None:
    assert state.read(place / "file", 10) is None
    assert state.read(place / "nowhere" / "file", 10) is None
    state.write(place / "file", b"old")
    state.write(place / "file", b"0123456789")
    assert state.read(place / "file", 10) == b"0123456789"
    assert [it.name for it in place.iterdir()] == ["file"]
    with pytest.raises(UnsafeError, match="more than 9 bytes"):
        state.read(place / "file", 9)


@pytest.mark.parametrize("mode", [0o602, 0o620, 0o666, 0o646])
def test_a_file_that_others_may_write_is_not_believed(place: Path, mode: int) -> None:
    state.write(place / "file", b"x")
    (place / "file").chmod(mode)
    with pytest.raises(UnsafeError, match="others than you may write the file"):
        state.read(place / "file", 10)


@pytest.mark.parametrize("mode", [0o720, 0o702, 0o777, 0o1777])
def test_nor_one_in_a_folder_that_others_may_write(place: Path, mode: int) -> None:
    state.write(place / "file", b"x")
    place.chmod(mode)
    with pytest.raises(UnsafeError, match="others than you may write its folder"):
        state.read(place / "file", 10)


def test_what_is_no_regular_file_is_not_believed(place: Path) -> None:
    (place / "real").write_bytes(b"x")
    (place / "link").symlink_to(place / "real")
    (place / "folder").mkdir()
    os.mkfifo(place / "fifo")
    with socket.socket(socket.AF_UNIX) as listener:
        os.chdir(place)  # the path of a socket must be short
        listener.bind("socket")
    for name in ("link", "folder", "fifo", "socket"):
        with pytest.raises(UnsafeError):
            state.read(place / name, 10)


@pytest.fixture(autouse=True)
def _stay(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.chdir(tmp_path)


@pytest.mark.skipif(not IS_ROOT, reason="only root can give a file away")
def test_what_another_owns_is_not_believed(place: Path) -> None:
    state.write(place / "file", b"x")
    os.chown(place / "file", 12345, 12345)
    with pytest.raises(UnsafeError, match="the file belongs to another user"):
        state.read(place / "file", 10)
    os.chown(place / "file", 0, 0)
    os.chown(place, 12345, 12345)
    with pytest.raises(UnsafeError, match="its folder belongs to another user"):
        state.read(place / "file", 10)
    with pytest.raises(PermissionError):
        state.make(place)


@pytest.mark.skipif(IS_ROOT, reason="root reads everything")
def test_what_cannot_be_read_is_not_believed(place: Path) -> None:
    state.write(place / "file", b"x")
    (place / "file").chmod(0)
    with pytest.raises(UnsafeError, match="the file cannot be read: Permission denied"):
        state.read(place / "file", 10)


# Whole writes

DYING = """
import os, random, resource, signal, sys, time
from pathlib import Path
from cmdpack import state

place, how = Path(sys.argv[1]), sys.argv[2]
OLD, NEW = b"old" * 50_000, b"new" * 60_000


def die_at(step):
    left = step

    def line(frame, event, _):
        nonlocal left
        if event == "line":
            left -= 1
            if left == 0:
                os.kill(os.getpid(), signal.SIGKILL)
        return line

    sys.settrace(lambda frame, *_: line if frame.f_code.co_filename == state.__file__ else None)


def attempt(prepare):
    child = os.fork()
    if child == 0:
        try:
            prepare()
            with state.locked(place / "lock"):
                state.sweep(place)
                state.write(place / "file", NEW)
            os._exit(0)
        except OSError:
            os._exit(3)
        finally:
            os._exit(4)
    return child


def outcome(child):
    code = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
    found = state.read(place / "file", 1 << 20)
    assert found in (OLD, NEW), "neither old nor new"
    with state.locked(place / "lock"):
        state.sweep(place)
        state.write(place / "file", OLD)
    return code, found == NEW


state.write(place / "file", OLD)
seen = []
if how == "steps":
    while not seen or seen[-1][0] != 0:
        seen.append(outcome(attempt(lambda: die_at(len(seen) + 1))))
elif how == "times":
    for _ in range(1000):
        child = attempt(lambda: None)
        time.sleep(random.random() * 0.004)
        os.kill(child, signal.SIGKILL)
        seen.append(outcome(child))
else:
    for size in (0, 1, 1000, len(NEW) - 1, len(NEW)):
        limit = lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (size, size))
        seen.append(outcome(attempt(limit)))
print(len(seen), {it for it in seen}, sorted(it.name for it in place.iterdir()))
"""


def killed(place: Path, how: str) -> tuple[int, set[tuple[int, bool]]]:
    done = subprocess.run(
        [sys.executable, "-c", DYING, str(place), how],
        capture_output=True,
        text=True,
        check=False,
        timeout=200,
    )
    assert done.returncode == 0, done.stderr
    count, _, rest = done.stdout.partition(" ")
    seen, _, left = rest.partition("} ")
    assert left == "['file', 'lock']\n"  # and nothing of those that were killed
    return int(count), eval(f"{seen}}}")


def test_killed_at_each_step_it_is_old_or_new(place: Path) -> None:
    steps, seen = killed(place, "steps")
    assert steps > 25
    assert seen == {(-signal.SIGKILL, False), (-signal.SIGKILL, True), (0, True)}


def test_killed_at_any_time_it_is_old_or_new(place: Path) -> None:
    times, seen = killed(place, "times")
    assert times == 1000
    assert (-signal.SIGKILL, False) in seen


def test_without_room_it_is_the_old(place: Path) -> None:
    _, seen = killed(place, "sizes")
    assert seen == {(3, False), (0, True)}


def test_a_lock_ends_with_its_holder(place: Path) -> None:
    code = (
        "import sys, time; from pathlib import Path; from cmdpack import state\n"
        "with state.locked(Path(sys.argv[1])):\n    print('held', flush=True)\n    time.sleep(60)"
    )
    words = [sys.executable, "-c", code, str(place / "lock")]
    with subprocess.Popen(words, stdout=subprocess.PIPE, text=True) as holder:
        assert holder.stdout is not None
        assert holder.stdout.readline() == "held\n"
        assert _is_held(place / "lock")
        holder.kill()
    assert not _is_held(place / "lock")
    with state.locked(place / "lock"):
        assert _is_held(place / "lock")


def _is_held(path: Path) -> bool:
    with path.open("rb") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return True
    return False
