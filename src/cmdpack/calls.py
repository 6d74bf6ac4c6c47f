"""The call in an example's code at which a traceback points."""

import ast
from collections.abc import Sequence
from typing import NamedTuple

from cmdpack.plan import PlannedCommand
from cmdpack.result import Frame
from cmdpack.sources import Source, imported, nodes_at, sources, unparsed


class Call(NamedTuple):
    """A call as it is spelled.

    `of_jax` tells that the name that it starts from is bound by an import from JAX alone.
    """

    function: str
    arguments: str
    decorates: bool
    of_jax: bool
    knows_functools: bool


def find_call(commands: Sequence[PlannedCommand], frame: Frame) -> Call | None:
    """Find the call that `frame` points at, in the examples of `commands`."""
    found = sources(commands)
    known = {name: it.partition(".")[0] for name, it in imported(found).items()}
    for source in found:
        if source.command.path == frame.file:
            for node in nodes_at(source, frame):
                if isinstance(node, ast.Call):
                    return _call(node, source, known)
    return None


def _call(node: ast.Call, source: Source, known: dict[str, str]) -> Call:
    function = unparsed(node.func)
    root = node.func
    while isinstance(root, ast.Attribute):
        root = root.value
    decorated = (getattr(it, "decorator_list", ()) for it in ast.walk(source.tree))
    return Call(
        function=function,
        arguments=source.text(node).removeprefix(function).strip()[1:-1].strip().rstrip(","),
        decorates=any(node in decorators for decorators in decorated),
        of_jax=isinstance(root, ast.Name) and known.get(root.id) == "jax",
        knows_functools=known.get("functools") == "functools",
    )
