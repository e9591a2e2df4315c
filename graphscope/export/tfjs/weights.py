"""Constants as TF.js stores them: consecutively, in manifest order, little-endian, in its own types.

Source: ``tfjs-core/src/io/io_utils.ts`` (``decodeWeights``), 4.22. A string is four bytes with its length, then its bytes.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from graphscope.core.graph import Node
from graphscope.core.values.dtypes import DataType
from graphscope.core.values.payload import Payload
from graphscope.export.refusal import NotExpressibleError
from graphscope.export.tfjs.element_types import Storage, storage

if TYPE_CHECKING:
    import numpy as np

_NARROWED = frozenset({DataType.INT64, DataType.DOUBLE, DataType.COMPLEX128})
"""Types that TF.js stores in half the size."""


SCALE, MIN = "_graphscope_scale", "_graphscope_min"
"""Attributes of a byte constant, whose bytes mean ``byte * scale + min``."""

_BYTES = Storage("float32", "u1")


@dataclass(frozen=True, slots=True)
class Weight:
    """A constant.

    Attributes:
        name: of its node.
        payload: its content in TensorFlow's type.
        stored: how TF.js stores that type.
        nbytes: its size in a weight file.
        quantization: how TF.js dequantizes the stored bytes, if they are quantized.
    """

    name: str
    payload: Payload
    stored: Storage
    nbytes: int
    quantization: Mapping[str, Any]

    @property
    def entry(self) -> dict[str, Any]:
        """Its entry in the manifest."""
        entry: dict[str, Any] = {"name": self.name, "shape": list(self.payload.shape), "dtype": self.stored.dtype}
        if self.quantization:
            entry["quantization"] = {**self.quantization, "original_dtype": self.stored.dtype}
        return entry

    def chunks(self) -> Iterator[bytes]:
        """Its content as TF.js reads it, piece by piece. Raises as :meth:`graphscope.core.values.payload.Payload.chunks`."""
        if not self.stored.element:
            for text in self.payload.listed():
                yield struct.pack("<I", len(text)) + text
        elif self.payload.dtype.numpy == _dtype(self.stored):
            yield from self.payload.chunks()
        else:
            for array in _arrays(self.payload):
                yield array.astype(_dtype(self.stored)).tobytes()


def weight(node: Node, payload: Payload) -> Weight:
    """The constant ``node`` for TF.js. Reads strings, and numbers that might not fit.

    Raises:
        NotExpressibleError: TF.js does not have the type, or cannot hold the values.
        CorruptFileError, IncompleteModelError: it cannot be read.
    """
    stored = _BYTES if SCALE in node.attrs else storage(payload.dtype)
    if stored is None:
        raise NotExpressibleError(f"TF.js has no type {payload.dtype.label}")
    if not stored.element:
        return Weight(node.name, payload, stored, sum(4 + len(text) for text in payload.listed()), {})
    if payload.dtype in _NARROWED:
        _refuse_overflow(payload, stored)
    return Weight(node.name, payload, stored, payload.elements * _dtype(stored).itemsize, _quantization(node, stored))


def _quantization(node: Node, stored: Storage) -> Mapping[str, Any]:
    if SCALE in node.attrs:
        return {"dtype": "uint8", "scale": node.attrs[SCALE].f, "min": node.attrs[MIN].f}
    return {"dtype": stored.quantization} if stored.quantization else {}


def _refuse_overflow(payload: Payload, stored: Storage) -> None:
    import numpy as np

    for array in _arrays(payload):
        with np.errstate(over="ignore"):
            narrowed = array.astype(_dtype(stored))
        same = narrowed == array if array.dtype.kind == "i" else np.isfinite(narrowed) == np.isfinite(array)
        if not same.all():
            raise NotExpressibleError(f"it holds {array[~same][0]}, which no {stored.dtype} can")


def _arrays(payload: Payload) -> Iterator[np.ndarray[Any, Any]]:
    import numpy as np

    for chunk in payload.chunks():
        yield np.frombuffer(chunk, payload.dtype.numpy)


def _dtype(stored: Storage) -> np.dtype[Any]:
    import numpy as np

    return np.dtype(stored.element)
