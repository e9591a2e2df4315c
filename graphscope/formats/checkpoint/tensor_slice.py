"""Slices of partitioned tensors, and the keys under which both checkpoint formats store them.

Sources: ``tensorflow/core/framework/tensor_slice.cc``, ``EncodeTensorNameSlice`` in
``tensorflow/core/util/saved_tensor_slice_util.cc``, ``tensorflow/core/lib/strings/ordered_code.cc`` (2.21).
"""

from __future__ import annotations

import re

from graphscope.named_tuple import NamedTuple
from graphscope.protos import TensorSliceProto

WHOLE = -1
"""The length of an extent that takes the whole dimension."""

_SPECIAL = re.compile(rb"[\x00\xff]")
_ESCAPES = {b"\x00": b"\x00\xff", b"\xff": b"\xff\x00"}


class TensorSlice(NamedTuple):
    """A rectangular part of a tensor.

    Attributes:
        extents: start and length in each dimension; ``(0, WHOLE)`` where all of it is taken.
    """

    extents: tuple[tuple[int, int], ...]

    @classmethod
    def of(cls, proto: TensorSliceProto) -> TensorSlice:
        """As the message states it; a length that is absent means the whole dimension."""
        return cls(tuple((e.start, e.length if e.HasField("length") else WHOLE) for e in proto.extent))

    def __str__(self) -> str:
        """As TensorFlow writes it: ``0,196:-``."""
        return ":".join("-" if extent == (0, WHOLE) else f"{extent[0]},{extent[1]}" for extent in self.extents)

    def key(self, name: bytes) -> bytes:
        """The table key of this slice of the tensor ``name``."""
        parts = [_encode_unsigned(0), _string(name), _encode_unsigned(len(self.extents))]
        parts += [_encode_signed(number) for extent in self.extents for number in extent]
        return b"".join(parts)

    def region(self, shape: tuple[int, ...]) -> tuple[slice, ...] | None:
        """What it takes of a tensor of ``shape``; ``None`` if that is impossible."""
        if len(self.extents) != len(shape):
            return None
        region = []
        for (start, length), size in zip(self.extents, shape, strict=True):
            if (start, length) == (0, WHOLE):
                length = size
            elif start < 0 or length <= 0 or start + length > size:
                return None
            region.append(slice(start, start + length))
        return tuple(region)


def _encode_unsigned(number: int) -> bytes:
    """``WriteNumIncreasing``: how many bytes follow, then the number, the highest byte first, without leading zeros."""
    size = (number.bit_length() + 7) // 8
    return bytes([size]) + number.to_bytes(size, "big")


def _string(text: bytes) -> bytes:
    """``WriteString``: 00 becomes 00 ff, ff becomes ff 00, and 00 01 ends it."""
    return _SPECIAL.sub(lambda found: _ESCAPES[found[0]], text) + b"\x00\x01"


def _encode_signed(number: int) -> bytes:
    """``WriteSignedNumIncreasing``: in n bytes, n leading bits are one (all inverted for negative numbers), then a zero."""
    bits = (~number if number < 0 else number).bit_length()
    size = bits // 7 + 1
    header = ((1 << size) - 1) << (7 * size)
    mask = (1 << (8 * size)) - 1
    return ((number & mask) ^ header).to_bytes(size, "big")
