"""Checkpoints V1: one table file, or one for each shard; what TensorFlow wrote before 0.12, and TF-Slim's releases.

Every file is a table (:mod:`graphscope.formats.io.sstable`), usually with compressed blocks: the key "" holds a
``SavedTensorSlices`` with ``meta``, the names, types, shapes and slices of all tensors in this file; the key of each slice
(:meth:`TensorSlice.key`; a tensor that is not partitioned is one slice) holds one with ``data``. The values are in the
repeated fields of a ``TensorProto`` that states neither type nor shape.

Source: ``tensorflow/core/util/{saved_tensor_slice.proto,saved_tensor_slice_util.h,tensor_slice_writer.cc,
tensor_slice_reader.cc}`` (2.21).
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from graphscope.core.patterns import Pattern
from graphscope.core.values.dtypes import DataType
from graphscope.core.values.payload import Payload
from graphscope.core.values.tensor_proto import FIELDS
from graphscope.core.variables.variables import Entry
from graphscope.errors import CorruptFileError, FileError, GraphscopeError, IncompleteModelError, UnsupportedError
from graphscope.formats.checkpoint.partitioned import Part, PartitionedPayload
from graphscope.formats.checkpoint.rules import check_versions, is_shape
from graphscope.formats.checkpoint.saved_slice import MOST_EXPANSION, SavedSlicePayload
from graphscope.formats.checkpoint.tensor_slice import TensorSlice
from graphscope.formats.io.paths import is_file
from graphscope.formats.io.sstable import Table
from graphscope.formats.io.wire import FileSource
from graphscope.protos import DecodeError, SavedTensorSlices

if TYPE_CHECKING:
    from graphscope.protos import _SavedSliceMeta

_SHARD = Pattern(r"(?P<prefix>.*)-(?P<number>\d{5})-of-(?P<count>\d{5})\Z", re.DOTALL)


@dataclass(frozen=True, slots=True)
class _Member:
    """One file of a checkpoint; ``number`` is its place among the shards, ``None`` for the only file."""

    path: Path
    number: int | None

    @property
    def exists(self) -> bool:
        return is_file(self.path)


@dataclass(frozen=True, slots=True)
class _Tensor:
    """What the lists of tensors say of one; ``slices`` tells in which table (by position) each slice is."""

    type_number: int
    shape: tuple[int, ...]
    slices: dict[TensorSlice, int] = field(default_factory=dict)

    @property
    def dtype(self) -> DataType:
        return DataType.of(self.type_number)


class TableStore:
    """The tensors of a V1 checkpoint; see :class:`graphscope.core.variables.variables.VariableStore`.

    Attributes:
        entries: name -> entry, in the files' order.
        files: each file that belongs to it, and whether it exists.
    """

    def __init__(self, paths: Sequence[Path]) -> None:
        """Reads the list of tensors in each file: the only one, or such shards as exist of those that ``paths`` belong to.

        Raises:
            FileError: a file cannot be read, or they are shards of several checkpoints.
            CorruptFileError: a file is broken, or two contradict each other.
            UnsupportedError: a newer reader is needed.
        """
        members = _members(paths)
        self.files = [(member.path, member.exists) for member in members]
        self._members = [member for member in members if member.exists or member.number is None]
        self._tables = [Table(FileSource(member.path)) for member in self._members]
        self._tensors: dict[str, _Tensor] = {}
        for position, table in enumerate(self._tables):
            for tensor in _list_tensors(table):
                self._add(tensor, position)
        self.entries: Mapping[str, Entry] = {name: self._entry(name, tensor) for name, tensor in self._tensors.items()}

    def payload(self, key: str) -> Payload:
        """See :meth:`VariableStore.payload`.

        Raises:
            KeyError, UnsupportedError: as there.
            CorruptFileError: the slices of a partitioned tensor do not make up the whole, or cannot be in files of this size.
            IncompleteModelError: they do not, since shards are missing.
        """
        tensor = self._tensors[key]
        if tensor.dtype not in FIELDS:
            label = tensor.dtype.label if tensor.dtype is not DataType.INVALID else f"type {tensor.type_number}"
            raise UnsupportedError(f"variable {key}: {label} has no NumPy equivalent", path=self._tables[0].source.path)
        parts = [self._part(key, tensor, place) for place in tensor.slices]
        self._refuse_oversize(key, tensor, [payload for _, payload in parts])
        if _is_whole(tensor):
            return parts[0][1]
        placed = [Part(region, payload) for region, payload in parts]
        return PartitionedPayload(placed, tensor.dtype, tensor.shape, lambda text: self._broken_error(key, text))

    def _add(self, listed: _SavedSliceMeta, position: int) -> None:
        """Takes one tensor of the list in one of the tables; its other slices may be in others."""
        source = self._tables[position].source
        shape = tuple([d.size for d in listed.shape.dim])
        if listed.shape.unknown_rank or not is_shape(shape):
            raise source.corrupt(f"variable {listed.name}: {list(shape)} is not the shape of a tensor")
        tensor = self._tensors.setdefault(listed.name, _Tensor(listed.type, shape))
        if (tensor.type_number, tensor.shape) != (listed.type, shape):
            raise source.corrupt(f"variable {listed.name}: another shard states another type or shape")
        for place in map(TensorSlice.of, listed.slice):
            if place in tensor.slices:
                raise source.corrupt(f"variable {listed.name}: its slice {place} occurs twice")
            if place.region(shape) is None:
                raise source.corrupt(f"variable {listed.name}: its slice {place} does not fit into {list(shape)}")
            tensor.slices[place] = position

    def _entry(self, name: str, tensor: _Tensor) -> Entry:
        positions = set(tensor.slices.values())
        shard = self._members[positions.pop()].number if len(positions) == 1 else None
        return Entry(name, tensor.dtype, tensor.shape, shard, 0 if _is_whole(tensor) else len(tensor.slices))

    def _refuse_oversize(self, name: str, tensor: _Tensor, slices: Sequence[SavedSlicePayload]) -> None:
        """All slices of a tensor in a file share its bytes: what is stated of them must fit into it together."""
        promised: dict[int, list[int]] = {}
        for position, payload in zip(tensor.slices.values(), slices):
            promised.setdefault(position, []).append(payload.least_bytes)
        for position, sizes in promised.items():
            source = self._tables[position].source
            if sum(sizes) > source.size * MOST_EXPANSION:
                what = f"{len(sizes):,} slices of {tensor.dtype.label} {list(tensor.shape)}"
                if len(sizes) == 1:
                    what = f"{tensor.dtype.label} {list(tensor.shape)}"
                raise source.corrupt(f"variable {name}: {what} cannot be in a file of {source.size:,} bytes")

    def _part(self, name: str, tensor: _Tensor, place: TensorSlice) -> tuple[tuple[slice, ...], SavedSlicePayload]:
        region = place.region(tensor.shape) or ()
        shape = tuple(extent.stop - extent.start for extent in region)
        what = f"variable {name}" if _is_whole(tensor) else f"variable {name}, slice {place}"
        table = self._tables[tensor.slices[place]]
        return region, SavedSlicePayload(table, place.key(name.encode()), tensor.dtype, shape, what)

    def _broken_error(self, name: str, message: str) -> GraphscopeError:
        missing = ", ".join(str(path) for path, exists in self.files if not exists)
        if missing:
            return IncompleteModelError(f"variable {name}: {message}; missing: {missing}")
        return CorruptFileError(f"variable {name}: {message}", path=self._tables[0].source.path)


def _members(paths: Sequence[Path]) -> list[_Member]:
    """All files of the checkpoint that ``paths`` belong to: of several sets of shards the one that is complete."""
    sets: dict[tuple[str, int], set[int]] = {}
    for path in paths:
        shard = _SHARD.match(str(path))
        if shard is None:
            return [_Member(path, None)]
        sets.setdefault((shard["prefix"], int(shard["count"])), set()).add(int(shard["number"]))
    complete = [key for key, numbers in sets.items() if numbers >= set(range(key[1]))]
    chosen = list(sets) if len(sets) == 1 else complete
    if len(chosen) != 1:
        raise FileError(
            f"shards of {len(sets)} checkpoints: " + ", ".join(f"{prefix}-*-of-{count:05d}" for prefix, count in sets),
            hint="keep only the files of one of them in the directory",
        )
    [(prefix, count)] = chosen
    return [_Member(Path(f"{prefix}-{number:05d}-of-{count:05d}"), number) for number in range(count)]


def _list_tensors(table: Table) -> Iterable[_SavedSliceMeta]:
    """The list of tensors in ``table``.

    Raises:
        CorruptFileError: it has none: no checkpoint.
        UnsupportedError: a newer reader is needed.
    """
    value = table.get(b"")
    if value is None:
        raise table.source.corrupt("not a checkpoint: the table does not start with a list of tensors")
    try:
        slices = SavedTensorSlices.FromString(bytes(value))
    except DecodeError as error:
        raise table.source.corrupt(f"the list of tensors is not a SavedTensorSlices: {error}") from error
    if not slices.HasField("meta"):
        hint = f"rename it: mv {table.source.path} model.index"
        raise table.source.corrupt("the index of a V2 checkpoint, where a V1 checkpoint was expected", hint=hint)
    check_versions(slices.meta.versions, table.source)
    return slices.meta.tensor


def _is_whole(tensor: _Tensor) -> bool:
    """Whether it is stored in one piece."""
    regions = [place.region(tensor.shape) for place in tensor.slices]
    return regions == [tuple(slice(0, size) for size in tensor.shape)]
