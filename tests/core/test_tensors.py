"""Every tensor's name, type and shape, as TensorFlow has them."""

from __future__ import annotations

import re
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import graphscope
from graphscope.analysis.listing import NodeRow
from graphscope.core.tensors import Shape, TensorName, TensorSpec, elements, node_of, parse_sizes, shape_text
from graphscope.core.values.dtypes import DataType
from tests.support.fixture_files import FIXTURES
from tests.support.listed import opened, rows
from tests.support.saving import tf
from tests.support.zoo_files import ZOO, needs_zoo

from tensorflow.core.protobuf import saved_model_pb2  # isort: skip
from tensorflow.core.protobuf.meta_graph_pb2 import MetaGraphDef  # isort: skip
from tensorflow.python.framework.function_def_to_graph import function_def_to_graph  # isort: skip

v1 = tf.compat.v1
GraphDef = v1.GraphDef


def by_tensorflow(graph: Any) -> dict[str, tuple[str, bool, Shape]]:
    """Name -> type, whether it is a reference, and shape, of every tensor."""
    found = {}
    for tensor in (t for operation in graph.get_operations() for t in operation.outputs):
        dtype = tensor.dtype
        shape = None if tensor.shape.rank is None else tuple(tensor.shape.as_list())
        found[tensor.name] = (dtype.base_dtype.name, dtype != dtype.base_dtype, shape)
    return found


def imported(graph_def: Any) -> Any:
    for node in graph_def.node:
        node.device = ""
    with tf.Graph().as_default() as graph:
        tf.import_graph_def(graph_def, name="")
    return graph


def assert_as_tensorflow(found: Iterable[NodeRow], graph: Any) -> int:
    """Names, types and references equal; where the file states a shape, it is the one that TensorFlow infers."""
    expected = by_tensorflow(graph)
    specs = [spec for row in found for spec in row.outputs]
    assert sorted(spec.name for spec in specs) == sorted(expected), "an import puts them into another order"
    stated = 0
    for spec in specs:
        dtype, is_ref, shape = expected[spec.name]
        assert (spec.dtype.label, spec.is_ref) == (dtype, is_ref), spec.name
        if spec.shape is not None:
            assert spec.shape == shape, spec.name
            stated += 1
    return stated


@pytest.mark.parametrize("name", ["lenet5/frozen.pb", "rnn/model.ckpt-3000.meta", "batchnorm/model.ckpt-4800.meta"])
def test_tensors_of_fixtures(name: str) -> None:
    path = FIXTURES / name
    kind = MetaGraphDef if path.suffix == ".meta" else GraphDef
    message = kind.FromString(path.read_bytes())
    graph = imported(message if kind is GraphDef else message.graph_def)
    assert assert_as_tensorflow(rows(graphscope.load(path)), graph) > 5


ZOO_FILES = (
    "blaueck+tf-mtcnn/mtcnn.pb",
    "onnx+tensorflow-onnx/tests/models/gru/frozen.pb",
    "ssoniya+tensorflow-for-poets-2/tf_files/models/mobilenet_v1_0.25_128/quantized_graph.pb",
    "ARM-software+ML-KWS-for-MCU/Pretrained_models/LSTM/LSTM_M.pb",
)


@needs_zoo
@pytest.mark.parametrize("name", ZOO_FILES)
def test_tensors_of_the_zoo(name: str) -> None:
    path = ZOO / "frozen_pb" / name
    graph = imported(GraphDef.FromString(path.read_bytes()))
    assert assert_as_tensorflow(rows(graphscope.load(path)), graph) > 5


@needs_zoo
def test_tensors_in_functions_of_the_zoo() -> None:
    """Tensors of a function's body: as TensorFlow's own graph of that function has them."""
    directory = ZOO / "saved_model/tensorflow+tfx/tfx/components/testdata/trainer/keras/Format-Serving"
    model = graphscope.load(directory)
    message = saved_model_pb2.SavedModel.FromString((directory / "saved_model.pb").read_bytes())
    library = message.meta_graphs[0].graph_def.library
    by_function: dict[str, list[NodeRow]] = {}
    for row in rows(model, functions=True):
        by_function.setdefault(row.function, []).append(row)
    compared = 0
    for function in library.function:
        called = [n.op for n in function.node_def if "Call" in n.op or n.op in model.graph.functions]
        if called or function.signature.name not in by_function:
            continue
        graph = function_def_to_graph(function)
        arguments = {arg.name for arg in function.signature.input_arg}
        expected = {k: v[:2] for k, v in by_tensorflow(graph).items() if node_of(k) not in arguments}
        specs = [spec for row in by_function[function.signature.name] for spec in row.outputs]
        assert {s.name: (s.dtype.label, s.is_ref) for s in specs} == expected
        compared += len(specs)
    assert compared > 100


def test_references_lists_and_defaults(tmp_path: Path) -> None:
    """Ops whose outputs hang on attributes: counts, lists of types, references, defaults."""
    with tf.Graph().as_default() as graph:
        x = v1.placeholder(tf.float32, [None, 6], name="x")
        v1.get_variable("reference", [2, 3], use_resource=False)
        v1.get_variable("resource", [2, 3], use_resource=True)
        tf.split(x, 3, 1, name="split")
        tf.unstack(x, 6, 1, name="unstack")
        data = tf.data.Dataset.from_tensor_slices((np.zeros([2, 3], np.float32), ["a", "b"], np.zeros([2], np.int64)))
        v1.data.make_one_shot_iterator(data).get_next("next")
        v1.placeholder_with_default(np.zeros([2], np.int32), [None], name="fed")
        tf.unique_with_counts(tf.constant([1, 2], name="c"), name="unique")
        tf.nn.top_k(x, name="top")
        tf.cond(v1.placeholder(tf.bool, [], name="p"), lambda: 1, lambda: 2, name="cond")
        tf.io.parse_example(
            v1.placeholder(tf.string, [None], name="records"),
            {"d": tf.io.FixedLenFeature([2], tf.float32), "s": tf.io.VarLenFeature(tf.int64)},
            name="parse",
        )
        tf.no_op(name="nothing")
    model = opened(graph, tmp_path)
    by_name = {row.name: row for row in rows(model)}
    assert assert_as_tensorflow(rows(model), imported(graph.as_graph_def())) > 5
    assert by_name["reference"].outputs == (TensorSpec("reference:0", DataType.FLOAT, (2, 3), is_ref=True),)
    assert by_name["resource"].outputs == (TensorSpec("resource:0", DataType.RESOURCE, (), is_ref=False),)
    assert [s.name for s in by_name["split"].outputs] == ["split:0", "split:1", "split:2"]
    assert [s.dtype for s in by_name["next"].outputs] == [DataType.FLOAT, DataType.STRING, DataType.INT64]
    assert by_name["fed"].outputs[0].shape == (None,)
    assert by_name["nothing"].outputs == ()


def test_stated_output_shapes(tmp_path: Path) -> None:
    """``add_shapes`` writes them beside each node."""
    with tf.Graph().as_default() as graph:
        x = v1.placeholder(tf.float32, [None, 6], name="x")
        tf.tanh(x, name="y")
        tf.split(x, 2, 1, name="s")
    model = opened(graph.as_graph_def(add_shapes=True), tmp_path)
    shapes = {spec.name: spec.shape for row in rows(model) for spec in row.outputs}
    assert shapes["y:0"] == (None, 6)
    assert shapes["s:1"] == (None, 3)
    without = {spec.name: spec.shape for row in rows(opened(graph, tmp_path)) for spec in row.outputs}
    assert without["y:0"] is None


def test_ops_that_nobody_knows(tmp_path: Path) -> None:
    graph = GraphDef()
    graph.node.add(name="u", op="NobodyKnowsThis").attr["T"].type = 101
    graph.node.add(name="v", op="NobodyKnowsThis", input=["u:3", "^u"]).attr["dtype"].type = 9
    graph.node.add(name="w", op="NobodyKnowsThis", input=["v:0"])
    found = {row.name: row.outputs for row in rows(opened(graph, tmp_path))}
    assert found["u"] == tuple(TensorSpec(f"u:{n}", DataType.FLOAT, is_ref=True) for n in range(4))
    assert found["v"] == (TensorSpec("v:0", DataType.INT64),)
    assert found["w"] == (TensorSpec("w:0", DataType.INVALID),)


def test_ops_of_the_graph_itself(tmp_path: Path) -> None:
    """A function called as an op, and an op that the meta graph's stripped op list defines."""
    graph = GraphDef()
    function = graph.library.function.add()
    function.signature.name = "fn"
    function.signature.output_arg.add(name="a", type=1)
    function.signature.output_arg.add(name="b", type=7)
    graph.node.add(name="call", op="fn")
    graph.node.add(name="own", op="OwnOp").attr["N"].i = 2
    meta = MetaGraphDef(graph_def=graph)
    meta.meta_info_def.tensorflow_version = "1.4"
    operation = meta.meta_info_def.stripped_op_list.op.add(name="OwnOp")
    operation.attr.add(name="N", type="int")
    operation.output_arg.add(name="o", type=9, number_attr="N")
    (tmp_path / "m.meta").write_bytes(meta.SerializeToString())
    found = {row.name: [s.dtype.label for s in row.outputs] for row in rows(graphscope.load(tmp_path / "m.meta"))}
    assert found == {"call": ["float32", "string"], "own": ["int64", "int64"]}


@pytest.mark.parametrize(("producer", "expected"), [(0, None), (23, None), (24, ()), (1000, ())])
def test_placeholders_of_early_producers(tmp_path: Path, producer: int, expected: Shape) -> None:
    """Before version 24 an empty shape was an unknown one."""
    graph = GraphDef()
    graph.versions.producer = producer
    for name, op in (("p", "Placeholder"), ("v", "Variable"), ("v2", "VariableV2")):
        node = graph.node.add(name=name, op=op)
        node.attr["dtype"].type = 1
        node.attr["shape"].shape.SetInParent()
    known = graph.node.add(name="known", op="Placeholder")
    known.attr["dtype"].type = 1
    known.attr["shape"].shape.dim.add(size=-1)
    model = opened(graph, tmp_path)
    assert assert_as_tensorflow(rows(model), imported(graph)) >= 2
    found = {row.name: row.outputs[0].shape for row in rows(model)}
    assert found == {"p": expected, "v": None, "v2": (), "known": (None,)}


# Names


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("a", TensorName("a")),
        ("a:0", TensorName("a", 0)),
        ("a/b:12", TensorName("a/b", 12)),
        ("^a", TensorName("a", -1, None, True)),
        ("a:out:3", TensorName("a", 3, "out")),
        ("a:x", TensorName("a:x")),
        ("a:", TensorName("a:")),
        ("a:-1", TensorName("a:-1")),
        ("a:¹", TensorName("a:¹")),
        ("a:" + "9" * 30, TensorName("a:" + "9" * 30)),
    ],
)
def test_tensor_names(text: str, expected: TensorName) -> None:
    assert TensorName.parse(text) == expected
    if expected.index or ":0" in text:
        assert str(expected) == text


def test_texts_of_shapes() -> None:
    assert [shape_text(s) for s in ((), (3,), (None, 4), None)] == ["()", "(3)", "(?, 4)", "unknown rank"]
    assert [elements(s) for s in ((), (3, 4), (0, 4), (None, 4), None)] == [1, 12, 0, None, None]


@pytest.mark.parametrize(
    ("text", "sizes"), [("", ()), (" ", ()), ("3", (3,)), ("?,224, 3", (None, 224, 3)), ("?", (None,)), ("0,", (0,))]
)
def test_sizes_as_a_person_writes_them(text: str, sizes: Shape) -> None:
    assert parse_sizes(text) == sizes


@pytest.mark.parametrize(("text", "part"), [("3,x", "x"), ("-1", "-1"), ("2, 3.0", "3.0"), ("\u0663", "\u0663")])
def test_what_is_no_size_is_named(text: str, part: str) -> None:
    with pytest.raises(ValueError, match=f"^{re.escape(part)}$"):
        parse_sizes(text)
