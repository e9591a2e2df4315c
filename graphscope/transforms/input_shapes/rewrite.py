"""Rewrites constants that state a batch: as numbers, with -1, or computed from ``Shape``."""

from __future__ import annotations

from collections.abc import Collection, Generator, Iterator, Mapping
from dataclasses import dataclass

import numpy as np

from graphscope.core.changes.build import constant, make_node, type_attr, with_inputs
from graphscope.core.graph import Graph, Node
from graphscope.core.names import FreeNames
from graphscope.core.tensors import node_of
from graphscope.core.values.dtypes import DataType
from graphscope.protos import AttrValue
from graphscope.transforms.input_shapes.probe import Batches
from graphscope.transforms.input_shapes.rules import Change

_PASSING = frozenset(("Identity", "Enter"))
"""What may stand between a constant and the node that takes it."""


@dataclass(frozen=True, slots=True)
class BatchSource:
    """Where the number of examples is read when the graph runs.

    Attributes:
        placeholder: the first size of this one's shape.
    """

    placeholder: str


def rewrite(
    graph: Graph, changes: Mapping[str, Change], rows: Collection[str], batches: Batches, source: BatchSource
) -> Graph:
    """``graph`` in which the nodes ``changes`` take what they need, each from nodes of its own.

    Args:
        rows: constants of as many equal rows as there are examples.
    """
    writer = _Writer(graph, batches, source)
    nodes = [
        made
        for node in graph.nodes
        for made in (writer.rows(node) if node.name in rows else writer.nodes(node, changes.get(node.name)))
    ]
    return graph.with_nodes(nodes)


class _Writer:
    def __init__(self, graph: Graph, batches: Batches, source: BatchSource) -> None:
        self.graph = graph
        self.batches = batches
        self.source = source
        self.free = FreeNames(graph.names)

    def nodes(self, node: Node, change: Change | None) -> Iterator[Node]:
        """``node`` as it shall be, after what it takes."""
        if change is None:
            yield node
            return
        dtype = self.index_type(node)
        if self.is_constant(change):
            given = yield from self.constant(node, change, dtype)
        else:
            given = yield from self.computed(node, change, dtype)
        inputs = list(node.inputs)
        inputs[change.argument] = given
        yield with_inputs(node, inputs)

    def rows(self, node: Node) -> Iterator[Node]:
        """A constant of equal rows with one for each example."""
        tensor = node.tensor()
        if tensor is None:
            raise TypeError(f"{node.name} holds no rows")
        row = tensor.numpy()[:1]
        if self.batches.new is not None:
            yield constant(node.name, np.repeat(row, self.batches.new, 0), node.inputs)
            return
        name = self.free(f"{node.name}/row")
        yield constant(name, row, node.inputs)
        times = Change(1, (self.batches.probe, *(1,) * (row.ndim - 1)), ())
        counts = yield from self.computed(node, times, DataType.INT32)
        attrs = {"T": type_attr(tensor.dtype), "Tmultiples": type_attr(DataType.INT32)}
        yield make_node(node.name, "Tile", [name, counts], attrs)

    def index_type(self, node: Node) -> DataType:
        """The type in which the node takes its sizes."""
        for name in ("Tshape", "Index", "index_type", "Tmultiples", "Tidx"):
            value = node.attr(name)
            if value is not None and value.type == DataType.INT64:
                return DataType.INT64
        random = node.op.startswith(("Random", "Truncated")) and node.attr("T")
        return DataType.of(random.type) if random else DataType.INT32

    def is_constant(self, change: Change) -> bool:
        if self.batches.new is not None or not self.batches.examples(change.value):
            return True
        return change.infers and len(self.batches.examples(change.value)) == 1 and -1 not in change.value

    def constant(self, node: Node, change: Change, dtype: DataType) -> Generator[Node, None, str]:
        """A constant in the place of the old one, behind copies of what it passes through."""
        value = [self.number(element) for element in change.value]
        chain = self.chain(node.inputs[change.argument])
        name = self.free(f"{node.name}/shape")
        controls = [text for text in chain[-1].inputs if text.startswith("^")] if chain else []
        yield constant(name, np.array(value, dtype.numpy), controls)
        for passing in reversed(chain[:-1]):
            copy = self.free(f"{node.name}/shape")
            yield make_node(copy, passing.op, [name, *passing.inputs[1:]], dict(passing.attrs))
            name = copy
        return name

    def number(self, element: object) -> int:
        if not isinstance(element, int):
            raise TypeError("a change is of numbers")
        if self.batches.is_batch(element) and self.batches.new is None:
            return -1
        return self.batches.after(element)

    def chain(self, text: str) -> list[Node]:
        """The nodes from ``text`` back to its constant; empty where it is computed."""
        found = []
        node = self.graph.get(node_of(text))
        while node is not None and node.op in _PASSING and node.inputs:
            found.append(node)
            node = self.graph.get(node_of(node.inputs[0]))
        return [*found, node] if node is not None and node.op == "Const" else []

    def computed(self, node: Node, change: Change, dtype: DataType) -> Generator[Node, None, str]:
        """The sizes packed together, that of the batch read off the input."""
        out_type = type_attr(dtype)
        shape, batch = self.free(f"{node.name}/batch_shape"), self.free(f"{node.name}/batch")
        source = self.graph[self.source.placeholder]
        data = source.attr("dtype") or type_attr(DataType.FLOAT)
        yield make_node(shape, "Shape", [source.name], {"T": data, "out_type": out_type})
        bounds = [self.free(f"{node.name}/batch_{part}") for part in ("begin", "end", "stride")]
        for name, bound in zip(bounds, (0, 1, 1)):
            yield constant(name, np.array([bound], np.int32))
        attrs = {"T": out_type, "Index": type_attr(DataType.INT32), "shrink_axis_mask": AttrValue(i=1)}
        yield make_node(batch, "StridedSlice", [shape, *bounds], attrs)
        packed = []
        for element in change.value:
            packed.append((yield from self.size(node, element, batch, dtype)))
        name = self.free(f"{node.name}/shape")
        yield make_node(name, "Pack", packed, {"T": out_type, "N": AttrValue(i=len(packed)), "axis": AttrValue(i=0)})
        return name

    def size(self, node: Node, element: object, batch: str, dtype: DataType) -> Generator[Node, None, str]:
        """One size as a scalar."""
        factor = element // self.batches.probe if isinstance(element, int) and self.batches.is_batch(element) else None
        if factor == 1:
            return batch
        name = self.free(f"{node.name}/size")
        yield constant(name, np.array(element if factor is None else factor, dtype.numpy))
        if factor is None:
            return name
        product = self.free(f"{node.name}/size")
        yield make_node(product, "Mul", [batch, name], {"T": type_attr(dtype)})
        return product
