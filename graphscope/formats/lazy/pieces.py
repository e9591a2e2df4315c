"""A serialized message as pieces: bytes in memory, and streams of weights from files.

The reverse of :mod:`graphscope.formats.lazy.split_weights`: sizes are known without reading
a weight, so that lengths can be written first.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass

from graphscope.core.graph import Function, Graph, Node
from graphscope.core.values.payload import Payload
from graphscope.formats.io.wire import varint
from graphscope.formats.lazy.payloads import EncodedPayload
from graphscope.protos import AttrValue, GraphDef, MetaGraphDef, NodeDef


@dataclass(frozen=True, slots=True)
class Stream:
    """``size`` bytes that ``chunks`` gives when they are wanted."""

    size: int
    chunks: Callable[[], Iterator[bytes]]


Piece = bytes | Stream


def size_of(pieces: Iterable[Piece]) -> int:
    """Bytes in all."""
    return sum(piece.size if isinstance(piece, Stream) else len(piece) for piece in pieces)


def flow(pieces: Iterable[Piece]) -> Iterator[bytes]:
    """The bytes in order; reads the weights as they come by."""
    for piece in pieces:
        if isinstance(piece, Stream):
            yield from piece.chunks()
        else:
            yield piece


def field(number: int, pieces: list[Piece]) -> list[Piece]:
    """A length-delimited field: tag, length, content."""
    return [varint(number << 3 | 2) + varint(size_of(pieces)), *pieces]


def meta_graph_pieces(meta: MetaGraphDef, graph: Graph) -> list[Piece]:
    """A ``MetaGraphDef`` with ``graph`` in it."""
    return [meta.SerializeToString(deterministic=True), *field(2, graph_pieces(graph))]


def graph_pieces(graph: Graph) -> list[Piece]:
    """A ``GraphDef``: the nodes in order, then the library, then versions and the remaining fields of the file."""
    pieces: list[Piece] = []
    for node in graph.nodes:
        pieces += node_field(1, node)
    rest = GraphDef()
    rest.CopyFrom(graph.header)
    rest.ClearField("library")
    library = [piece for function in graph.functions.values() for piece in field(1, _function_pieces(function))]
    if library or graph.header.HasField("library"):
        pieces += field(2, [*library, graph.header.library.SerializeToString(deterministic=True)])
    pieces.append(rest.SerializeToString(deterministic=True))
    return pieces


def _function_pieces(function: Function) -> list[Piece]:
    pieces: list[Piece] = [function.proto.SerializeToString(deterministic=True)]
    for node in function.nodes:
        pieces += node_field(3, node)
    return pieces


def node_field(number: int, node: Node) -> list[Piece]:
    """A ``NodeDef`` in field ``number``, its payloads streamed."""
    if not node.payloads:
        data = node.proto.SerializeToString(deterministic=True)
        return [varint(number << 3 | 2) + varint(len(data)) + data]
    rest = NodeDef()
    rest.CopyFrom(node.proto)
    for name in node.payloads:
        del rest.attr[name]
    pieces: list[Piece] = [rest.SerializeToString(deterministic=True)]
    for name, payload in node.payloads.items():
        unknown = AttrValue()
        unknown.CopyFrom(node.proto.attr[name])
        unknown.ClearField("tensor")
        value = [unknown.SerializeToString(deterministic=True), *field(8, _tensor_pieces(node, name, payload))]
        pieces += field(5, [*field(1, [name.encode()]), *field(2, value)])
    return field(number, pieces)


def _tensor_pieces(node: Node, name: str, payload: Payload) -> list[Piece]:
    """A ``TensorProto``: as it stands in its file, or dtype, shape and the content in field 4."""
    if isinstance(payload, EncodedPayload):
        return [Stream(payload.size, payload.encode)]
    head = node.proto.attr[name].tensor.SerializeToString(deterministic=True)
    return [head, *field(4, [Stream(payload.nbytes or 0, payload.chunks)])]
