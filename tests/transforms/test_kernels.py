"""Every NumPy kernel against TensorFlow's own, and what the kernels decline."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import groupby
from typing import Any

import numpy as np
import pytest

from graphscope.core.ops.table import output_types, registered_ops
from graphscope.core.values.dtypes import DataType
from graphscope.core.values.payload import ArrayPayload
from graphscope.transforms.kernels.kernel import ANY, PLAIN
from graphscope.transforms.kernels.table import TABLE, compute
from tests.support.kernel_cases import Case, cases
from tests.support.kernel_values import Argument, i32, s32
from tests.support.running import Array, flat, node_of_op, run_nodes

pytestmark = pytest.mark.tensorflow

CASES = {op: list(group) for op, group in groupby(sorted(cases(), key=lambda c: c.op), key=lambda c: c.op)}


def computed(op: str, inputs: Sequence[Argument], attrs: Mapping[str, Any], **kwargs: int) -> list[Array] | None:
    single = node_of_op(op, inputs, attrs)
    outputs = output_types(registered_ops()[op], single.attrs)
    payloads = [ArrayPayload(a) for a in flat(inputs)]
    found = compute(single, registered_ops()[op], payloads, outputs, **kwargs)
    if found is None:
        return None
    assert [p.dtype for p in found] == [o.dtype for o in outputs]
    return [p.numpy() for p in found]


def test_every_kernel_is_compared_in_every_type_that_it_computes_with() -> None:
    assert set(CASES) == set(TABLE)
    for op, kernel in TABLE.items():
        compared = {DataType.from_numpy(a.dtype) for case in CASES[op] for a in flat(case.inputs)}
        assert kernel.types in (ANY, PLAIN) or kernel.types == compared, op


@pytest.mark.parametrize("op", CASES)
def test_as_tensorflow(op: str) -> None:
    calls = [(node_of_op(op, case.inputs, case.attrs), flat(case.inputs), case.outputs) for case in CASES[op]]
    for case, expected in zip(CASES[op], run_nodes(calls)):
        found = computed(op, case.inputs, case.attrs)
        assert found is not None, str(case)
        assert len(found) == case.outputs
        for mine, theirs in zip(found, expected):
            assert_same(mine, theirs, case)


def assert_same(mine: Array, theirs: Array, case: Case) -> None:
    assert (mine.dtype, mine.shape) == (theirs.dtype, theirs.shape), str(case)
    if mine.dtype.kind == "O":
        assert mine.tolist() == theirs.tolist(), str(case)
        return
    same = (mine == theirs) | ((mine != mine) & (theirs != theirs))
    assert same.all(), f"{case}: {mine[~same][:4]} {theirs[~same][:4]} of {flat(case.inputs)}"


def f32(*numbers: float) -> Array:
    return np.array(numbers, np.float32)


MATRIX = np.arange(6, dtype=np.float32).reshape(2, 3)
NUMBERS = MATRIX.astype(np.int32)
DECLINED: dict[str, list[tuple[Sequence[Argument], Mapping[str, Any]]]] = {
    # What TensorFlow refuses, or C leaves undefined.
    "FloorDiv": [([i32(1, 2), i32(1, 0)], {})],
    "TruncateMod": [([i32(1), i32(0)], {})],
    "Pow": [([i32(2), i32(-1)], {}), ([f32(2), f32(3)], {})],
    "Add": [([f32(1, 2), f32(1, 2, 3)], {})],
    "Cast": [
        ([f32(300)], {"DstT": DataType.INT8}),
        ([f32(-1)], {"DstT": DataType.UINT8}),
        ([f32(2.0**31)], {"DstT": DataType.INT32}),
        ([f32(np.nan)], {"DstT": DataType.INT64}),
        ([f32(1)], {"DstT": DataType.QINT8}),
        ([f32(1)], {"DstT": DataType.HALF, "Truncate": True}),
    ],
    "Select": [([np.array([True]), MATRIX, MATRIX], {}), ([np.array(True), MATRIX, MATRIX[0]], {})],
    "Reshape": [([MATRIX, i32(4, -1)], {}), ([MATRIX, i32(7)], {})],
    "Squeeze": [([MATRIX], {"squeeze_dims": [0]})],
    "EnsureShape": [([MATRIX], {"shape": (2, 4)}), ([MATRIX], {"shape": (2,)})],
    "Transpose": [([MATRIX, i32(0, 0)], {})],
    "Tile": [([MATRIX, i32(2)], {}), ([MATRIX, i32(1, -1)], {})],
    "Fill": [([i32(-1), f32(1)[0].reshape(())], {}), ([i32(2), f32(1, 2)], {})],
    "Range": [([s32(0), s32(3), s32(-1)], {}), ([s32(0), s32(3), s32(0)], {})],
    "LinSpace": [([f32(0)[0].reshape(()), f32(1)[0].reshape(()), s32(0)], {})],
    "ConcatV2": [([[MATRIX, MATRIX[:, :2]], s32(0)], {}), ([[MATRIX, MATRIX], s32(2)], {})],
    "Unpack": [([MATRIX], {"num": 3})],
    "Split": [([s32(1), MATRIX], {"num_split": 2})],
    "SplitV": [([MATRIX, i32(2, 2), s32(1)], {"num_split": 2}), ([MATRIX, i32(4, -1), s32(1)], {"num_split": 2})],
    "Pad": [([MATRIX, np.array([[-1, 0], [0, 0]], np.int32)], {}), ([MATRIX, np.array([[1, 0]], np.int32)], {})],
    "MirrorPad": [([MATRIX, np.array([[2, 0], [0, 0]], np.int32)], {"mode": b"REFLECT"})],
    "Bitcast": [([np.zeros((2, 3), np.uint8)], {"type": DataType.FLOAT})],
    "Slice": [([MATRIX, i32(0, 2), i32(2, 2)], {}), ([MATRIX, i32(0), i32(1)], {})],
    "StridedSlice": [
        ([MATRIX, i32(2), i32(3), i32(1)], {"shrink_axis_mask": 1}),
        ([MATRIX, i32(0), i32(1), i32(0)], {}),
        ([MATRIX, i32(1), i32(0), i32(-1)], {"shrink_axis_mask": 1}),
        ([MATRIX, i32(0, 0, 0), i32(1, 1, 1), i32(1, 1, 1)], {}),
    ],
    "Gather": [([MATRIX, i32(-1)], {}), ([MATRIX, i32(2)], {})],
    "GatherV2": [([MATRIX, i32(3), s32(1)], {})],
    "GatherNd": [([MATRIX, i32(0, 3)], {}), ([MATRIX, i32(0, -1)], {}), ([MATRIX, i32(0, 0, 0)], {})],
    "InvertPermutation": [([i32(0, 2)], {}), ([i32(0, 0)], {})],
    "DynamicStitch": [([[i32(0, 2)], [MATRIX]], {}), ([[i32(0, 1, 2)], [MATRIX]], {}), ([[i32(-1, 1)], [MATRIX]], {})],
    "MatMul": [([NUMBERS, NUMBERS], {}), ([NUMBERS, i32(1, 2, 3)], {})],
    "BiasAdd": [([MATRIX, f32(1, 2)], {}), ([f32(1, 2), f32(1, 2)], {})],
    # What the order of additions decides.
    "AddN": [([[f32(i) for i in range(9)]], {})],
    "Sum": [([f32(1, 2), s32(0)], {})],
    "Max": [([f32(), s32(0)], {})],
    "ArgMax": [([f32(1, np.nan), s32(0)], {})],
    # Types in which TensorFlow's functions are not NumPy's.
    "Sqrt": [([np.array([2], np.float16)], {})],
    "Mul": [([np.array([1j]), np.array([1j])], {})],
}


@pytest.mark.parametrize("op", DECLINED)
def test_what_a_kernel_declines(op: str) -> None:
    for inputs, attrs in DECLINED[op]:
        assert computed(op, inputs, attrs) is None, f"{op} {inputs} {attrs}"


LARGE: dict[str, tuple[Sequence[Argument], Mapping[str, Any]]] = {
    "Fill": ([i32(1 << 30, 1 << 30), f32(1)[0].reshape(())], {}),
    "Tile": ([f32(1), i32(1 << 30)], {}),
    "BroadcastTo": ([f32(1), i32(1 << 30)], {}),
    "Range": ([s32(0), s32(1 << 30), s32(1)], {}),
    "LinSpace": ([f32(0)[0].reshape(()), f32(1)[0].reshape(()), s32(1 << 30)], {}),
    "Pad": ([f32(1), i32(0, 1 << 30).reshape(1, 2)], {}),
    "MirrorPad": ([np.zeros(700, np.uint8), i32(0, 700).reshape(1, 2)], {"mode": b"SYMMETRIC"}),
    "OneHot": ([i32(1), s32(1 << 30), f32(1)[0].reshape(()), f32(0)[0].reshape(())], {}),
    "Add": ([np.zeros((20, 1), np.float32), np.zeros((1, 20), np.float32)], {}),
    "SelectV2": ([np.zeros((20, 1), bool), np.zeros(20, np.float32), f32(1)], {}),
    "MatMul": ([np.ones((20, 1), np.int32), np.ones((1, 20), np.int32)], {}),
    "Gather": ([np.zeros((1, 100), np.float32), np.zeros(10, np.int32)], {}),
    "GatherNd": ([np.zeros((1, 100), np.float32), np.zeros((10, 1), np.int32)], {}),
    "Pack": ([[np.zeros(100, np.float32)] * 3], {}),
    "Cast": ([np.zeros(300, np.uint8)], {"DstT": DataType.DOUBLE}),
    "Where": ([np.ones((10, 10), bool)], {}),
    "Neg": ([np.zeros(300, np.float32)], {}),
}


@pytest.mark.parametrize("op", LARGE)
def test_nothing_large_is_made(op: str) -> None:
    inputs, attrs = LARGE[op]
    assert computed(op, inputs, attrs, limit=1000) is None
    if op in ("Add", "Cast", "Gather", "GatherNd", "MatMul", "MirrorPad", "Neg", "Pack", "SelectV2", "Where"):
        assert computed(op, inputs, attrs, limit=10_000) is not None


FLUSHED: dict[str, bool] = {
    "Mul": True,
    "Sqrt": True,
    "Relu": True,
    "Neg": False,
    "Abs": False,
    "Identity": False,
}


@pytest.mark.parametrize("op", FLUSHED)
def test_subnormal_numbers_are_zeros_where_they_are_for_tensorflow(op: str) -> None:
    inputs = [f32(1e-40, 2e-39, 1e-30, -90)] + [f32(1, 1, 1e-10, 1)] * (op == "Mul")
    [[expected]] = run_nodes([(node_of_op(op, inputs), inputs, 1)])
    [found] = computed(op, inputs, {}) or []
    assert (found[:2] == 0).all() == FLUSHED[op]
    assert_same(found, expected, Case(op, inputs))


def test_a_call_for_zeros_of_a_large_constant_does_not_read_it() -> None:
    class Unreadable(ArrayPayload):
        def numpy(self) -> Array:
            raise AssertionError("read")

    for op, attrs in (("Shape", {}), ("Size", {}), ("Rank", {}), ("ZerosLike", {}), ("Identity", {})):
        value = np.zeros((2, 3), np.float32)
        single = node_of_op(op, [value], attrs)
        assert compute(
            single, registered_ops()[op], [Unreadable(value)], output_types(registered_ops()[op], single.attrs)
        )
