"""The graph in an event file, as a model."""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from pathlib import Path

from graphscope.advice import Advice, Call
from graphscope.core.changes.build import with_inputs
from graphscope.core.graph import Function, Graph, Node
from graphscope.core.model import Model, ModelKind
from graphscope.core.tensors import shape_of
from graphscope.core.values.dtypes import DataType
from graphscope.core.values.payload import AbsentPayload, Payload
from graphscope.errors import IncompleteModelError
from graphscope.formats.detect.locate import EventFiles, GraphFile
from graphscope.formats.events.event_file import GRAPH, META_GRAPH, SUMMARY, Part, holds_traces, parts, traces
from graphscope.formats.graph.graphdef import graph_from
from graphscope.formats.graph.message import read_region
from graphscope.formats.graph.metagraph import split_meta_graph
from graphscope.formats.io.files import model_file
from graphscope.formats.io.wire import FileSource
from graphscope.formats.lazy import split_weights
from graphscope.formats.lazy.holders import BinaryHolder
from graphscope.protos import GraphDef, MetaGraphDef, NodeDef

TOO_LARGE = "_too_large_attrs"
"""The attribute in which TensorBoard lists the attributes that it leaves out, and graphscope those that it did not log.

Source: ``tensorboard/backend/process_graph.py``; the Graphs page asks for it by this name.
"""


def read_model(location: EventFiles | GraphFile, _: Collection[str] = ()) -> Model:
    """An event file, or a directory of them; raises as :func:`open_event_file`."""
    if isinstance(location, GraphFile):
        return open_event_file(location.source)
    return open_event_files(location.directory, location.files)


def open_event_file(source: FileSource) -> Model:
    """The graph in an event file: the last meta graph; if there is none, the last graph, or what TensorFlow 2 traced.

    Weights stay where they are in the file. Every event is compared with its checksum.

    Raises:
        IncompleteModelError: no event holds a graph.
        CorruptFileError: the file is broken, or its graph is not valid.
    """
    notes: list[str] = []
    found: dict[int, list[Part]] = {}
    for part in parts(source, notes):
        if part.number in _READERS and (part.number != SUMMARY or holds_traces(source, part)):
            found.setdefault(part.number, []).append(part)
    number = next((number for number in _READERS if number in found), None)
    if number is None:
        raise no_graph_in(str(source.path))
    if len(found[number]) > 1:
        notes.append(f"{len(found[number])} graphs in {source.path}: using the last")
    graph, meta = _READERS[number](source, found[number][-1])
    files = (model_file(source.path, "graph"),)
    return Model(
        str(source.path), ModelKind.EVENT_FILE, "binary", files, _mark_too_large(graph), meta, notes=tuple(notes)
    )


def open_event_files(directory: Path, files: Sequence[Path]) -> Model:
    """The graph in the latest of ``files`` that holds one; raises as :func:`open_event_file`."""
    for file in reversed(files):
        try:
            model = open_event_file(FileSource(file))
        except IncompleteModelError:
            continue
        if len(files) > 1:
            model.notes = (
                f"{len(files)} event files in {directory}: {file.name}, the latest with a graph, is used",
                *model.notes,
            )
        return model
    raise no_graph_in(str(directory))


def no_graph_in(place: str) -> IncompleteModelError:
    """The error for event files that hold summaries only, say."""
    return IncompleteModelError(
        f"{place}: no event holds a graph", hint=Advice(Call("board", ("DIR",)), "   shows what else is logged")
    )


def _meta_graph(source: FileSource, part: Part) -> tuple[Graph, MetaGraphDef]:
    meta, holder = read_region(source, split_weights.META_GRAPH, MetaGraphDef, part.start, part.end)
    return split_meta_graph(meta, holder, ()), meta


def _graph(source: FileSource, part: Part) -> tuple[Graph, MetaGraphDef]:
    proto, holder = read_region(source, split_weights.GRAPH, GraphDef, part.start, part.end)
    return graph_from(proto, holder, ()), MetaGraphDef()


def _traced_graph(source: FileSource, part: Part) -> tuple[Graph, MetaGraphDef]:
    """The functions that ran, before TensorFlow changed them; as in TensorBoard a scope for each, if there are several."""
    [tagged, *_] = traces(source, part)
    protos = [found.pre_optimization_graph for found in tagged.metadata().function_graphs]
    graphs = [graph_from(proto, BinaryHolder(source, ()), ()) for proto in protos]
    if len(graphs) == 1:
        return graphs[0], MetaGraphDef()
    nodes = [_scope(node, f"graph_{i}") for i, graph in enumerate(graphs, 1) for node in graph]
    functions: dict[str, Function] = {}
    for graph in graphs:
        functions.update(graph.functions)
    return Graph(graphs[0].header if graphs else GraphDef(), nodes, functions.values()), MetaGraphDef()


def _scope(node: Node, scope: str) -> Node:
    moved = with_inputs(node, (f"^{scope}/{i[1:]}" if i.startswith("^") else f"{scope}/{i}" for i in node.inputs))
    moved.proto.name = f"{scope}/{node.name}"
    return moved


_READERS: dict[int, Callable[[FileSource, Part], tuple[Graph, MetaGraphDef]]] = {
    META_GRAPH: _meta_graph,
    GRAPH: _graph,
    SUMMARY: _traced_graph,
}
"""Field of an event -> reader; what says most comes first."""


def _mark_too_large(graph: Graph) -> Graph:
    """Nodes that say by :data:`TOO_LARGE` what they lack get payloads that say so, not zeros."""
    functions = [f.with_nodes(map(_mark, f.nodes)) for f in graph.functions.values()]
    return graph.with_nodes(map(_mark, graph.nodes)).with_functions(functions)


def _mark(node: Node) -> Node:
    missing = _find_unlogged(node.proto) if TOO_LARGE in node.attrs else {}
    return Node(node.proto, {**node.payloads, **missing}) if missing else node


def _find_unlogged(proto: NodeDef) -> dict[str, Payload]:
    """A payload for each tensor that ``proto`` names in :data:`TOO_LARGE` and that has no content."""
    found: dict[str, Payload] = {}
    for key in (name.decode(errors="replace") for name in proto.attr[TOO_LARGE].list.s):
        value = proto.attr.get(key)
        if value is not None and value.WhichOneof("value") == "tensor" and not value.tensor.tensor_content:
            shape = shape_of(value.tensor.tensor_shape) or ()
            dims = tuple(size or 0 for size in shape)
            found[key] = AbsentPayload(DataType.of(value.tensor.dtype), dims, proto.name)
    return found
