"""ONNX files as graphscope shows them, beside what the package onnx reads of them."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper

import graphscope
from graphscope.analysis.foreign.detail import show_foreign
from graphscope.analysis.foreign.listing import list_foreign_nodes
from graphscope.analysis.listing import Listing, NodeFilter
from graphscope.core.foreign import ForeignModel
from graphscope.core.values.dtypes import DataType
from graphscope.errors import CorruptFileError, FileError, IncompleteModelError, UnknownNameError, UnsupportedError
from graphscope.formats.lazy.split_weights import Place, cut
from graphscope.formats.onnx.element_types import data_type
from graphscope.formats.onnx.levels import MODEL
from graphscope.protos import onnx_schema, schema
from tests.support.fixture_files import FIXTURES
from tests.support.foreign_files import onnx_bytes, tensor, value
from tests.support.running import Array


@pytest.fixture(scope="module")
def small(tmp_path_factory: pytest.TempPathFactory) -> ForeignModel:
    path = tmp_path_factory.mktemp("onnx") / "small.onnx"
    path.write_bytes(onnx_bytes())
    return graphscope.load_foreign(path)


def saved(path: Path, *tensors: Any, nodes: Any = (), **parts: Any) -> ForeignModel:
    graph = helper.make_graph(list(nodes), "g", parts.get("inputs", []), parts.get("outputs", []), list(tensors))
    path.write_bytes(helper.make_model(graph).SerializeToString())
    return graphscope.load_foreign(path)


def test_the_schema_is_the_packages() -> None:
    labels = {}
    for name, message in schema.message_classes(onnx_schema.SCHEMA, "graphscope/onnx.proto").items():
        theirs = {
            "OnnxModel": "ModelProto",
            "OnnxOperatorSet": "OperatorSetIdProto",
            "OnnxEntry": "StringStringEntryProto",
            "OnnxTensorType": "TypeProto.Tensor",
            "OnnxElementType": "TypeProto.Sequence",
            "OnnxMapType": "TypeProto.Map",
            "OnnxShape": "TensorShapeProto",
            "OnnxDimension": "TensorShapeProto.Dimension",
        }.get(name, f"{name.removeprefix('Onnx')}Proto")
        descriptor = onnx.onnx_ml_pb2.DESCRIPTOR.message_types_by_name[theirs.partition(".")[0]]
        if "." in theirs:
            descriptor = descriptor.nested_types_by_name[theirs.partition(".")[2]]
        for field in message.DESCRIPTOR.fields:
            known = descriptor.fields_by_number[field.number]
            assert known.name == field.name, (name, field.name)
            assert known.is_repeated == field.is_repeated, (name, field.name)
            labels[field.name] = (_kind(known), _kind(field))
    assert {name: kinds for name, kinds in labels.items() if kinds[0] != kinds[1]} == {}


def _kind(field: Any) -> object:
    """Its type on the wire: text and bytes, numbers and members of enumerations are alike there."""
    alike = {field.TYPE_STRING: field.TYPE_BYTES, field.TYPE_ENUM: field.TYPE_INT32}
    return alike.get(field.type, field.type)


UNKNOWN = {
    number for name, number in TensorProto.DataType.items() if name == "UNDEFINED" or "E8M0" in name or "FLOAT6" in name
}


def test_element_types() -> None:
    for name, number in TensorProto.DataType.items():
        if number in UNKNOWN:
            assert data_type(number) is DataType.INVALID
        elif number != TensorProto.STRING:
            assert data_type(number).numpy == np.dtype(helper.tensor_dtype_to_np_dtype(number)), name
    assert data_type(TensorProto.STRING) is DataType.STRING
    assert data_type(99) is DataType.INVALID


def test_what_is_in_it(small: ForeignModel) -> None:
    summary = graphscope.summarize(small)
    assert (summary.kind, summary.producer, summary.description) == ("ONNX model", "maker 1.2", "A model\nto look at.")
    assert summary.versions == {"IR version": 9, "opset": 20, "opset of local": 1}
    assert [(t.name, t.dtype, t.shape) for t in summary.inputs] == [("x", DataType.FLOAT, ("batch", 400))]
    assert [(t.name, t.shape) for t in summary.outputs] == [("out", ("batch", None))]
    assert summary.ops == {"MatMul": 1, "Constant": 1, "Loop": 1, "local.Twice": 1, "Clip": 1}
    assert [(body.name, body.nodes) for body in summary.bodies] == [("loop/body", 2), ("local.Twice", 1)]
    assert (summary.parameters.tensors, summary.parameters.elements, summary.parameters.size_bytes) == (2, 1203, 4812)
    assert (summary.constants.tensors, summary.constants.elements) == (4, 1205)
    assert summary.metadata == {"author": "nobody"}
    assert "5 nodes" in repr(small)


def test_nodes_and_what_they_need(small: ForeignModel) -> None:
    rows = list(list_foreign_nodes(small, Listing(functions=True)))
    assert [(row.function, row.name, row.inputs) for row in rows] == [
        ("", "mm", ("x", "big")),
        ("", "turns", ()),
        ("", "loop", ("turns", "", "xb")),
        ("", "twice", ("y",)),
        ("", "out", ("z", "", "six")),
        ("loop/body", "add", ("state", "w")),
        ("loop/body", "still", ("going",)),
        ("local.Twice", "b", ("a", "a")),
    ]
    graph = small.graph
    assert graph.needed_by("out", None) == {"twice": 1, "loop": 2, "turns": 3, "mm": 3}
    assert graph.needing("x", None) == {"mm": 1, "loop": 2, "twice": 3, "out": 4}
    assert graph.needing("w", 1) == {"loop": 1}  # read within the loop's body
    assert graph.needing("loop", 1) == {"twice": 1}
    near = Listing(NodeFilter(inputs_of="z", depth=None))
    assert [(row.name, row.distance) for row in list_foreign_nodes(small, near)] == [
        ("mm", 2),
        ("turns", 2),
        ("loop", 1),
    ]
    with pytest.raises(UnknownNameError, match="no node or tensor is named 'lop'; closest: loop"):
        graph.needed_by("lop", None)
    with pytest.raises(UnknownNameError, match="op of this graph"):
        list(list_foreign_nodes(small, Listing(NodeFilter(ops=["Convolution"]))))


def test_what_is_shown_of_a_name(small: ForeignModel) -> None:
    detail = show_foreign(small, "loop")
    assert detail.node is not None
    assert [(a.name, a.text) for a in detail.node.attributes] == [
        ("body", "a graph of 2 nodes: body"),
        ("captures", "w"),
    ]
    assert detail.node.inputs == (("turns", "Constant"), ("xb", "MatMul"))
    assert detail.node.consumers == (("twice", "local.Twice"),)
    weight = show_foreign(small, "big")
    assert weight.values is not None
    assert weight.values.tolist() == np.arange(1200).reshape(400, 3).tolist()
    fed = show_foreign(small, "x").node
    assert fed is not None
    assert (fed.op, fed.consumers) == ("(input of the graph)", (("mm", "MatMul"),))
    inner = show_foreign(small, "loop/body/add").node
    assert inner is not None
    assert inner.inputs == (("state", "(input of the graph)"), ("w", "(from outside)"))
    with pytest.raises(UnknownNameError, match="closest: loop/body/add"):
        show_foreign(small, "body/add")


def test_exports_are_read_as_the_package_reads_them(tmp_path: Path) -> None:
    """Every node, type and weight of three exports, one with its weights beside it and one with a loop."""
    for fixture, options in (("lenet5", {}), ("lenet5", {"external_data": True}), ("rnn", {})):
        path = tmp_path / f"{fixture}{len(options)}.onnx"
        graphscope.export_model(FIXTURES / fixture, path, **options)
        model, theirs = graphscope.load_foreign(path), onnx.load(path)
        assert [(n.op, n.inputs, n.outputs) for n in model.graph] == [
            (n.op_type, tuple(n.input), tuple(n.output)) for n in theirs.graph.node
        ]
        for ours, infos in ((model.graph.inputs, theirs.graph.input), (model.graph.outputs, theirs.graph.output)):
            assert [(t.name, _shape(t.shape)) for t in ours] == [(i.name, _dims(i.type.tensor_type)) for i in infos]
        values = {t.name: numpy_helper.to_array(t) for t in theirs.graph.initializer}
        assert set(values) <= set(model.graph.constants)
        for name, array in values.items():
            found = model.graph.constants[name].numpy()
            assert (found.dtype, found.shape, found.tobytes()) == (array.dtype, array.shape, array.tobytes())
        assert [os.path.basename(file.path) for file in model.files] == [path.name, f"{path.name}.data"][
            : 1 + len(options)
        ]
        assert (len(model.bodies) == 1) == (fixture == "rnn")


def _shape(shape: Any) -> list[object]:
    return list(shape)


def _dims(kind: Any) -> list[object]:
    return [d.dim_value if d.HasField("dim_value") else d.dim_param or None for d in kind.shape.dim]


KINDS = sorted(set(TensorProto.DataType.values()) - UNKNOWN - {TensorProto.STRING})


@pytest.mark.parametrize("raw", [False, True])
@pytest.mark.parametrize("size", [5, 3000])
def test_contents_of_every_type(tmp_path: Path, raw: bool, size: int) -> None:
    tensors = []
    for kind in KINDS:
        numbers = np.random.default_rng(kind).integers(0, 2, size) * (
            1 + 1j if "COMPLEX" in TensorProto.DataType.Name(kind) else 1
        )
        array = numbers.astype(helper.tensor_dtype_to_np_dtype(kind))
        if raw:
            tensors.append(numpy_helper.from_array(array, f"t{kind}"))
        else:
            tensors.append(helper.make_tensor(f"t{kind}", kind, [size], array.tolist()))
    model = saved(tmp_path / "m.onnx", *tensors)
    for proto in tensors:
        expected = numpy_helper.to_array(proto)
        found: Array = model.graph.constants[proto.name].numpy()
        assert (found.dtype, found.tobytes()) == (expected.dtype, expected.tobytes()), proto.name
        assert b"".join(model.graph.constants[proto.name].chunks()) == expected.tobytes()


def test_strings(tmp_path: Path) -> None:
    words = [b"a", b"", b"\xff" * 2000]
    model = saved(tmp_path / "m.onnx", helper.make_tensor("s", TensorProto.STRING, [3, 1], words))
    assert model.graph.constants["s"].numpy().tolist() == [[word] for word in words]


ATTRIBUTES: dict[str, tuple[Any, str]] = {
    "alpha": (0.5, "0.5"),
    "axis": (-1, "-1"),
    "body": (helper.make_graph([], "inner", [], []), "a graph of 0 nodes: inner"),
    "kinds": (["a", "b"], "[a, b]"),
    "mode": ("nearest", "nearest"),
    "pads": (list(range(40)), f"[{', '.join(map(str, range(32)))}, and 8 more]"),
    "scales": ([1.0, 0.25], "[1, 0.25]"),
    "type": (helper.make_tensor_type_proto(TensorProto.INT8, ["n"]), " int8 (n)"),
    "value": (tensor("", [[1.0, 2.0]]), "float32 (1, 2)"),
}


def test_attributes(tmp_path: Path) -> None:
    node = helper.make_node("Any", [], ["y"], name="n", **{name: given for name, (given, _) in ATTRIBUTES.items()})
    node.attribute.add(name="zz")
    node.attribute.add(name="zzz", type=onnx.AttributeProto.INT, ref_attr_name="outer")
    node.attribute.add(name="zzzz", i=7)  # as before ONNX 1.0
    shown = show_foreign(saved(tmp_path / "m.onnx", nodes=[node]), "n").node
    assert shown is not None
    texts = {attribute.name: attribute.text for attribute in shown.attributes}
    assert texts.pop("zz") == "of type 0, which is not known"
    assert texts.pop("zzz") == "attribute outer of the function"
    assert texts.pop("zzzz") == "7"
    assert texts == {name: text for name, (_, text) in ATTRIBUTES.items()}


def test_values_that_are_no_tensors(tmp_path: Path) -> None:
    inner = helper.make_tensor_type_proto(TensorProto.FLOAT, ["n", 2])
    kinds = {
        "sequence": helper.make_sequence_type_proto(inner),
        "optional of sequence": helper.make_optional_type_proto(helper.make_sequence_type_proto(inner)),
        "map": helper.make_map_type_proto(TensorProto.STRING, inner),
        "sparse": helper.make_sparse_tensor_type_proto(TensorProto.FLOAT, ["n", 2]),
        "": helper.make_tensor_type_proto(TensorProto.FLOAT, None),
    }
    infos = [helper.make_value_info(f"v {name}", kind) for name, kind in kinds.items()]
    found = saved(tmp_path / "m.onnx", inputs=infos).graph.inputs
    assert [t.container for t in found] == list(kinds)
    assert [t.shape for t in found] == [("n", 2)] * 4 + [None]
    assert {t.dtype for t in found} == {DataType.FLOAT}


def test_names_that_several_have(tmp_path: Path) -> None:
    nodes = [helper.make_node("Relu", ["x"], [f"y{i}"], name="same") for i in range(3)]
    nodes += [helper.make_node("Sink", ["y0"], []), helper.make_node("Sink", ["y1"], [])]
    model = saved(tmp_path / "m.onnx", nodes=nodes, inputs=[value("x", [1])])
    assert [node.name for node in model.graph] == ["same", "y1", "y2", "Sink", "Sink_1"]
    assert set(model.graph.by_name) == {"same", "y1", "y2", "Sink", "Sink_1"}


def test_where_weights_are_in_a_message() -> None:
    """At every depth, each kept with all but its content."""

    def large(number: int) -> Any:
        made = TensorProto(name=f"t{number}", data_type=1, dims=[500], raw_data=np.full(500, number, "<f4").tobytes())
        made.doc_string, made.data_location = "d", TensorProto.DEFAULT
        made.external_data.add(key="location", value="l")
        return made

    def sparse(number: int) -> Any:
        return onnx.SparseTensorProto(values=large(number), indices=large(number + 1), dims=[3])

    def attribute(**content: Any) -> Any:
        return onnx.AttributeProto(name="a", **content)

    inner = onnx.GraphProto(initializer=[large(1)], node=[onnx.NodeProto(attribute=[attribute(t=large(2))])])
    attributes = [attribute(i=1), attribute(g=inner), attribute(graphs=[onnx.GraphProto(), inner])]
    attributes += [attribute(tensors=[large(3), large(4)]), attribute(sparse_tensor=sparse(5))]
    attributes += [attribute(sparse_tensors=[sparse(7), sparse(9)])]
    node = onnx.NodeProto(attribute=attributes)
    graph = onnx.GraphProto(node=[onnx.NodeProto(), node], initializer=[large(11)], sparse_initializer=[sparse(12)])
    function = onnx.FunctionProto(node=[onnx.NodeProto(attribute=[attribute(t=large(14))])])
    model = onnx.ModelProto(ir_version=9, graph=graph, functions=[onnx.FunctionProto(), function])
    content = model.SerializeToString()
    skeleton = cut(content, "f", MODEL)
    found = {}
    for left_out in skeleton.tensors:
        assert left_out.content is not None
        start, end = left_out.content
        found[left_out.place] = int(np.frombuffer(content[start:end], "<f4")[0])
    second: Place = (("node", 1),)
    within: Place = (("node", 0), ("attribute", 0))
    assert found == {
        (*second, ("attribute", 1), ("initializer", 0)): 1,
        (*second, ("attribute", 1), *within): 2,
        (*second, ("attribute", 2), ("graphs", 1), ("initializer", 0)): 1,
        (*second, ("attribute", 2), ("graphs", 1), *within): 2,
        (*second, ("attribute", 3), ("tensors", 0)): 3,
        (*second, ("attribute", 3), ("tensors", 1)): 4,
        (*second, ("attribute", 4), ("values", 0)): 5,
        (*second, ("attribute", 4), ("indices", 0)): 6,
        (*second, ("attribute", 5), ("sparse_tensors", 0), ("values", 0)): 7,
        (*second, ("attribute", 5), ("sparse_tensors", 0), ("indices", 0)): 8,
        (*second, ("attribute", 5), ("sparse_tensors", 1), ("values", 0)): 9,
        (*second, ("attribute", 5), ("sparse_tensors", 1), ("indices", 0)): 10,
        (("initializer", 0),): 11,
        (("sparse_initializer", 0), ("values", 0)): 12,
        (("sparse_initializer", 0), ("indices", 0)): 13,
        (("function", 1), *within): 14,
    }
    kept = onnx.ModelProto.FromString(skeleton.message).graph.initializer[0]
    expected = large(11)
    expected.ClearField("raw_data")
    assert kept == expected


# External data


def external(location: str, name: str = "w", **keys: object) -> Any:
    made = TensorProto(name=name, data_type=TensorProto.FLOAT, dims=[4], data_location=TensorProto.EXTERNAL)
    for key, text in {"location": location, **keys}.items():
        made.external_data.add(key=key, value=str(text))
    return made


def test_external_data_is_read_beside_the_model_alone(tmp_path: Path) -> None:
    inside, outside = tmp_path / "model", tmp_path / "secret.bin"
    inside.mkdir()
    numbers = np.arange(6, dtype=np.float32)
    for path in (outside, inside / "w.data"):
        path.write_bytes(numbers.tobytes())
    (inside / "link.data").symlink_to(outside)
    places = {"w.data": 8, "../secret.bin": 0, str(outside): 0, "link.data": 0, "gone.data": 0}
    tensors = [external(location, location, offset=offset) for location, offset in places.items()]
    model = saved(inside / "m.onnx", *tensors)
    assert [(file.path, file.role, file.size_bytes) for file in model.files[1:]] == [
        (str(inside / "w.data"), "data", 24),
        ("../secret.bin", "outside", None),
        (str(outside), "outside", None),
        ("link.data", "outside", None),
        (str(inside / "gone.data"), "data", None),
    ]
    constants = model.graph.constants
    assert constants["w.data"].numpy().tolist() == [2, 3, 4, 5]
    for name in ("../secret.bin", str(outside), "link.data"):
        with pytest.raises(FileError, match="outside the directory of the model"):
            constants[name].numpy()
    with pytest.raises(IncompleteModelError, match=r"gone\.data, which is missing"):
        constants["gone.data"].numpy()


def test_external_data_that_is_not_all_there(tmp_path: Path) -> None:
    (tmp_path / "w.data").write_bytes(bytes(12))
    model = saved(tmp_path / "m.onnx", external("w.data", length=16))
    assert model.notes == ("w.data has 12 bytes, but weights are declared up to byte 16",)
    with pytest.raises(CorruptFileError, match=r"w\.data.*the file ends at byte 12"):
        model.graph.constants["w"].numpy()
    model = saved(tmp_path / "m.onnx", external("w.data", length=8))
    with pytest.raises(CorruptFileError, match="takes 16 bytes, but 8 are stored"):
        model.graph.constants["w"].numpy()
    for keys in ({"offset": "-1"}, {"length": "9" * 30}, {"offset": "one"}):
        with pytest.raises(CorruptFileError, match="is not a place in a file"):
            saved(tmp_path / "m.onnx", external("w.data", **keys))
    with pytest.raises(CorruptFileError, match="no file is named"):
        saved(tmp_path / "m.onnx", external(""))
    text = external("w.data")
    text.data_type = TensorProto.STRING
    with pytest.raises(UnsupportedError, match="string elements in external data"):
        saved(tmp_path / "m.onnx", text).graph.constants["w"].numpy()


def test_external_data_of_a_tensor_that_says_much(tmp_path: Path) -> None:
    """A long text makes its message a large one, of which little is read at first."""
    (tmp_path / "w.data").write_bytes(np.arange(6, dtype=np.float32).tobytes())
    for size in (0, 5000):
        made = external("w.data", offset=8, length=16)
        made.doc_string = "d" * size
        model = saved(tmp_path / "m.onnx", made)
        assert model.graph.constants["w"].numpy().tolist() == [2, 3, 4, 5]
        assert not model.notes


def test_how_far_external_data_is_declared(tmp_path: Path) -> None:
    (tmp_path / "w.data").write_bytes(bytes(16))
    assert not saved(tmp_path / "m.onnx", external("w.data"), external("w.data", "v", offset=4, length=12)).notes
    tensors = [external("w.data", "v", offset=4), external("w.data"), external("w.data", "u", length=0)]
    assert saved(tmp_path / "m.onnx", *tensors).notes == (
        "w.data has 16 bytes, but weights are declared up to byte 20",
    )
    for number, is_place in (
        ("9" * 19, True),
        ("1" * 20, False),
        ("", False),
        ("²", False),
        ("٣", False),
        ("1_0", False),
    ):
        made = external("w.data", offset=number)
        if is_place:
            [note] = saved(tmp_path / "m.onnx", made).notes
            assert note.endswith(f"up to byte {int(number) + 16:,}")
        else:
            with pytest.raises(CorruptFileError, match="is not a place in a file"):
                saved(tmp_path / "m.onnx", made)


# Files that lie


def test_sizes_that_no_tensor_has(tmp_path: Path) -> None:
    for dims, can_be in (([2, -1], False), ([-1, -1], False), ([1 << 56], False), ([(1 << 56) - 1], True), ([0], True)):
        proto = TensorProto(name="w", data_type=1, dims=dims, float_data=[])
        if can_be:
            assert saved(tmp_path / "m.onnx", proto).graph.constants["w"].shape == tuple(dims)
        else:
            with pytest.raises(CorruptFileError, match="cannot be"):
                saved(tmp_path / "m.onnx", proto)


def test_sizes_that_do_not_fit(tmp_path: Path) -> None:
    for proto, message in (
        (TensorProto(name="w", data_type=1, dims=[3], raw_data=bytes(13)), "takes 12 bytes, but 13 are stored"),
        (TensorProto(name="w", data_type=1, dims=[3], float_data=[1.0]), "has 3 elements, but 1 are stored"),
        (TensorProto(name="w", data_type=1, dims=[1 << 40], float_data=[1.0]), "but 1 are stored"),
        (TensorProto(name="w", data_type=1, dims=[600], raw_data=bytes(2399)), "takes 2,400 bytes, but 2,399"),
        (TensorProto(name="w", data_type=22, dims=[3], raw_data=b"a"), "takes 2 bytes, but 1 are stored"),
        (TensorProto(name="w", data_type=8, dims=[3], string_data=[b"a"]), "has 3 elements, but 1 are stored"),
    ):
        with pytest.raises(CorruptFileError, match=message):
            saved(tmp_path / "m.onnx", proto).graph.constants["w"].numpy()
    for dims in ([-1], [1 << 30, 1 << 30]):
        with pytest.raises(CorruptFileError, match=r"initializer w: shape .* cannot be"):
            saved(tmp_path / "m.onnx", TensorProto(name="w", data_type=1, dims=dims))
    with pytest.raises(UnsupportedError, match="element type 24 is not known"):
        saved(tmp_path / "m.onnx", TensorProto(name="w", data_type=24, dims=[1])).graph.constants["w"].numpy()
    many = TensorProto(name="w", data_type=1, dims=[1] * 100, float_data=[1.0])
    with pytest.raises(UnsupportedError, match="shape"):
        saved(tmp_path / "m.onnx", many).graph.constants["w"].numpy()


def nested(depth: int) -> bytes:
    """A graph in an attribute of a node of a graph in ..."""
    body = bytes(2000)
    body = b"\x52" + onnx_length(body) + body
    for _ in range(depth):
        attribute = b"\x0a\x01b\x32" + onnx_length(body) + body + b"\xa0\x01\x05"
        node = b"\x22\x02If\x2a" + onnx_length(attribute) + attribute
        body = b"\x0a" + onnx_length(node) + node
    return b"\x08\x08\x3a" + onnx_length(body) + body


def onnx_length(body: bytes) -> bytes:
    from graphscope.formats.io.wire import varint

    return varint(len(body))


def test_graphs_within_graphs(tmp_path: Path) -> None:
    path = tmp_path / "m.onnx"
    path.write_bytes(nested(20))
    assert len(graphscope.load_foreign(path).bodies) == 20
    for depth in (40, 5000):
        path.write_bytes(nested(depth))
        with pytest.raises(CorruptFileError, match=r"m\.onnx"):
            graphscope.load_foreign(path)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"\x08\x08\x12\x03abc", "it has no graph"),
        (b"\x08\x08\x3a\x7f\x00", "runs 126 bytes past the end"),
        (b"not a model at all", "m.onnx"),
        (b"\x08\x08\x3a\x03\x12\x01\xff", "not a valid ONNX model"),
        (b"\x08\x08\x3a\x00\x3a\x00" + b"\x3a\xff\x0f" + bytes(2047), "m.onnx"),
    ],
)
def test_files_that_are_none(tmp_path: Path, content: bytes, message: str) -> None:
    (tmp_path / "m.onnx").write_bytes(content)
    with pytest.raises(CorruptFileError, match=message):
        graphscope.load_foreign(tmp_path / "m.onnx")


def test_a_model_of_tensorflow_is_told_apart() -> None:
    with pytest.raises(UnsupportedError, match="this is a graph, not a model of another runtime"):
        graphscope.load_foreign(FIXTURES / "softmax" / "frozen.pb")
