"""GraphDef: the graph in a message, with weights left in the file.

Source: ``tensorflow/core/framework/graph.proto``, ``node_def.proto``, ``function.proto``.
"""

from __future__ import annotations

import os
from collections.abc import Collection, Iterable
from typing import TYPE_CHECKING

from graphscope.core.graph import Function, Graph, Node
from graphscope.core.model import Model, ModelKind
from graphscope.formats.detect.locate import GraphFile
from graphscope.formats.io.files import model_file
from graphscope.formats.lazy import split_weights
from graphscope.formats.lazy.holders import Holder
from graphscope.formats.lazy.split_weights import Place
from graphscope.protos import GraphDef, NodeDef

if TYPE_CHECKING:
    from graphscope.formats.registry import WriteOptions


def read_model(location: GraphFile, _: Collection[str] = ()) -> Model:
    """A file that holds a GraphDef, binary or text.

    Raises:
        CorruptFileError: the content is not such a message.
    """
    from graphscope.formats.graph.message import read_message

    source, is_text = location.source, location.sniffed.is_text
    proto, holder = read_message(source, split_weights.GRAPH, GraphDef, is_text)
    graph = graph_from(proto, holder, ())
    encoding = "text" if is_text else "binary"
    return Model(str(source.path), ModelKind.GRAPH, encoding, (model_file(source.path, "graph"),), graph)


def write_model(model: Model, path: str | os.PathLike[str], options: WriteOptions) -> int:
    """Writes the graph of ``model`` in binary; weights are copied from file to file. Returns the size in bytes.

    Raises:
        FileError: the file exists and must not be replaced, or cannot be written; an existing file is kept.
        IncompleteModelError: the model has no graph.
        CorruptFileError: a weight cannot be read.
        GraphscopeError: the graph is invalid.
    """
    from graphscope.formats.io.atomic import write_file
    from graphscope.formats.io.progress import report_chunks
    from graphscope.formats.lazy.pieces import flow, graph_pieces

    model.refuse_invalid(closely=True)
    content = report_chunks(flow(graph_pieces(model.graph)), options.progress)
    return write_file(path, content, overwrite=options.overwrite, check=options.check)


def graph_from(proto: GraphDef, holder: Holder, place: Place) -> Graph:
    """The graph in ``proto``, which lies at ``place`` and is emptied: its nodes move over, nothing is copied."""
    nodes = _nodes(proto.node, holder, place)
    proto.ClearField("node")
    functions = []
    if proto.HasField("library"):
        for i, function in enumerate(proto.library.function):
            body = _nodes(function.node_def, holder, (*place, ("function", i)))
            function.ClearField("node_def")
            functions.append(Function(function, body))
        proto.library.ClearField("function")
    return Graph(proto, nodes, functions)


def _nodes(protos: Iterable[NodeDef], holder: Holder, place: Place) -> list[Node]:
    nodes = list(map(Node, protos))
    for i, payloads in holder.payloads(place, nodes):
        nodes[i].payloads = payloads
    return nodes
