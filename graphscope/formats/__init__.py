"""Bytes to core and back: one table of formats (:mod:`graphscope.formats.registry`), one module for each.

:func:`load` opens anything: :mod:`graphscope.formats.detect.locate` finds the files, the table says who reads them.
"""

from __future__ import annotations

import os
from collections.abc import Collection
from dataclasses import replace

from graphscope.core.model import Model
from graphscope.errors import FileError, NotTensorFlowError
from graphscope.formats.detect.locate import CheckpointPrefix, GraphFile, SavedModelDirectory, locate
from graphscope.formats.detect.sniff import Content
from graphscope.formats.registry import format_at


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
        tags: which meta graph of a SavedModel: its exact tags.
        checkpoint: the checkpoint that holds the values, for a graph that lies elsewhere (``graph.pbtxt``).
        lazily: leaves the index of a checkpoint unread until it is asked for; what is broken in it is found then.

    Raises:
        FileError: nothing is there.
        NotTensorFlowError: it is a file of another format, which the error names.
        CorruptFileError: a file is broken; the error says where.
        UnsupportedError: a newer format than graphscope reads.
        IncompleteModelError: a file that the others need is missing.
        UnknownNameError: no meta graph has these tags.
    """
    location = locate(path)
    row = format_at(location)
    if row is None:
        assert isinstance(location, GraphFile)
        raise _unknown(location)
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
    return replace(
        model,
        files=(*graph_files, *files),
        store=store,
        store_version=version,
        warnings=(*model.warnings, *location.warnings),
    )


def _unknown(location: GraphFile) -> NotTensorFlowError:
    source = location.source
    head = source.read(0, min(8, source.size)).hex(" ")
    return NotTensorFlowError(f"not a TensorFlow graph or checkpoint: it starts with {head}", path=source.path)
