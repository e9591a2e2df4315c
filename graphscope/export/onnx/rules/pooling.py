"""Pooling, batch and local response normalization, space-to-batch blocks."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np

from graphscope.core.values.dtypes import DataType
from graphscope.export.onnx.builder import vector
from graphscope.export.onnx.call import Call
from graphscope.export.onnx.registry import rule
from graphscope.export.onnx.rules.convolution import explicit_padding, padding
from graphscope.export.onnx.rules.layout import Layout, channels_first, layout_of
from graphscope.export.onnx.rules.sizes import divide, reshape_to, size_of, times
from graphscope.export.onnx.value import Value


@rule("MaxPool", "AvgPool", "MaxPool3D", "AvgPool3D", "MaxPoolV2")
def _pool(call: Call) -> Value:
    layout = layout_of(call, "NDHWC" if call.node.op.endswith("3D") else "NHWC")
    windows = layout.spatial(_sizes(call, "ksize", 1), "windows")
    strides = layout.spatial(_sizes(call, "strides", 2), "strides")
    pads = padding(call, layout, call[0], windows, strides)
    op = "MaxPool" if call.node.op.startswith("Max") else "AveragePool"
    is_whole = windows == [call[0].size(i) for i in layout.space] and pads in ({}, {"pads": [0] * 2 * len(windows)})
    if op == "AveragePool" and is_whole:  # ONNX Runtime has a faster kernel for it
        return channels_first(call, layout, call[0], lambda x: call.op("GlobalAveragePool", x))
    _note_partial_windows(call, layout, windows, strides)
    return channels_first(
        call, layout, call[0], lambda x: call.op(op, x, kernel_shape=windows, strides=strides, **pads)
    )


def _note_partial_windows(call: Call, layout: Layout, windows: Sequence[int], strides: Sequence[int]) -> None:
    """ONNX Runtime rounds half a step back to none. Cutting the result would stop it from keeping its own layout: 6 to 35 %."""
    if call.text("padding") == "SAME":
        return
    least = [w - before - behind for w, (before, behind) in zip(windows, explicit_padding(call, layout))]
    sizes = [call[0].size(axis) for axis in layout.space]
    if any(size is None and stride > 1 < n for size, stride, n in zip(sizes, strides, least)):
        call.region.conversion.note(
            call.node, "of inputs smaller than its window, runtimes pool once and TensorFlow never"
        )


def _sizes(call: Call, name: str, place: int) -> list[int]:
    if call.node.op == "MaxPoolV2":
        return call.numbers(call[place], name)
    return call.integers(name)


@rule("LRN")
def _local_response(call: Call) -> Value:
    """ONNX divides alpha by the number of neighbors. A bias that is not whole is taken out: OpenVINO would cut it off."""
    size = 2 * call.attr("depth_radius").i + 1
    alpha, beta, bias = (call.attr(name).f for name in ("alpha", "beta", "bias"))
    factor = 1.0 if bias.is_integer() or bias < 0 else bias
    factors = {"alpha": alpha * size / factor, "beta": beta, "bias": bias / factor}
    result = channels_first(call, Layout("NHWC"), call[0], lambda x: call.op("LRN", x, size=size, **factors))
    return result if factor == 1 else call.op("Mul", result, call.scalar(factor**-beta, result))


@rule("FusedBatchNorm", "FusedBatchNormV2", "FusedBatchNormV3")
def _batch_norm(call: Call) -> Sequence[Value]:
    if call.attr("is_training").b:
        return _trained_batch_norm(call)
    layout = layout_of(call)
    scale, offset, mean, variance = (call.cast(value, call[0].dtype) for value in call.inputs[1:5])
    epsilon = call.attr("epsilon").f
    result = channels_first(
        call,
        layout,
        call[0],
        lambda x: call.op("BatchNormalization", x, scale, offset, mean, variance, epsilon=epsilon),
    )
    return [result, call[3], call[4], call[3], call[4]]


def _trained_batch_norm(call: Call) -> Sequence[Value]:
    """Normalizes by the mean and variance of the batch itself."""
    layout = layout_of(call)
    data = call.cast(call[0], DataType.FLOAT)
    axes = [i for i in range(layout.rank) if i != layout.channels]
    shape = vector([1 if i != layout.channels else -1 for i in range(layout.rank)])
    mean = call.reduced("ReduceMean", data, axes, keep=True)
    apart = call.op("Sub", data, mean)
    variance = call.reduced("ReduceMean", call.op("Mul", apart, apart), axes, keep=True)
    root = call.op("Sqrt", call.op("Add", variance, np.float32(call.attr("epsilon").f)))
    scale, offset = (call.op("Reshape", value, shape) for value in call.inputs[1:3])
    result = call.op("Add", call.op("Mul", call.op("Div", apart, root), scale), offset)
    return [call.cast(result, call[0].dtype)]


@rule("BatchNormWithGlobalNormalization")
def _global_batch_norm(call: Call) -> Value:
    data, mean, variance, beta, gamma = call.inputs
    root = call.op("Sqrt", call.op("Add", variance, call.scalar(call.attr("variance_epsilon").f, data)))
    factor = call.op("Reciprocal", root)
    if call.attr("scale_after_normalization").b:
        factor = call.op("Mul", factor, gamma)
    return call.op("Add", call.op("Mul", call.op("Sub", data, mean), factor), beta)


@rule("DepthToSpace", "SpaceToDepth")
def _depth_and_space(call: Call) -> Value:
    layout = layout_of(call)
    size = call.attr("block_size").i
    return channels_first(call, layout, call[0], lambda x: call.op(call.node.op, x, blocksize=size))


@rule("SpaceToBatchND", "SpaceToBatch")
def _space_to_batch(call: Call) -> Value:
    """Pads, splits each axis into blocks, and moves the positions within a block to the batch."""
    block, paddings = _blocks(call)
    rank, count = call.rank(call[0]), len(block)
    before = [0, *(int(p[0]) for p in paddings), *([0] * (rank - count - 1))]
    behind = [0, *(int(p[1]) for p in paddings), *([0] * (rank - count - 1))]
    data = call.op("Pad", call[0], vector([*before, *behind])) if any([*before, *behind]) else call[0]
    sizes = [size_of(call, data, i) for i in range(rank)]
    whole = [divide(call, size, b) for size, b in zip(sizes[1 : count + 1], block)]
    split = [axis for pair in zip(whole, block) for axis in pair]
    data = reshape_to(call, data, [sizes[0], *split, *sizes[count + 1 :]])
    places = [2 + 2 * i for i in range(count)]
    rest = range(2 * count + 1, rank + count)
    data = call.op("Transpose", data, perm=[*places, 0, *(1 + 2 * i for i in range(count)), *rest])
    return reshape_to(call, data, [times(call, sizes[0], math.prod(block)), *whole, *sizes[count + 1 :]])


@rule("BatchToSpaceND", "BatchToSpace")
def _batch_to_space(call: Call) -> Value:
    """The reverse of :func:`space_to_batch`, then crops."""
    block, crops = _blocks(call)
    rank, count = call.rank(call[0]), len(block)
    sizes = [size_of(call, call[0], i) for i in range(rank)]
    batch = divide(call, sizes[0], math.prod(block))
    data = reshape_to(call, call[0], [*block, batch, *sizes[1:]])
    mixed = [axis for i in range(count) for axis in (count + 1 + i, i)]
    data = call.op("Transpose", data, perm=[count, *mixed, *range(2 * count + 1, rank + count)])
    whole = [times(call, s, b) for s, b in zip(sizes[1 : count + 1], block)]
    data = reshape_to(call, data, [batch, *whole, *sizes[count + 1 :]])
    if not crops.any():
        return data
    starts = vector(int(c[0]) for c in crops)
    ends = vector(-int(c[1]) if c[1] else np.iinfo(np.int64).max for c in crops)
    return call.op("Slice", data, starts, ends, vector(range(1, count + 1)))


def _blocks(call: Call) -> tuple[list[int], np.ndarray[tuple[int, int], np.dtype[np.int64]]]:
    """The block size along each spatial axis, and the padding or crop before and after."""
    if call.node.op.endswith("ND"):
        block = call.numbers(call[1], "block")
        return block, call.known(call[2], "paddings").astype(np.int64).reshape(-1, 2)
    size = call.attr("block_size").i
    return [size, size], call.known(call[1], "paddings").astype(np.int64).reshape(-1, 2)
