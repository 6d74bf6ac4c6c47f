"""The store of grants: what counts as consent, and what a store that is not believed costs."""

import json
import os
import signal
import stat
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from cmdpack import contents, run, trust
from cmdpack.errors import InputError
from cmdpack.events import RunFinished
from cmdpack.packs import origin_of_file, read_pack
from cmdpack.parse import read_command
from cmdpack.plan import Command, Trust
from cmdpack.planner import Wishes
from cmdpack.plugins import build_manager
from cmdpack.registry import load_registry
from cmdpack.supervision import Control
from cmdpack.trust import Grant

IS_ROOT = os.geteuid() == 0


@pytest.fixture(autouse=True)
def store(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The file that the grants of a test are in."""
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    return tmp_path / "state" / "cmdpack" / trust.FILE


def command(path: Path, text: str | None = None, trusted: Trust = "user") -> Command:
    path.parent.mkdir(parents=True, exist_ok=True)
    if text is not None:
        path.write_text(text)
    origin = origin_of_file(path).model_copy(update={"trust": trusted})
    return Command(spec=read_command(path), pack=origin)


@pytest.fixture
def one(tmp_path: Path) -> Command:
    return command(tmp_path / "work" / "one.md", "# One\n")


def approve(*commands: Command, scope: trust.Scope = "run") -> Grant:
    path = Path(commands[-1].spec.path)
    grant, aside = trust.approve(scope, path, contents.of_run(commands))
    assert aside is None
    return grant


def granted(*commands: Command) -> Grant | None:
    grant, problem = trust.consent(commands)
    assert problem is None
    return grant


# Grants


def test_nothing_is_granted_that_nobody_granted(one: Command, store: Path) -> None:
    assert granted(one) is None
    assert not store.parent.exists()  # to look makes nothing


def test_exactly_what_was_approved_is_granted(one: Command, tmp_path: Path) -> None:
    grant = approve(one)
    assert granted(one) == grant
    path = Path(one.spec.path)
    assert granted(command(tmp_path / "elsewhere" / "one.md", "# One\n")) == grant
    assert granted(command(tmp_path / "work" / "two.md", "# One\n")) is None
    assert granted(command(path, "# One \n")) is None
    assert granted(command(path, "# One\n")) == grant


def test_a_dependency_counts(one: Command, tmp_path: Path) -> None:
    base = command(tmp_path / "work" / "base.md", "# Base\n")
    grant = approve(base, one)
    assert granted(base, one) == grant
    assert granted(one) is None
    assert granted(one, base) is None
    assert granted(command(tmp_path / "work" / "base.md", "# Case\n"), one) is None


def test_installed_code_needs_none(tmp_path: Path, store: Path, one: Command) -> None:
    own = command(tmp_path / "own.md", "# Own\n", "built-in")
    store.parent.mkdir(parents=True)
    store.write_text("broken")
    assert trust.consent([own]) == (None, None)
    assert trust.consent([own, one])[1] is not None


def test_a_run_is_not_an_export(tmp_path: Path, one: Command) -> None:
    pack, _ = read_pack(tmp_path / "work", trust="user", source="")
    approve(one)
    assert trust.consent_to_export(pack, [one]) == (None, None)
    texts = contents.of_export(pack, [one])
    grant, _ = trust.approve("export", tmp_path / "work", texts)
    assert trust.consent_to_export(pack, [one]) == (grant, None)
    trust.remove(lambda it: it.scope == "run")
    assert granted(one) is None
    (tmp_path / "work" / "manifest.toml").write_text("[pack]\ndescription = 'x'\n")
    changed, _ = read_pack(tmp_path / "work", trust="user", source="")
    assert trust.consent_to_export(changed, [one]) == (None, None)


def test_the_last_approval_of_a_file_counts(one: Command) -> None:
    approve(one)
    newer = command(Path(one.spec.path), "# Newer\n")
    approve(newer)
    assert granted(newer)
    assert granted(one) is None  # a version that was given up does not come back
    assert len(trust.read_store().grants) == 1


def test_the_approved_text_is_kept_as_long_as_the_grant(one: Command, store: Path) -> None:
    grant = approve(one)
    assert trust.previous("run", Path(one.spec.path)) == grant
    assert trust.previous("export", Path(one.spec.path)) is None
    assert trust.approved_text(grant.parts[0]) == "# One\n"
    (kept,) = (store.parent / "approved").iterdir()
    kept.write_text("# Other\n")
    assert trust.approved_text(grant.parts[0]) is None
    trust.remove(lambda _: True)
    assert [*(store.parent / "approved").iterdir()] == []
    assert trust.approved_text(grant.parts[0]) is None


def test_a_text_with_a_byte_order_mark_is_kept(tmp_path: Path) -> None:
    (tmp_path / "bom.md").write_bytes(b"\xef\xbb\xbf# Bom\r\n")
    grant = approve(command(tmp_path / "bom.md"))
    assert trust.approved_text(grant.parts[0]) == "# Bom\r\n"


def test_a_folder_of_one_s_own(one: Command, tmp_path: Path) -> None:
    grant, _ = trust.approve_folder("run", tmp_path / "work")
    assert granted(one) == grant
    assert granted(command(Path(one.spec.path), "# Changed\n")) == grant
    stranger = command(tmp_path / "other" / "two.md", "# Two\n")
    assert granted(stranger, one) is None  # all of it must be one's own
    assert granted(one, stranger) is None
    pack, _ = read_pack(tmp_path / "work", trust="user", source="")
    ours = [command(Path(one.spec.path))]
    assert trust.consent_to_export(pack, ours) == (None, None)
    grant, _ = trust.approve_folder("export", tmp_path / "work")
    assert trust.consent_to_export(pack, ours) == (grant, None)
    trust.remove(lambda it: it.path == str(tmp_path / "work"))
    assert granted(one) is None


def test_the_clock_decides_nothing(one: Command, store: Path) -> None:
    grant = approve(one)
    for when in ("1970-01-01T00:00:00+00:00", "9999-12-31T23:59:59+00:00", "no time"):
        store.write_text(store.read_text().replace(trust.read_store().grants[0].when, when))
        found = granted(one)
        assert found is not None
        assert (found.digest, found.when) == (grant.digest, when)


def test_the_store_is_the_user_s_alone(one: Command, store: Path) -> None:
    before = os.umask(0)
    try:
        approve(one)
    finally:
        os.umask(before)
    modes = {path.name: stat.S_IMODE(path.stat().st_mode) for path in store.parent.iterdir()}
    assert modes == {"trust.json": 0o600, "trust.lock": 0o600, "approved": 0o700}
    assert stat.S_IMODE(store.parent.stat().st_mode) == 0o700


# Stores that are not believed


def _garbled(store: Path) -> None:
    store.write_text("{")


def _truncated(store: Path) -> None:
    store.write_bytes(store.read_bytes()[:-20])


def _empty(store: Path) -> None:
    store.write_bytes(b"")


def _deep(store: Path) -> None:
    store.write_text("[" * 100_000)


def _wider(store: Path) -> None:
    document = json.loads(store.read_text())
    document["grants"][0]["everything"] = True
    store.write_text(json.dumps(document))


def _huge(store: Path) -> None:
    store.write_bytes(store.read_bytes() + b" " * (17 << 20))


def _of_the_world(store: Path) -> None:
    store.chmod(0o666)


def _of_the_group(store: Path) -> None:
    store.chmod(0o660)


def _in_an_open_folder(store: Path) -> None:
    store.parent.chmod(0o777)


def _link(store: Path) -> None:
    store.rename(store.with_name("real"))
    store.symlink_to("real")


def _foreign(store: Path) -> None:
    if not IS_ROOT:
        pytest.skip("only root can give a file away")
    os.chown(store, 12345, 12345)


def _unreadable(store: Path) -> None:
    if IS_ROOT:
        pytest.skip("root reads everything")
    store.chmod(0)


BREAKS = [
    *(_garbled, _truncated, _empty, _deep, _wider, _huge, _of_the_world, _of_the_group),
    *(_in_an_open_folder, _link, _foreign, _unreadable),
]


@pytest.mark.parametrize("damage", BREAKS, ids=[it.__name__.strip("_") for it in BREAKS])
def test_a_store_that_cannot_be_believed_grants_nothing_and_is_kept_aside(
    one: Command, tmp_path: Path, store: Path, damage: Callable[[Path], None]
) -> None:
    approve(one)
    damage(store)
    before = store.lstat()
    grant, problem = trust.consent([one])
    assert grant is None
    assert problem is not None
    assert f"no grant counts, as {store} cannot be believed: " in problem
    assert store.lstat().st_ctime_ns == before.st_ctime_ns  # to look changes nothing
    two = command(tmp_path / "work" / "two.md", "# Two\n")
    grant, aside = trust.approve("run", Path(two.spec.path), contents.of_run([two]))
    assert aside is not None
    assert aside.endswith(f"It is kept as {store}.bad, and a new one begun")
    assert granted(two) == grant
    assert granted(one) is None  # what it said before is not believed now
    kept = store.with_name("trust.json.bad").lstat()
    assert (kept.st_ino, kept.st_size) == (before.st_ino, before.st_size)
    assert stat.S_IMODE(store.parent.stat().st_mode) == 0o700


def test_an_open_folder_without_a_store_is_mended(one: Command, store: Path) -> None:
    store.parent.mkdir(parents=True)
    store.parent.chmod(0o777)
    approve(one)
    assert granted(one)
    assert stat.S_IMODE(store.parent.stat().st_mode) == 0o700


def test_the_store_of_a_newer_version_is_left_alone(one: Command, store: Path) -> None:
    approve(one)
    store.write_text(store.read_text().replace('"version": 1', '"version": 2', 1))
    before = store.read_bytes()
    assert trust.consent([one])[0] is None
    with pytest.raises(InputError, match="a newer cmdpack wrote the file"):
        approve(one)
    assert store.read_bytes() == before


def test_what_cannot_be_stored_is_one_clear_error(one: Command, tmp_path: Path) -> None:
    (tmp_path / "state").mkdir()
    (tmp_path / "state" / "cmdpack").write_text("a file")
    with pytest.raises(InputError, match="the grant cannot be stored") as caught:
        approve(one)
    assert "nothing has changed" in str(caught.value)
    assert trust.consent([one])[0] is None


def test_a_relative_place_holds_nothing(one: Command, monkeypatch: pytest.MonkeyPatch) -> None:
    approve(one)
    monkeypatch.chdir(Path(os.environ["XDG_STATE_HOME"]).parent)
    monkeypatch.setenv("XDG_STATE_HOME", "state")
    grant, problem = trust.consent([one])
    assert grant is None
    assert problem is not None
    assert "no home folder is known" in problem


def test_a_pack_cannot_bring_its_own(tmp_path: Path, one: Command, store: Path) -> None:
    approve(one)
    work = Path(one.spec.path).parent
    for name in ("trust.json", "cmdpack/trust.json", ".local/state/cmdpack/trust.json"):
        (work / name).parent.mkdir(parents=True, exist_ok=True)
        (work / name).write_bytes(store.read_bytes())
    store.unlink()
    assert granted(one) is None


# What may happen in between

DYING = """
import os, signal, sys
from pathlib import Path
from cmdpack import contents, state, trust
from cmdpack.packs import origin_of_file
from cmdpack.parse import read_command
from cmdpack.plan import Command

FILES = {state.__file__, trust.__file__}
path = Path(sys.argv[1])


def version(number):
    path.write_text(f"# Version {number}\\n")
    return Command(spec=read_command(path), pack=origin_of_file(path))


old, new = version(1), version(2)


def approve(command):
    return trust.approve("run", path, contents.of_run([command]))[0]


def die_at(step):
    left = step

    def line(frame, event, _):
        nonlocal left
        if event == "line":
            left -= 1
            if left == 0:
                os.kill(os.getpid(), signal.SIGKILL)
        return line

    sys.settrace(lambda frame, *_: line if frame.f_code.co_filename in FILES else None)


def attempt(step):
    child = os.fork()
    if child == 0:
        die_at(step)
        approve(new)
        os._exit(0)
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])


approve(old)
seen, code = set(), None
step = 0
while code != 0:
    step += 1
    code = attempt(step)
    counts = [trust.consent([it])[0] is not None for it in (old, new)]
    assert sorted(counts) == [False, True], counts
    (grant,) = trust.read_store().grants
    assert trust.approved_text(grant.parts[0]) == f"# Version {1 + counts[1]}\\n"
    seen.add((code, counts[1]))
    approve(old)
print(step, sorted(seen))
"""


def test_killed_at_each_step_one_version_is_approved(tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-c", DYING, str(tmp_path / "one.md")],
        capture_output=True,
        text=True,
        check=False,
        timeout=250,
    )
    assert done.returncode == 0, done.stderr
    steps, _, seen = done.stdout.partition(" ")
    assert int(steps) > 100
    assert seen == f"[({-signal.SIGKILL}, False), ({-signal.SIGKILL}, True), (0, True)]\n"


def test_what_was_approved_runs_though_the_file_is_another_by_then(
    one: Command, tmp_path: Path
) -> None:
    path, mark = Path(one.spec.path), tmp_path / "mark"
    granted_text = "# One\n\n```python\nprint('approved')\n```\n"
    approve(command(path, granted_text))
    plugins = build_manager(entry_points=False)
    plan = run.prepare(plugins, load_registry(plugins), run.Request(word=str(path)))
    assert (plan.sandbox, plan.grant is None) == ("off", False)
    path.write_text(f"# One\n\n```python\nopen({str(mark)!r}, 'w')\n```\n")
    *_, last = run.execute(plugins, plan, Control())
    assert isinstance(last, RunFinished)
    assert last.result.outcome == "ok"
    assert not mark.exists()
    swapped = run.prepare(
        plugins, load_registry(plugins), run.Request(word=str(path), wishes=Wishes(sandbox="off"))
    )
    *_, last = run.execute(plugins, swapped, Control())
    assert mark.exists()  # control: it would have
