"""A command file -> `CommandSpec`. Reading never executes, imports or follows anything."""

import codecs
import hashlib
import stat
from collections.abc import Iterator, Sequence
from dataclasses import replace
from itertools import count
from pathlib import Path

from cmdpack.banners import find_banners, plain_title
from cmdpack.diagnostics import Diagnostic
from cmdpack.errors import InputError
from cmdpack.frontmatter import Fields, Items, Scalar, read_frontmatter
from cmdpack.hints import (
    Info,
    OptionHint,
    merge_options,
    read_argument_hint,
    read_info,
    read_options_key,
)
from cmdpack.keys import KeyReader
from cmdpack.markdown import Document, Fence, read_document
from cmdpack.nouns import Span
from cmdpack.prose import (
    read_agents,
    read_option_list,
    read_related,
    read_triggers,
    read_workflows,
)
from cmdpack.spec import CommandSpec, Example, Key, Option, Section, SectionKind

LARGEST_FILE = 5 * 1024 * 1024  # bytes
_BOM = "\ufeff"


def read_command(path: Path) -> CommandSpec:
    """Read the command file at `path`.

    Raises `InputError` when it is not a regular file of UTF-8 text of at most `LARGEST_FILE` bytes.
    """
    content = _read_bytes(path)
    text = _decode(content, path)
    return _parse(text, str(path), path.stem, hashlib.sha256(content).hexdigest())


def parse_command(text: str, path: str, *, name: str | None = None) -> CommandSpec:
    """Parse the text of a command file; `path` names it. Never raises, whatever `text` holds.

    `name` is the stem of `path` unless it is given. Half of a surrogate pair, which no file can
    hold, is read as ``?``.
    """
    content = text.encode(errors="replace")
    stem = name if name is not None else Path(path).stem
    return _parse(content.decode(), path, stem, hashlib.sha256(content).hexdigest())


def _read_bytes(path: Path) -> bytes:
    place = str(path)
    try:
        status = path.stat()  # before opening, which would wait for the writer of a FIFO
        if not stat.S_ISREG(status.st_mode):
            kind = "a directory" if stat.S_ISDIR(status.st_mode) else "not a regular file"
            raise InputError(f"this is {kind}", place=place, help="name a Markdown file")
        with path.open("rb") as file:
            content = file.read(LARGEST_FILE + 1)
    except FileNotFoundError as error:
        raise InputError("no such file", place=place, help="check the spelling") from error
    except (OSError, ValueError) as error:  # ValueError: a path with a NUL character
        fact = getattr(error, "strerror", None) or str(error)
        raise InputError(
            f"cannot be read: {fact}", place=place, help="check the path and its permissions"
        ) from error
    if len(content) > LARGEST_FILE:
        size = max(status.st_size, len(content)) / 1024 / 1024
        limit = LARGEST_FILE // 1024 // 1024
        raise InputError(
            f"the file has {size:.1f} MiB; a command file may have {limit} MiB",
            place=place,
            help="move what is not prose or examples into files of its own",
        )
    return content


def _decode(content: bytes, path: Path) -> str:
    if content.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
        raise InputError("this is UTF-16", place=f"{path}:1:1", help="save the file as UTF-8")
    nul = content.find(b"\0")
    if nul >= 0:
        raise InputError(
            f"this is not text: byte {nul} is NUL",
            place=f"{path}:{_place_of(content, nul)}",
            help="name a Markdown file, or remove the character if this is one",
        )
    try:
        return content.decode()
    except UnicodeDecodeError as error:
        raise InputError(
            f"this is not UTF-8: byte {error.start} is 0x{content[error.start]:02X}"
            f" ({error.reason})",
            place=f"{path}:{_place_of(content, error.start)}",
            help="save the file as UTF-8",
        ) from error


def _place_of(content: bytes, offset: int) -> str:
    before = content[:offset].replace(b"\r\n", b"\n").replace(b"\r", b"\n")
    column = len(before[before.rfind(b"\n") + 1 :].decode(errors="replace")) + 1
    line = before.count(b"\n") + 1
    return f"{line}:{column}"


def _parse(text: str, path: str, name: str, digest: str) -> CommandSpec:
    text = text.removeprefix(_BOM)
    document = read_document(text, path)
    fields, findings = _read_fields(document, path)
    keys = KeyReader(fields, path)
    options, option_findings = _read_options(keys, document, path)
    infos = [(fence, read_info(fence.info, options)) for fence in document.fences]
    examples = tuple(_read_examples(infos))
    workflows, usage = read_workflows([(fence, info.language) for fence, info in infos])
    selectable = next((option.choices for option in options if option.name == "agents"), ())
    agents, teams = read_agents(document, selectable)
    known = {agent.name for agent in agents}
    title = _text(keys, "title") or _first_heading(document) or _text(keys, "name") or name
    spec = CommandSpec(
        name=name,
        path=path,
        digest=digest,
        source=text,
        title=title,
        description=_text(keys, "description") or "",
        version=_text(keys, "version"),
        keys=_keys(fields),
        tags=tuple(tag.name for tag in keys.names("tags")),
        requires=tuple(word.name for word in keys.names("requires")),
        engine=_text(keys, "engine") or "examples",
        target=_text(keys, "target"),
        options=options,
        examples=examples,
        sections=tuple(_read_sections(examples)),
        dependencies=keys.names("dependencies"),
        related=keys.names("related"),
        workflow_labels=keys.names("workflows"),
        workflows=workflows,
        usage=usage,
        related_groups=read_related(document),
        agents=agents,
        teams=teams,
        triggers=read_triggers(document, known),
    )
    info_findings = _info_findings(infos, document, path)
    every = [*document.diagnostics, *findings, *keys.findings, *option_findings, *info_findings]
    every.sort(key=lambda found: (found.span.line, found.span.column, found.code))
    return spec.model_copy(update={"diagnostics": tuple(every)})


def _read_fields(document: Document, path: str) -> tuple[Fields | None, tuple[Diagnostic, ...]]:
    block = document.frontmatter
    return read_frontmatter(block.lines, block.line, path) if block else (None, ())


def _text(keys: KeyReader, name: str) -> str | None:
    scalar = keys.scalar(name)
    return scalar.text.strip() or None if scalar else None


def _first_heading(document: Document) -> str | None:
    return next((heading.text for heading in document.headings if heading.level == 1), None)


def _keys(fields: Fields | None) -> tuple[Key, ...]:
    keys = []
    for entry in fields.entries if fields else ():
        value: str | tuple[str, ...] | None = None
        if isinstance(entry.value, Scalar):
            value = entry.value.text
        elif isinstance(entry.value, Items):
            value = tuple(item.text for item in entry.value.items if isinstance(item, Scalar))
        keys.append(
            Key(
                name=entry.key.text,
                value=value,
                span=entry.key.span,
                value_span=entry.value.span,
            )
        )
    return tuple(keys)


def _read_options(
    keys: KeyReader, document: Document, path: str
) -> tuple[tuple[Option, ...], list[Diagnostic]]:
    fields = keys.mapping("options")
    hints, findings = read_options_key(fields, path) if fields else ([], [])
    merged, disagreements = merge_options(
        [*hints, *_argument_hints(keys), *read_option_list(document)], path
    )
    return merged, findings + disagreements


def _argument_hints(keys: KeyReader) -> Iterator[OptionHint]:
    scalar = keys.usage("argument-hint")
    if scalar is not None:
        found = list(read_argument_hint(scalar.text))
        spans = scalar.locate((start, end) for _, start, end in found)
        for (hint, _, _), span in zip(found, spans, strict=True):
            yield replace(hint, span=span)


def _read_examples(infos: list[tuple[Fence, Info]]) -> Iterator[Example]:
    for number, (fence, info) in enumerate(infos, start=1):
        heading = fence.heading
        yield Example(
            id=f"e{number}",
            language=info.language,
            info=fence.info,
            code=fence.code,
            line=fence.line,
            prefixes=fence.prefixes,
            heading=heading.text if heading else None,
            heading_span=heading.span if heading else None,
            conditions=info.conditions,
            directives=info.directives,
            closed=fence.closed,
            span=fence.span,
        )


def _read_sections(examples: Sequence[Example]) -> Iterator[Section]:
    numbers = count(1)
    for example in examples:
        if not example.runnable or not example.code.strip():
            continue
        lines = example.code.split("\n")[: len(example.prefixes)]
        for title, kind, start, stop in _divide(example, lines):
            yield Section(
                id=f"s{next(numbers)}",
                title=title,
                kind=kind,
                example=example.id,
                span=_span_of_lines(example, lines, start, stop),
            )


def _divide(example: Example, lines: Sequence[str]) -> Iterator[tuple[str, SectionKind, int, int]]:
    """Yield title, kind, and first and last line (exclusive) of each section of the code."""
    banners = find_banners(example.code)
    setup = "setup" in example.directives
    title = plain_title(example.heading or "") or "Setup"
    if not banners:
        yield title, "setup" if setup else "heading", 0, len(lines)
        return
    first = banners[0].line
    if any(line.strip() and not line.lstrip().startswith("#") for line in lines[:first]):
        yield title, "setup", 0, first
    for banner, stop in zip(banners, [*(b.line for b in banners[1:]), len(lines)], strict=True):
        yield banner.title, "setup" if setup else "banner", banner.line, stop


def _span_of_lines(example: Example, lines: Sequence[str], start: int, stop: int) -> Span:
    """Return the span in the file of the code lines from `start` to before `stop`, less blanks."""
    first, last = start, stop - 1
    while first < last and not lines[first].strip():
        first += 1
    while last > first and not lines[last].strip():
        last -= 1
    return Span(
        line=example.line + first,
        column=max(example.prefixes[first], 0) + 1,
        end_line=example.line + last,
        end_column=example.prefixes[last] + len(lines[last]) + 1,
    )


def _info_findings(
    infos: list[tuple[Fence, Info]], document: Document, path: str
) -> Iterator[Diagnostic]:
    for fence, info in infos:
        line = document.lines[fence.span.line - 1]
        for word, problem in info.problems:
            start = line.find(word, fence.span.column - 1)
            column, width = (start + 1, len(word)) if start >= 0 else (fence.span.column, 0)
            yield Diagnostic(
                code="MD003",
                severity="note",
                message=f"`{word}` {problem}",
                path=path,
                span=Span(
                    line=fence.span.line,
                    column=column,
                    end_line=fence.span.line,
                    end_column=column + width,
                ),
                help="words that name options select, words with a colon direct the runner",
            )
