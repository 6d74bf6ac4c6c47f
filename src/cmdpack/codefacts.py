"""What a Python sees in the code of an example, before anything runs; `child/facts.py` asks."""

from typing import Any

from cmdpack.nouns import Noun


class BodyFacts(Noun):
    """The steps of one body of code, and the module's names that it reads: see `child/flows.py`.

    `scopes` are the numbers of those whose variables it owns. A generator reads when it is asked
    for values.
    """

    parameters: tuple[str, ...] = ()
    scopes: tuple[int, ...] = ()
    generator: bool = False
    steps: tuple[tuple[Any, ...], ...] = ()
    reads: tuple[str, ...] = ()


class UnitFacts(Noun):
    """Where a unit stands in its file, and what it does with the names of the module.

    `certain` are the names that it binds or deletes unless it fails. The first of its bodies runs
    with the unit, the others are those of its functions.
    """

    line: int
    column: int
    end_line: int
    end_column: int
    binds: tuple[str, ...] = ()
    deletes: tuple[str, ...] = ()
    certain: tuple[str, ...] = ()
    bodies: tuple[BodyFacts, ...] = ()


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
