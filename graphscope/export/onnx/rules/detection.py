"""Object detection: crops of images, and non-maximum suppression."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from graphscope.core.values.dtypes import DataType
from graphscope.export.onnx.builder import vector
from graphscope.export.onnx.call import Call
from graphscope.export.onnx.registry import rule
from graphscope.export.onnx.rules.sizes import join, size_of
from graphscope.export.onnx.value import Value
from graphscope.export.refusal import NotExpressibleError

F32 = np.float32


@rule("CropAndResize")
def _crop_and_resize(call: Call) -> Value:
    """Samples each box at the points of a grid: the neighbors of each point, or a fill value outside the image."""
    image, boxes, which, size = call.inputs
    image = call.cast(image, DataType.FLOAT)
    height, width = call.numbers(size, "crop size")
    rows = _grid(call, image, boxes, 0, height)
    columns = _grid(call, image, boxes, 1, width)
    batch = call.op("Reshape", call.cast(which, DataType.INT64), vector([-1, 1, 1]))
    sample = _mix if call.text("method") == "bilinear" else _nearest
    inside = call.op("And", call.unsqueeze(rows.inside, 2), call.unsqueeze(columns.inside, 1))
    outside = np.array(call.attr("extrapolation_value").f, F32)
    return call.where(call.unsqueeze(inside, 3), sample(call, image, batch, rows, columns), outside)


def _mix(call: Call, image: Value, batch: Value, rows: _Points, columns: _Points) -> Value:
    """The four neighbors of each point, weighted by distance."""
    upper, lower = (call.unsqueeze(r, 2) for r in (rows.first, rows.second))
    left, right = (call.unsqueeze(c, 1) for c in (columns.first, columns.second))
    top, bottom = (
        _between(call, _pixels(call, image, batch, row, left), _pixels(call, image, batch, row, right), columns, 1)
        for row in (upper, lower)
    )
    return _between(call, top, bottom, rows, 2)


def _nearest(call: Call, image: Value, batch: Value, rows: _Points, columns: _Points) -> Value:
    """The nearest neighbor; the second of two at the same distance."""
    chosen = [
        call.where(call.op("Less", points.share, np.array(0.5, F32)), points.first, points.second)
        for points in (rows, columns)
    ]
    return _pixels(call, image, batch, call.unsqueeze(chosen[0], 2), call.unsqueeze(chosen[1], 1))


@dataclass(frozen=True)
class _Points:
    """The positions of a grid's points along one axis, for each box.

    Attributes:
        first, second: the pixels before and after.
        share: fraction of the distance to the second.
        inside: whether they are in the image.
    """

    first: Value
    second: Value
    share: Value
    inside: Value


def _grid(call: Call, image: Value, boxes: Value, axis: int, count: int) -> _Points:
    low = call.op("Gather", boxes, vector([axis]), axis=1)
    high = call.op("Gather", boxes, vector([axis + 2]), axis=1)
    size = call.cast(join(call, [size_of(call, image, axis + 1)]), DataType.FLOAT)
    last = call.op("Sub", size, np.ones(1, F32))
    if count > 1:
        step = call.op("Div", call.op("Mul", call.op("Sub", high, low), last), np.array(count - 1, F32))
        points = np.arange(count, dtype=F32).reshape(1, count)
        places = call.op("Add", call.op("Mul", low, last), call.op("Mul", step, points))
    else:
        places = call.op("Mul", call.op("Mul", call.op("Add", low, high), np.array(0.5, F32)), last)
    zero = np.array(0, F32)
    inside = call.op("And", call.op("GreaterOrEqual", places, zero), call.op("LessOrEqual", places, last))
    floor = call.op("Floor", places)
    first, second = (
        call.cast(call.op("Min", call.op("Max", value, zero), last), DataType.INT64)
        for value in (floor, call.op("Ceil", places))
    )
    return _Points(first, second, call.op("Sub", places, floor), inside)


def _pixels(call: Call, image: Value, batch: Value, row: Value, column: Value) -> Value:
    shape = call.op("Shape", call.op("Add", call.op("Add", batch, row), column))
    parts = [call.unsqueeze(call.op("Expand", value, shape), 3) for value in (batch, row, column)]
    return call.op("GatherND", image, call.op("Concat", *parts, axis=3))


def _between(call: Call, one: Value, other: Value, points: _Points, axis: int) -> Value:
    """The mean of two pixels, weighted by the distance along an axis."""
    share = call.unsqueeze(points.share, axis, 3)
    return call.op("Add", one, call.op("Mul", call.op("Sub", other, one), share))


@rule("NonMaxSuppression", "NonMaxSuppressionV2", "NonMaxSuppressionV3", "NonMaxSuppressionV4", "NonMaxSuppressionV5")
def _non_max_suppression(call: Call) -> Value | list[Value]:
    """ONNX has a batch and classes around it."""
    boxes, scores, count = call.inputs[:3]
    version = call.node.op.removeprefix("NonMaxSuppression")
    if version == "V5" and call.known(call[5], "sigma").any():
        raise NotExpressibleError("ONNX has no soft suppression")
    if call.attr("pad_to_max_output_size").b:
        raise NotExpressibleError("it pads its result")
    overlap = call[3] if version else call.builder.constant(np.array(call.attr("iou_threshold").f, F32))
    limits = [call.op("Reshape", call.cast(v, DataType.FLOAT), vector([1])) for v in (overlap, *call.inputs[4:5])]
    found = call.op(
        "NonMaxSuppression",
        call.unsqueeze(call.cast(boxes, DataType.FLOAT), 0),
        call.unsqueeze(call.cast(scores, DataType.FLOAT), 0, 1),
        call.vector(count),
        *limits,
    )
    chosen = call.squeeze(call.op("Gather", found, vector([2]), axis=1), 1)
    indices = call.cast(chosen, DataType.INT32)
    if version == "V4":
        return [indices, call.cast(call.op("Size", chosen), DataType.INT32)]
    if version == "V5":
        picked = call.op("Gather", scores, chosen, axis=0)
        return [indices, picked, call.cast(call.op("Size", chosen), DataType.INT32)]
    return indices
