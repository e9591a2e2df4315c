"""Operations of nodes that ran, with the shapes that they ran with."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from graphscope.analysis.cost.formulas import computes
from graphscope.analysis.cost.measure import flops_of
from graphscope.analysis.cost.operands import Operands
from graphscope.analysis.shapes import infer
from graphscope.analysis.shapes.call import Call
from graphscope.analysis.shapes.facts import Fact
from graphscope.analysis.shapes.sizes import private
from graphscope.core.graph import Graph
from graphscope.core.tensors import Shape


class MeasuredFlops:
    """Counts operations in a graph with measured shapes for some tensors; the others are inferred.

    Args:
        graph: that was run.
        measured: tensor name -> its shape.
    """

    def __init__(self, graph: Graph, measured: Mapping[str, Shape]) -> None:
        self._flow = infer(graph).flow
        self._names = graph.names
        self._measured = measured

    def of(self, nodes: Iterable[str], inside: Mapping[str, Shape]) -> int | None:
        """The operations of several nodes, excluding those that only move data; ``None`` if none are known.

        Args:
            inside: tensor name -> its shape, of what passes between these nodes.
        """
        known = [flops for name in nodes if (flops := self._flops(name, inside)) is not None]
        return sum(known) if known else None

    def _flops(self, name: str, inside: Mapping[str, Shape]) -> int | None:
        flow = self._flow
        place = flow.wiring.places.get(name)
        if place is None or not computes(flow.body.nodes[place].op):
            return None
        node = flow.body.nodes[place]
        inputs = [self._fact(*source, inside) for source in flow.wiring.sources[place]]
        outputs = tuple(self._fact(place, index, inside) for index in range(max(1, len(flow.facts[place] or ()))))
        return flops_of(Operands(Call(node, inputs, flow), outputs))

    def _fact(self, place: int, index: int, inside: Mapping[str, Shape]) -> Fact:
        inferred = self._flow.fact_at(place, index)
        name = f"{self._names[place]}:{index}" if 0 <= place < len(self._names) else ""
        shape = inside.get(name, self._measured.get(name))
        return inferred if shape is None else Fact(private(shape), inferred.value)
