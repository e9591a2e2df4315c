"""Transforms in a row: what one is, and what a list of them did.

A transform takes a graph and gives a graph: the same object where nothing changed. It is pure; what it needs besides, it holds
(``functools.partial``, a closure).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from graphscope.core.graph import Graph
from graphscope.transforms.changes import OpChange, op_changes

Transform = Callable[[Graph], Graph]

MAX_ROUNDS = 8
"""Transforms may make work for one another: rounds until nothing changes, at most."""


@dataclass(frozen=True, slots=True)
class Transformed:
    """What transforms made of a graph.

    Attributes:
        graph: the result.
        is_changed: whether it is another graph than before.
        changes: nodes by op, before and after.
    """

    graph: Graph
    is_changed: bool
    changes: tuple[OpChange, ...]


def transform(graph: Graph, transforms: Sequence[Transform]) -> Transformed:
    """Applies ``transforms`` in order; raises what they raise."""
    result = in_order(transforms)(graph)
    return Transformed(result, result is not graph, tuple(op_changes(graph, result)))


def in_order(transforms: Sequence[Transform]) -> Transform:
    """``transforms`` as one."""

    def apply(graph: Graph) -> Graph:
        for step in transforms:
            graph = step(graph)
        return graph

    return apply


def until_settled(transforms: Sequence[Transform], rounds: int = MAX_ROUNDS) -> Transform:
    """``transforms`` in order, again and again until nothing changes, ``rounds`` times at most."""
    once = in_order(transforms)

    def apply(graph: Graph) -> Graph:
        for _ in range(rounds):
            before = graph
            graph = once(graph)
            if graph is before:
                break
        return graph

    return apply
