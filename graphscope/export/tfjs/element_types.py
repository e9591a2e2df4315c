"""TensorFlow's data types in TF.js, which has five: float32, int32, bool, string and complex64.

Source: ``tfjs-core/src/types.ts`` (``DataType``), ``tfjs-core/src/io/io_utils.ts`` (``decodeWeight``) and
``tfjs-converter/src/operations/operation_mapper.ts`` (``parseDtypeParam``), 4.22.
"""

from __future__ import annotations

from dataclasses import dataclass

from graphscope.core.values.dtypes import DataType


@dataclass(frozen=True, slots=True)
class Storage:
    """How TF.js stores a type.

    Attributes:
        dtype: TF.js's name of the type that it computes in.
        element: NumPy's name of an element in a weight file; empty for strings, which have lengths.
        quantization: the type that a weight file holds, where TF.js widens it while it loads.
        attribute: the type that stands in attributes: TF.js does not know all of TensorFlow's.
    """

    dtype: str
    element: str
    quantization: str = ""
    attribute: DataType = DataType.INVALID


_INT = Storage("int32", "<i4")
_FLOAT = Storage("float32", "<f4")

_STORAGE: dict[DataType, Storage] = {
    DataType.FLOAT: _FLOAT,
    DataType.DOUBLE: _FLOAT,
    DataType.HALF: Storage("float32", "<f2", "float16"),
    DataType.BFLOAT16: Storage("float32", "<f4", attribute=DataType.FLOAT),
    DataType.INT32: _INT,
    DataType.INT64: _INT,
    DataType.INT8: _INT,
    DataType.UINT8: _INT,
    DataType.INT16: Storage("int32", "<i4", attribute=DataType.INT32),
    DataType.UINT16: Storage("int32", "<i4", attribute=DataType.INT32),
    DataType.BOOL: Storage("bool", "u1"),
    DataType.STRING: Storage("string", ""),
    DataType.COMPLEX64: Storage("complex64", "<c8"),
    DataType.COMPLEX128: Storage("complex64", "<c8"),
}

HANDLES = frozenset({DataType.VARIANT, DataType.RESOURCE})
"""Untyped values that TF.js passes between ops: lists of tensors, lookup tables."""


def storage(dtype: DataType) -> Storage | None:
    """How TF.js stores ``dtype``; ``None`` if it cannot."""
    return _STORAGE.get(dtype)


def in_attributes(dtype: DataType) -> DataType:
    """``dtype`` as an attribute value for TF.js."""
    found = _STORAGE.get(dtype)
    return found.attribute if found is not None and found.attribute else dtype
