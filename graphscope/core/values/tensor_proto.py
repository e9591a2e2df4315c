"""``TensorProto`` -> NumPy array.

A tensor's elements are in ``tensor_content``, as they are in memory, or in the repeated field of its type; of the latter there
may be fewer than elements, and the last one then stands for all that follow, or zero, if there are none.

Sources: ``tensorflow/core/framework/{tensor.proto,tensor.cc}``, ``DecodeStringList`` in ``tsl/platform/tstring_coding``
(2.21); ``tf.make_ndarray`` is what the tests compare with.
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

from graphscope.core.tensors import shape_of
from graphscope.core.values.dtypes import DataType
from graphscope.errors import CorruptFileError, UnsupportedError
from graphscope.named_tuple import NamedTuple
from graphscope.protos import TensorProto

if TYPE_CHECKING:
    from numpy.typing import NDArray

MAX_FILLED_BYTES = 1 << 31
"""A tensor that states fewer values than elements is not made larger than this: no message holds one that is."""

_FILLED_STRING_BYTES = 128
"""How much of that a string takes, whose array is turned into lists and texts."""

_INT_TYPES = (
    *(DataType.INT32, DataType.INT16, DataType.INT8, DataType.UINT16, DataType.UINT8),
    *(DataType.QINT32, DataType.QINT16, DataType.QINT8, DataType.QUINT16, DataType.QUINT8),
    *(DataType.INT4, DataType.UINT4, DataType.INT2, DataType.UINT2),
)
_FLOAT8_TYPES = (
    *(DataType.FLOAT8_E5M2, DataType.FLOAT8_E4M3FN, DataType.FLOAT8_E4M3FNUZ, DataType.FLOAT8_E4M3B11FNUZ),
    *(DataType.FLOAT8_E5M2FNUZ, DataType.FLOAT4_E2M1FN),
)
FIELDS: dict[DataType, tuple[str, str]] = {
    **dict.fromkeys(_INT_TYPES, ("int_val", "<i4")),
    **dict.fromkeys(_FLOAT8_TYPES, ("float8_val", "u1")),
    DataType.FLOAT: ("float_val", "<f4"),
    DataType.DOUBLE: ("double_val", "<f8"),
    DataType.COMPLEX64: ("scomplex_val", "<f4"),
    DataType.COMPLEX128: ("dcomplex_val", "<f8"),
    DataType.HALF: ("half_val", "<i4"),
    DataType.BFLOAT16: ("half_val", "<i4"),
    DataType.INT64: ("int64_val", "<i8"),
    DataType.UINT32: ("uint32_val", "<u4"),
    DataType.UINT64: ("uint64_val", "<u8"),
    DataType.BOOL: ("bool_val", "?"),
    DataType.STRING: ("string_val", "O"),
}
"""For each type, the repeated field that holds its values and how one of them is stored there."""

_COMPLEX = (DataType.COMPLEX64, DataType.COMPLEX128)
_TYPES = {int(dtype): dtype for dtype in DataType}
_BITS = (DataType.HALF, DataType.BFLOAT16)


class Stated(NamedTuple):
    """What a ``TensorProto`` says of its elements.

    Attributes:
        shape: of the tensor.
        values: the first elements, one-dimensional.
        missing: how many elements follow that have no value of their own.
        fill: what stands for them, shape (1,).
    """

    shape: tuple[int, ...]
    values: NDArray[Any]
    missing: int
    fill: NDArray[Any]

    @classmethod
    def of(cls, proto: TensorProto, *, where: str) -> Stated:
        """Reads ``proto``; no memory is taken for elements without a value.

        Raises:
            CorruptFileError: the values do not fit type and shape.
            UnsupportedError: a resource or variant; a fill of more than :data:`MAX_FILLED_BYTES`.
        """
        dtype = DataType.of(proto.dtype)
        if dtype not in FIELDS:
            label = dtype.label if dtype is not DataType.INVALID else f"type {proto.dtype}"
            raise UnsupportedError(f"{label} has no NumPy equivalent", path=where)
        shape = _shape(proto, where)
        count = math.prod(shape)
        if proto.tensor_content:
            values = _content(proto.tensor_content, dtype, count, where)
        else:
            values = stored_values(proto, dtype, where)
        if len(values) > count:
            raise CorruptFileError(f"{len(values):,} values for {count:,} elements of shape {list(shape)}", path=where)
        if len(values) < count:
            _refuse_fill(values, count, where)
        return cls(shape, values, count - len(values), _fill(values))


def decode(proto: TensorProto, *, where: str) -> NDArray[Any]:
    """The array that ``proto`` states; strings as an object array of ``bytes``. It may be read-only.

    Args:
        where: what errors call it: a file, a node's name.

    Raises:
        CorruptFileError: the values do not fit type and shape.
        UnsupportedError: a resource or variant; a fill of more than :data:`MAX_FILLED_BYTES`; more dimensions than NumPy has.
    """
    stated = Stated.of(proto, where=where)
    try:
        return _whole(stated).reshape(stated.shape)
    except ValueError as error:
        raise UnsupportedError(f"shape {list(stated.shape)}: {error}", path=where) from error


def check_size(proto: TensorProto, *, where: str) -> None:
    """Compares how much is stored with type and shape; decodes nothing.

    Raises:
        CorruptFileError: a dimension is negative, or there is more content than elements, or (bytes) less.
    """
    sizes = [dim.size for dim in proto.tensor_shape.dim]
    count = math.prod(sizes)
    if count < 0 or count >= 1 << 63 or (count == 0 and min(sizes) < 0):
        raise CorruptFileError(f"a tensor cannot have the shape {sizes}", path=where)
    dtype = _TYPES.get(proto.dtype, DataType.INVALID)
    content = len(proto.tensor_content)
    if not content:
        stored = len(getattr(proto, FIELDS[dtype][0])) // (2 if dtype in _COMPLEX else 1) if dtype in FIELDS else 0
        if stored > count:
            raise CorruptFileError(f"{stored:,} values for {count:,} elements of shape {sizes}", path=where)
    elif dtype.itemsize is not None and content != count * dtype.itemsize:
        wanted = f"{dtype.label} {sizes} takes {count * dtype.itemsize:,} bytes"
        raise CorruptFileError(f"{wanted}, but {content:,} are stored", path=where)


def stored_values(proto: TensorProto, dtype: DataType, where: str) -> NDArray[Any]:
    """The values in the repeated field for ``dtype``, one-dimensional, as they are: no fill, whatever the shape says.

    Raises:
        CorruptFileError: a value is out of the type's range, or a complex one lacks its second half.
    """
    import numpy as np

    name, stored = FIELDS[dtype]
    values = getattr(proto, name)
    if dtype is DataType.STRING:
        return _objects(values)
    if name == "float8_val":
        return np.frombuffer(values, dtype.numpy)
    array = np.fromiter(values, stored, len(values))
    if dtype in _COMPLEX:
        if len(array) % 2:
            raise CorruptFileError(f"{len(array):,} numbers are not pairs of real and imaginary parts", path=where)
        return array.view(dtype.numpy)
    return _narrow(array, dtype, where)


def _narrow(array: NDArray[Any], dtype: DataType, where: str) -> NDArray[Any]:
    """Integers that were stored in a wider type, as their own; half-precision floats from their bits."""
    import numpy as np

    target = np.dtype("<u2") if dtype in _BITS else dtype.numpy
    if array.dtype == target:
        return array
    narrow = array.astype(target)
    if (narrow.astype(array.dtype) != array).any():
        raise CorruptFileError(f"a value is out of the range of {dtype.label}", path=where)
    return narrow.view(dtype.numpy)


def _shape(proto: TensorProto, where: str) -> tuple[int, ...]:
    shape = shape_of(proto.tensor_shape)
    if shape is None or None in shape:
        raise CorruptFileError("a tensor's content needs a known shape", path=where)
    return tuple(d or 0 for d in shape)


def _content(content: bytes, dtype: DataType, count: int, where: str) -> NDArray[Any]:
    import numpy as np

    if dtype.itemsize is None:
        return _objects(_string_list(content, count, where))
    if len(content) != count * dtype.itemsize:
        stated = f"{count:,} elements of {dtype.label} take {count * dtype.itemsize:,} bytes"
        raise CorruptFileError(f"{stated}, but tensor_content has {len(content):,}", path=where)
    return np.frombuffer(content, dtype.numpy)


def _refuse_fill(values: NDArray[Any], count: int, where: str) -> None:
    size = count * (_FILLED_STRING_BYTES if values.dtype.hasobject else values.dtype.itemsize)
    if size > MAX_FILLED_BYTES:
        raise UnsupportedError(f"{len(values):,} values stand for {count:,} elements ({size:,} bytes)", path=where)


def _fill(values: NDArray[Any]) -> NDArray[Any]:
    """The last of ``values``; if there is none, zero or an empty string."""
    import numpy as np

    if len(values):
        return values[-1:]
    return np.array([b""], np.object_) if values.dtype.hasobject else np.zeros(1, values.dtype)


def _whole(stated: Stated) -> NDArray[Any]:
    """All elements, one-dimensional."""
    import numpy as np

    values = stated.values
    if not stated.missing:
        return values
    fill = stated.fill[0] if values.dtype.hasobject else stated.fill
    array = np.full(len(values) + stated.missing, fill, values.dtype)
    array[: len(values)] = values
    return array


def _objects(strings: Iterable[bytes]) -> NDArray[Any]:
    import numpy as np

    return np.fromiter(strings, np.object_)


def _string_list(content: bytes, count: int, where: str) -> list[bytes]:
    """Strings in ``tensor_content``: a varint length for each, then their bytes one after the other."""
    lengths: list[int] = []
    length = shift = at = 0
    for at, byte in enumerate(content, 1):  # noqa: B007 - where the bytes begin
        length |= (byte & 0x7F) << shift
        shift += 7
        if byte < 0x80:
            lengths.append(length)
            length = shift = 0
        if len(lengths) == count or shift > 63:
            break
    if len(lengths) != count or at + sum(lengths) != len(content):
        raise CorruptFileError(f"tensor_content does not hold {count:,} strings", path=where)
    strings = []
    for length in lengths:
        strings.append(content[at : at + length])
        at += length
    return strings
