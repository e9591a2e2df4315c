"""Formulas of ops that TensorFlow's profiler leaves out: by hand, from what the kernels compute."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import pytest

import graphscope
from graphscope.analysis.cost.formulas import formulas
from graphscope.analysis.cost.measure import flops_of
from graphscope.analysis.cost.operands import Operands
from graphscope.analysis.shapes import infer
from tests.support.written import graph_of, model_of

X = "(2,3)"
"""Six elements."""


def flops(op: str, *inputs: str) -> int | None:
    """What a node counts whose inputs are placeholders of these shapes, or integers (``=[1,2]``)."""
    lines = [f"i{k} {'Const:int32' if text.startswith('=') else 'Placeholder'}{text}" for k, text in enumerate(inputs)]
    flow = infer(graph_of([*lines, f"y {op} {' '.join(f'i{k}' for k in range(len(inputs)))}"])).flow
    place = flow.wiring.places["y"]
    return flops_of(Operands(flow.call(place), flow.facts[place] or ()))


ELEMENTWISE: Mapping[int, str] = {
    1: "ReluGrad Relu Tanh Sigmoid LogicalNot",
    2: "Relu6 LeakyRelu ClipByValue Relu6Grad EluGrad LeakyReluGrad SqrtGrad Dequantize EuclideanNorm FakeQuantWithMinMaxArgs",
    3: "SigmoidGrad TanhGrad SoftplusGrad SoftsignGrad ReciprocalGrad InvGrad",
    4: "RsqrtGrad",
    5: "LogSoftmax",
}
"""Operations for each element -> ops."""


@pytest.mark.parametrize("count", ELEMENTWISE)
def test_each_element_counts_alike(count: int) -> None:
    for op in ELEMENTWISE[count].split():
        taken = {"ClipByValue": (X, "()", "()"), "Dequantize": (X, "()", "()"), "EuclideanNorm": (X, "=[0]")}
        inputs = taken.get(op, (X, X) if op.endswith("Grad") else (X,))
        assert flops(op, *inputs) == 6 * count, op


def test_results_that_are_broadcast_count_whole() -> None:
    """What has two operands has as many operations as its result has elements."""
    for op in ("FloorDiv", "LogicalAnd", "Atan2", "BitwiseXor"):
        assert flops(op, "(2,1)", "(1,5)") == 10, op
    assert flops("SelectV2", "(2,1)", "(1,5)", "(1)") == 10
    assert flops('AddN{"N":3}', X, X, X) == 12


OTHERS: Sequence[tuple[str, Sequence[str], int]] = (
    ("SoftmaxCrossEntropyWithLogits", ("(4,5)", "(4,5)"), 8 * 20),
    ("SparseSoftmaxCrossEntropyWithLogits", ("(4,5)", "(4)"), 6 * 20),
    ("BiasAddV1", ("(4,5)", "(5)"), 20),
    ("BatchNormWithGlobalNormalization", ("(1,2,2,5)", *["(5)"] * 4), 2 * 20),
    ('FusedBatchNormV3{"is_training":true}', ("(1,2,2,5)", *["(5)"] * 4), 6 * 20),
    ('FusedBatchNormV3{"is_training":false}', ("(1,2,2,5)", *["(5)"] * 4), 2 * 20),
    ('FusedBatchNormGradV3{"is_training":true}', ("(1,2,2,5)", "(1,2,2,5)", *["(5)"] * 4), 10 * 20),
    ('FusedBatchNormGradV3{"is_training":false}', ("(1,2,2,5)", "(1,2,2,5)", *["(5)"] * 4), 6 * 20),
    ('LRN{"depth_radius":2}', ("(1,2,2,5)",), (5 + 1 + 4 + 1) * 20 - 20),
    ("All", (X, "=[1]"), 4),
    ("Prod", (X, "=[0]"), 3),
    ("Cumsum", (X, "=0"), 6),
    ("UnsortedSegmentSum", ("(6,2)", "(6)", "=3"), 12),
    ("SegmentMean", ("(6,2)", "(6)"), 12),
    ("AssignAdd", (X, X), 6),
    ("AssignSubVariableOp", ("()", X), 6),
    ("ApplyGradientDescent", (X, "()", X), 2 * 6),
    ("ApplyMomentum", (X, X, "()", X, "()"), 4 * 6),
    ("ApplyAdagrad", (X, X, "()", X), 6 * 6),
    ("ApplyRMSProp", (X, X, X, "()", "()", "()", "()", X), 11 * 6),
    ("ApplyAdam", (*[X] * 3, *["()"] * 6, X), 12 * 6),
    ("ResourceApplyAdam", (*["()"] * 9, X), 12 * 6),
    ("ResizeBilinear", ("(1,2,2,3)", "=[4,5]"), 9 * 60),
    ("ResizeNearestNeighbor", ("(1,2,2,3)", "=[4,5]"), 0),
    ("SparseTensorDenseMatMul", ("(7,2)", "(7)", "=[4,5]", "(5,3)"), 2 * 7 * 3),
    ("LSTMBlockCell", ("(2,3)", "(2,4)", "(2,4)", "(7,16)", *["(4)"] * 3, "(16)"), 2 * (2 * 7 * 16 + 13 * 4)),
    ("BlockLSTM", ("()", "(6,2,3)", "(2,4)", "(2,4)", "(7,16)", *["(4)"] * 3, "(16)"), 12 * (2 * 7 * 16 + 13 * 4)),
    ("GRUBlockCell", ("(2,3)", "(2,4)", "(7,8)", "(7,4)", "(8)", "(4)"), 2 * (2 * (7 * 8 + 7 * 4) + 11 * 4)),
    ('Einsum{"equation":"bij,bjk->bik"}', ("(2,3,4)", "(2,4,5)"), 2 * 2 * 3 * 4 * 5),
    ('Einsum{"equation":"i,j->ij"}', ("(3)", "(4)"), 12),
    ('Einsum{"equation":"ij->i"}', ("(3,4)",), 12),
    ('Einsum{"equation":"ij->ji"}', ("(3,4)",), 0),
    ('Einsum{"equation":"...ij,...jk->...ik"}', ("(6,7,3,4)", "(7,4,5)"), 2 * 6 * 7 * 3 * 4 * 5),
    ('Einsum{"equation":"i...,j->...j"}', ("(3,6)", "(4)"), 2 * 3 * 6 * 4),
)


@pytest.mark.parametrize(("op", "inputs", "expected"), OTHERS)
def test_ops_by_hand(op: str, inputs: Sequence[str], expected: int) -> None:
    assert flops(op, *inputs) == expected


def test_gradients_of_convolutions_count_as_the_convolution() -> None:
    """Of a depthwise or three-dimensional one: what the forward op would count whose result input 2 is a gradient of."""
    image, weights, result = "(1,4,4,3)", "(3,2,3,2)", "(1,4,4,6)"
    attributes = '{"padding":"SAME"}'
    expected = 2 * 3 * 2 * 4 * 4 * 6
    backward = f"DepthwiseConv2dNativeBackpropInput{attributes}"
    assert flops(backward, "=[1,4,4,3]", weights, result) == expected
    backward = f"DepthwiseConv2dNativeBackpropFilter{attributes}"
    assert flops(backward, image, "=[3,2,3,2]", result) == expected
    image, weights, result = "(1,2,4,4,3)", "(1,3,2,3,5)", "(1,2,4,4,5)"
    expected = 2 * 1 * 3 * 2 * 3 * 2 * 4 * 4 * 5
    assert flops(f"Conv3DBackpropInputV2{attributes}", "=[1,2,4,4,3]", weights, result) == expected
    assert flops(f"Conv3DBackpropFilterV2{attributes}", image, "=[1,3,2,3,5]", result) == expected


@pytest.mark.parametrize("equation", ["ij,jk->ik", "ij", "ijk->ik", "i->i", "ij,jk,kl->il"])
def test_equations_that_do_not_fit_count_nothing(equation: str) -> None:
    assert flops(f'Einsum{{"equation":"{equation}"}}', "(3,4)") is None


def test_an_op_whose_sizes_are_unknown_counts_nothing() -> None:
    assert flops("Square", "(?,3)") is None
    assert flops("MatMul", "(3)", "(3,4)") is None
    assert "Betainc" not in formulas()


VARIABLE = ("v VarHandleOp(4,5)", "x Placeholder(4,5)", "rate Const=0.5")
BYTES = 4 * 4 * 5


@pytest.mark.parametrize(
    ("line", "read", "written"),
    [
        ("y Neg x", BYTES, BYTES),
        ("y AssignVariableOp v x", BYTES, BYTES),
        ("y AssignAddVariableOp v x", 2 * BYTES, BYTES),
        ("y ResourceApplyGradientDescent v rate x", 2 * BYTES + 4, BYTES),
        ("y ReadVariableOp v", 0, 0),
        ("y Identity x", 0, 0),
        ("y Const=[1.5,2.5]", 0, 0),
        ("y TensorListFromTensor x x", BYTES, BYTES),
        ("y FusedBatchNormV3 x4 c c c c", 4 * (4 * 5 + 5), 4 * 4 * 5),
        ("y TopKV2 x k", BYTES + 4, 2 * 4 * 4 * 3),
        ('y ConcatV2{"N":2} x x one', BYTES + 4, 2 * BYTES),
        ("y Slice x begin size", 4 * 2 * 3 + 16, 4 * 2 * 3),
    ],
)
def test_bytes_that_a_node_moves(line: str, read: int, written: int) -> None:
    """Each tensor that goes in once, each output, a variable where it is changed; of a slice the part that it takes."""
    more = ("x4 Placeholder(1,2,2,5)", "c Placeholder(5)", "k Const:int32=3", "one Const:int32=1")
    more += ("begin Const:int32=[0,1]", "size Const:int32=[2,3]")
    report = graphscope.cost(model_of(graph_of([*VARIABLE, *more, line])), all=True, by="node")
    moved = {row.name: (row.figures.read_bytes, row.figures.written_bytes) for row in report.rows}
    assert moved.get("y", (0, 0)) == (read, written)
