"""Shape functions op by op: for random attributes and inputs, nothing else than TensorFlow says of the outputs."""

from __future__ import annotations

from random import Random

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from graphscope.analysis.shapes import Shapes, infer
from graphscope.core.graph import Graph, Node
from graphscope.core.ops.sets import MERGES
from graphscope.core.ops.table import registered_ops
from graphscope.protos import AttrValue, GraphDef
from tests.support.op_graphs import CRASHING, STRICT, STRICTER, VAGUE, WITH_FUNCTIONS, OpGraph, OpGraphs
from tests.support.saving import tf
from tests.support.shape_oracle import contradicts, is_less
from tests.support.shape_rules import every_rule

OPS = sorted(
    name
    for name in every_rule()
    if name in registered_ops()
    and name not in CRASHING | WITH_FUNCTIONS
    and not registered_ops()[name].HasField("deprecation")
)
GROUPS = 12


def inferred(case: OpGraph) -> Shapes:
    return infer(Graph(case.graph_def, [Node(node) for node in case.graph_def.node]))


def check(case: OpGraph) -> tuple[int, int]:
    """How many outputs of known rank TensorFlow has, and of how many of them we know less."""
    found, op = inferred(case), case.graph_def.node[-1].op
    if case.shapes is None:
        assert op not in STRICT or case.name in found.errors, f"{case}: taken"
        return 0, 0
    if case.name in found.errors:
        assert op in STRICTER, f"{case}: {found.errors[case.name]}"
        return 0, 0
    ours = [found.shape(f"{case.name}:{index}") for index in range(len(case.shapes))]
    for mine, theirs in zip(ours, case.shapes):
        assert not contradicts(mine, theirs), f"{case}: {ours}"
        assert op in VAGUE or not is_less(mine, theirs), f"{case}: {ours}"
    return sum(s is not None for s in case.shapes), sum(map(is_less, ours, case.shapes))


@pytest.mark.parametrize("group", range(GROUPS))
def test_every_op(group: int) -> None:
    known = less = 0
    for op in OPS[group::GROUPS]:
        for case in OpGraphs(op, Random(op)).make():
            outputs, unknown = check(case)
            known, less = known + outputs, less + unknown
    assert known > 100
    assert less / known < 0.03


FREQUENT = (
    "MatMul BatchMatMulV2 Conv2D DepthwiseConv2dNative MaxPool AvgPool FusedBatchNormV3 BiasAdd AddV2 Select SelectV2 Reshape"
    " StridedSlice Slice ConcatV2 Pack Unpack Split Tile ExpandDims Squeeze Transpose Sum Mean Prod Max ArgMax Gather GatherNd"
    " ScatterNd OneHot Range Fill Pad MirrorPad SpaceToBatchND BatchToSpaceND Conv2DBackpropInput DynamicStitch Cumsum"
    " BroadcastTo SparseToDense TensorListStack TensorListFromTensor ResizeBilinear CropAndResize UnsortedSegmentSum Where"
    " ReadVariableOp AssignVariableOp SparseReshape LSTMBlockCell TopKV2 BroadcastGradientArgs Einsum".split()
)


@settings(max_examples=60, derandomize=True, suppress_health_check=list(HealthCheck))
@given(op=st.sampled_from(FREQUENT), random=st.randoms(use_true_random=False))
def test_frequent_ops(op: str, random: Random) -> None:
    """Nothing is contradicted; which nodes that do not fit are refused is compared for the same nodes each time alone."""
    for case in OpGraphs(op, random).make():
        found = inferred(case)
        for index, theirs in enumerate(case.shapes or ()):
            assert case.name in found.errors or not contradicts(found.shape(f"{case.name}:{index}"), theirs), f"{case}"


def test_stitched_at_negative_places() -> None:
    """TensorFlow refuses them when it runs."""
    with tf.Graph().as_default() as graph:
        tf.raw_ops.DynamicStitch(indices=[[0, -5], [-1]], data=[[1, 2], [3]], name="mixed")
        tf.raw_ops.DynamicStitch(indices=[[-1]], data=[[3]], name="none")
    message = GraphDef.FromString(graph.as_graph_def().SerializeToString())
    found = infer(Graph(message, [Node(node) for node in message.node]))
    for name in ("mixed", "none"):
        assert found.shape(name) == tuple(graph.get_tensor_by_name(f"{name}:0").shape.as_list())


def test_windows() -> None:
    """Every padding, stride and dilation over sizes around the window's."""
    with tf.Graph().as_default() as graph:
        for size in (5, 6, 7, 8, None):
            image = tf.compat.v1.placeholder(tf.float32, [2, size, 9, 3])
            for stride, dilation in ((1, 1), (2, 1), (3, 1), (1, 2)):
                for padding in ("SAME", "VALID", [[0, 0], [1, 2], [0, 1], [0, 0]]):
                    tf.nn.conv2d(image, tf.zeros([3, 2, 3, 5]), stride, padding, dilations=dilation)
                for padding in ("SAME", "VALID"):
                    tf.nn.max_pool2d(image, [3, 2], stride, padding)
                    tf.nn.dilation2d(image, tf.zeros([2, 2, 3]), [1, stride, stride, 1], padding, "NHWC", [1, 1, 1, 1])
    message = GraphDef.FromString(graph.as_graph_def().SerializeToString())
    found = infer(Graph(message, [Node(node) for node in message.node]))
    assert found.errors == {}
    for operation in graph.get_operations():
        for output in operation.outputs:
            assert found.shape(output.name) == tuple(output.shape.as_list()), operation.node_def


@pytest.mark.parametrize(
    ("op", "inputs", "attrs"),
    [
        ("Reshape", ["x", "s"], {"T": 1, "Tshape": 3}),
        ("BroadcastTo", ["x", "s"], {"T": 1, "Tidx": 3}),
        ("Fill", ["s", "one"], {"T": 1, "index_type": 3}),
        ("RandomUniform", ["s"], {"dtype": 1, "T": 3}),
        ("SparseToDense", ["i", "s", "x", "one"], {"T": 1, "Tindices": 3}),
    ],
)
def test_a_shape_is_a_vector(op: str, inputs: list[str], attrs: dict[str, int]) -> None:
    with tf.Graph().as_default() as graph:
        tf.compat.v1.placeholder(tf.float32, None, "x")
        tf.compat.v1.placeholder(tf.int32, None, "i")
        tf.constant(-1, name="s")
        tf.constant(1.0, name="one")
    message = GraphDef.FromString(graph.as_graph_def().SerializeToString())
    node = message.node.add(name="n", op=op, input=inputs)
    for name, number in attrs.items():
        node.attr[name].type = number
    with tf.Graph().as_default(), pytest.raises(ValueError, match="rank 1 but is rank 0"):
        tf.import_graph_def(tf.compat.v1.GraphDef.FromString(message.SerializeToString()), name="")
    assert "n" in infer(Graph(message, [Node(node) for node in message.node])).errors


NORMS = {
    "BatchNormWithGlobalNormalization": [(None, 5, 6, None), (None,), (None,), (3,), (None,)],
    "BatchNormWithGlobalNormalizationGrad": [(None, 5, None, None), (3,), (None,), (None,), (2, None, None, None)],
    "QuantizedBatchNormWithGlobalNormalization": [(2, None, 6, None), (), (), *[(3,), (), ()] * 4],
}


@pytest.mark.parametrize("op", NORMS)
def test_batch_norms_of_old_graphs(op: str) -> None:
    """TensorFlow takes them of an old producer alone."""
    message = GraphDef(versions={"producer": 8})
    node = message.node.add(name="norm", op=op)
    for number, (argument, shape) in enumerate(zip(registered_ops()[op].input_arg, NORMS[op], strict=True)):
        made = message.node.add(name=f"x{number}", op="Placeholder")
        made.attr["dtype"].type = argument.type or {"T": 1, "Tinput": 12}[argument.type_attr]
        for size in shape:
            made.attr["shape"].shape.dim.add(size=-1 if size is None else size)
        node.input.append(made.name)
    for attribute in registered_ops()[op].attr:
        value = {"T": {"type": 1}, "Tinput": {"type": 12}, "out_type": {"type": 13}}.get(attribute.name)
        node.attr[attribute.name].CopyFrom(
            AttrValue(**(value or {"f": 0.1} if attribute.type != "bool" else {"b": True}))
        )
    with tf.Graph().as_default() as graph:
        tf.import_graph_def(tf.compat.v1.GraphDef.FromString(message.SerializeToString()), name="")
    found = infer(Graph(message, [Node(node) for node in message.node]))
    assert found.errors == {}
    for output in graph.get_operation_by_name("norm").outputs:
        assert found.shape(output.name) == tuple(output.shape.as_list())


def test_every_op_of_the_table_exists() -> None:
    """Ops that TensorFlow does not register, but writes in graphs, excepted."""
    assert sorted(name for name in every_rule() if name not in registered_ops()) == []
    assert not MERGES & every_rule().keys()
    assert tf.version.GRAPH_DEF_VERSION > 1000
