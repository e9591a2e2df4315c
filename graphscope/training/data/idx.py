"""Images and labels in MNIST's files, and others of this form. Gzipped files are decompressed once, into the cache."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

from graphscope.errors import CorruptFileError, FileError, UnknownNameError
from graphscope.feeding.inputs import Input
from graphscope.formats.archives.idx import check_announced, read_header, refuse_more
from graphscope.formats.io.paths import is_directory, is_file
from graphscope.training.data.cache import digest, stamp
from graphscope.training.data.inflate import inflate
from graphscope.training.data.keys import Numbered
from graphscope.training.data.rows import Rows
from graphscope.training.data.source import DataOptions, Stored

PARTS = {"test": "t10k"}
"""Common name of a part -> prefix of MNIST's files; ``train`` is both."""

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
    """One part of a directory of idx files: ``train`` unless named; the only one if there is one.

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
    if labels.shape != images.shape[:1]:
        raise CorruptFileError(f"labels {labels.shape} do not match images {images.shape}", path=pair.labels)
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

    plain = inflate(path, options.cache, lambda content: check_announced(content, path))
    header = read_header(plain, path)
    if plain == path:
        refuse_more(header, path.stat().st_size, path)
    return Rows(plain, header.size, np.dtype(header.dtype), header.shape)
