import ast

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cmdpack.errors import UsageError
from cmdpack.parameters import parameters, replacements
from cmdpack.parse import parse_command
from cmdpack.plan import Arguments
from cmdpack.spec import CommandSpec

CODE = """\
epochs = 100
rate: float = 0.1
name = "adam"
quick = False
shape = (2, 3)
batch_size = 8
limit = None
first, second = 1, 2
computed = 2 * 3
undeclared = 1
if True:
    inner = 1
"""
OPTIONS = [
    "epochs",
    "rate",
    "name",
    "quick",
    "shape",
    "batch-size",
    "limit",
    "first",
    "second",
    "computed",
    "inner",
    "other",
]


def spec(code: str = CODE, info: str = " :parameters") -> CommandSpec:
    options = "\n".join(f"  {it}: {{metavar: V}}" for it in OPTIONS if it != "quick")
    head = f"---\noptions:\n{options}\n  quick:\n---\n# T\n\n"
    return parse_command(f"{head}```python{info}\n{code}```\n", "dir/t.md")


def replaced(option: str, value: str | bool, code: str = CODE) -> dict[str, str]:
    shown = f"--{option}" if value is True else f"--{option}={value}"
    new = replacements(spec(code), Arguments(given=(shown,), values={option: value}))
    return new[spec(code).examples[0].id]


def test_parameters_are_literals_that_an_option_answers_to() -> None:
    found = parameters(spec())
    assert list(found) == ["epochs", "rate", "name", "quick", "shape", "batch-size", "limit"]
    assert found["batch-size"].name == "batch_size"
    assert (found["rate"].default, found["rate"].line) == (0.1, line_of("rate: float"))


def line_of(text: str) -> int:
    before, _, _ = spec().source.partition(text)
    return before.count("\n") + 1


@pytest.mark.parametrize("info", ["", " :setup"])
def test_only_a_marked_example_has_parameters(info: str) -> None:
    assert parameters(spec(info=info)) == {}


@pytest.mark.parametrize("code", ["epochs = = 1\n", "epochs = 100\n" + "(" * 300 + "\n"])
def test_code_that_is_not_python_has_none(code: str) -> None:
    assert parameters(spec(code)) == {}


@pytest.mark.parametrize(
    ("option", "value", "expected"),
    [
        ("epochs", "7", {"epochs": "7"}),
        ("epochs", "-7", {"epochs": "-7"}),
        ("rate", "1", {"rate": "1.0"}),
        ("rate", "1e-3", {"rate": "0.001"}),
        ("name", "sgd'); import os", {"name": '"sgd\'); import os"'}),
        ("quick", True, {"quick": "True"}),
        ("shape", "(4,)", {"shape": "(4,)"}),
        ("limit", "3", {"limit": "3"}),
        ("limit", "none at all", {"limit": "'none at all'"}),
    ],
)
def test_a_value_becomes_a_literal_of_the_default_s_type(
    option: str, value: str | bool, expected: dict[str, str]
) -> None:
    assert replaced(option, value) == expected


@pytest.mark.parametrize(
    ("option", "value", "wanted"),
    [
        ("epochs", "ten", "an int"),
        ("epochs", "1.5", "an int"),
        ("epochs", "__import__('os')", "an int"),
        ("rate", "fast", "a float"),
        ("rate", "inf", "a float"),
        ("rate", "nan", "a float"),
        ("shape", "[4]", "a tuple"),
        ("shape", "open('x')", "a tuple"),
        ("shape", "(" * 500, "a tuple"),
    ],
)
def test_another_type_is_refused_with_the_expected_one(
    option: str, value: str, wanted: str
) -> None:
    with pytest.raises(UsageError) as caught:
        replaced(option, value)
    assert f"it must be {wanted}" in str(caught.value)
    assert "dir/t.md:" in str(caught.value)


def test_a_flag_fits_a_bool_alone() -> None:
    with pytest.raises(UsageError, match="--quick does not fit quick = 3"):
        replaced("quick", True, "quick = 3\n")


def test_what_is_not_given_is_not_replaced() -> None:
    assert replacements(spec(), Arguments(values={"epochs": "7"})) == {}


@given(st.text(max_size=30))
def test_any_text_is_a_literal_or_refused(value: str) -> None:
    for option in ("epochs", "rate", "name", "shape", "limit"):
        try:
            [text] = replaced(option, value).values()
        except UsageError:
            continue
        ast.literal_eval(text)
