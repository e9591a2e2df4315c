"""Shapes by TensorFlow on a copy without weights: as TensorFlow infers them on the whole graph, for all that it can import."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import graphscope
from graphscope.analysis.listing import Listing, list_nodes
from graphscope.core.model import Model
from graphscope.core.tensors import Shape
from graphscope.errors import GraphscopeError
from graphscope.runtime.shapes import Inferred, infer_shapes
from tests.support.fixture_files import FIXTURES
from tests.support.saving import tf
from tests.support.zoo_files import ZOO, needs_zoo

from tensorflow.core.protobuf.meta_graph_pb2 import MetaGraphDef  # isort: skip
from tensorflow.core.protobuf.saved_model_pb2 import SavedModel  # isort: skip

v1 = tf.compat.v1
GraphDef = v1.GraphDef


def by_tensorflow(graph_def: Any) -> dict[str, Shape]:
    """The shape of every tensor whose rank is known, after an import of the whole graph."""
    for node in graph_def.node:
        node.device = ""
    with tf.Graph().as_default() as graph:
        tf.import_graph_def(graph_def, name="")
    outputs = [t for operation in graph.get_operations() for t in operation.outputs]
    return {t.name: tuple(t.shape.as_list()) for t in outputs if t.shape.rank is not None}


def graph_def_of(path: Path) -> Any:
    data = path.read_bytes()
    if path.suffix == ".meta":
        return MetaGraphDef.FromString(data).graph_def
    if path.name == "saved_model.pb":
        return SavedModel.FromString(data).meta_graphs[0].graph_def
    return GraphDef.FromString(data)


def inferred(graph_def: Any, directory: Path) -> tuple[Model, Inferred]:
    path = directory / "graph.pb"
    path.write_bytes(graph_def.SerializeToString())
    model = graphscope.load(path)
    return model, infer_shapes(model)


def assert_as_tensorflow(path: Path) -> None:
    found = infer_shapes(graphscope.load(path))
    expected = by_tensorflow(graph_def_of(path))
    assert found.unknown_ops == {}
    assert found.refused == {}
    assert found.shapes == expected
    assert sum(shape != () for shape in expected.values()) > 2


FIXTURE_FILES = (
    *("softmax/frozen.pb", "lenet5/frozen.pb", "lenet5/saved_model/saved_model.pb", "rnn/model.ckpt-3000.meta"),
    *("batchnorm/model.ckpt-4800.meta", "batchnorm_resource/model.ckpt-4800.meta", "towers/model.ckpt-6000.meta"),
    "partitioned/model.ckpt-6000.meta",
)


@pytest.mark.parametrize("name", FIXTURE_FILES)
def test_fixtures(name: str) -> None:
    assert_as_tensorflow(FIXTURES / name)


ZOO_FILES = (
    "frozen_pb/blaueck+tf-mtcnn/mtcnn.pb",
    "frozen_pb/onnx+tensorflow-onnx/tests/models/lstm/frozen.pb",
    "frozen_pb/ssoniya+tensorflow-for-poets-2/tf_files/models/mobilenet_v1_0.25_128/quantized_graph.pb",
    "frozen_pb/ARM-software+ML-KWS-for-MCU/Pretrained_models/CNN/CNN_M.pb",
    "meta_ckpt/dotnet+machinelearning-testdata/Microsoft.ML.TensorFlow.TestModels/cifar_model/model.ckpt.meta",
    "saved_model/tensorflow+tfx/tfx/components/testdata/trainer/keras/Format-Serving/saved_model.pb",
    "saved_model/tensorflow+tfx/tfx/components/testdata/transform/transform_graph/transform_fn/saved_model.pb",
)


@needs_zoo
@pytest.mark.parametrize("name", ZOO_FILES)
def test_zoo(name: str) -> None:
    assert_as_tensorflow(ZOO / name)


@needs_zoo
def test_custom_ops_of_the_zoo() -> None:
    """TensorFlow Text's ops: what lies above them and beside them keeps its shapes."""
    directory = ZOO / "saved_model/tensorflow+serving/390732ac/tensorflow_serving/servables/tensorflow/testdata"
    model = graphscope.load(directory / "tf_text_regression" / "01")
    found = infer_shapes(model)
    assert found.unknown_ops
    assert not any(op in tf.raw_ops.__dict__ for op in found.unknown_ops)
    placeholders = [n.name for n in model.graph if n.op == "Placeholder"]
    assert placeholders
    assert all(f"{name}:0" in found.shapes for name in placeholders)


def test_large_constants_keep_their_shapes(tmp_path: Path) -> None:
    """Types of every kind as weights; control inputs and devices of constants; several outputs below them."""
    with tf.Graph().as_default() as graph, tf.device("/job:worker/task:3/gpu:7"):
        x = v1.placeholder(tf.float32, [None, 30], name="x")
        w = tf.constant(np.ones([30, 40], np.float32), name="w")
        half = tf.constant(np.ones([700], np.float16), name="half")
        with tf.control_dependencies([x.op]):
            text = tf.constant([b"abc"] * 400, name="text")
        flags = tf.constant(np.zeros([2000], bool), name="flags")
        tf.split(x @ w, 4, 1, name="parts")
        tf.strings.length(text, name="length")
        tf.reduce_any(flags, name="any")
        tf.cast(half, tf.float32, name="cast")
        tf.reshape(w, tf.constant([10, 120]), name="reshaped")
    expected = by_tensorflow(graph.as_graph_def())
    model, found = inferred(graph.as_graph_def(), tmp_path)
    assert len([n for n in model.graph if n.payloads]) == 4
    assert found.shapes == expected
    assert found.shapes["parts:3"] == (None, 10)
    assert found.shapes["length:0"] == (400,)
    assert found.shapes["reshaped:0"] == (10, 120)


def chain(before: Callable[[Any], Any] = lambda graph: None) -> Any:
    """``x`` -> ``known`` -> ``custom`` -> ``below`` -> ``fixed``; ``beside`` does not see ``custom``."""
    graph = GraphDef()
    graph.versions.producer = 1000
    before(graph)
    x = graph.node.add(name="x", op="Placeholder")
    x.attr["dtype"].type = 1
    x.attr["shape"].shape.dim.add(size=3)
    x.attr["shape"].shape.dim.add(size=4)
    for name, op, inputs in (
        ("known", "Tanh", ["x"]),
        ("custom", "NobodyKnowsThis", ["known", "^x"]),
        ("below", "Tanh", ["custom:2"]),
        ("fixed", "Shape", ["below"]),
        ("beside", "Square", ["known", "^custom"]),
    ):
        node = graph.node.add(name=name, op=op, input=inputs)
        if op != "NobodyKnowsThis":
            node.attr["T"].type = 1
    return graph


def test_an_unknown_op_costs_what_lies_below(tmp_path: Path) -> None:
    model, found = inferred(chain(), tmp_path)
    assert found.unknown_ops == {"NobodyKnowsThis": 1}
    assert found.refused == {}
    assert {name: found.shapes.get(name) for name in ("x:0", "known:0", "beside:0")} == dict.fromkeys(
        ("x:0", "known:0", "beside:0"), (3, 4)
    )
    assert "custom:0" not in found.shapes
    assert "below:0" not in found.shapes
    assert found.shapes["fixed:0"] == (None,)
    rows = {row.name: row for row in list_nodes(model, Listing(inferred=found.shapes))}
    assert rows["beside"].outputs[0].shape == (3, 4)
    assert rows["custom"].outputs[0].shape is None
    assert len(rows["custom"].outputs) == 3


def test_types_that_consumers_of_an_unknown_op_expect(tmp_path: Path) -> None:
    graph = chain()
    for name, op, output, attributes in (
        ("a", "Reshape", "1", {"T": 1, "Tshape": 9}),
        ("b", "StringLength", "0", {}),
        ("c", "LogicalNot", "5", {}),
        ("d", "ReadVariableOp", "6", {"dtype": 1}),
    ):
        inputs = ["known", f"custom:{output}"] if op == "Reshape" else [f"custom:{output}"]
        node = graph.node.add(name=name, op=op, input=inputs)
        for key, number in attributes.items():
            node.attr[key].type = number
    _, found = inferred(graph, tmp_path)
    assert found.refused == {}
    assert found.shapes["beside:0"] == (3, 4)


def add_function(graph: Any, name: str, op: str, **functions: str) -> None:
    function = graph.library.function.add()
    function.signature.name = name
    function.signature.input_arg.add(name="a", type=1)
    function.signature.output_arg.add(name="b", type=1)
    node = function.node_def.add(name="inner", op=op, input=["a"])
    for key, called in functions.items():
        node.attr[key].func.name = called
    if functions:
        node.attr["Tin"].list.type.append(1)
        node.attr["Tout"].list.type.append(1)
        function.ret["b"] = "inner:output:0"
    elif op in ("Tanh", "Square"):
        node.attr["T"].type = 1
        function.ret["b"] = "inner:y:0"
    else:
        function.ret["b"] = "inner:b:0"


def add_call(graph: Any, name: str, function: str, source: str = "known") -> None:
    node = graph.node.add(name=name, op="PartitionedCall", input=[source])
    node.attr["f"].func.name = function
    node.attr["Tin"].list.type.append(1)
    node.attr["Tout"].list.type.append(1)


def with_functions(graph: Any) -> None:
    add_function(graph, "good", "Tanh")
    add_function(graph, "bad", "NobodyKnowsThisEither")
    add_function(graph, "worse", "PartitionedCall", f="bad")
    add_function(graph, "worst", "bad")


def test_functions_with_unknown_ops(tmp_path: Path) -> None:
    """A call of a function with such an op, in it or in what it calls, is lost; other calls are not."""
    graph = chain(with_functions)
    for function in ("good", "bad", "worse", "worst"):
        add_call(graph, f"call_{function}", function)
    graph.node.add(name="direct", op="bad", input=["known"])
    graph.node.add(name="direct_good", op="good", input=["known"])
    graph.node.add(name="after", op="Square", input=["call_worse"]).attr["T"].type = 1
    _, found = inferred(graph, tmp_path)
    assert found.unknown_ops == {"NobodyKnowsThis": 1, "NobodyKnowsThisEither": 1}
    assert found.refused == {}
    assert found.shapes["beside:0"] == (3, 4)
    assert "after:0" not in found.shapes
    alone = chain(lambda graph: add_function(graph, "good", "Tanh"))
    add_call(alone, "call_good", "good")
    alone.node.add(name="direct_good", op="good", input=["known"])
    del alone.node[2:5]
    alone.node[2].input[:] = ["known"]
    expected = by_tensorflow(alone)
    assert {n: s for n, s in found.shapes.items() if n in expected} == expected


def test_gradients_of_lost_functions(tmp_path: Path) -> None:
    def functions(graph: Any) -> None:
        with_functions(graph)
        graph.library.gradient.add(function_name="bad", gradient_func="good")
        graph.library.gradient.add(function_name="good", gradient_func="worse")
        graph.library.gradient.add(function_name="gone", gradient_func="gone")

    _, found = inferred(chain(functions), tmp_path)
    assert found.shapes["beside:0"] == (3, 4)


def test_functions_with_weights(tmp_path: Path) -> None:
    graph = chain()
    function = graph.library.function.add()
    function.signature.name = "f"
    function.signature.output_arg.add(name="b", type=1)
    node = function.node_def.add(name="w", op="Const", device="/gpu:3")
    node.attr["value"].tensor.CopyFrom(tf.make_tensor_proto(np.ones([300, 2], np.float32)))
    node.attr["dtype"].type = 1
    function.ret["b"] = "w:output:0"
    call = graph.node.add(name="call", op="PartitionedCall")
    call.attr["f"].func.name = "f"
    call.attr["Tin"].list.SetInParent()
    call.attr["Tout"].list.type.append(1)
    model, found = inferred(graph, tmp_path)
    assert model.graph.functions["f"].nodes[0].payloads
    assert found.refused == {}
    assert found.shapes["known:0"] == (3, 4)


# What TensorFlow refuses


def test_ops_that_a_later_producer_may_not_use(tmp_path: Path) -> None:
    """BatchNormWithGlobalNormalization is for graphs of producers up to 8."""
    for producer, is_allowed in ((8, True), (9, False), (1000, False)):
        graph = chain()
        graph.versions.producer = producer
        x = graph.node.add(name="image", op="Placeholder")
        x.attr["dtype"].type = 1
        for size in (2, 5, 5, 3):
            x.attr["shape"].shape.dim.add(size=size)
        for name in ("m", "v", "beta", "gamma"):
            node = graph.node.add(name=name, op="Const")
            node.attr["value"].tensor.CopyFrom(tf.make_tensor_proto([0.0] * 3))
            node.attr["dtype"].type = 1
        inputs = ["image", "m", "v", "beta", "gamma"]
        norm = graph.node.add(name="norm", op="BatchNormWithGlobalNormalization", input=inputs)
        norm.attr["T"].type = 1
        norm.attr["variance_epsilon"].f = 0.1
        norm.attr["scale_after_normalization"].b = True
        graph.node.add(name="after", op="Tanh", input=["norm"]).attr["T"].type = 1
        _, found = inferred(graph, tmp_path)
        assert found.shapes["known:0"] == (3, 4)
        assert ("after:0" in found.shapes) == is_allowed
        if is_allowed:
            assert found.shapes["norm:0"] == (2, 5, 5, 3)
            assert found.refused == {}
        else:
            assert set(found.refused) == {"norm"}
            assert "not available in GraphDef version" in found.refused["norm"]


def broken(graph: Any, kind: str) -> None:
    """One node that TensorFlow will not import, called ``wrong``."""
    if kind == "dangling":
        graph.node.add(name="wrong", op="Tanh", input=["nowhere"]).attr["T"].type = 1
    elif kind == "type":
        graph.node.add(name="wrong", op="LogicalNot", input=["known"])
    elif kind == "attribute":
        graph.node.add(name="wrong", op="Tanh", input=["known"]).attr["T"].type = 7
    elif kind == "missing attribute":
        graph.node.add(name="wrong", op="Tanh", input=["known"])
    elif kind == "shape":
        node = graph.node.add(name="wrong", op="MatMul", input=["known", "known"])
        node.attr["T"].type = 1
    elif kind == "inputs":
        graph.node.add(name="wrong", op="Tanh", input=["known", "known"]).attr["T"].type = 1
    elif kind == "output":
        graph.node.add(name="wrong", op="Tanh", input=["known:3"]).attr["T"].type = 1
    elif kind == "function":
        add_call(graph, "wrong", "gone")
    elif kind == "kind of attribute":
        graph.node.add(name="wrong", op="Tanh", input=["known"]).attr["T"].i = 1


KINDS = [*"dangling type attribute shape inputs output function".split(), "missing attribute", "kind of attribute"]


@pytest.mark.parametrize("kind", KINDS)
def test_a_node_that_is_refused_costs_what_lies_below(tmp_path: Path, kind: str) -> None:
    graph = chain()
    broken(graph, kind)
    graph.node.add(name="after", op="Tanh", input=["wrong"]).attr["T"].type = 1
    with pytest.raises((ValueError, tf.errors.OpError)):
        by_tensorflow(graph)
    _, found = inferred(graph, tmp_path)
    assert found.shapes["known:0"] == found.shapes["beside:0"] == (3, 4)
    assert set(found.refused) <= {"wrong", "after"}
    assert "wrong:0" not in found.shapes


def test_nothing_to_hold_on_to(tmp_path: Path) -> None:
    graph = chain()
    graph.versions.min_consumer = 1_000_000
    with pytest.raises(GraphscopeError, match=r"TensorFlow refuses the graph: .*GraphDef min consumer version 1000000"):
        inferred(graph, tmp_path)


def test_no_weight_is_read(tmp_path: Path) -> None:
    graph = GraphDef()
    node = graph.node.add(name="w", op="Const")
    node.attr["value"].tensor.CopyFrom(tf.make_tensor_proto(np.ones([300, 20], np.float32)))
    node.attr["dtype"].type = 1
    graph.node.add(name="y", op="Tanh", input=["w"]).attr["T"].type = 1
    path = tmp_path / "x.pb"
    path.write_bytes(graph.SerializeToString())
    model = graphscope.load(path)
    with open(path, "r+b") as file:
        file.truncate(0)
    assert infer_shapes(model).shapes == {"w:0": (300, 20), "y:0": (300, 20)}
