"""A graph arranged for drawing, independent of the format: nested boxes, lines in them, and edges."""

from __future__ import annotations

import functools
import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import accumulate

from graphscope.analysis.scopes import parameters_of, weight_holders
from graphscope.analysis.tensors import Shapes, TensorLister
from graphscope.core.graph import Graph, Node
from graphscope.core.model import Model
from graphscope.core.ops.sets import PLACEHOLDER_OPS
from graphscope.core.stated_shapes import stated_shape
from graphscope.core.tensors import Shape
from graphscope.core.values.dtypes import DataType
from graphscope.drawing.bodies import Bodies
from graphscope.drawing.boxes import Box, mark_outside, number_boxes, scope_boxes
from graphscope.drawing.focus import around
from graphscope.drawing.hosts import HOLDERS, hosts_of
from graphscope.drawing.links import Source, sources_of
from graphscope.drawing.outside import outside_nodes
from graphscope.drawing.series import Grouping
from graphscope.errors import GraphscopeError

HUB = 10
"""The number of consumers from which a switch or constant becomes a line in each of them instead of an edge."""
SHORT = 4
"""Elements of a constant whose values are shown instead of its shape."""


@dataclass(slots=True)
class Diagram:
    """Places are node numbers in drawing order: first boxes, then lines in boxes.

    Attributes:
        title: of the picture.
        graph: the graph to draw.
        nodes: place -> number in the graph.
        boxes: all boxes, each before its contents; the first one contains all others.
        visible: number of nodes that are boxes.
        hosts: place -> place of the box in which the node is drawn.
        apart: for each box of a node the number of the outermost box that is drawn apart and holds it; -1 for the others.
        inputs: place -> producers of the node, as in the graph, without dangling ones.
        links: for each box of a node what feeds it and what is drawn in it, each once: what the edges are made of.
        outputs: place -> texts of its tensors.
        output_bytes: place -> their size in bytes; unknown dimensions count as 1, an unknown rank as nothing.
        lines: for each box of a node its lines: what a weight, constant or switch is called, and its shape or value; which
            functions the node calls.
        unrelated: places of nodes that are drawn in a box but only train, save or initialize, which the box does not.
        hubs: places of the nodes that are lines wherever they are used.
        parameters: for each box of a node how many parameters are in the boxes before it; the last number is that of all.
    """

    title: str
    graph: Graph
    nodes: list[int]
    boxes: list[Box]
    visible: int
    hosts: list[int]
    apart: list[int]
    inputs: list[list[Source]]
    links: list[list[Source]]
    outputs: list[tuple[str, ...]]
    output_bytes: list[int]
    lines: list[list[tuple[str, str]]]
    unrelated: set[int] = field(default_factory=set)
    hubs: set[int] = field(default_factory=set)
    parameters: list[int] = field(default_factory=list)

    @property
    def root(self) -> Box:
        """The box around everything."""
        return self.boxes[0]

    def parameters_in(self, box: Box) -> int:
        """The number of parameters of the weights in a box."""
        return self.parameters[box.end] - self.parameters[box.first]

    def op(self, place: int) -> str:
        """The op of a node."""
        return self.graph.ops[self.nodes[place]]


def diagram(bodies: Bodies, title: str, focus: str = "", radius: int = 2) -> Diagram:
    """Arranges a graph for drawing. Reads no weights but constants of a few elements.

    Args:
        bodies: the graph with the bodies of functions. Its shapes are taken out: what is not kept makes room for what is built.
        title: of the picture.
        focus: the name of a node; if given, only nodes within ``radius`` steps of it are drawn.

    Raises:
        UnknownNameError: there is no node called ``focus``.
    """
    shapes, bodies.shapes = bodies.shapes, {}
    builder = _Builder(bodies, shapes, focus, radius)
    del shapes
    return builder.build(title, bodies.called)


class _Builder:
    def __init__(self, bodies: Bodies, shapes: Shapes, focus: str, radius: int) -> None:
        model = bodies.model
        self.graph = model.graph
        self.outside = outside_nodes(bodies)
        self.host = hosts_of(self.graph, self.outside)
        self.sources = sources_of(self.graph)
        self.kept = [True] * len(self.graph)
        if focus:
            self.kept = around(self.graph, focus, radius, self.host, self.sources, self.outside)
        known: dict[tuple[tuple[DataType, Shape], ...], tuple[tuple[str, ...], int]] = {}
        self.outputs: list[tuple[str, ...]] = []
        self.bytes: list[int] = []
        for found in map(tuple, _output_specs(model, shapes)):
            if found not in known:
                known[found] = tuple(tensor_text(*s) for s in found), sum(_tensor_bytes(*s) for s in found)
            texts, size = known[found]
            self.outputs.append(texts)
            self.bytes.append(size)
        self.is_weight = weight_holders(model)

    def build(self, title: str, called: Mapping[str, Sequence[tuple[str, str]]]) -> Diagram:
        graph, host = self.graph, self.host
        drawn = [i for i, kept in enumerate(self.kept) if host[i] == i and kept]
        root = scope_boxes(graph, drawn)
        mark_outside(root, self.outside)
        Grouping(self._describe, graph.ops.__getitem__, self._inputs_of).apply(root)
        boxes = number_boxes(root)
        nodes = [box.node for box in boxes if box.node >= 0]
        visible = len(nodes)
        nodes += [i for i in range(len(graph)) if host[i] != i and self.kept[host[i]]]
        place = [-1] * len(graph)
        for here, number in enumerate(nodes):
            place[number] = here
        result = Diagram(
            title=title,
            graph=graph,
            nodes=nodes,
            boxes=boxes,
            visible=visible,
            hosts=[place[host[i]] for i in nodes],
            apart=_apart(boxes, visible),
            inputs=[[(place[p], slot) for p, slot in self.sources[i] if place[p] >= 0] for i in nodes],
            links=[],
            outputs=[self.outputs[i] for i in nodes],
            output_bytes=[self.bytes[i] for i in nodes],
            lines=[list(called.get(graph.names[i], ())) for i in nodes[:visible]],
        )
        self.sources.clear()  # as large as all that is kept
        self._link(result)
        result.parameters = self._parameters(result)
        return result

    def _describe(self, i: int) -> tuple[str, tuple[str, ...]]:
        return self.graph.ops[i], self.outputs[i]

    def _inputs_of(self, i: int) -> list[int]:
        return [self.host[p] for p, _ in self.sources[i]]

    def _link(self, result: Diagram) -> None:
        """Fills ``hubs``, ``links``, ``lines`` and ``unrelated``."""
        links = _links(result)
        users = [0] * result.visible
        for found in links:
            for origin, _ in found:
                users[origin] += 1
        result.hubs = {
            place
            for place, count in enumerate(users)
            if count >= HUB and not links[place] and result.op(place) in HOLDERS | PLACEHOLDER_OPS
        }
        result.links = links
        for place in range(result.visible, len(result.nodes)):
            host = result.hosts[place]
            number = result.nodes[place]
            if self.outside[number] != self.outside[result.nodes[host]]:
                result.unrelated.add(place)
            elif result.op(place) in HOLDERS:
                result.lines[host].append(self._line(number))
        for place, found in enumerate(links) if result.hubs else ():
            met = dict.fromkeys(source for source, _ in found if source in result.hubs)
            if met:
                result.lines[place] += [self._line(result.nodes[source]) for source in met]
                links[place] = [link for link in found if link[0] not in met]

    def _parameters(self, result: Diagram) -> list[int]:
        own = [0] * result.visible
        for place, number in enumerate(result.nodes):
            node = self.graph.nodes[number]
            if self.graph.ops[number] in HOLDERS and self.is_weight(node):
                own[result.hosts[place]] += parameters_of(node)[0]
        return [0, *accumulate(own)]

    def _line(self, i: int) -> tuple[str, str]:
        label = self.graph.names[i].rpartition("/")[2]
        return label, _value(self.graph, i) or (self.outputs[i][0] if self.outputs[i] else "")


def _links(result: Diagram) -> list[list[Source]]:
    """For each box of a node, the producers in other boxes of the node and its lines, each once."""
    links: list[list[Source]] = [[] for _ in range(result.visible)]
    hosts, apart = result.hosts, result.apart
    for place, sources in enumerate(result.inputs):
        target = hosts[place]
        for link in sources:
            origin = hosts[link[0]]
            if origin != target and apart[origin] == apart[target]:
                links[target].append(link if origin == link[0] else (origin, link[1]))
    return [list(dict.fromkeys(found)) if len(found) > 1 else found for found in links]


def _apart(boxes: Sequence[Box], visible: int) -> list[int]:
    result = [-1] * visible
    is_within = bytearray(len(boxes))
    for box in boxes:
        if box.is_outside and not is_within[box.number] and box.level:
            result[box.first : box.end] = [box.number] * box.size
            is_within[box.number] = 1
        if is_within[box.number]:
            for child in box.children:
                is_within[child.number] = 1
    if boxes[0].is_outside:
        return [-1] * visible
    return result


def _output_specs(model: Model, shapes: Shapes) -> Iterator[list[tuple[DataType, Shape]]]:
    """For each node the types and shapes of its outputs."""
    graph, catalog = model.graph, model.catalog
    lister = TensorLister(catalog, graph.producer, shapes)
    for name, op, node in zip(graph.names, graph.ops, graph.nodes):
        types = catalog.outputs(op, node.attrs)
        if types is None:
            yield [(spec.dtype, spec.shape) for spec in lister.outputs(node, graph)]
        else:
            yield [(found.dtype, _shape(shapes, graph, node, f"{name}:{i}", i)) for i, found in enumerate(types)]


def _shape(shapes: Shapes, graph: Graph, node: Node, tensor: str, index: int) -> Shape:
    """The inferred shape, or the one stated in the file."""
    shape = shapes.get(tensor)
    return stated_shape(node, index, graph.producer, graph) if shape is None else shape


@functools.lru_cache(4096)
def _tensor_bytes(dtype: DataType, shape: Shape) -> int:
    """The size of a tensor in bytes; unknown dimensions count as 1, an unknown rank as nothing."""
    if shape is None:
        return 0
    return math.prod((dtype.itemsize or 0, *(1 if length is None else length for length in shape)))


@functools.lru_cache(4096)
def tensor_text(dtype: DataType, shape: Shape) -> str:
    """``float32 ?×28×28×6``, ``bool scalar``; the type alone where the rank is not known."""
    name = "?" if dtype is DataType.INVALID else dtype.label
    if shape is None:
        return name
    return f"{name} " + ("×".join("?" if d is None else str(d) for d in shape) or "scalar")


def _value(graph: Graph, i: int) -> str:
    """The values of a constant that has few."""
    node = graph.nodes[i]
    tensor = node.tensor() if graph.ops[i] == "Const" else None
    if tensor is None or not tensor.dtype.is_real or not 0 < tensor.elements <= SHORT:
        return ""
    try:
        values = [_number(value) for value in tensor.numpy().ravel().tolist()]
    except GraphscopeError:  # a tensor that is damaged: the picture shows its shape
        return ""
    return f"= {values[0]}" if not tensor.shape else f"= [{', '.join(values)}]"


def _number(value: object) -> str:
    return f"{value:.4g}" if isinstance(value, float) else str(value).lower()
