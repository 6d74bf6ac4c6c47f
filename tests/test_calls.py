import pytest

from cmdpack.calls import find_call
from cmdpack.plan import PackOrigin, PlannedCommand, PlannedExample
from cmdpack.result import Frame


def command(*codes: str, prefix: int = 0, path: str = "one.md") -> PlannedCommand:
    """A command whose examples start at lines 10, 20, 30 and so on."""
    examples = tuple(
        PlannedExample(
            id=f"e{number}",
            code=code,
            line=10 * number,
            prefixes=(prefix,) * len(code.split("\n")),
            units=(),
        )
        for number, code in enumerate(codes, 1)
    )
    return PlannedCommand(
        id="one",
        name="one",
        path=path,
        file=f"/{path}",
        pack=PackOrigin(name="pack", path="/pack", trust="user", source="pack"),
        digest="",
        role="target",
        reason="asked for",
        sections=(),
        examples=examples,
    )


def frame(line: int, column: int | None, end_line: int, end_column: int) -> Frame:
    return Frame(
        file="one.md",
        line=line,
        column=column,
        end_line=end_line,
        end_column=end_column,
        function="<module>",
        origin="example",
    )


def test_a_call_is_found_by_its_place_and_kept_as_it_is_spelled() -> None:
    call = find_call([command("import jax\n@jax.pmap(axis_name = 'i', )")], frame(11, 2, 11, 28))
    assert call is None  # a decorator without a function is not Python
    code = "import jax\n@jax.pmap(axis_name = 'i', )\ndef f(x): return x"
    call = find_call([command(code)], frame(11, 2, 11, 29))
    assert call is not None
    assert (call.function, call.arguments) == ("jax.pmap", "axis_name = 'i'")
    assert call.decorates
    assert call.of_jax
    assert not call.knows_functools


@pytest.mark.parametrize("prefix", [0, 2, 6])
def test_a_call_over_several_lines_in_an_indented_fence(prefix: int) -> None:
    code = "import jax, functools\nf = jax.vmap(\n    in_axes=0,  # rows\n)"
    place = frame(11, prefix + 5, 13, prefix + 2)
    call = find_call([command(code, prefix=prefix)], place)
    assert call is not None
    assert (call.function, call.arguments) == ("jax.vmap", "in_axes=0")
    assert not call.decorates
    assert call.knows_functools


def test_columns_count_characters() -> None:
    call = find_call([command("a = '\u00b5\u00b5'; f(1)")], frame(10, 11, 10, 15))
    assert call is not None
    assert call.arguments == "1"


@pytest.mark.parametrize(
    ("elsewhere", "of_jax"),
    [
        ("import jax", True),
        ("import jax.numpy as jnp\nimport jax", True),
        ("import jax.numpy", True),
        ("import jax.numpy as jax", True),
        ("x = 1", False),
        ("import numpy as jax", False),
        ("import jax\njax = 3", False),
        ("import jax\ndef jax(): pass", False),
        ("import jax\nclass jax: pass", False),
        ("from . import jax", False),
        ("from jaxtyping import jax", False),
        ("not python at all", False),
    ],
)
def test_a_name_is_of_jax_when_only_imports_from_jax_bind_it(elsewhere: str, of_jax: bool) -> None:
    call = find_call([command(elsewhere, "jax.pmap()")], frame(20, 1, 20, 11))
    assert call is not None
    assert call.of_jax is of_jax


def test_a_place_without_a_call() -> None:
    commands = [command("f(1)\nx = 2"), command("f(1)", path="two.md")]
    assert find_call(commands, frame(11, 1, 11, 6)) is None
    assert find_call(commands, frame(10, None, 10, 5)) is None
    assert find_call(commands[1:], frame(10, 1, 10, 5)) is None
