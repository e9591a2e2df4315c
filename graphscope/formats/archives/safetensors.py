"""safetensors: a JSON list of tensors, then their contents one after the other.

::

    file     header-size:u64 header content
    header   {"name": {"dtype": "F32", "shape": [2, 3], "data_offsets": [0, 24]}, ..., "__metadata__": {"key": "value"}}

Numbers are little-endian, tensors in row-major order, offsets count from the end of the header; the contents fill the rest of
the file without holes. Source: https://github.com/huggingface/safetensors, ``README.md`` and
``safetensors/src/tensor.rs`` (0.8).
"""

from __future__ import annotations

import json
import math
import os
import struct
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from graphscope.core.model import Model
from graphscope.core.values.dtypes import DataType
from graphscope.core.values.payload import Payload
from graphscope.core.variables.variables import Entry
from graphscope.errors import CorruptFileError, UnsupportedError
from graphscope.formats.archives.npy import MAX_DIMENSIONS
from graphscope.formats.archives.weights import weights_of
from graphscope.formats.checkpoint.rules import is_shape
from graphscope.formats.io.progress import Progress, quiet, report_chunks
from graphscope.formats.io.staging import staged_files
from graphscope.formats.io.wire import FileSource
from graphscope.formats.lazy.payloads import RegionPayload

if TYPE_CHECKING:
    from graphscope.formats.registry import WriteOptions

NAMES = {
    DataType.BOOL: "BOOL",
    DataType.UINT8: "U8",
    DataType.INT8: "I8",
    DataType.FLOAT8_E5M2: "F8_E5M2",
    DataType.FLOAT8_E4M3FN: "F8_E4M3",
    DataType.FLOAT8_E5M2FNUZ: "F8_E5M2FNUZ",
    DataType.FLOAT8_E4M3FNUZ: "F8_E4M3FNUZ",
    DataType.INT16: "I16",
    DataType.UINT16: "U16",
    DataType.HALF: "F16",
    DataType.BFLOAT16: "BF16",
    DataType.INT32: "I32",
    DataType.UINT32: "U32",
    DataType.FLOAT: "F32",
    DataType.COMPLEX64: "C64",
    DataType.DOUBLE: "F64",
    DataType.INT64: "I64",
    DataType.UINT64: "U64",
}
"""The names in safetensors of the common types."""

MAX_HEADER_BYTES = 100_000_000
"""The format's own limit."""

METADATA = "__metadata__"
_TYPES = {name: dtype for dtype, name in NAMES.items()}
_SIZE_BYTES = 8
_ALIGNMENT = 8


def is_safetensors(head: bytes, size: int) -> bool:
    """Whether a file of ``size`` bytes that begins with ``head`` has the size of a header first, then ``{``."""
    return (
        head[_SIZE_BYTES : _SIZE_BYTES + 1] == b"{"
        and int.from_bytes(head[:_SIZE_BYTES], "little") <= size - _SIZE_BYTES
    )


def write_safetensors(
    path: str | os.PathLike[str],
    tensors: Iterable[tuple[str, Payload]],
    *,
    overwrite: bool = False,
    progress: Progress = quiet,
) -> int:
    """Writes ``tensors`` by name, those of wider types first, so that each begins at a multiple of its item size.

    Args:
        progress: receives the number of bytes of tensors as they are written.

    Returns:
        The size in bytes.

    Raises:
        FileError: the file exists and ``overwrite`` is not set, or cannot be written; an existing file is kept.
        UnsupportedError: a tensor is of a type that safetensors has no name for, or two have the same name.
        CorruptFileError, IncompleteModelError: a tensor cannot be read.
    """
    ordered = sorted(tensors, key=lambda item: -(item[1].dtype.itemsize or 0))
    header = _header(ordered, path)
    with staged_files([Path(path)], overwrite=overwrite) as [file]:
        file.write(header)
        for _, payload in ordered:
            file.writelines(report_chunks(payload.chunks(), progress))
        return file.tell()


def write_model(model: Model, path: str | os.PathLike[str], options: WriteOptions) -> int:
    """Writes the weights of ``model`` by name, see :func:`weights_of`.

    Returns the size in bytes; raises as :func:`write_safetensors`.
    """
    return write_safetensors(path, weights_of(model), overwrite=options.overwrite, progress=options.progress)


def _header(tensors: Iterable[tuple[str, Payload]], path: str | os.PathLike[str]) -> bytes:
    found: dict[str, Any] = {}
    end = 0
    for name, payload in tensors:
        if payload.dtype not in NAMES:
            raise UnsupportedError(f"{name}: safetensors has no type for {payload.dtype.label}", path=path)
        if name in found or name == METADATA:
            raise UnsupportedError(f"no second tensor can be called {name!r}", path=path)
        start, end = end, end + (payload.nbytes or 0)
        found[name] = {"dtype": NAMES[payload.dtype], "shape": payload.shape, "data_offsets": (start, end)}
    text = json.dumps(found, ensure_ascii=False, separators=(",", ":")).encode()
    text += b" " * (-len(text) % _ALIGNMENT)
    if len(text) > MAX_HEADER_BYTES:
        raise UnsupportedError(f"the list of tensors takes {len(text):,} bytes, more than readers accept", path=path)
    return struct.pack("<Q", len(text)) + text


class SafetensorsStore:
    """The tensors of a ``.safetensors`` file; see :class:`graphscope.core.variables.variables.VariableStore`.

    Attributes:
        path: the file.
        entries: name -> entry, in the header's order.
    """

    def __init__(self, path: str | os.PathLike[str]) -> None:
        """Reads the header.

        Raises:
            FileError: the file cannot be read.
            CorruptFileError: the header is broken, or says something else than the file holds.
        """
        self._source = FileSource(path)
        self.path = self._source.path
        size = self._header_size()
        self._start = _SIZE_BYTES + size
        header = self._parse(self._source.read(_SIZE_BYTES, size))
        header.pop(METADATA, None)
        self._offsets: dict[str, int] = {}
        self._labels: dict[str, str] = {}
        self.entries: Mapping[str, Entry] = {name: self._entry(name, stated) for name, stated in header.items()}
        self._refuse_holes()

    def payload(self, key: str) -> Payload:
        """See :meth:`VariableStore.payload`.

        Raises:
            KeyError: there is no such tensor.
            UnsupportedError: it has a type that TensorFlow does not have.
        """
        entry = self.entries[key]
        if entry.dtype is DataType.INVALID:
            raise UnsupportedError(f"{key}: TensorFlow has no type for {self._labels[key]}", path=self.path)
        offset, size = self._start + self._offsets[key], entry.stored_bytes or 0
        return RegionPayload(self._source, offset, size, entry.dtype, entry.shape, what=f"tensor {key}")

    def _header_size(self) -> int:
        size = int.from_bytes(self._source.read(0, _SIZE_BYTES), "little")
        if size > min(MAX_HEADER_BYTES, self._source.size - _SIZE_BYTES):
            raise self._source.corrupt(f"not a safetensors file: its header claims {size:,} bytes", 0)
        return size

    def _parse(self, text: bytes) -> dict[str, Any]:
        try:
            header = json.loads(text.decode())
        except (ValueError, RecursionError) as error:
            raise self._source.corrupt(f"its header is not JSON: {error}", _SIZE_BYTES) from error
        if not isinstance(header, dict):
            raise self._source.corrupt("its header is not a JSON object", _SIZE_BYTES)
        return header

    def _entry(self, name: str, stated: Any) -> Entry:
        """One tensor, if its numbers are consistent."""
        fields = stated if isinstance(stated, dict) else {}
        label, shape, offsets = fields.get("dtype"), _sizes(fields.get("shape")), _sizes(fields.get("data_offsets"))
        if not isinstance(label, str) or shape is None or offsets is None or len(offsets) != 2:
            raise self._corrupt(name, f"{str(stated)[:80]} does not describe a tensor")
        start, end = offsets
        dtype = _TYPES.get(label, DataType.INVALID)
        if not is_shape(shape) or len(shape) > MAX_DIMENSIONS or not start <= end <= self._source.size - self._start:
            raise self._corrupt(name, f"shape {list(shape)}, bytes {start:,} to {end:,}: these do not fit together")
        if dtype.itemsize is not None and end - start != math.prod(shape) * dtype.itemsize:
            raise self._corrupt(name, f"{label} {list(shape)} does not take {end - start:,} bytes")
        self._offsets[name], self._labels[name] = start, label
        return Entry(name, dtype, shape, None, 0, end - start)

    def _refuse_holes(self) -> None:
        """Tensors lie side by side and fill the file: nothing is hidden, and no byte is read twice."""
        places = sorted((self._offsets[name], entry.stored_bytes or 0, name) for name, entry in self.entries.items())
        end = 0
        for start, size, name in places:
            if start != end:
                raise self._corrupt(
                    name, f"it begins at byte {start:,} of the contents, but the one before ends at {end:,}"
                )
            end += size
        if self._start + end != self._source.size:
            left = self._source.size - self._start - end
            raise self._source.corrupt(f"{left:,} bytes at its end belong to no tensor", self._start + end)

    def _corrupt(self, name: str, message: str) -> CorruptFileError:
        return self._source.corrupt(f"tensor {name}: {message}", _SIZE_BYTES)


def _sizes(value: Any) -> tuple[int, ...] | None:
    """A JSON list of numbers that are sizes; ``None`` for anything else."""
    is_list = isinstance(value, list) and all(type(v) is int and v >= 0 for v in value)
    return tuple(value) if is_list else None
