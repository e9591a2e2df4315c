"""NumPy's ``.npy`` files: one array.

::

    file     magic version:2 header-size:u16 or u32 header content      version 1 has u16, 2 and 3 have u32
    header   a Python literal: {'descr': ..., 'fortran_order': ..., 'shape': ...}

What NumPy has no type for (bfloat16, float8, int4, quantized integers) is stored as TensorFlow's own Python types do it: a
structure with one field of the same width, called like the type: ``[('bfloat16', '<u2')]``.

Sources: ``numpy/lib/_format_impl.py`` (NumPy 2.4); ``tensorflow/python/framework/dtypes.py``.
"""

from __future__ import annotations

import ast
import io
import math
import struct
from dataclasses import dataclass
from typing import IO, TYPE_CHECKING, Any

from graphscope.core.values.dtypes import DataType
from graphscope.formats.checkpoint.rules import is_shape

if TYPE_CHECKING:
    import numpy as np

MAGIC = b"\x93NUMPY"
MAX_HEADER_BYTES = 10_000
"""NumPy's own limit for the header's literal."""

MAX_DIMENSIONS = 32
"""The number of dimensions that every NumPy supports: 32 before NumPy 2, 64 since."""

_LENGTHS = {1: "<H", 2: "<I", 3: "<I"}
_ENCODINGS = {1: "latin-1", 2: "latin-1", 3: "utf-8"}


@dataclass(frozen=True, slots=True)
class Header:
    """The header of an array.

    Attributes:
        dtype, shape: of the array.
        is_fortran: whether the first index runs fastest.
        size: of the header itself, with all that stands before the content, in bytes.
    """

    dtype: np.dtype[Any]
    shape: tuple[int, ...]
    is_fortran: bool
    size: int


def header_bytes(dtype: np.dtype[Any], shape: tuple[int, ...]) -> bytes:
    """The header for an array in row-major order."""
    import numpy as np

    file = io.BytesIO()
    description = {"descr": np.lib.format.dtype_to_descr(dtype), "fortran_order": False, "shape": shape}
    np.lib.format.write_array_header_1_0(file, description)
    return file.getvalue()


def read_header(file: IO[bytes]) -> Header:
    """The header that ``file`` begins with.

    Raises:
        ValueError: it is not a header, or ends early.
    """
    start = file.read(len(MAGIC) + 2)
    if not start.startswith(MAGIC) or start[-2] not in _LENGTHS:  # of a shorter file: a letter of ``MAGIC``
        raise ValueError(f"not a .npy file: it starts with {start.hex(' ')}")
    version = start[-2]
    length = file.read(struct.calcsize(_LENGTHS[version]))
    try:
        [size] = struct.unpack(_LENGTHS[version], length)
    except struct.error as error:
        raise ValueError("the file ends within its header") from error
    if size > MAX_HEADER_BYTES:
        raise ValueError(f"a header of {size:,} bytes; NumPy's limit is {MAX_HEADER_BYTES:,}")
    dtype, shape, is_fortran = _parse(file.read(size).decode(_ENCODINGS[version]))
    return Header(dtype, shape, is_fortran, len(start) + len(length) + size)


def _parse(text: str) -> tuple[np.dtype[Any], tuple[int, ...], bool]:
    import numpy as np

    try:
        header = ast.literal_eval(text.strip())
        dtype = np.lib.format.descr_to_dtype(header["descr"])
        shape, is_fortran = header["shape"], header["fortran_order"]
    except (
        SyntaxError,
        ValueError,
        TypeError,
        KeyError,
        AttributeError,
        IndexError,
        MemoryError,
        RecursionError,
    ) as error:
        raise ValueError(f"not a valid array header: {text[:80]!r}") from error
    is_tuple = isinstance(shape, tuple) and all(type(d) is int for d in shape)
    if not is_tuple or not is_shape(shape) or len(shape) > MAX_DIMENSIONS:
        raise ValueError(f"{shape!r} is not the shape of an array")
    if dtype.itemsize == 0 and math.prod(shape) > MAX_HEADER_BYTES:
        raise ValueError(f"{math.prod(shape):,} elements of zero bytes: nothing in the file limits their number")
    return dtype, shape, bool(is_fortran)


def stored_type(dtype: DataType) -> np.dtype[Any] | None:
    """The NumPy type that stores tensors of ``dtype``; ``None`` for those without one, strings included."""
    import numpy as np

    if dtype.itemsize is None:
        return None
    if dtype.numpy.type.__module__ == "numpy" and dtype.numpy.name == dtype.label:
        return dtype.numpy
    field: np.dtype[Any] = np.dtype([(dtype.label, _FIELDS.get(dtype) or f"<u{dtype.itemsize}")])
    return field


_FIELDS = {
    DataType.QINT8: "i1",
    DataType.QINT16: "<i2",
    DataType.QINT32: "<i4",
    DataType.INT4: "i1",
    DataType.INT2: "i1",
}
"""What stores a type that NumPy lacks, where it is not an unsigned integer."""


def data_type(dtype: np.dtype[Any]) -> DataType:
    """The type of a tensor that is stored as ``dtype``; ``INVALID`` if TensorFlow has none."""
    import numpy as np

    if dtype.kind in "SU":
        return DataType.STRING
    if dtype == np.dtype("V2"):  # what ``np.save`` makes of an array of ml_dtypes.bfloat16
        return DataType.BFLOAT16
    if dtype.names is not None:
        return next((t for t in DataType if (t.label,) == dtype.names and stored_type(t) == dtype), DataType.INVALID)
    try:
        return DataType.from_numpy(dtype) if dtype.kind in "biufc" else DataType.INVALID
    except TypeError:
        return DataType.INVALID
