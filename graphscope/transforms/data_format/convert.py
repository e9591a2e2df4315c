"""Converts a graph from one data format to the other, with transposes only at its borders.

Each op that states the old format is written in the new one. What follows it, as far as it works on each element or names its
axes, is carried over too (:mod:`.followers`), so that no transpose is between. Whatever is not carried over takes its input
through a transpose, and a transpose of the graph itself that undoes the format goes. Weights stay as they are.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from graphscope.advice import Advice, Option
from graphscope.analysis.shapes import Shapes, infer
from graphscope.core.changes.build import constant, make_node, type_attr, with_inputs
from graphscope.core.graph import Graph, Node
from graphscope.core.order import needed_first
from graphscope.core.tensors import Shape, TensorName, node_of
from graphscope.errors import GraphscopeError, some
from graphscope.protos import AttrValue
from graphscope.transforms.data_format.followers import FOLLOWERS
from graphscope.transforms.data_format.layouts import IMAGE_INPUTS, Layouts
from graphscope.transforms.data_format.naming import NewNodes

if TYPE_CHECKING:
    from numpy.typing import NDArray

_MAX_CONSTANT_BYTES = 1 << 16
"""Larger constants are transposed when the graph runs: weights stay as they are."""

_MAX_NAMES = 6


@dataclass(frozen=True, slots=True)
class Converted:
    """A graph in another data format.

    Attributes:
        graph: the result.
        moved: number of nodes that compute in the new format.
        transposes: number of transposes added for the format.
    """

    graph: Graph
    moved: int = 0
    transposes: int = 0


def convert_data_format(graph: Graph, new: str, outputs: Sequence[str]) -> Converted:
    """Returns ``graph`` in the data format ``new``; inputs and outputs keep their shapes. Reads no weights.

    Args:
        new: ``NHWC`` or ``NCHW``.
        outputs: node or tensor names whose values must stay as they are.

    Raises:
        GraphscopeError: an op states the old format and cannot be written in the new one; all are listed.
    """
    layouts = Layouts.to(new)
    _refuse_others(graph, layouts)
    moving = any(n.op in IMAGE_INPUTS and layouts.is_old(n) for n in graph)
    return Mover(graph, layouts, {node_of(name) for name in outputs}).result() if moving else Converted(graph)


def _refuse_others(graph: Graph, layouts: Layouts) -> None:
    shapes = infer(graph)
    found = []
    for function, body in graph.bodies:
        for node in body:
            if _states(node, layouts.old) and (function or not _can_move(node, shapes, layouts)):
                found.append(f"{node.name} ({node.op}{f' of function {function}' if function else ''})")
    if found:
        raise GraphscopeError(
            f"cannot be written in {layouts.new}: {some(found, _MAX_NAMES)}",
            hint=Advice(Option("outputs", "NAME"), " of a node before leaves them out"),
        )


def _states(node: Node, data_format: str) -> bool:
    """Whether a node states ``data_format``, its variant for volumes or one in blocks."""
    stated = node.attr("data_format")
    text = stated.s.decode("latin-1") if stated is not None else ""
    return text.startswith(data_format) or text == data_format.replace("HW", "DHW")


def _can_move(node: Node, shapes: Shapes, layouts: Layouts) -> bool:
    if node.op not in IMAGE_INPUTS or not layouts.is_old(node):
        return False
    shape = shapes.shape(node.inputs[IMAGE_INPUTS[node.op]])
    return node.op != "BiasAdd" or (shape is not None and len(shape) in (2, 4))


class Mover:
    """The work on one graph.

    Attributes:
        graph: as it was.
        layouts: the formats.
        made: the nodes of the result.
    """

    def __init__(self, graph: Graph, layouts: Layouts, kept: set[str]) -> None:
        self.graph = graph
        self.layouts = layouts
        self.made = NewNodes(graph.names)
        self._kept = kept
        self._shapes = infer(graph)
        self._catalog = graph.catalog()
        self._new: dict[str, str] = {}  # tensor -> the same in the new format
        self._old: dict[
            str, str
        ] = {}  # tensor whose name holds the new format -> the same in the old one, once it is wanted
        self._moved: set[str] = set()  # tensors whose names hold the new format
        self._staying: list[int] = []  # places in made.nodes of the graph's own nodes that stay as they are
        self._count = 0
        self._transposes = 0

    def result(self) -> Converted:
        """The whole graph."""
        for name in needed_first(self.graph.names, self._producers):
            self._take(self.graph[name])
        for place in self._staying:
            node = self.made.nodes[place]
            self.made.nodes[place] = with_inputs(node, [self.old(text) for text in node.inputs])
        return Converted(self.graph.with_nodes(self.made.nodes), self._count, self._transposes)

    def _producers(self, name: str) -> list[str]:
        """What a node takes, the last one first."""
        return [producer.name for producer in reversed(self.graph.producers(self.graph[name]))]

    def _take(self, node: Node) -> None:
        if node.op in IMAGE_INPUTS and self.layouts.is_old(node) and self.rank(node.inputs[IMAGE_INPUTS[node.op]]) == 4:
            self._move_image_op(node)
            return
        rule = FOLLOWERS.get(node.op)
        if rule is not None and any(map(self.is_moved, node.data_inputs())) and rule(node, self):
            self._count += 1
            return
        self._staying.append(len(self.made.nodes))
        self.made.nodes.append(_of_two_axes(node, self.layouts))

    def _move_image_op(self, node: Node) -> None:
        image = IMAGE_INPUTS[node.op]
        inputs = [self.new(text) if place == image else self.old(text) for place, text in enumerate(node.inputs)]
        if node.op == "Conv2DBackpropInput":
            inputs[0] = self.made.reordered_sizes(f"{node.name}/sizes", inputs[0], self.layouts.forth)
        moved = self.layouts.written(node, self.name(node), inputs)
        self.emit(moved, node, 1)
        for index in range(1, len(self._catalog.outputs(node.op, node.attrs) or ())):
            if moved.name != node.name:
                self._old[f"{node.name}:{index}"] = f"{moved.name}:{index}"
        self._count += 1

    def name(self, node: Node) -> str:
        """What the moved ``node`` is called: an output's own name is that of its value in the old format."""
        return self.made.free(f"{node.name}/{self.layouts.new}") if node.name in self._kept else node.name

    def emit(self, moved: Node, node: Node, count: int) -> None:
        """Adds ``moved``, whose first ``count`` outputs are those of ``node`` in the new format."""
        self.made.nodes.append(moved)
        for index in range(count):
            tensor = f"{node.name}:{index}"
            self._new[tensor] = f"{moved.name}:{index}" if index else moved.name
            self._moved.add(tensor)
        if node.name in self._kept:
            self._old[f"{node.name}:0"] = node.name
            self.transpose(node.name, moved.name, self.layouts.back, self.dtype(node.name))

    def emit_plain(self, node: Node) -> None:
        """Adds what takes the new format and gives the same as in the old one."""
        self.made.nodes.append(node)

    def is_moved(self, text: str) -> bool:
        """Whether a tensor was moved to the new format."""
        return not text.startswith("^") and _tensor(text) in self._moved

    def transpose(self, name: str, source: str, order: Sequence[int], dtype: AttrValue) -> None:
        """Adds a transpose for the format."""
        self.made.transpose(name, source, order, dtype)
        self._transposes += 1

    def new(self, text: str) -> str:
        """A tensor of four dimensions in the new format, through a transpose where it is not there yet."""
        tensor = _tensor(text)
        if tensor not in self._new:
            self._new[tensor] = self._undone(text) or self._constant(text) or self._transpose(text)
        return self._new[tensor]

    def old(self, text: str) -> str:
        """A tensor in the old format, through a transpose where its name holds the new one."""
        if text.startswith("^"):
            return text
        tensor = _tensor(text)
        if tensor in self._moved and tensor not in self._old:
            name = self.made.free(f"{node_of(text)}/{self.layouts.old}")
            self._old[tensor] = name
            self.transpose(name, self._new[tensor], self.layouts.back, self.dtype(text))
        return self._old.get(tensor, text)

    def _transpose(self, text: str) -> str:
        name = self.made.free(f"{node_of(text)}/{self.layouts.new}")
        self.transpose(name, self.old(text), self.layouts.forth, self.dtype(text))
        return name

    def _undone(self, text: str) -> str | None:
        """What a transpose of the graph itself took, where it gives the old format of it."""
        node = self.graph[node_of(text)]
        if node.op != "Transpose" or self.integers(node.inputs[1]) != list(self.layouts.back):
            return None
        return self.old(node.inputs[0])

    def _constant(self, text: str) -> str | None:
        """A small constant in the new format."""
        value = self.small(text)
        return (
            None
            if value is None
            else self.array(f"{node_of(text)}/{self.layouts.new}", value.transpose(self.layouts.forth))
        )

    def array(self, name: str, value: NDArray[Any]) -> str:
        """Adds a constant; returns its name."""
        found = self.made.free(name)
        self.made.nodes.append(constant(found, value))
        return found

    def small(self, text: str) -> NDArray[Any] | None:
        """The elements of a small constant; ``None`` if it is large or computed."""
        node = self.graph.get(node_of(text))
        while node is not None and node.op == "Identity":
            node = self.graph.get(node_of(node.inputs[0]))
        tensor = node.tensor() if node is not None and node.op == "Const" else None
        return tensor.numpy() if tensor is not None and tensor.content_bytes <= _MAX_CONSTANT_BYTES else None

    def integers(self, text: str) -> list[int] | None:
        """The elements of a small constant of integers; ``None`` if it is computed."""
        value = self.small(text)
        return None if value is None or value.dtype.kind != "i" else [int(element) for element in value.reshape(-1)]

    def shape(self, text: str) -> Shape:
        """The shape of a tensor in the old format."""
        return self._shapes.shape(text)

    def rank(self, text: str) -> int | None:
        """The number of dimensions of a tensor; ``None`` if it is unknown."""
        shape = self.shape(text)
        return None if shape is None else len(shape)

    def dtype(self, text: str) -> AttrValue:
        """The type of a tensor, as an attribute."""
        return type_attr(self._shapes.dtype(text))


def _of_two_axes(node: Node, layouts: Layouts) -> Node:
    """A ``BiasAdd`` of a matrix does the same in either format, but only one may have a kernel."""
    if node.op != "BiasAdd" or not layouts.is_old(node):
        return node
    return make_node(node.name, node.op, node.inputs, {**node.attrs, "data_format": AttrValue(s=b"NHWC")})


def _tensor(text: str) -> str:
    return str(TensorName.parse(text))
