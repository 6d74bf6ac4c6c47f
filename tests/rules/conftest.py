"""What really happens when Python executes code, and what the rules make of it."""

import linecache
import warnings
from collections.abc import Callable
from typing import NamedTuple

import pytest

from cmdpack.advice import Circumstances, advise
from cmdpack.child import failures, units
from cmdpack.plan import PackOrigin, PlannedCommand, PlannedExample, PythonFacts
from cmdpack.result import Advice, Failure

FILE = "/pack/one.md"


class Explained(NamedTuple):
    """A failure and what is said of it."""

    failure: Failure
    kind: str
    advice: Advice | None

    @property
    def cause(self) -> str:
        assert self.advice is not None, self.failure
        return self.advice.cause

    @property
    def next_step(self) -> str:
        assert self.advice is not None, self.failure
        return self.advice.next_step


def planned(*codes: str) -> PlannedCommand:
    """A command whose examples are these codes, the first in line 1, the others in 101, 201, ..."""
    return PlannedCommand(
        id="one",
        name="one",
        path=FILE,
        file=FILE,
        pack=PackOrigin(name="pack", path="/pack", trust="user", source="pack"),
        digest="",
        role="target",
        reason="asked for",
        sections=(),
        examples=tuple(
            PlannedExample(
                id=f"e{number}",
                code=code,
                line=100 * number + 1,
                prefixes=(0,) * len(code.split("\n")),
                units=(),
            )
            for number, code in enumerate(codes)
        ),
    )


@pytest.fixture
def python() -> PythonFacts:
    """The Python of the runs."""
    return PythonFacts(
        executable="/env/bin/python",
        version="3.12.1",
        implementation="cpython",
        chosen_because="--python",
        versions={"jax": "0.10.2", "jaxlib": "0.10.2"},
    )


@pytest.fixture
def told(python: PythonFacts) -> Callable[..., Explained]:
    """What is said of a failure of which the runner knows nothing more."""

    def explain(
        failure: Failure,
        *codes: str,
        platform: str | None = None,
        devices: int | None = None,
    ) -> Explained:
        commands = (planned(*codes),) if codes else ()
        return Explained(
            failure, *advise("other", failure, Circumstances(python, platform, commands, devices))
        )

    return explain


@pytest.fixture
def explained(told: Callable[..., Explained]) -> Callable[..., Explained]:
    """Execute code as the whole of its file, for it to fail, and say why it did."""

    def explain(code: str, *more: str, platform: str | None = None) -> Explained:
        return told(_raised_by(code), code, *more, platform=platform)

    return explain


def _raised_by(code: str) -> Failure:
    tree, _ = units.parse(code, FILE, units.Place(1, [0] * len(code.split("\n"))))
    lines = [f"{text}\n" for text in code.split("\n")]
    linecache.cache[FILE] = (len(code), None, lines, FILE)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            exec(compile(tree, FILE, "exec"), {"__name__": "__main__"})
        except Exception as error:  # noqa: BLE001 - whatever the code under test raises
            return Failure.model_validate(failures.describe(error, {FILE}))
    pytest.fail("the code raised nothing")
