"""Listing nodes and tensors: the filters, and every tensor's name, type and shape as TensorFlow has them.

What the project knows of TensorFlow by heart is compared with the installed one here: ops, messages, data types.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from google.protobuf.descriptor import Descriptor, FieldDescriptor

import graphscope
from graphscope import protos
from graphscope.analysis.listing import Listing, NodeFilter, NodeRow, compile_patterns, list_nodes
from graphscope.core.dtypes import REF, DataType
from graphscope.core.model import Model
from graphscope.core.ops import TABLE, OpCatalog, input_types, output_types, registered
from graphscope.core.tensors import Shape, TensorName, TensorSpec, elements, node_of, shape_text
from graphscope.errors import GraphscopeError, IncompleteModelError, UnknownNameError
from graphscope.protos import schema
from graphscope.runtime.op_table import current
from tests.fixture_files import FIXTURES
from tests.protos_stub import stub
from tests.saving import tf
from tests.zoo_files import ZOO, needs_zoo

from tensorflow.core.protobuf import control_flow_pb2, queue_runner_pb2, saved_model_pb2, tensor_bundle_pb2  # isort: skip
from tensorflow.core.framework import tensor_slice_pb2  # isort: skip
from tensorflow.core.util import saved_tensor_slice_pb2  # isort: skip
from tensorflow.core.protobuf.meta_graph_pb2 import MetaGraphDef  # isort: skip
from tensorflow.python.training import checkpoint_state_pb2  # isort: skip
from tensorflow.python.framework.function_def_to_graph import function_def_to_graph  # isort: skip

v1 = tf.compat.v1
GraphDef = v1.GraphDef


def opened(graph: Any, directory: Path) -> Model:
    """``graph``, a ``tf.Graph`` or a ``GraphDef``, from a file."""
    message = graph.as_graph_def() if isinstance(graph, tf.Graph) else graph
    (directory / "graph.pb").write_bytes(message.SerializeToString())
    return graphscope.load(directory / "graph.pb")


def rows(model: Model, functions: bool = False, **filters: Any) -> list[NodeRow]:
    return list(list_nodes(model, Listing(NodeFilter(**filters), functions)))


def names(found: Iterable[NodeRow]) -> list[str]:
    return [row.name for row in found]


@pytest.fixture(scope="module")
def net(tmp_path_factory: pytest.TempPathFactory) -> Model:
    """``a/x`` -> ``a/y`` -> ``b/z`` -> ``b/out``, ``a/y`` -> ``c``; ``c`` waits for ``b/z``; a function with two nodes."""
    graph = GraphDef()
    graph.versions.producer = 1000
    nodes = [
        ("a/x", "Placeholder", []),
        ("a/y", "Tanh", ["a/x"]),
        ("b/z", "Square", ["a/y:0"]),
        ("b/out", "Add", ["b/z", "a/x"]),
        ("c", "Neg", ["a/y", "^b/z"]),
        ("ab", "NoOp", ["^c"]),
    ]
    for name, op, inputs in nodes:
        node = graph.node.add(name=name, op=op, input=inputs)
        if op not in ("Placeholder", "NoOp"):
            node.attr["T"].type = 1
    graph.node[1].device = "/gpu:0"
    graph.node[0].attr["dtype"].type = 1
    function = graph.library.function.add()
    function.signature.name = "f"
    function.signature.input_arg.add(name="arg", type=1)
    function.node_def.add(name="a/inner", op="Tanh", input=["arg"]).attr["T"].type = 1
    function.node_def.add(name="second", op="Exp", input=["a/inner:y:0"]).attr["T"].type = 1
    return opened(graph, tmp_path_factory.mktemp("net"))


# Filters


def test_everything(net: Model) -> None:
    found = rows(net)
    assert names(found) == ["a/x", "a/y", "b/z", "b/out", "c", "ab"]
    assert [row.op for row in found] == ["Placeholder", "Tanh", "Square", "Add", "Neg", "NoOp"]
    assert found[4].inputs == ("a/y", "^b/z")
    assert [row.device for row in found if row.device] == ["/gpu:0"]
    assert {row.function for row in found} == {""}
    assert {row.distance for row in found} == {None}
    assert [len(row.outputs) for row in found] == [1, 1, 1, 1, 1, 0]


def test_functions(net: Model) -> None:
    found = rows(net, functions=True)
    assert [(r.function, r.name) for r in found[6:]] == [("f", "a/inner"), ("f", "second")]
    assert found[-1].outputs == (TensorSpec("second:0", DataType.FLOAT),)


def test_by_op(net: Model) -> None:
    assert names(rows(net, ops=["Tanh"])) == ["a/y"]
    assert names(rows(net, ops=["Neg", "Square"])) == ["b/z", "c"]
    assert names(rows(net, functions=True, ops=["Tanh"])) == ["a/y", "a/inner"]
    assert names(rows(net, functions=True, ops=["Exp"])) == ["second"]
    for op, closest in (("tanh", ["Tanh"]), ("Placeholdr", ["Placeholder"]), ("Exp", []), ("", [])):
        with pytest.raises(UnknownNameError, match=f"no op of this graph is named {op!r}") as caught:
            rows(net, ops=["Neg", op])
        assert caught.value.closest == closest


def test_by_name(net: Model) -> None:
    def matching(*texts: str, **others: Any) -> list[str]:
        return names(rows(net, names=compile_patterns(texts), **others))

    assert matching("^a/") == ["a/x", "a/y"]
    assert matching("z$", "^c$") == ["b/z", "c"]
    assert matching("B", "(?i)Z") == ["b/z"]
    assert matching("nothing") == []
    assert matching("") == ["a/x", "a/y", "b/z", "b/out", "c", "ab"]
    assert matching("a/", functions=True) == ["a/x", "a/y", "a/inner"]


@pytest.mark.parametrize("text", ["(", "a[", "*", "a{2,1}", r"\1", "(?P<a>.)(?P<a>.)"])
def test_what_is_no_regular_expression(text: str) -> None:
    with pytest.raises(GraphscopeError, match="is no regular expression: ") as caught:
        compile_patterns(["fine", text])
    assert repr(text) in caught.value.message
    assert caught.value.hint == "escape special characters with \\"


def test_by_scope(net: Model) -> None:
    assert names(rows(net, scope="a")) == names(rows(net, scope="a/")) == ["a/x", "a/y"]
    assert names(rows(net, scope="c")) == ["c"]
    assert names(rows(net, functions=True, scope="a")) == ["a/x", "a/y", "a/inner"]
    with pytest.raises(UnknownNameError, match="no name scope is named 'A'; closest: a"):
        rows(net, scope="A")
    with pytest.raises(UnknownNameError, match="no name scope is named 'a/xx'"):
        rows(net, scope="a/xx")


@pytest.mark.parametrize(
    ("start", "depth", "expected"),
    [
        ("b/out", 1, {"b/z": 1, "a/x": 1}),
        ("b/out", 2, {"b/z": 1, "a/x": 1, "a/y": 2}),
        ("b/out:0", None, {"b/z": 1, "a/x": 1, "a/y": 2}),
        ("c", 1, {"a/y": 1, "b/z": 1}),
        ("^ab", None, {"c": 1, "a/y": 2, "b/z": 2, "a/x": 3}),
        ("a/x", None, {}),
        ("b/out", 0, {}),
    ],
)
def test_inputs_of(net: Model, start: str, depth: int | None, expected: dict[str, int]) -> None:
    found = rows(net, inputs_of=start, depth=depth)
    assert {row.name: row.distance for row in found} == expected
    assert names(found) == [name for name in names(rows(net)) if name in expected]
    assert names(rows(net, functions=True, inputs_of=start, depth=depth)) == names(found)


@pytest.mark.parametrize(
    ("start", "depth", "expected"),
    [
        ("a/x", 1, {"a/y": 1, "b/out": 1}),
        ("a/x", 2, {"a/y": 1, "b/out": 1, "b/z": 2, "c": 2}),
        ("a/x", None, {"a/y": 1, "b/out": 1, "b/z": 2, "c": 2, "ab": 3}),
        ("b/z", 1, {"b/out": 1, "c": 1}),
        ("ab", None, {}),
    ],
)
def test_consumers_of(net: Model, start: str, depth: int | None, expected: dict[str, int]) -> None:
    assert {row.name: row.distance for row in rows(net, consumers_of=start, depth=depth)} == expected


def test_both_ways_and_with_others(net: Model) -> None:
    assert names(rows(net, inputs_of="b/z", consumers_of="b/z")) == ["a/y", "b/out", "c"]
    assert names(rows(net, inputs_of="b/z", consumers_of="c", depth=None)) == ["a/x", "a/y", "ab"]
    assert names(rows(net, consumers_of="a/x", depth=None, ops=["Neg", "Add"], scope="b")) == ["b/out"]


@pytest.mark.parametrize("which", ["inputs_of", "consumers_of"])
def test_a_neighbour_of_nothing(net: Model, which: str) -> None:
    with pytest.raises(UnknownNameError, match="no node is named 'b/oot'; closest: b/out"):
        rows(net, **{which: "b/oot:0"})


def test_neighbours_in_a_loop() -> None:
    model = graphscope.load(FIXTURES / "rnn")
    [merge] = [n.name for n in model.graph if n.op == "Merge"][:1]
    back = {row.name: row.distance for row in rows(model, inputs_of=merge, depth=None)}
    forth = {row.name for row in rows(model, consumers_of=merge, depth=None)}
    assert merge not in back
    assert merge not in forth
    assert set(back) & forth, "what is in the loop is before and after"
    assert back == {n: d for n, d in distances(model, merge).items() if n != merge}


def distances(model: Model, start: str) -> dict[str, int]:
    """Breadth first, written out."""
    inputs = {n.name: [node_of(i) for i in n.inputs] for n in model.graph}
    found = {start: 0}
    queue = [start]
    for name in queue:
        for producer in inputs[name]:
            if producer not in found:
                found[producer] = found[name] + 1
                queue.append(producer)
    return found


def test_no_graph() -> None:
    model = graphscope.load(FIXTURES / "softmax" / "model.ckpt-6000.index")
    assert model.has_graph
    bare = graphscope.load(FIXTURES / "lenet5" / "saved_model" / "variables" / "variables")
    with pytest.raises(IncompleteModelError, match="a checkpoint without a graph"):
        rows(bare)


# Tensors


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


def test_inferred_shapes_win(net: Model) -> None:
    found = list(list_nodes(net, Listing(inferred={"a/x:0": (3, 4), "c:0": ()})))
    shapes = {spec.name: spec.shape for row in found for spec in row.outputs}
    assert shapes == {"a/x:0": (3, 4), "a/y:0": None, "b/z:0": None, "b/out:0": None, "c:0": ()}


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


# What is known by heart


OF_LITE = ("TFLite_Detection_PostProcess", "UnidirectionalSequenceLstm", "UnidirectionalSequenceRnn")
"""A conversion to TensorFlow Lite registers these in the process."""


def test_the_op_table() -> None:
    """Made by ``python -m graphscope.runtime.op_table``, where nothing has registered ops of its own."""
    installed = protos.OpList.FromString(current())
    added = [op for op in installed.op if op.name in OF_LITE]
    for op in added:
        installed.op.remove(op)
    assert installed.SerializeToString(deterministic=True) == TABLE.read_bytes()


def test_ops_by_definition() -> None:
    """For every op of one form: what its definition says of outputs with default attributes."""
    from tensorflow.python.framework import op_def_registry

    catalog = OpCatalog()
    for name, op in registered().items():
        assert catalog.get(name) is op
        theirs = op_def_registry.get(name)
        assert theirs is not None
        if any(a.number_attr or a.type_list_attr or a.type_attr for a in [*op.output_arg, *op.input_arg]):
            continue
        assert [(t.dtype, t.is_ref) for t in output_types(op, {})] == [
            (DataType.of(a.type), a.is_ref) for a in theirs.output_arg
        ]
        assert input_types(op, {}) == [DataType.of(a.type) for a in theirs.input_arg]


def test_the_types_of_messages() -> None:
    """Made by ``python -m tests.protos_stub``."""
    written = Path(protos.__file__).with_suffix(".pyi").read_text("utf-8")
    assert written == stub()


THEIRS = {
    "SavedModel": saved_model_pb2.SavedModel,
    "BundleHeaderProto": tensor_bundle_pb2.BundleHeaderProto,
    "BundleEntryProto": tensor_bundle_pb2.BundleEntryProto,
    "TensorSliceProto": tensor_slice_pb2.TensorSliceProto,
    "TensorSliceExtent": tensor_slice_pb2.TensorSliceProto.Extent,
    "SavedSliceMeta": saved_tensor_slice_pb2.SavedSliceMeta,
    "SavedTensorSliceMeta": saved_tensor_slice_pb2.SavedTensorSliceMeta,
    "SavedSlice": saved_tensor_slice_pb2.SavedSlice,
    "SavedTensorSlices": saved_tensor_slice_pb2.SavedTensorSlices,
    "QueueRunnerDef": queue_runner_pb2.QueueRunnerDef,
    "ValuesDef": control_flow_pb2.ValuesDef,
    "ControlFlowContextDef": control_flow_pb2.ControlFlowContextDef,
    "CondContextDef": control_flow_pb2.CondContextDef,
    "WhileContextDef": control_flow_pb2.WhileContextDef,
    "CheckpointState": checkpoint_state_pb2.CheckpointState,
}


def fields(descriptor: Descriptor) -> dict[str, tuple[int, int, bool]]:
    """Name -> number, type on the wire (an enum is an int32 there), whether it is repeated."""
    as_number = {FieldDescriptor.TYPE_ENUM: FieldDescriptor.TYPE_INT32}
    return {f.name: (f.number, as_number.get(f.type, f.type), f.is_repeated) for f in descriptor.fields}


def test_the_messages_declared_here() -> None:
    classes = schema.message_classes()
    assert set(classes) == {*THEIRS, "ExternalValuesEntry"}
    for name, theirs in THEIRS.items():
        assert fields(classes[name].DESCRIPTOR) == fields(theirs.DESCRIPTOR), name
        for field in classes[name].DESCRIPTOR.fields:
            other = theirs.DESCRIPTOR.fields_by_name[field.name]
            if field.message_type is not None and field.message_type.name != "ExternalValuesEntry":
                declared = classes.get(field.message_type.name)
                expected = THEIRS.get(field.message_type.name)
                assert other.message_type is not None
                assert (expected.DESCRIPTOR if expected else other.message_type).name == other.message_type.name
                assert declared is None or declared.DESCRIPTOR is field.message_type
            assert other.has_presence == field.has_presence, f"{name}.{field.name}"
    entry = control_flow_pb2.ValuesDef.DESCRIPTOR.fields_by_name["external_values"].message_type
    assert fields(classes["ExternalValuesEntry"].DESCRIPTOR) == fields(entry)


def test_messages_are_exchanged_as_bytes() -> None:
    meta = saved_tensor_slice_pb2.SavedTensorSlices()
    tensor = meta.meta.tensor.add(name="w", type=1)
    tensor.slice.add().extent.add(start=3, length=0)
    ours = protos.SavedTensorSlices.FromString(meta.SerializeToString())
    assert ours.meta.tensor[0].slice[0].extent[0].HasField("length")
    assert ours.SerializeToString(deterministic=True) == meta.SerializeToString(deterministic=True)


def test_tensorboards_messages_are_tensorflows() -> None:
    """Every field that TensorFlow's messages have, TensorBoard's have, too; newer ones pass as unknown fields."""
    pairs = {
        protos.GraphDef: GraphDef,
        protos.NodeDef: v1.NodeDef,
        protos.AttrValue: v1.AttrValue,
        protos.MetaGraphDef: MetaGraphDef,
        protos.TensorProto: type(tf.make_tensor_proto(1)),
        protos.TensorShapeProto: type(tf.TensorShape([]).as_proto()),
    }
    for ours, theirs in pairs.items():
        found, expected = fields(ours.DESCRIPTOR), fields(theirs.DESCRIPTOR)
        assert {k: v for k, v in expected.items() if k in found} == found


def test_data_types() -> None:
    theirs = {d.as_datatype_enum: d for d in vars(tf.dtypes).values() if isinstance(d, tf.DType)}
    theirs |= {n: tf.as_dtype(n) for n in range(1, 100) if _is_type(n)}
    assert {int(t) for t in DataType if t} == set(theirs)
    for number, dtype in theirs.items():
        ours = DataType.of(number)
        assert ours.label == dtype.name
        assert ours.is_floating == dtype.is_floating
        assert DataType.of(number + REF) is ours
        if ours.itemsize is None:
            assert dtype in (tf.string, tf.resource, tf.variant)
        else:
            assert ours.itemsize == dtype.size
            assert ours.numpy.itemsize == ours.itemsize
            as_numpy = np.dtype(dtype.as_numpy_dtype)
            if not as_numpy.names:  # quantised types are structures of one field there
                assert ours.numpy == as_numpy
            else:
                assert ours.numpy == as_numpy[0]
    enum = {v.name: v.number for v in pairs_of_data_types()}
    assert {f"DT_{t.name}": int(t) for t in DataType} == {k: n for k, n in enum.items() if not k.endswith("_REF")}


def pairs_of_data_types() -> Any:
    from tensorflow.core.framework import types_pb2

    return types_pb2.DataType.DESCRIPTOR.values


def _is_type(number: int) -> bool:
    try:
        tf.as_dtype(number)
    except TypeError:
        return False
    return True


@pytest.mark.parametrize("number", [-1, 34, 99, 100, 134, 10**9])
def test_numbers_that_are_no_types(number: int) -> None:
    assert DataType.of(number) is DataType.INVALID


@pytest.mark.parametrize("dtype", [t for t in DataType if t.itemsize is not None], ids=lambda t: t.label)
def test_types_from_numpy(dtype: DataType) -> None:
    found = DataType.from_numpy(dtype.numpy)
    assert found.numpy == dtype.numpy
    assert found is dtype or dtype.label.startswith("q")


def test_types_that_tensorflow_does_not_have() -> None:
    assert DataType.from_numpy(np.dtype("U5")) is DataType.STRING
    assert DataType.from_numpy(np.dtype(object)) is DataType.STRING
    assert DataType.from_numpy(np.dtype(">f4")) is DataType.FLOAT
    for name in ("M8[s]", "V3", "f16"):
        with pytest.raises(TypeError, match="TensorFlow has no data type for NumPy's"):
            DataType.from_numpy(np.dtype(name))
    with pytest.raises(TypeError, match=re.escape("resource has no array form")):
        _ = DataType.RESOURCE.numpy
