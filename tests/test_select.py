import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cmdpack.parse import parse_command
from cmdpack.select import effects, legal_choices, selecting_options, selectors
from cmdpack.spec import CommandSpec

RULE = f"# {'=' * 12}\n"
BANNERS = """\
import jax
from jax import jit, grad, vmap

# ============
# 1. JIT COMPILATION
# ============
fast = jit(abs)

# ============
# 2. AUTOMATIC DIFFERENTIATION
# ============
slope = jax.grad(abs)

# ============
# 3. BATCHES (VMAP)
# ============
@vmap
def many(x):
    return grad(abs)(x)

# ============
# 4. COMPOSITION
# ============
print("pmap is only named here")
"""


def spec(code: str, hint: str, *, info: str = "") -> CommandSpec:
    text = f'---\nargument-hint: "{hint}"\n---\n# Title\n\n```python{info}\n{code}```\n'
    return parse_command(text, "a.md")


def mapping(found: CommandSpec) -> dict[str, dict[str, list[str]]]:
    titles = {section.id: section.title for section in found.sections}
    return {
        effect.option: {
            choice: [titles[section_id] for section_id in ids]
            for choice, ids in effect.sections.items()
        }
        for effect in effects(found)
    }


def test_a_choice_selects_by_title_or_else_by_call() -> None:
    found = spec(BANNERS, "[--operation=jit|grad|vmap|pmap]")
    assert mapping(found)["operation"] == {
        "jit": ["JIT COMPILATION"],
        "grad": ["AUTOMATIC DIFFERENTIATION"],
        "vmap": ["BATCHES (VMAP)"],
    }
    because = [[way.because for way in ways] for ways in selectors(found).values()]
    assert because == [[], ["title"], ["call"], ["title"], []]


def test_the_first_title_wins_over_an_earlier_call() -> None:
    code = f"{RULE}# One\n{RULE}scan()\n{RULE}# Scan\n{RULE}x = 1\n{RULE}# Scan\n{RULE}"
    assert mapping(spec(code, "[--op=scan|map]"))["op"] == {"scan": ["Scan"]}


@pytest.mark.parametrize(
    ("choice", "title", "selected"),
    [
        ("vmap", "VECTORIZATION (VMAP)", True),
        ("map", "VECTORIZATION (VMAP)", False),
        ("jit", "JITTER", False),
        ("jit", "non-jit code", False),
        ("mixed-precision", "Mixed precision", True),
        ("c", "C, Fortran", True),
    ],
)
def test_a_title_names_a_choice_as_a_word(choice: str, title: str, *, selected: bool) -> None:
    code = f"{RULE}# {title}\n{RULE}x = 1\n{RULE}# Other\n{RULE}y = 1\n"
    found = spec(code, f"[--op={choice}|zzz]")
    assert bool(mapping(found)["op"]) is selected


@pytest.mark.parametrize(
    "code",
    ["value = scan()\n", "jax.lax.scan()\n", "@scan\ndef f(): ...\n", "@a.scan(1)\nclass C: ...\n"],
)
def test_a_call_or_a_decorator_counts(code: str) -> None:
    found = spec(f"{RULE}# One\n{RULE}{code}", "[--op=scan|zzz]")
    assert mapping(found)["op"] == {"scan": ["One"]}


@pytest.mark.parametrize("code", ["scan = 1\n", "'scan()'\n", "# scan()\n", "from a import scan\n"])
def test_a_mention_does_not_count(code: str) -> None:
    found = spec(f"{RULE}# One\n{RULE}{code}", "[--op=scan|zzz]")
    assert mapping(found)["op"] == {}


def test_code_that_does_not_parse_leaves_the_titles() -> None:
    code = f"{RULE}# One\n{RULE}grad(\n{RULE}# Jit\n{RULE}jit(x)\n"
    assert mapping(spec(code, "[--op=jit|grad]"))["op"] == {"jit": ["Jit"]}


@pytest.mark.parametrize("code", [f"x = {'-' * 100_000}1\n", f"x = {'(' * 5000}\n", "x = '\0'\n"])
def test_code_that_no_parser_takes_is_no_crash(code: str) -> None:
    assert mapping(spec(code, "[--op=jit|grad]"))["op"] == {}


PIECES = [RULE, "# jit\n", "# all\n", "jit(x)\n", "@grad\n", "def f(): pass\n", "    x\n", "'''\n"]


@given(st.lists(st.sampled_from(PIECES), max_size=12).map("".join))
@settings(deadline=None, max_examples=200)
def test_whatever_the_code_what_is_selected_exists(code: str) -> None:
    found = spec(code, "[--op=jit|grad] [--jit] [--agents=jit|all]")
    sections = {section.id: section for section in found.sections}
    assert set(selectors(found)) == set(sections)
    for effect in effects(found):
        for ids in effect.sections.values():
            assert all(sections[section_id].kind != "setup" for section_id in ids)
    by_name = {effect.option: effect.sections for effect in effects(found)}
    assert all(len(by_name["op"].get(choice, ())) <= 1 for choice in ("jit", "grad"))


def test_code_with_an_odd_escape_is_read_without_a_warning() -> None:
    found = spec(f"{RULE}# One\n{RULE}scan('\\d')\n", "[--op=scan|zzz]")
    assert mapping(found)["op"] == {"scan": ["One"]}


def test_an_indented_fence_keeps_its_lines() -> None:
    code = "\n".join(f"  {line}" for line in BANNERS.splitlines())
    front = '---\nargument-hint: "[--op=grad|vmap]"\n---\n# T\n\n'
    text = f"{front}- item\n\n  ```python\n{code}\n  ```\n"
    found = parse_command(text, "a.md")
    assert mapping(found)["op"] == {
        "grad": ["AUTOMATIC DIFFERENTIATION"],
        "vmap": ["BATCHES (VMAP)"],
    }


def test_setup_is_selected_by_nothing() -> None:
    found = spec(f"jit(abs)\n{RULE}# One\n{RULE}x = 1\n", "[--op=jit|zzz]")
    assert found.sections[0].kind == "setup"
    assert mapping(found)["op"] == {}


def test_conditions_come_before_guesses() -> None:
    text = (
        '---\nargument-hint: "[--op=jit|grad] [--higher-order]"\n---\n# T\n\n'
        "## Jit\n\n```python op=grad higher-order\njit(1)\n```\n\n"
        "## Other\n\n```python op=grad\njit(2)\n```\n\n"
        "## Calls\n\n```python\njit(3)\ngrad(3)\n```\n"
    )
    found = parse_command(text, "a.md")
    assert mapping(found) == {
        "op": {"grad": ["Jit", "Other"], "jit": ["Calls"]},
        "higher-order": {"higher-order": ["Jit"]},
    }
    ways = list(selectors(found).values())
    assert [len(way.conditions) for [way] in ways] == [2, 1, 1]
    assert [way.because for [way] in ways] == ["info", "info", "call"]


def test_what_concerns_only_an_assistant_selects_nothing() -> None:
    found = spec(BANNERS, "[--agents=auto|jit|all] [--orchestrate] [--quiet] [--operation=jit|all]")
    kinds = {effect.option: effect.kind for effect in effects(found)}
    assert kinds == {
        "agents": "assistant",
        "orchestrate": "assistant",
        "quiet": "nothing",
        "operation": "selects",
    }
    assert selecting_options(found) == {"operation"}


def test_an_option_that_sets_variables_does_not_do_nothing() -> None:
    text = (
        "---\noptions:\n  check-tracers: "
        '{help: x, env: {JAX_CHECK_TRACER_LEAKS: "1"}}\n---\n# T\n\n```python\nx = 1\n```\n'
    )
    [effect] = effects(parse_command(text, "a.md"))
    assert effect.kind == "environment"


def test_all_is_legal_where_something_is_selected_or_its_author_says_so() -> None:
    found = spec(BANNERS, "[--operation=jit|pmap] [--idle=x|y] [--quiet] [--agents=all|auto]")
    assert legal_choices(found) == {
        "operation": ("jit", "pmap", "all"),
        "idle": ("x", "y"),
        "agents": ("all", "auto"),
    }


def test_a_flag_selects_what_is_bound_to_it() -> None:
    found = spec("x = 1\n", "[--more]", info=" more")
    [effect] = effects(found)
    assert effect.sections == {"more": tuple(section.id for section in found.sections)}


def test_blocks_that_do_not_run_are_not_selected() -> None:
    text = (
        '---\nargument-hint: "[--op=jit|a]"\n---\n# T\n\n## Jit\n\n```python :no-run\njit()\n```\n'
    )
    assert mapping(parse_command(text, "a.md"))["op"] == {}


def test_what_selects_nothing_is_left_to_an_engine_that_is_not_the_default() -> None:
    text = "---\ntitle: T\nengine: far\noptions:\n  runs: {choices: [2, 3]}\n---\n\n# T\n"
    [effect] = effects(parse_command(text, "t.md"))
    assert effect.kind == "engine"
    [effect] = effects(parse_command(text.replace("far", "examples"), "t.md"))
    assert effect.kind == "nothing"
