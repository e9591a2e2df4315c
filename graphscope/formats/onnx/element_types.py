"""ONNX's element types as TensorFlow's, which have nearly all of them.

Source: ``onnx/onnx.proto`` (1.23), ``TensorProto.DataType``. The tests compare them with the package.
"""

from __future__ import annotations

from graphscope.core.values.dtypes import DataType

_TYPES = {
    1: DataType.FLOAT,
    2: DataType.UINT8,
    3: DataType.INT8,
    4: DataType.UINT16,
    5: DataType.INT16,
    6: DataType.INT32,
    7: DataType.INT64,
    8: DataType.STRING,
    9: DataType.BOOL,
    10: DataType.HALF,
    11: DataType.DOUBLE,
    12: DataType.UINT32,
    13: DataType.UINT64,
    14: DataType.COMPLEX64,
    15: DataType.COMPLEX128,
    16: DataType.BFLOAT16,
    17: DataType.FLOAT8_E4M3FN,
    18: DataType.FLOAT8_E4M3FNUZ,
    19: DataType.FLOAT8_E5M2,
    20: DataType.FLOAT8_E5M2FNUZ,
    21: DataType.UINT4,
    22: DataType.INT4,
    23: DataType.FLOAT4_E2M1FN,
    25: DataType.UINT2,
    26: DataType.INT2,
}
"""Without ``FLOAT8E8M0`` and floats of six bits, which TensorFlow lacks."""


def data_type(number: int) -> DataType:
    """The type behind a ``TensorProto.DataType``; ``INVALID`` for one that is not known."""
    return _TYPES.get(number, DataType.INVALID)
