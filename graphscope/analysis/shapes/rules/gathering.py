"""Gathers and scatters."""

from __future__ import annotations

from graphscope.analysis.shapes.call import Call
from graphscope.analysis.shapes.facts import UNKNOWN, Element, Fact, Facts, Value, outputs
from graphscope.analysis.shapes.sizes import (
    Dim,
    Dims,
    ShapeError,
    Size,
    at_least,
    axis_of,
    merge,
    merge_sizes,
    unknown,
)
from graphscope.analysis.shapes.table import rule


@rule("Gather GatherV2")
def gather(call: Call) -> Facts:
    """The shape of the indices in the place of the axis."""
    params, indices = call.input(0), call.input(1)
    shape = at_least(params.shape, 1)
    v2 = call.node.op == "GatherV2"
    axis = call.integer(2) if v2 else 0
    batch = call.number("batch_dims") if v2 else 0
    if axis is None:
        known = shape is not None and indices.shape is not None
        return outputs(unknown(len(shape or ()) + len(indices.shape or ()) - 1 - max(batch, 0)) if known else None)
    if shape is None or indices.shape is None:
        return (UNKNOWN,)
    axis = axis_of(axis, len(shape))
    if batch < 0:
        batch += len(indices.shape)
    if not 0 <= batch <= min(axis, len(indices.shape)):
        raise ShapeError(f"batch_dims {batch} does not fit {len(indices.shape)} dimensions of indices and axis {axis}")
    front = tuple(map(merge_sizes, shape[:batch], indices.shape[:batch]))
    result = (*front, *shape[batch:axis], *indices.shape[batch:], *shape[axis + 1 :])
    return (Fact(result, _gather(params, indices) if len(shape) == 1 else None),)


def _gather(params: Fact, indices: Fact) -> Value | None:
    if not (params.has_value and indices.has_value) or params.value is None or indices.value is None:
        return None
    count = len(params.value)
    return tuple(params.value[k] if isinstance(k, int) and 0 <= k < count else None for k in indices.value)


@rule("ResourceGather")
def resource_gather(call: Call) -> Facts:
    """As ``Gather``, from a variable."""
    handle, indices = call.input(0).handle, call.shape(1)
    shape = at_least(handle[0] if handle else None, 1)
    if shape is None or indices is None:
        return (UNKNOWN,)
    batch = call.number("batch_dims")
    if not 0 <= batch <= len(indices):
        raise ShapeError(f"batch_dims {batch} does not fit {len(indices)} dimensions of indices")
    return outputs((*indices, *shape[batch + 1 :]))


@rule("GatherNd")
def gather_nd(call: Call) -> Facts:
    """The innermost indices name a part of the parameters."""
    return outputs(_part_by_index(call.shape(0), at_least(call.shape(1), 1)))


@rule("ResourceGatherNd")
def resource_gather_nd(call: Call) -> Facts:
    """As ``GatherNd``, from a variable."""
    handle = call.input(0).handle
    return outputs(_part_by_index(handle[0] if handle else None, at_least(call.shape(1), 1)))


def _part_by_index(shape: Dims, indices: Dims) -> Dims:
    if shape is None or indices is None or not isinstance(indices[-1], int):
        return None
    if indices[-1] > len(shape):
        raise ShapeError(f"indices of {indices[-1]} numbers for a tensor of rank {len(shape)}")
    return (*indices[:-1], *shape[indices[-1] :])


@rule("ScatterNd")
def scatter_nd(call: Call) -> Facts:
    """The stated shape."""
    indices, updates, shape = call.shape(0), call.shape(1), call.sizes(2)
    _check_scatter(indices, updates, shape)
    return outputs(shape)


@rule(
    "TensorScatterAdd TensorScatterMax TensorScatterMin TensorScatterSub TensorScatterUpdate ScatterNdNonAliasingAdd"
    " ScatterNdUpdate ScatterNdAdd ScatterNdSub ScatterNdMax ScatterNdMin"
)
def scatter_into(call: Call) -> Facts:
    """The shape of what is scattered into."""
    shape = call.shape(0)
    _check_scatter(call.shape(1), call.shape(2), shape)
    return (Fact(shape),)


def _check_scatter(indices: Dims, updates: Dims, shape: Dims) -> None:
    if not indices or not updates or shape is None or not isinstance(indices[-1], int):
        return
    if indices[-1] <= len(shape):
        merge((*indices[:-1], *shape[indices[-1] :]), updates)


@rule("ScatterAdd ScatterSub ScatterMul ScatterDiv ScatterMin ScatterMax ScatterUpdate")
def scatter_update(call: Call) -> Facts:
    """The shape of the variable."""
    shape, indices, updates = call.shape(0), call.shape(1), call.shape(2)
    if shape is not None and indices is not None and updates != ():
        merge((*indices, *shape[1:]), updates)
    return outputs(shape)


@rule("DynamicStitch ParallelDynamicStitch")
def dynamic_stitch(call: Call) -> Facts:
    """As many rows as the greatest index says."""
    count = len(call.inputs) // 2
    rest: Dims = None
    top = -1
    for index in range(count):
        indices, data = call.input(index), call.input(count + index)
        if indices.shape is not None and data.shape is not None:
            merge(data.shape[: len(indices.shape)], indices.shape)
            rest = merge(rest, data.shape[len(indices.shape) :])
        numbers = [v for v in indices.value or (None,) if isinstance(v, int)]
        complete = indices.value is not None and len(numbers) == len(indices.value)
        top = max([top, *numbers]) if complete and top > -2 else -2
    if rest is None:
        return (UNKNOWN,)
    size: Size = top + 1 if top > -2 else Dim()
    return (Fact((size, *rest), _stitch(call, count, size) if not rest else None),)


def _stitch(call: Call, count: int, size: Size) -> Value | None:
    if not isinstance(size, int):
        return None
    result: list[Element] = [None] * size
    for index in range(count):
        data, places = call.value(count + index), call.integers(index) or []
        if min(places, default=0) < 0:  # TensorFlow refuses it when it runs
            return None
        for place, k in enumerate(places):
            result[k] = data[place] if data is not None else None
    return tuple(result)


@rule("DynamicPartition")
def dynamic_partition(call: Call) -> Facts:
    """As many parts as stated, each of an unknown number of rows."""
    data, partitions = call.shape(0), call.shape(1)
    count = min(call.number("num_partitions"), 65_536)
    if data is None or partitions is None:
        return ()
    merge(data[: len(partitions)], partitions)
    return tuple(Fact((Dim(), *data[len(partitions) :])) for _ in range(count))
