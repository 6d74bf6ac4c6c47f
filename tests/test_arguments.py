from collections.abc import Sequence

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cmdpack.arguments import read_arguments, synopsis
from cmdpack.errors import UsageError
from cmdpack.parse import parse_command
from cmdpack.plan import Arguments

TEXT = """\
---
options:
  operation: {choices: [jit, grad, vmap], help: what to show}
  framework: {choices: [flax, equinox], default: flax}
  epochs: {default: "100", help: how many}
  higher-order: {help: second derivatives too}
---
# Title

## Jit

```python
jit(1)
```
"""
SPEC = parse_command(TEXT, "a.md", name="jax-essentials")
FILE_SPEC = parse_command("---\ntarget: file\n---\n# T\n", "a.md", name="optimize")


def read(*tokens: str) -> Arguments:
    return read_arguments(SPEC, tokens, runner_flags={"--plan", "--json", "-v"})


def error(*tokens: str) -> str:
    with pytest.raises(UsageError) as raised:
        read(*tokens)
    return str(raised.value)


def test_every_option_has_a_value() -> None:
    assert read().values == {
        "operation": None,
        "framework": "flax",
        "epochs": "100",
        "higher-order": False,
    }


@pytest.mark.parametrize(
    "tokens",
    [
        ("--operation=grad", "--higher-order", "--epochs=-3"),
        ("--operation", "grad", "--epochs", "-3", "--higher-order"),
    ],
)
def test_values_follow_an_equals_sign_or_a_blank(tokens: tuple[str, ...]) -> None:
    arguments = read(*tokens)
    assert arguments.given == tokens
    assert arguments.values["operation"] == "grad"
    assert arguments.values["epochs"] == "-3"
    assert arguments.values["higher-order"] is True


def test_a_value_can_hold_an_equals_sign() -> None:
    assert read("--epochs=a=b").values["epochs"] == "a=b"


def test_all_is_legal_for_an_option_that_selects_and_for_no_other() -> None:
    assert read("--operation=all").values["operation"] == "all"
    assert "--framework=all is not a choice" in error("--framework=all")


@pytest.mark.parametrize(
    ("tokens", "message"),
    [
        (["--operation=gard"], "it is one of jit, grad, vmap, all; did you mean grad?"),
        (["--operation=zzz"], "it is one of jit, grad, vmap, all"),
        (["--operation"], "--operation needs a value"),
        (["--operation="], "--operation needs a value"),
        (["--operation", "--higher-order"], "--operation needs a value"),
        (["--epochs"], "--epochs needs a value"),
        (["--higher-order=yes"], "--higher-order is a flag and takes no value, not 'yes'"),
        (["--higher-order", "--higher-order"], "--higher-order is given twice"),
        (["--operation=jit", "--operation", "grad"], "--operation is given twice"),
        (["--hihger-order"], "no option --hihger-order; did you mean --higher-order?"),
        (["--zzz=3"], "jax-essentials has no option --zzz"),
        (["-x"], "jax-essentials has no option -x"),
        (["-operation=jit"], "has no option -operation; did you mean --operation?"),
        (["grad"], "takes no argument 'grad'; did you mean --operation=grad?"),
        (["train.py"], "jax-essentials takes no argument 'train.py'"),
        (["--", "--operation"], "jax-essentials takes no argument '--operation'"),
        (["-"], "jax-essentials takes no argument '-'"),
        ([""], "jax-essentials takes no argument ''"),
    ],
)
def test_what_is_wrong_is_said_with_the_usage(tokens: Sequence[str], message: str) -> None:
    text = error(*tokens)
    assert message in text
    assert f"\n  help: usage: {synopsis(SPEC)}" in text


@pytest.mark.parametrize("flag", ["--plan", "-v", "--json"])
def test_a_flag_of_the_runner_stands_before_the_name(flag: str) -> None:
    text = error("--operation=jit", flag)
    assert "stands before the name" in text
    assert f"help: cmdpack run {flag} jax-essentials" in text


def test_an_option_of_the_command_wins_over_a_flag_of_the_runner() -> None:
    arguments = read_arguments(SPEC, ["--higher-order"], runner_flags={"--higher-order"})
    assert arguments.values["higher-order"] is True


def test_a_command_can_take_a_file() -> None:
    assert read_arguments(FILE_SPEC, ["a.py"]).positionals == ("a.py",)
    assert read_arguments(FILE_SPEC, ["--", "-a.py"]).positionals == ("-a.py",)
    with pytest.raises(UsageError, match="optimize needs a file of yours"):
        read_arguments(FILE_SPEC, [])
    with pytest.raises(UsageError, match=r"takes one file, not both 'a\.py' and 'b\.py'"):
        read_arguments(FILE_SPEC, ["a.py", "b.py"])


def test_the_synopsis_shows_every_option() -> None:
    assert synopsis(SPEC) == (
        "cmdpack run jax-essentials [--operation=jit|grad|vmap|all] [--framework=flax|equinox] "
        "[--epochs=VALUE] [--higher-order]"
    )
    assert synopsis(FILE_SPEC) == "cmdpack run optimize FILE"


words = st.sampled_from(
    ["--operation", "--operation=jit", "jit", "--epochs", "-3", "--higher-order", "--", "-", "x"]
)


@given(st.lists(words | st.text(max_size=8), max_size=6))
@settings(deadline=None, max_examples=300)
def test_any_words_are_read_or_refused(tokens: list[str]) -> None:
    try:
        arguments = read_arguments(SPEC, tokens)
    except UsageError:
        return
    assert arguments.given == tuple(tokens)
    assert set(arguments.values) == {option.name for option in SPEC.options}
    assert arguments.values["operation"] in {None, "jit", "grad", "vmap", "all"}
    assert arguments.positionals == ()


def test_messages_name_the_command_as_it_was_typed() -> None:
    with pytest.raises(UsageError) as raised:
        read_arguments(SPEC, ["--plan"], runner_flags={"--plan"}, word="./my notes.md")
    assert raised.value.help == "cmdpack run --plan './my notes.md'"
    with pytest.raises(UsageError) as raised:
        read_arguments(SPEC, ["--zzz"], word="a/b.md")
    assert (raised.value.help or "").startswith("usage: cmdpack run a/b.md [")


def test_a_default_that_may_not_be_given_is_none() -> None:
    spec = parse_command("---\noptions:\n  op: {choices: [a, b], default: all}\n---\n# T\n", "t.md")
    assert read_arguments(spec, []).values == {"op": None}
