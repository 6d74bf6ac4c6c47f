"""Exceptions as data."""

import linecache
import types
from collections.abc import Callable
from typing import Any

import pytest

from cmdpack.child import failures


def raised(code: str, filename: str = "f.md") -> BaseException:
    """The exception that `code` raises, with its traceback."""
    linecache.cache[filename] = (len(code), None, code.splitlines(keepends=True), filename)
    try:
        exec(compile(code, filename, "exec"), {"__name__": "__main__"})
    except BaseException as error:  # noqa: BLE001 - all of them are described
        return error
    raise AssertionError("nothing was raised")


def test_frames_have_columns_in_characters() -> None:
    code = "def f(d):\n    return 'é', d['日']['本']\nx = 'ü' + f(\n  {}\n)"
    facts = failures.describe(raised(code), {"f.md"})
    outer, inner = facts["frames"][-2:]
    assert (facts["type"], facts["message"]) == ("KeyError", "'日'")
    assert inner["source"][inner["column"] - 1 : inner["end_column"] - 1] == "d['日']"
    assert (outer["line"], outer["end_line"], outer["function"]) == (3, 5, "<module>")
    assert outer["source"][outer["column"] - 1 :] == "f("
    assert outer["end_column"] == 2
    assert (inner["origin"], outer["origin"]) == ("example", "example")


def test_a_deep_recursion_keeps_its_outer_and_its_inner_frames() -> None:
    facts = failures.describe(
        raised("def f(n):\n    f(n + 1) if n < 500 else 1 / 0\nf(0)"), {"f.md"}
    )
    assert len(facts["frames"]) == 80
    assert facts["frames"][-1]["line"] == 2


def test_an_exception_without_a_traceback_has_no_frames() -> None:
    assert failures.describe(ValueError("x"), ())["frames"] == []


def test_a_generator_that_never_began_has_no_column() -> None:
    frame = failures.describe(raised("(i for i in ()).throw(ValueError)"), {"f.md"})["frames"][-1]
    assert frame["function"] == "<genexpr>"


def test_long_messages_are_cut_and_notes_belong_to_them() -> None:
    error = ValueError("x" * 100_000)
    assert len(failures.describe(error, ())["message"]) == 8000
    error = ValueError("said")
    error.add_note("and noted")
    error.add_note("JAX has removed its internal frames, and so on")
    assert failures.describe(error, ())["message"] == "said\nand noted"


class UnprintableError(Exception):
    def __str__(self) -> str:
        raise KeyboardInterrupt


@pytest.mark.parametrize(
    ("error", "name", "message"),
    [
        (
            UnprintableError(),
            f"{__name__}.UnprintableError",
            "<str() of the exception raised Keyboard",
        ),
        (type("Odd", (Exception,), {"__module__": ["x"]})(), "['x'].Odd", ""),
        (type("Mine", (Exception,), {"__module__": "__main__"})("a"), "Mine", "a"),
        (linecache.tokenize.TokenError("b"), "tokenize.TokenError", "b"),  # type: ignore[attr-defined]
    ],
)
def test_every_exception_can_be_described(error: BaseException, name: str, message: str) -> None:
    facts = failures.describe(error, ())
    assert facts["type"] == name
    assert facts["message"].startswith(message)


@pytest.mark.parametrize(
    ("error", "outcome", "kind"),
    [
        (ValueError(), "failed", "other"),
        (AssertionError(), "failed", "assertion"),
        (type("Mine", (AssertionError,), {})(), "failed", "assertion"),
        (ModuleNotFoundError(), "failed", "package-missing"),
        (ImportError(), "failed", "other"),
        (SyntaxError(), "failed", "not-python"),
        (IndentationError(), "failed", "not-python"),
        (KeyboardInterrupt(), "failed", "interrupt"),
        (SystemExit(1), "failed", "exit"),
        (failures.SpawnError(), "failed", "spawn"),
        (MemoryError(), "out-of-memory", None),
        (RuntimeError("RESOURCE_EXHAUSTED: x"), "out-of-memory", None),
        (RuntimeError("x" * 300 + "RESOURCE_EXHAUSTED"), "failed", "other"),
    ],
)
def test_an_exception_has_its_outcome_and_kind(
    error: BaseException, outcome: str, kind: str | None
) -> None:
    assert failures.outcome_of(error) == (outcome, kind)


def test_our_own_frames_are_left_out() -> None:
    def through(function: Callable[[], Any]) -> Any:
        code = compile("def call(f): return f()", failures.__file__, "exec")
        module = types.ModuleType("ours")
        exec(code, module.__dict__)
        return module.call(function)

    try:
        through(lambda: 1 / 0)
    except ZeroDivisionError as error:
        files = [frame["file"] for frame in failures.describe(error, ())["frames"]]
    assert failures.__file__ not in files
    assert len(files) == 3


@pytest.mark.parametrize(
    ("code", "near"),
    [
        ("import math\nmath.zebra(4)", None),
        ("import math\nmath.sqart(4)", "sqrt"),
        ("from math import sqart", "sqrt"),
        ("learning_rate = 1\ndef f():\n    return learning_rat\nf()", "learning_rate"),
        ("def f(value):\n    return valeu\nf(1)", "value"),
        ("prnit('x')", "print"),
        ("_secret = 1\n_secert", None),
        ("(1).reel", None),  # only modules are looked through
        (f"{'x' * 5000} + 1", None),
        ("import nothing_of_this_name", None),
        ("raise NameError", None),
        ("raise AttributeError(name='a', obj=__import__('math'))", None),
    ],
)
def test_a_name_that_was_probably_meant(code: str, near: str | None) -> None:
    message = failures.describe(raised(code), {"f.md"})["message"]
    said = message.rpartition(". Did you mean: ")[2] if "Did you mean" in message else None
    assert said == (near and f"'{near}'?")


def test_looking_for_near_names_runs_nothing_of_the_examples() -> None:
    code = """
class Evil:
    def __getattr__(self, name): raise AttributeError(name=name, obj=self)
    def __dir__(self): raise SystemExit
    __dict__ = property(lambda self: 1 / 0)
Evil().attribute
"""
    assert failures.describe(raised(code), {"f.md"})["type"] == "AttributeError"
    error = NameError("x")
    error.name = ["odd"]  # type: ignore[assignment]
    assert failures.describe(error, ())["message"] == "x"
