import graphlib
from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cmdpack.graph import CycleError, order

Graph = dict[int, list[int]]

graphs = st.dictionaries(st.integers(0, 9), st.lists(st.integers(0, 9), max_size=4), max_size=10)


def reachable(graph: Graph, start: int) -> set[int]:
    seen, todo = set(), [start]
    while todo:
        node = todo.pop()
        if node not in seen:
            seen.add(node)
            todo += graph.get(node, [])
    return seen


@given(graphs, st.integers(0, 9))
@settings(deadline=None)
def test_agrees_with_graphlib(graph: Graph, start: int) -> None:
    nodes = reachable(graph, start)
    oracle = graphlib.TopologicalSorter({node: graph.get(node, []) for node in nodes})
    try:
        oracle.prepare()
    except graphlib.CycleError:
        with pytest.raises(CycleError) as raised:
            order(start, lambda node: graph.get(node, []))
        cycle = raised.value.cycle
        assert cycle[0] == cycle[-1]
        assert len(cycle) == len(set(cycle)) + 1
        assert all(b in graph[a] for a, b in pairwise(cycle))
    else:
        found = order(start, lambda node: graph.get(node, []))
        assert set(found) == nodes
        assert len(found) == len(nodes)
        place = {node: index for index, node in enumerate(found)}
        assert all(place[b] < place[a] for a in nodes for b in graph.get(a, []))


def test_the_order_of_edges_decides_where_the_graph_does_not() -> None:
    graph = {"a": ["b", "c"], "b": ["d"], "c": [], "d": []}
    assert order("a", graph.__getitem__) == ("d", "b", "c", "a")
    graph["a"] = ["c", "b"]
    assert order("a", graph.__getitem__) == ("c", "d", "b", "a")


def test_edges_are_asked_once_for_each_node() -> None:
    asked = []

    def edges(node: str) -> str:
        asked.append(node)
        return {"a": "bc", "b": "d", "c": "d", "d": ""}[node]

    order("a", edges)
    assert sorted(asked) == ["a", "b", "c", "d"]


def test_the_path_of_a_cycle_starts_where_the_cycle_does() -> None:
    graph = {"start": ["a"], "a": ["b"], "b": ["a"]}
    with pytest.raises(CycleError, match=r"^a -> b -> a$"):
        order("start", graph.__getitem__)


def test_a_node_can_lead_to_itself() -> None:
    with pytest.raises(CycleError, match=r"^a -> a$"):
        order("a", lambda node: [node])


def test_a_chain_can_be_longer_than_the_recursion_limit() -> None:
    assert order(0, lambda n: [n + 1] if n < 5000 else [])[0] == 5000
