"""Why something failed, in one sentence, and the next step: one rule a function, the first wins."""

import re
from collections.abc import Callable, Sequence
from typing import NamedTuple

from cmdpack.calls import find_call
from cmdpack.plan import PlannedCommand, PythonFacts
from cmdpack.result import Advice, Failure, Frame, Kind


class Finding(NamedTuple):
    """What a rule makes of a failure."""

    kind: Kind
    advice: Advice


class Circumstances(NamedTuple):
    """What a rule may need to know of the run: its Python, the platform asked for, its code."""

    python: PythonFacts
    platform: str | None
    commands: Sequence[PlannedCommand] = ()


Rule = Callable[[Failure, Circumstances], Finding | None]

# The distribution that provides a module, where the two have different names.
_DISTRIBUTIONS = {
    "PIL": "pillow",
    "cv2": "opencv-python",
    "orbax": "orbax-checkpoint",
    "sklearn": "scikit-learn",
}


def advise(kind: Kind, failure: Failure, around: Circumstances) -> tuple[Kind, Advice | None]:
    """The kind of `failure`, better known now than to its runner, and advice where there is any."""
    for rule in RULES:
        if (finding := rule(failure, around)) is not None:
            return finding
    return kind, None


def decorator_factory(failure: Failure, around: Circumstances) -> Finding | None:
    """``@pmap(axis_name=...)``: of JAX's transformations only `jit` can be called without one.

    `jax.jit` has this form since 0.8.1 (JAX changelog); all others need `functools.partial`.
    """
    missing = re.match(
        r"\w+(\.__init__)?\(\) missing 1 required positional argument: 'fun'", failure.message
    )
    frame = _innermost(failure)
    if failure.type != "TypeError" or missing is None or frame is None:
        return None
    call = find_call(around.commands, frame)
    if call is None or not call.of_jax:
        return None
    at = "@" if call.decorates else ""
    arguments = f", {call.arguments}" if call.arguments else ""
    imported = "" if call.knows_functools else ", below `import functools`"
    return Finding(
        "api",
        Advice(
            cause=f"{call.function} takes the function itself first; it cannot be called with "
            "options alone and used as a decorator",
            next_step=f"write {at}functools.partial({call.function}{arguments}){imported}",
        ),
    )


def missing_package(failure: Failure, around: Circumstances) -> Finding | None:
    """An import of something that the Python of the run does not have."""
    found = re.match(r"No module named '([\w.]+)'", failure.message)
    if failure.type != "ModuleNotFoundError" or found is None:
        return None
    module = found[1].partition(".")[0]
    if module in around.python.versions:
        return None  # the package is there: a part of it is gone
    distribution = _DISTRIBUTIONS.get(module, module)
    return Finding(
        "package-missing",
        Advice(
            cause=f"{around.python.executable} has no package {module}",
            next_step=f"{around.python.executable} -m pip install {distribution}",
        ),
    )


def unknown_xla_flag(failure: Failure, around: Circumstances) -> Finding | None:
    """XLA ends the process when `XLA_FLAGS` holds a flag that it does not know."""
    del around
    found = re.search(r"Unknown flags? in XLA_FLAGS: *(.+)", failure.message)
    if found is None:
        return None
    return Finding(
        "device",
        Advice(
            cause=f"XLA_FLAGS holds what this jaxlib does not know: {found[1].strip()}",
            next_step="correct or unset the environment variable XLA_FLAGS",
        ),
    )


def backend_missing(failure: Failure, around: Circumstances) -> Finding | None:
    """JAX could not start the platform that was asked for; its own words differ by platform."""
    # JAX may have taken its own frames out of the traceback.
    told = re.match(r"Unable to initialize backend|Unknown backend", failure.message)
    in_bridge = any(frame.file.endswith("xla_bridge.py") for frame in failure.frames)
    hinted = failure.type == "AssertionError" or "libtpu" in failure.message
    if told is None and not (in_bridge and hinted):
        return None
    asked = around.platform or "the platform that JAX_PLATFORMS names"
    exists = ", ".join(["cpu", *around.python.accelerators])
    return Finding(
        "device",
        Advice(
            cause=f"JAX cannot start {asked}; the JAX of {around.python.executable} has: {exists}",
            next_step="check the driver and the plugin, or name another --platform",
        ),
    )


RULES: tuple[Rule, ...] = (
    decorator_factory,
    missing_package,
    unknown_xla_flag,
    backend_missing,
)


def _innermost(failure: Failure) -> Frame | None:
    """The innermost frame that is the example's own."""
    own = [frame for frame in failure.frames if frame.origin == "example"]
    return own[-1] if own else None
