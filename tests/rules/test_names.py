"""Names that nothing defines, or not in time."""

from collections.abc import Callable
from typing import Any

import pytest

from cmdpack.result import Failure

Explain = Callable[..., Any]


@pytest.mark.parametrize(
    ("module", "distribution"),
    [("optax", "optax"), ("PIL.Image", "pillow"), ("sklearn", "scikit-learn")],
)
def test_a_missing_package(module: str, distribution: str, told: Explain) -> None:
    failure = Failure(type="ModuleNotFoundError", message=f"No module named {module!r}")
    found = told(failure)
    assert found.kind == "package-missing"
    assert found.cause == f"/env/bin/python has no package {module.partition('.')[0]}"
    assert found.next_step == f"/env/bin/python -m pip install {distribution}"


def test_a_part_that_is_gone_is_not_a_missing_package(told: Explain) -> None:
    failure = Failure(type="ModuleNotFoundError", message="No module named 'jax.old'")
    assert told(failure).kind == "api"


@pytest.mark.parametrize(
    ("code", "step"),
    [
        ("x = np.ones(3)", "write `import numpy as np` at the beginning of the example"),
        (
            "@partial(abs)\ndef f(): pass",
            "write `from functools import partial` at the beginning of the example",
        ),
        ("def f():\n    return optax\nf()", "write `import optax` at the beginning of the example"),
        ("learning_rate = 1\nlearning_rat + 1", "write learning_rate, if that is meant"),
        ("train(model)", "define train in the example, or mark the fence `python :no-run`"),
    ],
)
def test_a_name_that_nothing_defines(code: str, step: str, explained: Explain) -> None:
    told = explained(code)
    assert (told.kind, told.next_step) == ("fragment", step)
    assert "is defined nowhere in this run" in told.cause


def test_a_name_that_is_defined_later(explained: Explain) -> None:
    told = explained("print(later)", "import os as later")
    assert told.kind == "other"
    assert told.cause == "later is read in line 1, and gets its value only at /pack/one.md:101"


def test_a_name_that_was_to_be_defined_before(explained: Explain) -> None:
    told = explained("import sys\nif not sys:\n    early = 1\nprint(early)")
    assert told.kind == "other"
    assert told.cause.startswith("early is bound only at /pack/one.md:3")


@pytest.mark.parametrize(
    ("code", "step"),
    [
        ("import math\nmath.sqart(4)", "write math.sqrt, if that is meant"),
        ("from math import sqart", "write math.sqrt, if that is meant"),
    ],
)
def test_a_slip_of_the_pen(code: str, step: str, explained: Explain) -> None:
    told = explained(code)
    assert (told.kind, told.cause, told.next_step) == ("other", "math has no sqart", step)


SEED = """
import sys as random
key = 1

def demonstrate():
    data = random.path
    key, subkey = key, 2
    return data, subkey

demonstrate()
"""


def test_a_name_that_an_assignment_makes_local(explained: Explain) -> None:
    told = explained(SEED)
    assert told.cause == (
        "line 7 assigns key within demonstrate, which makes it another variable than the key "
        "outside, and without a value until then"
    )
    assert told.next_step == (
        "make key a parameter of demonstrate, or give the new value another name"
    )


@pytest.mark.parametrize(
    "code",
    [
        "def f(x):\n    if x:\n        y = 1\n    return y\nf(0)",
        "def f():\n    def g():\n        return y\n    g()\n    y = 1\nf()",
    ],
)
def test_a_local_name_without_a_value(code: str, explained: Explain) -> None:
    told = explained(code)
    assert "is read before it has a value" in told.cause
    assert "give y a value" in told.next_step


def test_a_name_error_of_a_users_own_making(explained: Explain) -> None:
    assert explained("raise NameError('who are you')")[1:] == ("other", None)
