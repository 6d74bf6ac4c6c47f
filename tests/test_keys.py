"""What reading keys promises: a value of the right type, or a diagnostic and none."""

import pytest

from cmdpack.frontmatter import read_frontmatter
from cmdpack.keys import KeyReader


def keys(text: str) -> KeyReader:
    found, findings = read_frontmatter(text.split("\n"), 2, "x.md")
    assert findings == ()
    return KeyReader(found, "x.md")


class TestNames:
    @pytest.mark.parametrize(
        ("text", "columns"),
        [
            ("a: [b-c, d]", [(5, 8), (10, 11)]),
            ("a: b-c, d", [(4, 7), (9, 10)]),
            ("a: 'b-c,d,'", [(5, 8), (9, 10)]),
            ("a: b-c,, ,d", [(4, 7), (11, 12)]),
        ],
    )
    def test_list_or_text_with_commas(self, text: str, columns: list[tuple[int, int]]) -> None:
        names = keys(text).names("a")
        assert [name.name for name in names] == ["b-c", "d"]
        assert [(name.span.column, name.span.end_column) for name in names] == columns

    def test_items_that_are_no_text_are_ignored(self) -> None:
        reader = keys("a: [b, [c], {d: e}]")
        assert [name.name for name in reader.names("a")] == ["b"]
        (finding,) = reader.findings
        assert (finding.code, finding.severity, finding.place) == ("FM005", "error", "x.md:2:4")
        assert "items that are no text" in finding.message

    def test_mapping_is_ignored(self) -> None:
        reader = keys("a: {b: c}")
        assert reader.names("a") == ()
        assert [finding.code for finding in reader.findings] == ["FM005"]


class TestScalar:
    @pytest.mark.parametrize("text", ["", "b: c", "a:", "a: ~"])
    def test_absent_or_empty_is_none_without_a_finding(self, text: str) -> None:
        reader = keys(text)
        assert reader.scalar("a") is None
        assert reader.findings == []

    @pytest.mark.parametrize(("text", "kind"), [("a: [b]", "a list"), ("a: {b: c}", "a mapping")])
    def test_another_type_is_ignored_and_named(self, text: str, kind: str) -> None:
        reader = keys(text)
        assert reader.scalar("a") is None
        (finding,) = reader.findings
        assert (finding.code, finding.severity) == ("FM005", "error")
        assert kind in finding.message


class TestUsage:
    def test_unquoted_brackets_are_a_list_whose_text_is_read(self) -> None:
        reader = keys("a: [--x=b|c]")
        found = reader.usage("a")
        assert found is not None
        assert (found.text, found.span.column) == ("[--x=b|c]", 4)
        assert [(f.code, f.severity) for f in reader.findings] == [("FM005", "note")]

    def test_mapping_is_ignored(self) -> None:
        reader = keys("a: {b: c}")
        assert reader.usage("a") is None
        assert [finding.severity for finding in reader.findings] == ["error"]


def test_mapping_that_is_none() -> None:
    reader = keys("options: some text")
    assert reader.mapping("options") is None
    (finding,) = reader.findings
    assert finding.message == "`options` is text and was ignored"
    assert finding.help == "write a mapping"
