"""Gradients of single rows, as of an embedding (``IndexedSlices``), made dense so that they can be averaged.

Each part of a step's examples has a gradient of the rows that it touches, which are others in each part. Made dense, with a
mark for each row that was touched, they can be added up. What writes to the variable is then given the rows that any part has
touched, as it would be for all examples together: an optimizer that leaves other rows alone goes on doing so.

Source: ``tensorflow/python/training/optimizer.py``: ``_deduplicate_indexed_slices`` adds up the slices of each row with
``Unique`` and ``UnsortedSegmentSum``; ``gradient_descent.py`` scatters them as they are.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from graphscope.core.changes.build import constant, make_node, type_attr, with_inputs
from graphscope.core.graph import Graph, Node
from graphscope.core.ops.table import registered_ops
from graphscope.core.tensors import node_of
from graphscope.core.values.dtypes import DataType
from graphscope.core.variables.variables import Variable
from graphscope.training.together.averaged import SCOPE, Averaged, full_name

_LINEAR = frozenset("ScatterAdd ScatterSub ResourceScatterAdd ResourceScatterSub".split())
"""Ops that add slices to rows as they are: an average of what they add is what they add of an average."""

_SLICES = ("grad", "updates")
"""What the argument with the slices is called."""

_Taker = tuple[str, int]
"""A node and the number of its input."""


@dataclass(frozen=True, slots=True)
class _RowGradient:
    """The slices that some nodes write.

    Attributes:
        values, indices: tensors; a row may have several slices.
        index_type: of ``indices``.
        shape: of the variable.
        values_takers, rows_takers: what takes the slices, one for each row, and what takes the rows.
    """

    values: str
    indices: str
    index_type: DataType
    shape: tuple[int, ...]
    values_takers: tuple[_Taker, ...]
    rows_takers: tuple[_Taker, ...]


def with_dense_gradients(
    graph: Graph, writes: Iterable[Node], variables: Mapping[str, Variable]
) -> tuple[Graph, list[Averaged]]:
    """``graph``, in which gradients of rows are dense on their way to ``writes``, and what is to be averaged there.

    Without an average in its place, the graph computes what it did. Nodes that write otherwise stay as they are.

    Args:
        writes: nodes that write what depends on examples.
        variables: variable op -> variable.
    """
    found = (_row_gradient(graph, node, variables[node_of(node.inputs[0])]) for node in writes)
    gradients = list(dict.fromkeys(gradient for gradient in found if gradient is not None))
    added = [node for number, gradient in enumerate(gradients) for node in _nodes(number, gradient)]
    base = _redirect(graph, gradients)
    averaged = [value for number, gradient in enumerate(gradients) for value in _averaged(number, gradient)]
    return base.with_nodes([*base.nodes, *added]), averaged


def _row_gradient(graph: Graph, node: Node, variable: Variable) -> _RowGradient | None:
    """The slices that ``node`` writes to ``variable``; ``None`` if it writes something else, or they have no average."""
    arguments = [argument.name for argument in registered_ops()[node.op].input_arg]
    values = next((arguments.index(name) for name in _SLICES if name in arguments), None)
    shape = variable.shape
    if values is None or "indices" not in arguments or shape is None or variable.dtype is not DataType.FLOAT:
        return None
    known = tuple(size for size in shape if size is not None)
    if len(known) < len(shape):
        return None
    rows = arguments.index("indices")
    unique = graph[node_of(node.inputs[rows])]
    if unique.op == "Unique":
        return _added_up(graph, unique, known)
    if node.op in _LINEAR:
        return _RowGradient(
            full_name(node.inputs[values]),
            full_name(node.inputs[rows]),
            DataType(node.attrs["Tindices"].type),
            known,
            ((node.name, values),),
            ((node.name, rows),),
        )
    return None


def _added_up(graph: Graph, unique: Node, shape: tuple[int, ...]) -> _RowGradient | None:
    """Slices that TensorFlow sums by row."""
    sums = [node for node in graph.consumers(unique.name) if node.op == "UnsortedSegmentSum"]
    if len(sums) != 1 or sums[0].inputs[1] != f"{unique.name}:1":
        return None
    return _RowGradient(
        full_name(sums[0].inputs[0]),
        full_name(unique.inputs[0]),
        DataType(unique.attrs["T"].type),
        shape,
        tuple(_takers(graph, sums[0].name)),
        tuple(taker for taker in _takers(graph, unique.name) if graph[taker[0]].op != "Shape"),
    )


def _takers(graph: Graph, name: str) -> Iterator[_Taker]:
    """What takes the first output of a node."""
    for node in graph.consumers(name):
        yield from ((node.name, i) for i, text in enumerate(node.inputs) if text in (name, f"{name}:0"))


def _redirect(graph: Graph, gradients: Sequence[_RowGradient]) -> Graph:
    moved: dict[_Taker, str] = {}
    for number, gradient in enumerate(gradients):
        moved |= dict.fromkeys(gradient.values_takers, _name(number, "values"))
        moved |= dict.fromkeys(gradient.rows_takers, _name(number, "rows"))
    nodes = {name for name, _ in moved}

    def redirected(node: Node) -> Node:
        if node.name not in nodes:
            return node
        return with_inputs(node, [moved.get((node.name, i), text) for i, text in enumerate(node.inputs)])

    return graph.with_nodes(map(redirected, graph.nodes))


def _averaged(number: int, gradient: _RowGradient) -> Iterator[Averaged]:
    yield Averaged(f"{_name(number, 'dense')}:0", gradient.shape, ((_name(number, "values"), 0),))
    yield Averaged(f"{_name(number, 'marks')}:0", gradient.shape[:1], ((_name(number, "touched"), 0),))


def _nodes(number: int, gradient: _RowGradient) -> Iterator[Node]:
    """From slices to a dense gradient and marks, and back to the rows that have a mark."""
    import numpy as np

    def name(part: str) -> str:
        return _name(number, part)

    index, sums = type_attr(gradient.index_type), {"Tindices": type_attr(gradient.index_type), "Tnumsegments": _INT32}
    yield constant(name("count"), np.array(gradient.shape[0], np.int32))
    yield constant(name("flat"), np.array([-1], np.int32))
    yield constant(name("axis"), np.array(0, np.int32))
    yield constant(name("none"), np.array(0, np.float32))
    inputs = (gradient.values, gradient.indices, name("count"))
    yield make_node(name("dense"), "UnsortedSegmentSum", inputs, {"T": _FLOAT, **sums})
    yield make_node(name("ones"), "OnesLike", (gradient.indices,), {"T": index})
    yield make_node(name("mark"), "Cast", (name("ones"),), {"SrcT": index, "DstT": _FLOAT})
    inputs = (name("mark"), gradient.indices, name("count"))
    yield make_node(name("marks"), "UnsortedSegmentSum", inputs, {"T": _FLOAT, **sums})
    yield make_node(name("touched"), "Greater", (name("marks"), name("none")), {"T": _FLOAT})
    yield make_node(name("where"), "Where", (name("touched"),), {"T": type_attr(DataType.BOOL)})
    yield make_node(name("row"), "Reshape", (name("where"), name("flat")), {"T": _INT64, "Tshape": _INT32})
    yield make_node(name("rows"), "Cast", (name("row"),), {"SrcT": _INT64, "DstT": index})
    attrs = {"Tparams": _FLOAT, "Tindices": _INT64, "Taxis": _INT32}
    yield make_node(name("values"), "GatherV2", (name("dense"), name("row"), name("axis")), attrs)


def _name(number: int, part: str) -> str:
    return f"{SCOPE}/rows_{number}/{part}"


_FLOAT, _INT32, _INT64 = map(type_attr, (DataType.FLOAT, DataType.INT32, DataType.INT64))
