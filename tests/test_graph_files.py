"""Graph files: what protobuf parses is what is loaded, and what is saved again is the same message, weights included."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import graphscope
from graphscope.core.graph import Body, Node
from graphscope.core.model import Kind, Model
from graphscope.core.payload import CHUNK_BYTES, PAYLOAD_BYTES
from graphscope.errors import CorruptFileError, FileError, UnsupportedError
from tests.fixture_files import FIXTURES, ROOT
from tests.saving import as_array, assert_equal, tf
from tests.tables import varint
from tests.zoo_files import ZOO, zoo_files, zoo_id

from google.protobuf import text_format  # isort: skip
from tensorflow.core.protobuf.meta_graph_pb2 import MetaGraphDef  # isort: skip
from tensorflow.core.protobuf.saved_model_pb2 import SavedModel  # isort: skip

GraphDef = tf.compat.v1.GraphDef

OTHERS = ("saved_model_config.pb", "fingerprint.pb")  # no graphs: TensorFlow Serving's settings, checksums
LARGEST_TEXT = 700_000  # protobuf's own text parser, the oracle, takes seconds for more


def is_graph(path: Path) -> bool:
    return path.name not in OTHERS and "negative" not in path.parts and "op_tests" not in path.parts


ZOO_FILES = [p for p in zoo_files("*.pb", "*.pbtxt", "*.meta") if is_graph(p)] if ZOO.is_dir() else []
ZOO_FILES = [p for p in ZOO_FILES if p.suffix != ".pbtxt" or p.stat().st_size <= LARGEST_TEXT]
OP_TESTS = zoo_files("*.pb", below="op_tests")
FIXTURE_FILES = [p for pattern in ("*.pb", "*.pbtxt", "*.meta") for p in sorted(FIXTURES.rglob(pattern))]


def label(path: Path) -> str:
    return zoo_id(path) if ZOO in path.parents else str(path.relative_to(FIXTURES))


def parsed(path: Path, model: Model) -> Any:
    """The file as TensorFlow's own class: a GraphDef, a MetaGraphDef, or the SavedModel's chosen meta graph."""
    kinds = {Kind.GRAPH: GraphDef, Kind.SAVED_MODEL: SavedModel}
    message = kinds.get(model.kind, MetaGraphDef)()
    if model.encoding == "text":
        text_format.Parse(path.read_text(), message)
    else:
        message.ParseFromString(path.read_bytes())
    if model.kind is not Kind.SAVED_MODEL:
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
    size = graphscope.save(model, path, overwrite=True)
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
    if expected.dtype.names:  # quantised types are structures of one field there
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


@pytest.mark.parametrize("path", [*FIXTURE_FILES, *ZOO_FILES], ids=label)
def test_round_trip(path: Path, tmp_path: Path) -> None:
    model = graphscope.load(path)
    assert assert_round_trip(path, model, tmp_path) > 0 or "Const" not in model.graph.ops
    for tags in model.tag_sets[1:]:
        assert_round_trip(path, graphscope.load(path, tags=tags), tmp_path)


@pytest.mark.skipif(not OP_TESTS, reason="the zoo is not beside the project")
def test_round_trip_of_op_tests(tmp_path: Path) -> None:
    assert len(OP_TESTS) > 200
    for path in OP_TESTS:
        assert_round_trip(path, graphscope.load(path), tmp_path)


# A graph with every form of tensor

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
    "float_val, filled": typed(tf.float32, "float_val", np.linspace(-1, 1, 400), 1000),
    "double_val": typed(tf.float64, "double_val", np.linspace(-1, 1, 400)),
    "int_val": typed(tf.int32, "int_val", range(-300, 300)),
    "int_val of int8": typed(tf.int8, "int_val", [n % 128 - 100 for n in range(1200)]),
    "int_val of uint16": typed(tf.uint16, "int_val", range(60_000, 60_600)),
    "half_val": typed(tf.float16, "half_val", range(15_000, 16_000)),
    "half_val of bfloat16": typed(tf.bfloat16, "half_val", range(15_000, 16_000)),
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
    function.ret["y"] = "inner:output:0"
    for name, tensor in LARGE.items():
        add_const(function.node_def, f"inner/{name}", tensor)
    graph.library.function.add().signature.name = "empty_body"
    graph.library.gradient.add(function_name="body", gradient_func="empty_body")
    return graph


def check_every_form(path: Path, tmp_path: Path) -> Model:
    model = graphscope.load(path)
    assert assert_round_trip(path, model, tmp_path) == 2 * len(LARGE) + 3
    assert model.graph.versions.bad_consumers == [3]
    return model


def test_every_form(tmp_path: Path) -> None:
    path = tmp_path / "forms.pb"
    path.write_bytes(every_form().SerializeToString())
    model = check_every_form(path, tmp_path)
    assert set(model.graph["odd"].payloads) == {"zwei_tensoren", "another"}
    assert not model.graph["small"].payloads
    for body in (model.graph, model.graph.functions["body"]):
        assert [set(node.payloads) for node in body if "/" in node.name] == [{"value"}] * len(LARGE)
    in_memory = sum(len(n.proto.SerializeToString()) for _, body in model.graph.bodies for n in body)
    content = sum(t.ByteSize() for t in LARGE.values())
    assert in_memory < path.stat().st_size - 2 * content, "the weights stay in the file"


@pytest.mark.parametrize("as_utf8", [False, True])
def test_every_form_in_text(tmp_path: Path, as_utf8: bool) -> None:
    path = tmp_path / "forms.pbtxt"
    path.write_text(text_format.MessageToString(every_form(), as_utf8=as_utf8))
    model = check_every_form(path, tmp_path)
    assert {n.name for n in model.graph if n.payloads} == {"odd", *(f"large/{n}" for n in LARGE if "content" in n)}


def string_content(strings: Sequence[bytes]) -> Any:
    """Strings as ``Tensor::AsProtoTensorContent`` writes them: lengths, then bytes."""
    proto = type(LARGE["content"])(dtype=tf.string.as_datatype_enum)
    proto.tensor_shape.dim.add(size=len(strings))
    proto.tensor_content = b"".join(varint(len(s)) for s in strings) + b"".join(strings)
    return proto


@pytest.mark.parametrize("count", [3, 300])
@pytest.mark.parametrize("is_text", [False, True])
def test_strings_as_content(tmp_path: Path, is_text: bool, count: int) -> None:
    """``tf.make_ndarray`` cannot read them; the runtime does."""
    strings = [b"%d\xff\0" % n * (n % 90) for n in range(count)]
    graph = GraphDef()
    add_const(graph.node, "c", string_content(strings))
    del graph.node[0].input[:]
    path = tmp_path / "x"
    path.write_bytes(text_format.MessageToString(graph).encode() if is_text else graph.SerializeToString())
    model = graphscope.load(path)
    tensor = model.graph["c"].tensor()
    assert tensor is not None
    assert tensor.numpy().tolist() == strings
    assert bytes_of(saved(model, tmp_path, GraphDef)) == bytes_of(graph)
    with tf.Graph().as_default(), tf.compat.v1.Session() as session:
        graph.node[0].device = ""
        [fetched] = tf.import_graph_def(graph, return_elements=["c:0"], name="")
        assert session.run(fetched).tolist() == strings


@pytest.mark.parametrize("kind", [MetaGraphDef, SavedModel])
@pytest.mark.parametrize("is_text", [False, True])
def test_every_form_in_other_messages(tmp_path: Path, kind: Any, is_text: bool) -> None:
    message = kind()
    metas = [message] if kind is MetaGraphDef else [message.meta_graphs.add(), message.meta_graphs.add()]
    for number, meta in enumerate(metas):
        meta.meta_info_def.tags.append(f"tag{number}")
        meta.meta_info_def.tensorflow_version = "9.9"
        operation = meta.meta_info_def.stripped_op_list.op.add(name="NobodyKnowsThis")
        operation.attr.add(name="d", type="tensor").default_value.tensor.CopyFrom(LARGE["content"])
        meta.graph_def.CopyFrom(every_form())
        meta.graph_def.node[1].attr["value"].tensor.CopyFrom(LARGE["content_double" if number else "content_half"])
        meta.collection_def["things"].bytes_list.value.append(b"\xff" * 2000)
    if kind is SavedModel:
        message.saved_model_schema_version = 1
    path = tmp_path / ("saved_model" if kind is SavedModel else "x")
    path.write_bytes(text_format.MessageToString(message).encode() if is_text else message.SerializeToString())
    for number, _ in enumerate(metas):
        model = graphscope.load(path, tags=[f"tag{number}"] if kind is SavedModel else [])
        assert assert_round_trip(path, model, tmp_path) == 2 * len(LARGE) + 3
        assert model.meta.meta_info_def.tags == [f"tag{number}"]


# What protobuf does not know

UNKNOWN = b"\xa2\x1f\x03new" + b"\xa8\x1f\x07"  # fields 500 (bytes) and 501 (a number)


def field(number: int, body: bytes) -> bytes:
    return varint(number << 3 | 2) + varint(len(body)) + body


@pytest.mark.parametrize("elements", [3, 3000])
def test_unknown_fields(tmp_path: Path, elements: int) -> None:
    """At every level of the message, beside small tensors and large ones."""
    tensor = tf.make_tensor_proto(np.arange(elements, dtype=np.float32)).SerializeToString() + UNKNOWN
    value = field(8, tensor) + UNKNOWN
    node = field(1, b"n") + field(2, b"Const") + field(5, field(1, b"value") + field(2, value)) + UNKNOWN
    function = field(1, field(1, b"f") + UNKNOWN) + field(3, node) + UNKNOWN
    graph = field(1, node) + field(2, field(1, function) + UNKNOWN) + UNKNOWN
    path = tmp_path / "x.pb"
    path.write_bytes(graph)
    model = graphscope.load(path)
    again = saved(model, tmp_path, GraphDef)
    assert bytes_of(again) == bytes_of(GraphDef.FromString(graph))
    assert (tmp_path / "saved.pb").read_bytes().count(b"\x1f\x03new\xa8\x1f\x07") == graph.count(b"\x1f\x03new")
    found = model.graph["n"].tensor()
    assert found is not None
    assert found.numpy().tolist() == list(range(elements))


def test_odd_orders_of_fields(tmp_path: Path) -> None:
    """Name after attributes, value before key, type after content: any order is a valid message."""
    proto = tf.make_tensor_proto(np.arange(3000, dtype=np.int32))
    content, shape = proto.tensor_content, proto.tensor_shape.SerializeToString()
    tensor = field(4, content) + field(2, shape) + b"\x08" + varint(proto.dtype)
    entry = field(2, field(8, tensor)) + field(1, b"value")
    node = field(1, b"n") + field(2, b"Const") + field(5, entry) + field(4, b"/cpu:0")
    moved = field(5, entry) + field(4, b"/cpu:0") + field(2, b"Const") + field(1, b"n2")
    (tmp_path / "x.pb").write_bytes(field(1, node) + b"\x22\x02\x08\x1b" + field(1, moved))
    model = graphscope.load(tmp_path / "x.pb")
    assert_round_trip(tmp_path / "x.pb", model, tmp_path)
    assert [n.name for n in model.graph] == ["n", "n2"]
    assert model.graph.producer == 27


BIG = tf.make_tensor_proto(np.arange(3000, dtype=np.int32)).SerializeToString()
SMALL = tf.make_tensor_proto(np.arange(3, dtype=np.int32)).SerializeToString()
LARGE_ENTRY = field(1, b"value") + field(2, field(8, BIG))
HEAD = field(1, b"n") + field(2, b"Const")
FUNCTION = field(1, field(1, field(1, b"f")) + field(3, HEAD + field(5, LARGE_ENTRY)))


@pytest.mark.parametrize(
    "graph",
    [
        field(1, HEAD + field(5, LARGE_ENTRY) + field(5, LARGE_ENTRY)),
        field(1, HEAD + field(5, LARGE_ENTRY + field(2, field(8, SMALL)))),
        field(1, HEAD + field(5, field(2, field(8, SMALL)) + LARGE_ENTRY)),
        field(1, HEAD + field(5, field(1, b"value") + field(2, field(8, BIG) + field(8, SMALL)))),
        field(1, HEAD + field(5, field(1, b"value") + field(2, field(8, SMALL) + field(8, BIG)))),
        field(1, HEAD + field(5, field(1, b"value") + field(2, field(8, BIG) + b"\x18\x07"))),
        field(1, HEAD + field(5, field(1, b"value") + field(2, field(8, BIG) + field(2, b"text")))),
        field(1, HEAD) + field(2, FUNCTION) + field(2, FUNCTION),
    ],
)
def test_what_protobuf_would_merge(tmp_path: Path, graph: bytes) -> None:
    """No writer writes a value twice; of two, protobuf takes the later or joins them, which cannot be done to a payload."""
    GraphDef.FromString(graph)
    (tmp_path / "x.pb").write_bytes(graph)
    with pytest.raises(CorruptFileError, match=r"x\.pb, byte [0-9,]+: .*(twice|another value stands after the tensor)"):
        graphscope.load(tmp_path / "x.pb")


# Sizes that lie


def const(tensor: bytes) -> bytes:
    return field(1, HEAD + field(5, field(1, b"value") + field(2, field(8, tensor))))


def shape(*sizes: int) -> bytes:
    return field(2, b"".join(field(2, b"\x08" + varint(size & 0xFFFFFFFFFFFFFFFF)) for size in sizes))


@pytest.mark.parametrize("sizes", [(2999,), (3001,), (1 << 40,), (1 << 50, 4), (), (0,), (1 << 20, 1 << 20, 0)])
def test_a_content_of_another_size(tmp_path: Path, sizes: tuple[int, ...]) -> None:
    """Refused before memory is taken for what the shape says."""
    (tmp_path / "x.pb").write_bytes(const(b"\x08\x03" + shape(*sizes) + field(4, bytes(12_000))))
    tensor = graphscope.load(tmp_path / "x.pb").graph["n"].tensor()
    assert tensor is not None
    assert tensor.shape == sizes
    for read in (tensor.numpy, lambda: list(tensor.chunks())):
        with pytest.raises(CorruptFileError, match=r"x\.pb, byte [0-9]+: node n, attribute value: int32 .* 12,000 are"):
            read()


@pytest.mark.parametrize("sizes", [(-1,), (1 << 60,), (1 << 62, 1 << 62)])
def test_a_shape_that_cannot_be(tmp_path: Path, sizes: tuple[int, ...]) -> None:
    (tmp_path / "x.pb").write_bytes(const(b"\x08\x03" + shape(*sizes) + field(4, bytes(12_000))))
    with pytest.raises(CorruptFileError, match="node n, attribute value: a tensor's content needs a known shape"):
        graphscope.load(tmp_path / "x.pb")


@pytest.mark.parametrize("large", [False, True])
def test_more_dimensions_than_numpy_has(tmp_path: Path, large: bool) -> None:
    content = bytes(8192 if large else 4)
    sizes = [1] * 99 + ([2048] if large else [1])
    (tmp_path / "x.pb").write_bytes(const(b"\x08\x03" + shape(*sizes) + field(4, content)))
    tensor = graphscope.load(tmp_path / "x.pb").graph["n"].tensor()
    assert tensor is not None
    with pytest.raises(UnsupportedError, match="shape"):
        tensor.numpy()
    assert b"".join(tensor.chunks()) == content if large else True


@pytest.mark.parametrize("dtype", [0, 20, 21, 99, 101, 10_000])
def test_types_without_content(tmp_path: Path, dtype: int) -> None:
    (tmp_path / "x.pb").write_bytes(const(b"\x08" + varint(dtype) + shape(3000) + field(4, bytes(12_000))))
    tensor = graphscope.load(tmp_path / "x.pb").graph["n"].tensor()
    assert tensor is not None
    if dtype == 101:  # a reference is stored as its type
        assert tensor.numpy().shape == (3000,)
    else:
        with pytest.raises(UnsupportedError, match="has no array form"):
            tensor.numpy()


# Saving


def test_an_existing_file_stands(tmp_path: Path) -> None:
    model = graphscope.load(FIXTURES / "softmax" / "frozen.pb")
    target = tmp_path / "x.pb"
    target.write_bytes(b"old")
    with pytest.raises(FileError, match=r"x\.pb: the file exists") as caught:
        graphscope.save(model, target)
    assert caught.value.hint == "--force replaces it"
    with pytest.raises(FileError, match="No such file"):
        graphscope.save(model, tmp_path / "gone" / "x.pb")
    broken = tmp_path / "broken.pb"
    broken.write_bytes(const(b"\x08\x03" + shape(3000) + field(4, bytes(12_000))))
    cut_off = graphscope.load(broken)
    with open(broken, "r+b") as file:
        file.truncate(2000)
    with pytest.raises(CorruptFileError, match="became shorter"):
        graphscope.save(cut_off, target, overwrite=True)
    assert target.read_bytes() == b"old"
    assert sorted(p.name for p in tmp_path.iterdir()) == ["broken.pb", "x.pb"]
    graphscope.save(model, target, overwrite=True)
    assert GraphDef.FromString(target.read_bytes()).node[0].name == model.graph.nodes[0].name


def test_saving_over_itself(tmp_path: Path) -> None:
    """The weights come from the very file that is replaced."""
    path = tmp_path / "x.pb"
    path.write_bytes(every_form().SerializeToString())
    graphscope.save(graphscope.load(path), path, overwrite=True)
    assert bytes_of(GraphDef.FromString(path.read_bytes())) == bytes_of(every_form())


# Memory

STREAM = """
import json, pathlib, re, resource, sys
import graphscope
from graphscope.analysis.listing import Listing, list_nodes
from graphscope.analysis.summary import summarize

model = graphscope.load(sys.argv[1])
summary = summarize(model)
rows = [row.name for row in list_nodes(model, Listing())]
size = graphscope.save(model, sys.argv[2])
tensor = model.graph["w"].tensor()
read = sum(len(chunk) for chunk in tensor.chunks())
status = pathlib.Path("/proc/self/status")
if status.exists():  # Linux carries the peak of the process that started this one over into getrusage
    peak = 1024 * int(re.search(r"VmHWM:\\s+(\\d+) kB", status.read_text())[1])
else:
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
print(json.dumps([rows, tensor.shape, size, read, summary.parameters.size_bytes, peak, "tensorflow" in sys.modules]))
"""
WEIGHT_BYTES = 200 << 20
HEAD_W = field(1, b"w") + field(2, b"Const")


def nested(size: int) -> Iterator[bytes]:
    """What stands before ``size`` bytes of ``tensor_content`` in a graph's first node, innermost first."""
    for number, before in ((4, b"\x08\x01" + shape(size // 4)), (8, b""), (2, field(1, b"value")), (5, HEAD_W)):
        head = varint(number << 3 | 2) + varint(size)
        yield before + head
        size += len(before + head)
    yield varint(1 << 3 | 2) + varint(size)


def test_weights_stream(tmp_path: Path) -> None:
    source, target = tmp_path / "huge.pb", tmp_path / "again.pb"
    head = b"".join(reversed(list(nested(WEIGHT_BYTES))))
    tail = field(1, field(1, b"y") + field(2, b"Identity") + field(3, b"w")) + b"\x22\x02\x08\x1b"
    with open(source, "wb") as file:
        file.write(head)
        file.seek(WEIGHT_BYTES, 1)
        file.write(tail)
    command = [sys.executable, "-c", STREAM, str(source), str(target)]
    done = subprocess.run(command, capture_output=True, text=True, check=False, cwd=ROOT)
    assert done.returncode == 0, done.stderr
    rows, found, size, read, parameters, peak, has_tensorflow = json.loads(done.stdout)
    assert rows == ["w", "y"]
    assert (found, read, parameters) == ([WEIGHT_BYTES // 4], WEIGHT_BYTES, WEIGHT_BYTES)
    assert size == source.stat().st_size == target.stat().st_size
    assert not has_tensorflow
    assert peak < 120e6, f"{peak / 1e6:.0f} MB"
    with open(target, "rb") as file:
        assert file.read(len(head)) == head
        file.seek(-len(tail), 2)
        assert file.read() == tail


def test_pieces_are_of_one_size(tmp_path: Path) -> None:
    graph = GraphDef()
    values = np.arange(1_000_000, dtype=np.float64)
    add_const(graph.node, "c", tf.make_tensor_proto(values))
    (tmp_path / "x.pb").write_bytes(graph.SerializeToString())
    (tmp_path / "x.pbtxt").write_text(text_format.MessageToString(graph))
    for name in ("x.pb", "x.pbtxt"):
        tensor = graphscope.load(tmp_path / name).graph["c"].tensor()
        assert tensor is not None
        pieces = list(tensor.chunks())
        assert b"".join(pieces) == values.tobytes()
        assert {len(piece) for piece in pieces[:-1]} == {CHUNK_BYTES}
        assert 0 < len(pieces[-1]) <= CHUNK_BYTES
