"""What the Markdown reader promises: blocks, and positions that are those of the file."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cmdpack.markdown import (
    Document,
    Fence,
    Heading,
    Item,
    Paragraph,
    headings_above,
    read_document,
    split_lines,
)
from cmdpack.nouns import Span


def read(text: str) -> Document:
    return read_document(text, "x.md")


def only_fence(text: str) -> Fence:
    (fence,) = read(text).fences
    return fence


def place(span: Span) -> tuple[int, int, int, int]:
    return span.line, span.column, span.end_line, span.end_column


def codes(text: str) -> list[str]:
    return [finding.code for finding in read(text).diagnostics]


def in_file(fence: Fence, lines: tuple[str, ...]) -> list[tuple[str, str]]:
    """Pair what follows the indentation of each code line with the same stretch of the file."""
    pairs = []
    for index, prefix in enumerate(fence.prefixes):
        code = fence.code.split("\n")[index]
        indent = len(code) - len(code.lstrip(" \t"))
        pairs.append((code[indent:], lines[fence.line - 1 + index][prefix + indent :]))
    return pairs


class TestSplitLines:
    def test_knows_the_three_line_ends_of_commonmark_and_no_other(self) -> None:
        assert split_lines("a\nb\r\nc\rd\u2028e\x0cf\x85g\n") == (
            "a",
            "b",
            "c",
            "d\u2028e\x0cf\x85g",
            "",
        )


class TestFrontmatterBlock:
    def test_keeps_its_lines_and_its_span_with_the_rules(self) -> None:
        block = read("---\na: 1\nb: 2\n---\n# Title\n").frontmatter
        assert block is not None
        assert (block.lines, block.line, place(block.span)) == (
            ("a: 1", "b: 2"),
            2,
            (1, 1, 4, 4),
        )

    def test_does_not_move_what_comes_after_it(self) -> None:
        (heading,) = read("---\na: 1\n---\n# Title\n").headings
        assert (heading.text, place(heading.span)) == ("Title", (4, 1, 4, 8))

    def test_may_be_empty(self) -> None:
        block = read("---\n---\ntext").frontmatter
        assert block is not None
        assert block.lines == ()
        assert codes("---\n---\ntext") == []

    def test_missing(self) -> None:
        document = read("# Title\n")
        assert document.frontmatter is None
        assert [(d.code, d.severity) for d in document.diagnostics] == [("FM003", "note")]

    def test_never_closed(self) -> None:
        document = read("---\na: 1\nb: 2\n\n# Title\n")
        (finding,) = document.diagnostics
        assert document.frontmatter is None
        assert (finding.code, finding.severity, finding.place) == ("FM002", "error", "x.md:1:1")
        assert finding.help == "add `---` below line 3"
        assert [heading.text for heading in document.headings] == ["Title"]

    @pytest.mark.parametrize("above", ["\n", "Here is the command:\n\n", "\n\n\nhm\n"])
    def test_starting_late_is_read_and_told(self, above: str) -> None:
        document = read(f"{above}---\ndescription: d\n---\ntext\n")
        (finding,) = document.diagnostics
        start = above.count("\n") + 1
        assert document.frontmatter is not None
        assert document.frontmatter.line == start + 1
        assert (finding.code, finding.severity) == ("FM007", "warning")
        assert finding.span.line == start

    @pytest.mark.parametrize(
        "text",
        [
            "Text.\n\n---\n\nMore: text.\n\n---\n",
            "Text.\n\n---\nNote: this is prose\n---\n",
            "# Title\n\n---\nname: x\n---\n",
            "```\n---\nname: x\n---\n```\n",
            "  ~~~\n---\nname: x\n---\n  ~~~\n",
            "Text.\n\n---\nname: x\n",
            "Text.\n\n---",
        ],
    )
    def test_rules_in_prose_are_no_frontmatter(self, text: str) -> None:
        document = read(text)
        assert document.frontmatter is None
        assert [finding.code for finding in document.diagnostics] == ["FM003"]

    @pytest.mark.parametrize("text", ["", "\n", "  \n\t\n"])
    def test_of_an_empty_file(self, text: str) -> None:
        assert codes(text) == ["MD002"]


class TestProse:
    def test_heading_keeps_the_names_that_stand_in_it_as_code(self) -> None:
        (heading,) = read("\n### **`jax-é`** - An `x` *role*\n").headings
        assert (heading.level, heading.text, heading.lead) == (3, "jax-é - An x role", 5)
        assert [(code.text, code.start) for code in heading.codes] == [("jax-é", 0), ("x", 11)]
        assert place(heading.codes[0].span) == (2, 7, 2, 14)
        assert heading.name == heading.codes[0]

    def test_heading_ends_where_its_text_ends(self) -> None:
        (heading,) = read("## Title ##   \n").headings
        assert place(heading.span) == (1, 1, 1, 9)

    def test_setext_headings_count(self) -> None:
        (heading,) = read("Title\n=====\n").headings
        assert (heading.level, heading.text) == (1, "Title")

    def test_headings_stand_under_headings_of_lower_level(self) -> None:
        document = read("# A\n### B\n## C\n#### D\ntext\n# E\n")
        (paragraph,) = (block for block in document.blocks if isinstance(block, Paragraph))
        assert [heading.text for heading in headings_above(paragraph)] == ["D", "C", "A"]
        assert [h.heading and h.heading.text for h in document.headings] == [
            None,
            "A",
            "A",
            "C",
            None,
        ]

    def test_items_are_read_without_what_is_nested_in_them(self) -> None:
        document = read("- `a`: one\n  two\n  - nested\n\n    more\n- last\n")
        items = [block for block in document.blocks if isinstance(block, Item)]
        assert [(item.text, place(item.span)) for item in items] == [
            ("a: one two", (1, 1, 2, 6)),
            ("nested", (3, 3, 3, 11)),
            ("last", (6, 1, 6, 7)),
        ]
        (paragraph,) = (block for block in document.blocks if isinstance(block, Paragraph))
        assert paragraph.text == "more"

    def test_loose_items_are_items(self) -> None:
        document = read("- one\n\n- two\n\n  three\n")
        assert [
            (type(block), block.text) for block in document.blocks if not isinstance(block, Fence)
        ] == [
            (Item, "one"),
            (Item, "two"),
            (Paragraph, "three"),
        ]

    def test_only_leading_strong_text_leads(self) -> None:
        first, second = read("**A**: b **c**\n\na **b**\n").blocks
        assert isinstance(first, Paragraph)
        assert isinstance(second, Paragraph)
        assert (first.text, first.lead, second.lead) == ("A: b c", 1, 0)

    def test_text_of_links_images_and_tags_is_kept(self) -> None:
        (block,) = read("see [the `x`](y) ![pic](z) --a=<op>\n").blocks
        assert isinstance(block, Paragraph)
        assert block.text == "see the x pic --a=<op>"

    def test_indented_code_is_neither_prose_nor_fence(self) -> None:
        assert read("    # no heading\n").blocks == ()


FENCES = {
    "plain": ("```python a=b\nx\n  y\n```\n", "x\n  y\n", 2, (0, 0), (1, 1, 4, 4)),
    "empty": ("```\n```\n", "", 2, (), (1, 1, 2, 4)),
    "blank lines": ("```\n\n\n```", "\n\n", 2, (0, 0), (1, 1, 4, 4)),
    "tildes around ticks": ("~~~\n```\n~~~\n", "```\n", 2, (0,), (1, 1, 3, 4)),
    "longer": ("`````md\n```py\nx\n```\n`````\n", "```py\nx\n```\n", 2, (0, 0, 0), (1, 1, 5, 6)),
    "longer end": ("```\nx\n`````  \n", "x\n", 2, (0,), (1, 1, 3, 8)),
    "indented": ("   ```\n   x\n     y\n z\n  ```\n", "x\n  y\nz\n", 2, (3, 3, 1), (1, 4, 5, 6)),
    "in an item": (
        "- é\n  ```\n  x\n\n    y\n  ```\n",
        "x\n\n  y\n",
        3,
        (2, 0, 2),
        (2, 3, 6, 6),
    ),
    "in a quote": ("> ```\n> x\n>\n>y\n> ```\n", "x\n\ny\n", 2, (2, 1, 1), (1, 3, 5, 6)),
    "in both": ("> 1. ~~~\n>    é\n>    ~~~\n", "é\n", 2, (5,), (1, 6, 3, 9)),
    "behind a tab": ("-\t```\n\tx\n\t\ty\n\t```\n", "x\n\ty\n", 2, (1, 1), (1, 3, 4, 5)),
    "cutting a tab": ("> ```\n>\tx\n> ```\n", "  x\n", 2, (0,), (1, 3, 3, 6)),
    "cutting a tab of many": ("- ```\n\t\tx\n  ```\n", "  \tx\n", 2, (-1,), (1, 3, 3, 6)),
    "crlf": ("a\r\n```\r\nx\r\n y\r\n```\r\n", "x\n y\n", 3, (0, 0), (2, 1, 5, 4)),
    "old mac": ("a\r\r```\rx\r```\r", "x\n", 4, (0,), (3, 1, 5, 4)),
    "exotic": (
        "\u2028a\x0c\n\n```\n\u2028\x85\x0c\n```",
        "\u2028\x85\x0c\n",
        4,
        (0,),
        (3, 1, 5, 4),
    ),
}


class TestFence:
    @pytest.mark.parametrize("case", FENCES)
    def test_code_line_prefixes_and_span(self, case: str) -> None:
        text, code, line, prefixes, span = FENCES[case]
        fence = only_fence(text)
        assert (fence.code, fence.line, fence.prefixes, place(fence.span), fence.closed) == (
            code,
            line,
            prefixes,
            span,
            True,
        )

    @pytest.mark.parametrize("case", FENCES)
    def test_prefixes_lead_back_into_the_file(self, case: str) -> None:
        text = FENCES[case][0]
        for code, file in in_file(only_fence(text), split_lines(text)):
            assert code == file

    @pytest.mark.parametrize(
        ("text", "code", "end"),
        [
            ("```", "", (1, 4)),
            ("```\n", "", (1, 4)),
            ("```py\nx", "x", (2, 2)),
            ("```py\nx\n", "x\n", (2, 2)),
            ("```py\nx\n    ```", "x\n    ```", (3, 8)),
            ("```py\nx\n~~~\n", "x\n~~~\n", (3, 4)),
            ("````\nx\n```\n", "x\n```\n", (3, 4)),
            ("- ```\n  x\n\nend\n", "x\n\n", (3, 1)),
        ],
    )
    def test_never_closed(self, text: str, code: str, end: tuple[int, int]) -> None:
        fence = only_fence(text)
        assert (fence.closed, fence.code, place(fence.span)[2:]) == (False, code, end)
        finding = read(text).diagnostics[-1]
        assert (finding.code, finding.severity, finding.span) == ("MD001", "warning", fence.span)

    def test_ends_with_its_quote(self) -> None:
        fence = only_fence("> ```\n> x\n\ny\n")
        assert (fence.closed, fence.code) == (False, "x\n")

    def test_knows_the_nearest_heading(self) -> None:
        fences = read("```\n```\n# A\n## B\n```\n```\n").fences
        assert [fence.heading and fence.heading.text for fence in fences] == [None, "B"]

    def test_keeps_its_info_string(self) -> None:
        assert only_fence('```python  title="a &amp; b" {1,6}  \n```\n').info == (
            'python  title="a & b" {1,6}'
        )


@pytest.mark.parametrize(
    "text",
    [
        ">" * 20_000,
        "- " * 20_000,
        "[" * 20_000,
        "`" * 20_001,
        "**_" * 10_000,
        "```py\n" * 5_000,
        "```" + "`" * 50_000 + "x\n" + "`" * 50_000 + "y",
        "---\n" * 10_000,
    ],
    ids=lambda text: repr(text[:6]),
)
def test_hostile_text_is_read_in_time(text: str) -> None:
    assert read(text).lines


_PIECES = st.sampled_from(
    [
        *("```", "````", "~~~", "python", " ", "  ", "   ", "    ", "\t", "\n", "\n", "\n", "\r\n"),
        *("\r", "> ", ">", "- ", "1. ", "# ", "## ", "`", "`a`", "**", "é", "\u2028", "\x00", "x"),
        *("<b>", "[a](b)", "---", "---\n", "name: x\n", "|", "\\", "&amp;", "\U0001f600"),
    ]
)
_MARKDOWN = st.one_of(st.lists(_PIECES, max_size=40).map("".join), st.text(max_size=80))


def _inside(span: Span, lines: tuple[str, ...]) -> bool:
    ordered = (span.line, span.column) <= (span.end_line, span.end_column)
    within = span.line >= 1 and span.end_line <= len(lines)
    return (
        ordered
        and within
        and 1 <= span.column <= len(lines[span.line - 1]) + 1
        and 1 <= span.end_column <= len(lines[span.end_line - 1]) + 1
    )


@settings(deadline=None, max_examples=400)
@given(_MARKDOWN)
def test_every_position_lies_in_the_file(text: str) -> None:
    document = read(text)
    for block in document.blocks:
        assert _inside(block.span, document.lines)
        if isinstance(block, Heading | Item | Paragraph):
            for code in block.codes:
                assert _inside(code.span, document.lines)
                assert block.text[code.start :].startswith(code.text)
    for finding in document.diagnostics:
        assert _inside(finding.span, document.lines)


@settings(deadline=None, max_examples=400)
@given(_MARKDOWN)
def test_code_is_the_files_lines_less_prefixes(text: str) -> None:
    document = read(text)
    for fence in document.fences:
        assert len(fence.prefixes) == len(fence.code.split("\n")) - fence.code.endswith("\n") - (
            not fence.code
        )
        assert fence.line == fence.span.line + 1
        for code, file in in_file(fence, document.lines):
            assert code == file
