"""Values by name, in memory or in other files, as a checkpoint holds them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any

from graphscope.core.dtypes import DataType
from graphscope.core.payload import Payload, repeat
from graphscope.core.variables import Entry

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


class PayloadStore:
    """A :class:`graphscope.core.variables.VariableStore` of payloads."""

    def __init__(self, payloads: Mapping[str, Payload]) -> None:
        self._payloads = payloads
        self.entries = {key: Entry(key, p.dtype, p.shape, 0, 0, p.nbytes) for key, p in payloads.items()}

    def payload(self, key: str) -> Payload:
        """The content behind ``key``; raises ``KeyError`` where there is none."""
        return self._payloads[key]
