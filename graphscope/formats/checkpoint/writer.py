"""Writes V2 checkpoints: one data file, its index, and the ``checkpoint`` file that names the latest.

See :mod:`graphscope.formats.checkpoint.v2` and :mod:`graphscope.formats.checkpoint.bundle_payloads` for the layout. Source:
``BundleWriter`` in ``tensorflow/core/util/tensor_bundle/tensor_bundle.cc`` (2.21).
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import BinaryIO

from google.protobuf import text_format

from graphscope import protos
from graphscope.core.values.dtypes import DataType
from graphscope.core.values.payload import Payload
from graphscope.errors import UnsupportedError
from graphscope.formats.checkpoint.rules import CHECKPOINT_VERSION
from graphscope.formats.io.atomic import write_file
from graphscope.formats.io.checksum import crc32c, mask
from graphscope.formats.io.places import refuse_unwritable
from graphscope.formats.io.progress import Progress, quiet, report_chunks
from graphscope.formats.io.sstable_writer import table_chunks
from graphscope.formats.io.staging import staged_files
from graphscope.formats.io.wire import varint
from graphscope.protos import BundleEntryProto, BundleHeaderProto

_UINT32_MAX = 0xFFFFFFFF


SUFFIXES = (".data-00000-of-00001", ".index", ".meta")
"""The suffixes of its files."""


def refuse_place(prefix: str | os.PathLike[str], overwrite: bool, *, makes_directory: bool = False) -> None:
    """Raises an error if no checkpoint can be written at ``prefix``, as :func:`refuse_unwritable` for each of its files."""
    for suffix in SUFFIXES:
        refuse_unwritable(os.fspath(prefix) + suffix, overwrite, makes_directory=makes_directory)


def write_checkpoint(
    prefix: str,
    tensors: Iterable[tuple[str, Payload]],
    *,
    meta: Iterable[bytes] | None = None,
    overwrite: bool = False,
    progress: Progress = quiet,
) -> int:
    """Writes ``prefix.index``, ``prefix.data-00000-of-00001`` and ``prefix.meta``, if there is one: all of them or none.

    Tensors are copied from file to file, in the order of their keys; a partitioned one becomes whole.

    Args:
        tensors: key and content, in any order.
        meta: the content of the ``.meta`` file.
        progress: receives the number of bytes of tensors as they are written.

    Returns:
        The size of the files in bytes.

    Raises:
        FileError: a file exists and ``overwrite`` is not set, or cannot be written; existing files are kept.
        UnsupportedError: a key is empty or occurs twice, or a tensor is of a type that no checkpoint holds.
        CorruptFileError, IncompleteModelError: a tensor cannot be read.
    """
    ordered = order_by_key(prefix, tensors)
    paths = [Path(prefix + suffix) for suffix in SUFFIXES if meta is not None or suffix != ".meta"]
    with staged_files(paths, overwrite=overwrite) as files:
        shard = Shard(files[0], progress)
        entries = [(key, shard.add(payload)) for key, payload in ordered]
        files[1].writelines(table_chunks([(b"", index_header(1)), *entries]))
        if meta is not None:
            files[2].writelines(meta)
        return sum(file.tell() for file in files)


def write_state_file(directory: Path, base: str, *, older: Iterable[str] = (), overwrite: bool = False) -> None:
    """Writes ``directory/checkpoint``, which names ``base`` (a prefix relative to ``directory``) as the latest.

    Args:
        older: further checkpoints that it names, the oldest first.

    Raises:
        FileError: the file exists and ``overwrite`` is not set, or cannot be written.
    """
    state = protos.CheckpointState(model_checkpoint_path=base, all_model_checkpoint_paths=[*older, base])
    write_file(directory / "checkpoint", [text_format.MessageToString(state).encode()], overwrite=overwrite)


def order_by_key(prefix: str, tensors: Iterable[tuple[str, Payload]]) -> list[tuple[bytes, Payload]]:
    """The tensors by key, bytewise.

    Raises:
        UnsupportedError: a key is empty or occurs twice, or a tensor is of a type that no checkpoint holds.
    """
    found: dict[bytes, Payload] = {}
    for key, payload in tensors:
        if not key or key.encode() in found:
            raise UnsupportedError(f"two tensors are called {key!r}" if key else "a tensor has no name", path=prefix)
        if payload.dtype.itemsize is None and payload.dtype is not DataType.STRING:
            raise UnsupportedError(f"{key}: a checkpoint cannot hold {payload.dtype.label} tensors", path=prefix)
        found[key.encode()] = payload
    return sorted(found.items(), key=lambda item: item[0])


def index_header(shards: int) -> bytes:
    """The value of the index's first key, the empty one."""
    header = BundleHeaderProto(num_shards=shards)
    header.version.producer = CHECKPOINT_VERSION
    return header.SerializeToString()


class Shard:
    """A data file: tensors one after the other.

    Args:
        number: of the data file among those of its checkpoint.
    """

    def __init__(self, file: BinaryIO, progress: Progress, number: int = 0) -> None:
        self._file = file
        self._progress = progress
        self._number = number
        self._offset = 0

    def add(self, payload: Payload) -> bytes:
        """Appends ``payload`` and gives its entry, a serialized ``BundleEntryProto``."""
        is_text = payload.dtype is DataType.STRING
        size, crc = self._write_strings(payload) if is_text else self._write(payload.chunks())
        place = {"shard_id": self._number, "offset": self._offset, "size": size}
        entry = BundleEntryProto(dtype=int(payload.dtype), crc32c=mask(crc), **place)
        entry.shape.SetInParent()
        for length in payload.shape:
            entry.shape.dim.add(size=length)
        self._offset += size
        return entry.SerializeToString()

    def _write(self, chunks: Iterable[bytes], crc: int = 0) -> tuple[int, int]:
        """Number of bytes and CRC-32C, going on from ``crc``."""
        size = 0
        for chunk in report_chunks(chunks, self._progress):
            self._file.write(chunk)
            crc = crc32c(chunk, crc)
            size += len(chunk)
        return size, crc

    def _write_strings(self, payload: Payload) -> tuple[int, int]:
        """The lengths, the checksum of the lengths, the strings; see :class:`BundleString`."""
        strings: list[bytes] = payload.numpy().reshape(-1).tolist()
        lengths = b"".join(varint(len(string)) for string in strings)
        crc = crc32c(b"".join(_checked_form(len(string)) for string in strings))
        self._file.write(lengths)
        size, crc = self._write(_strings(mask(crc), strings), crc)
        return len(lengths) + size, crc


def _strings(masked_crc: int, strings: Iterable[bytes]) -> Iterator[bytes]:
    yield masked_crc.to_bytes(4, "little")
    yield from strings


def _checked_form(length: int) -> bytes:
    """What the lengths' checksum is taken over."""
    return length.to_bytes(4 if length <= _UINT32_MAX else 8, "little")
