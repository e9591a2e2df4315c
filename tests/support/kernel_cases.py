"""What each NumPy kernel is asked to compute, and TensorFlow's kernel after it: a table of inputs and attributes by op."""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from graphscope.core.values.dtypes import DataType
from tests.support.kernel_values import (
    BF16,
    COMPLEX,
    F16,
    F32,
    F64,
    FLOATS,
    HALVES,
    I16,
    I32,
    I64,
    INTS,
    MOVED,
    SIGNED,
    U8,
    U16,
    Argument,
    edges,
    i32,
    s32,
    values,
)


@dataclass(frozen=True)
class Case:
    """One node. ``inputs`` as the op's arguments: an array, or a list for one that takes several."""

    op: str
    inputs: Sequence[Argument]
    attrs: Mapping[str, Any] = field(default_factory=dict)
    outputs: int = 1

    def __str__(self) -> str:
        flat = [a for i in self.inputs for a in (i if isinstance(i, list) else [i])]
        types = ",".join(f"{a.dtype.name}{list(a.shape)}" for a in flat)
        attrs = ",".join(f"{k}={v!s}" for k, v in self.attrs.items())
        return f"{self.op}-{types}-{attrs}"


UNARY: dict[str, tuple[Any, ...]] = {
    "Neg": (*FLOATS, *HALVES, *SIGNED, *COMPLEX),
    "Abs": (*FLOATS, *HALVES, *SIGNED),
    "Square": (*FLOATS, I32, I64),
    "Sign": (*FLOATS, I32, I64),
    "Invert": INTS,
    "Relu": (*FLOATS, *INTS),
    "Relu6": (*FLOATS, *INTS),
    **dict.fromkeys("Sqrt Round Floor Ceil Rint IsNan IsInf IsFinite".split(), FLOATS),
    "LogicalNot": (np.bool_,),
}


def unary() -> Iterator[Case]:
    for op, types in UNARY.items():
        for dtype in types:
            if np.dtype(dtype).kind not in "bcO":
                # Fewer than a vector register holds, and more: TensorFlow computes the two differently.
                wide = np.concatenate([edges(dtype), values(dtype, (3000,)), edges(dtype)[:3]])
                yield Case(op, [wide])
            yield Case(op, [values(dtype, (2, 3))])
            yield Case(op, [values(dtype, ())])


ORDERED = (*FLOATS, *HALVES, *INTS)
BINARY: dict[str, tuple[Any, ...]] = {
    "Add": (*FLOATS, *HALVES, *SIGNED, U8, *COMPLEX),
    "AddV2": (*FLOATS, *HALVES, *INTS, *COMPLEX),
    "Sub": (*FLOATS, *HALVES, *INTS, *COMPLEX),
    "Mul": (*FLOATS, *HALVES, *INTS),
    "Div": (*FLOATS, *HALVES, *SIGNED, U8, U16),
    "RealDiv": (*FLOATS, *HALVES),
    "DivNoNan": FLOATS,
    "MulNoNan": FLOATS,
    "FloorDiv": (*FLOATS, *INTS),
    "FloorMod": (*FLOATS, *INTS),
    "TruncateDiv": INTS,
    "TruncateMod": (*FLOATS, I32, I64),
    "Mod": (*FLOATS, I32, I64),
    "Maximum": (*FLOATS, *INTS),
    "Minimum": (*FLOATS, *INTS),
    "SquaredDifference": (*FLOATS, I32, I64),
    "LeftShift": INTS,
    "RightShift": INTS,
    **dict.fromkeys("BitwiseAnd BitwiseOr BitwiseXor".split(), INTS),
    **dict.fromkeys("Less LessEqual Greater GreaterEqual".split(), ORDERED),
    **dict.fromkeys("Equal NotEqual".split(), (*ORDERED, *COMPLEX, np.bool_, np.object_)),
    **dict.fromkeys("LogicalAnd LogicalOr".split(), (np.bool_,)),
}
SHAPES = [((2, 3), (2, 3)), ((), (4,)), ((2, 1, 3), (4, 1)), ((0, 3), (1,)), ((5,), ())]
DIVIDING = "Div FloorDiv FloorMod TruncateDiv TruncateMod Mod".split()


def binary() -> Iterator[Case]:
    for op, types in BINARY.items():
        for dtype in types:
            whole = np.dtype(dtype).kind in "iu"
            pairs = [(values(dtype, a, "a"), values(dtype, b, "b")) for a, b in SHAPES]
            if np.dtype(dtype).kind not in "bcO":
                x, y = map(np.concatenate, zip(*itertools.product(edges(dtype)[:, None], repeat=2)))
                pairs.append((x, y))
            for x, y in pairs:
                divisor = np.where(y == 0, np.array(7, dtype), y) if whole and op in DIVIDING else y
                yield Case(op, [x, divisor])


def powers() -> Iterator[Case]:
    for whole in (I32, I64):
        yield Case("Pow", [edges(whole)[:, None], np.array([0, 1, 2, 3, 31, 64], whole)])


def casts() -> Iterator[Case]:
    every = (*FLOATS, *HALVES, *INTS, np.bool_, *COMPLEX)
    for source, target in itertools.product(every, every):
        numbers = values(source, (40,))
        to_whole = np.dtype(target).kind in "iu"
        if np.dtype(source).kind not in "iub" and to_whole:
            low = 0 if np.dtype(target).kind == "u" else -120
            numbers = np.linspace(low, 120, 40).astype(source)
        attrs = {"DstT": DataType.from_numpy(np.dtype(target))}
        yield Case("Cast", [numbers], attrs)
        if np.dtype(source).kind not in "iubc" and not to_whole:
            yield Case("Cast", [edges(source)], attrs)


def selections() -> Iterator[Case]:
    yes = np.array([True, False, True])
    for dtype in (F32, I64, np.bool_, F16):
        x, y = values(dtype, (3, 2), "x"), values(dtype, (3, 2), "y")
        yield Case("Select", [values(bool, (3, 2)), x, y])
        yield Case("Select", [yes, x, y])
        yield Case("Select", [np.array(False), x, y])
        yield Case("Select", [yes, x[:, 0], y[:, 0]])
        yield Case("SelectV2", [yes[:, None], x[:1], y])
        yield Case("SelectV2", [np.array(True), x, y[0]])
    for dtype in (*FLOATS, *HALVES, *SIGNED):
        for count in (1, 2, 5, 8):
            yield Case("AddN", [[values(dtype, (2, 3), str(i)) for i in range(count)]])
    yield Case("AddN", [[values(I32, (4,), str(i)) for i in range(20)]])


def shapes() -> Iterator[Case]:
    for dtype in MOVED:
        x = values(dtype, (2, 1, 3))
        for op in ("Identity", "StopGradient", "Snapshot", "PreventGradient"):
            if op != "Snapshot" or dtype is not np.object_:
                yield Case(op, [x])
        yield Case("IdentityN", [[x, values(F32, (2,))]], outputs=2)
        yield Case("EnsureShape", [x], {"shape": (2, -1, 3)})
        for out in (I32, I64):
            attrs = {"out_type": DataType.from_numpy(np.dtype(out))}
            yield Case("Shape", [x], attrs)
            yield Case("Size", [x], attrs)
            yield Case("ShapeN", [[x, x[0], x[0, 0, 0:0]]], attrs, outputs=3)
        yield Case("Rank", [x])
        yield Case("Reshape", [x, i32(3, -1)])
        yield Case("Reshape", [x[:, 0, :0], np.array([0, 4], I64)])
        yield Case("Reshape", [x[:1, :, :1], i32()])
        yield Case("ExpandDims", [x, s32(-1)])
        yield Case("ExpandDims", [x, np.array([1], I64)])
        yield Case("Squeeze", [x])
        yield Case("Squeeze", [x], {"squeeze_dims": [-2]})
        yield Case("Transpose", [x, i32(2, 0, 1)])
        yield Case("Transpose", [x[0, 0, :1].reshape(()), i32()])
        yield Case("Tile", [x, i32(2, 1, 3)])
        yield Case("Tile", [x, i32(0, 1, 1)])
        yield Case("Fill", [i32(2, 0, 3), x[0, 0, :1].reshape(())])
        yield Case("Fill", [np.array([2, 3], I64), x[0, 0, 1:2].reshape(())])
        yield Case("Fill", [i32(), x[0, 0, :1].reshape(())])
        if dtype is not np.object_:
            yield Case("ZerosLike", [x])
            yield Case("OnesLike", [x])
            yield Case("BroadcastTo", [x, i32(4, 2, 5, 3)])
    for a, b in (((3, 1), (2, 1, 4)), ((), (2,)), ((1,), (7,))):
        yield Case("BroadcastArgs", [i32(*a), i32(*b)])
        yield Case("BroadcastArgs", [np.array(a, I64), np.array(b, I64)])


def ranges() -> Iterator[Case]:
    for dtype in (*FLOATS, I32, I64):
        for start, limit, delta in ((0, 10, 3), (10, 0, -3), (5, 5, 1), (0, 1, 1), (-3, 4, 2), (0, 100, 1)):
            yield Case("Range", [np.array(n, dtype) for n in (start, limit, delta)])
    for dtype in FLOATS:
        for start, limit, delta in ((0, 1, 0.1), (0, 10, 0.1), (1, -1, -0.3), (0, 3e3, 0.7)):
            yield Case("Range", [np.array(n, dtype) for n in (start, limit, delta)])
        for start, stop, count in ((0, 1, 11), (-3, 7, 64), (5, 5, 3), (1, 2, 1), (2, -1, 10)):
            ends = [np.array(start, dtype), np.array(stop, dtype)]
            yield Case("LinSpace", [*ends, s32(count)])
            yield Case("LinSpace", [*ends, np.array(count, I64)])


def layouts() -> Iterator[Case]:
    for dtype in MOVED:
        x, y = values(dtype, (2, 3), "x"), values(dtype, (2, 3), "y")
        yield Case("Concat", [s32(1), [x, y, x]])
        yield Case("ConcatV2", [[x, y], s32(-2)])
        yield Case("ConcatV2", [[x, x[:, :0]], np.array(1, I64)])
        yield Case("Pack", [[x, y]])
        yield Case("Pack", [[x, y]], {"axis": -1})
        yield Case("Pack", [[x[0, 0:1].reshape(()), y[1, 1:2].reshape(())]])
        yield Case("Unpack", [x], {"num": 2}, outputs=2)
        yield Case("Unpack", [x], {"num": 3, "axis": -1}, outputs=3)
        yield Case("Unpack", [x[0]], {"num": 3}, outputs=3)
        yield Case("Split", [s32(-1), x], {"num_split": 3}, outputs=3)
        yield Case("SplitV", [x, i32(1, -1, 0), s32(1)], {"num_split": 3}, outputs=3)
        yield Case("SplitV", [x, np.array([2, 0], I64), s32(0)], {"num_split": 2}, outputs=2)
        yield Case("ReverseV2", [x, i32(-1)])
        yield Case("ReverseV2", [x, i32()])
        if dtype is not np.object_:
            yield Case("Roll", [x, s32(2), s32(1)])
            yield Case("Roll", [x, i32(1, -1), i32(0, 1)])
        if dtype not in (np.object_,):
            yield Case("Pad", [x, i32(1, 0, 0, 2).reshape(2, 2)])
            yield Case("PadV2", [x, np.array([[0, 1], [2, 0]], I64), y[0, 0:1].reshape(())])
            for mode, most in ((b"REFLECT", 1), (b"SYMMETRIC", 2)):
                for paddings in ([[1, 1], [2, 0]], [[0, most], [0, most]], [[0, 0], [0, 0]]):
                    yield Case("MirrorPad", [x, np.array(paddings, I32)], {"mode": mode})
    yield Case("Pad", [values(F32, ()), np.zeros((0, 2), I32)])
    for source, target in ((F32, I32), (I32, F32), (F32, U8), (F64, U16), (BF16, I16), (np.complex64, F64)):
        yield Case("Bitcast", [values(source, (2, 3))], {"type": DataType.from_numpy(np.dtype(target))})
        yield Case("Bitcast", [values(source, ())], {"type": DataType.from_numpy(np.dtype(target))})
    for source, target in ((U8, F32), (I16, F64)):
        ratio = np.dtype(target).itemsize // np.dtype(source).itemsize
        numbers = np.arange(3 * ratio).reshape(3, ratio).astype(source)
        yield Case("Bitcast", [numbers], {"type": DataType.from_numpy(np.dtype(target))})
        yield Case("Bitcast", [numbers[0]], {"type": DataType.from_numpy(np.dtype(target))})


def strided() -> Iterator[Case]:
    """Every mask bit at every place, forward and backward."""
    cube = np.arange(60, dtype=F32).reshape(3, 4, 5)
    masks = ("begin_mask", "end_mask", "ellipsis_mask", "new_axis_mask", "shrink_axis_mask")
    ranges = [
        ((0, 1, 0), (3, 3, 5), (1, 1, 2)),
        ((-1, -1, 3), (-4, 0, -9), (-1, -2, -1)),
        ((1, -3, 2), (9, 9, -1), (1, 1, 1)),
    ]
    for (begin, end, strides), mask, bit in itertools.product(ranges, masks, (0, 1, 2, 4)):
        if mask == "shrink_axis_mask" and any(s < 0 for s in strides):
            continue
        yield Case("StridedSlice", [cube, i32(*begin), i32(*end), i32(*strides)], {mask: bit})
    mixed = ({"ellipsis_mask": 1, "shrink_axis_mask": 2}, {"new_axis_mask": 1, "begin_mask": 6, "end_mask": 6})
    mixed += (
        {"shrink_axis_mask": 3},
        {"ellipsis_mask": 2, "new_axis_mask": 5},
        {"new_axis_mask": 3, "shrink_axis_mask": 7},
    )
    for attrs in mixed:
        yield Case("StridedSlice", [cube, i32(1, 1, 1), i32(2, 3, 4), i32(1, 1, 1)], attrs)
    yield Case("StridedSlice", [cube, i32(1), i32(2), i32(1)], {"shrink_axis_mask": 1})
    yield Case("StridedSlice", [cube, i32(), i32(), i32()])
    for dtype in MOVED:
        yield Case("StridedSlice", [values(dtype, (5,)), i32(-4), i32(-1), i32(2)])
        yield Case("StridedSlice", [values(dtype, (5,)), i32(3), i32(4), i32(1)], {"shrink_axis_mask": 1})


def picks() -> Iterator[Case]:
    for dtype in MOVED:
        x = values(dtype, (3, 4))
        yield Case("Slice", [x, i32(1, 0), i32(2, -1)])
        yield Case("Slice", [x, np.array([0, 4], I64), np.array([0, 0], I64)])
        yield Case("Gather", [x, i32(2, 0, 2)])
        yield Case("GatherV2", [x, np.array([[1], [3]], I64), s32(-1)])
        yield Case("GatherV2", [x, s32(1), s32(0)])
        yield Case("GatherV2", [x, i32(), s32(0)])
        yield Case("GatherNd", [x, np.array([[0, 1], [2, 3]], I32)])
        yield Case("GatherNd", [x, np.array([[[2]], [[1]]], I64)])
        yield Case("GatherNd", [x, np.zeros((2, 0), I32)])
        if dtype is not np.object_:
            rows = [i32(0, 3), np.array([[1], [2]], I32)]
            data = [values(dtype, (2, 2)), values(dtype, (2, 1, 2))]
            yield Case("DynamicStitch", [rows, data])
            yield Case("ParallelDynamicStitch", [rows, data])
            yield Case("DynamicStitch", [[i32(1, 0), i32(0)], [values(dtype, (2,), "a"), values(dtype, (1,), "b")]])
            yield Case("DynamicStitch", [[s32(0), s32(1)], [values(dtype, (3,), "a"), values(dtype, (3,), "b")]])
            yield Case("DynamicStitch", [[i32()], [values(dtype, (0, 2))]])
            for axis in (-1, 0, 1):
                on, off = values(dtype, (), "on"), values(dtype, (), "off")
                yield Case("OneHot", [i32(0, 2, -1, 5), s32(3), on, off], {"axis": axis})
        if dtype not in (np.object_, F16, BF16):
            yield Case("Where", [x])
    for dtype in (I32, I64):
        yield Case("InvertPermutation", [np.array([3, 0, 2, 1], dtype)])


def reductions() -> Iterator[Case]:
    placed = ((0,), (1,), (-1,), (0, 2), (), (0, 1, 2))
    for op in ("Sum", "Prod", "Max", "Min"):
        for dtype in INTS if op in ("Sum", "Prod") else (*FLOATS, *INTS):
            x = values(dtype, (3, 2, 4))
            for axes, kept in itertools.product(placed, (False, True)):
                yield Case(op, [x, i32(*axes)], {"keep_dims": kept})
            yield Case(op, [x[:, 0, 0], np.array(0, I64)])
    for dtype, op in itertools.product(FLOATS, ("Max", "Min")):
        yield Case(op, [np.array([1, np.nan, 3], dtype), s32(0)])
    for op in ("All", "Any"):
        for axes, kept in itertools.product(placed, (False, True)):
            yield Case(op, [values(bool, (3, 2, 4)), i32(*axes)], {"keep_dims": kept})
        yield Case(op, [np.zeros((0, 2), bool), np.array([0], I64)])
    for op, dtype in itertools.product(("ArgMax", "ArgMin"), (*FLOATS, *INTS)):
        for axis in (0, -1):
            for out in (DataType.INT32, DataType.INT64):
                yield Case(op, [values(dtype, (4, 5)), s32(axis)], {"output_type": out})
        yield Case(op, [np.array([2, 1, 2, 1], dtype), s32(0)])


def products() -> Iterator[Case]:
    for dtype in (I32, I64):
        a, b = values(dtype, (3, 4), "a"), values(dtype, (4, 5), "b")
        for ta, tb in itertools.product((False, True), repeat=2):
            inputs = [a.T.copy() if ta else a, b.T.copy() if tb else b]
            yield Case("MatMul", inputs, {"transpose_a": ta, "transpose_b": tb})
    for dtype in (*FLOATS, I32, I64):
        x = values(dtype, (2, 3, 2, 3))
        yield Case("BiasAdd", [x, values(dtype, (3,))])
        yield Case("BiasAdd", [x, values(dtype, (3,))], {"data_format": b"NCHW"})
        yield Case("BiasAdd", [x[0, 0], values(dtype, (3,))])
    for dtype in (I32, I64):
        for exclusive, reverse in itertools.product((False, True), repeat=2):
            yield Case("Cumsum", [values(dtype, (3, 4)), s32(-1)], {"exclusive": exclusive, "reverse": reverse})


def cases() -> list[Case]:
    groups = (unary, binary, powers, casts, selections, shapes, ranges, layouts, strided, picks, reductions, products)
    with np.errstate(all="ignore"):
        return [case for group in groups for case in group()]
