"""TensorFlow's kernels for single nodes, lent to constant folding."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from graphscope.core.changes.build import constant, with_inputs
from graphscope.core.graph import Node
from graphscope.core.ops.table import input_types, output_types, registered_ops
from graphscope.core.values.dtypes import DataType
from graphscope.core.values.payload import ArrayPayload
from graphscope.protos import GraphDef, VersionDef
from graphscope.runtime.tensorflow import promise_equal_bits, tensorflow
from graphscope.transforms.borrowed_kernels import is_bounded
from graphscope.transforms.kernels.kernel import MAX_VALUE_BYTES

NO_LARGER_THAN_INPUTS = frozenset(
    "Unique UniqueV2 UniqueWithCounts UniqueWithCountsV2 ListDiff DynamicPartition NonMaxSuppression NonMaxSuppressionV2"
    " NonMaxSuppressionV3 NonMaxSuppressionV4 NonMaxSuppressionV5".split()
)
"""Ops whose outputs have no more elements than their inputs together, whatever these hold."""

_WIDEST = 8
"""An output's elements, int64 places at most, may be so many times as wide as an input's."""


class TensorFlowKernels:
    """Computes one node at a time on the CPU; implements :class:`graphscope.transforms.borrowed_kernels.Evaluate`.

    TensorFlow starts with the first node, not before.

    Attributes:
        versions: of the graph that the nodes come from: they decide which deprecated ops run.
        max_bytes: a result that is larger, or whose size is not known beforehand, is not computed.
    """

    def __init__(self, versions: VersionDef | None = None, max_bytes: int = MAX_VALUE_BYTES) -> None:
        self.versions = versions or VersionDef()
        self.max_bytes = max_bytes

    def __call__(self, node: Node, inputs: list[NDArray[Any]]) -> list[NDArray[Any]] | None:
        """The outputs of ``node``; ``None`` if TensorFlow does not know its op, refuses it, or fails.

        Raises:
            MissingDependencyError: TensorFlow is not installed.
        """
        definition = registered_ops().get(node.op)
        if definition is None:
            return None
        promise_equal_bits()
        tf = tensorflow()
        dtypes = [output.dtype for output in output_types(definition, node.attrs)]
        graph_def = self._graph_def(node, inputs, input_types(definition, node.attrs))
        try:
            results = self._run(tf, graph_def, node, inputs, len(dtypes))
        except (ValueError, TypeError, NotImplementedError, tf.errors.OpError):
            # A node that cannot run stays in the graph: TensorFlow says why when the graph is run.
            return None
        return None if results is None else [_plain(value, dtype) for value, dtype in zip(results, dtypes)]

    def _graph_def(self, node: Node, inputs: Sequence[NDArray[Any]], dtypes: Sequence[DataType]) -> bytes:
        """The node alone, fed by constants."""
        result = GraphDef()
        result.versions.CopyFrom(self.versions)
        names = [f"{node.name}/input_{i}" for i in range(len(inputs))]
        for name, value, dtype in zip(names, inputs, dtypes):
            fed = constant(name, ArrayPayload(value, dtype))
            for payload in fed.payloads.values():
                fed.proto.attr["value"].tensor.tensor_content = b"".join(payload.chunks())
            result.node.append(fed.proto)
        alone = with_inputs(node, names).proto
        alone.device = ""
        alone.attr.pop("_class", None)
        result.node.append(alone)
        return result.SerializeToString()

    def _run(
        self, tf: Any, graph_def: bytes, node: Node, inputs: Sequence[NDArray[Any]], count: int
    ) -> Sequence[Any] | None:
        with tf.Graph().as_default() as graph, tf.device("/CPU:0"):
            tf.import_graph_def(tf.compat.v1.GraphDef.FromString(graph_def), name="")
            outputs = [graph.get_tensor_by_name(f"{node.name}:{k}") for k in range(count)]
            if not self._is_small(node, inputs, outputs):
                return None
            with tf.compat.v1.Session(config=tf.compat.v1.ConfigProto(device_count={"GPU": 0})) as session:
                return list(session.run(outputs))

    def _is_small(self, node: Node, inputs: Sequence[NDArray[Any]], outputs: Sequence[Any]) -> bool:
        """Whether what is computed is, by the shapes that are known beforehand, or by the op, and the work for it too."""
        fed = sum(array.nbytes for array in inputs)
        if all(tensor.shape.is_fully_defined() for tensor in outputs):
            shapes = [_unfold(tensor.shape.as_list()) for tensor in outputs]
            sizes = [math.prod(shape) * tensor.dtype.size for shape, tensor in zip(shapes, outputs)]
        elif node.op in NO_LARGER_THAN_INPUTS:
            shapes, sizes = [], [_WIDEST * fed]
        else:
            return False
        given = [_unfold(array.shape) for array in inputs]
        return max(sizes) <= self.max_bytes and is_bounded(node, given, shapes)


def _unfold(shape: Sequence[int]) -> tuple[int, ...]:
    """A shape in which no dimension is 0: kernels take memory for the others before they see that nothing is to be done."""
    return tuple(max(size, 1) for size in shape)


def _plain(value: Any, dtype: DataType) -> NDArray[Any]:
    """TensorFlow's quantized arrays are structures of one field; ours are plain integers."""
    array = np.asarray(value)
    return array.view(dtype.numpy) if array.dtype.names else array
