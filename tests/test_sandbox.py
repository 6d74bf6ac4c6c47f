"""What decides on a sandbox, and what it shows; that it holds is tested in `engines/`."""

from pathlib import Path

import pytest

from cmdpack import sandbox
from cmdpack.errors import SandboxError, UsageError
from cmdpack.plan import Box, SandboxLevel, Trust
from cmdpack.planner import Wishes


@pytest.mark.parametrize(
    ("trust", "asked", "level"),
    [
        ("built-in", "auto", "off"),
        ("plugin", "auto", "off"),
        ("user", "auto", "full"),
        ("user", "off", "off"),
        ("user", "partial", "partial"),
        ("built-in", "partial", "partial"),
    ],
)
def test_the_level_follows_from_trust_and_wish(
    trust: Trust, asked: str, level: SandboxLevel
) -> None:
    assert sandbox.level_of(trust, Wishes(sandbox=asked)) == level


@pytest.mark.parametrize(
    "wish", [{"trace": "t"}, {"dump_hlo": "h"}, {"platform": "gpu"}, {"platform": "tpu"}]
)
def test_wishes_that_contradict_a_sandbox(wish: dict[str, str]) -> None:
    with pytest.raises(UsageError) as caught:
        sandbox.level_of("user", Wishes(**wish))  # type: ignore[arg-type]
    assert caught.value.help
    assert sandbox.level_of("user", Wishes(sandbox="off", **wish)) == "off"  # type: ignore[arg-type]


def test_a_gpu_can_be_let_in() -> None:
    assert sandbox.level_of("user", Wishes(platform="gpu", allow_gpu=True)) == "full"
    assert "data" in sandbox.limits(gpu=False)
    assert "data" not in sandbox.limits(gpu=True)


def shown(*folders: str) -> tuple[str, ...]:
    return sandbox.box_of(folders, (), gpu=False).readable


def test_a_box_shows_the_python_and_nothing_around_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    home = tmp_path / "home" / "user"
    home.mkdir(parents=True)
    monkeypatch.setenv("HOME", str(home))
    venv = str(home / ".venv")
    assert shown(f"{venv}/bin/python", venv, f"{venv}/lib") == (venv,)
    for too_much in (home, home.parent, tmp_path, "/", "/tmp", "/home", "/root", "/etc"):
        assert shown(str(too_much)) == ()
    assert shown("/usr", "/usr/lib/python3", "/proc/meminfo", "/dev/x", "/run/user") == ()


def test_a_link_is_shown_with_what_it_leads_to(tmp_path: Path) -> None:
    (tmp_path / "a-real-one").mkdir()
    (tmp_path / "link").symlink_to(tmp_path / "a-real-one")
    assert {*shown(str(tmp_path / "link"))} == {
        str(tmp_path / "link"),
        str(tmp_path / "a-real-one"),
    }


def test_a_plan_without_a_box_is_not_run_without_one(monkeypatch: pytest.MonkeyPatch) -> None:
    class Bare:
        sandbox, box = "full", None

    with pytest.raises(SandboxError):
        sandbox.order(Bare(), "/tmp", {})  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("said", "words"),
    [
        ("bwrap: Unknown option --disable-userns", "0.8 or newer"),
        ("bwrap: setting up uid map: Permission denied", "fails here: bwrap: setting up uid map"),
        ("bwrap: loopback: Failed RTM_NEWADDR", "user namespaces"),
    ],
)
def test_a_failure_of_bubblewrap_has_ways_out(said: str, words: str) -> None:
    error = str(sandbox._explained(said))
    assert words in error
    assert error.splitlines()[-1].endswith("--sandbox off runs the code with all your rights")


def test_the_profile_for_ubuntu_is_told_where_it_helps(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    switch = tmp_path / "switch"
    switch.write_text("1\n")
    monkeypatch.setattr(sandbox, "_APPARMOR_SWITCH", switch)
    error = str(sandbox._explained("bwrap: setting up uid map: Permission denied"))
    assert "/etc/apparmor.d/bwrap" in error
    switch.write_text("0\n")
    assert "apparmor.d" not in str(sandbox._explained("bwrap: setting up uid map"))


def test_a_box_is_a_value() -> None:
    box = Box(readable=("/a",), path=("/a/lib",))
    assert Box.model_validate_json(box.model_dump_json()) == box
