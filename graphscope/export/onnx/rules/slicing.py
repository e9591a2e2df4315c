"""Ops that select elements: slices, gathers, top-k."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from graphscope.core.values.dtypes import DataType
from graphscope.export.onnx.builder import vector
from graphscope.export.onnx.call import Call
from graphscope.export.onnx.registry import rule
from graphscope.export.onnx.rules.sizes import flattened, join, size_of
from graphscope.export.onnx.value import Value
from graphscope.export.refusal import NotExpressibleError

_MOST = int(np.iinfo(np.int64).max)
_LEAST = int(np.iinfo(np.int64).min)


@rule("Slice")
def _slice_(call: Call) -> Value:
    data, begin, size = call.inputs
    starts, sizes = begin.numpy(), size.numpy()
    if starts is not None and sizes is not None:
        ends = [_MOST if n < 0 else b + n for b, n in zip(starts.tolist(), sizes.tolist())]
        return call.op("Slice", data, vector(starts.tolist()), vector(ends))
    first, count = call.vector(begin), call.vector(size)
    last = call.op("Add", first, count)
    if sizes is None or (sizes < 0).any():
        last = call.where(call.op("Less", count, np.int64(0)), np.int64(_MOST), last)
    rank = begin.size(0) or size.size(0)
    result = call.op("Slice", data, first, last)
    return call.builder.reshaped(result, None if rank is None else (None,) * rank)


@dataclass(frozen=True)
class _Part:
    """One axis of a strided slice.

    Attributes:
        place: its place in begin, end and strides.
        axis: the sliced axis, counted from the front or, after an ellipsis, from the back.
        shrinks: whether one element is taken and the axis removed.
    """

    place: int
    axis: int
    shrinks: bool


@rule("StridedSlice")
def _strided_slice(call: Call) -> Value:
    """Slices along the axes that remain, picks along those that are removed, then inserts new ones."""
    masks = {name: call.attr(f"{name}_mask").i for name in ("begin", "end", "ellipsis", "new_axis", "shrink_axis")}
    count = call[1].size(0)
    if count is None:
        raise NotExpressibleError("the number of its axes is unknown")
    parts, new = _parts(masks, count)
    strides = call.numbers(call[3], "strides")
    value = _slice(call, [p for p in parts if not p.shrinks], strides, masks)
    picked = [p for p in parts if p.shrinks]
    for part in [*(p for p in reversed(picked) if p.axis >= 0), *(p for p in picked if p.axis < 0)]:
        value = call.op("Gather", value, _scalar(call, call[1], part.place), axis=part.axis)
    result = call.unsqueeze(value, *new) if new else value
    return replace(result, items=_items(call, parts, new, strides, masks))


def _parts(masks: dict[str, int], count: int) -> tuple[list[_Part], list[int]]:
    """The axes that are sliced, and the places of new axes in the result."""
    places = range(count)
    ellipsis = next((i for i in places if masks["ellipsis"] >> i & 1), None)
    parts: list[_Part] = []
    new: list[int] = []
    front = [i for i in places if ellipsis is None or i < ellipsis]
    back = [i for i in reversed(places) if ellipsis is not None and i > ellipsis]
    for group, step in ((front, 1), (back, -1)):
        axis = place = 0 if step > 0 else -1
        for i in group:
            is_new = masks["new_axis"] >> i & 1
            shrinks = masks["shrink_axis"] >> i & 1 and not is_new
            if is_new:
                new.append(place)
            else:
                parts.append(_Part(i, axis, bool(shrinks)))
                axis += step
            place += 0 if shrinks else step
    return sorted(parts, key=lambda p: (p.axis < 0, p.axis)), new


def _slice(call: Call, parts: Sequence[_Part], strides: Sequence[int], masks: dict[str, int]) -> Value:
    kept = [p for p in parts if not _is_whole(p, strides, masks)]
    if not kept:
        return call[0]
    steps = [strides[p.place] for p in kept]
    if any(s < 0 and not masks["begin"] >> p.place & 1 and not _begins_inside(call, p) for p, s in zip(kept, steps)):
        raise NotExpressibleError("it steps backwards from a place that may lie before the first element")
    starts = _ends(call, call[1], kept, masks["begin"], [0 if s > 0 else _MOST for s in steps])
    ends = _ends(call, call[2], kept, masks["end"], [_MOST if s > 0 else _LEAST for s in steps])
    return call.op("Slice", call[0], starts, ends, vector(p.axis for p in kept), vector(steps))


def _begins_inside(call: Call, part: _Part) -> bool:
    """Whether a slice backwards begins within the axis: ONNX takes the first element for what lies before it."""
    begin = call[1].numpy()
    if begin is None:
        return False
    size = call[0].size(part.axis)
    return begin[part.place] >= -1 or (size is not None and begin[part.place] >= -size)


def _is_whole(part: _Part, strides: Sequence[int], masks: dict[str, int]) -> bool:
    bit = 1 << part.place
    return bool(masks["begin"] & bit and masks["end"] & bit and strides[part.place] == 1)


def _ends(call: Call, given: Value, parts: Sequence[_Part], mask: int, open_ends: Sequence[int]) -> Value:
    """Where each axis begins or ends; those in ``mask`` have no end of their own."""
    known = given.numpy()
    if known is not None:
        numbers = [int(known[p.place]) for p in parts]
        return call.builder.constant(
            vector(o if mask >> p.place & 1 else n for p, n, o in zip(parts, numbers, open_ends))
        )
    long = call.vector(given)
    pieces: list[Value] = []
    for part, end in zip(parts, open_ends):
        if mask >> part.place & 1:
            pieces.append(call.builder.constant(vector([end])))
        else:
            pieces.append(call.op("Gather", long, vector([part.place]), axis=0))
    return pieces[0] if len(pieces) == 1 else call.op("Concat", *pieces, axis=0)


def _scalar(call: Call, given: Value, place: int) -> Value:
    known = given.numpy()
    if known is not None:
        return call.builder.constant(np.array(known[place], np.int64))
    return call.op("Gather", call.vector(given), np.array(place, np.int64), axis=0)


def _items(
    call: Call, parts: Sequence[_Part], new: Sequence[int], strides: Sequence[int], masks: dict[str, int]
) -> tuple[int | None, ...] | None:
    """The known elements, if a short vector is sliced."""
    items, begin, end = call[0].items, call[1].numpy(), call[2].numpy()
    if items is None or call[0].rank != 1 or begin is None or end is None or new or len(parts) != 1:
        return None
    first, last = int(begin[0]), int(end[0])
    if parts[0].shrinks:
        return (items[first],) if -len(items) <= first < len(items) else None
    return items[slice(None if masks["begin"] & 1 else first, None if masks["end"] & 1 else last, strides[0])]


@rule("Gather", "GatherV2")
def _gather(call: Call) -> Value:
    params, indices = call[0], call[1]
    batch = call.attr("batch_dims").i if call.node.op == "GatherV2" else 0
    axis = call.numbers(call[2], "axis")[0] if len(call.inputs) > 2 else 0
    if batch:
        return _gathered_in_batches(call, batch, axis)
    result = call.op("Gather", params, _index(call, indices), axis=axis)
    if params.rank == 1 and params.items is not None and indices.items is not None:
        picked = [params.items[i] if i is not None and 0 <= i < len(params.items) else None for i in indices.items]
        return replace(result, items=tuple(picked))
    return result


def _index(call: Call, indices: Value) -> Value:
    """Indices in a type that ONNX accepts."""
    return indices if indices.dtype is DataType.INT32 else call.cast(indices, DataType.INT64)


def _gathered_in_batches(call: Call, batch: int, axis: int) -> Value:
    """Brings the axis to the front of the batch's elements, picks, and brings what was before it there again."""
    params, indices = call[0], call[1]
    rank, index_rank = call.rank(params), call.rank(indices)
    batch, axis = batch + index_rank if batch < 0 else batch, axis % rank
    between = list(range(batch, axis))
    perm = [*range(batch), axis, *between, *range(axis + 1, rank)]
    picked = call.op(
        "GatherND",
        call.transpose(params, perm),
        call.unsqueeze(call.cast(indices, DataType.INT64), index_rank),
        batch_dims=batch,
    )
    inner = index_rank - batch
    total = rank - 1 + inner
    moved = [batch + inner + i for i in range(len(between))]
    rest = range(batch + inner + len(between), total)
    return call.transpose(picked, [*range(batch), *moved, *range(batch, batch + inner), *rest])


def _refuse_lenient(call: Call) -> None:
    """Refuses nodes that pass over indices beyond the ends: ONNX's ops end with an error, as TensorFlow's do by default."""
    if call.text("bad_indices_policy") == "IGNORE":
        raise NotExpressibleError("it ignores indices that are out of range")


@rule("GatherNd")
def _gather_nd(call: Call) -> Value:
    _refuse_lenient(call)
    if call[1].size(-1) == 0:
        raise NotExpressibleError("its indices are empty")
    result = call.op("GatherND", call[0], call.cast(call[1], DataType.INT64))
    rows, whole, depth = call[1].dims, call[0].dims, call[1].size(-1)
    if rows is None or whole is None or depth is None:
        return result
    return call.builder.reshaped(result, (*rows[:-1], *whole[depth:]))


@rule("ScatterNd")
def _scatter_nd(call: Call) -> Value:
    """Updates to the same index are summed."""
    _refuse_lenient(call)
    if call.builder.opset < 18:
        raise NotExpressibleError("opset 17 lacks sums in ONNX's ScatterND; opset 18 has them")
    zeros = call.op("Expand", call.scalar(0, call[1]), call.vector(call[2]))
    indices = call.cast(call[0], DataType.INT64)
    return _scattered(call, zeros, indices, call[1], "add")


def _scattered(call: Call, data: Value, indices: Value, updates: Value, reduction: str | None) -> Value:
    """``ScatterND``; ONNX Runtime reduces no half precision."""
    if reduction is not None and data.dtype is DataType.HALF:
        data, updates = (call.cast(value, DataType.FLOAT) for value in (data, updates))
        return call.cast(_scattered(call, data, indices, updates, reduction), DataType.HALF)
    return call.op("ScatterND", data, indices, updates, reduction=reduction)


@rule("TensorScatterUpdate", "TensorScatterAdd", "TensorScatterSub", "TensorScatterMax", "TensorScatterMin")
def _tensor_scatter(call: Call) -> Value:
    _refuse_lenient(call)
    how = call.node.op.removeprefix("TensorScatter")
    updates = call.op("Neg", call[2]) if how == "Sub" else call[2]
    reduction = {"Update": None, "Add": "add", "Sub": "add", "Max": "max", "Min": "min"}[how]
    return _scattered(call, call[0], call.cast(call[1], DataType.INT64), updates, reduction)


@rule("OneHot")
def _one_hot(call: Call) -> Value:
    """Compares with a range: ONNX's own OneHot counts negative indices from the back."""
    indices, depth, on, off = call.inputs
    axis = call.attr("axis").i
    rank = call.rank(indices)
    axis = rank if axis == -1 else axis
    long = call.cast(indices, DataType.INT64)
    size = call.squeeze(call.vector(depth), 0)
    places = call.op("Range", np.int64(0), size, np.int64(1))
    spread = call.unsqueeze(places, *(i for i in range(rank + 1) if i != axis)) if rank else places
    return call.where(call.op("Equal", call.unsqueeze(long, axis), spread), on, off)


@rule("TopK", "TopKV2")
def _top_k(call: Call) -> Sequence[Value]:
    count = call.vector(call[1]) if call.node.op == "TopKV2" else vector([call.attr("k").i])
    values, places = call.builder.ops("TopK", call[0], count, outputs=2, axis=-1, largest=1, sorted=1)
    return values, call.cast(places, call.types[1])


@rule("NthElement")
def _nth_element(call: Call) -> Value:
    """The last of the ``n + 1`` smallest or largest."""
    count = call.op("Add", call.vector(call[1]), vector([1]))
    largest = int(call.attr("reverse").b)
    values, _ = call.builder.ops("TopK", call[0], count, outputs=2, axis=-1, largest=largest, sorted=1)
    return call.squeeze(call.op("Gather", values, vector([-1]), axis=-1), -1)


@rule("InTopKV2", "InTopK")
def _in_top_k(call: Call) -> Value:
    """Whether fewer than ``k`` predictions are larger than the target's; not where one is infinite or the target no class."""
    predictions, targets, k = call[0], call[1], call[2] if len(call.inputs) > 2 else None
    long = call.cast(targets, DataType.INT64)
    last = call.op("Sub", join(call, [size_of(call, predictions, 1)]), vector([1]))
    clipped = call.op("Max", call.op("Min", long, last), vector([0]))
    index = call.unsqueeze(clipped, 1)
    own = call.op("GatherElements", predictions, index, axis=1)
    larger = call.cast(call.op("Greater", predictions, own), DataType.INT64)
    count = call.reduced("ReduceSum", larger, [1])
    limit = call.cast(k, DataType.INT64) if k is not None else np.int64(call.attr("k").i)
    endless = call.cast(call.op("Or", call.op("IsNaN", predictions), call.op("IsInf", predictions)), DataType.INT32)
    is_finite = call.op("Equal", call.reduced("ReduceMax", endless, [1]), np.int32(0))
    is_class = call.op("And", is_finite, call.op("Equal", long, clipped))
    return call.op("And", call.op("Less", count, limit), is_class)


@rule("Where")
def _where(call: Call) -> Value:
    """The indices of nonzero elements, one per row."""
    value = call[0] if call[0].dtype is DataType.BOOL else call.cast(call[0], DataType.BOOL)
    return call.op("Transpose", call.op("NonZero", value), perm=[1, 0])


@rule("Unique")
def _unique(call: Call) -> Sequence[Value]:
    """Distinct values in order of appearance, and the index of each element among them."""
    values, _, places = call.builder.ops("Unique", call[0], outputs=3, sorted=0)
    return values, call.cast(places, call.types[1])


@rule("DynamicPartition")
def _dynamic_partition(call: Call) -> Sequence[Value]:
    rows = flattened(call, call[0], call.rank(call[1]))
    partitions = flattened(call, call[1], call.rank(call[1]))
    numbers = (np.array(i, np.int32) for i in range(call.attr("num_partitions").i))
    return [call.op("Compress", rows, call.op("Equal", partitions, number), axis=0) for number in numbers]
