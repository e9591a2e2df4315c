"""MetaGraphDef: a graph with its collections, saver and signatures.

Source: ``tensorflow/core/protobuf/meta_graph.proto``.
"""

from __future__ import annotations

import os
from collections.abc import Collection
from typing import TYPE_CHECKING

from graphscope.core.graph import Graph
from graphscope.core.model import Model, ModelKind
from graphscope.formats.detect.locate import GraphFile
from graphscope.formats.graph.graphdef import graph_from
from graphscope.formats.io.files import model_file
from graphscope.formats.lazy import split_weights
from graphscope.formats.lazy.holders import Holder
from graphscope.formats.lazy.split_weights import Place
from graphscope.protos import MetaGraphDef

if TYPE_CHECKING:
    from graphscope.formats.registry import WriteOptions


def read_model(location: GraphFile, _: Collection[str] = ()) -> Model:
    """A file that holds a MetaGraphDef, binary or text.

    Raises:
        CorruptFileError: the content is not such a message.
    """
    from graphscope.formats.graph.message import read_message

    source, is_text = location.source, location.sniffed.is_text
    meta, holder = read_message(source, split_weights.META_GRAPH, MetaGraphDef, is_text)
    graph = split_meta_graph(meta, holder, ())
    files = (model_file(source.path, "graph"),)
    return Model(str(source.path), ModelKind.META_GRAPH, "text" if is_text else "binary", files, graph, meta)


def write_model(model: Model, path: str | os.PathLike[str], options: WriteOptions) -> int:
    """Writes the meta graph of ``model``, without values of variables. Returns the size in bytes.

    Raises:
        FileError: the file exists and must not be replaced, or cannot be written; an existing file is kept.
        IncompleteModelError: the model has no graph.
        CorruptFileError: a weight cannot be read.
        GraphscopeError: the graph is invalid.
    """
    from graphscope.formats.io.atomic import write_file
    from graphscope.formats.io.progress import report_chunks
    from graphscope.formats.lazy.pieces import flow, meta_graph_pieces

    model.refuse_invalid(closely=True)
    content = report_chunks(flow(meta_graph_pieces(model.meta, model.graph)), options.progress)
    return write_file(path, content, overwrite=options.overwrite, check=options.check)


def split_meta_graph(meta: MetaGraphDef, holder: Holder, place: Place) -> Graph:
    """The graph of ``meta``, which lies at ``place`` and keeps everything but that graph."""
    graph = graph_from(meta.graph_def, holder, place)
    meta.ClearField("graph_def")
    return graph
