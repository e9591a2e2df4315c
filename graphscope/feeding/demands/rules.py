"""What an op demands of the values that it takes: a shape, or indices within the sizes of a weight."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import TYPE_CHECKING, Any

from graphscope.analysis.ends.inputs import DECODING_OPS
from graphscope.core.graph import Body, Node
from graphscope.core.tensors import Shape, TensorSpec, node_of
from graphscope.core.values.dtypes import DataType
from graphscope.feeding.demands.weights import small_integers, weight_shape
from graphscope.named_tuple import NamedTuple

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from graphscope.feeding.random_values import Source

SAME_SHAPE = frozenset(
    "Identity Cast Neg Abs Sqrt Square Exp Log Relu Tanh Sigmoid StopGradient CheckNumerics Enter Switch Floor Round Sign"
    " Softmax ClipByValue Print".split()
)
"""Ops whose first input has the shape of the result."""
_ELEMENTWISE = frozenset(
    "Add AddV2 Sub Mul RealDiv Div DivNoNan Maximum Minimum Pow SquaredDifference FloorMod".split()
)
"""Ops with two inputs; if one is a scalar, the other has the shape of the result."""
_KEEPS_VALUES = frozenset(
    "Identity Cast Reshape ExpandDims Squeeze Enter Switch StopGradient Unique Transpose Tile".split()
)
"""Ops that return their input numbers unchanged."""
_STEPS = 32


INDEX_TYPES = frozenset({DataType.INT32, DataType.INT64, DataType.UINT8})
"""Types of numbers that may be indices."""


class Indices(NamedTuple):
    """Numbers that are indices; see :class:`graphscope.feeding.demands.demanded.Content`.

    Attributes:
        below: their upper bound.
    """

    below: int

    def draw(self, spec: TensorSpec, source: Source) -> NDArray[Any]:
        """See :meth:`graphscope.feeding.demands.demanded.Content.draw`."""
        return source.indices(spec, self.below)


def demanded_shapes(graph: Body, start: Node) -> Iterator[Shape]:
    """The shapes that consumers demand, nearest first, behind what keeps the shape."""
    for node, place in _reach(graph, start, _keeps_shape):
        rule = _DEMANDS.get(node.op)
        shape = rule(graph, node, place) if rule is not None else None
        if shape is not None:
            yield shape


def index_bounds(graph: Body, start: Node, inferred: Callable[[str], Shape] | None = None) -> Iterator[int]:
    """The sizes of what is indexed with the numbers of ``start``, less what is added to them.

    Args:
        inferred: the shape of a tensor. Into values of which it does not tell the size, 0 is the only index for sure.
    """
    waiting: dict[str, tuple[Node, int | None]] = {start.name: (start, 0)}
    for source, added in _growing(waiting):
        for node, place in _reach(graph, source, lambda _, n, k: k == 0 and n.op in _KEEPS_VALUES):
            if node.op in _GATHERS and place == 1:
                for size in _indexed_sizes(graph, node, inferred):
                    yield max(size - added, 1) if added is not None else 1
            elif node.op == "OneHot" and place == 0 and source is start:
                yield (small_integers(graph, node.inputs[1]) or [0])[0]
            elif node.op in _ADDS and inferred is not None:
                numbers = small_integers(graph, node.inputs[1 - place])
                is_told = numbers is not None and added is not None
                waiting.setdefault(node.name, (node, (added or 0) + max(numbers or [0]) if is_told else None))


def _growing(items: Mapping[str, tuple[Node, int | None]]) -> Iterator[tuple[Node, int | None]]:
    """The items in order, with those that are added on the way, up to :data:`_STEPS`."""
    for k in range(_STEPS):
        if k == len(items):
            return
        yield list(items.values())[k]


def _indexed_sizes(graph: Body, gather: Node, inferred: Callable[[str], Shape] | None) -> Iterator[int]:
    shape = weight_shape(graph, gather.inputs[0])
    is_known = shape is not None
    if shape is None and inferred is not None:
        shape = inferred(gather.inputs[0])
    axis = small_integers(graph, gather.inputs[2]) if gather.op == "GatherV2" else [0]
    if shape and axis and -len(shape) <= axis[0] < len(shape) and shape[axis[0]]:
        yield shape[axis[0]] or 0
    elif inferred is not None and not is_known:
        yield 1


_ADDS = frozenset({"Add", "AddV2"})
_GATHERS = frozenset("Gather GatherV2 ResourceGather SparseSegmentSum SparseSegmentMean SparseSegmentSqrtN".split())


def _reach(graph: Body, start: Node, passes: Callable[[Body, Node, int], bool]) -> Iterator[tuple[Node, int]]:
    """Consumers with the place at which they take the value, nearest first, behind those that pass it on."""
    seen = {start.name}
    waiting = [start]
    for _ in range(_STEPS):
        fresh = []
        for source in waiting:
            for node in graph.consumers(source.name):
                inputs = [node_of(text) for text in node.data_inputs()]
                if source.name not in inputs:
                    continue
                place = inputs.index(source.name)
                yield node, place
                if node.name not in seen and passes(graph, node, place):
                    seen.add(node.name)
                    fresh.append(node)
        waiting = fresh


def _keeps_shape(graph: Body, node: Node, place: int) -> bool:
    if node.op in _ELEMENTWISE:
        other = weight_shape(graph, node.inputs[1 - place])
        return other == ()
    return place == 0 and node.op in SAME_SHAPE


def _matmul(graph: Body, node: Node, place: int) -> Shape:
    weight = weight_shape(graph, node.inputs[1 - place]) if place < 2 else None
    flags = ("transpose_a", "transpose_b") if node.op == "MatMul" else ("adj_x", "adj_y")
    mine, other = flags if place == 0 else flags[::-1]
    if weight is None or len(weight) != 2:
        return (None, None)
    inner = weight[_flag(node, other)] if place == 0 else weight[1 - _flag(node, other)]
    shape = (None, inner) if place == 0 else (inner, None)
    return shape[::-1] if _flag(node, mine) else shape


def _flag(node: Node, name: str) -> int:
    value = node.attr(name)
    return int(value is not None and value.b)


def _convolution(graph: Body, node: Node, place: int) -> Shape:
    """(batch, sizes at least those of the filter, channels), by the data format."""
    weight = weight_shape(graph, node.inputs[1]) if place == 0 and len(node.inputs) > 1 else None
    if weight is None or len(weight) not in (4, 5):
        return None
    sizes, channels = list(weight[:-2]), weight[-2]
    layout = node.attr("data_format")
    if layout is not None and layout.s.startswith(b"NC"):
        return (None, channels, *sizes)
    return (None, *sizes, channels)


def _of_rank(rank: int) -> Callable[[Body, Node, int], Shape]:
    return lambda _, __, place: (None,) * rank if place == 0 else None


def _bias(graph: Body, node: Node, place: int) -> Shape:
    weight = weight_shape(graph, node.inputs[1]) if place == 0 else None
    return (None, *weight) if weight is not None and len(weight) == 1 else None


def _elementwise(graph: Body, node: Node, place: int) -> Shape:
    """A weight of some rank on the other side: at least that, with a batch before it."""
    weight = weight_shape(graph, node.inputs[1 - place]) if place < 2 and len(node.inputs) == 2 else None
    return ((None, *weight) if len(weight) == 1 else weight) if weight else None


def _reshape(graph: Body, node: Node, place: int) -> Shape:
    sizes = small_integers(graph, node.inputs[1]) if place == 0 else None
    return tuple(size if size >= 0 else None for size in sizes) if sizes else None


def _demand_of_expanded(graph: Body, node: Node, place: int) -> Shape:
    """What follows demands a shape; without the axis that is added."""
    axis = small_integers(graph, node.inputs[1]) if place == 0 else None
    shape = next(demanded_shapes(graph, node), None)
    if not axis or shape is None:
        return None
    at = axis[0] if axis[0] >= 0 else len(shape) + axis[0]
    return (*shape[:at], *shape[at + 1 :])


def _demand_of_transposed(graph: Body, node: Node, place: int) -> Shape:
    order = small_integers(graph, node.inputs[1]) if place == 0 else None
    if not order:
        return None
    shape = next(demanded_shapes(graph, node), None)
    if shape is None or len(shape) != len(order):
        return (None,) * len(order)
    return tuple(shape[order.index(k)] for k in range(len(order)))


_Demand = Callable[[Body, Node, int], Shape]
_DEMANDS: Mapping[str, _Demand] = {
    **dict.fromkeys(("MatMul", "BatchMatMul", "BatchMatMulV2", "BatchMatMulV3"), _matmul),
    **dict.fromkeys(("Conv2D", "Conv3D", "DepthwiseConv2dNative"), _convolution),
    **dict.fromkeys(
        ("MaxPool", "AvgPool", "LRN", "ResizeBilinear", "ResizeNearestNeighbor", "ResizeBicubic"), _of_rank(4)
    ),
    **dict.fromkeys(("ParseExample", "ParseExampleV2"), _of_rank(1)),
    **dict.fromkeys(DECODING_OPS - {"DecodeRaw", "DecodeCompressed"}, _of_rank(0)),
    **dict.fromkeys(_ELEMENTWISE, _elementwise),
    "BiasAdd": _bias,
    "Reshape": _reshape,
    "ExpandDims": _demand_of_expanded,
    "Transpose": _demand_of_transposed,
}
"""Op -> the shape that it demands of the input at a place; ``None`` if it demands none."""
