"""How much of something each node takes, for colours."""

from __future__ import annotations

from collections.abc import Iterable

from graphscope.drawing.diagram import Diagram


def by_name(diagram: Diagram, amounts: Iterable[tuple[str, float]]) -> list[float]:
    """Place of a node -> the sum of the ``amounts`` that have its name; 0 where there are none."""
    found: dict[str, float] = {}
    for name, amount in amounts:
        found[name] = found.get(name, 0.0) + amount
    names = diagram.graph.names
    return [found.get(names[number], 0.0) for number in diagram.nodes]
