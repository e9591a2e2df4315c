"""Values by name, in memory or in other files, as a checkpoint holds them."""

from __future__ import annotations

from collections.abc import Mapping

from graphscope.core.payload import Payload
from graphscope.core.variables import Entry


class PayloadStore:
    """A :class:`graphscope.core.variables.VariableStore` of payloads."""

    def __init__(self, payloads: Mapping[str, Payload]) -> None:
        self._payloads = payloads
        self.entries = {key: Entry(key, p.dtype, p.shape, 0, 0, p.nbytes) for key, p in payloads.items()}

    def payload(self, key: str) -> Payload:
        """The content behind ``key``; raises ``KeyError`` where there is none."""
        return self._payloads[key]
