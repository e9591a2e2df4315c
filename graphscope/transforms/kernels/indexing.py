"""Picking elements out, and putting them in: slices, gathers, stitches."""

from __future__ import annotations

import math
from collections.abc import Sequence
from types import EllipsisType

import numpy as np

from graphscope.transforms.kernels.kernel import (
    ANY,
    INDICES,
    PLAIN,
    Array,
    Call,
    DeclinedError,
    Kernel,
    integers,
    scalar,
)

_Index = list["int | slice | EllipsisType | None"]


def _slice(call: Call) -> Sequence[Array]:
    value, begin, size = call.arrays
    index = []
    for start, length, whole in zip(integers(begin), integers(size), value.shape, strict=True):
        stop = whole if length == -1 else start + length
        if not 0 <= start <= stop <= whole:
            raise DeclinedError(f"{start} to {stop} of {whole}")
        index.append(slice(start, stop))
    return [value[tuple(index)]]


def _strided_slice(call: Call) -> Sequence[Array]:
    """NumPy's basic indexing, spelled as bits. Source: ``tensorflow/core/util/strided_slice_op.cc``."""
    value, begin, end, strides = call.arrays
    ellipsis, new, shrink = (call.integer(f"{name}_mask") for name in ("ellipsis", "new_axis", "shrink_axis"))
    from_start, to_end = call.integer("begin_mask"), call.integer("end_mask")
    index: _Index = []
    for i, (start, stop, step) in enumerate(zip(integers(begin), integers(end), integers(strides), strict=True)):
        bit = 1 << i
        if ellipsis & bit:
            index.append(...)
        elif new & bit:
            index.append(None)
        elif shrink & bit:
            if step <= 0:
                raise DeclinedError("one element, backward")
            index.append(start)
        else:
            index.append(slice(None if from_start & bit else start, None if to_end & bit else stop, step))
    return [value[tuple(index)]]


def _take(call: Call, values: Array, indices: Array, axis: int) -> Array:
    """``values`` at ``indices`` along ``axis``; TensorFlow refuses negative indices, NumPy would count from the end."""
    size = values.shape[axis]
    if indices.size and not (indices.min() >= 0 and indices.max() < size):
        raise DeclinedError("an index out of range")
    call.check_room([values.size // max(size, 1), indices.size])
    return np.take(values, indices, axis)


def _gather(call: Call) -> Sequence[Array]:
    values, indices = call.arrays
    return [_take(call, values, indices, 0)]


def _gather_v2(call: Call) -> Sequence[Array]:
    values, indices, axis = call.arrays
    if call.integer("batch_dims"):
        raise DeclinedError("batches")
    return [_take(call, values, indices, scalar(axis))]


def _gather_nd(call: Call) -> Sequence[Array]:
    values, indices = call.arrays
    depth = indices.shape[-1]
    if ((indices < 0) | (indices >= np.array(values.shape[:depth], np.int64))).any():
        raise DeclinedError("an index out of range")
    call.check_room([*indices.shape[:-1], *values.shape[depth:]])
    if not depth:
        return [np.broadcast_to(values, (*indices.shape[:-1], *values.shape))]
    return [values[tuple(np.moveaxis(indices, -1, 0))]]


def _invert_permutation(call: Call) -> Sequence[Array]:
    [permutation] = call.arrays
    if permutation.ndim != 1 or (np.sort(permutation) != np.arange(len(permutation))).any():
        raise DeclinedError("no permutation")
    return [np.argsort(permutation).astype(permutation.dtype)]


def _dynamic_stitch(call: Call) -> Sequence[Array]:
    """Rows are placed by their indices, later ones replace earlier ones; missing rows are undefined."""
    count = call.integer("N")
    indices, values = call.arrays[:count], call.arrays[count:]
    places = np.concatenate([i.reshape(-1) for i in indices])
    row = values[0].shape[indices[0].ndim :]
    if any(value.shape != index.shape + row for index, value in zip(indices, values, strict=True)):
        raise DeclinedError("rows of different shapes")
    rows = int(places.max(initial=-1)) + 1
    if len(np.unique(places)) != rows or places.min(initial=0) < 0:
        raise DeclinedError("rows that nobody gives")
    result = np.empty((rows, *row), call.dtype)
    for index, value in zip(indices, values):
        for place, content in zip(index.reshape(-1).tolist(), value.reshape(-1, *row)):
            result[place] = content
    return [result]


def _where(call: Call) -> Sequence[Array]:
    call.check_room([call.payloads[0].elements, len(call.payloads[0].shape)])
    return [np.argwhere(call.arrays[0]).astype(np.int64)]


def _one_hot(call: Call) -> Sequence[Array]:
    indices, depth, on, off = call.arrays
    axis, size = call.integer("axis"), scalar(depth)
    if axis == -1:
        axis = indices.ndim
    shape = [*indices.shape[:axis], size, *indices.shape[axis:]]
    call.check_room(shape)
    if not math.prod(shape):
        return [np.empty(shape, on.dtype)]
    places = np.arange(size, dtype=np.int64)
    hot = np.expand_dims(indices, axis) == places.reshape([-1 if i == axis else 1 for i in range(indices.ndim + 1)])
    return [np.where(hot, on, off)]


TABLE: dict[str, Kernel] = {
    "Slice": Kernel(_slice, ANY),
    "StridedSlice": Kernel(_strided_slice, ANY),
    "Gather": Kernel(_gather, ANY),
    "GatherV2": Kernel(_gather_v2, ANY),
    "GatherNd": Kernel(_gather_nd, ANY),
    "InvertPermutation": Kernel(_invert_permutation, INDICES),
    **dict.fromkeys(("DynamicStitch", "ParallelDynamicStitch"), Kernel(_dynamic_stitch, PLAIN)),
    "Where": Kernel(_where, PLAIN),
    "OneHot": Kernel(_one_hot, PLAIN),
}
