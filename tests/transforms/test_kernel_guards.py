"""NumPy kernels at the limits of what they make and take, and what they decline only just."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pytest

from graphscope.core.changes.build import make_node
from graphscope.core.ops.effects import OP_EFFECTS
from graphscope.core.ops.table import ArgumentType, output_types, registered_ops
from graphscope.core.values.dtypes import DataType
from graphscope.core.values.payload import ArrayPayload, Payload
from graphscope.protos import AttrValue, OpDef
from graphscope.transforms.borrowed_kernels import LENT, is_bounded, may_be_lent
from graphscope.transforms.kernels.kernel import Call, DeclinedError, flush_subnormals, integers, number, scalar
from graphscope.transforms.kernels.table import TABLE, compute
from tests.support.kernel_values import Argument, i32, s32
from tests.support.running import Array, flat, node_of_op


def computed(
    op: str, inputs: Sequence[Argument], attrs: Mapping[str, Any] | None = None, **limit: int
) -> list[Payload] | None:
    single = node_of_op(op, inputs, attrs or {})
    outputs = output_types(registered_ops()[op], single.attrs)
    return compute(single, registered_ops()[op], [ArrayPayload(a) for a in flat(inputs)], outputs, **limit)


def f32(*shape: int) -> Array:
    return np.ones(shape, np.float32)


ONE = np.array(1, np.float32)
MADE: dict[str, tuple[str, Sequence[Argument], Mapping[str, Any], int]] = {
    "Fill": ("Fill", [i32(10, 10), ONE], {}, 400),
    "Tile": ("Tile", [f32(2, 5), i32(5, 2)], {}, 400),
    "BroadcastTo": ("BroadcastTo", [f32(1, 10), i32(10, 10)], {}, 400),
    "Range": ("Range", [s32(0), s32(100), s32(1)], {}, 400),
    "Range down": ("Range", [s32(100), s32(1), s32(-2)], {}, 200),
    "LinSpace": ("LinSpace", [ONE, ONE, s32(100)], {}, 400),
    "Pad": ("Pad", [f32(5, 5), i32(2, 3, 5, 0).reshape(2, 2)], {}, 400),
    "PadV2": ("PadV2", [f32(5, 5), i32(0, 5, 2, 3).reshape(2, 2), ONE], {}, 400),
    "MirrorPad": ("MirrorPad", [f32(5, 5), i32(4, 1, 2, 3).reshape(2, 2)], {"mode": b"REFLECT"}, 400),
    "OneHot": ("OneHot", [i32(*range(10)), s32(10), ONE, ONE], {}, 400),
    "Add": ("Add", [f32(10, 1), f32(1, 10)], {}, 400),
    "SelectV2": ("SelectV2", [np.ones((10, 1), bool), f32(10), ONE], {}, 400),
    "MatMul": ("MatMul", [np.ones((10, 1), np.int32), np.ones((1, 10), np.int32)], {}, 400),
    "Gather": ("Gather", [f32(2, 10), np.zeros(10, np.int32)], {}, 400),
    "GatherV2": ("GatherV2", [f32(10, 2), np.zeros(10, np.int32), s32(1)], {}, 400),
    "GatherNd": ("GatherNd", [f32(2, 10), np.zeros((10, 1), np.int32)], {}, 400),
    "Cast": ("Cast", [np.zeros(100, np.uint8)], {"DstT": DataType.FLOAT}, 400),
    "Where": ("Where", [np.ones((5, 10), bool)], {}, 800),
    "ZerosLike": ("ZerosLike", [f32(10, 10)], {}, 400),
    "Neg": ("Neg", [f32(10, 10)], {}, 400),
    "Pack": ("Pack", [[f32(10)] * 10], {}, 400),
}
"""Case -> op, inputs, attributes, and the bytes of the result, or of what is read."""


@pytest.mark.parametrize("name", MADE)
def test_the_limit_is_exact(name: str) -> None:
    op, inputs, attrs, size = MADE[name]
    assert computed(op, inputs, attrs, limit=size) is not None
    assert computed(op, inputs, attrs, limit=size - 1) is None


def test_inputs_count_together() -> None:
    inputs = [f32(10), f32(10)]
    assert computed("Maximum", inputs, limit=80) is not None
    assert computed("Maximum", inputs, limit=79) is None


def test_eight_mebibytes_by_default() -> None:
    for count, is_made in ((1 << 21, True), ((1 << 21) + 1, False)):
        assert (computed("Fill", [i32(count), ONE]) is not None) is is_made
        assert (computed("Neg", [f32(count)]) is not None) is is_made


def test_a_matrix_product_of_many_multiplications_is_left_alone() -> None:
    left = np.ones((1 << 10, 1 << 9), np.int32)
    assert computed("MatMul", [left, np.ones((1 << 9, (1 << 7) + 1), np.int32)]) is None
    assert computed("MatMul", [left, np.ones((1 << 9, 1 << 7), np.int32)]) is not None


Case = tuple[str, Sequence[Argument], Mapping[str, Any], bool]
X = np.arange(6, dtype=np.float32).reshape(2, 3)
EDGES: list[Case] = [
    ("Slice", [X, i32(0, 3), i32(2, 0)], {}, True),
    ("Slice", [X, i32(0, 4), i32(2, -1)], {}, False),
    ("Slice", [X, i32(2, 0), i32(-1, 3)], {}, True),
    ("Slice", [X, i32(-1, 0), i32(1, 3)], {}, False),
    ("Slice", [X, i32(0, 0), i32(-2, 3)], {}, False),
    ("Slice", [X, i32(1, 0), i32(2, 3)], {}, False),
    ("Gather", [X, i32(0, 1)], {}, True),
    ("Gather", [X[:0], i32()], {}, True),
    ("GatherV2", [X, i32(2), s32(1)], {}, True),
    ("GatherV2", [X, i32(0), s32(1)], {"batch_dims": 1}, False),
    ("GatherV2", [X, i32(0), i32(0, 1)], {}, False),
    ("GatherNd", [X, i32(1, 2)], {}, True),
    ("GatherNd", [X, i32(2, 0)], {}, False),
    ("InvertPermutation", [i32()], {}, True),
    ("InvertPermutation", [i32(0).reshape(1, 1)], {}, False),
    ("DynamicStitch", [[i32(0, 1)], [X]], {}, True),
    ("DynamicStitch", [[i32(1, 2)], [X]], {}, False),
    ("DynamicStitch", [[i32(0), i32(1)], [X[:1], X[:1, :2]]], {}, False),
    ("StridedSlice", [X, i32(0), i32(1), i32(1)], {"shrink_axis_mask": 1}, True),
    ("StridedSlice", [X, i32(0), i32(1), i32(0)], {"shrink_axis_mask": 1}, False),
    ("Pow", [i32(2), i32(0)], {}, True),
    ("Select", [np.array([True, False]), X, X], {}, True),
    ("Select", [np.array([True, False, True]), X, X], {}, False),
    ("Select", [np.array([[True], [False]]), X, X], {}, False),
    ("Select", [np.array([True]), X[0, :1], X[0, :1]], {}, True),
    ("AddN", [[X, X[:1]]], {}, False),
    ("AddN", [[f32(2)] * 8], {}, True),
    ("AddN", [[f32(2)] * 9], {}, False),
    ("AddN", [[np.ones(2, np.int32)] * 9], {}, True),
    ("FloorDiv", [i32(1), i32(0)], {}, False),
    ("FloorDiv", [f32(1), 0 * f32(1)], {}, True),
    ("Cast", [np.float32([-128, 127.5])], {"DstT": DataType.INT8}, True),
    ("Cast", [np.float32([128])], {"DstT": DataType.INT8}, False),
    ("Cast", [np.float32([-128.5])], {"DstT": DataType.INT8}, True),
    ("Cast", [np.float32([-129])], {"DstT": DataType.INT8}, False),
    ("Cast", [np.float32([-0.5])], {"DstT": DataType.UINT8}, True),
    ("Cast", [np.float64([2**63])], {"DstT": DataType.INT64}, False),
    ("Cast", [np.float64([-(2**63)])], {"DstT": DataType.INT64}, True),
    ("BiasAdd", [X, f32(3)], {}, True),
    ("BiasAdd", [X, f32(2)], {"data_format": b"NCHW"}, False),
    ("BiasAdd", [X, f32(3)], {"data_format": b"NCHW"}, True),
    ("BiasAdd", [X, f32(1, 3)], {}, False),
    ("BiasAdd", [X[0], f32(3)], {}, False),
    ("ArgMax", [np.float32([1, np.nan]), s32(0)], {}, False),
    ("MatMul", [i32(1, 2), i32(1, 2)], {}, False),
    ("EnsureShape", [X], {"shape": (2, 3)}, True),
    ("EnsureShape", [X], {"shape": (-1, 3)}, True),
    ("EnsureShape", [X], {"shape": (3, 3)}, False),
    ("EnsureShape", [X], {"shape": (2, 3, 1)}, False),
    ("Tile", [X, i32(1, 0)], {}, True),
    ("Tile", [X, i32(1, 1, 1)], {}, False),
    ("LinSpace", [ONE, ONE, s32(1)], {}, True),
    ("LinSpace", [ONE, ONE, s32(-1)], {}, False),
    ("SplitV", [X, i32(1, 2), s32(1)], {"num_split": 2}, True),
    ("SplitV", [X, i32(-1, -1), s32(1)], {"num_split": 2}, False),
    ("SplitV", [X, i32(1, 1), s32(1)], {"num_split": 2}, False),
    ("SplitV", [X, i32(0, 3), s32(1)], {"num_split": 2}, True),
    ("SplitV", [X, i32(5, -2), s32(1)], {"num_split": 2}, False),
    ("Split", [s32(0), X], {"num_split": 2}, True),
    ("Pad", [X, i32(0, 0, 0, 0).reshape(2, 2)], {}, True),
    ("Pad", [X, i32(0, -1, 0, 0).reshape(2, 2)], {}, False),
    ("MirrorPad", [X, i32(1, 1, 2, 2).reshape(2, 2)], {"mode": b"REFLECT"}, True),
    ("MirrorPad", [X, i32(1, 1, 3, 0).reshape(2, 2)], {"mode": b"REFLECT"}, False),
    ("MirrorPad", [X, i32(1, 1, 0, 3).reshape(2, 2)], {"mode": b"REFLECT"}, False),
    ("MirrorPad", [X, i32(2, 2, 3, 3).reshape(2, 2)], {"mode": b"SYMMETRIC"}, True),
    ("MirrorPad", [X, i32(3, 0, 0, 0).reshape(2, 2)], {"mode": b"SYMMETRIC"}, False),
    ("Bitcast", [np.zeros((2, 4), np.uint8)], {"type": DataType.FLOAT}, True),
    ("Bitcast", [np.zeros((2, 8), np.uint8)], {"type": DataType.FLOAT}, False),
    ("Bitcast", [np.zeros(2, np.uint8)], {"type": DataType.FLOAT}, False),
    ("OneHot", [i32(1), s32(3), ONE, ONE], {"axis": 0}, True),
    ("OneHot", [i32(1), i32(3, 3), ONE, ONE], {}, False),
]  # fmt: skip


@pytest.mark.parametrize(("op", "inputs", "attrs", "is_computed"), EDGES)
def test_what_is_declined_only_just(
    op: str, inputs: Sequence[Argument], attrs: Mapping[str, Any], is_computed: bool
) -> None:
    assert (computed(op, inputs, attrs) is not None) is is_computed


def test_an_op_of_another_number_of_outputs_is_declined() -> None:
    single, split = node_of_op("Neg", [X]), ArgumentType(DataType.FLOAT, False, "y")
    assert compute(single, registered_ops()["Neg"], [ArrayPayload(X)], [split, split]) is None
    assert compute(make_node("n", "SomebodysOp"), OpDef(), [], []) is None
    assert not TABLE["Neg"].types.issuperset([DataType.STRING])


def test_attributes_and_their_defaults() -> None:
    definition = registered_ops()["ArgMax"]
    call = Call(make_node("n", "ArgMax"), definition, [], [])
    assert call.attr("output_type").type == DataType.INT64
    for name in ("T", "nothing"):
        with pytest.raises(DeclinedError, match=f"ArgMax without {name}"):
            call.attr(name)
    stated = Call(node_of_op("MatMul", [X, X], {"transpose_a": True}), registered_ops()["MatMul"], [], [])
    assert (stated.flag("transpose_a"), stated.flag("transpose_b")) == (True, False)


def test_numbers_of_arrays() -> None:
    assert (scalar(i32(7)), scalar(s32(7)), number(X[:1, :1]), integers(i32(1, 2).reshape(2, 1))) == (7, 7, 0.0, [1, 2])
    for array in (i32(), i32(1, 2)):
        with pytest.raises(DeclinedError):
            scalar(array)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_subnormal_numbers_become_zeros_of_their_sign(dtype: Any) -> None:
    tiny = np.finfo(dtype).tiny
    given = np.array([tiny, -tiny, tiny / 2, -tiny / 2, 0.0, -0.0, 1, np.nan], dtype)
    found = flush_subnormals(given)
    expected = np.array([tiny, -tiny, 0.0, -0.0, 0.0, -0.0, 1, np.nan], dtype)
    assert found.tobytes() == expected.tobytes()
    whole = np.array([tiny, 1], dtype)
    assert flush_subnormals(whole) is whole
    half = np.array([1e-7], np.float16)
    assert flush_subnormals(half) is half


@pytest.mark.parametrize(
    ("op", "dtype", "is_lent"),
    [
        ("Softmax", DataType.FLOAT, True),
        ("Exp", DataType.FLOAT, False),
        ("ReadFile", DataType.FLOAT, False),
        ("StatelessRandomNormal", DataType.FLOAT, False),
        ("_FusedConv2D", DataType.FLOAT, False),
        ("Softmax", DataType.STRING, False),
        ("PartitionedCall", DataType.FLOAT, False),
        ("Case", DataType.FLOAT, False),
        ("Assign", DataType.FLOAT, False),
        ("AudioSpectrogram", DataType.FLOAT, False),
        ("CTCLoss", DataType.FLOAT, False),
        ("Conv2DBackpropInput", DataType.FLOAT, False),
    ],
)
def test_what_may_be_lent(op: str, dtype: DataType, is_lent: bool) -> None:
    outputs = [ArgumentType(DataType.FLOAT, False, "y"), ArgumentType(dtype, False, "z")]
    assert may_be_lent(make_node("n", op), outputs) is is_lent


def test_ops_that_are_lent_are_functions_of_numbers() -> None:
    """Not random, without state, references or functions; and they touch nothing."""
    for op in LENT:
        definition = registered_ops()[op]
        assert not definition.is_stateful, op
        assert not any(argument.is_ref for argument in definition.input_arg), op
        assert not any(attr.type in ("func", "list(func)") for attr in definition.attr), op
    assert LENT.keys().isdisjoint(OP_EFFECTS)
    assert not [op for op in LENT if re.search("Random|Shuffle|Stateless|Fractional|PyFunc|Grad$|Backprop", op)]


SIDE = 1 << 14
"""The square of it is the most that is computed."""


@pytest.mark.parametrize(
    ("op", "attrs", "inputs", "outputs"),
    [
        ("Softmax", {}, [(SIDE, SIDE // 2)], [(SIDE, SIDE // 2)]),
        ("MatMul", {}, [(SIDE, SIDE // 4), (SIDE // 4, 4)], [(SIDE, 4)]),
        ("MatMul", {"transpose_a": True}, [(SIDE // 4, SIDE), (SIDE // 4, 4)], [(SIDE, 4)]),
        ("BatchMatMulV2", {"adj_x": True}, [(4, SIDE // 16, SIDE), (4, SIDE // 16, 4)], [(4, SIDE, 4)]),
        ("Conv2D", {}, [(1, SIDE, 1, 2), (SIDE // 16, 4, 2, 2)], [(1, SIDE, 1, 2)]),
        ("MaxPool", {"ksize": [1, SIDE // 4, 4, 1]}, [(1, SIDE, 1, 1)], [(1, SIDE, 1, 1)]),
        ("MatrixInverse", {}, [(1 << 5, 1 << 11, 1 << 6)], [(1 << 5, 1 << 11, 1 << 6)]),
        ("NonMaxSuppression", {}, [(SIDE, 4), (SIDE,)], []),
        ("Elu", {}, [(SIDE, SIDE // 2)], [(SIDE, SIDE // 2)]),
    ],
)
def test_work_is_known_by_shapes(op: str, attrs: dict[str, Any], inputs: list[Any], outputs: list[Any]) -> None:
    """Exactly as much as may be, and with one more of what is first, too much."""
    node = make_node("n", op, [], {name: attr(value) for name, value in attrs.items()})
    assert is_bounded(node, inputs, outputs)
    more = [(shape[0] + 1, *shape[1:]) for shape in (outputs or inputs)]
    grown = (inputs, more) if outputs and op != "MatrixInverse" else ([*more, *inputs[1:]], outputs)
    assert not is_bounded(node, *grown)


def test_a_vector_is_no_matrix_and_no_boxes() -> None:
    assert not is_bounded(make_node("n", "MatMul"), [(3,), (3,)], [()])
    assert not is_bounded(make_node("n", "NonMaxSuppression"), [()], [])


def attr(value: bool | list[int]) -> AttrValue:
    if isinstance(value, bool):
        return AttrValue(b=value)
    return AttrValue(list=AttrValue.ListValue(i=value))  # type: ignore[attr-defined]
