"""Partitions of variables: what part of a saved tensor one variable op holds.

Source: ``tensorflow/core/util/saved_tensor_slice_util.cc`` (``ParseShapeAndSlice``).
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from graphscope.core.values.payload import ArrayPayload, Payload
from graphscope.errors import IncompleteModelError

if TYPE_CHECKING:
    from numpy.typing import NDArray

Slice = tuple[tuple[int, int], ...]
"""Start and length in each dimension."""


def parse_slice(text: str) -> Slice | None:
    """``784 10 0,196:-`` is rows 0 to 195 of a 784 x 10 tensor, all columns; ``None`` if ``text`` is no such thing."""
    *dimensions, spec = text.split(" ")
    parts = spec.split(":")
    if len(parts) != len(dimensions) or not all(map(_is_number, dimensions)):
        return None
    extents = [_extent(part, int(size)) for part, size in zip(parts, dimensions, strict=True)]
    return None if None in extents else tuple(e for e in extents if e is not None)


def whole_shape(text: str) -> tuple[int, ...] | None:
    """The shape of the tensor that ``text`` names a part of: ``784 10 0,196:-`` is (784, 10)."""
    return None if parse_slice(text) is None else tuple(map(int, text.split(" ")[:-1]))


def _extent(part: str, size: int) -> tuple[int, int] | None:
    """``3,4`` is 3 to 6; ``-`` is everything."""
    if part == "-":
        return 0, size
    start, _, length = part.partition(",")
    return (int(start), int(length)) if _is_number(start) and _is_number(length) else None


def _is_number(text: str) -> bool:
    return text.isascii() and text.isdigit() and len(text) < 20


class SlicePayload(Payload):
    """A rectangular part of another payload: start and length in each dimension. Reading it reads the whole."""

    __slots__ = ("part", "whole")

    def __init__(self, whole: Payload, part: Slice) -> None:
        super().__init__(whole.dtype, tuple(length for _, length in part))
        self.whole = whole
        self.part = part

    def chunks(self) -> Iterator[bytes]:
        """See :meth:`Payload.chunks`."""
        return ArrayPayload(self.numpy(), self.dtype).chunks()

    def numpy(self) -> NDArray[Any]:
        """See :meth:`Payload.numpy`.

        Raises:
            IncompleteModelError: what is stored is too small to have such a part: it belongs to another graph.
        """
        shape = self.whole.shape
        if len(shape) != len(self.part) or any(a + n > size for (a, n), size in zip(self.part, shape, strict=True)):
            raise IncompleteModelError(f"a part of {list(self.part)} is wanted of a stored tensor of {list(shape)}")
        array: NDArray[Any] = self.whole.numpy()[tuple(slice(start, start + length) for start, length in self.part)]
        return array
