"""TensorFlow's data types: their numbers, names, item sizes and NumPy counterparts.

Source: ``tensorflow/core/framework/types.proto`` and ``types.cc`` (2.21). Sub-byte types (int4, uint4, ...) occupy one whole
byte for each element in memory and in checkpoints, which is what ``itemsize`` says.
"""

from __future__ import annotations

import enum
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import numpy as np

REF = 100
"""Added to a type's number where a tensor is a reference to a variable's buffer (``DT_FLOAT_REF`` = 101)."""


class DataType(enum.IntEnum):
    """``tensorflow.DataType`` without the reference types; ``DataType.of`` takes any number that a file holds."""

    INVALID = 0
    FLOAT = 1
    DOUBLE = 2
    INT32 = 3
    UINT8 = 4
    INT16 = 5
    INT8 = 6
    STRING = 7
    COMPLEX64 = 8
    INT64 = 9
    BOOL = 10
    QINT8 = 11
    QUINT8 = 12
    QINT32 = 13
    BFLOAT16 = 14
    QINT16 = 15
    QUINT16 = 16
    UINT16 = 17
    COMPLEX128 = 18
    HALF = 19
    RESOURCE = 20
    VARIANT = 21
    UINT32 = 22
    UINT64 = 23
    FLOAT8_E5M2 = 24
    FLOAT8_E4M3FN = 25
    FLOAT8_E4M3FNUZ = 26
    FLOAT8_E4M3B11FNUZ = 27
    FLOAT8_E5M2FNUZ = 28
    INT4 = 29
    UINT4 = 30
    INT2 = 31
    UINT2 = 32
    FLOAT4_E2M1FN = 33

    @classmethod
    def of(cls, number: int) -> DataType:
        """The type behind ``number``, references included; ``INVALID`` for a number that TensorFlow 2.21 does not have."""
        return _BY_NUMBER.get(number, _INVALID)

    @property
    def label(self) -> str:
        """The name that ``tf.DType.name`` uses: ``float32``, ``int64``, ``string``."""
        return _ROWS[self][0]

    @property
    def itemsize(self) -> int | None:
        """Bytes for one element; ``None`` for string, resource, variant and invalid, whose elements have no fixed size."""
        return _ROWS[self][1]

    @property
    def is_floating(self) -> bool:
        """True for the real floating types, half precision and float8 included."""
        return self.label.startswith(("float", "bfloat")) or self is DataType.HALF

    @property
    def is_castable(self) -> bool:
        """Whether TensorFlow's ``Cast`` takes and gives it."""
        return self.name not in ("INVALID", "STRING", "RESOURCE", "VARIANT", "INT4", "UINT4")

    @property
    def is_real(self) -> bool:
        """True for numbers on a line: floating, integer, quantized, boolean; not complex, not string."""
        return self.itemsize is not None and not self.label.startswith("complex")

    @property
    def numpy(self) -> np.dtype[Any]:
        """The NumPy type of an array that holds such a tensor: little-endian; ``object`` for strings.

        Raises:
            TypeError: for resource, variant and invalid, which have no array form.
        """
        import numpy as np

        name = _ROWS[self][2]
        if name is None:
            raise TypeError(f"{self.label} has no NumPy equivalent")
        if not name.startswith("ml_dtypes."):
            return np.dtype(name)
        import ml_dtypes

        dtype: np.dtype[Any] = np.dtype(getattr(ml_dtypes, name.removeprefix("ml_dtypes.")))
        return dtype

    @classmethod
    def from_numpy(cls, dtype: np.dtype[Any]) -> DataType:
        """The type that stores ``dtype``; quantized types are never chosen; object and text arrays are strings.

        Raises:
            TypeError: when TensorFlow has no such type.
        """
        if dtype.kind in "OSU":
            return cls.STRING
        for data_type, (label, _, numpy_name) in _ROWS.items():
            if numpy_name is not None and not label.startswith("q") and dtype.name == data_type.numpy.name:
                return data_type
        raise TypeError(f"TensorFlow has no data type for NumPy's {dtype}")


_ROWS: dict[DataType, tuple[str, int | None, str | None]] = {
    DataType.INVALID: ("invalid", None, None),
    DataType.FLOAT: ("float32", 4, "<f4"),
    DataType.DOUBLE: ("float64", 8, "<f8"),
    DataType.INT32: ("int32", 4, "<i4"),
    DataType.UINT8: ("uint8", 1, "u1"),
    DataType.INT16: ("int16", 2, "<i2"),
    DataType.INT8: ("int8", 1, "i1"),
    DataType.STRING: ("string", None, "O"),
    DataType.COMPLEX64: ("complex64", 8, "<c8"),
    DataType.INT64: ("int64", 8, "<i8"),
    DataType.BOOL: ("bool", 1, "?"),
    DataType.QINT8: ("qint8", 1, "i1"),
    DataType.QUINT8: ("quint8", 1, "u1"),
    DataType.QINT32: ("qint32", 4, "<i4"),
    DataType.BFLOAT16: ("bfloat16", 2, "ml_dtypes.bfloat16"),
    DataType.QINT16: ("qint16", 2, "<i2"),
    DataType.QUINT16: ("quint16", 2, "<u2"),
    DataType.UINT16: ("uint16", 2, "<u2"),
    DataType.COMPLEX128: ("complex128", 16, "<c16"),
    DataType.HALF: ("float16", 2, "<f2"),
    DataType.RESOURCE: ("resource", None, None),
    DataType.VARIANT: ("variant", None, None),
    DataType.UINT32: ("uint32", 4, "<u4"),
    DataType.UINT64: ("uint64", 8, "<u8"),
    DataType.FLOAT8_E5M2: ("float8_e5m2", 1, "ml_dtypes.float8_e5m2"),
    DataType.FLOAT8_E4M3FN: ("float8_e4m3fn", 1, "ml_dtypes.float8_e4m3fn"),
    DataType.FLOAT8_E4M3FNUZ: ("float8_e4m3fnuz", 1, "ml_dtypes.float8_e4m3fnuz"),
    DataType.FLOAT8_E4M3B11FNUZ: ("float8_e4m3b11fnuz", 1, "ml_dtypes.float8_e4m3b11fnuz"),
    DataType.FLOAT8_E5M2FNUZ: ("float8_e5m2fnuz", 1, "ml_dtypes.float8_e5m2fnuz"),
    DataType.INT4: ("int4", 1, "ml_dtypes.int4"),
    DataType.UINT4: ("uint4", 1, "ml_dtypes.uint4"),
    DataType.INT2: ("int2", 1, "ml_dtypes.int2"),
    DataType.UINT2: ("uint2", 1, "ml_dtypes.uint2"),
    DataType.FLOAT4_E2M1FN: ("float4_e2m1fn", 1, "ml_dtypes.float4_e2m1fn"),
}
_INVALID = DataType.INVALID
_BY_NUMBER = {int(t) + ref: t for t in DataType for ref in ((0, REF) if t else (0,))}

UNFEEDABLE = frozenset({DataType.RESOURCE, DataType.VARIANT})
"""Types without an array form: nobody can feed them."""


def is_weight_type(dtype: DataType) -> bool:
    """Whether a constant of this type may be a weight: floating, quantized, or the bytes that quantized ones are kept in."""
    return dtype.is_floating or dtype.label.startswith("q") or dtype in (DataType.UINT8, DataType.INT8)
