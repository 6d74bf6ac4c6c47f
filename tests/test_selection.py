import pytest

from cmdpack.errors import UsageError
from cmdpack.parse import parse_command
from cmdpack.plan import Arguments
from cmdpack.selection import Chosen, choose, idle_notes, option_variables
from cmdpack.spec import CommandSpec

FENCES = """
```python :setup
import jax
```

## Free

```python
print("free")
```

## First

```python mode=fast
print("first")
```

## Second

```python mode=slow
print("second")
```

## Third

```python mode=slow deep
print("third")
```

## Fourth

```python wide
print("fourth")
```

## Fifth

```python mode=fast|slow wide
print("fifth")
```
"""


def spec(*, default: str = "all") -> CommandSpec:
    return parse_command(
        "---\noptions:\n"
        f"  mode: {{choices: [fast, slow, idle], default: {default}}}\n"
        "  deep:\n"
        "  wide: {help: more}\n"
        "  agents: {choices: [auto, jax]}\n"
        "  unused:\n"
        "  check: {env: {JAX_DEBUG_NANS: 'True', JAX_ENABLE_X64: '1'}}\n"
        "  also: {env: {JAX_ENABLE_X64: '0'}}\n"
        f"---\n# T\n{FENCES}",
        "t.md",
    )


def chosen(*given: str, default: str = "all") -> Chosen | None:
    found = spec(default=default)
    values: dict[str, str | bool | None] = {
        it.name: False if it.kind == "flag" else it.default for it in found.options
    }
    for word in given:
        name, equals, value = word.removeprefix("--").partition("=")
        values[name] = value if equals else True
    return choose(found, Arguments(given=given, values=values))


def titles(*given: str, default: str = "all") -> list[str]:
    it = chosen(*given, default=default)
    assert it is not None
    names = {section.id: section.title for section in spec().sections}
    return [names[section] for section in it.sections]


@pytest.mark.parametrize(
    "given",
    [(), ("--mode=all",), ("--mode=all", "--deep"), ("--agents=jax",), ("--unused",), ("--check",)],
)
def test_without_a_choice_everything_runs(given: tuple[str, ...]) -> None:
    assert chosen(*given) is None


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        (["--mode=fast"], ["First"]),
        (["--mode=slow"], ["Second"]),
        (["--mode=slow", "--deep"], ["Second", "Third"]),
        (["--deep"], ["Third"]),  # its other condition could be met by any choice
        (["--wide"], ["Fourth", "Fifth"]),
        (["--mode=fast", "--wide"], ["First", "Fourth", "Fifth"]),
        (["--mode=idle", "--wide"], ["Fourth"]),
        (["--mode=fast", "--deep"], ["First"]),
    ],
)
def test_a_section_is_chosen_when_its_conditions_hold(
    given: list[str], expected: list[str]
) -> None:
    assert titles(*given) == expected


def test_setup_is_part_of_every_selection_and_what_is_bound_to_nothing_is_not() -> None:
    it = chosen("--mode=fast")
    assert it is not None
    kinds = {section.id: section.kind for section in spec().sections}
    assert [kinds[section] for section in it.always] == ["setup"]
    assert "Free" not in titles("--mode=fast")


def test_a_default_selects_until_something_is_typed() -> None:
    assert titles(default="slow") == ["Second"]
    assert titles("--wide", default="slow") == ["Fourth", "Fifth"]
    assert chosen("--mode=all", default="slow") is None


def test_options_that_select_nothing_together_are_refused() -> None:
    with pytest.raises(UsageError) as caught:
        chosen("--mode=idle")
    assert "no section of t goes with --mode=idle" in str(caught.value)
    assert "--mode=fast" in str(caught.value)
    with pytest.raises(UsageError) as caught:
        chosen("--mode=idle", "--deep")
    assert "no section of t goes with --mode=idle --deep" in str(caught.value)
    assert "--mode=slow --deep" in str(caught.value)


def test_an_option_that_adds_nothing_to_the_others_is_told() -> None:
    it = chosen("--mode=fast", "--deep")
    assert it is not None
    [note] = it.notes
    assert note.message == (
        "--deep: adds no section to --mode=fast; sections are selected by --mode=slow --deep"
    )


def test_options_without_an_effect_are_told() -> None:
    given = ("--agents=jax", "--unused", "--check", "--mode=fast")
    values: dict[str, str | bool | None] = {"agents": "jax", "unused": True, "mode": "fast"}
    notes = idle_notes(spec(), Arguments(given=given, values=values))
    assert [(it.code, it.message) for it in notes] == [
        ("selection", "--agents=jax: concerns only an assistant, no effect on a run"),
        ("selection", "--unused: selects nothing in this command, no effect on a run"),
    ]


def test_variables_are_set_by_the_options_that_are_given() -> None:
    assert option_variables(spec(), Arguments(given=("--unused",))) == {}
    assert option_variables(spec(), Arguments(given=("--also", "--check"))) == {
        "JAX_DEBUG_NANS": "True",
        "JAX_ENABLE_X64": "0",
    }
