"""A stable order of the nodes of a graph, dependencies first. Knows nothing of commands."""

from collections.abc import Callable, Hashable, Iterable, Iterator
from typing import Generic, TypeVar

Node = TypeVar("Node", bound=Hashable)


class CycleError(Exception, Generic[Node]):
    """The graph has a cycle; `cycle` is its path, the first node repeated at the end."""

    def __init__(self, cycle: tuple[Node, ...]) -> None:
        super().__init__(" -> ".join(map(str, cycle)))
        self.cycle = cycle


def order(start: Node, edges: Callable[[Node], Iterable[Node]]) -> tuple[Node, ...]:
    """Return `start` and all that it leads to, each once, every node after those it leads to.

    The order is that of a depth-first walk: where the graph leaves a choice, the order of `edges`
    decides, so that equal graphs give equal orders. `edges` is asked once for each node. Raises
    `CycleError`. With ``a -> b, c`` and ``b -> d``, ``order(a)`` is ``d b c a``.
    """
    done: dict[Node, None] = {}
    path: dict[Node, Iterator[Node]] = {start: iter(edges(start))}
    while path:
        node, successors = next(reversed(path.items()))
        for successor in successors:
            if successor in path:
                walked = list(path)
                raise CycleError((*walked[walked.index(successor) :], successor))
            if successor not in done:
                path[successor] = iter(edges(successor))
                break
        else:
            del path[node]
            done[node] = None
    return tuple(done)
