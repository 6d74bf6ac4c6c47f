"""Which of the examples' functions are entered: a counter set at function entry in the syntax tree.

The counter is a call, ``COUNTER(3)``, that stands before a function's first statement, at the place
of that statement; ``lambda: value`` becomes ``lambda: COUNTER(3) or value``. No line moves. No name
is taken: what is called is a constant of the function's code, put there after compilation, so that
user code can neither see it in a namespace nor delete or rebind it.
"""

import ast
import os
import sys
import types
import warnings
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any, NamedTuple

_PLACEHOLDER = os.urandom(16)
"""Stands for the counter until the code is compiled; nobody else's constant can equal it."""

_READS_CODE = "numba"
"""Compiles functions from their bytecode, in which it would not understand the counter."""

_DEEPEST = 100
"""Nodes of the syntax tree above a function that is still counted: more, no person writes."""

_POSITION = ("lineno", "col_offset", "end_lineno", "end_col_offset")
_FUNCTIONS = (ast.FunctionDef, ast.AsyncFunctionDef, ast.Lambda)

_Scope = tuple[str, ...]
_Nodes = Sequence[ast.AST]


_Listener = Callable[[int, types.FrameType], None]


class Function(NamedTuple):
    """A function that an example defines, at its ``def``, ``async def`` or ``lambda``.

    Its column is what `ast` calls one: UTF-8 bytes, from 0.
    """

    name: str
    line: int
    column: int


class Counter:
    """Called at the entry of every function, with the function's number.

    With its number and its frame, `entered` is told of a function that is entered for the first
    time since `restart`, and `watch`, while it is set, of every entry.
    """

    __slots__ = ("_entered", "_seen", "functions", "watch")

    def __init__(self, entered: _Listener) -> None:
        self._entered = entered
        self._seen = bytearray()
        self.functions: list[Function] = []
        self.watch: _Listener | None = None

    def __call__(self, number: int) -> None:
        """Enter that the function of this number is entered. Never true."""
        if self.watch is not None or not self._seen[number]:
            self._enter(number)

    def _enter(self, number: int) -> None:
        frame = sys._getframe(2)
        if not self._seen[number]:
            self._entered(number, frame)
            self._seen[number] = 1  # now: if an exception came between, the next entry tells
        if self.watch is not None:
            self.watch(number, frame)

    def restart(self) -> None:
        """Begin afresh: every function counts as not entered."""
        self._seen = bytearray(len(self.functions))

    def __reduce__(self) -> tuple[Any, ...]:
        """A function that is pickled by value takes a counter along that does nothing."""
        return getattr, ({}, "get")


def compile_counted(
    module: ast.Module, file: str, flags: int, counter: Counter
) -> tuple[types.CodeType, list[Function]]:
    """Compile `module`, which is changed, with `counter` in its functions. Returns these too.

    Code that is too deep for Python with counters is compiled without.
    """
    found = [*_set_counters(module, len(counter.functions))]
    functions = [it.function for it in found]
    try:
        with warnings.catch_warnings():
            warnings.filterwarnings("ignore", "'bytes' object is not callable", SyntaxWarning)
            code = compile(module, file, "exec", flags=flags, dont_inherit=True)
    except (RecursionError, MemoryError):
        for it in found:
            it.node.body = it.body
        return compile(module, file, "exec", flags=flags, dont_inherit=True), []
    counter.functions += functions
    return _with_counter(code, counter), functions


def can_count(codes: Iterable[str]) -> bool:
    """Whether code can bear counters, together with all other code of the run."""
    return not any(_READS_CODE in code for code in codes)


class _Counted(NamedTuple):
    function: Function
    node: Any
    body: Any


def _with_counter(code: types.CodeType, counter: Counter, depth: int = 0) -> types.CodeType:
    """Put the counter where its placeholder is, in all code that is nested in `code`."""
    if depth > _DEEPEST:
        return code
    constants: list[Any] = []
    for constant in code.co_consts:
        if isinstance(constant, types.CodeType):
            constants.append(_with_counter(constant, counter, depth + 1))
        else:
            ours = type(constant) is bytes and constant == _PLACEHOLDER
            constants.append(counter if ours else constant)
    return code.replace(co_consts=tuple(constants))


def _set_counters(module: ast.Module, first: int) -> Iterator[_Counted]:
    """Set the counters and yield where. Not recursive: an expression can be very deep."""
    number = first
    left: list[tuple[ast.AST, _Scope, int]] = [(module, (), 0)]
    while left:
        node, scope, depth = left.pop()
        around, within, inner = _children(node, scope)
        if depth < _DEEPEST:
            left += [(child, inner, depth + 1) for child in reversed(within)]
            left += [(child, scope, depth + 1) for child in reversed(around)]
        if isinstance(node, _FUNCTIONS):
            function = Function(".".join(inner[:-1]), node.lineno, node.col_offset)
            yield _Counted(function, node, node.body)
            _set_counter(node, number)
            number += 1


def _children(node: ast.AST, scope: _Scope) -> tuple[_Nodes, _Nodes, _Scope]:
    """The nodes below `node` that belong to the scope around it and to its own, and that scope.

    Annotations are left out: under `from __future__ import annotations` they become text.
    """
    match node:
        case ast.FunctionDef() | ast.AsyncFunctionDef():
            around = [*node.decorator_list, *_defaults(node.args)]
            return around, node.body, (*scope, node.name, "<locals>")
        case ast.Lambda():
            return _defaults(node.args), [node.body], (*scope, "<lambda>", "<locals>")
        case ast.ClassDef():
            bases = [*node.bases, *(it.value for it in node.keywords)]
            return [*node.decorator_list, *bases], node.body, (*scope, node.name)
        case ast.AnnAssign():
            return [node.target, *([node.value] if node.value else [])], [], scope
    if type(node).__name__ == "TypeAlias":
        return [], [], scope
    return [*ast.iter_child_nodes(node)], [], scope


def _defaults(arguments: ast.arguments) -> list[ast.expr]:
    return [*arguments.defaults, *(it for it in arguments.kw_defaults if it is not None)]


def _set_counter(node: ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda, number: int) -> None:
    call = ast.Call(ast.Constant(_PLACEHOLDER), [ast.Constant(number)], [])
    if isinstance(node, ast.Lambda):
        _place(call, node.body)
        node.body = ast.copy_location(ast.BoolOp(ast.Or(), [call, node.body]), node.body)
        return
    after = 0 if ast.get_docstring(node, clean=False) is None else 1
    if after < len(node.body):
        _place(call, node.body[after])
    else:  # only a docstring, which has no line in the code
        start = (node.lineno, node.col_offset)
        _place(call, ast.Pass(**dict(zip(_POSITION, start * 2, strict=True))))
    counter = ast.copy_location(ast.Expr(call), call)
    node.body = [*node.body[:after], counter, *node.body[after:]]


def _place(call: ast.Call, like: ast.stmt | ast.expr) -> None:
    ast.fix_missing_locations(ast.copy_location(call, like))
