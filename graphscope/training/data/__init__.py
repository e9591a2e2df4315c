"""Examples for training, from a table of kinds of data, recognized by content before name.

A new kind is one file and one row of :data:`KINDS`.
"""

from __future__ import annotations

import zipfile
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path

from graphscope.core.tensors import TensorSpec
from graphscope.errors import FileError, GraphscopeError
from graphscope.feeding.inputs import Input, input_of
from graphscope.formats.io.paths import exists, is_file
from graphscope.training.data import arrays, folder, function, idx, tfrecords
from graphscope.training.data.cache import digest
from graphscope.training.data.choose import choose
from graphscope.training.data.labels import decode
from graphscope.training.data.source import DataOptions, Dataset, Examples, Stored

__all__ = ["DataOptions", "Dataset", "open_data"]


@dataclass(frozen=True, slots=True)
class DataLocation:
    """The data named by DATA.

    Attributes:
        text: as typed.
        path: the path without the part.
        part: the text after the last colon, if the rest is an existing path: ``test`` in ``mnist/:test``.
    """

    text: str
    path: Path
    part: str = ""


@dataclass(frozen=True, slots=True)
class DataKind:
    """One kind of data.

    Attributes:
        name: for messages.
        matches: whether data is of this kind.
        open: reads the data.
    """

    name: str
    matches: Callable[[DataLocation], bool]
    open: Callable[[DataLocation, Input, DataOptions], Stored]


KINDS = (
    DataKind(
        "python:module:function",
        lambda place: place.text.startswith(function.PREFIX),
        lambda place, into, _: function.open_function(place.text, into),
    ),
    DataKind(
        "an .npz file with x and y",
        lambda place: is_file(place.path) and zipfile.is_zipfile(place.path),
        lambda place, into, options: arrays.open_npz(place.path, into, options),
    ),
    DataKind(
        "a directory of MNIST's idx files (DIR or DIR:test)",
        lambda place: bool(idx.idx_pairs(place.path)),
        lambda place, into, options: idx.open_idx(place.path, place.part, into, options),
    ),
    DataKind(
        "an idx file of images",
        lambda place: idx.is_idx(place.path),
        lambda place, into, options: idx.open_file(place.path, into, options),
    ),
    DataKind(
        "TFRecords (a file, a directory or a pattern)",
        lambda place: bool(tfrecords.record_files(str(place.path))),
        lambda place, into, options: tfrecords.open_records(tfrecords.record_files(str(place.path)), into, options),
    ),
    DataKind(
        "a folder of class folders with pictures (or of pictures, with a labels.txt)",
        lambda place: folder.is_folder(place.path),
        lambda place, into, options: folder.open_folder(place.path, into, options),
    ),
)
"""Kinds differ in their first bytes or names, so their order hardly matters; the fastest test comes first."""


def open_data(text: str, spec: TensorSpec, options: DataOptions | None = None) -> Dataset:
    """Opens the examples named by ``text`` for the tensor ``spec``. Reads the labels, and one input to check that it fits.

    Args:
        text: a file, a directory, ``DIRECTORY:part``, a pattern of files, ``python:module:function``; see :data:`KINDS`.
        spec: the fed tensor; its first dimension is the batch.

    Raises:
        FileError: the data does not exist or cannot be read.
        FormatError: the data is damaged, or of an unknown kind.
        UnknownNameError: the data has no such class, array or part.
        GraphscopeError: labels or inputs do not fit.
    """
    import numpy as np

    options = options or DataOptions()
    into = input_of(spec, options.scaling, options.size)
    place = _place(text.removeprefix("mnist:"))
    kind = next((kind for kind in KINDS if kind.matches(place)), None)
    if kind is None:
        raise _unknown_error(place)
    stored = choose(kind.open(place, into, options), options)
    if not len(stored.keys):
        raise GraphscopeError(f"{text}: no examples")
    labels, names = decode[options.task](stored, options)
    stored.take(np.arange(1))
    preprocessing = [spec.dtype.label, spec.shape, asdict(options.scaling), options.size]
    fingerprint = digest(stored.fingerprint, preprocessing)
    return Examples(stored.take, labels, stored.keys, names, fingerprint, stored.notes)


def _place(text: str) -> DataLocation:
    path, colon, part = text.rpartition(":")
    if colon and not exists(Path(text)) and exists(Path(path)):
        return DataLocation(text, Path(path), part)
    return DataLocation(text, Path(text))


def _unknown_error(place: DataLocation) -> GraphscopeError:
    hint = "data may be " + ", ".join(kind.name for kind in KINDS)
    if not exists(place.path):
        return FileError(f"{place.text}: no such file or directory", hint=hint)
    return GraphscopeError(f"{place.text}: not data that graphscope can read", hint=hint)
