"""Features and labels as arrays, to train a head without its base."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from graphscope.core.values.payload import CHUNK_BYTES, ArrayPayload, Payload
from graphscope.training.data.source import Dataset
from graphscope.training.features.store import FeatureStore

if TYPE_CHECKING:
    from numpy.typing import NDArray


class FeaturePayload(Payload):
    """All rows of one tensor of a store. Streamed."""

    __slots__ = ("_number", "_store")

    def __init__(self, store: FeatureStore, number: int) -> None:
        spec = store.specs[number]
        super().__init__(spec.dtype, (len(store), *spec.shape))
        self._store = store
        self._number = number

    def chunks(self) -> Iterator[bytes]:
        """See :meth:`Payload.chunks`; a row may be larger than a piece."""
        import numpy as np

        rows = max(CHUNK_BYTES // max(self._store.layout.row_bytes, 1), 1)
        for first in range(0, len(self._store), rows):
            indices = np.arange(first, min(first + rows, len(self._store)))
            yield self._store.read(indices)[self._number].tobytes()


def feature_arrays(store: FeatureStore, source: Dataset) -> Iterator[tuple[str, Payload]]:
    """``x`` (several tensors: ``x0``, ``x1``, ...), ``y``, ``keys``, and ``classes`` where they have names."""
    names = ["x"] if len(store.specs) == 1 else [f"x{number}" for number in range(len(store.specs))]
    yield from ((name, FeaturePayload(store, number)) for number, name in enumerate(names))
    yield "y", ArrayPayload(source.labels)
    yield "keys", ArrayPayload(_strings(source.keys))
    if source.classes:
        yield "classes", ArrayPayload(_strings(source.classes))


def _strings(texts: Any) -> NDArray[Any]:
    import numpy as np

    return np.array([text.encode("utf-8", "surrogateescape") for text in texts], object)
