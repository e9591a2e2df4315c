"""Quantization and dequantization.

Source: ``quantize_op.cc``, ``dequantize_op.cc`` and ``quantization_utils.h`` in ``tensorflow/core/kernels``.
"""

from __future__ import annotations

import numpy as np

from graphscope.core.values.dtypes import DataType
from graphscope.export.onnx.call import Call
from graphscope.export.onnx.registry import rule
from graphscope.export.onnx.value import Value
from graphscope.export.refusal import NotExpressibleError

_LIMITS = {
    DataType.QUINT8: (0, 255),
    DataType.QINT8: (-128, 127),
    DataType.QUINT16: (0, 65535),
    DataType.QINT16: (-32768, 32767),
    DataType.QINT32: (-(1 << 31), (1 << 31) - 1),
}
"""Quantized type -> its least and largest number."""


@rule("Dequantize")
def _dequantize(call: Call) -> Value:
    if call.attr("axis").i != -1:
        raise NotExpressibleError("it has a range for each channel")
    least, most = _limits(call.dtype("T"))
    low, high = (call.cast(value, DataType.FLOAT) for value in call.inputs[1:])
    number = call.cast(call[0], DataType.FLOAT)
    mode = call.text("mode")
    if mode == "SCALED":
        return call.cast(call.op("Mul", number, _scale(call, low, high)), call.types[0])
    step = call.op("Div", call.op("Sub", high, low), np.array(float(most) - float(least), np.float32))
    if mode == "MIN_FIRST":
        base = call.op("Mul", call.op("Round", call.op("Div", low, step)), step)
        rest = call.op("Sub", number, np.array(float(least), np.float32))
        return call.cast(call.op("Add", call.op("Mul", rest, step), base), call.types[0])
    half = (float(most) - float(least) + 1) / 2 if least < 0 else 0.0
    moved = call.op("Add", number, np.array(half, np.float32))
    return call.cast(call.op("Add", call.op("Mul", moved, step), low), call.types[0])


def _limits(dtype: DataType) -> tuple[int, int]:
    if dtype not in _LIMITS:
        raise NotExpressibleError(f"{dtype.label} is not a quantized type")
    return _LIMITS[dtype]


def _scale(call: Call, low: Value, high: Value) -> Value:
    """The step of mode SCALED, in which 0 represents 0."""
    least, most = _limits(call.dtype("T"))
    if least and call.attr("narrow_range").b:
        least += 1
    upper = call.op("Div", high, np.array(most, np.float32))
    if not least:
        return upper
    return call.op("Max", upper, call.op("Div", low, np.array(least, np.float32)))
