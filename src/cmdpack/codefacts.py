"""What a Python sees in the code of an example, before anything runs; `child/facts.py` asks."""

from cmdpack.nouns import Noun


class UnitFacts(Noun):
    """Where a unit stands in its file."""

    line: int
    column: int
    end_line: int
    end_column: int


class CodeError(Noun):
    """Why an example is not Python, and where."""

    message: str
    line: int
    column: int | None


class CodeFacts(Noun):
    """What a Python sees in one example: its units and imports, or why it is no Python.

    `missing` are the packages that the example requires and this Python does not have.
    """

    units: tuple[UnitFacts, ...] = ()
    imports: tuple[str, ...] = ()
    missing: tuple[str, ...] = ()
    error: CodeError | None = None
