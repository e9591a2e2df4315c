"""A tensor in ONNX: a name, with its type and shape if known."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from graphscope.core.values.dtypes import DataType
from graphscope.core.values.payload import PAYLOAD_BYTES, Payload

if TYPE_CHECKING:
    from numpy.typing import NDArray

Dims = tuple[int | str | None, ...] | None
"""Dimensions: a size, the symbol of one that is known by name, or ``None``; ``None`` as a whole for an unknown rank."""


@dataclass(frozen=True, slots=True, eq=False)
class Value:
    """One tensor.

    Attributes:
        name: in the ONNX graph, or what a constant is to be called there if it is used.
        dtype: its element type, never a quantized one.
        dims: see :data:`Dims`.
        payload: the content of a constant.
        items: what is known of the elements of a short vector of integers, ``None`` for an unknown one.
    """

    name: str
    dtype: DataType
    dims: Dims = None
    payload: Payload | None = None
    items: tuple[int | None, ...] | None = None

    @property
    def rank(self) -> int | None:
        """The number of dimensions, if it is known."""
        return None if self.dims is None else len(self.dims)

    @property
    def is_small(self) -> bool:
        """Whether it is a constant that is cheap to read."""
        return self.payload is not None and (self.payload.nbytes or 0) <= PAYLOAD_BYTES

    def size(self, axis: int) -> int | None:
        """The size of dimension ``axis``, if it is known."""
        if self.dims is None or not -len(self.dims) <= axis < len(self.dims):
            return None
        size = self.dims[axis]
        return size if isinstance(size, int) else None

    def numpy(self) -> NDArray[Any] | None:
        """The content of a constant. Reads it."""
        return None if self.payload is None else self.payload.numpy()
