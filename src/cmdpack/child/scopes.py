"""Scopes of names as Python has them: which variable a name in a piece of code stands for.

A variable is written as text: ``x`` is the module's, ``x:3`` that of scope 3. Names of a class are
seen by the class body alone, and there fall through to what is outside while they are unbound.
"""

import ast
from collections.abc import Iterable, Iterator
from typing import Any

_FUNCTIONS = (ast.FunctionDef, ast.AsyncFunctionDef)
_COMPREHENSIONS = (ast.ListComp, ast.SetComp, ast.DictComp, ast.GeneratorExp)


class Scope:
    """A stretch of code with names of its own: a module, class, function or comprehension."""

    def __init__(self, number: int, kind: str, parent: "Scope | None", owner: str = "") -> None:
        self.number = number
        self.kind = kind
        self.parent = parent
        self.owner: str = owner or (parent.owner if parent else "")
        self.bound: set[str] = set()
        self.outside: set[str] = set()
        self.enclosing: set[str] = set()

    def declare(self, nodes: Iterable[ast.AST], names: Iterable[str] = ()) -> None:
        """Enter what `nodes`, the code of this scope, and its parameters `names` bind here."""
        self.bound.update(self.mangled(name) for name in names)
        for kind, name in _declarations(nodes):
            {"global": self.outside, "nonlocal": self.enclosing}.get(kind, self.bound).add(
                self.mangled(name)
            )

    def mangled(self, name: str) -> str:
        """The name that Python makes of a private `name` in a class body."""
        if self.owner and name.startswith("__") and not name.endswith("__"):
            return f"_{self.owner}{name}"
        return name

    def read(self, name: str) -> list[str]:
        """The variables that reading `name` here may mean."""
        name = self.mangled(name)
        own = self._own(name)
        if own is None:
            return [self._outer(name)]
        return [own, self._outer(name)] if self.kind == "class" and own != name else [own]

    def written(self, name: str) -> str:
        """The variable that binding `name` here writes; a walrus looks past comprehensions."""
        name = self.mangled(name)
        own = self._own(name)
        return self._outer(name) if own is None else own

    def binder(self) -> "Scope":
        """The scope in which a walrus that stands here binds."""
        scope = self
        while scope.kind == "comprehension" and scope.parent is not None:
            scope = scope.parent
        return scope

    def _own(self, name: str) -> str | None:
        if self.kind == "module" or name in self.outside:
            return name
        if name in self.bound and name not in self.enclosing:
            return f"{name}:{self.number}"
        return None

    def _outer(self, name: str) -> str:
        scope = self.parent
        while scope is not None:
            own = scope._own(name) if scope.kind != "class" else None
            if own is not None:
                return own
            scope = scope.parent
        return name


def _declarations(nodes: Iterable[ast.AST]) -> Iterator[tuple[str, str]]:
    """The names bound, or declared global or nonlocal, in this scope and not in those below it."""
    left: list[tuple[ast.AST, bool]] = [(node, False) for node in nodes]
    while left:
        node, nested = left.pop()
        if isinstance(node, ast.NamedExpr):
            yield "bound", node.target.id
            left.append((node.value, nested))
            continue
        if not nested:
            yield from _names(node)
        left += [(child, nested or inner) for child, inner in _below(node)]


def _names(node: ast.AST) -> Iterator[tuple[str, str]]:
    match node:
        case ast.Global():
            yield from (("global", name) for name in node.names)
        case ast.Nonlocal():
            yield from (("nonlocal", name) for name in node.names)
        case ast.Name(ctx=ast.Store() | ast.Del()):
            yield "bound", node.id
        case ast.FunctionDef() | ast.AsyncFunctionDef() | ast.ClassDef():
            yield "bound", node.name
        case ast.ExceptHandler(name=str(name)) | ast.MatchAs(name=str(name)):
            yield "bound", name
        case ast.MatchStar(name=str(name)) | ast.MatchMapping(rest=str(name)):
            yield "bound", name
        case ast.Import():
            yield from (("bound", imported(alias)) for alias in node.names)
        case ast.ImportFrom():
            yield from (("bound", it.asname or it.name) for it in node.names if it.name != "*")
        case _ if type(node).__name__ == "TypeAlias":
            yield "bound", getattr(node, "name").id  # noqa: B009 - unknown to Python 3.11


def _below(node: ast.AST) -> Iterator[tuple[ast.AST, bool]]:
    """The nodes below that may bind in this scope; in a comprehension, only a walrus does."""
    if isinstance(node, (*_FUNCTIONS, ast.Lambda, ast.ClassDef)):
        around: list[Any] = [*getattr(node, "decorator_list", [])]
        if isinstance(node, ast.ClassDef):
            around += [*node.bases, *(keyword.value for keyword in node.keywords)]
        else:
            around += [*node.args.defaults, *filter(None, node.args.kw_defaults)]
            around += [it.annotation for it in parameters(node.args) if it.annotation]
            around += [it for it in [getattr(node, "returns", None)] if it is not None]
        yield from ((it, False) for it in around)
    elif isinstance(node, _COMPREHENSIONS):
        yield from ((child, True) for child in ast.iter_child_nodes(node))
    elif type(node).__name__ != "TypeAlias":
        yield from ((child, False) for child in ast.iter_child_nodes(node))


def imported(alias: ast.alias) -> str:
    """The name that an ``import`` binds: of ``import a.b`` it is ``a``."""
    return alias.asname or alias.name.partition(".")[0]


def parameters(arguments: ast.arguments) -> list[ast.arg]:
    """All parameters, in their order: positional ones first."""
    stars = [it for it in (arguments.vararg, arguments.kwarg) if it is not None]
    return [*arguments.posonlyargs, *arguments.args, *arguments.kwonlyargs, *stars]
