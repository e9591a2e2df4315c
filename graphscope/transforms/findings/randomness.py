"""Finds what makes a tensor random: two runs on the same inputs give two values."""

from __future__ import annotations

import re
from collections.abc import Iterable

from graphscope.core.graph import Graph, Node, reached_functions
from graphscope.core.ops.table import registered_ops
from graphscope.core.tensors import node_of

_RANDOM = re.compile("Random|Truncated|Multinomial|Sampler|Dropout|Shuffle|Categorical|Poisson|Binomial|Bernoulli")


def random_sources(graph: Graph, tensor: str) -> dict[str, str]:
    """Nodes that ``tensor`` depends on whose op draws random numbers -> that op; a call, where a function draws them."""
    needed = graph.ancestors([node_of(tensor)])
    drawing: dict[str, str] = {}
    for name in needed:
        op = graph[name].op
        if is_random(op):
            drawing[name] = op
        elif graph.functions and (inner := _drawn_in(graph, [graph[name]])):
            drawing[name] = inner
    return drawing


def is_random(op: str) -> bool:
    """Whether ``op`` draws from a generator that every run moves on."""
    definition = registered_ops().get(op)
    return definition is not None and definition.is_stateful and _RANDOM.search(op) is not None


def _drawn_in(graph: Graph, caller: Iterable[Node]) -> str:
    """The random op in the functions that ``caller`` calls; empty if there is none."""
    return next((op for function in reached_functions(graph, caller) for op in filter(is_random, function.ops)), "")
