"""What a failure takes with it: the names that must not be read after it, and who reads them.

When a unit fails, the names that it would have bound, deleted or changed are deleted and poisoned,
older values included: what reads them would go on with something else than the file says. That is

- what it binds and deletes, what the functions of the file that it can reach bind through
  ``global``, and whatever it was seen to rebind before it failed;
- what it stores an attribute or an item in, even a module: the store has not happened;
- what it, or such a function, hands to calls or calls methods of, unless that cannot have changed,
  which the living value decides (see `changeable`). A name that an import has bound stays: a
  module does not go bad because a call into it failed. Other names of the same value go with it.

A unit that reads such a name, or one that failed to be imported from a package that is there, is
*blocked*, and in its turn does to its names what a failed one does. The body of a function is not
looked at beforehand: whoever calls it is blocked when Python does not find the name. Whatever binds
a name again without reading a poisoned one has cured it.

What cannot be seen: code that catches the `NameError` itself, and a value that is changed through
another one that holds it.
"""

import ast
import builtins
import itertools
import sys
from collections.abc import Collection, Iterable, Iterator
from types import ModuleType, TracebackType
from typing import Any, Literal, NamedTuple

from . import changeable, names

How = Literal["failed", "blocked", "changed", "unknown"]

_BUILTINS = frozenset(vars(builtins))
# Looked up now: user code may replace or delete them.
_Exception, _NameError, _AttributeError = Exception, NameError, AttributeError
_UnboundLocalError = UnboundLocalError
_loaded = sys.modules

_LONGEST = 100  # exceptions behind an exception that are looked at
_SCOPES = (ast.FunctionDef, ast.AsyncFunctionDef, ast.Lambda)
_Path = tuple[str, ...]
Values = dict[str, int]
"""The names of a namespace with the identities of their values."""


class Need(NamedTuple):
    """A name that a unit cannot have: how it was lost, and the failed units to blame.

    It was to be bound by one that ``failed`` or was ``blocked``, may have been ``changed`` half, or
    what would have bound it is ``unknown``, such as a failed star import. `line` is where Python
    missed it.
    """

    name: str
    how: How
    causes: tuple[str, ...]
    line: int | None = None


class Facts(NamedTuple):
    """What matters of a unit: its `names`, and in which of them it stores something itself.

    `calls` are the names that it calls as they are, `imports` the modules within packages that it
    imports by ``import a.b``, `paths` the dotted names that it reads at once.
    """

    names: names.Names
    stores: frozenset[str]
    calls: frozenset[str]
    imports: frozenset[_Path]
    paths: frozenset[_Path]
    is_import: bool
    is_definition: bool
    is_opaque: bool


def facts_of(node: ast.stmt, *, future: bool, libraries: Collection[str]) -> Facts:
    """The facts of a unit, before anything runs: examples may take `ast` apart.

    `future` and `libraries` as in `names.of`.
    """
    nodes = [*ast.walk(node)]
    aliases = [alias for it in nodes if isinstance(it, ast.Import) for alias in it.names]
    stars = (it.names[0].name == "*" for it in nodes if isinstance(it, ast.ImportFrom))
    plain = [it.name.split(".") for it in aliases if it.asname is None]
    called = [it.func for it in nodes if isinstance(it, ast.Call)]
    known = names.of(node, future=future, libraries=libraries)
    return Facts(
        names=known,
        stores=frozenset(_stores(node)),
        calls=frozenset(it.id for it in called if isinstance(it, ast.Name)),
        imports=frozenset(tuple(it) for it in plain if len(it) > 1),
        paths=frozenset(filter(None, map(_path, _at_once(node)))),
        is_import=isinstance(node, ast.Import | ast.ImportFrom),
        is_definition=isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef),
        is_opaque=any(stars) or "exec" in known.reads,
    )


def pure_imports(node: ast.stmt) -> set[str]:
    """What a unit that imports from JAX binds: its functions change none of their arguments."""
    if isinstance(node, ast.Import):
        found = [(it.name, it.asname or it.name.partition(".")[0]) for it in node.names]
    elif isinstance(node, ast.ImportFrom) and node.level == 0:
        found = [(node.module or "", it.asname or it.name) for it in node.names]
    else:
        return set()
    return {name for module, name in found if module.partition(".")[0] == "jax"}


def _at_once(node: ast.AST) -> Iterator[ast.AST]:
    """`node` and what is below it, bodies of functions left out. Not recursive: it may be deep."""
    left = [node]
    while left:
        found = left.pop()
        yield found
        late = found.body if isinstance(found, _SCOPES) else []
        bodies = {*late} if isinstance(late, list) else {late}
        left += [it for it in ast.iter_child_nodes(found) if it not in bodies]


def _stores(node: ast.AST) -> Iterator[str]:
    for it in _at_once(node):
        if isinstance(it, ast.Attribute | ast.Subscript) and not isinstance(it.ctx, ast.Load):
            root: ast.expr = it
            while isinstance(root, ast.Attribute | ast.Subscript):
                root = root.value
            if isinstance(root, ast.Name):
                yield root.id


def _path(node: ast.AST) -> _Path:
    parts = []
    while isinstance(node, ast.Attribute):
        parts.append(node.attr)
        node = node.value
    return (node.id, *reversed(parts)) if isinstance(node, ast.Name) and parts else ()


class Poison:
    """What is poisoned among the names of `main`, the namespace in which units run."""

    def __init__(self, main: dict[str, Any]) -> None:
        self._main = main
        self._names: dict[str, Need] = {}
        self._modules: dict[_Path, Need] = {}
        self._opaque: tuple[str, ...] = ()
        self._imported: set[str] = set()
        self._origins: dict[str, dict[int, Facts]] = {}  # by identity: comparing them is slow

    def needs(self, unit: Facts) -> list[Need]:
        """The poisoned names that `unit` reads or changes at once; with any, it is blocked."""
        known = unit.names
        wanted = known.reads | known.deletes | known.mutates
        found = [self._names[name] for name in sorted(wanted & self._names.keys())]
        # Whoever misses a name that is also a builtin's gets the builtin, and no `NameError`.
        if hidden := _BUILTINS & self._names.keys() - wanted:
            callees = self._reached(unit)[unit.is_definition :]
            late = {name for it in callees for name in it.names.late_reads}
            found += [self._names[name] for name in sorted(late & hidden)]
        paths = {path[:end] for path in unit.paths for end in range(2, len(path) + 1)}
        return found + [self._modules[path] for path in sorted(paths & self._modules.keys())]

    def snapshot(self) -> Values:
        """What the names stand for, to tell afterwards which a unit has bound; keeps no value."""
        values = [*self._main.items()]
        return {name: id(value) for name, value in values if str(name)[:2] != "__"}

    def missed(self, error: BaseException | None) -> list[Need]:
        """What a unit lacked that has begun and ended with `error`: nothing where that is its own.

        What Python was handling when it was raised counts too. An exit is never put aside.
        """
        if not isinstance(error, _Exception):
            return []
        try:
            return [*itertools.islice(filter(None, map(self._missed, _behind(error))), 1)]
        except _Exception:  # the exception is of a class that can do anything
            return []

    def _missed(self, error: BaseException) -> Need | None:
        if type(error) is _AttributeError:
            return self._missed_module(error)
        if not isinstance(error, _NameError) or isinstance(error, _UnboundLocalError):
            return None
        level = _innermost(error.__traceback__)
        code = level and level.tb_frame.f_code
        if code and level and level.tb_frame.f_globals is not self._main:
            return None
        if code and error.name in code.co_freevars + code.co_cellvars:
            return None
        name, line = error.name, level and level.tb_lineno
        if name in self._names:
            return self._names[name]._replace(line=line)
        return Need(name, "unknown", self._opaque, line) if self._opaque and name else None

    def _missed_module(self, error: AttributeError) -> Need | None:
        if type(error.obj) is not ModuleType:
            return None
        path = (*str(vars(error.obj).get("__name__")).split("."), str(error.name))
        return self._modules.get(path)

    # What became of a unit

    def passed(self, unit: Facts, before: Values) -> None:
        """Enter that `unit` has run and not failed; `before` is the `snapshot` of when it began."""
        self._remember(unit, self._rebound(before))
        self._imported -= unit.names.binds
        if unit.is_import:
            self._imported |= unit.names.binds
        for name in self._names.keys() & self._main.keys():
            del self._names[name]
        for path in [it for it in self._modules if ".".join(it) in _loaded]:
            del self._modules[path]

    def failed(self, unit: Facts, identity: str, before: Values) -> None:
        """Enter that `unit` has failed."""
        self._spread(unit, (identity,), before, "failed")

    def blocked(self, unit: Facts, needs: Iterable[Need], before: Values | None = None) -> None:
        """Enter that `unit` was kept from running or, if it had begun, stopped by its `needs`."""
        now = self.snapshot() if before is None else before
        self._spread(unit, causes_of(needs), now, "blocked")

    def _remember(self, unit: Facts, late: Collection[str]) -> None:
        """Enter through which names the functions of `unit` can be reached from now on."""
        for name in unit.names.binds.union(late):
            self._origins.setdefault(name, {})[id(unit)] = unit

    def _rebound(self, before: Values) -> set[str]:
        """The names that stand for something else than before, or for nothing any more."""
        return {name for name, _ in before.items() ^ self.snapshot().items()}

    def _spread(self, unit: Facts, causes: _Path, before: Values, how: How) -> None:
        reached = self._reached(unit)
        late = {name for it in reached for name in it.names.late_binds} | self._rebound(before)
        self._remember(unit, late)
        lost = {*unit.names.binds, *unit.names.deletes, *late}
        for path in unit.imports:
            if self._has_package(path[0]):
                self._modules.setdefault(path, Need(".".join(path), how, causes))
                lost.discard(path[0])
        changed = self._changed(unit, reached) - lost
        for name in lost:
            self._lose(Need(name, how, causes), certain=name in unit.names.certain)
        for name in changed:
            self._lose(Need(name, "changed" if how == "failed" else how, causes), certain=False)
        if unit.is_opaque:
            self._opaque = (*self._opaque, *causes)

    def _lose(self, need: Need, *, certain: bool) -> None:
        """Poison a name. What `certain` would have bound it again is alone to blame."""
        self._main.pop(need.name, None)
        before = self._names.get(need.name)
        if before is not None and not certain:
            need = before._replace(causes=causes_of([before, need]))
        self._names[need.name] = need

    def _has_package(self, name: str) -> bool:
        """Whether importing a module of the package `name` would bind what is bound already."""
        package = _loaded.get(name)
        return package is not None and self._main.get(name) is package

    def _changed(self, unit: Facts, reached: Collection[Facts]) -> set[str]:
        """The names whose values `unit` may have changed in place."""
        handed = self._handed(unit, reached) - self._imported
        touched = [*filter(changeable.can_change, self._values(handed))]
        touched += filter(changeable.can_be_stored_in, self._values(unit.stores))
        for value in self._values(unit.names.reads):
            if changeable.is_iterator(value) or changeable.can_change(changeable.owner(value)):
                touched.append(value)
        owners = map(changeable.owner, touched)
        identities = {id(it) for it in (*touched, *owners) if it is not None}
        return {name for name, value in [*self._main.items()] if id(value) in identities}

    def _handed(self, unit: Facts, reached: Iterable[Facts]) -> set[str]:
        """The names whose values `unit` changes if they can be changed.

        What is gone may have been another name for anything that what bound it has read.
        """
        found = {name for it in reached for name in it.names.late_mutates}
        found |= unit.names.mutates | (unit.calls - self._main.keys())
        left = [*found]
        while left:
            name = left.pop()
            origins = {} if name in self._main else self._origins.get(name, {})
            more = {read for it in origins.values() for read in it.names.reads} - found
            found |= more
            left += more
        return found

    def _values(self, wanted: Collection[str]) -> list[Any]:
        return [self._main[name] for name in wanted if name in self._main]

    def _reached(self, unit: Facts) -> list[Facts]:
        """`unit`, and the units whose functions it can reach through the names that it uses."""
        found = {id(unit): unit}
        left, seen = [unit], set[str]()
        while left:
            known = left.pop().names
            for name in (known.reads | known.late_reads) - seen:
                seen.add(name)
                if name not in self._main or changeable.leads_to_code(self._main[name]):
                    origins = self._origins.get(name, {})
                    left += [it for key, it in origins.items() if key not in found]
                    found |= origins
        return [*found.values()]


def causes_of(needs: Iterable[Need]) -> tuple[str, ...]:
    """The failed units that are to blame, each once."""
    return tuple(dict.fromkeys(cause for need in needs for cause in need.causes))


def _behind(error: BaseException) -> Iterator[BaseException]:
    """`error`, what it was raised from or in the handling of, and what a group of them holds."""
    left, seen = [error], set[int]()
    while left and len(seen) < _LONGEST:
        found = left.pop(0)
        if id(found) in seen:
            continue
        seen.add(id(found))
        yield found
        context = None if found.__suppress_context__ else found.__context__
        held = found.exceptions if isinstance(found, BaseExceptionGroup) else ()
        left += [it for it in (found.__cause__, context, *held) if it is not None]


def _innermost(trace: TracebackType | None) -> TracebackType | None:
    while trace is not None and trace.tb_next is not None:
        trace = trace.tb_next
    return trace
