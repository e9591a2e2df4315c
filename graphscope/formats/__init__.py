"""Reading and writing of files: one table of formats (:mod:`graphscope.formats.registry`), one module for each.

:func:`load` opens anything: :mod:`graphscope.formats.detect.locate` finds the files, and the table names the reader.
"""

from __future__ import annotations

import os
from collections.abc import Collection
from typing import TYPE_CHECKING

from graphscope.core.arguments import check_arguments
from graphscope.core.model import Model
from graphscope.errors import ArgumentError, FileError, NotTensorFlowError, UnsupportedError
from graphscope.formats.detect.locate import CheckpointPrefix, GraphFile, Location, SavedModelDirectory, locate
from graphscope.formats.detect.sniff import Content
from graphscope.formats.io.paths import is_directory
from graphscope.formats.registry import FileFormat, Foreign, ForeignFile, format_at

if TYPE_CHECKING:
    from graphscope.core.foreign import ForeignModel


@check_arguments
def load(
    path: str | os.PathLike[str],
    *,
    tags: str | Collection[str] = (),
    checkpoint: str | os.PathLike[str] | None = None,
    lazily: bool = False,
) -> Model:
    """Opens a model: its structure only; weights stay in their files.

    Args:
        path: a checkpoint prefix, its ``.meta``, ``.index`` or ``.data-*`` file, a V1 checkpoint, the ``checkpoint`` state
            file, a directory that holds one of them, a ``.pb`` or ``.pbtxt``, a SavedModel directory, an event file or a
            directory of them, a ``.npz`` or ``.safetensors``.
        tags: the exact tags of the meta graph of a SavedModel.
        checkpoint: the checkpoint with the values, for a graph in another file (``graph.pbtxt``).
        lazily: read the index of a checkpoint only when it is needed; damage in it is found then.

    Raises:
        FileError: there is no such file.
        NotTensorFlowError: it is a file of another format, which the error names.
        CorruptFileError: a file is broken; the error says where.
        UnsupportedError: a newer format than graphscope reads.
        IncompleteModelError: a file that the others need is missing.
        UnknownNameError: no meta graph has these tags.
    """
    location = locate(path)
    return _read(location, _format(location), tags, checkpoint, lazily)


def open_any(
    path: str | os.PathLike[str],
    *,
    tags: str | Collection[str] = (),
    checkpoint: str | os.PathLike[str] | None = None,
    lazily: bool = False,
) -> Model | ForeignModel:
    """As :func:`load`, but also opens models of other runtimes, for inspection only.

    Raises:
        ArgumentError: tags or a checkpoint for a model of another runtime, which has neither.
    """
    location = locate(path)
    row = _format(location)
    if row.foreign is None:
        return _read(location, row, tags, checkpoint, lazily)
    _refuse_choices(path, row.foreign, tags, checkpoint)
    assert isinstance(location, GraphFile)
    if not row.foreign.reader:
        raise row.foreign.refusal(location.source.path)
    return row.foreign.read(location)


def load_runnable(
    path: str | os.PathLike[str],
    *,
    tags: str | Collection[str] = (),
    checkpoint: str | os.PathLike[str] | None = None,
) -> Model | ForeignFile:
    """As :func:`load`, but also accepts files of other runtimes to run, which are not opened here.

    Raises:
        ArgumentError: tags or a checkpoint for a file of another runtime, which has neither.
    """
    location = locate(path)
    row = _format(location)
    if row.foreign is None:
        return _read(location, row, tags, checkpoint, False)
    _refuse_choices(path, row.foreign, tags, checkpoint)
    file = location.source.path if isinstance(location, GraphFile) and is_directory(path) else path
    return ForeignFile(os.fspath(file), row)


def _refuse_choices(
    path: str | os.PathLike[str],
    foreign: Foreign,
    tags: str | Collection[str],
    checkpoint: str | os.PathLike[str] | None,
) -> None:
    if tags or checkpoint is not None:
        raise ArgumentError(f"{os.fspath(path)}: {foreign.what} has no meta graphs and no checkpoints to choose from")


@check_arguments
def load_foreign(path: str | os.PathLike[str]) -> ForeignModel:
    """Opens an ONNX or TensorFlow Lite model for inspection: its structure only; weights stay in their files.

    Args:
        path: an ``.onnx`` or ``.tflite`` file.

    Raises:
        FileError: there is no such file.
        UnsupportedError: it is of another format, which :func:`load` may open, or of a version that graphscope does not read.
        NotTensorFlowError: it is of a format that nothing here reads.
        CorruptFileError: the file is broken; the error says where.
    """
    model = open_any(path)
    if isinstance(model, Model):
        raise UnsupportedError(
            f"this is a {model.kind.value}, not a model of another runtime", path=path, hint="graphscope.load opens it"
        )
    return model


def _format(location: Location) -> FileFormat:
    row = format_at(location)
    if row is None:
        assert isinstance(location, GraphFile)
        raise _unknown_error(location)
    return row


def _read(
    location: Location,
    row: FileFormat,
    tags: str | Collection[str],
    checkpoint: str | os.PathLike[str] | None,
    lazily: bool,
) -> Model:
    if row.foreign is not None:
        assert isinstance(location, GraphFile)
        raise row.foreign.refusal(location.source.path)
    model = row.read(location, [tags] if isinstance(tags, str) else tags)
    if checkpoint is not None:
        model = _with_checkpoint(model, checkpoint)
    if model.store is not None and not lazily:
        len(model.store.entries)
    return model


def load_every(path: str | os.PathLike[str]) -> list[Model]:
    """As :func:`load`; of a SavedModel every meta graph, also those that no tags choose."""
    location = locate(path)
    if isinstance(location, GraphFile) and location.sniffed.content is Content.SAVED_MODEL:
        location = SavedModelDirectory(location.source.path.parent, location.source.path)
    if not isinstance(location, SavedModelDirectory):
        return [load(path)]
    from graphscope.formats.savedmodel.reader import open_meta_graphs

    return open_meta_graphs(location)


def _with_checkpoint(model: Model, checkpoint: str | os.PathLike[str]) -> Model:
    from graphscope.formats.checkpoint.prefix import open_store

    location = locate(checkpoint)
    if not isinstance(location, CheckpointPrefix):
        raise FileError(f"{os.fspath(checkpoint)}: not a checkpoint", hint="name a checkpoint prefix")
    store, version, files = open_store(location.prefix)
    graph_files = tuple(f for f in model.files if f.role == "graph")
    return model.replace(
        files=(*graph_files, *files),
        store=store,
        store_version=version,
        warnings=(*model.warnings, *location.warnings),
    )


def _unknown_error(location: GraphFile) -> NotTensorFlowError:
    source = location.source
    head = source.read(0, min(8, source.size)).hex(" ")
    return NotTensorFlowError(f"not a TensorFlow graph or checkpoint: it starts with {head}", path=source.path)
