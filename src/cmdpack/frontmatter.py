"""Frontmatter lines -> `Frontmatter`: keys and values as written, each with its span.

The text goes through PyYAML's parser no further than its events: no object is ever built from it,
anchors, aliases, tags and merge keys are refused, and scalars stay the text that they are (``2.0``,
``on``, dates). A value that YAML cannot read costs only itself: what can only have been meant as
text, such as an unquoted ``[a] [b]``, is read as text; the rest is broken, and an error says so.
"""

import re
from bisect import bisect_right
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import accumulate

import yaml

from cmdpack.diagnostics import Diagnostic, Severity
from cmdpack.nouns import Span

_LOADER = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
_TOP_KEY = re.compile(r"""("[^"]+"|'[^']+'|[A-Za-z_$][\w$.-]*)[ \t]*:(?=\s|$)[ \t]*""")
_STRAY = re.compile(r"\w[^:]*")
_UNREADABLE = re.compile(r"[^\t\n\x20-\x7e\x85\xa0-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
_TEXTS = frozenset({"argument-hint", "description", "name", "title", "version", "when_to_use"})
_STRUCTURES = frozenset(
    {"dependencies", "engine", "options", "related", "requires", "target", "workflows"}
)
_DEEPEST = 32  # nested collections
_MOST_REPAIRS = 20
_NULLS = frozenset({"", "~", "null", "Null", "NULL"})


@dataclass(frozen=True, slots=True)
class Scalar:
    """A scalar: its text as YAML reads it, and `source`, the stretch of the file that it was."""

    text: str
    plain: bool
    source: str
    span: Span

    @property
    def is_null(self) -> bool:
        """Whether YAML has no value here."""
        return self.plain and self.text in _NULLS

    def locate(self, parts: Iterable[tuple[int, int]]) -> Iterator[Span]:
        """Yield the span of each ``text[start:end]``, or the whole one where it cannot be told."""
        offset = self.source.find(self.text)
        line = self.span.line
        verbatim = offset >= 0 and line == self.span.end_line
        for start, end in parts:
            first, last = (self.span.column + offset + index for index in (start, end))
            inner = Span(line=line, column=first, end_line=line, end_column=last)
            yield inner if verbatim else self.span


@dataclass(frozen=True, slots=True)
class Items:
    """A YAML sequence."""

    items: tuple["Value", ...]
    source: str
    span: Span


@dataclass(frozen=True, slots=True)
class Fields:
    """A YAML mapping, entries as written: a key may occur twice, and then the last one counts."""

    entries: tuple["Entry", ...]
    source: str
    span: Span

    def get(self, name: str) -> "Entry | None":
        """Return the entry that counts for `name`."""
        found = None
        for entry in self.entries:
            if entry.key.text == name:
                found = entry
        return found


Value = Scalar | Items | Fields


@dataclass(frozen=True, slots=True)
class Entry:
    """A key and its value."""

    key: Scalar
    value: Value


def read_frontmatter(
    lines: Sequence[str], line: int, path: str
) -> tuple[Fields | None, tuple[Diagnostic, ...]]:
    """Read the lines between the rules; `line` is the file's line of the first one. Never raises.

    None means that there is nothing to read, or nothing that could be read.
    """
    findings: list[Diagnostic] = []
    rescued: list[Entry] = []
    remaining = list(lines)
    for _ in range(_MOST_REPAIRS):
        source = _Source(remaining, line, path)
        try:
            root, refused = _Tree(source).read()
        except _UnreadableError as error:
            blamed = _blame(remaining, error)
            if blamed is None:
                return None, (error.finding(source, "the frontmatter is not readable as YAML"),)
            entry, finding = _repair(source, blamed, error)
            findings.append(finding)
            rescued += entry
            remaining[blamed.start : blamed.stop] = [""] * len(blamed)
            continue
        return _assemble(root, rescued, source, [*findings, *refused])
    return None, (_too_many_repairs(_Source(lines, line, path)),)


def _assemble(
    root: Value | None, rescued: Sequence[Entry], source: "_Source", findings: list[Diagnostic]
) -> tuple[Fields | None, tuple[Diagnostic, ...]]:
    """Put entries that were read as text back among those that YAML could read."""
    if isinstance(root, Fields) or (rescued and root is None):
        entries = [*(root.entries if isinstance(root, Fields) else ()), *rescued]
        entries.sort(key=lambda entry: entry.key.span.line)
        span = root.span if root is not None else rescued[0].value.span
        return Fields(tuple(entries), "", span), tuple(findings)
    if root is not None and not (isinstance(root, Scalar) and root.is_null):
        findings.append(
            source.finding(
                "FM005",
                "error",
                root.span,
                "the frontmatter holds no keys, so that it was not read",
                "write it as lines `key: value`",
            )
        )
    return None, tuple(findings)


class _Source:
    """The lines that YAML reads, and the way from its offsets to the file."""

    def __init__(self, lines: Sequence[str], line: int, path: str) -> None:
        self.lines = lines
        self.line = line
        self.path = path
        self.text = "\n".join(lines)
        self.starts = [0, *accumulate(len(text) + 1 for text in lines)][:-1] or [0]

    def place(self, offset: int) -> tuple[int, int]:
        """Return the file's line and column of the character at `offset`."""
        index = bisect_right(self.starts, offset) - 1
        return self.line + index, offset - self.starts[index] + 1

    def span(self, start: int, end: int) -> Span:
        """Return the span from `start` to before `end`, less the blanks at its end."""
        end = start + len(self.text[start:end].rstrip())
        (line, column), (end_line, end_column) = self.place(start), self.place(end)
        return Span(line=line, column=column, end_line=end_line, end_column=end_column)

    def finding(
        self, code: str, severity: Severity, span: Span, message: str, help: str
    ) -> Diagnostic:
        return Diagnostic(
            code=code, severity=severity, message=message, path=self.path, span=span, help=help
        )


class _UnreadableError(Exception):
    """YAML stopped: where in the text, and which line's key is to blame."""

    def __init__(self, problem: str, offset: int, blamed: int) -> None:
        super().__init__(problem)
        self.problem = problem
        self.offset = offset
        self.blamed = blamed

    def finding(self, source: _Source, consequence: str) -> Diagnostic:
        line, column = source.place(self.offset)
        text = source.lines[line - source.line] if source.lines else ""
        hint = "put a value that holds `: `, ` #`, brackets or quotes into quotes"
        if re.match(r" *\t", text):
            hint = "indent with spaces: YAML forbids tabs"
        span = Span(line=line, column=column, end_line=line, end_column=column)
        return source.finding("FM001", "error", span, f"{consequence}: {self.problem}", hint)


class _Tree:
    """Builds values from the parser's events."""

    def __init__(self, source: _Source) -> None:
        self.source = source
        self.findings: list[Diagnostic] = []

    def read(self) -> tuple[Value | None, list[Diagnostic]]:
        """Return the first document's value. Raises `_UnreadableError`."""
        try:
            events = iter(yaml.parse(self.source.text, Loader=_LOADER))
            root = None
            for event in events:
                if isinstance(event, yaml.NodeEvent):
                    root = self.value(event, events, 0)
        except yaml.MarkedYAMLError as error:
            raise self.unreadable(error) from error
        except yaml.reader.ReaderError as error:
            found = _UNREADABLE.search(self.source.text)
            offset = found.start() if found else 0
            what = f"the character U+{ord(self.source.text[offset]):04X} is not allowed"
            raise _UnreadableError(what, offset, self.line(offset)) from error
        return root, self.findings

    def unreadable(self, error: yaml.MarkedYAMLError) -> _UnreadableError:
        context = error.context or ""
        problem = error.problem or "not YAML"
        offset = _offset(error.problem_mark)
        if error.context_mark and ("flow" in context or "quoted" in context):
            # It was opened there; the problem only shows further on.
            start = _offset(error.context_mark)
            offset = start if "end of stream" in problem else offset
            return _UnreadableError(f"{problem} {context}", offset, self.line(start))
        return _UnreadableError(problem, offset, self.line(offset))

    def line(self, offset: int) -> int:
        return self.source.place(offset)[0] - self.source.line

    def value(self, event: yaml.Event, events: Iterator[yaml.Event], depth: int) -> Value:
        """Build the value that `event` begins, taking from `events` what belongs to it."""
        start = _offset(event.start_mark)
        if depth > _DEEPEST:
            raise _UnreadableError(f"nested more than {_DEEPEST} deep", start, self.line(start))
        text = self.source.text
        if isinstance(event, yaml.MappingStartEvent):
            entries, end = self.entries(events, depth)
            return self.checked(
                event, Fields(tuple(entries), text[start:end], self.source.span(start, end))
            )
        if isinstance(event, yaml.SequenceStartEvent):
            items, end = self.items(events, depth)
            return self.checked(event, Items(items, text[start:end], self.source.span(start, end)))
        end = _offset(event.end_mark)
        span = self.source.span(start, end)
        if isinstance(event, yaml.ScalarEvent):
            return self.checked(event, Scalar(event.value, not event.style, text[start:end], span))
        self.refuse(span, f"an alias (`{text[start:end]}`)")
        return Scalar("", plain=True, source="", span=span)

    def items(self, events: Iterator[yaml.Event], depth: int) -> tuple[tuple[Value, ...], int]:
        items: list[Value] = []
        while not isinstance(event := next(events), yaml.SequenceEndEvent):
            items.append(self.value(event, events, depth + 1))
        return tuple(items), _offset(event.end_mark)

    def entries(self, events: Iterator[yaml.Event], depth: int) -> tuple[list[Entry], int]:
        entries: list[Entry] = []
        seen: dict[str, Scalar] = {}
        while not isinstance(event := next(events), yaml.MappingEndEvent):
            key = self.value(event, events, depth + 1)
            value = self.value(next(events), events, depth + 1)
            if isinstance(key, Scalar) and self.usable(key, seen):
                seen[key.text] = key
                entries.append(Entry(key, value))
            elif not isinstance(key, Scalar):
                message = "a key is not plain text, so that its entry was ignored"
                hint = "put the key into quotes"
                finding = self.source.finding("FM005", "error", key.span, message, hint)
                self.findings.append(finding)
        return entries, _offset(event.end_mark)

    def usable(self, key: Scalar, seen: dict[str, Scalar]) -> bool:
        if key.plain and key.text == "<<":
            self.refuse(key.span, "a merge key (`<<`)")
            return False
        if key.text in seen:
            first = seen[key.text].span
            message = f"`{key.text}` stands on line {first.line} too; the last value counts"
            self.findings.append(
                self.source.finding("FM004", "warning", key.span, message, "remove one of them")
            )
        return True

    def checked(self, event: yaml.CollectionStartEvent | yaml.ScalarEvent, value: Value) -> Value:
        """Refuse what asks for more than text, lists and mappings; its value becomes empty."""
        if event.anchor is not None:
            self.refuse(value.span, f"an anchor (`&{event.anchor}`)")
        elif event.tag is not None:
            self.refuse(value.span, f"a tag (`{event.tag}`)")
        else:
            return value
        return Scalar("", plain=True, source="", span=value.span)

    def refuse(self, span: Span, what: str) -> None:
        message = f"{what} is refused, and its value ignored"
        self.findings.append(
            self.source.finding("FM006", "error", span, message, "write the value out")
        )


def _offset(mark: object) -> int:
    """Return the offset of a mark of either of PyYAML's two parsers."""
    return int(getattr(mark, "index", 0))


def _blame(lines: Sequence[str], error: _UnreadableError) -> range | None:
    """Return the lines to blame: a stray line, or those of a top-level key and its value."""
    stray = (i for i, text in enumerate(lines[: error.blamed + 1]) if _STRAY.fullmatch(text))
    if (index := next(stray, None)) is not None:
        return range(index, index + 1)
    keys = [index for index, text in enumerate(lines) if _TOP_KEY.match(text)]
    before = [index for index in keys if index <= error.blamed]
    if not before or "document start" in error.problem:
        return None
    start = before[-1]
    end = next((index for index in keys if index > start), len(lines))
    return range(start, end)


def _repair(
    source: _Source, blamed: range, error: _UnreadableError
) -> tuple[list[Entry], Diagnostic]:
    """Read a blamed value as if it were quoted, if it is text; what is not is given up."""
    first = source.lines[blamed.start]
    match = _TOP_KEY.match(first)
    if match is None:
        start = source.starts[blamed.start]
        message = "this line is no `key: value` and was ignored"
        span = source.span(start, start + len(first))
        hint = "remove it, or indent it if it belongs to the line above"
        return [], source.finding("FM001", "error", span, message, hint)
    name = match[1].strip("\"'")
    value_start = source.starts[blamed.start] + match.end()
    last = blamed.stop - 1
    end = source.starts[last] + len(source.lines[last])
    raw = source.text[value_start:end].rstrip()
    opened = _left_open(raw)
    if not first[match.end() :].strip() or not _is_text(name, opened):
        consequence = f"the value of `{name}` is not readable as YAML and was ignored"
        if opened:
            span = source.span(value_start, end)
            message = f"{consequence}: its `{opened}` is never closed"
            text = "" if name in _STRUCTURES else ", or put the value into quotes if it is text"
            hint = f"close the `{opened}`{text}"
            return [], source.finding("FM001", "error", span, message, hint)
        return [], error.finding(source, consequence)
    key_start = source.starts[blamed.start]
    key_span = source.span(key_start, key_start + len(match[1]))
    key = Scalar(name, plain=match[1] == name, source=match[1], span=key_span)
    text = " ".join(part.strip() for part in raw.split("\n") if part.strip())
    span = source.span(value_start, end)
    message = f"the value of `{name}` is not YAML ({error.problem}); it was read as if quoted"
    shown = text if len(text) <= 60 else f"{text[:57]}..."
    hint = f"quote it: {name}: {_quoted(shown)}"
    finding = source.finding("FM008", "warning", span, message, hint)
    return [Entry(key, Scalar(text, plain=False, source=raw, span=span))], finding


def _left_open(raw: str) -> str:
    """Return the bracket or quote that a value begins with and never closes, or nothing."""
    if raw.startswith(("'", '"')):
        return raw[0] if raw.count(raw[0]) % 2 else ""
    openings, closings = (sum(map(raw.count, brackets)) for brackets in ("[{", "]}"))
    return raw[0] if raw.startswith(("[", "{")) and openings > closings else ""


def _is_text(name: str, opened: str) -> bool:
    """Whether the value of `name`, which YAML cannot read, was meant as text."""
    return name in _TEXTS or (name not in _STRUCTURES and opened not in {"[", "{"})


def _quoted(text: str) -> str:
    printable = "".join(character if character.isprintable() else "\ufffd" for character in text)
    return "'" + printable.replace("'", "''") + "'"


def _too_many_repairs(source: _Source) -> Diagnostic:
    message = "the frontmatter is not readable as YAML, in too many places to repair"
    return source.finding("FM001", "error", source.span(0, 0), message, "write it anew")
