"""TensorFlow's data types as ONNX element types.

Source: ``onnx/onnx.proto``, ``TensorProto.DataType``.
"""

from __future__ import annotations

from onnx import TensorProto

from graphscope.core.values.dtypes import DataType

_ELEMENT_TYPES: dict[DataType, int] = {  # not strings: bytes in TensorFlow, text in ONNX
    DataType.FLOAT: TensorProto.FLOAT,
    DataType.DOUBLE: TensorProto.DOUBLE,
    DataType.HALF: TensorProto.FLOAT16,
    DataType.BFLOAT16: TensorProto.BFLOAT16,
    DataType.INT8: TensorProto.INT8,
    DataType.INT16: TensorProto.INT16,
    DataType.INT32: TensorProto.INT32,
    DataType.INT64: TensorProto.INT64,
    DataType.UINT8: TensorProto.UINT8,
    DataType.UINT16: TensorProto.UINT16,
    DataType.UINT32: TensorProto.UINT32,
    DataType.UINT64: TensorProto.UINT64,
    DataType.BOOL: TensorProto.BOOL,
}

_STORED_AS: dict[DataType, DataType] = {
    DataType.QINT8: DataType.INT8,
    DataType.QUINT8: DataType.UINT8,
    DataType.QINT16: DataType.INT16,
    DataType.QUINT16: DataType.UINT16,
    DataType.QINT32: DataType.INT32,
}
"""Quantized types: ONNX has the same integers, and stores the scale separately."""

_DATA_TYPES = {number: dtype for dtype, number in _ELEMENT_TYPES.items()}


def is_expressible(dtype: DataType) -> bool:
    """Whether an ONNX tensor can hold elements of ``dtype``."""
    return plain(dtype) in _ELEMENT_TYPES


def plain(dtype: DataType) -> DataType:
    """``dtype``, or the integer type that stores a quantized one."""
    return _STORED_AS.get(dtype, dtype)


def element_type(dtype: DataType) -> int:
    """The ``TensorProto.DataType`` for ``dtype``.

    Raises:
        KeyError: ONNX has none; see :func:`is_expressible`.
    """
    return _ELEMENT_TYPES[plain(dtype)]


def data_type(number: int) -> DataType:
    """The data type for a ``TensorProto.DataType``; ``INVALID`` where TensorFlow has none."""
    return _DATA_TYPES.get(number, DataType.INVALID)


def type_string(dtype: DataType) -> str:
    """The spelling in ONNX schemas: ``tensor(float)``."""
    return f"tensor({_TYPE_NAMES.get(dtype, dtype.label)})"


_TYPE_NAMES = {DataType.FLOAT: "float", DataType.DOUBLE: "double", DataType.HALF: "float16"}
