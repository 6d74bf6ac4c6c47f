"""Markdown text -> `Document`: frontmatter block, headings, fences, list items and paragraphs.

CommonMark is read by pulldown-cmark through `pyromark`, whose ranges count bytes of UTF-8; here
they become spans, which count characters. The frontmatter is blanked out first, so that lines keep
their numbers and its rules are not read as headings.
"""

import re
from bisect import bisect_right
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import accumulate

import pyromark

from cmdpack.diagnostics import Diagnostic, Severity
from cmdpack.nouns import Span

_LINE_END = re.compile(r"\r\n|\n|\r")
_RULE = re.compile(r"---[ \t]*")
_KEY = re.compile(r"[A-Za-z_][\w.-]*:(?=\s|$)")
_KNOWN_KEY = re.compile(
    r"(allowed-tools|argument-hint|category|description|model|name|tags|title|tools|version):(?=\s|$)"
)
_LATEST_START = 30  # lines of stray text before a frontmatter that starts late


def split_lines(text: str) -> tuple[str, ...]:
    r"""Split `text` into the lines that spans count, without their ends.

    Lines end as CommonMark says, with ``\n``, ``\r\n`` or ``\r``, and with no other character
    (`str.splitlines` knows eight more). A text that ends with a line end has an empty last line.
    """
    return tuple(_LINE_END.split(text))


@dataclass(frozen=True, slots=True)
class FrontmatterBlock:
    """The lines between the two rules; `line` is the file's line of the first of them."""

    lines: tuple[str, ...]
    line: int
    span: Span


@dataclass(frozen=True, slots=True)
class Code:
    """Inline code: its text, its offset in the text around it, its span with the backticks."""

    text: str
    start: int
    span: Span


@dataclass(frozen=True, slots=True)
class Prose:
    """Running text without its markup.

    The first `lead` characters of `text` are strong. `heading` is the nearest heading above, for a
    heading the one that it stands under.
    """

    text: str
    codes: tuple[Code, ...]
    lead: int
    span: Span
    heading: "Heading | None"

    @property
    def name(self) -> Code | None:
        """The inline code that the text begins with."""
        return self.codes[0] if self.codes and self.codes[0].start == 0 else None


@dataclass(frozen=True, slots=True)
class Heading(Prose):
    """A heading of level 1 to 6."""

    level: int


@dataclass(frozen=True, slots=True)
class Item(Prose):
    """The text of a list item up to its first nested block."""


@dataclass(frozen=True, slots=True)
class Paragraph(Prose):
    """A paragraph that is not the text of a list item."""


@dataclass(frozen=True, slots=True)
class Fence:
    r"""A fenced code block.

    Each line of `code` ends with ``\n``, except perhaps the last. `line` is the file's line of the
    first one. `prefixes[i]` characters stand before code line ``i`` in the file: where a tab
    belongs only partly to the container, its rest stands in `code` as spaces, and the prefix is
    smaller by them (it can be negative), so that positions after the indentation stay right.
    """

    info: str
    code: str
    line: int
    prefixes: tuple[int, ...]
    closed: bool
    span: Span
    heading: Heading | None


Block = Heading | Item | Paragraph | Fence


@dataclass(frozen=True, slots=True)
class Document:
    """A Markdown file: its lines, its frontmatter block and its blocks in the order of the file."""

    lines: tuple[str, ...]
    frontmatter: FrontmatterBlock | None
    blocks: tuple[Block, ...]
    diagnostics: tuple[Diagnostic, ...]

    @property
    def headings(self) -> tuple[Heading, ...]:
        """The headings."""
        return tuple(block for block in self.blocks if isinstance(block, Heading))

    @property
    def fences(self) -> tuple[Fence, ...]:
        """The fenced code blocks."""
        return tuple(block for block in self.blocks if isinstance(block, Fence))


def headings_above(block: Block) -> Iterator[Heading]:
    """Yield the headings that `block` stands under, the nearest first."""
    heading = block.heading
    while heading is not None:
        yield heading
        heading = heading.heading


def read_document(text: str, path: str) -> Document:
    """Read `text`; `path` names it in diagnostics. Never raises."""
    lines = split_lines(text)
    block, findings = _cut_frontmatter(lines, path)
    body = list(lines)
    if block is not None:
        first, last = block.span.line - 1, block.span.end_line
        body[first:last] = [""] * (last - first)
    blocks = _Reader(body).read()
    for fence in blocks:
        if isinstance(fence, Fence) and not fence.closed:
            findings.append(_never_closed(fence, path))
    return Document(lines, block, blocks, tuple(findings))


def _never_closed(fence: Fence, path: str) -> Diagnostic:
    return Diagnostic(
        code="MD001",
        severity="warning",
        message="this code fence is never closed, so that everything after it is code",
        path=path,
        span=fence.span,
        help="close it with a fence of the same character on a line of its own",
    )


def _cut_frontmatter(
    lines: Sequence[str], path: str
) -> tuple[FrontmatterBlock | None, list[Diagnostic]]:
    """Find the frontmatter; a finding tells what is odd about its place."""

    def finding(code: str, severity: Severity, message: str, help: str, at: int = 0) -> Diagnostic:
        span = Span(line=at + 1, column=1, end_line=at + 1, end_column=len(lines[at]) + 1)
        return Diagnostic(
            code=code, severity=severity, message=message, path=path, span=span, help=help
        )

    if not any(line.strip() for line in lines):
        return None, [finding("MD002", "warning", "the file is empty", "write the command in it")]
    if _RULE.fullmatch(lines[0]):
        end = _closing_rule(lines, 0)
        if end is not None:
            return _block(lines, 0, end), []
        message = "the frontmatter is opened here but never closed, so that it was not read"
        return None, [
            finding("FM002", "error", message, f"add `---` below line {_last_key(lines)}")
        ]
    late = _late_frontmatter(lines)
    if late is not None:
        message = "the frontmatter starts here, but assistants look for it on line 1 only"
        hint = "remove everything above it"
        return _block(lines, *late), [finding("FM007", "warning", message, hint, late[0])]
    hint = "begin it with the lines `---`, `description: ...` and `---`"
    return None, [finding("FM003", "note", "the file has no frontmatter", hint)]


def _closing_rule(lines: Sequence[str], start: int) -> int | None:
    return next((i for i in range(start + 1, len(lines)) if _RULE.fullmatch(lines[i])), None)


def _last_key(lines: Sequence[str]) -> int:
    """Return the line number of the last of the keys that follow the opening rule."""
    last = 1
    for number, line in enumerate(lines[1:], start=2):
        if not line.strip() or line.startswith("#"):
            break
        last = number
    return last


def _block(lines: Sequence[str], start: int, end: int) -> FrontmatterBlock:
    span = Span(line=start + 1, column=1, end_line=end + 1, end_column=len(lines[end]) + 1)
    return FrontmatterBlock(tuple(lines[start + 1 : end]), start + 2, span)


def _late_frontmatter(lines: Sequence[str]) -> tuple[int, int] | None:
    """Find a frontmatter below stray text: two rules around keys, one of which is well known."""
    for start, line in enumerate(lines[:_LATEST_START]):
        if line.startswith("#") or "```" in line or "~~~" in line:
            return None
        if _RULE.fullmatch(line):
            end = _closing_rule(lines, start)
            if end is None or not _KEY.match(lines[start + 1]):
                return None
            known = any(_KNOWN_KEY.match(inner) for inner in lines[start + 1 : end])
            return (start, end) if known else None
    return None


class _Positions:
    """Turns ranges of bytes of the joined lines into spans."""

    def __init__(self, lines: Sequence[str]) -> None:
        self.lines = lines
        sizes = (len(line.encode()) + 1 for line in lines)
        self.starts = [0, *accumulate(sizes)][:-1]
        self.widths: dict[int, list[int]] = {}  # of lines beyond ASCII: where characters end

    def line(self, offset: int) -> int:
        """Return the index of the line that holds the byte at `offset`."""
        return bisect_right(self.starts, offset) - 1

    def column(self, line: int, offset: int) -> int:
        """Return how many characters of line `line` stand before the byte at `offset`."""
        width, text = offset - self.starts[line], self.lines[line]
        if text.isascii():
            return width
        if line not in self.widths:
            self.widths[line] = list(accumulate(len(character.encode()) for character in text))
        return bisect_right(self.widths[line], width)

    def span(self, start: int, end: int) -> Span:
        """Return the span of the bytes from `start` to before `end`."""
        first, last = self.line(start), self.line(end)
        if last > first and end == self.starts[last]:  # a range that ends after a line end
            last, end = last - 1, end - 1
        return Span(
            line=first + 1,
            column=self.column(first, start) + 1,
            end_line=last + 1,
            end_column=self.column(last, end) + 1,
        )


class _OpenProse:
    """A heading, item or paragraph that is being read. Its end is the end of its last inline."""

    def __init__(self, kind: type[Item | Paragraph], start: int, level: int = 0) -> None:
        self.kind = kind
        self.level = level  # of a heading, else 0
        self.start = self.end = start
        self.parts: list[str] = []
        self.length = 0
        self.codes: list[tuple[str, int, int, int]] = []
        self.lead = 0
        self.in_lead = False

    def add(self, text: str, end: int) -> None:
        self.parts.append(text)
        self.length += len(text)
        self.end = end


class _Reader:
    """Folds the parser's events into blocks."""

    def __init__(self, lines: Sequence[str]) -> None:
        self.text = "\n".join(lines)
        self.at = _Positions(lines)
        self.blocks: list[Block] = []
        self.heading: Heading | None = None
        self.prose: _OpenProse | None = None
        self.info = ""
        self.pieces: list[tuple[str, int]] | None = None  # of the fence that is being read

    def read(self) -> tuple[Block, ...]:
        for event, place in pyromark.events_with_range(self.text):
            start, end = place["start"], place["end"]
            if isinstance(event, str):
                self.inline(" ", end)
                continue
            kind, value = next(iter(event.items()))
            if kind == "Start":
                self.begin(value, start)
            elif kind == "End":
                self.finish(value, start, end)
            elif kind == "Text" and self.pieces is not None:
                self.pieces.append((str(value), start))
            elif kind == "Code":
                self.code(str(value), start, end)
            else:
                self.inline(str(value), end)
        return tuple(self.blocks)

    def inline(self, text: str, end: int) -> None:
        if self.prose is not None:
            self.prose.add(text, end)

    def code(self, text: str, start: int, end: int) -> None:
        if self.prose is not None:
            self.prose.codes.append((text, self.prose.length, start, end))
        self.inline(text, end)

    def begin(self, tag: object, start: int) -> None:
        prose = self.prose
        if tag in ("Emphasis", "Strong"):
            if tag == "Strong" and prose is not None and not prose.length:
                prose.in_lead = True
        elif tag == "Item":
            self.close_prose()
            self.prose = _OpenProse(Item, start)
        elif tag == "Paragraph":
            if prose is None or prose.length:  # else it is the text of a loose list's item
                self.close_prose()
                self.prose = _OpenProse(Paragraph, start)
        elif not (isinstance(tag, Mapping) and ("Link" in tag or "Image" in tag)):
            self.close_prose()
            self.begin_container(tag, start)

    def begin_container(self, tag: object, start: int) -> None:
        if not isinstance(tag, Mapping):
            return
        if "Heading" in tag:
            self.prose = _OpenProse(Paragraph, start, int(tag["Heading"]["level"][1:]))
        elif "CodeBlock" in tag and tag["CodeBlock"] != "Indented":
            self.info = tag["CodeBlock"]["Fenced"]
            self.pieces = []

    def finish(self, tag: object, start: int, end: int) -> None:
        if tag == "Strong":
            if self.prose is not None and self.prose.in_lead:
                self.prose.in_lead = False
                self.prose.lead = self.prose.length
        elif tag in ("Item", "Paragraph") or (isinstance(tag, Mapping) and "Heading" in tag):
            self.close_prose()
        elif tag == "CodeBlock" and self.pieces is not None:
            self.blocks.append(self.close_fence(self.pieces, start, end))
            self.pieces = None

    def close_prose(self) -> None:
        prose, self.prose = self.prose, None
        if prose is None or not prose.length:
            return
        codes = tuple(
            Code(text, start, self.at.span(first, last)) for text, start, first, last in prose.codes
        )
        text = "".join(prose.parts)
        span = self.at.span(prose.start, prose.end)
        if not prose.level:
            self.blocks.append(prose.kind(text, codes, prose.lead, span, self.heading))
            return
        above = self.heading
        while above is not None and above.level >= prose.level:
            above = above.heading
        self.heading = Heading(text, codes, prose.lead, span, above, prose.level)
        self.blocks.append(self.heading)

    def close_fence(self, pieces: Sequence[tuple[str, int]], start: int, end: int) -> Fence:
        first = self.at.line(start)
        code = "".join(text for text, _ in pieces)
        count = code.count("\n") + (not code.endswith("\n") and code != "")
        prefixes = [0] * count
        line = width = 0  # where the code read so far ends, in lines and bytes
        for text, offset in pieces:
            prefixes[line] = offset - self.at.starts[first + 1 + line] - width
            *whole, rest = text.split("\n")
            line += len(whole)
            width = len(rest.encode()) + (0 if whole else width)
        last = self.at.line(max(end - 1, start))
        closing = self.at.lines[last].rstrip(" \t").endswith(("```", "~~~"))
        return Fence(
            info=self.info,
            code=code,
            line=first + 2,
            prefixes=tuple(prefixes),
            closed=closing and last - first - 1 == count,
            span=self.at.span(start, end),
            heading=self.heading,
        )
