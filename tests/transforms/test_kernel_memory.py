"""What NumPy kernels are asked with few bytes that would take many: nothing large is made on the way, nothing takes long."""

from __future__ import annotations

import tracemalloc
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pytest

from graphscope.core.ops.table import output_types, registered_ops
from graphscope.core.values.dtypes import DataType
from graphscope.core.values.payload import ArrayPayload, Payload
from graphscope.transforms.kernels.kernel import MAX_VALUE_BYTES
from graphscope.transforms.kernels.table import compute
from tests.support.broken import memory
from tests.support.kernel_values import Argument, i32, s32
from tests.support.running import flat, node_of_op

pytestmark = pytest.mark.slow

BOUND_BYTES = 5 * MAX_VALUE_BYTES
WIDE = 1 << 40
MANY = np.full(1 << 16, 2**31 - 1, np.int32)
"""Sizes of more dimensions than there are, whose product has two million bits."""

Call = tuple[str, Sequence[Argument], Mapping[str, Any]]


def f32(*shape: int) -> np.ndarray[Any, Any]:
    return np.zeros(shape, np.float32)


DECLINED: dict[str, Call] = {
    "rows of other shapes": ("DynamicStitch", [[i32()[:0], np.arange(9, dtype=np.int32)], [f32(0, WIDE), f32(9)]], {}),
    "pieces of nothing": ("Unpack", [f32(WIDE, 0)], {"num": 3}),
    "pieces of bytes": ("Unpack", [np.zeros(MAX_VALUE_BYTES, np.int8)], {"num": 3}),
    "many parts": ("SplitV", [f32(1 << 20), np.ones(1 << 19, np.int32), s32(0)], {"num_split": 2}),
    "a sum of nothing": ("Sum", [np.zeros((0, WIDE), np.int32), s32(0)], {}),
    "whether all of nothing": ("All", [np.zeros((0, WIDE), bool), s32(0)], {}),
    "places of bytes": ("ArgMax", [np.zeros((MAX_VALUE_BYTES, 1), np.int8), s32(1)], {}),
    "a product over nothing": ("MatMul", [np.zeros((WIDE, 0), np.int32), np.zeros((0, WIDE), np.int32)], {}),
    "a fill of many dimensions": ("Fill", [MANY, np.float32(1).reshape(())], {}),
    "spread over many dimensions": ("BroadcastTo", [np.float32(1).reshape(()), MANY], {}),
    "slices of many dimensions": ("StridedSlice", [f32(3), MANY, MANY, MANY], {}),
    "a turn in many dimensions": ("ReverseV2", [f32(3), MANY], {}),
    "a fill with a long string": ("Fill", [i32(1000), np.array(b"x" * 100_000, object)], {}),
    "a long string again and again": ("Tile", [np.array([b"", b"x" * 100_000], object), i32(500)], {}),
    "a long string for each place": ("GatherV2", [np.array([b"x" * 100_000], object), np.zeros(99, np.int32), s32(0)], {}),
    "a long string alone": ("Reshape", [np.array([b"x" * (MAX_VALUE_BYTES + 1)], object), i32(1, 1)], {}),
}  # fmt: skip

COMPUTED: dict[str, tuple[Call, tuple[int, ...]]] = {
    "none of many": (("Tile", [f32(2, 1), i32(2**31 - 1, 0)], {}), (2**32 - 2, 0)),
    "one of none": (
        ("OneHot", [i32()[:0], s32(2**31 - 1), np.float32(1).reshape(()), np.float32(0).reshape(())], {}),
        (0, 2**31 - 1),
    ),
    "a mirror of nothing": (
        ("MirrorPad", [f32(0, WIDE), i32(0, 0, 0, 0).reshape(2, 2)], {"mode": b"SYMMETRIC"}),
        (0, WIDE),
    ),
    "a mirror of bytes": (
        ("MirrorPad", [np.zeros(MAX_VALUE_BYTES - 10, np.int8), i32(1, 1).reshape(1, 2)], {"mode": b"SYMMETRIC"}),
        (MAX_VALUE_BYTES - 8,),
    ),
    "a cast to bytes": (
        ("Cast", [np.zeros(MAX_VALUE_BYTES // 2, np.float16)], {"DstT": DataType.INT8}),
        (MAX_VALUE_BYTES // 2,),
    ),
    "classes of bytes": (
        ("OneHot", [np.zeros(4, np.int32), s32(2 << 20), np.array(1, np.int8), np.array(0, np.int8)], {}),
        (4, 2 << 20),
    ),
    "a comparison of wide numbers": (
        ("Equal", [np.zeros((2048, 1), np.complex128), np.zeros((1, 4095), np.complex128)], {}),
        (2048, 4095),
    ),
    "places of many": (("InvertPermutation", [np.arange(MAX_VALUE_BYTES // 4, dtype=np.int32)], {}), (1 << 21,)),
}


def bounded(call: Call) -> list[Payload] | None:
    """What is computed, in little memory."""
    op, inputs, attrs = call
    single = node_of_op(op, inputs, attrs)
    payloads = [ArrayPayload(array) for array in flat(inputs)]
    outputs = output_types(registered_ops()[op], single.attrs)
    tracemalloc.start()
    try:
        with memory(2 * BOUND_BYTES):
            found = compute(single, registered_ops()[op], payloads, outputs)
        assert tracemalloc.get_traced_memory()[1] < BOUND_BYTES
    finally:
        tracemalloc.stop()
    return found


@pytest.mark.parametrize("what", DECLINED)
def test_what_would_be_large_is_declined(what: str) -> None:
    assert bounded(DECLINED[what]) is None


@pytest.mark.parametrize("what", COMPUTED)
def test_what_is_small_is_made_in_little_memory(what: str) -> None:
    call, shape = COMPUTED[what]
    [result] = bounded(call) or []
    assert result.shape == shape


def test_strings_count_with_their_length() -> None:
    assert ArrayPayload(np.array([b"abc", b""], object)).content_bytes == 2 * 16 + 3
    assert ArrayPayload(f32(3)).content_bytes == 12
