"""Checkpoints V2, "tensor bundles": ``prefix.index`` and ``prefix.data-00000-of-0000N``.

The index is a table (:mod:`graphscope.formats.io.sstable`): the key "" holds a ``BundleHeaderProto``, every other key a
``BundleEntryProto``, which says where in which data file a tensor lies. A partitioned tensor has an entry under its own
name, which lists its slices, and one for each slice under the key of :meth:`TensorSlice.key`.

Source: ``tensorflow/core/util/tensor_bundle/tensor_bundle.cc`` and ``tensorflow/core/protobuf/tensor_bundle.proto`` (2.21).
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import NamedTuple, TypeVar

from graphscope.core.values.dtypes import DataType
from graphscope.core.values.payload import Payload
from graphscope.core.variables.variables import Entry
from graphscope.errors import CorruptFileError, UnsupportedError
from graphscope.formats.checkpoint.bundle_payloads import BundleString, BundleTensor, Shards, SliceLocation
from graphscope.formats.checkpoint.partitioned import Part, PartitionedPayload, StoredPayload
from graphscope.formats.checkpoint.rules import check_versions, is_shape
from graphscope.formats.checkpoint.tensor_slice import TensorSlice
from graphscope.formats.io.paths import is_file
from graphscope.formats.io.sstable import Table
from graphscope.formats.io.wire import FileSource
from graphscope.protos import BundleEntryProto, BundleHeaderProto, DecodeError, Message, TensorShapeProto

M = TypeVar("M", bound=Message)

MAX_SHARDS = 100_000
"""More data files than this are not believed: the numbers in their names have five digits."""

_LITTLE_ENDIAN = 0
_SHAPE = b"\x12"
"""With what the shape begins in an entry; the numbers behind it may have that byte too."""


class _Stored(NamedTuple):
    """A ``BundleEntryProto`` in plain values: fifty thousand messages would take seconds and megabytes."""

    type_number: int
    shape: tuple[int, ...]
    shard: int
    offset: int
    size: int
    masked_crc: int
    slices: tuple[TensorSlice, ...]


class BundleStore:
    """The tensors of a V2 checkpoint; see :class:`graphscope.core.variables.variables.VariableStore`.

    Attributes:
        prefix: the prefix of its files; may end in a slash.
        entries: key -> entry, in the file's order. Slices of partitioned tensors are part of their tensor's entry. In a key
            that is not UTF-8 the odd bytes are written as ``\\xNN``. Read lazily, a single one costs one block.
    """

    def __init__(self, prefix: str, *, lazily: bool = False) -> None:
        """Reads ``prefix.index``; the data files may be missing.

        Args:
            lazily: reads no more than the header. What is broken elsewhere is found when it is asked for.

        Raises:
            FileError: there is no index.
            CorruptFileError: the index is broken or inconsistent.
            UnsupportedError: the tensors are big-endian, or need a newer reader.
        """
        self.prefix = prefix
        self._source = FileSource(f"{prefix}.index")
        self._table = Table(self._source)
        self._shards = Shards(prefix, self._read_header(self._table.items()))
        self._shapes: dict[bytes, tuple[int, ...]] = {}
        self._stored: dict[bytes, _Stored] = {}
        self._keys: dict[str, bytes] = {}
        self.entries: Mapping[str, Entry] = _LoneEntries(self)
        if not lazily:
            self.read_all()

    def read_all(self) -> Mapping[str, Entry]:
        """Reads the whole index, unless it was read before; returns :attr:`entries`, from now on a plain dictionary.

        Raises:
            CorruptFileError: as the constructor.
        """
        if not isinstance(self.entries, _LoneEntries):
            return self.entries
        items = self._table.items()
        next(items)
        stored = self._stored = dict(self._read_entries(items))
        self._refuse_overlaps(stored)
        slices = self._slice_keys()
        self._keys = {_text(key): key for key in stored if key not in slices}
        if len(self._keys) + len(slices & stored.keys()) != len(stored):
            raise self._source.corrupt("names that are not UTF-8 cannot be distinguished")
        self.entries = {name: _entry(name, stored[key]) for name, key in self._keys.items()}
        return self.entries

    def read_one(self, name: str) -> Entry | None:
        """The entry of ``name``; ``None`` if there is none. Reads the one block of the index that can hold it.

        Raises:
            CorruptFileError: that block or the entry is broken.
        """
        if not name.isprintable() or "\\x" in name:  # perhaps of a slice, or not UTF-8: told apart among all
            return self.read_all().get(name)
        key = name.encode()
        stored = self._look_up(key) if key else None
        if stored is None:
            return None
        self._keys[name] = key
        return _entry(name, stored)

    def _look_up(self, key: bytes) -> _Stored | None:
        stored = self._stored.get(key)
        value = self._table.get(key) if stored is None and isinstance(self.entries, _LoneEntries) else None
        if value is not None:
            [(_, stored)] = self._read_entries([(key, value)])
            self._stored[key] = stored
        return stored

    @property
    def shard_paths(self) -> list[Path]:
        """The data files listed in the index, whether they exist or not."""
        return [self._shards.path(number) for number in range(self._shards.count)]

    @property
    def files(self) -> list[tuple[Path, bool]]:
        """The data files that the index announces, each with whether it exists."""
        return [(path, is_file(path)) for path in self.shard_paths]

    def payload(self, key: str) -> Payload:
        """See :meth:`VariableStore.payload`.

        Raises:
            KeyError, UnsupportedError: as there.
            CorruptFileError: the slices of a partitioned tensor do not make up the whole.
        """
        entry, raw_key = self.entries[key], self._keys[key]
        stored = self._stored[raw_key]
        if entry.dtype.itemsize is None and entry.dtype is not DataType.STRING:
            label = entry.dtype.label if entry.dtype is not DataType.INVALID else f"type {stored.type_number}"
            raise UnsupportedError(f"variable {key}: {label} has no NumPy equivalent", path=self._source.path)
        if not stored.slices:
            return self._payload(stored, entry.dtype, f"variable {key}")
        parts = [self._part(raw_key, entry, place) for place in stored.slices]
        self._refuse_overlaps({key: self._stored[key] for key in (place.key(raw_key) for place in stored.slices)})
        return PartitionedPayload(parts, entry.dtype, entry.shape, lambda text: self._corrupt(raw_key, text))

    def messages(self, keys: Iterable[str]) -> list[tuple[bytes, BundleEntryProto]]:
        """The index's own entries of ``keys`` and of their slices, in the file's order. Reads the index again."""
        self.read_all()
        wanted = {self._keys[key] for key in keys}
        wanted |= {place.key(key) for key in wanted for place in self._stored[key].slices}
        items = self._table.items()
        next(items)
        return [(key, self._parse(BundleEntryProto, key, bytes(value))) for key, value in items if key in wanted]

    def _read_header(self, items: Iterator[tuple[bytes, memoryview]]) -> int:
        """Takes the first item, checks what the header says, and returns the number of data files."""
        key, value = next(items, (None, memoryview(b"")))
        if key != b"":
            raise self._source.corrupt("not a checkpoint index: the table does not start with a header")
        header = self._parse(BundleHeaderProto, key, bytes(value))
        if header.endianness != _LITTLE_ENDIAN:
            raise UnsupportedError("its tensors are stored big-endian", path=self._source.path)
        check_versions(header.version, self._source)
        if not 0 <= header.num_shards <= MAX_SHARDS:
            raise self._source.corrupt(f"the header announces {header.num_shards:,} data files")
        return header.num_shards

    def _read_entries(self, items: Iterable[tuple[bytes, memoryview]]) -> Iterator[tuple[bytes, _Stored]]:
        """The entries, unless the shape or place of one is what no writer makes."""
        count, shapes = self._shards.count, self._shapes
        for key, value in items:
            data = bytes(value)
            proto = self._parse(BundleEntryProto, key, data)
            head = _type_and_shape(data)
            is_whole = bool(head) and data.find(_SHAPE, len(head)) < 0  # a second shape would add dimensions
            shape = shapes.get(head) if is_whole else None
            if shape is None:
                shape = self._shape(key, proto.shape)
                if is_whole:
                    shapes[head] = shape
            shard, offset, size = proto.shard_id, proto.offset, proto.size
            if size < 0 or offset < 0 or not 0 <= shard < count:
                place = f"{size:,} bytes at byte {offset:,} of data file {shard:,}"
                raise self._corrupt(key, f"{place} is not a place in the file, with {count:,} data files")
            slices = tuple(map(TensorSlice.of, proto.slices)) if proto.slices else ()
            yield key, _Stored(proto.dtype, shape, shard, offset, size, proto.crc32c, slices)

    def _shape(self, key: bytes, stated: TensorShapeProto) -> tuple[int, ...]:
        shape = tuple([d.size for d in stated.dim])
        if stated.unknown_rank or not is_shape(shape):
            raise self._corrupt(key, f"{list(shape)} is not the shape of a tensor")
        return shape

    def _parse(self, kind: type[M], key: bytes, data: bytes) -> M:
        try:
            return kind.FromString(data)
        except DecodeError as error:
            raise self._corrupt(key, f"no {kind.DESCRIPTOR.name}: {error}") from error

    def _refuse_overlaps(self, tensors: Mapping[bytes, _Stored]) -> None:
        """Tensors lie side by side: that bounds what reading them all can take by the size of the files."""
        if _ascend(tensors.values()):
            return
        places = [(s.shard, s.offset, s.size, key) for key, s in tensors.items() if s.size]
        end = (0, 0)
        for shard, offset, size, key in sorted(places):
            if (shard, offset) < end:
                raise self._corrupt(key, f"its value, at byte {offset:,} of data file {shard}, overlaps another")
            end = (shard, offset + size)

    def _slice_keys(self) -> set[bytes]:
        """The keys under which the slices of partitioned tensors are."""
        return {place.key(key) for key, stored in self._stored.items() if stored.slices for place in stored.slices}

    def _part(self, raw_key: bytes, entry: Entry, place: TensorSlice) -> Part:
        stored = self._look_up(place.key(raw_key))
        if stored is None:
            raise self._corrupt(raw_key, f"its slice {place} is not in the index")
        region = place.region(entry.shape)
        if region is None or stored.shape != tuple(extent.stop - extent.start for extent in region):
            raise self._corrupt(raw_key, f"its slice {place} of shape {list(stored.shape)} does not fit in")
        if stored.type_number != self._stored[raw_key].type_number or stored.slices:
            raise self._corrupt(raw_key, f"its slice {place} has another type")
        return Part(region, self._payload(stored, entry.dtype, f"variable {entry.key}, slice {place}"))

    def _payload(self, stored: _Stored, dtype: DataType, what: str) -> StoredPayload:
        place = SliceLocation(stored.shard, stored.offset, stored.size, stored.masked_crc)
        if dtype is DataType.STRING:
            return BundleString(self._shards, place, stored.shape, what)
        return BundleTensor(self._shards, place, dtype, stored.shape, what)

    def _corrupt(self, key: bytes, message: str) -> CorruptFileError:
        what = f"variable {_text(key)}" if key else "the header"
        return self._source.corrupt(f"{what}: {message}")


class _LoneEntries(Mapping[str, Entry]):
    """The entries of an index that has not been read: each is looked up by itself, until all are asked for."""

    def __init__(self, store: BundleStore) -> None:
        self._store = store

    def __getitem__(self, name: str) -> Entry:
        entry = self._store.read_one(name)
        if entry is None:
            raise KeyError(name)
        return entry

    def __iter__(self) -> Iterator[str]:
        return iter(self._store.read_all())

    def __len__(self) -> int:
        return len(self._store.read_all())


def _type_and_shape(entry: bytes) -> bytes:
    """The bytes of the two fields with which writers begin an entry, where each has a type or size of one byte; or none."""
    if len(entry) < 4 or entry[0] != 0x08 or entry[2] != 0x12 or entry[1] | entry[3] > 0x7F:
        return b""
    return entry[: 4 + entry[3]]


def _ascend(tensors: Iterable[_Stored]) -> bool:
    """Whether they lie one behind the other in this order, as writers leave them."""
    last = end = 0
    for _, _, shard, offset, size, _, _ in tensors:
        if shard != last:
            if shard < last:
                return False
            last, end = shard, 0
        if offset < end:
            return False
        end = offset + size
    return True


def _text(key: bytes) -> str:
    return str(key, "utf-8", "backslashreplace")


def _entry(name: str, stored: _Stored) -> Entry:
    number, shape, shard, _, size, _, slices = stored
    if slices:
        return Entry(name, DataType.of(number), shape, None, len(slices))
    return Entry(name, DataType.of(number), shape, shard, 0, size)
