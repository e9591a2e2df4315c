"""Checkpoints V2, "tensor bundles": ``prefix.index`` and ``prefix.data-00000-of-0000N``.

The index is a table (:mod:`graphscope.formats.io.sstable`): the key "" holds a ``BundleHeaderProto``, every other key a
``BundleEntryProto``, which says where in which data file a tensor lies. A partitioned tensor has an entry under its own
name, which lists its slices, and one for each slice under the key of :meth:`TensorSlice.key`.

Source: ``tensorflow/core/util/tensor_bundle/tensor_bundle.cc`` and ``tensorflow/core/protobuf/tensor_bundle.proto`` (2.21).
"""

from __future__ import annotations

import functools
import operator
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path

from graphscope.core.values.dtypes import DataType
from graphscope.core.values.payload import Payload
from graphscope.core.variables.variables import Entry, maker
from graphscope.errors import CorruptFileError, UnsupportedError
from graphscope.formats.checkpoint.bundle_payloads import BundleString, BundleTensor, Shards, SliceLocation
from graphscope.formats.checkpoint.partitioned import Part, PartitionedPayload, StoredPayload
from graphscope.formats.checkpoint.rules import check_versions, is_shape
from graphscope.formats.checkpoint.tensor_slice import TensorSlice
from graphscope.formats.io.paths import is_file
from graphscope.formats.io.sstable import Item, Table
from graphscope.formats.io.wire import FileSource
from graphscope.protos import BundleEntryProto, BundleHeaderProto, DecodeError, TensorShapeProto

MAX_SHARDS = 100_000
"""More data files than this are not believed: the numbers in their names have five digits."""

_LITTLE_ENDIAN = 0
_ODD = "\\x"
"""What stands in a name for a byte that is not UTF-8."""

_SHARD_BITS = 64
"""Above offset plus size, each of 63 bits: one number says where in which data file a tensor lies."""

_SHAPE, _SLICES = b"\x12", 0x3A
"""With what the shape and each slice begin in an entry; the numbers behind them may have these bytes too."""

_ENTRY = maker(Entry)


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
        self._odd_keys: dict[str, bytes] = {}
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
        entries, slices = self._read_all(items)
        for key in slices:
            entries.pop(_text(key), None)
        self.entries = entries
        return entries

    def read_one(self, name: str) -> Entry | None:
        """The entry of ``name``; ``None`` if there is none. Reads the one block of the index that can hold it.

        Raises:
            CorruptFileError: that block or the entry is broken.
        """
        if not name.isprintable() or _ODD in name:  # perhaps of a slice, or not UTF-8: told apart among all
            return self.read_all().get(name)
        found = self._look_up(name.encode()) if name else None
        return found[0] if found is not None else None

    def _look_up(self, key: bytes) -> tuple[Entry, BundleEntryProto] | None:
        record = self._table.get(key) if isinstance(self.entries, _LoneEntries) else self._records.get(key)
        if record is None:
            return None
        [(_, entry, proto, _, _)] = self._read_entries([(key, record)])
        return entry, proto

    @functools.cached_property
    def _records(self) -> dict[bytes, bytes]:
        """Every entry as it stands in the index, read once more: listings need none, and keeping them takes time."""
        return {key: bytes(value) for key, value in self._table.items()}

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
        entry, raw_key = self.entries[key], self._raw_key(key)
        proto = self._proto(raw_key)
        if entry.dtype.itemsize is None and entry.dtype is not DataType.STRING:
            label = entry.dtype.label if entry.dtype is not DataType.INVALID else f"type {proto.dtype}"
            raise UnsupportedError(f"variable {key}: {label} has no NumPy equivalent", path=self._source.path)
        if not proto.slices:
            return self._payload(proto, entry, f"variable {key}")
        places = _slices(proto)
        parts = [self._part(raw_key, entry, proto.dtype, place) for place in places]
        self._refuse_overlaps({place.key(raw_key) for place in places})
        return PartitionedPayload(parts, entry.dtype, entry.shape, lambda text: self._corrupt(raw_key, text))

    def messages(self, keys: Iterable[str]) -> list[tuple[bytes, BundleEntryProto]]:
        """The index's own entries of ``keys`` and of their slices, in the file's order."""
        self.read_all()
        wanted = {self._raw_key(key) for key in keys}
        wanted |= {place.key(key) for key in wanted for place in _slices(self._proto(key))}
        return [(key, self._proto(key)) for key in self._records if key in wanted]

    def _raw_key(self, name: str) -> bytes:
        return self._odd_keys.get(name) or name.encode()

    def _proto(self, key: bytes) -> BundleEntryProto:
        found = self._look_up(key)
        assert found is not None, "asked for the entries of the index alone"
        return found[1]

    def _read_header(self, items: Iterator[Item]) -> int:
        """Takes the first item, checks what the header says, and returns the number of data files."""
        key, value = next(items, (None, memoryview(b"")))
        if key != b"":
            raise self._source.corrupt("not a checkpoint index: the table does not start with a header")
        try:
            header = BundleHeaderProto.FromString(bytes(value))
        except DecodeError as error:
            raise self._corrupt(key, f"no BundleHeaderProto: {error}") from error
        if header.endianness != _LITTLE_ENDIAN:
            raise UnsupportedError("its tensors are stored big-endian", path=self._source.path)
        check_versions(header.version, self._source)
        if not 0 <= header.num_shards <= MAX_SHARDS:
            raise self._source.corrupt(f"the header announces {header.num_shards:,} data files")
        return header.num_shards

    def _read_all(self, items: Iterable[Item]) -> tuple[dict[str, Entry], list[bytes]]:
        """Every entry by its name, and the keys under which the slices of partitioned tensors are."""
        entries: dict[str, Entry] = {}
        slices: list[bytes] = []
        starts, ends = [], []
        for key, entry, proto, start, end in self._read_entries(items):
            name = entry.key
            entries[name] = entry
            if _ODD in name:
                self._odd_keys[name] = key
            if entry.slices:
                slices += [place.key(key) for place in _slices(proto)]
            starts.append(start)
            ends.append(end)
        if len(entries) != len(starts):
            raise self._source.corrupt("names that are not UTF-8 cannot be distinguished")
        if not _are_apart(starts, ends):
            self._refuse_overlaps(key for key in self._records if key)
        return entries, slices

    def _read_entries(self, items: Iterable[Item]) -> Iterator[tuple[bytes, Entry, BundleEntryProto, int, int]]:
        """Each key with its entry, its message, and where its value begins and ends; refuses what no writer makes.

        One loop that calls little: there may be hundreds of thousands.
        """
        parse, type_of, shapes, count = BundleEntryProto.FromString, DataType.of, self._shapes, self._shards.count
        for key, value in items:
            data = value if isinstance(value, bytes) else bytes(value)
            try:
                proto = parse(data)
            except DecodeError as error:
                raise self._corrupt(key, f"no BundleEntryProto: {error}") from error
            head = _type_and_shape(data)
            is_whole = data.find(_SHAPE, len(head)) < 0  # a second shape would add dimensions
            shape = shapes.get(head) if is_whole else None
            if shape is None:
                shape = self._shape(key, proto.shape)
                if is_whole:
                    shapes[head] = shape
            shard, offset, size = proto.shard_id, proto.offset, proto.size
            if size < 0 or offset < 0 or not 0 <= shard < count:
                place = f"{size:,} bytes at byte {offset:,} of data file {shard:,}"
                raise self._corrupt(key, f"{place} is not a place in the file, with {count:,} data files")
            name = str(key, "utf-8", "backslashreplace")
            slices = len(proto.slices) if _SLICES in data else 0
            where = (None, slices, None) if slices else (shard, 0, size)
            start = (shard << _SHARD_BITS) + offset
            yield key, _ENTRY((name, type_of(proto.dtype), shape, *where)), proto, start, start + size

    def _shape(self, key: bytes, stated: TensorShapeProto) -> tuple[int, ...]:
        shape = tuple([d.size for d in stated.dim])
        if stated.unknown_rank or not is_shape(shape):
            raise self._corrupt(key, f"{list(shape)} is not the shape of a tensor")
        return shape

    def _refuse_overlaps(self, keys: Iterable[bytes]) -> None:
        """Tensors lie side by side: that bounds what reading them all can take by the size of the files."""
        protos = [(self._proto(key), key) for key in keys]
        end = (0, 0)
        for shard, offset, size, key in sorted((p.shard_id, p.offset, p.size, key) for p, key in protos if p.size):
            if (shard, offset) < end:
                raise self._corrupt(key, f"its value, at byte {offset:,} of data file {shard}, overlaps another")
            end = (shard, offset + size)

    def _part(self, raw_key: bytes, entry: Entry, type_number: int, place: TensorSlice) -> Part:
        found = self._look_up(place.key(raw_key))
        if found is None:
            raise self._corrupt(raw_key, f"its slice {place} is not in the index")
        part, proto = found
        region = place.region(entry.shape)
        if region is None or part.shape != tuple(extent.stop - extent.start for extent in region):
            raise self._corrupt(raw_key, f"its slice {place} of shape {list(part.shape)} does not fit in")
        if proto.dtype != type_number or part.slices:
            raise self._corrupt(raw_key, f"its slice {place} has another type")
        return Part(region, self._payload(proto, part, f"variable {entry.key}, slice {place}"))

    def _payload(self, proto: BundleEntryProto, entry: Entry, what: str) -> StoredPayload:
        place = SliceLocation(proto.shard_id, proto.offset, proto.size, proto.crc32c)
        if entry.dtype is DataType.STRING:
            return BundleString(self._shards, place, entry.shape, what)
        return BundleTensor(self._shards, place, entry.dtype, entry.shape, what)

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


def _are_apart(starts: list[int], ends: list[int]) -> bool:
    """Whether no tensor begins before all that began before it have ended."""
    return all(map(operator.le, sorted(ends), sorted(starts)[1:]))


def _slices(proto: BundleEntryProto) -> list[TensorSlice]:
    """The slices that make up a partitioned tensor."""
    return [TensorSlice.of(stated) for stated in proto.slices]


def _text(key: bytes) -> str:
    return str(key, "utf-8", "backslashreplace")
