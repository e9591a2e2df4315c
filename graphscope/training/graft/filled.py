"""Constant tensors that take no memory."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from graphscope.core.values.dtypes import DataType
from graphscope.core.values.payload import Payload, repeat

if TYPE_CHECKING:
    import numpy as np


class FilledPayload(Payload):
    """One value everywhere: an optimizer's slots as they begin, which take no memory.

    Attributes:
        value: the element.
    """

    __slots__ = ("value",)

    def __init__(self, dtype: DataType, shape: tuple[int, ...], value: np.generic | np.ndarray[Any, Any]) -> None:
        super().__init__(dtype, shape)
        self.value = value

    def chunks(self) -> Iterator[bytes]:
        """See :meth:`Payload.chunks`."""
        return repeat(self.value.tobytes(), self.elements)
