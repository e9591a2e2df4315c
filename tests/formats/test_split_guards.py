"""Large tensors out of messages at every size around the limit, and what must not be split."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import pytest

from graphscope.core.graph import Function, Graph, Node
from graphscope.core.values.dtypes import DataType
from graphscope.core.values.payload import ArrayPayload
from graphscope.errors import CorruptFileError
from graphscope.formats.io.window import Window
from graphscope.formats.lazy.pieces import Stream, flow, meta_graph_pieces, size_of
from graphscope.formats.lazy.pieces import field as field_pieces
from graphscope.formats.lazy.split_weights import GRAPH, NODE, SAVED_MODEL, Skeleton, cut
from graphscope.protos import AttrValue, FunctionDef, GraphDef, MetaGraphDef, NodeDef, TensorProto
from tests.support.graph_bytes import field
from tests.support.tables import varint

HEAD = b"\x08\x01" + field(2, field(2, b"\x08\x03"))


def node(name: str, *attributes: bytes) -> bytes:
    return field(1, name.encode()) + field(2, b"Const") + b"".join(field(5, a) for a in attributes)


def attribute(tensor: bytes, key: str = "value") -> bytes:
    return field(1, key.encode()) + field(2, field(8, tensor))


def tensor_of(size: int) -> bytes:
    """A ``TensorProto`` of exactly ``size`` bytes."""
    for length in range(size - len(HEAD) - 4, size - len(HEAD)):
        tensor = HEAD + field(4, b"x" * length)
        if len(tensor) == size:
            return tensor
    raise AssertionError(size)


def halves(skeleton: Skeleton, content: bytes) -> Iterator[tuple[str, int, bytes]]:
    """Place, number of the last message in it, and the bytes of each tensor that was left out."""
    for tensor in skeleton.tensors:
        yield tensor.key, tensor.place[-1][1] if tensor.place else -1, content[tensor.start : tensor.end]


@pytest.mark.parametrize("size", [*range(1010, 1040), 4000, 20_000, (1 << 14) + 1, 1 << 21])
def test_tensors_above_a_kibibyte_are_left_out(size: int) -> None:
    tensor = tensor_of(size)
    graph = (
        field(1, node("a")) + field(1, node("b", attribute(tensor), attribute(HEAD, "small"))) + field(4, b"\x08\x15")
    )
    skeleton = cut(graph, "f", GRAPH)
    assert list(halves(skeleton, graph)) == ([("value", 1, tensor)] if size > 1024 else [])
    expected = GraphDef.FromString(graph)
    if size > 1024:
        [found] = skeleton.tensors
        assert found.content is not None
        assert set(graph[slice(*found.content)]) == {ord("x")}
        expected.node[1].attr["value"].tensor.ClearField("tensor_content")
    assert GraphDef.FromString(skeleton.message) == expected
    assert len(skeleton.message) < len(graph) or size <= 1024


@pytest.mark.parametrize(
    "size",
    [
        1,
        60,
        118,
        119,
        120,
        121,
        122,
        127,
        128,
        129,
        1000,
        1017,
        1018,
        1019,
        1020,
        1021,
        1022,
        1023,
        1024,
        1025,
        16_383,
        16_384,
    ],
)
def test_other_large_fields_are_copied(size: int) -> None:
    """Whatever their size, and whatever window they are read through."""
    long = NodeDef(name="n" * size, op="Const", device="d" * 200)
    long.attr["s"].s = b"s" * size
    graph = GraphDef()
    for name in ("first", "second"):
        graph.node.add(name=name, op="Const")
        graph.node.append(long)
    content = graph.SerializeToString() + field(1, node("last", attribute(tensor_of(2000))))
    for buffer in (content, Window(lambda at, count: content[at : at + count], len(content))):
        skeleton = cut(buffer, "f", GRAPH)
        assert list(halves(skeleton, content)) == [("value", 4, tensor_of(2000))]
        assert list(GraphDef.FromString(skeleton.message).node[:4]) == list(graph.node)


def test_places_are_counted_on_each_floor() -> None:
    large = field(1, node("n", attribute(tensor_of(1100))))
    library = field(
        2,
        field(1, field(3, node("s"))) + field(1, field(3, node("s")) + field(3, node("n", attribute(tensor_of(1200))))),
    )
    meta = field(2, large + field(1, node("s")) + large + library)
    content = varint(1 << 3) + b"\x01" + field(2, b"") + field(2, meta)
    places = [tensor.place for tensor in cut(content, "f", SAVED_MODEL).tensors]
    assert places == [
        (("meta_graph", 1), ("node", 0)), (("meta_graph", 1), ("node", 2)), (("meta_graph", 1), ("function", 1), ("node", 1))
    ]  # fmt: skip


def test_a_part_of_a_buffer() -> None:
    message = node("n", attribute(tensor_of(1100)))
    skeleton = cut(b"#" * 10 + message + b"#", "f", NODE, 10, 10 + len(message))
    [found] = skeleton.tensors
    assert (found.start > 10, found.place) == (True, ())
    assert NodeDef.FromString(skeleton.message).attr["value"].tensor.dtype == DataType.FLOAT


@pytest.mark.parametrize(
    ("tensor", "has_content"),
    [
        (HEAD + field(4, bytes(1100)), True),
        (HEAD + field(4, bytes(1100)) + field(5, b"1234"), False),
        (HEAD + field(5, b"1234") + field(4, bytes(1100)), False),
        (HEAD + field(4, bytes(1100)) + field(4, bytes(4)), False),
        (HEAD + field(5, bytes(1100)), False),
        (b"\x18\x01" + HEAD + field(4, bytes(1100)), True),
        (HEAD + field(4, bytes(1100)) + HEAD, True),
    ],
)
def test_content_alone_can_be_streamed(tensor: bytes, has_content: bool) -> None:
    skeleton = cut(node("n", attribute(tensor)), "f", NODE)
    assert (skeleton.tensors[0].content is not None) is has_content
    head = NodeDef.FromString(skeleton.message).attr["value"].tensor
    stated = TensorProto.FromString(tensor)
    assert (head.dtype, head.tensor_shape, head.version_number) == (
        stated.dtype,
        stated.tensor_shape,
        stated.version_number,
    )
    assert not head.tensor_content
    assert not head.float_val


TENSOR = tensor_of(1100)
SECOND = field(1, b"other") + field(1, b"value") + field(2, AttrValue(i=1).SerializeToString())


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (node("n", attribute(TENSOR), attribute(TENSOR)), "'value' occurs twice"),
        (node("n", attribute(TENSOR), attribute(HEAD)), "'value' occurs twice"),
        (node("n", attribute(HEAD), attribute(TENSOR)), "'value' occurs twice"),
        (node("n", attribute(TENSOR), SECOND), "'value' occurs twice"),
        (
            node("n", field(1, b"value") + field(2, field(8, TENSOR)) + field(2, field(8, TENSOR))),
            "field 2 occurs twice",
        ),
        (node("n", field(1, b"value") + field(2, field(8, TENSOR) + field(8, HEAD))), "field 8 occurs twice"),
        (node("n", attribute(TENSOR)) + b"\x0b", "wire type 3"),
        (node("n", attribute(TENSOR)) + b"\x00\x00", "is not a field tag"),
        (node("n", attribute(TENSOR)) + b"\x07\x00", "is not a field tag"),
        (node("n", attribute(TENSOR)) + varint(1 << 33) + b"\x00", "is not a field tag"),
        (node("n", attribute(TENSOR))[:-1], "announced"),
        (node("n", attribute(TENSOR)) + b"\x12\x05abc", "past the end"),
        (node("n", attribute(TENSOR)) + b"\x12", "does not end"),
    ],
)
def test_what_cannot_be_split_is_refused(content: bytes, message: str) -> None:
    with pytest.raises(CorruptFileError, match=message):
        cut(content, "f", NODE)


def test_equal_attributes_are_protobufs_where_nothing_is_left_out() -> None:
    content = node("n", attribute(HEAD), attribute(HEAD), attribute(TENSOR, "a"), attribute(HEAD, "b"))
    assert len(cut(node("n", attribute(HEAD), attribute(HEAD)), "f", NODE).tensors) == 0
    with pytest.raises(CorruptFileError, match="'value' occurs twice"):
        cut(content, "f", NODE)


@pytest.mark.parametrize(
    "fixed", [b"\x61" + b"12345678", b"\x65" + b"1234", varint(12 << 3) + b"\xff\x01", varint((1 << 32) - 8) + b"\x05"]
)
def test_fields_of_other_wire_types_stay(fixed: bytes) -> None:
    content = fixed + node("n", attribute(TENSOR)) + fixed
    skeleton = cut(content, "f", NODE)
    assert skeleton.message.startswith(fixed)
    assert skeleton.message.endswith(fixed)
    assert len(skeleton.tensors) == 1


# Put together again


def filled(keys: list[str]) -> tuple[Graph, MetaGraphDef]:
    """A graph, and what is beside it, whose maps are filled in this order."""
    header = GraphDef()
    for key in keys:
        header.debug_info.traces[key].file_line_cols.add(line=1)
    library = header.library.gradient.add(function_name="f", gradient_func="g")
    assert library
    plain, large, function = NodeDef(name="a", op="X"), NodeDef(name="b", op="Const"), FunctionDef()
    for key in keys:
        for proto in (plain, large):
            proto.attr[key].func.name = key
            for inner in keys:
                proto.attr[key].func.attr[inner].i = 1
        function.attr[key].i = 1
        function.ret[key] = key
    large.attr["value"].tensor.dtype = 1
    payload = ArrayPayload(np.ones(2, np.float32))
    nodes = [Node(plain), Node(large, {"value": payload})]
    meta = MetaGraphDef()
    for key in keys:
        meta.collection_def[key].node_list.value.append(key)
        meta.signature_def[key].method_name = key
    return Graph(header, nodes, [Function(function, [Node(plain)])]), meta


def test_maps_are_written_in_the_order_of_their_keys() -> None:
    """The same model gives the same bytes, and they are a message."""
    keys = [f"k{i}" for i in range(20)]
    written = [b"".join(flow(meta_graph_pieces(meta, graph))) for graph, meta in map(filled, (keys, keys[::-1]))]
    assert written[0] == written[1]
    meta = MetaGraphDef.FromString(written[0])
    assert len(meta.collection_def) == len(meta.signature_def) == len(meta.graph_def.debug_info.traces) == 20
    assert [len(node.attr) for node in meta.graph_def.node] == [20, 21]
    assert meta.graph_def.node[1].attr["value"].tensor.tensor_content == np.ones(2, np.float32).tobytes()
    [function] = meta.graph_def.library.function
    assert (len(function.node_def), len(function.attr), len(meta.graph_def.library.gradient)) == (1, 20, 1)


def test_the_size_of_pieces_is_known_before_they_are_made() -> None:
    stream = Stream(3, lambda: iter([b"x", b"yz"]))
    pieces = field_pieces(5, [b"ab", stream, b""])
    assert pieces == [b"\x2a\x05", b"ab", stream, b""]
    assert size_of(pieces) == 7
    assert list(flow(pieces)) == [b"\x2a\x05", b"ab", b"x", b"yz", b""]
