"""Placeholders for the row splits of a ragged tensor: from 0 in ascending order to the number of values.

Source: ``tensorflow/python/ops/ragged/ragged_tensor.py`` and ``row_partition.py``.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from graphscope.core.graph import Graph, Node
from graphscope.core.ops.table import registered_ops
from graphscope.core.patterns import Pattern
from graphscope.core.tensors import TensorName, TensorSpec, node_of
from graphscope.core.values.dtypes import DataType
from graphscope.feeding.demands.demanded import Demanded
from graphscope.feeding.demands.weights import small_integers

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from graphscope.feeding.random_values import Source

_STEPS = 16
_NAME = Pattern(r"(^|/)row_splits(_\d+)?$")
"""What ``tf.compat.v1.ragged.placeholder`` calls them."""
_PASSED = frozenset({"Identity", "Cast", "StopGradient", "EnsureShape"})


class RowSplits:
    """Where the rows of a ragged tensor begin and end, as a vector of one number more than there are rows."""

    def draw(self, spec: TensorSpec, source: Source) -> NDArray[Any]:
        """See :meth:`graphscope.feeding.demands.demanded.Content.draw`."""
        import numpy as np

        rows = source.unknown if spec.shape == (None,) else source.shape(spec)[0] - 1
        return np.array(_splits(source.rng, rows, source.unknown), spec.dtype.numpy)


def _splits(rng: np.random.Generator, rows: int, values: int) -> list[int]:
    """From 0 to ``values`` in ascending order: where so many rows begin, and where the last one ends."""
    begins = sorted(rng.integers(0, values, max(rows - 1, 0), endpoint=True).tolist())
    return [0, *begins, values] if rows > 0 else [0] * (rows + 1)


def row_splits(graph: Graph, spec: TensorSpec) -> Demanded | None:
    """``spec`` as the row splits that the placeholder is; ``None`` if it is none."""
    node = graph.get(node_of(spec.name))
    is_vector = spec.shape is None or len(spec.shape) == 1
    if node is None or not is_vector or spec.dtype not in (DataType.INT32, DataType.INT64):
        return None
    if _NAME.search(node.name) or any(
        _is_splits(graph, consumer, place, name) for name, consumer, place in _takers(graph, node)
    ):
        return Demanded(spec._replace(shape=spec.shape or (None,)), RowSplits())
    return None


def _takers(graph: Graph, start: Node) -> Iterator[tuple[str, Node, int]]:
    """What takes the value of ``start``: the name under which, the node and the place."""
    waiting = [start.name]
    for name in waiting:
        for node in graph.consumers(name):
            tensors = map(TensorName.parse, node.data_inputs())
            places = [place for place, tensor in enumerate(tensors) if (tensor.node, tensor.index) == (name, 0)]
            yield from ((name, node, place) for place in places)
            if node.op in _PASSED and places and len(waiting) < _STEPS:
                waiting.append(node.name)


def _is_splits(graph: Graph, taker: Node, place: int, name: str) -> bool:
    if taker.op == "StridedSlice":
        return place == 0 and _ends_rows(graph, name, taker)
    argument, number = _argument(taker, place)
    if argument == "row_partition_tensors":
        kinds = taker.attr("row_partition_types")
        return kinds is not None and number < len(kinds.list.s) and kinds.list.s[number] == b"ROW_SPLITS"
    return argument in _ARGUMENTS


_ARGUMENTS = frozenset({"params_nested_splits", "rt_nested_splits", "data_splits", "input_splits", "ragged_row_splits"})
_OF_OPS = {"RaggedBincount": "splits", "RaggedCountSparseOutput": "splits"}


def _argument(node: Node, place: int) -> tuple[str, int]:
    """The argument at a place, and the number in its list."""
    definition = registered_ops().get(node.op)
    at = 0
    for argument in definition.input_arg if definition is not None else ():
        count = node.attr(argument.number_attr or argument.type_list_attr)
        size = 1 if count is None else max(count.i, len(count.list.type))
        if at <= place < at + size:
            named = "data_splits" if _OF_OPS.get(node.op) == argument.name else argument.name
            return named, place - at
        at += size
    return "", 0


def _ends_rows(graph: Graph, name: str, without_first: Node) -> bool:
    """Whether it is ``splits[1:]``, beside ``splits[:-1]`` for the lengths of rows, or ``splits[-1]`` for joining rows."""
    if small_integers(graph, without_first.inputs[1]) != [1]:
        return False
    slices = (taker for taker in graph.consumers(name) if taker.op == "StridedSlice" and taker is not without_first)
    return any([-1] in (small_integers(graph, text) for text in taker.data_inputs()[1:3]) for taker in slices)
