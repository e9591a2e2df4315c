"""MNIST's files, and others of their form.

::

    file     0:u8 0:u8 type:u8 rank:u8 size:u32be * rank content      content in row-major order, big-endian

Source: http://yann.lecun.com/exdb/mnist/. Files may be gzipped; those are inflated once, into the cache.
"""

from __future__ import annotations

import itertools
import math
import re
import struct
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from graphscope.errors import CorruptFileError, FileError, UnknownNameError, UnsupportedError
from graphscope.formats.archives.npy import MAX_DIMENSIONS
from graphscope.formats.io.paths import is_directory, is_file
from graphscope.training.data.cache import digest, stamp
from graphscope.training.data.inflate import head, inflate
from graphscope.training.data.inputs import Input
from graphscope.training.data.keys import Numbered
from graphscope.training.data.rows import Rows
from graphscope.training.data.source import DataOptions, Stored

TYPES = {8: "u1", 9: "i1", 11: ">i2", 12: ">i4", 13: ">f4", 14: ">f8"}
"""Type byte -> NumPy's name."""

PARTS = {"test": "t10k"}
"""What a part is called by most people -> how MNIST's files begin; ``train`` is both."""

_NAME = re.compile(r"(.*?)[-_.]?images[-.]idx\d[-.]ubyte(\.gz)?", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Pair:
    """Files of images and of labels that belong together."""

    images: Path
    labels: Path


def idx_pairs(directory: Path) -> dict[str, Pair]:
    """Part (``train``, ``t10k``) -> its files."""
    found: dict[str, Pair] = {}
    for path in sorted(directory.iterdir()) if is_directory(directory) else ():
        name = _NAME.fullmatch(path.name)
        labels = _labels_of(path) if name is not None and is_file(path) else None
        if name is not None and labels is not None:
            found.setdefault(name[1], Pair(path, labels))
    return found


def _labels_of(images: Path) -> Path | None:
    name = re.sub(r"idx\d", "idx1", re.sub("images", "labels", images.name, flags=re.I), flags=re.I)
    names = (name, name.removesuffix(".gz"), f"{name}.gz")
    return next((images.with_name(n) for n in names if is_file(images.with_name(n))), None)


def is_idx(path: Path) -> bool:
    """Whether ``path`` is a file of images with its labels beside it."""
    return is_file(path) and bool(_NAME.fullmatch(path.name))


def open_idx(directory: Path, part: str, into: Input, options: DataOptions) -> Stored:
    """One part of a directory of idx files: ``train`` unless named; the only one where there is one.

    Raises:
        UnknownNameError: there is no such part.
        FileError, CorruptFileError, UnsupportedError: as :func:`open_pair`.
    """
    pairs = idx_pairs(directory)
    wanted = PARTS.get(part, part) or ("train" if len(pairs) > 1 else next(iter(pairs), "train"))
    matching = [name for name in pairs if name == wanted] or [name for name in pairs if name.endswith(wanted)]
    if not matching:
        hint = (
            f"{directory}:{next(iter(pairs))}" if pairs else "a directory with train-images-idx3-ubyte and its labels"
        )
        raise UnknownNameError(f"part of {directory}", part or wanted, pairs, hint=hint)
    return open_pair(pairs[matching[0]], into, options)


def open_pair(pair: Pair, into: Input, options: DataOptions) -> Stored:
    """Images and labels.

    Raises:
        FileError: a file cannot be read.
        CorruptFileError: one is damaged, or their lengths differ.
        UnsupportedError: the type byte is unknown.
    """
    import numpy as np

    images, labels = (_rows(path, options) for path in (pair.images, pair.labels))
    if images.shape[0] != labels.shape[0] or len(labels.shape) != 1:
        raise CorruptFileError(f"labels {labels.shape} do not belong to images {images.shape}", path=pair.labels)
    return Stored(
        lambda indices: into.values(images.take(indices)),
        labels.take(np.arange(labels.shape[0])),
        Numbered(images.shape[0]),
        digest("idx", stamp(pair.images)),
    )


def open_file(path: Path, into: Input, options: DataOptions) -> Stored:
    """A file of images, the labels beside it; raises as :func:`open_pair`."""
    labels = _labels_of(path)
    if labels is None:
        raise FileError(f"{path}: there are no labels beside it ({path.name.replace('images-idx3', 'labels-idx1')})")
    return open_pair(Pair(path, labels), into, options)


def _rows(path: Path, options: DataOptions) -> Rows:
    import numpy as np

    plain = inflate(path, options.cache, lambda content: _announced(content, path))
    header = _header(head(plain, _MAX_HEADER_BYTES), path)
    if plain == path:
        _refuse_more(header, path.stat().st_size, path)
    return Rows(plain, header.size, np.dtype(header.dtype), header.shape)


@dataclass(frozen=True, slots=True)
class _Header:
    """What a file begins with.

    Attributes:
        dtype: NumPy's name of the type.
        shape: of the array.
        size: of the header itself, in bytes.
    """

    dtype: str
    shape: tuple[int, ...]
    size: int

    @property
    def end(self) -> int:
        """Where the array ends, in bytes."""
        return self.size + math.prod(self.shape) * int(self.dtype[-1])


_MAX_HEADER_BYTES = 4 + 4 * MAX_DIMENSIONS


def _header(start: bytes, path: Path) -> _Header:
    """The header that ``start`` begins with."""
    if len(start) < 4 or start[:2] != b"\0\0" or start[2] not in TYPES or not start[3]:
        raise UnsupportedError(f"no idx file: it begins with {start[:4].hex(' ')}", path=path)
    rank = start[3]
    if rank > MAX_DIMENSIONS:
        raise UnsupportedError(f"an array of {rank} dimensions; the limit is {MAX_DIMENSIONS}", path=path)
    if len(start) < 4 + 4 * rank:
        raise CorruptFileError("the file ends within its header", path=path, offset=len(start))
    return _Header(TYPES[start[2]], struct.unpack_from(f">{rank}I", start, 4), 4 + 4 * rank)


def _announced(content: Iterator[bytes], path: Path) -> Iterator[bytes]:
    """``content``, which is the array that its header announces, no less and no more."""
    start = b""
    for piece in content:
        start += piece
        if len(start) >= _MAX_HEADER_BYTES:
            break
    header, at = _header(start, path), 0
    for piece in itertools.chain([start], content):
        at += len(piece)
        _refuse_more(header, at, path)
        yield piece
    if at < header.end:
        raise CorruptFileError(f"an array that ends at byte {header.end:,}; the file has {at:,}", path=path)


def _refuse_more(header: _Header, size: int, path: Path) -> None:
    if size > header.end:
        message = f"more bytes than the {header.end:,} that its header announces: {list(header.shape)}, {header.dtype}"
        raise CorruptFileError(message, path=path, offset=header.end)
