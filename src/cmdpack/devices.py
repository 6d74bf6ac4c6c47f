"""The devices that examples would run on: asks JAX itself, in a process of its own."""

import json
import os
import signal
from collections.abc import Mapping

from cmdpack import advice, children
from cmdpack.errors import UnavailableError
from cmdpack.nouns import Noun
from cmdpack.plan import PythonFacts
from cmdpack.result import Device, Failure, Frame

_ANSWER_SECONDS = 120.0  # a GPU backend takes seconds to start, a TPU's can take a minute


class DeviceReport(Noun):
    """The devices that JAX finds in one Python."""

    python: PythonFacts
    platform: str
    devices: tuple[Device, ...]


def find_devices(
    python: PythonFacts, environment: Mapping[str, str], platform: str | None
) -> DeviceReport:
    """Start JAX in `python` with `environment` over the user's own, and list its devices.

    Raises `UnavailableError`, in one sentence, where JAX cannot start: no such platform, a bad
    `XLA_FLAGS`, no JAX at all.
    """
    whole = {**os.environ, **environment}
    asked = platform or whole.get("JAX_PLATFORMS")
    done = children.ask(
        children.in_user_python(python.executable, "devices"),
        "",
        timeout=_ANSWER_SECONDS,
        environment=whole,
    )
    try:
        answer = json.loads(done.stdout.splitlines()[-1])  # a Python may print when it starts
    except (IndexError, ValueError):
        name = signal.Signals(-done.returncode).name if done.returncode < 0 else "exit"
        failure = Failure(type=name, message=done.stderr.strip() or "ended without an answer")
        raise _unavailable(failure, python, asked) from None
    if "error" in answer:
        raise _unavailable(_failure(answer["error"]), python, asked)
    return DeviceReport(
        python=python,
        platform=answer["platform"],
        devices=tuple(Device.model_validate(device) for device in answer["devices"]),
    )


def _failure(error: Mapping[str, str]) -> Failure:
    frame = Frame(file=error["file"], line=0, function="", origin="jax")
    return Failure(type=error["type"], message=error["message"], frames=(frame,))


def _unavailable(failure: Failure, python: PythonFacts, platform: str | None) -> UnavailableError:
    _, found = advice.advise("other", failure, advice.Circumstances(python, platform))
    if found is None:
        last = failure.message.strip().splitlines()[-1] if failure.message.strip() else ""
        return UnavailableError(
            f"JAX cannot start: {failure.type}: {last}", place=python.executable
        )
    return UnavailableError(found.cause, help=found.next_step)
