"""Which nodes constant folding may have computed by kernels that are lent to it: TensorFlow's own.

A kernel takes what memory and time it wants, and the file that asks for it may be a stranger's. So the list says which ops
are lent, not which are not: those whose kernels take no more than a few times what goes in and comes out, or a product of
sizes that is known beforehand. What is not lent stays in the graph. Left out, for what their kernels take beside that: a
square of the depth (``LRN``), a window or a table that an attribute makes (``AudioSpectrogram``, ``Mfcc``), a path for each
step and label (``CTCLoss``), a patch for each place of a result (``Conv2DBackpropInput``, ``Conv3D``), a row of bins for each
thread (``Bincount``). Source: ``tensorflow/core/kernels`` (2.21).
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Protocol

from numpy.typing import NDArray

from graphscope.core.graph import Node
from graphscope.core.ops.table import ArgumentType
from graphscope.core.values.payload import Payload

MAX_STEPS = 1 << 28
"""Products or comparisons that a node may take: a second, about."""

Sizes = Sequence[tuple[int, ...]]
"""Shapes of inputs, or of outputs."""

Work = Callable[[Node, Sizes, Sizes], float]
"""Products or comparisons that a node takes, by the shapes of its inputs and outputs."""


def _by_size(_: Node, inputs: Sizes, outputs: Sizes) -> float:
    return sum(map(math.prod, [*inputs, *outputs]))


def _by_window(node: Node, _: Sizes, outputs: Sizes) -> float:
    """A window for each element of the result."""
    return math.prod(outputs[0]) * math.prod(_numbers(node, "ksize"))


def _by_filter(_: Node, inputs: Sizes, outputs: Sizes) -> float:
    """For each element of the result, one of the filters: height, width and depth of it."""
    return math.prod(outputs[0]) * math.prod(inputs[1][:3])


def _by_product(node: Node, inputs: Sizes, outputs: Sizes) -> float:
    """For each element of the result, a row of the first matrix."""
    if len(inputs[0]) < 2:
        return math.inf
    turned = next((value.b for name in ("transpose_a", "adj_x") if (value := node.attr(name)) is not None), False)
    return math.prod(outputs[0]) * inputs[0][-2 if turned else -1]


def _by_rows(_: Node, inputs: Sizes, __: Sizes) -> float:
    """Each row of a matrix with each."""
    return math.prod(inputs[0]) * (inputs[0][-1] if inputs[0] else 1)


def _by_boxes(_: Node, inputs: Sizes, __: Sizes) -> float:
    """Each box with each."""
    return inputs[0][0] ** 2 if inputs[0] else math.inf


def _numbers(node: Node, name: str) -> Sequence[int]:
    value = node.attr(name)
    return value.list.i if value is not None else ()


LENT: Mapping[str, Work] = {
    **dict.fromkeys(
        "AccumulateNV2 AdjustContrastv2 AdjustHue AdjustSaturation All Angle Any ApproximateEqual ArgMax ArgMin BatchToSpace"
        " BatchNormWithGlobalNormalization BatchToSpaceND BiasAdd BiasAddV1 Bitcast BroadcastArgs BroadcastGradientArgs"
        " BroadcastTo Bucketize ClipByValue Complex ComplexAbs Concat ConcatOffset ConcatV2 Conj ConjugateTranspose Cross"
        " Cumprod Cumsum CumulativeLogsumexp DataFormatDimMap DataFormatVecPermute DepthToSpace Diag DiagPart"
        " DynamicPartition EnsureShape EuclideanNorm ExpandDims FakeQuantWithMinMaxArgs FakeQuantWithMinMaxVars"
        " FakeQuantWithMinMaxVarsPerChannel Fill FusedBatchNorm FusedBatchNormV2 FusedBatchNormV3 Gather GatherNd GatherV2"
        " HSVToRGB Imag InTopK InTopKV2 InvertPermutation L2Loss LinSpace ListDiff LogSoftmax LowerBound MatrixBandPart"
        " MatrixDiag MatrixDiagPart MatrixDiagPartV2 MatrixDiagPartV3 MatrixDiagV2 MatrixDiagV3 MatrixSetDiag"
        " MatrixSetDiagV2 MatrixSetDiagV3 Max Mean Min MirrorPad NextAfter NthElement OneHot OnesLike Pack Pad PadV2"
        " ParallelConcat Prod QuantizeAndDequantizeV2 QuantizeAndDequantizeV3 QuantizeAndDequantizeV4 QuantizedConcat"
        " QuantizedConcatV2 QuantizedRelu QuantizedRelu6 QuantizedReluX QuantizedReshape QuantizeDownAndShrinkRange RGBToHSV"
        " Range Rank Real RequantizationRange Requantize Reshape ResizeBicubic ResizeBilinear ResizeNearestNeighbor"
        " ReverseSequence ReverseV2 Roll ScatterNd SegmentMax SegmentMean SegmentMin SegmentProd SegmentSum Shape ShapeN"
        " Size Slice Softmax SpaceToBatch SpaceToBatchND SpaceToDepth SparseToDense Split SplitV Squeeze StridedSlice Sum"
        " TensorScatterAdd TensorScatterMax TensorScatterMin TensorScatterSub TensorScatterUpdate Tile TopK TopKV2 Transpose"
        " Unique UniqueV2 UniqueWithCounts UniqueWithCountsV2 Unpack UnravelIndex UnsortedSegmentMax UnsortedSegmentMin"
        " UnsortedSegmentProd UnsortedSegmentSum UpperBound Where ZerosLike".split(),
        _by_size,
    ),
    **dict.fromkeys(("AvgPool", "AvgPool3D", "MaxPool", "MaxPool3D", "QuantizedMaxPool", "QuantizedAvgPool"), _by_window),
    "ExtractImagePatches": _by_size,
    **dict.fromkeys(("Conv2D", "DepthwiseConv2dNative"), _by_filter),
    **dict.fromkeys(("BatchMatMul", "BatchMatMulV2", "BatchMatMulV3", "MatMul", "QuantizedMatMul"), _by_product),
    **dict.fromkeys(("Cholesky", "MatrixDeterminant", "MatrixInverse", "MatrixTriangularSolve"), _by_rows),
    **dict.fromkeys([f"NonMaxSuppression{version}" for version in ("", "V2", "V3", "V4", "V5")], _by_boxes),
}  # fmt: skip
"""Op that may be lent -> the work that it is.

Ops that compute each element by itself are not here: what NumPy does not compute of them stays in the graph. Starting
TensorFlow (3 s, 500 MB) for the ``Rsqrt`` of a batch norm's variances, by far the most frequent of them, would gain nothing: a
run takes microseconds for it, and TensorFlow folds it by itself when it opens the graph. With the node, the file is the same
whether TensorFlow is installed or not, and gives each machine's own last bits. ``Dequantize`` would make weights four times as
large.
"""


class Evaluate(Protocol):
    """Computes one node with kernels that the table lacks: TensorFlow's own, lent by :mod:`graphscope.runtime.evaluate`."""

    def __call__(self, node: Node, inputs: list[NDArray[Any]]) -> list[NDArray[Any]] | None:
        """The outputs of ``node`` for its data inputs ``inputs``; ``None`` if it cannot be computed."""


def may_be_lent(node: Node, tensors: Sequence[Payload | ArgumentType]) -> bool:
    """Whether ``node`` is a function of numbers alone whose kernel takes no more than its inputs and outputs show.

    Args:
        tensors: what it takes and gives.
    """
    return node.op in LENT and all(tensor.dtype.itemsize is not None for tensor in tensors)


def is_bounded(node: Node, inputs: Sizes, outputs: Sizes) -> bool:
    """Whether ``node`` is little work for inputs and outputs of these shapes."""
    return LENT.get(node.op, _by_size)(node, inputs, outputs) <= MAX_STEPS
