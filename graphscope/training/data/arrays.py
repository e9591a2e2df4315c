"""NumPy archives with ``x`` and ``y``: rows are read from the file, never the whole array."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from graphscope.advice import Advice, Option
from graphscope.core.values.dtypes import DataType
from graphscope.core.values.payload import Payload
from graphscope.errors import CorruptFileError, UnknownNameError, UnsupportedError
from graphscope.feeding.inputs import Input
from graphscope.formats.archives.npy import header_bytes, stored_type
from graphscope.formats.archives.npz import NpzStore
from graphscope.training.data.cache import digest, keep, stamp
from graphscope.training.data.keys import Numbered
from graphscope.training.data.rows import Rows, header_rows, npy_rows
from graphscope.training.data.schema import parse_schema
from graphscope.training.data.source import DataOptions, Stored

if TYPE_CHECKING:
    from numpy.typing import NDArray

DEFAULT = "x=x,y=y"


def open_npz(path: Path, into: Input, options: DataOptions) -> Stored:
    """Reads the arrays ``x`` (n, ...) and ``y`` (n) or (n, width), or those named by the schema; also ``keys`` and ``classes``.

    A compressed array is decompressed once, into the cache.

    Raises:
        UnknownNameError: there is no such array.
        CorruptFileError: the archive is damaged, or lengths differ.
        UnsupportedError: ``x`` has no rows, or holds text or objects.
    """
    names = parse_schema(options.schema or DEFAULT)
    store = NpzStore(path)
    for name in names.values():
        if name not in store.entries:
            hint = Advice(Option("schema", "x=NAME,y=NAME"), "   says which arrays hold inputs and labels")
            raise UnknownNameError(f"array of {path}", name, store.entries, hint=hint)
    _refuse_counts(store, names)
    rows = _rows(store, names["x"], options)
    labels = store.payload(names["y"]).numpy()
    count = rows.shape[0]
    keys = list(_texts(store, names.get("key", "keys"))) or Numbered(count)
    if len(keys) != count:
        raise CorruptFileError(f"{count:,} examples have {len(keys):,} keys", path=path)
    return Stored(
        lambda indices: into.values(rows.take(indices)),
        labels,
        keys,
        digest("npz", stamp(path), names["x"]),
        tuple(_texts(store, "classes")),
    )


def _refuse_counts(store: NpzStore, names: Mapping[str, str]) -> None:
    """Refuses different numbers of inputs and labels."""
    x, y = (store.entries[names[part]].shape for part in ("x", "y"))
    if x and not y:
        raise CorruptFileError(f"{names['y']} is a scalar, but one label per example is expected", path=store.path)
    if x and x[0] != y[0]:
        raise CorruptFileError(f"{names['x']} has {x[0]:,} rows, {names['y']} {y[0]:,}", path=store.path)


def _texts(store: NpzStore, name: str) -> Iterator[str]:
    """The strings in array ``name``; none if there is no such array."""
    if name in store.entries:
        for text in store.payload(name).numpy().reshape(-1).tolist():
            yield text.decode("utf-8", "surrogateescape") if isinstance(text, bytes) else str(text)


def _rows(store: NpzStore, name: str, options: DataOptions) -> Rows:
    payload = store.payload(name)  # which refuses what is no array of a tensor
    place = store.place(name)
    if place is not None:
        if payload.dtype is not DataType.STRING:  # which is in memory already
            deque(payload.chunks(), 0)  # compares the checksum, which rows that are read by position cannot
        return header_rows(store.path, *place)
    path = keep(options.cache, f"inflated-{digest(stamp(store.path), name)}.npy", lambda: _npy(payload, store.path))
    return npy_rows(path)


def _npy(payload: Payload, path: Path) -> Iterable[bytes]:
    """A ``.npy`` file."""
    dtype = stored_type(payload.dtype)
    if dtype is None:
        raise UnsupportedError(f"an array of {payload.dtype.label}, whose rows cannot be read one by one", path=path)
    yield header_bytes(dtype, payload.shape)
    yield from payload.chunks()


def open_arrays(x: NDArray[Any], y: NDArray[Any], fingerprint: str, into: Input) -> Stored:
    """Arrays in memory."""
    return Stored(lambda indices: into.values(x[indices]), y, Numbered(len(x)), fingerprint)
