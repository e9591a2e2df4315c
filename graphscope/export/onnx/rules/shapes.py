"""Shapes, and ops that change only the shape of a tensor."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from graphscope.core.values.dtypes import DataType
from graphscope.export.onnx.builder import vector
from graphscope.export.onnx.call import Call
from graphscope.export.onnx.registry import rule
from graphscope.export.onnx.rules.sizes import Size, flattened, join, minus, size_of
from graphscope.export.onnx.value import Dims, Value
from graphscope.export.refusal import NotExpressibleError

_MAX_TRACKED = 32
_MOST, _LEAST = int(np.iinfo(np.int64).max), int(np.iinfo(np.int64).min)


def _shape_of(call: Call, value: Value, dtype: DataType) -> Value:
    """The shape of ``value`` as a tensor; a constant where it is known."""
    if value.dims is not None and all(isinstance(size, int) for size in value.dims):
        sizes = np.array(value.dims, dtype.numpy)
        return replace(call.builder.constant(sizes), items=tuple(int(size) for size in sizes))
    found = call.cast(call.op("Shape", value), dtype)
    items = None if value.dims is None else tuple(s if isinstance(s, int) else None for s in value.dims)
    return replace(found, items=items)


@rule("Shape")
def _shape(call: Call) -> Value:
    return _shape_of(call, call[0], call.types[0])


@rule("ShapeN")
def _shapes(call: Call) -> Sequence[Value]:
    return [_shape_of(call, value, call.types[0]) for value in call.inputs]


@rule("Size")
def _size(call: Call) -> Value:
    return call.cast(call.op("Size", call[0]), call.types[0])


@rule("Rank")
def _rank(call: Call) -> Value:
    if call[0].rank is not None:
        return call.builder.constant(np.array(call[0].rank, np.int32))
    return call.cast(call.op("Size", call.op("Shape", call[0])), DataType.INT32)


@rule("Reshape")
def _reshape(call: Call) -> Value:
    """Sizes of 0 mean 0: ``allowzero``, which cannot be combined with -1."""
    data, wanted = call.inputs
    sizes = wanted.numpy()
    zero = 1 if sizes is not None and 0 in sizes else None
    if zero and sizes is not None and -1 in sizes:
        raise NotExpressibleError("ONNX cannot infer a size next to one of 0")
    result = call.op("Reshape", data, call.vector(wanted), allowzero=zero)
    return call.builder.reshaped(result, _dims_of(wanted))


def _dims_of(wanted: Value) -> Dims:
    """The shape that a tensor of sizes describes."""
    if wanted.items is not None:
        return tuple(n if n is not None and n >= 0 else None for n in wanted.items)
    count = wanted.size(0)
    return None if count is None else (None,) * count


@rule("BroadcastTo")
def _broadcast_to(call: Call) -> Value:
    if call[1].size(0) == 0:
        return call[0]
    return call.builder.reshaped(call.op("Expand", call[0], call.vector(call[1])), _dims_of(call[1]))


@rule("Fill")
def _fill(call: Call) -> Value:
    if call[0].size(0) == 0:  # OpenVINO would crash
        return call[1]
    return call.builder.reshaped(call.op("Expand", call[1], call.vector(call[0])), _dims_of(call[0]))


@rule("ZerosLike", "OnesLike")
def _filled_like(call: Call) -> Value:
    number = call.scalar(int(call.node.op == "OnesLike"), call[0])
    if call[0].dims is not None and all(isinstance(size, int) for size in call[0].dims):
        return call.op("Expand", number, vector(int(size) for size in call[0].dims if isinstance(size, int)))
    return call.builder.reshaped(call.op("Expand", number, call.op("Shape", call[0])), call[0].dims)


@rule("Squeeze")
def _squeeze(call: Call) -> Value:
    axes = call.integers("squeeze_dims") or call.integers("axis")
    if axes:
        return call.squeeze(call[0], *axes)
    if call[0].dims is not None and all(isinstance(size, int) for size in call[0].dims):
        return call.squeeze(call[0], *(i for i, size in enumerate(call[0].dims) if size == 1))
    return call.op("Squeeze", call[0])


@rule("ExpandDims")
def _expand_dims(call: Call) -> Value:
    return replace(call.unsqueeze(call[0], *call.numbers(call[1], "axis")), items=call[0].items)


@rule("Transpose")
def _transpose(call: Call) -> Value:
    perm = call.numbers(call[1], "permutation")
    if sorted(perm) != list(range(len(perm))) or call[0].rank not in (None, len(perm)):
        raise NotExpressibleError(f"{perm} is not a permutation of its axes")
    moved = call.transform(call[0], lambda a: a.transpose(perm), [call[0].dims[p] for p in perm])  # type: ignore[index, misc]
    return moved or call.transpose(call[0], perm)


@rule("ConcatV2")
def _concat(call: Call) -> Value:
    return _concatenate(call, call.inputs[:-1], call[-1])


@rule("Concat")
def _concat_axis_first(call: Call) -> Value:
    return _concatenate(call, call.inputs[1:], call[0])


@rule("ParallelConcat")
def _parallel_concat(call: Call) -> Value:
    return call.inputs[0] if len(call.inputs) == 1 else call.op("Concat", *call.inputs, axis=0)


def _concatenate(call: Call, parts: Sequence[Value], axis: Value) -> Value:
    [number] = call.numbers(axis, "axis")
    if len(parts) == 1:
        return parts[0]
    result = call.op("Concat", *parts, axis=number)
    items = _join(part.items for part in parts if part.rank == 1) if all(p.rank == 1 for p in parts) else None
    return replace(result, items=items)


def _join(parts: object) -> tuple[int | None, ...] | None:
    found: list[int | None] = []
    for items in parts:  # type: ignore[attr-defined]
        if items is None or len(found) + len(items) > _MAX_TRACKED:
            return None
        found += items
    return tuple(found)


@rule("Pack")
def _pack(call: Call) -> Value:
    axis = call.attr("axis").i
    parts = [call.unsqueeze(value, axis) for value in call.inputs]
    result = parts[0] if len(parts) == 1 else call.op("Concat", *parts, axis=axis)
    known = all(value.rank == 0 and value.items is not None for value in call.inputs)
    return replace(result, items=_join(value.items for value in call.inputs) if known else None)


@rule("Unpack")
def _unpack(call: Call) -> Sequence[Value]:
    axis, count = call.attr("axis").i, call.attr("num").i
    return [call.squeeze(part, axis) for part in _split(call, call[0], count, axis)]


@rule("Split")
def _split_evenly(call: Call) -> Sequence[Value]:
    [axis] = call.numbers(call[0], "axis")
    return _split(call, call[1], call.attr("num_split").i, axis)


def _split(call: Call, value: Value, count: int, axis: int) -> list[Value]:
    if count == 1:
        return [value]
    named = count if call.builder.opset >= 18 else None
    return call.builder.ops("Split", value, outputs=count, axis=axis, num_outputs=named)


@rule("SplitV")
def _split_sizes(call: Call) -> Sequence[Value]:
    [axis] = call.numbers(call[2], "axis")
    count = call.attr("num_split").i
    sizes = call[1].numpy()
    if count == 1:
        return [call[0]]
    if sizes is None or -1 not in sizes:
        return call.builder.ops("Split", call[0], call.vector(call[1]), outputs=count, axis=axis)
    numbers: list[Size] = [int(n) for n in sizes]
    numbers[numbers.index(-1)] = minus(call, size_of(call, call[0], axis), int(sizes.sum()) + 1)
    return call.builder.ops("Split", call[0], join(call, numbers), outputs=count, axis=axis)


@rule("Tile")
def _tile(call: Call) -> Value:
    return call.op("Tile", call[0], call.vector(call[1]))


@rule("Range")
def _number_range(call: Call) -> Value:
    """ONNX Runtime counts the numbers in double precision, TensorFlow in that of the ends: the end is set half a step back."""
    start, limit, delta = call.inputs
    if not start.dtype.is_floating:
        return call.op("Range", start, limit, delta)
    count = call.op("Ceil", call.op("Abs", call.op("Div", call.op("Sub", limit, start), delta)))
    steps = call.op("Sub", count, call.scalar(0.5, count))
    return call.op("Range", start, call.op("Add", start, call.op("Mul", steps, delta)), delta)


@rule("LinSpace")
def _lin_space(call: Call) -> Value:
    start, stop, count = call.inputs
    steps = call.op("Sub", call.cast(count, start.dtype), call.scalar(1, start))
    places = call.cast(call.op("Range", call.scalar(0, count), count, call.scalar(1, count)), start.dtype)
    step = call.op("Div", call.op("Sub", stop, start), call.op("Max", steps, call.scalar(1, start)))
    return call.op("Add", start, call.op("Mul", places, step))


@rule("Reverse", "ReverseV2")
def _reverse(call: Call) -> Value:
    if call.node.op == "Reverse":
        axes = [i for i, is_reversed in enumerate(call.known(call[1], "axes").tolist()) if is_reversed]
    else:
        axes = call.numbers(call[1], "axes")
    if not axes:
        return call[0]
    ends = [vector([-1] * len(axes)), vector([_LEAST] * len(axes)), vector(axes), vector([-1] * len(axes))]
    return call.op("Slice", call[0], *ends)


@rule("ReverseSequence")
def _reverse_sequence(call: Call) -> Value:
    axes = {"batch_axis": call.attr("batch_dim").i, "time_axis": call.attr("seq_dim").i}
    lengths = call.cast(call[1], DataType.INT64)
    if set(axes.values()) == {0, 1}:
        return call.op("ReverseSequence", call[0], lengths, **axes)
    raise NotExpressibleError("ONNX reverses sequences along the first two axes only")


@rule("Pad", "PadV2")
def _pad(call: Call) -> Value:
    if call[1].size(0) == 0:
        return call[0]
    value = call[2] if len(call.inputs) > 2 else None
    if value is None or value.payload is not None:
        return call.op("Pad", call[0], _pads(call), value)
    every = call.op("Expand", np.ones((), np.bool_), call.op("Shape", call[0]))
    is_inside = call.op("Pad", every, _pads(call))
    return call.where(is_inside, call.op("Pad", call[0], _pads(call)), value)  # OpenVINO pads with 0 if it is computed


@rule("MirrorPad")
def _mirror_pad(call: Call) -> Value:
    """REFLECT is ONNX's own; SYMMETRIC repeats the border, for which parts are reversed and put before and behind."""
    if call.text("mode") == "REFLECT":
        return call.op("Pad", call[0], _pads(call), mode="reflect")
    value = call[0]
    for axis, (before, behind) in enumerate(call.known(call[1], "paddings").tolist()):
        parts = [value]
        if before:
            parts.insert(0, _backwards(call, value, axis, before - 1, _LEAST))
        if behind:
            parts.append(_backwards(call, value, axis, -1, -behind - 1))
        value = call.op("Concat", *parts, axis=axis) if len(parts) > 1 else value
    return value


def _backwards(call: Call, value: Value, axis: int, start: int, end: int) -> Value:
    return call.op("Slice", value, vector([start]), vector([end]), vector([axis]), vector([-1]))


def _pads(call: Call) -> Value:
    """All sizes before, then all sizes after."""
    paddings = call[1].numpy()
    if paddings is not None:
        return call.builder.constant(paddings.astype(np.int64).T.reshape(-1))
    turned = call.op("Transpose", call.cast(call[1], DataType.INT64), perm=[1, 0])
    return call.op("Reshape", turned, vector([-1]))


@rule("BroadcastArgs")
def _broadcast_args(call: Call) -> Value:
    """The broadcast of two shapes."""
    one = np.ones((), np.int64)
    a, b = (call.op("Expand", one, call.vector(value)) for value in call.inputs)
    return call.cast(call.op("Shape", call.op("Add", a, b)), call.types[0])


@rule("InvertPermutation")
def _invert_permutation(call: Call) -> Value:
    """Scatters the places: ``y[x[i]] = i``."""
    x = call.cast(call[0], DataType.INT64)
    count = call.op("Size", x)
    places = call.op("Range", np.int64(0), count, np.int64(1))
    return call.cast(call.op("ScatterElements", places, x, places, axis=0), call.types[0])


@rule("Roll")
def _roll(call: Call) -> Value:
    """Cuts each axis in two and swaps the parts."""
    shifts, axes = call.numbers(call[1], "shift"), call.numbers(call[2], "axis")
    value = call[0]
    for shift, axis in zip(shifts, axes):
        value = _roll_by(call, value, shift, axis)
    return value


def _roll_by(call: Call, value: Value, shift: int, axis: int) -> Value:
    size = value.size(axis)
    axes, end = vector([axis]), vector([_MOST])
    if size is not None:
        cut = call.builder.constant(vector([-shift % size if size else 0]))
    else:
        least = call.op("Max", call.op("Gather", call.op("Shape", value), vector([axis]), axis=0), vector([1]))
        cut = call.op("Mod", vector([-shift]), least)
    back = call.op("Slice", value, cut, end, axes)
    front = call.op("Slice", value, vector([0]), cut, axes)
    return call.op("Concat", back, front, axis=axis)


@rule("DynamicStitch", "ParallelDynamicStitch")
def _stitch(call: Call) -> Value:
    """Constant indices: rows are picked from all data in their order, and of two with one index the later one."""
    count = len(call.inputs) // 2
    indices = [call.known(value, "indices") for value in call.inputs[:count]]
    order = np.concatenate([i.reshape(-1) for i in indices])
    place = {int(index): row for row, index in enumerate(order)}
    if sorted(place) != list(range(len(place))):
        raise NotExpressibleError("its indices leave rows out")
    rows = [flattened(call, data, i.ndim) for i, data in zip(indices, call.inputs[count:])]
    data = rows[0] if count == 1 else call.op("Concat", *rows, axis=0)
    return call.op("Gather", data, vector(place[index] for index in sorted(place)), axis=0)
