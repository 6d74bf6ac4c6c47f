"""Frontmatter keys -> values of the type that each key must have."""

import re
from collections.abc import Iterator
from dataclasses import dataclass, field

from cmdpack.diagnostics import Diagnostic
from cmdpack.frontmatter import Entry, Fields, Items, Scalar
from cmdpack.spec import Name


@dataclass(slots=True)
class KeyReader:
    """Takes values of the type that a key must have; others are ignored with a diagnostic."""

    fields: Fields | None
    path: str
    findings: list[Diagnostic] = field(default_factory=list)

    def scalar(self, name: str) -> Scalar | None:
        """Return a text value, or None where there is none."""
        entry = self.entry(name)
        if entry is None:
            return None
        if isinstance(entry.value, Scalar):
            return entry.value
        self.reject(entry, "one piece of text")
        return None

    def usage(self, name: str) -> Scalar | None:
        """Return a usage text, which an author may have left unquoted and so made a list."""
        entry = self.entry(name)
        if entry is None or not isinstance(entry.value, Items):
            return self.scalar(name)
        value = entry.value
        self.findings.append(
            Diagnostic(
                code="FM005",
                severity="note",
                message=f"`{name}` is a list for YAML; its text was read",
                path=self.path,
                span=value.span,
                help="quote it",
            )
        )
        return Scalar(value.source, plain=True, source=value.source, span=value.span)

    def names(self, name: str) -> tuple[Name, ...]:
        """Return the words of a list, or of a text with commas, each with its span."""
        entry = self.entry(name)
        if entry is None:
            return ()
        value = entry.value
        if isinstance(value, Scalar):
            return tuple(_split(value))
        if isinstance(value, Items):
            scalars = [item for item in value.items if isinstance(item, Scalar)]
            if len(scalars) < len(value.items):
                self.reject(
                    entry, "a list of plain words", "has items that are no text, which were"
                )
            return tuple(
                Name(name=item.text, span=item.span) for item in scalars if not item.is_null
            )
        self.reject(entry, "a list, or a text with commas")
        return ()

    def mapping(self, name: str) -> Fields | None:
        """Return a mapping, or None where there is none."""
        entry = self.entry(name)
        if entry is None:
            return None
        if isinstance(entry.value, Fields):
            return entry.value
        self.reject(entry, "a mapping")
        return None

    def entry(self, name: str) -> Entry | None:
        """Return the entry of `name`, unless its value is empty."""
        entry = self.fields.get(name) if self.fields else None
        empty = entry is None or (isinstance(entry.value, Scalar) and entry.value.is_null)
        return None if empty else entry

    def reject(self, entry: Entry, wanted: str, fact: str | None = None) -> None:
        """Say that the value of `entry` is ignored because it is not `wanted`."""
        kinds = {Scalar: "text", Items: "a list", Fields: "a mapping"}
        fact = fact or f"is {kinds[type(entry.value)]} and was"
        self.findings.append(
            Diagnostic(
                code="FM005",
                severity="error",
                message=f"`{entry.key.text}` {fact} ignored",
                path=self.path,
                span=entry.value.span,
                help=f"write {wanted}",
            )
        )


def _split(value: Scalar) -> Iterator[Name]:
    words = list(re.finditer(r"[^,\s][^,]*", value.text))
    ends = [word.start() + len(word[0].rstrip()) for word in words]
    starts = [word.start() for word in words]
    for word, span in zip(words, value.locate(zip(starts, ends, strict=True)), strict=True):
        yield Name(name=word[0].rstrip(), span=span)
