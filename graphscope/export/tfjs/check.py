"""Checks each node for TF.js before anything is written."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterator, Mapping

from graphscope.core.graph import Body, Graph, Node, reached_functions
from graphscope.core.tensors import Shape, TensorName
from graphscope.core.values.dtypes import DataType
from graphscope.export.refusal import NotExpressibleError, Refusal
from graphscope.export.tfjs.element_types import HANDLES, storage
from graphscope.export.tfjs.limits import OUTPUTS, reasons
from graphscope.export.tfjs.ops import op_table
from graphscope.export.tfjs.site import Site
from graphscope.export.tfjs.weights import Weight, weight

UNKNOWN = "TF.js does not know this op"


class Checker:
    """Whether TF.js can run the nodes of a graph.

    Args:
        graph: the graph to write.
        shapes: tensor of the graph -> its shape.

    Attributes:
        weights: the constants that it can store, including those of functions.
        types: type -> how many tensors have it.
    """

    def __init__(self, graph: Graph, shapes: Mapping[str, Shape]) -> None:
        self.graph = graph
        self.shapes = shapes
        self.catalog = graph.catalog()
        self.weights: list[Weight] = []
        self.types: Counter[DataType] = Counter()

    def refusals(self) -> dict[str, list[Refusal]]:
        """Name of a node of the graph -> why it cannot be run: the node itself, or one in a function that it calls."""
        inner = {name: list(self._of_body(body, {})) for name, body in self.graph.functions.items()}
        found: dict[str, list[Refusal]] = {}
        for refusal in self._of_body(self.graph, self.shapes):
            found.setdefault(refusal.node, []).append(refusal)
        for node in self.graph:
            for function in reached_functions(self.graph, [node]):
                if inner[function.name]:
                    found.setdefault(node.name, []).extend(inner[function.name])
        return found

    def _of_body(self, body: Body, shapes: Mapping[str, Shape]) -> Iterator[Refusal]:
        taken: dict[str, int] = {}
        for node in body:
            for text in node.data_inputs():
                tensor = TensorName.parse(text)
                taken[tensor.node] = max(taken.get(tensor.node, 0), tensor.index)
        for node in body:
            reason = next(self._reasons(Site(node, body, shapes), taken.get(node.name, 0)), "")
            if reason:
                yield Refusal(node.name, node.op, reason)

    def _reasons(self, site: Site, taken: int) -> Iterator[str]:
        """The problem with a node, if any; ``taken`` is its highest used output."""
        node = site.node
        if node.op not in op_table().attributes:
            yield UNKNOWN
            return
        yield from self._types(node)
        if node.op == "Const":
            yield from self._constant(node)
        if taken >= OUTPUTS.get(node.op, taken + 1):
            yield f"TF.js does not give its output {taken}"
        yield from _infinite(site)
        yield from reasons(site)

    def _types(self, node: Node) -> Iterator[str]:
        for output in self.catalog.outputs(node.op, node.attrs) or ():
            self.types[output.dtype] += 1
            if storage(output.dtype) is None and (output.dtype not in HANDLES or node.op.startswith("Placeholder")):
                yield f"TF.js has no type {output.dtype.label}"

    def _constant(self, node: Node) -> Iterator[str]:
        payload = node.tensor()
        if payload is None:
            yield "it has no value"
            return
        try:
            self.weights.append(weight(node, payload))
        except NotExpressibleError as error:
            yield error.reason


def _infinite(site: Site) -> Iterator[str]:
    for name in op_table().attributes[site.node.op]:
        value = site.node.attr(name)
        if value is not None and value.WhichOneof("value") == "f" and not math.isfinite(value.f):
            yield f"its attribute {name} is {value.f}, which TF.js reads as NaN"
