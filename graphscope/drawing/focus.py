"""Selects the nodes to draw: all, or those around one node."""

from __future__ import annotations

from collections.abc import Sequence

from graphscope.core.graph import Graph
from graphscope.drawing.links import Source


def around(
    graph: Graph,
    focus: str,
    radius: int,
    host: Sequence[int],
    sources: Sequence[Sequence[Source]],
    outside: Sequence[bool],
) -> list[bool]:
    """For each node whether it is within ``radius`` steps of ``focus``, with the flow of data or against it.

    A step leads from box to box; lines within a box take none. Training parts are included only around a training node.

    Raises:
        UnknownNameError: there is no such node.
    """
    start = host[graph.numbers[graph[focus].name]]
    linked: list[set[int]] = [set() for _ in range(len(graph))]
    for i, found in enumerate(sources):
        for producer, _ in found:
            one, other = host[producer], host[i]
            if outside[one] == outside[other] == outside[start]:
                linked[one].add(other)
                linked[other].add(one)
    kept = {start}
    frontier = [start]
    while frontier and radius > 0:
        frontier = sorted({other for i in frontier for other in linked[i]} - kept)
        kept.update(frontier)
        radius -= 1
    return [host[i] in kept for i in range(len(graph))]
