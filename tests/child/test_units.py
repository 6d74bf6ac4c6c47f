"""Units: top-level statements, at their places in the Markdown file."""

import ast
import itertools
import warnings

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cmdpack.child import units
from cmdpack.child.units import Place

HERE = Place(1, ())

STATEMENTS = st.sampled_from(
    [
        "a = 1",
        "é = '日本'; b = 2",
        "# a comment",
        "",
        "   ",
        "def f(x):\n    return x  # é",
        "@(lambda g: g)\n@staticmethod\ndef h():\n    'é'",
        "class C(\n    object,\n):\n\n    x = 1",
        "try:\n    a\nexcept NameError:\n    pass\nfinally:\n    a = 1",
        "if a: b = 1\nelse: b = 2",
        "for i in (\n  1,\n  2):\n    pass",
        "s = '''\nlong é\n  # no comment\n''' ; t = s",
        "match 1:\n    case [1, *_] | {'é': 2}: pass\n    case _: pass",
        "'a lone string'",
        "x = \\\n  3",
        "print('ü', end=''); print()",
    ]
)


def text_of(lines: list[str], unit: units.Unit) -> str:
    """The text that the unit's span covers."""
    covered = lines[unit.line - 1 : unit.end_line]
    covered[-1] = covered[-1][: unit.end_column - 1]
    covered[0] = covered[0][unit.column - 1 :]
    return "\n".join(covered)


@given(parts=st.lists(STATEMENTS, max_size=8), line=st.integers(1, 50), prefix=st.integers(0, 4))
@settings(deadline=None, max_examples=200)
def test_units_are_the_statements_at_their_places(parts: list[str], line: int, prefix: int) -> None:
    code = "\n".join(parts)
    count = len(code.split("\n"))
    tree, found = units.parse(code, "f.md", Place(line, (prefix,) * count))
    lines = [""] * (line - 1) + [" " * prefix + text for text in code.split("\n")]
    nodes = ast.parse(code).body
    assert [ast.dump(unit.node) for unit in found] == [ast.dump(node) for node in nodes]
    assert [ast.dump(node) for node in tree.body] == [ast.dump(node) for node in nodes]
    for unit, node in zip(found, nodes, strict=True):
        text = text_of(lines, unit).replace("\n" + " " * prefix, "\n")
        [parsed] = ast.parse(text).body
        assert ast.dump(parsed) == ast.dump(node)
    spans = [(u.line, u.column, u.end_line, u.end_column) for u in found]
    assert spans == sorted(spans)
    assert all(before[2:] <= after[:2] for before, after in itertools.pairwise(spans))
    for number, text in enumerate(lines, 1):  # what no unit covers is blank or a comment
        if not any(unit.line <= number <= unit.end_line for unit in found):
            assert not text.strip() or text.strip().startswith("#")


@given(code=st.text(st.sampled_from("ab1 =()[]{}:;,.@\n\t\\'\"#é日\x0c\r\x00fdei")))
@settings(deadline=None, max_examples=300)
def test_any_text_is_parsed_or_refused_with_a_place_in_it(code: str) -> None:
    place = Place(10, (2,) * (code.count("\n") + 1))
    try:
        found = units.parse(code, "f.md", place)[1]
        places = [(unit.line, unit.column) for unit in found]
    except SyntaxError as refused:
        places = [(refused.lineno or 0, refused.offset or 0)]
    except ValueError:  # null bytes
        places = []
    assert all(line >= 10 and column >= 1 for line, column in places)


@pytest.mark.parametrize(
    ("code", "line", "column"),
    [
        ("x = 1\ny = = 2\n", 21, 7),
        ("'日本' 'é' 1 = 2\n", 20, 12),
        ("ok = 1\nreturn 3\n", 21, 3),
        ("break", 20, 3),
        ("x = 1\nfrom __future__ import annotations", 21, 3),
        ("x = (1,", 20, 7),
    ],
)
def test_a_syntax_error_has_its_place_in_the_file(code: str, line: int, column: int) -> None:
    place = Place(20, (2,) * (code.count("\n") + 1))
    with pytest.raises(SyntaxError) as caught:
        units.parse(code, "f.md", place)
    assert (caught.value.filename, caught.value.lineno) == ("f.md", line)
    assert caught.value.offset == column


@pytest.mark.parametrize("code", ["x = 1\x00", "(" * 5000 + ")" * 5000, "x" + ".y" * 100_000])
def test_code_that_cannot_be_compiled_is_a_value_error_or_a_syntax_error(code: str) -> None:
    with pytest.raises((ValueError, SyntaxError)):
        units.parse(code, "f.md", HERE)


def test_a_unit_begins_at_its_first_decorator() -> None:
    _, [unit] = units.parse("@ first\n@second\ndef f(): ...", "f.md", Place(5, (2, 2, 2)))
    assert (unit.line, unit.column, unit.end_line, unit.end_column) == (5, 3, 7, 15)


def test_columns_of_all_nodes_are_those_of_the_file() -> None:
    code = "match a:\n    case b.c: d(e=1)\nexcept_ = lambda q: q"
    tree, _ = units.parse(code, "f.md", Place(1, (3, 3, 3)))
    plain = ast.parse(code)
    for moved, node in zip(ast.walk(tree), ast.walk(plain), strict=True):
        if hasattr(node, "col_offset"):
            assert moved.col_offset == node.col_offset + 3  # type: ignore[attr-defined]
            assert moved.end_col_offset == node.end_col_offset + 3  # type: ignore[attr-defined]


def test_the_parser_warns_with_lines_of_the_file_and_once() -> None:
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        units.parse("x = 1\ny = '\\d'\nz = x is 1", "f.md", Place(30, (0, 0, 0)))
    assert [(found.filename, found.lineno) for found in caught] == [("f.md", 31)]


def test_imports_are_found_everywhere() -> None:
    code = "import a.b, c as d\nfrom e.f import g\nfrom . import h\ndef i():\n    import j"
    tree, _ = units.parse(code, "f.md", HERE)
    assert units.imports(tree) == {"a", "c", "e", "j"}


def test_the_facts_of_a_unit_are_its_span_and_what_it_does_with_names() -> None:
    _, [unit] = units.parse("x = y", "f.md", HERE)
    span = {"line": 1, "column": 1, "end_line": 1, "end_column": 6}
    assert units.span_of(unit) == span
    described = units.describe(unit)
    assert described.items() > span.items()
    assert (described["binds"], described["deletes"], described["certain"]) == (["x"], [], ["x"])
    assert [body["reads"] for body in described["bodies"]] == [["y"]]
