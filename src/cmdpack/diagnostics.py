"""Findings about content, as data: a stable code, a severity, a place and a next step."""

from typing import Literal

from cmdpack.nouns import Noun, Span

Severity = Literal["error", "warning", "note"]


class Diagnostic(Noun):
    """One finding about one place in one file.

    `error` means that the part cannot be used as it stands, `warning` that it will not do what it
    says, `note` that something odd was read in the only sensible way.
    """

    code: str
    severity: Severity
    message: str
    path: str
    span: Span
    help: str | None = None

    @property
    def place(self) -> str:
        """``file:line:column``, as editors and terminals understand it."""
        return f"{self.path}:{self.span.line}:{self.span.column}"

    def __str__(self) -> str:
        text = f"{self.place}: {self.severity}[{self.code}]: {self.message}"
        return f"{text}\n  help: {self.help}" if self.help else text


CODES: dict[str, str] = {
    "FM001": "the frontmatter is not readable as YAML",
    "FM002": "the frontmatter is opened but never closed",
    "FM003": "the file has no frontmatter",
    "FM004": "a frontmatter key appears twice",
    "FM005": "a frontmatter value has a type that cannot be used",
    "FM006": "an anchor, alias, tag or merge key, which cmdpack refuses",
    "FM007": "the frontmatter does not start on the first line",
    "FM008": "the frontmatter was read after its author's unquoted value was quoted",
    "MD001": "a code fence is never closed",
    "MD002": "the file is empty",
    "MD003": "a fence's info string holds a word that is not understood",
    "OP001": "an option is declared in two places that disagree",
    "OP002": "an option's declaration cannot be read",
    "OP003": "an invocation uses an option or choice that its command does not declare",
    "PY001": "a Python fence does not parse",
    "RF001": "a dependency is a pip distribution, not a command",
    "RF002": "a dependency is not an installed command",
    "MF001": "the manifest holds a key that cmdpack does not know",
    "MF002": "a value in the manifest has a type that cannot be used",
    "PK001": "a file of a pack is a link that leads out of the pack",
    "PK002": "the name of a pack's file is not UTF-8",
    "PL001": "a plugin failed while loading and was left out",
}
"""Every code that cmdpack can emit, with its meaning. Codes are stable: they are never reused."""
