"""Shapes and layouts: what moves elements, or asks how many there are, without computing with them."""

from __future__ import annotations

import itertools
import math
from collections.abc import Sequence

import numpy as np

from graphscope.core.values.payload import Payload
from graphscope.transforms.kernels.kernel import (
    ANY,
    FLOATS,
    INDICES,
    PLAIN,
    Array,
    Call,
    DeclinedError,
    Kernel,
    integers,
    number,
    scalar,
)


def _same(call: Call) -> Sequence[Payload]:
    return call.payloads


def _ensure_shape(call: Call) -> Sequence[Payload]:
    stated = call.attr("shape").shape
    sizes = [d.size for d in stated.dim]
    shape = call.payloads[0].shape
    if not stated.unknown_rank and not (len(sizes) == len(shape) and all(s in (-1, n) for s, n in zip(sizes, shape))):
        raise DeclinedError("another shape")
    return call.payloads


def _shape(call: Call) -> Sequence[Array]:
    return [np.array(payload.shape, call.dtype) for payload in call.payloads]


def _size(call: Call) -> Sequence[Array]:
    return [np.array(call.payloads[0].elements, call.dtype)]


def _rank(call: Call) -> Sequence[Array]:
    return [np.array(len(call.payloads[0].shape), np.int32)]


def _fill_with(value: int) -> Kernel:
    def run(call: Call) -> Sequence[Array]:
        call.check_room(call.payloads[0].shape)
        return [np.full(call.payloads[0].shape, value, call.dtype)]

    return Kernel(run, PLAIN)


def _reshape(call: Call) -> Sequence[Array]:
    value, shape = call.arrays
    return [value.reshape(integers(shape))]


def _expand_dims(call: Call) -> Sequence[Array]:
    value, axis = call.arrays
    return [np.expand_dims(value, scalar(axis))]


def _squeeze(call: Call) -> Sequence[Array]:
    axes = tuple(call.attr("squeeze_dims").list.i)
    return [np.squeeze(call.arrays[0], axes or None)]


def _transpose(call: Call) -> Sequence[Array]:
    value, axes = call.arrays
    return [value.transpose(integers(axes))]


def _tile(call: Call) -> Sequence[Array]:
    value, multiples = call.arrays
    counts = integers(multiples)
    if len(counts) != value.ndim or any(n < 0 for n in counts):
        raise DeclinedError(f"{counts} multiples")
    shape = [size * n for size, n in zip(value.shape, counts)]
    call.check_room(shape)
    if not math.prod(shape):  # NumPy repeats along one axis after the other, however little is left in the end
        return [np.empty(shape, value.dtype)]
    return [np.tile(value, counts) if counts else value]


def _fill(call: Call) -> Sequence[Array]:
    dims, value = call.arrays
    call.check_room(integers(dims))
    return [np.full(integers(dims), number(value), value.dtype)]


def _broadcast_to(call: Call) -> Sequence[Array]:
    value, shape = call.arrays
    call.check_room(integers(shape))
    return [np.broadcast_to(value, integers(shape))]


def _broadcast_args(call: Call) -> Sequence[Array]:
    return [np.array(np.broadcast_shapes(*map(integers, call.arrays)), call.dtype)]


def _range(call: Call) -> Sequence[Array]:
    start, limit, delta = (number(array).item() for array in call.arrays)
    span = limit - start
    if not delta or span * delta < 0:
        raise DeclinedError("a range that never ends")
    count = math.ceil(span / delta) if isinstance(delta, float) else -(-abs(span) // abs(delta))
    call.check_room([count])
    first, step = call.dtype.type(start), call.dtype.type(delta)
    return [first + np.arange(count).astype(call.dtype) * step]


def _lin_space(call: Call) -> Sequence[Array]:
    start, stop, count = (number(array) for array in call.arrays)
    call.check_room([int(count)])
    if count < 1:
        raise DeclinedError("no points")
    if count == 1:
        return [np.array([start])]
    step = (stop - start) / call.dtype.type(count - 1)
    points = start + step * np.arange(count, dtype=call.dtype)
    points[-1] = stop
    return [points]


def _concat(values: Sequence[Array], axis: Array) -> Sequence[Array]:
    return [np.concatenate(values, scalar(axis))]


def _pack(call: Call) -> Sequence[Array]:
    call.check_room([len(call.payloads), *call.payloads[0].shape])
    return [np.stack(call.arrays, call.integer("axis"))]


def _unpack(call: Call) -> Sequence[Array]:
    axis = call.integer("axis")
    if call.payloads[0].shape[axis] != len(call.outputs):
        raise DeclinedError("another number of outputs")
    return list(np.moveaxis(call.arrays[0], axis, 0)[:, ...])


def _split(call: Call) -> Sequence[Array]:
    axis, value = call.arrays
    return np.split(value, len(call.outputs), scalar(axis))


def _split_v(call: Call) -> Sequence[Array]:
    value, sizes, axis = call.arrays
    if sizes.size != len(call.outputs):
        raise DeclinedError("another number of outputs")
    lengths: list[int] = sizes.reshape(-1).tolist()
    whole = value.shape[scalar(axis)]
    if lengths.count(-1) == 1:
        lengths[lengths.index(-1)] = whole - sum(lengths) - 1
    if sum(lengths) != whole or any(n < 0 for n in lengths):
        raise DeclinedError(f"{lengths} of {whole}")
    return np.split(value, list(itertools.accumulate(lengths))[:-1], scalar(axis))


def _paddings(call: Call) -> list[tuple[int, int]]:
    """How much goes before and after each dimension."""
    value, paddings = call.arrays[:2]
    widths = [(int(before), int(after)) for before, after in paddings.reshape(-1, 2)]
    if len(widths) != value.ndim or any(width < 0 for pair in widths for width in pair):
        raise DeclinedError(f"paddings {widths}")
    call.check_room([before + size + after for (before, after), size in zip(widths, value.shape)])
    return widths


def _pad(call: Call, content: Array) -> Sequence[Array]:
    value, widths = call.arrays[0], _paddings(call)
    result = np.full([before + size + after for (before, after), size in zip(widths, value.shape)], content, call.dtype)
    result[tuple(slice(before, before + size) for (before, _), size in zip(widths, value.shape))] = value
    return [result]


def _mirror_pad(call: Call) -> Sequence[Array]:
    """``REFLECT`` leaves the edge out of the mirror image, ``SYMMETRIC`` has it twice."""
    value, widths = call.arrays[0], _paddings(call)
    leaves_edge = call.attr("mode").s == b"REFLECT"
    if any(max(pair) > size - leaves_edge for pair, size in zip(widths, value.shape)):
        raise DeclinedError("more padding than there is to mirror")
    return [np.pad(value, widths, "reflect" if leaves_edge else "symmetric") if widths else value]


def _reverse(call: Call) -> Sequence[Array]:
    value, axes = call.arrays
    return [np.flip(value, tuple(integers(axes)))]


def _roll(call: Call) -> Sequence[Array]:
    value, shift, axis = call.arrays
    return [np.roll(value, tuple(integers(shift)), tuple(integers(axis)))]


def _bitcast(call: Call) -> Sequence[Array]:
    """A wider type takes a last dimension of the ratio of the sizes away; a narrower one adds it."""
    value, new, old = np.ascontiguousarray(call.arrays[0]), call.dtype.itemsize, call.arrays[0].dtype.itemsize
    shape = call.payloads[0].shape
    if new > old and shape[-1:] != (new // old,):
        raise DeclinedError("another last dimension")
    shape = (*shape, old // new) if new < old else shape[:-1] if new > old else shape
    return [value.reshape(-1).view(call.dtype).reshape(shape)]


TABLE: dict[str, Kernel] = {
    **dict.fromkeys("Identity IdentityN StopGradient Snapshot PreventGradient".split(), Kernel(_same, ANY)),
    "EnsureShape": Kernel(_ensure_shape, ANY),
    **dict.fromkeys(("Shape", "ShapeN"), Kernel(_shape, ANY)),
    "Size": Kernel(_size, ANY),
    "Rank": Kernel(_rank, ANY),
    "ZerosLike": _fill_with(0),
    "OnesLike": _fill_with(1),
    "Reshape": Kernel(_reshape, ANY),
    "ExpandDims": Kernel(_expand_dims, ANY),
    "Squeeze": Kernel(_squeeze, ANY),
    "Transpose": Kernel(_transpose, ANY),
    "Tile": Kernel(_tile, ANY),
    "Fill": Kernel(_fill, ANY),
    "BroadcastTo": Kernel(_broadcast_to, ANY),
    "BroadcastArgs": Kernel(_broadcast_args, INDICES),
    "Range": Kernel(_range, FLOATS | INDICES, True),
    "LinSpace": Kernel(_lin_space, FLOATS | INDICES, True),
    "Concat": Kernel(lambda call: _concat(call.arrays[1:], call.arrays[0]), ANY),
    "ConcatV2": Kernel(lambda call: _concat(call.arrays[:-1], call.arrays[-1]), ANY),
    "Pack": Kernel(_pack, ANY),
    "Unpack": Kernel(_unpack, ANY),
    "Split": Kernel(_split, ANY),
    "SplitV": Kernel(_split_v, ANY),
    "Pad": Kernel(lambda call: _pad(call, np.zeros((), call.dtype)), PLAIN),
    "PadV2": Kernel(lambda call: _pad(call, call.arrays[2]), PLAIN),
    "MirrorPad": Kernel(_mirror_pad, PLAIN),
    "ReverseV2": Kernel(_reverse, ANY),
    "Roll": Kernel(_roll, ANY),
    "Bitcast": Kernel(_bitcast, PLAIN),
}
