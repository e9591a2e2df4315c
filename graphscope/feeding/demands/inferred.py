"""What the demands of consumers are read from: the graph with its calls inlined, and its shapes, found if asked for."""

from __future__ import annotations

import functools
from typing import TYPE_CHECKING

from graphscope.core.graph import Graph
from graphscope.core.op_sets import CALL_OPS
from graphscope.errors import GraphscopeError

if TYPE_CHECKING:
    from graphscope.analysis.shapes import Shapes


class Consumers:
    """What consumes the placeholders of a graph.

    Attributes:
        stated: the graph as it is.
    """

    def __init__(self, graph: Graph) -> None:
        self.stated = graph

    @functools.cached_property
    def graph(self) -> Graph:
        """The graph with the bodies of functions in place of their calls, unless that takes too many nodes."""
        if CALL_OPS.isdisjoint(self.stated.ops):
            return self.stated
        from graphscope.transforms.inlining import inline_calls

        try:
            return inline_calls(self.stated)
        except GraphscopeError:
            return self.stated

    def shapes(self) -> Shapes:
        """The shapes of :attr:`graph`: the rules alone take a while to import."""
        return self._shapes

    @functools.cached_property
    def _shapes(self) -> Shapes:
        from graphscope.analysis.shapes import infer

        return infer(self.graph)
