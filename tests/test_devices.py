import os
import sys
from pathlib import Path

import pytest

from cmdpack.devices import find_devices
from cmdpack.errors import UnavailableError
from cmdpack.interpreters import choose
from cmdpack.plan import PythonFacts
from cmdpack.planner import Wishes, platform_variables


@pytest.fixture(autouse=True)
def no_settings(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in [name for name in os.environ if name.startswith(("JAX_", "XLA_"))]:
        monkeypatch.delenv(name)


@pytest.fixture(scope="module")
def ours() -> PythonFacts:
    pytest.importorskip("jax")
    return choose(sys.executable, {}, ()).python


def answering(path: Path, answer: str) -> PythonFacts:
    """A program that gives `answer`, a piece of shell, whatever it is asked."""
    path.write_text(f"#!/bin/sh\n{answer}\n")
    path.chmod(0o755)
    return PythonFacts(
        executable=str(path), version="3.12.1", implementation="cpython", chosen_because="--python"
    )


def test_jax_itself_is_asked(ours: PythonFacts) -> None:
    variables = platform_variables(Wishes(emulate=3), ours)
    report = find_devices(ours, variables, None)
    assert report.platform == "cpu"
    assert [(it.id, it.platform, it.kind) for it in report.devices] == [
        (number, "cpu", "cpu") for number in range(3)
    ]
    assert report.python == ours


def test_what_a_python_prints_is_not_its_answer(tmp_path: Path) -> None:
    answer = '{"platform": "cpu", "devices": []}'
    chatty = answering(tmp_path / "chatty", f"echo welcome; echo '{answer}'")
    assert find_devices(chatty, {}, None).devices == ()


@pytest.mark.parametrize(
    ("answer", "message"),
    [
        ("echo oops >&2; exit 3", "JAX cannot start: exit: oops"),
        ("kill -SEGV $$", "JAX cannot start: SIGSEGV: ended without an answer"),
        ("true", "JAX cannot start: exit: ended without an answer"),
        ("echo 'Unknown flag in XLA_FLAGS: --xla_nope' >&2; kill -ABRT $$", "XLA_FLAGS holds what"),
    ],
)
def test_one_that_ends_without_an_answer(tmp_path: Path, answer: str, message: str) -> None:
    with pytest.raises(UnavailableError) as caught:
        find_devices(answering(tmp_path / "python", answer), {}, None)
    assert caught.value.message.startswith(message)
    assert "\n" not in caught.value.message


def test_a_platform_that_does_not_start_is_named(
    ours: PythonFacts, monkeypatch: pytest.MonkeyPatch
) -> None:
    with pytest.raises(UnavailableError, match=r"JAX cannot start cuda; the JAX of .* has: cpu"):
        find_devices(ours, {"JAX_PLATFORMS": "cuda"}, "cuda")
    monkeypatch.setenv("JAX_PLATFORMS", "abacus")
    with pytest.raises(UnavailableError, match="JAX cannot start abacus"):
        find_devices(ours, {}, None)
