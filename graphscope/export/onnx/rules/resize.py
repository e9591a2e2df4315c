"""Image resizing with the pixel positions of TensorFlow's kernels (``image_resizer_state.h`` and the kernels beside it)."""

from __future__ import annotations

import functools
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from graphscope.core.values.dtypes import DataType
from graphscope.export.onnx.builder import vector
from graphscope.export.onnx.call import Call
from graphscope.export.onnx.registry import rule
from graphscope.export.onnx.rules.layout import Layout, channels_first
from graphscope.export.onnx.rules.sizes import join, size_of
from graphscope.export.onnx.value import Value
from graphscope.export.refusal import NotExpressibleError

_NHWC = Layout("NHWC")
F32 = np.float32


@dataclass(frozen=True)
class _Corners:
    """How result pixels map to positions in the image.

    Attributes:
        aligned: the corner pixels of both coincide.
        half: pixel centers are at half-integer positions.
    """

    aligned: bool
    half: bool

    @property
    def mode(self) -> str:
        """ONNX's name."""
        if self.aligned:
            return "align_corners"
        return "half_pixel" if self.half else "asymmetric"

    def scale(self, size: int, wanted: int) -> np.float32:
        """Input pixels per result pixel, rounded as in TensorFlow."""
        is_aligned = self.aligned and wanted > 1
        scale: np.float32 = np.divide(F32(size - is_aligned), F32(wanted - is_aligned), dtype=F32)
        return scale

    def centers(self, size: int, wanted: int) -> NDArray[np.float32]:
        """The positions of the result's pixels in the image."""
        places, scale = np.arange(wanted, dtype=F32), self.scale(size, wanted)
        return (places + F32(0.5)) * scale - F32(0.5) if self.half else places * scale


def _corners(call: Call) -> _Corners:
    corners = _Corners(call.attr("align_corners").b, call.attr("half_pixel_centers").b)
    if corners.aligned and corners.half:
        raise NotExpressibleError("align_corners and half_pixel_centers are both set")
    return corners


@rule("ResizeBilinear")
def _bilinear(call: Call) -> Value:
    mode = _corners(call).mode
    data = call.cast(call[0], DataType.FLOAT)
    return _resize(call, data, coordinate_transformation_mode=mode, mode="linear")


def _resize(call: Call, data: Value, **attrs: str) -> Value:
    def step(x: Value) -> Value:
        sizes = join(call, [size_of(call, x, 0), size_of(call, x, 1)])
        wanted = call.op("Concat", sizes, call.vector(call[1]), axis=0) if call[1].payload is None else None
        whole = wanted or join(call, [size_of(call, x, 0), size_of(call, x, 1), *call.numbers(call[1], "sizes")])
        return call.op("Resize", x, None, None, whole, **attrs)

    result = channels_first(call, _NHWC, data, step)
    height, width = call[1].items or (None, None)
    dims = data.dims or (None,) * 4
    return call.builder.reshaped(result, (dims[0], height, width, dims[3]))


@rule("ResizeNearestNeighbor")
def _nearest(call: Call) -> Value:
    """Picks rows and columns by TensorFlow's indices; ONNX's rounding may differ."""
    corners = _corners(call)
    sizes, wanted = [call[0].size(1), call[0].size(2)], call[1].items
    if wanted is None or None in sizes or None in wanted:
        return _pick(call, [_computed_places(call, corners, axis) for axis in (0, 1)])
    places = [_places(corners, size or 0, n or 0) for size, n in zip(sizes, wanted)]
    if all(np.array_equal(p, _onnx_places(corners, s or 0, n or 0)) for p, s, n in zip(places, sizes, wanted)):
        rounding = "floor" if corners.mode == "asymmetric" else "round_prefer_ceil"
        attrs = {"coordinate_transformation_mode": corners.mode, "mode": "nearest", "nearest_mode": rounding}
        return _resize(call, call[0], **attrs)
    return _pick(call, [call.builder.constant(vector(p.tolist())) for p in places])


def _pick(call: Call, places: list[Value]) -> Value:
    return call.op("Gather", call.op("Gather", call[0], places[0], axis=1), places[1], axis=2)


def _places(corners: _Corners, size: int, wanted: int) -> NDArray[np.int64]:
    """The nearest pixels: ``resize_nearest_neighbor_op.cc``."""
    scale = corners.scale(size, wanted)
    places = np.arange(wanted, dtype=F32)
    if corners.aligned:
        exact = places * scale
        nearest = np.floor(exact + F32(0.5))
    else:
        nearest = np.floor((places + F32(0.5)) * scale if corners.half else places * scale)
    return _clip(nearest, size)


def _clip(places: NDArray[np.float32], size: int) -> NDArray[np.int64]:
    return np.asarray(np.clip(places, 0, size - 1), np.int64)


def _onnx_places(corners: _Corners, size: int, wanted: int) -> NDArray[np.int64]:
    """The pixels that ONNX Runtime picks, in its own arithmetic (``upsamplebase.h``)."""
    scale, places = F32(wanted) / F32(size), np.arange(wanted, dtype=F32)
    if corners.aligned:
        exact = places * F32(size - 1) / F32(wanted - 1) if wanted > 1 else places * 0
    else:
        exact = (places + F32(0.5)) / scale - F32(0.5) if corners.half else places / scale
    nearest = np.floor(exact) if corners.mode == "asymmetric" else np.floor(exact + F32(0.5))
    return _clip(nearest, size)


def _computed_places(call: Call, corners: _Corners, axis: int) -> Value:
    """:func:`_places` in the graph."""
    size = call.cast(join(call, [size_of(call, call[0], axis + 1)]), DataType.FLOAT)
    wanted = call.op("Gather", call.vector(call[1]), vector([axis]), axis=0)
    real, one = call.cast(wanted, DataType.FLOAT), np.ones(1, F32)
    if corners.aligned:
        inner = call.op("Div", call.op("Sub", size, one), call.op("Max", call.op("Sub", real, one), one))
        scale = call.where(call.op("Greater", real, one), inner, call.op("Div", size, real))
    else:
        scale = call.op("Div", size, real)
    count = call.op("Range", np.int64(0), call.squeeze(wanted, 0), np.int64(1))
    places = call.cast(count, DataType.FLOAT)
    half = np.array([0.5], F32)
    exact = call.op("Mul", call.op("Add", places, half) if corners.half else places, scale)
    nearest = call.op("Floor", call.op("Add", exact, half) if corners.aligned else exact)
    last = call.op("Sub", size, one)
    return call.cast(call.op("Min", nearest, last), DataType.INT64)


@rule("ResizeBicubic", "ResizeArea")
def _by_matrix(call: Call) -> Value:
    """Each result pixel is a weighted sum along each axis: two products with constant matrices."""
    sizes, wanted = [call[0].size(1), call[0].size(2)], call[1].items
    if wanted is None or None in sizes or None in wanted:
        raise NotExpressibleError("ONNX weighs pixels differently, and the sizes are unknown")
    weights = _bicubic_weights if call.node.op == "ResizeBicubic" else _area_weights
    corners = _corners(call)
    rows, columns = (weights(corners, s or 0, n or 0) for s, n in zip(sizes, wanted))
    data = call.cast(call[0], DataType.FLOAT)
    return channels_first(
        call, _NHWC, data, lambda x: call.op("MatMul", call.op("MatMul", rows, x), np.ascontiguousarray(columns.T))
    )


_TABLE = 1 << 10
"""The resolution of TensorFlow's table of bicubic coefficients."""


@functools.cache
def _coefficients(a: float) -> NDArray[np.float32]:
    """``InitCoeffsTable`` in ``resize_bicubic_op.cc``: for each part of a pixel, the weights of the two neighbours."""
    x = np.arange(_TABLE + 1, dtype=np.float64) / _TABLE
    near = ((a + 2) * x - (a + 3)) * x * x + 1
    y = x + 1
    far = ((a * y - 5 * a) * y + 8 * a) * y - 4 * a
    return np.stack([near, far]).astype(F32)


def _bicubic_weights(corners: _Corners, size: int, wanted: int) -> NDArray[np.float32]:
    """One row of input weights per result pixel; beyond the border, pixels repeat or, with half centers, count as 0."""
    near, far = _coefficients(-0.5 if corners.half else -0.75)
    result = np.zeros((wanted, size), F32)
    for row, center in enumerate(corners.centers(size, wanted)):
        first = int(np.floor(center))
        offset = round(float((center - F32(first)) * F32(_TABLE)))
        weights = [far[offset], near[offset], near[_TABLE - offset], far[_TABLE - offset]]
        places = [first - 1, first, first + 1, first + 2]
        if corners.half:
            weights = [w if 0 <= p < size else F32(0) for w, p in zip(weights, places)]
            total = F32(sum(weights))
            weights = [w / total for w in weights] if abs(total) >= 1000 * np.finfo(F32).tiny else weights
        for weight, place in zip(weights, places):
            result[row, min(max(place, 0), size - 1)] += weight
    return result


def _area_weights(corners: _Corners, size: int, wanted: int) -> NDArray[np.float32]:
    """The share of each pixel that a pixel of the result covers."""
    scale = float(corners.scale(size, wanted))
    if not scale:
        raise NotExpressibleError("corners of one pixel cannot be aligned")
    result = np.zeros((wanted, size), np.float64)
    for row in range(wanted):
        begin, end = row * scale, (row + 1) * scale
        for place in range(int(np.floor(begin)), int(np.ceil(end))):
            share = min(place + 1, end) - max(place, begin)
            result[row, min(max(place, 0), size - 1)] += share
    return (result / scale).astype(F32)
