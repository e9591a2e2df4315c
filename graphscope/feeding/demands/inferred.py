"""What the demands of consumers are read from: the graph with its calls inlined, and its shapes, found if asked for."""

from __future__ import annotations

import functools
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from graphscope.core.graph import Graph
from graphscope.core.model import Model
from graphscope.core.ops.sets import CALL_OPS
from graphscope.core.tensors import node_of
from graphscope.errors import GraphscopeError

if TYPE_CHECKING:
    from graphscope.analysis.shapes import Shapes


class Consumers:
    """What consumes the placeholders of a graph.

    Attributes:
        stated: the graph as it is.
        model: whose graph it is, if known: the files that fill its tables lie beside it.
    """

    def __init__(self, graph: Graph, model: Model | None = None) -> None:
        self.stated = graph
        self.model = model

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

    @functools.cached_property
    def assets(self) -> Mapping[str, Path]:
        """Node that gives the path of an asset -> where the asset is; none if what the model says of them is broken."""
        from graphscope.formats.savedmodel.assets import declared_assets

        try:
            declared = declared_assets(self.model) if self.model is not None else []
        except GraphscopeError:
            return {}
        return {node_of(asset.tensor): asset.source for asset in declared}

    def shapes(self) -> Shapes:
        """The shapes of :attr:`graph`: the rules alone take a while to import."""
        return self._shapes

    @functools.cached_property
    def _shapes(self) -> Shapes:
        from graphscope.analysis.shapes import infer

        return infer(self.graph)
