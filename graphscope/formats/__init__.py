"""bytes <-> core; one file for each format.

:func:`load` opens anything: :mod:`graphscope.formats.detect.locate` finds the files, the table below opens them.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Collection
from dataclasses import replace
from typing import TYPE_CHECKING

from graphscope.core.model import Model, ModelKind
from graphscope.errors import FileError, NotTensorFlowError
from graphscope.formats.checkpoint.prefix import model_file, open_checkpoint, open_store, read_meta_graph
from graphscope.formats.detect.locate import (
    CheckpointPrefix,
    EventFiles,
    GraphFile,
    Location,
    SavedModelDirectory,
    locate,
)
from graphscope.formats.detect.sniff import Content
from graphscope.formats.graph.graphdef import graph_from
from graphscope.formats.graph.message import read_message
from graphscope.formats.lazy import split_weights
from graphscope.formats.savedmodel.reader import open_saved_model
from graphscope.protos import GraphDef

if TYPE_CHECKING:
    from graphscope.formats.graph.suffixes import GraphForm


def load(
    path: str | os.PathLike[str], *, tags: Collection[str] = (), checkpoint: str | os.PathLike[str] | None = None
) -> Model:
    """Opens a model: its structure only; weights stay in their files.

    Args:
        path: a checkpoint prefix, its ``.meta``, ``.index`` or ``.data-*`` file, a V1 checkpoint, the ``checkpoint`` state
            file, a directory that holds one of them, a ``.pb`` or ``.pbtxt``, a SavedModel directory, an event file or a
            directory of them.
        tags: which meta graph of a SavedModel: its exact tags.
        checkpoint: the checkpoint that holds the values, for a graph that lies elsewhere (``graph.pbtxt``).

    Raises:
        FileError: nothing is there.
        NotTensorFlowError: it is a file of another format, which the error names.
        CorruptFileError: a file is broken; the error says where.
        UnsupportedError: a newer format than graphscope reads.
        IncompleteModelError: a file that the others need is missing.
        UnknownNameError: no meta graph has these tags.
    """
    model = _open(locate(path), tags)
    return model if checkpoint is None else _with_checkpoint(model, checkpoint)


def _with_checkpoint(model: Model, checkpoint: str | os.PathLike[str]) -> Model:
    location = locate(checkpoint)
    if not isinstance(location, CheckpointPrefix):
        raise FileError(f"{os.fspath(checkpoint)}: no checkpoint", hint="--checkpoint takes a checkpoint prefix")
    store, version, files = open_store(location.prefix)
    graph_files = tuple(f for f in model.files if f.role == "graph")
    return replace(
        model,
        files=(*graph_files, *files),
        store=store,
        store_version=version,
        warnings=(*model.warnings, *location.warnings),
    )


def _open(location: Location, tags: Collection[str]) -> Model:
    if isinstance(location, CheckpointPrefix):
        return open_checkpoint(location)
    if isinstance(location, GraphFile) and location.sniffed.content is Content.SAVED_MODEL:
        location = SavedModelDirectory(location.source.path.parent, location.source.path)
    if isinstance(location, SavedModelDirectory):
        return open_saved_model(location, tags)
    if isinstance(location, EventFiles):
        from graphscope.formats.events.logged_graph import open_event_files

        return open_event_files(location.directory, location.files)
    return _OPENERS[location.sniffed.content](location)


def save(model: Model, path: str | os.PathLike[str], *, overwrite: bool = False, form: GraphForm | None = None) -> int:
    """Writes the graph of ``model`` in the form that the name tells, see :func:`graph_form`.

    Weights are copied from file to file; variables' values are not part of either. Returns the size in bytes.

    Args:
        form: what to write, whatever the name.

    Raises:
        FileError: the file exists and ``overwrite`` is not set, or cannot be written; an old file stands.
        IncompleteModelError: the model has no graph.
        CorruptFileError: a weight cannot be read.
        GraphscopeError: the name tells another format, or the graph is invalid.
    """
    from graphscope.formats.graph.suffixes import GraphForm, graph_form
    from graphscope.formats.io.atomic import write_file
    from graphscope.formats.lazy.pieces import flow, graph_pieces, meta_graph_pieces
    from graphscope.formats.text.writer import write_pbtxt

    form = form or graph_form(path)
    if form is GraphForm.TEXT:
        return write_pbtxt(model, path, overwrite=overwrite)
    model.refuse_invalid()
    pieces = meta_graph_pieces(model.meta, model.graph) if form is GraphForm.META else graph_pieces(model.graph)
    return write_file(path, flow(pieces), overwrite=overwrite)


def _open_graph(location: GraphFile) -> Model:
    source = location.source
    proto, holder = read_message(source, split_weights.GRAPH, GraphDef, location.sniffed.is_text)
    graph = graph_from(proto, holder, ())
    return Model(str(source.path), ModelKind.GRAPH, _encoding(location), (model_file(source.path, "graph"),), graph)


def _open_meta_graph(location: GraphFile) -> Model:
    meta, graph, encoding = read_meta_graph(location.source)
    path = location.source.path
    return Model(str(path), ModelKind.META_GRAPH, encoding, (model_file(path, "graph"),), graph, meta)


def _open_event_file(location: GraphFile) -> Model:
    from graphscope.formats.events.logged_graph import open_event_file

    return open_event_file(location.source)


def _refuse(location: GraphFile) -> Model:
    source = location.source
    head = source.read(0, min(8, source.size)).hex(" ")
    raise NotTensorFlowError(f"no TensorFlow graph or checkpoint: it starts with {head}", path=source.path)


def _encoding(location: GraphFile) -> str:
    return "text" if location.sniffed.is_text else "binary"


_OPENERS: dict[Content, Callable[[GraphFile], Model]] = {
    Content.GRAPH: _open_graph,
    Content.META_GRAPH: _open_meta_graph,
    Content.EVENTS: _open_event_file,
    Content.STATE: _refuse,
    Content.UNKNOWN: _refuse,
}
