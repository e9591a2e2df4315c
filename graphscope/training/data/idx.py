"""MNIST's files, and others of their form.

::

    file     0:u8 0:u8 type:u8 rank:u8 size:u32be * rank content      content in row-major order, big-endian

Source: http://yann.lecun.com/exdb/mnist/. Files may be gzipped; those are inflated once, into the cache.
"""

from __future__ import annotations

import re
import struct
from dataclasses import dataclass
from pathlib import Path

from graphscope.errors import CorruptFileError, FileError, UnknownNameError, UnsupportedError
from graphscope.formats.archives.npy import MAX_DIMENSIONS
from graphscope.training.data.cache import digest, stamp
from graphscope.training.data.inflate import inflated
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
    for path in sorted(directory.iterdir()) if directory.is_dir() else ():
        name = _NAME.fullmatch(path.name)
        labels = _labels_of(path) if name is not None and path.is_file() else None
        if name is not None and labels is not None:
            found.setdefault(name[1], Pair(path, labels))
    return found


def _labels_of(images: Path) -> Path | None:
    name = re.sub(r"idx\d", "idx1", re.sub("images", "labels", images.name, flags=re.I), flags=re.I)
    names = (name, name.removesuffix(".gz"), f"{name}.gz")
    return next((images.with_name(n) for n in names if images.with_name(n).is_file()), None)


def is_idx(path: Path) -> bool:
    """Whether ``path`` is a file of images with its labels beside it."""
    return path.is_file() and bool(_NAME.fullmatch(path.name))


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

    plain = inflated(path, options.cache)
    with open(plain, "rb") as file:
        head = file.read(4)
        if len(head) < 4 or head[:2] != b"\0\0" or head[2] not in TYPES or not head[3]:
            raise UnsupportedError(f"no idx file: it begins with {head.hex(' ')}", path=path)
        if head[3] > MAX_DIMENSIONS:
            raise UnsupportedError(f"an array of {head[3]} dimensions; the limit is {MAX_DIMENSIONS}", path=path)
        sizes = file.read(4 * head[3])
    if len(sizes) < 4 * head[3]:
        raise CorruptFileError("the file ends within its header", path=path, offset=4 + len(sizes))
    return Rows(plain, 4 + len(sizes), np.dtype(TYPES[head[2]]), struct.unpack(f">{head[3]}I", sizes))
