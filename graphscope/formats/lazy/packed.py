"""Elements of two or four bits, several to a byte, the first in the lowest bits, as ONNX and TensorFlow Lite store them."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from graphscope.core.values.dtypes import DataType
from graphscope.core.values.payload import ArrayPayload
from graphscope.formats.io.wire import FileSource
from graphscope.formats.lazy.payloads import RegionPayload

if TYPE_CHECKING:
    from numpy.typing import NDArray

BITS = {
    DataType.INT4: 4,
    DataType.UINT4: 4,
    DataType.FLOAT4_E2M1FN: 4,
    DataType.INT2: 2,
    DataType.UINT2: 2,
}
"""The types that are packed; in memory each element takes a byte."""

_SIGNED = frozenset({DataType.INT4, DataType.INT2})


def packed_bytes(dtype: DataType, elements: int) -> int:
    """How many bytes ``elements`` of the packed type ``dtype`` take."""
    return -(-elements * BITS[dtype] // 8)


def unpack(content: bytes, dtype: DataType, elements: int) -> NDArray[Any]:
    """The elements in ``content``, which has :func:`packed_bytes` of them, as a flat array."""
    import numpy as np

    bits = BITS[dtype]
    shifts = np.arange(0, 8, bits, dtype=np.uint8)
    codes = (np.frombuffer(content, np.uint8)[:, None] >> shifts & (1 << bits) - 1).reshape(-1)[:elements]
    if dtype in _SIGNED:
        sign = 1 << bits - 1
        return ((codes.astype(np.int8) ^ sign) - sign).astype(dtype.numpy)
    return codes.view(dtype.numpy) if dtype.is_floating else codes.astype(dtype.numpy)


class PackedPayload(RegionPayload):
    """Packed elements that are in a file: ``size`` bytes of ``source`` from ``offset``."""

    __slots__ = ()

    def check_size(self, *, scan: bool = False) -> None:  # noqa: ARG002 - the sizes are known
        """See :meth:`Payload.check_size`."""
        expected = packed_bytes(self.dtype, self.elements)
        if self.size != expected:
            stated = f"{self.dtype.label} {list(self.shape)} takes {expected:,} bytes"
            raise self.source.corrupt(f"{self.what}: {stated}, but {self.size:,} are stored", self.offset)

    def chunks(self) -> Iterator[bytes]:
        """See :meth:`Payload.chunks`."""
        self.check_size()
        content = self.source.read(self.offset, self.size)
        yield from ArrayPayload(unpack(content, self.dtype, self.elements), self.dtype).chunks()


def region(
    source: FileSource, offset: int, size: int, dtype: DataType, shape: tuple[int, ...], *, what: str
) -> RegionPayload:
    """``size`` bytes of ``source`` from ``offset``, packed or not, as ``dtype`` says."""
    kind = PackedPayload if dtype in BITS else RegionPayload
    return kind(source, offset, size, dtype, shape, what=what)
