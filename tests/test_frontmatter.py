"""What the frontmatter reader promises: text as written, exact places, and no value too odd."""

import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from cmdpack import frontmatter
from cmdpack.diagnostics import Diagnostic
from cmdpack.frontmatter import Fields, Items, Scalar, read_frontmatter
from cmdpack.nouns import Span


@pytest.fixture(params=["libyaml", "pure"], autouse=True)
def parser(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """Every test holds with both of PyYAML's parsers."""
    if request.param == "pure":
        monkeypatch.setattr(frontmatter, "_LOADER", yaml.SafeLoader)
    elif not yaml.__with_libyaml__:
        pytest.skip("PyYAML was built without libyaml")


def read(text: str) -> tuple[Fields | None, tuple[Diagnostic, ...]]:
    """Read lines that begin on line 2 of their file, as those of a frontmatter do."""
    return read_frontmatter(text.split("\n"), 2, "x.md")


def fields(text: str) -> Fields:
    found, findings = read(text)
    assert found is not None
    assert findings == ()
    return found


def scalar(text: str, name: str = "a") -> Scalar:
    entry = fields(text).get(name)
    assert entry is not None
    assert isinstance(entry.value, Scalar)
    return entry.value


def place(span: Span) -> tuple[int, int, int, int]:
    return span.line, span.column, span.end_line, span.end_column


class TestScalars:
    @pytest.mark.parametrize(
        "raw", ["2.0", "on", "yes", "2025-09-28", "0x10", "1_000", "null", "~", "1e3", "12:30:45"]
    )
    def test_stay_the_text_that_they_are(self, raw: str) -> None:
        assert scalar(f"a: {raw}").text == raw

    @pytest.mark.parametrize(
        ("text", "value", "span"),
        [
            ("a: b c", "b c", (2, 4, 2, 7)),
            ("a:    b   # comment", "b", (2, 7, 2, 8)),
            ('a: "b: \\u00e9"', "b: é", (2, 4, 2, 15)),
            ("a: 'it''s'", "it's", (2, 4, 2, 11)),
            ("a: b\n  c", "b c", (2, 4, 3, 4)),
            ("a: |\n  b\n   c\n\nd: e", "b\n c\n", (2, 4, 4, 5)),
            ("a: >-\n  b\n  c", "b c", (2, 4, 4, 4)),
            ("é: x\na: ✓ \U0001f600 z", "✓ \U0001f600 z", (3, 4, 3, 9)),
            ("a:", "", (2, 3, 2, 3)),
            ("a: " + "x" * 100_000, "x" * 100_000, (2, 4, 2, 100_004)),
        ],
    )
    def test_text_and_span(self, text: str, value: str, span: tuple[int, ...]) -> None:
        found = scalar(text)
        assert (found.text, place(found.span)) == (value, span)

    def test_key_has_a_span_of_its_own(self) -> None:
        (first, second) = fields("name: x\n'quoted key' : y").entries
        assert (first.key.text, place(first.key.span)) == ("name", (2, 1, 2, 5))
        assert (second.key.text, place(second.key.span)) == ("quoted key", (3, 1, 3, 13))

    @pytest.mark.parametrize("raw", ["", "~", "null"])
    def test_nothing_is_null(self, raw: str) -> None:
        assert scalar(f"a: {raw}").is_null

    def test_quoted_nothing_is_text(self) -> None:
        assert not scalar("a: ''").is_null

    @pytest.mark.parametrize(
        ("text", "part", "span"),
        [
            ("a: x bc d", "bc", (2, 6, 2, 8)),
            ('a: "x bc d"', "bc", (2, 7, 2, 9)),
            ('a: "\\t bc"', "bc", (2, 4, 2, 11)),  # escaped: only the whole can be told
            ("a: x\n  bc", "bc", (2, 4, 3, 5)),
        ],
    )
    def test_part_is_located(self, text: str, part: str, span: tuple[int, ...]) -> None:
        found = scalar(text)
        start = found.text.index(part)
        (located,) = found.locate([(start, start + len(part))])
        assert place(located) == span


class TestCollections:
    def test_flow_and_block_lists(self) -> None:
        found = fields("a: [b, 'c d',\n  e]\nf:\n  - g\n  - h\n\n# comment\ni: j")
        spans = []
        for name in ("a", "f"):
            entry = found.get(name)
            assert entry is not None
            assert isinstance(entry.value, Items)
            spans.append([place(item.span) for item in entry.value.items])
        assert spans == [
            [(2, 5, 2, 6), (2, 8, 2, 13), (3, 3, 3, 4)],
            [(5, 5, 5, 6), (6, 5, 6, 6)],
        ]

    def test_mappings_nest(self) -> None:
        entry = fields("a:\n  b: {c: [d], e: f}").get("a")
        assert entry is not None
        assert isinstance(entry.value, Fields)
        inner = entry.value.get("b")
        assert inner is not None
        assert isinstance(inner.value, Fields)
        assert [e.key.text for e in inner.value.entries] == ["c", "e"]
        assert inner.value.source == "{c: [d], e: f}"

    @pytest.mark.parametrize("text", ["", "\n\n", "# comment", "~"])
    def test_nothing_to_read(self, text: str) -> None:
        assert read(text) == (None, ())

    @pytest.mark.parametrize("text", ["- a\n- b", "just text", "'a'", "[a]"])
    def test_something_else_than_keys(self, text: str) -> None:
        found, (finding,) = read(text)
        assert found is None
        assert (finding.code, finding.severity, finding.place) == ("FM005", "error", "x.md:2:1")

    def test_key_that_is_no_text_costs_its_entry(self) -> None:
        found, (finding,) = read("? [a]\n: b\nc: d")
        assert found is not None
        assert [entry.key.text for entry in found.entries] == ["c"]
        assert (finding.code, finding.place) == ("FM005", "x.md:2:3")

    def test_duplicate_key_is_told_and_the_last_counts(self) -> None:
        found, (finding,) = read("a: 1\nb: 2\na: 3")
        assert found is not None
        entry = found.get("a")
        assert entry is not None
        assert isinstance(entry.value, Scalar)
        assert entry.value.text == "3"
        assert [entry.key.text for entry in found.entries] == ["a", "b", "a"]
        assert (finding.code, finding.place) == ("FM004", "x.md:4:1")
        assert "line 2" in finding.message


class TestRefused:
    @pytest.mark.parametrize(
        ("text", "place", "what"),
        [
            ("b: 1\na: &x c", "x.md:3:4", "&x"),
            ("a: !!python/object:os.system c", "x.md:2:4", "python/object"),
            ("a: !local {b: c}", "x.md:2:4", "!local"),
            ("a: ! c", "x.md:2:4", "tag"),
            ("a: &x [b]", "x.md:2:4", "&x"),
            ("a: {<<: {b: c}}", "x.md:2:5", "<<"),
            ("<<: {b: c}", "x.md:2:1", "<<"),
        ],
    )
    def test_more_than_text_lists_and_mappings(self, text: str, place: str, what: str) -> None:
        _, (finding,) = read(text)
        assert (finding.code, finding.severity, finding.place) == ("FM006", "error", place)
        assert what in finding.message

    def test_alias(self) -> None:
        found, findings = read("a: &x b\nc: *x\nd: e")
        assert [(f.code, f.place) for f in findings] == [
            ("FM006", "x.md:2:4"),
            ("FM006", "x.md:3:4"),
        ]
        assert found is not None
        assert [(e.key.text, getattr(e.value, "text", None)) for e in found.entries] == [
            ("a", ""),
            ("c", ""),
            ("d", "e"),
        ]

    def test_billion_laughs_are_not_expanded(self) -> None:
        lines = ["a0: &a0 [x]"]
        lines += [f"a{i}: &a{i} [{', '.join([f'*a{i - 1}'] * 9)}]" for i in range(1, 30)]
        found, findings = read("\n".join(lines))
        assert found is not None
        assert {finding.code for finding in findings} == {"FM006"}
        assert all(isinstance(entry.value, Scalar) for entry in found.entries)


class TestUnreadable:
    @pytest.mark.parametrize(
        ("value", "column"),
        [
            ("[a] [b]", 14),
            ("[--x=a|b] [--y] <z>", 14),
            ("two: parts", 14),
            ("'it's", 14),
            ('"quoted" and not', 14),
            ("*", 14),
            ("@handle", 14),
            ("`code`", 14),
            ("%x", 14),
            ("[never closed", 14),
            ("'never closed", 14),
            ("{a: b", 14),
        ],
    )
    def test_value_is_read_as_if_quoted(self, value: str, column: int) -> None:
        found, (finding,) = read(f"name: x\ndescription:{' ' * (column - 13)}{value}\nversion: 2.0")
        assert found is not None
        assert [getattr(entry.value, "text", None) for entry in found.entries] == [
            "x",
            value,
            "2.0",
        ]
        assert place(found.entries[1].value.span) == (3, column, 3, column + len(value))
        assert (finding.code, finding.severity) == ("FM008", "warning")
        assert finding.place == f"x.md:3:{column}"
        assert "`description`" in finding.message
        assert finding.help is not None
        fixed, rest = read(finding.help.removeprefix("quote it: "))
        assert rest == ()
        assert fixed is not None
        entry = fixed.get("description")
        assert entry is not None
        assert getattr(entry.value, "text", None) == value

    def test_its_continuation_lines_belong_to_it(self) -> None:
        found, (finding,) = read("description: Use when:\n  user: asks\n\n  more\nname: x")
        assert finding.code == "FM008"
        assert found is not None
        assert [getattr(entry.value, "text", None) for entry in found.entries] == [
            "Use when: user: asks more",
            "x",
        ]
        assert place(found.entries[0].value.span) == (2, 14, 5, 7)

    def test_several_values(self) -> None:
        found, findings = read("a: [b] [c]\nd: e\nf: g: h")
        assert found is not None
        assert [entry.key.text for entry in found.entries] == ["a", "d", "f"]
        assert [finding.code for finding in findings] == ["FM008", "FM008"]

    def test_structure_is_given_up_and_the_rest_kept(self) -> None:
        found, (finding,) = read('triggers:\n  - "a" b\n  - c\nname: x')
        assert found is not None
        assert [entry.key.text for entry in found.entries] == ["name"]
        assert (finding.code, finding.severity) == ("FM001", "error")
        assert finding.span.line == 3
        assert "`triggers`" in finding.message

    @pytest.mark.parametrize(("text", "line"), [("stray\nb: c", 2), ("b: c\nstray text\nd: e", 3)])
    def test_stray_line_is_ignored(self, text: str, line: int) -> None:
        found, findings = read(text)
        assert found is not None
        assert found.entries[0].key.text == "b"
        assert (findings[0].code, findings[0].severity) == ("FM001", "error")
        assert findings[0].place == f"x.md:{line}:1"

    def test_tabs_are_named(self) -> None:
        _, (finding,) = read("options:\n\tx: y\nname: z")
        assert (finding.code, finding.place) == ("FM001", "x.md:3:1")
        assert finding.help == "indent with spaces: YAML forbids tabs"

    @pytest.mark.parametrize("text", ["[a", "}", ": :", "%YAML 9\nx", "a: b\n...\nc: d"])
    def test_nothing_to_blame(self, text: str) -> None:
        found, (finding,) = read(text)
        assert found is None
        assert (finding.code, finding.severity) == ("FM001", "error")

    def test_control_characters_have_an_exact_place(self) -> None:
        found, (finding,) = read("name: x\ntitle: é\x1b[2J\n")
        assert found is not None
        assert (finding.code, finding.place) == ("FM008", "x.md:3:8")
        assert "U+001B" in finding.message
        assert finding.help is not None
        assert finding.help.isprintable()

    @pytest.mark.parametrize(
        "text",
        ["[" * 100_000, "{" * 100_000, "- " * 100_000, "? " * 100_000, "a: " * 100_000],
        ids=lambda text: text[:2],
    )
    def test_deep_nesting_is_bounded(self, text: str) -> None:
        for prefix in ("", "key: "):
            _, findings = read(prefix + text)
            assert {finding.code for finding in findings} <= {"FM001", "FM008"}
            assert findings

    def test_repairs_are_bounded(self) -> None:
        found, (finding,) = read("\n".join(f"k{i}: [a] [b]" for i in range(100)))
        assert found is None
        assert finding.code == "FM001"


_PIECES = st.sampled_from(
    [
        *("a", "name", "options", ": ", ":", "\n", "\n", "  ", "- ", "[", "]", "{", "}", ", ", '"'),
        *(
            "'",
            "#",
            " #",
            "&x ",
            "*x",
            "!t ",
            "<<",
            "|",
            ">",
            "\t",
            "? ",
            "%",
            "@",
            "`",
            "...",
            "é",
        ),
        *("\x85", "\u2028", "\ufeff", "\x00", "\x1b", "\U0001f600", "\\", "~", "1.0"),
    ]
)


@settings(deadline=None, max_examples=250)
@given(st.one_of(st.lists(_PIECES, max_size=30).map("".join), st.text(max_size=60)))
def test_any_text_is_read_and_every_place_lies_in_it(text: str) -> None:
    lines = text.replace("\r", "\n").split("\n")
    found, findings = read_frontmatter(lines, 2, "x.md")
    spans = [finding.span for finding in findings]
    for entry in found.entries if found else ():
        spans += [entry.key.span, entry.value.span]
    for span in spans:
        assert (span.line, span.column) <= (span.end_line, span.end_column)
        for line, column in ((span.line, span.column), (span.end_line, span.end_column)):
            assert 1 <= column <= len(lines[line - 2]) + 1


class TestBrokenValues:
    """A broken value that can only be text is read; for every other its author is told."""

    @pytest.mark.parametrize(
        "text",
        [
            "argument-hint: [a] [b]",
            "argument-hint: [file",
            "description: Use when: asked",
            "tools: *",
            "tags: a: b",
            "bad: yaml: here",
            "anything: [a] [b]",
            "title: {x",
        ],
    )
    @pytest.mark.parametrize("after", ["", "\ncategory: x"])
    def test_text_is_read(self, text: str, after: str) -> None:
        found, (finding,) = read(text + after)
        assert (finding.code, finding.severity) == ("FM008", "warning")
        assert found is not None
        key, _, value = text.partition(": ")
        assert getattr(found.entries[0].value, "text", None) == value
        assert found.entries[0].key.text == key

    @pytest.mark.parametrize(
        ("text", "column", "hint"),
        [
            ("dependencies: [jax-init", 15, "close the `[`"),
            ("requires: [jax, optax", 11, "close the `[`"),
            ("options: {a: {help: x}", 10, "close the `{`"),
            ("options: {a: b: c}", 15, "into quotes"),
            ("related: [a] [b]", 14, "into quotes"),
            ("engine: *", 9, ""),
            ("target: 'file", 9, "close the `'`"),
            ("workflows: a: b", 13, "into quotes"),
            ('"dependencies": [a', 17, "close the `[`"),
            ("tags: [a, b", 7, "close the `[`"),
            ("a: [", 4, "close the `[`"),
            ("a: {b: [c]", 4, "close the `{`"),
        ],
    )
    @pytest.mark.parametrize("after", ["", "\nname: x"])
    def test_structure_is_an_error_at_its_place(
        self, text: str, column: int, hint: str, after: str
    ) -> None:
        found, (finding,) = read(text + after)
        assert (finding.code, finding.severity) == ("FM001", "error")
        assert finding.span.line == 2
        assert abs(finding.span.column - column) <= 1
        assert hint in (finding.help or "")
        names = [entry.key.text for entry in found.entries] if found else []
        assert names == (["name"] if after else [])
