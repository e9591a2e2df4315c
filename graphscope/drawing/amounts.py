"""Amounts for each node, for coloring."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping

from graphscope.drawing.bodies import Origin
from graphscope.drawing.diagram import Diagram


def by_name(diagram: Diagram, amounts: Iterable[tuple[str, float]]) -> list[float]:
    """Place of a node -> the sum of the ``amounts`` that have its name; 0 if there are none."""
    found: dict[str, float] = {}
    for name, amount in amounts:
        found[name] = found.get(name, 0.0) + amount
    names = diagram.graph.names
    return [found.get(names[number], 0.0) for number in diagram.nodes]


def by_origin(amounts: Iterable[tuple[Origin, float]], origins: Mapping[str, Origin]) -> Iterator[tuple[str, float]]:
    """The ``amounts`` of nodes of graph and functions as those of what is drawn: each call of a function has its share."""
    found: dict[Origin, float] = {}
    for origin, amount in amounts:
        found[origin] = found.get(origin, 0.0) + amount
    copies = Counter(origins.values())
    yield from ((name, amount) for (function, name), amount in found.items() if not function)
    yield from ((name, found.get(origin, 0.0) / copies[origin]) for name, origin in origins.items())
