"""Edges by the numbers of nodes and outputs."""

from __future__ import annotations

from collections.abc import Callable

from graphscope.core.graph import Graph
from graphscope.core.tensors import TensorName

CONTROL = -1
"""In place of an output number: a control edge."""

Source = tuple[int, int]
"""The number of a node, and that of its output or :data:`CONTROL`."""


def sources_of(graph: Graph) -> list[list[Source]]:
    """For each node its producers, in input order, without dangling ones."""
    result: list[list[Source]] = []
    find = graph.numbers.get
    for node, wired in zip(graph.nodes, graph.wires):
        if None in wired:
            result.append([found for text in node.proto.input if (found := _source(find, text)) is not None])
        else:
            result.append([(producer, 0) for producer in wired if producer is not None])
    return result


def _source(find: Callable[[str], int | None], text: str) -> Source | None:
    name = TensorName.parse(text)
    number = find(name.node)
    return None if number is None else (number, CONTROL if name.is_control else name.index)
