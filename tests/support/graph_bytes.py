"""Graphs for the tests of graph files: every form of tensor, messages byte by byte, and what a round trip must keep."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

import numpy as np

import graphscope
from graphscope.core.graph import Body, Node
from graphscope.core.model import Model, ModelKind
from graphscope.core.values.payload import PAYLOAD_BYTES
from tests.support.saving import as_array, assert_equal, tf
from tests.support.tables import varint

from google.protobuf import text_format  # isort: skip
from tensorflow.core.protobuf.meta_graph_pb2 import MetaGraphDef  # isort: skip
from tensorflow.core.protobuf.saved_model_pb2 import SavedModel  # isort: skip

GraphDef = tf.compat.v1.GraphDef


def parsed(path: Path, model: Model) -> Any:
    """The file as TensorFlow's own class: a GraphDef, a MetaGraphDef, or the SavedModel's chosen meta graph."""
    kinds = {ModelKind.GRAPH: GraphDef, ModelKind.SAVED_MODEL: SavedModel}
    message = kinds.get(model.kind, MetaGraphDef)()
    if model.encoding == "text":
        text_format.Parse(path.read_text(), message)
    else:
        message.ParseFromString(path.read_bytes())
    if model.kind is not ModelKind.SAVED_MODEL:
        return message
    wanted = sorted(model.meta.meta_info_def.tags)
    [meta] = [m for m in message.meta_graphs if sorted(m.meta_info_def.tags) == wanted]
    return meta


def bytes_of(message: Any) -> bytes:
    data: bytes = message.SerializeToString(deterministic=True)
    return data


def saved(model: Model, directory: Path, kind: Any) -> Any:
    """What ``kind`` parses of the model after it was saved."""
    path = directory / ("saved.meta" if kind is MetaGraphDef else "saved.pb")
    size = graphscope.save(model, path, overwrite=True).size_bytes
    assert path.stat().st_size == size
    return kind.FromString(path.read_bytes())


def assert_same_nodes(body: Body, expected: Sequence[Any], what: str) -> int:
    """Names, ops, inputs, devices, attribute names, and the value of every tensor; returns how many tensors there were."""
    assert [n.name for n in body] == [n.name for n in expected], what
    count = 0
    for node, proto in zip(body, expected, strict=True):
        assert (node.op, node.device, list(node.inputs)) == (proto.op, proto.device, list(proto.input)), node.name
        assert set(node.attrs) == set(proto.attr), node.name
        for key, value in proto.attr.items():
            if value.WhichOneof("value") == "tensor":
                assert_same_tensor(node, key, value.tensor)
                count += 1
    return count


def assert_same_tensor(node: Node, key: str, proto: Any) -> None:
    payload = node.tensor(key)
    assert payload is not None
    expected = as_array(tf.make_ndarray(proto))
    assert payload.shape == expected.shape, node.name
    if expected.dtype.names:  # quantized types are structures of one field there
        expected = expected.view(payload.dtype.numpy)
    if expected.dtype.hasobject:
        expected = np.array([t or b"" for t in expected.reshape(-1)], object).reshape(expected.shape)
        assert payload.nbytes is None
    else:
        assert payload.nbytes == expected.nbytes
        assert b"".join(payload.chunks()) == expected.tobytes()
    assert_equal(payload.numpy(), expected, node.name)


def assert_round_trip(path: Path, model: Model, directory: Path) -> int:
    expected = parsed(path, model)
    is_graph_def = isinstance(expected, GraphDef)
    graph = expected if is_graph_def else expected.graph_def
    count = assert_same_nodes(model.graph, graph.node, "")
    assert list(model.graph.functions) == [f.signature.name for f in graph.library.function]
    for function in graph.library.function:
        name = function.signature.name
        count += assert_same_nodes(model.graph.functions[name], function.node_def, name)
    assert model.graph.producer == (graph.versions.producer or graph.version)
    assert bytes_of(saved(model, directory, GraphDef)) == bytes_of(graph)
    assert_same_nodes(graphscope.load(directory / "saved.pb").graph, graph.node, "saved again")
    if not is_graph_def:
        assert bytes_of(saved(model, directory, MetaGraphDef)) == bytes_of(expected)
    return count


STRINGS = np.array([b"x" * n for n in range(60)], object)
LARGE: dict[str, Any] = {
    "content": tf.make_tensor_proto(np.arange(300, dtype=np.float32).reshape(3, 100)),
    "content_double": tf.make_tensor_proto(np.arange(300, dtype=np.float64)),
    "numpy_bool": tf.make_tensor_proto(np.arange(2000) % 3 == 0),
    "content_half": tf.make_tensor_proto(np.arange(900, dtype=np.float16)),
    "content_int8": tf.make_tensor_proto(np.arange(1100, dtype=np.uint8).astype(np.int8)),
    "strings": tf.make_tensor_proto(STRINGS.reshape(6, 10)),
}


def typed(dtype: Any, name: str, values: Iterable[Any], count: int | None = None) -> Any:
    """A tensor whose values are in a repeated field; ``count`` elements, of which the last ones repeat the last value."""
    proto = type(LARGE["content"])(dtype=dtype.as_datatype_enum)
    getattr(proto, name).extend(values)
    size = len(getattr(proto, name)) // (2 if "complex" in name or name.startswith(("sc", "dc")) else 1)
    proto.tensor_shape.dim.add(size=size if count is None else count)
    return proto


LARGE |= {
    "float_val": typed(tf.float32, "float_val", np.linspace(-1, 1, 400)),
    "float_val_filled": typed(tf.float32, "float_val", np.linspace(-1, 1, 400), 1000),
    "double_val": typed(tf.float64, "double_val", np.linspace(-1, 1, 400)),
    "int_val": typed(tf.int32, "int_val", range(-300, 300)),
    "int_val_of_int8": typed(tf.int8, "int_val", [n % 128 - 100 for n in range(1200)]),
    "int_val_of_uint16": typed(tf.uint16, "int_val", range(60_000, 60_600)),
    "half_val": typed(tf.float16, "half_val", range(15_000, 16_000)),
    "half_val_of_bfloat16": typed(tf.bfloat16, "half_val", range(15_000, 16_000)),
    "int64_val": typed(tf.int64, "int64_val", [n * n - 7 for n in range(600)]),
    "bool_val": typed(tf.bool, "bool_val", [n % 3 == 0 for n in range(1100)]),
    "string_val": typed(tf.string, "string_val", list(STRINGS)),
    "scomplex_val": typed(tf.complex64, "scomplex_val", np.linspace(-1, 1, 600)),
    "dcomplex_val": typed(tf.complex128, "dcomplex_val", np.linspace(-1, 1, 600)),
    "uint32_val": typed(tf.uint32, "uint32_val", range(4_000_000_000, 4_000_000_600)),
    "uint64_val": typed(tf.uint64, "uint64_val", range(2**63, 2**63 + 600)),
}


def add_const(nodes: Any, name: str, tensor: Any) -> None:
    node = nodes.add(name=name, op="Const", device="/cpu:0", input=["^before"])
    node.attr["value"].tensor.CopyFrom(tensor)
    node.attr["dtype"].type = tensor.dtype


def every_form() -> Any:
    """Every storage form above the limit, in the graph and in a function; large tensors where no node's tensor is."""
    graph = GraphDef()
    graph.versions.producer = 987
    graph.versions.min_consumer = 12
    graph.versions.bad_consumers.append(3)
    graph.node.add(name="before", op="NoOp")
    for name, tensor in LARGE.items():
        assert tensor.ByteSize() > PAYLOAD_BYTES, name
        add_const(graph.node, f"large/{name}", tensor)
    add_const(graph.node, "small", tf.make_tensor_proto([1.0, 2.0]))
    odd = graph.node.add(name="odd", op="NobodyKnowsThis", input=["small", "large/content:0", "^before"])
    odd.attr["unknown_attribute"].s = b"\0\xff" * 700
    odd.attr["zwei_tensoren"].tensor.CopyFrom(LARGE["content"])
    odd.attr["another"].tensor.CopyFrom(LARGE["int_val"])
    odd.attr["tensors"].list.tensor.extend([LARGE["content"], LARGE["strings"], tf.make_tensor_proto(7)])
    odd.attr["call"].func.name = "body"
    odd.attr["call"].func.attr["captured"].tensor.CopyFrom(LARGE["content_double"])
    odd.attr["calls"].list.func.add(name="body").attr["captured"].tensor.CopyFrom(LARGE["content_double"])
    odd.attr["long"].placeholder = "p" * 2000
    odd.attr["shapes"].list.shape.add().unknown_rank = True
    odd.attr["empty"].SetInParent()
    function = graph.library.function.add()
    function.signature.name = "body"
    function.signature.attr.add(name="a", type="tensor").default_value.tensor.CopyFrom(LARGE["content_half"])
    function.attr["_of_the_function"].tensor.CopyFrom(LARGE["content_half"])
    function.signature.output_arg.add(name="y", type=1)
    function.ret["y"] = "inner/content:output:0"
    function.node_def.add(name="before", op="NoOp")
    for name, tensor in LARGE.items():
        add_const(function.node_def, f"inner/{name}", tensor)
    graph.library.function.add().signature.name = "empty_body"
    graph.library.gradient.add(function_name="body", gradient_func="empty_body")
    return graph


def field(number: int, body: bytes) -> bytes:
    return varint(number << 3 | 2) + varint(len(body)) + body


def type_entry(name: bytes, number: int) -> bytes:
    """The attribute ``name`` of a node, a type."""
    return field(5, field(1, name) + field(2, b"\x30" + varint(number)))


HEAD = field(1, b"n") + field(2, b"Const") + type_entry(b"dtype", 1)


def const(tensor: bytes) -> bytes:
    return field(1, HEAD + field(5, field(1, b"value") + field(2, field(8, tensor))))


def shape(*sizes: int) -> bytes:
    return field(2, b"".join(field(2, b"\x08" + varint(size & 0xFFFFFFFFFFFFFFFF)) for size in sizes))
