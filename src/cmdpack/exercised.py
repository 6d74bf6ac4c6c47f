"""The account of the examples' functions: which there are, which ran, and which were compiled."""

from collections.abc import Mapping
from typing import Any

from cmdpack.child import wire
from cmdpack.result import Compilation, Function, Recompilation
from cmdpack.rollup import Located


class Exercised:
    """Keeps that account; what the runner writes of functions goes by their numbers."""

    def __init__(self, units: Mapping[str, Located]) -> None:
        self._units = units
        self._defined: list[wire.Record] | None = None
        self._executed: set[int] = set()
        self._compiled: set[int] | None = set()
        self._unit: dict[int, None] = {}

    def enter(self, record: wire.Record) -> None:
        """Enter which functions can be counted, or that the unit that runs has entered one."""
        if record["record"] == "functions":
            self._defined = record["functions"]
        else:
            self._unit[record["function"]] = None

    def unit(self) -> tuple[str, ...]:
        """The places of the functions that were entered since the last call."""
        entered = [self._place(number) for number in self._unit]
        self._executed |= self._unit.keys()
        self._unit = {}
        return tuple(f"{it['file']}:{it['line']}:{it['column']}" for it in entered)

    def compilations(self, record: wire.Record) -> dict[str, Any]:
        """Enter what a finished unit had JAX compile. Returns fields of the unit's result."""
        if record["functions_compiled"] is None:
            self._compiled = None
        elif self._compiled is not None:
            self._compiled.update(record["functions_compiled"])
        told = record["compilations"]
        again = [it for it in told if it["change"] is not None]
        return {
            "compilations": tuple(self._compilation(it) for it in told),
            "recompilations": tuple(self._recompilation(it) for it in again),
        }

    def functions(self) -> tuple[Function, ...] | None:
        """Every function, in the order of the examples; None where they could not be counted."""
        if self._defined is None:
            return None
        return tuple(
            Function(
                name=it["name"],
                command=self._units[it["unit"]].command.id,
                unit=it["unit"],
                executed=number in self._executed,
                compiled=None if self._compiled is None else number in self._compiled,
                **self._place(number),
            )
            for number, it in enumerate(self._defined)
        )

    def _place(self, number: int) -> dict[str, Any]:
        found = (self._defined or [])[number]
        file = self._units[found["unit"]].command.path
        return {"file": file, "line": found["line"], "column": found["column"]}

    def _name(self, number: int) -> str:
        return str((self._defined or [])[number]["name"])

    def _compilation(self, told: wire.Record) -> Compilation:
        number = told["function"]
        facts = {"cached": told["cached"], "estimate": told["estimate"]}
        return Compilation.model_validate(
            {
                "function": self._name(number),
                "called_line": told["line"],
                **self._place(number),
                **facts,
            }
        )

    def _recompilation(self, told: wire.Record) -> Recompilation:
        paths = {it.command.file: it.command.path for it in self._units.values()}
        return Recompilation.model_validate(
            {
                "function": self._name(told["function"]),
                "file": paths.get(told["file"], told["file"]),
                "line": told["line"],
                **told["change"],
            }
        )
