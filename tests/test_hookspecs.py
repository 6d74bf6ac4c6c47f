"""Every hook is documented with its signature, has a docstring that says enough, and a test."""

import inspect
import re
from collections.abc import Callable
from pathlib import Path

import pytest
from pydantic import ValidationError

from cmdpack import hookspecs
from cmdpack.hookspecs import EngineSpec

ROOT = Path(__file__).parents[1]
HOOKS: dict[str, Callable[[], object]] = {
    name: value
    for name, value in vars(hookspecs).items()
    if hasattr(value, f"{hookspecs.PROJECT}_spec")
}


def test_there_are_hooks() -> None:
    assert set(HOOKS) == {"packs", "engines", "targets"}


def test_the_page_has_a_section_for_each_hook_with_its_signature() -> None:
    page = (ROOT / "docs" / "plugins.md").read_text(encoding="utf-8")
    headings = re.findall(r"^## `(\w+\(.*)`$", page, re.MULTILINE)
    assert headings == [f"{name}{signature(hook)}" for name, hook in HOOKS.items()]


def signature(hook: Callable[[], object]) -> str:
    text = str(inspect.signature(hook))
    return re.sub(r"[\w.]+\.(\w+)", r"\1", text)


@pytest.mark.parametrize("name", HOOKS)
def test_each_hook_says_when_it_is_called_and_what_it_returns(name: str) -> None:
    text = inspect.getdoc(HOOKS[name]) or ""
    assert "Called when" in text
    assert "Returns" in text


@pytest.mark.parametrize("name", HOOKS)
def test_each_hook_has_a_test(name: str) -> None:
    assert f"\ndef test_hook_{name}(" in (ROOT / "tests" / "test_plugins.py").read_text()


@pytest.mark.parametrize("name", HOOKS)
def test_a_hook_without_an_implementation_adds_nothing(name: str) -> None:
    assert HOOKS[name]() == ()


@pytest.mark.parametrize("load", ["a", "a:", ":b", "a:b:c", "a b:c", "a..b:c", "os:system('x')"])
def test_a_reference_is_module_and_attribute(load: str) -> None:
    with pytest.raises(ValidationError, match="load"):
        EngineSpec(name="x", help="", load=load)


def test_a_dotted_reference_is_fine() -> None:
    assert EngineSpec(name="x", help="", load="a.b:c.d").load == "a.b:c.d"
