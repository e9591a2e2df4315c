"""What the consumers of a placeholder demand of it, rule by rule, in graphs written as text."""

from __future__ import annotations

import pytest

from graphscope.core.tensors import Shape, TensorSpec
from graphscope.core.values.dtypes import DataType
from graphscope.feeding.demands.demanded import Demanded
from graphscope.feeding.demands.demands import apply_demands
from graphscope.feeding.demands.inferred import Consumers
from graphscope.feeding.demands.rules import Indices
from tests.support.written import graph_of


def demand(text: str, dtype: DataType = DataType.FLOAT, shape: Shape = None) -> TensorSpec:
    """What is demanded of ``x``, beside a weight ``w`` of two rows and three columns."""
    graph = graph_of(["x Placeholder", "w Const=[[1,2,3],[4,5,6]]", *map(str.strip, text.split(";"))])
    return apply_demands(TensorSpec("x:0", dtype, shape), Consumers(graph))


SHAPES: list[tuple[str, Shape]] = [
    ("y MatMul x w", (None, 2)),
    ('y MatMul{"transpose_b":true} x w', (None, 3)),
    ('y MatMul{"transpose_a":true} x w', (2, None)),
    ("y MatMul w x", (3, None)),
    ('y MatMul{"transpose_a":true} w x', (2, None)),
    ('y MatMul{"transpose_b":true} w x', (None, 3)),
    ('y BatchMatMul{"adj_x":true} x w', (2, None)),
    ('y BatchMatMulV2{"adj_y":true} x w', (None, 3)),
    ('y BatchMatMulV2{"transpose_a":true} x w', (None, 2)),
    ('y MatMul{"adj_x":true} x w', (None, 2)),
    ("y MatMul x other", (None, None)),
    ("y MatMul w w x", (None, None)),
    ("y MatMul w w x w", (None, None)),
    ("y MatMul x q; q FakeQuantWithMinMaxVars w one one; one Const=1", (None, 2)),
    ("y Reshape x lost", None),
    ("v Const=[[[1,2],[3,4]]]; y BatchMatMul x v", (None, None)),
    ("y MatMul x ww; ww Identity www; www Cast w", (None, 2)),
    ("y MatMul x ww; ww Neg w", (None, None)),
    ("y MatMul x ww; ww Identity", (None, None)),
    ("y MatMul x v; v VariableV2(5,6)", (None, 5)),
    ("y MatMul x v; v Variable(5,6)", (None, 5)),
    ("y MatMul x r; v VarHandleOp(5,6); r ReadVariableOp v", (None, 5)),
    ("y MatMul x v; v Placeholder(5,6)", (None, None)),
    ("y MatMul x v; v VariableV2", (None, None)),
    ("y Conv2D x f; f Variable(3,5,7,8)", (None, 3, 5, 7)),
    ('y Conv2D{"data_format":"NCHW"} x f; f Variable(3,5,7,8)', (None, 7, 3, 5)),
    ('y Conv2D{"data_format":"NHWC"} x f; f Variable(3,5,7,8)', (None, 3, 5, 7)),
    ("y Conv3D x f; f Variable(2,3,5,7,8)", (None, 2, 3, 5, 7)),
    ("y Conv2D x f; f Variable(3,7,8)", None),
    ("y Conv2D x", (None, None, None, None)),
    ("y Conv2D f x; f Variable(3,5,7,8)", (None, None, None, None)),
    ("y Conv2D x e; f Variable(5,7,8); z Const:int32=0; e ExpandDims f z", (None, 1, 5, 7)),
    ("y Conv2D x e; f Variable(5,7,8); z Const:int32=-2; e ExpandDims f z", (None, 5, 7, 1)),
    ("y Conv2D x e; f Variable(5,7,8); z Const:int32=3; e ExpandDims f z", (None, 5, 7, 8)),
    ("y Conv2D x e; f Variable(5,7,8); z Const:int32=-1; e ExpandDims f z", (None, 5, 7, 8)),
    ("y Conv2D x e; f Variable(5,7,8); z Const:int32=[0,-1]; e ExpandDims f z", (None, 1, 5, 7)),
    ("y Conv2D x e; f Variable(5,7,8); z Placeholder; e ExpandDims f z", (None, None, None, None)),
    ("y Conv2D x e; f Neg; z Const:int32=3; e ExpandDims f z", (None, None, None, None)),
    ("y MaxPool x", (None, None, None, None)),
    ("y MaxPool w x", None),
    ("y ParseExample x", (None,)),
    ("y DecodeJpeg x", ()),
    ("y DecodeRaw x", None),
    ("y BiasAdd x b; b Variable(9)", (None, 9)),
    ("y BiasAdd b x; b Variable(9)", None),
    ("y BiasAdd x w", None),
    ("y Add x b; b Variable(9)", (None, 9)),
    ("y Add b x; b Variable(9)", (None, 9)),
    ("y Add x w", (2, 3)),
    ("y Add x s; s Const=1", None),
    ("y Add x x", None),
    ("y Add x b b; b Variable(9)", None),
    ("y Add b b x; b Variable(9)", None),
    ("y Reshape x s; s Const:int32=[-1,0,4]", (None, 0, 4)),
    ("y Reshape x s; s Const:int64=[2]", (2,)),
    ("y Reshape x s; s Const=[2]", None),
    ("y Reshape x s; s Const:int32=[]", None),
    ("y Reshape w x", None),
    (
        "y Reshape x s; s Const:int32=[1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1]",
        (1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1),
    ),
    ("y Reshape x s; s Const:int32=[1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1]", None),
    ("y ExpandDims x a; a Const:int32=0; z MatMul y w", (2,)),
    ("y ExpandDims x a; a Const:int32=1; z MatMul y w", (None,)),
    ("y ExpandDims x a; a Const:int32=[1,0]; z MatMul y w", (None,)),
    ("y ExpandDims x a; a Const:int32=[-1,0]; z MatMul y w", (None,)),
    ("y ExpandDims x a; a Const:int32=-1; z MatMul y w", (None,)),
    ("y ExpandDims x a; a Const:int32=-2; z MatMul y w", (2,)),
    ("y ExpandDims x a; a Const:int32=0", None),
    ("y ExpandDims x a; a Placeholder; z MatMul y w", None),
    ("y ExpandDims a x; a Const:int32=0; z MatMul y w", None),
    ("y Transpose x p; p Const:int32=[1,0]; z MatMul y w", (2, None)),
    ("y Transpose x p; p Const:int32=[2,0,1]; z Reshape y s; s Const:int32=[3,4,5]", (4, 5, 3)),
    ("y Transpose x p; p Const:int32=[2,0,1]; z MatMul y w", (None, None, None)),
    ("y Transpose x p; p Const:int32=[2,0,1]", (None, None, None)),
    ("y Transpose x p; p Placeholder; z MatMul y w", None),
    ("y Transpose p x; p Const:int32=[1,0]; z MatMul y w", (1,)),
    ("y Identity x; z MatMul y w", (None, 2)),
    ("y Sub x s; s Const=1; z MatMul y w", (None, 2)),
    ("y Sub s x; s Const=1; z MatMul y w", (None, 2)),
    ("y Sub x b; b Variable(9); z MatMul y w", (None, 9)),
    ("y Foo x; z MatMul y w", None),
    ("y ClipByValue w x w; z MatMul y w", None),
    ("y Identity x; m MaxPool x; z MatMul y w", (None, None, None, None)),
    ("y Identity x; z MatMul y w; m MaxPool x", (None, None, None, None)),
    ("y Neg w ^x; z MatMul y w", None),
    ("y Neg ^x; u BiasAdd x b; b Variable(9)", (None, 9)),
    ("y NoOp x; u BiasAdd x b; b Variable(9)", (None, 9)),
    ("y Switch x p; p Placeholder; z MatMul y:1 w", (None, 2)),
    ("y Merge y x", None),
]

BOUNDS: list[tuple[str, int | None]] = [
    ("y Gather t x; t Variable(7,3)", 7),
    ("y GatherV2 t x a; t Variable(7,3); a Const:int32=0", 7),
    ("y GatherV2 t x a; t Variable(7,3); a Const:int32=1", 3),
    ("y GatherV2 t x a; t Variable(7,3); a Const:int32=-1", 3),
    ("y GatherV2 t x a; t Variable(7,3); a Const:int32=-2", 7),
    ("y GatherV2 t x a; t Variable(7,3); a Const:int32=-3", None),
    ("y GatherV2 t x a; t Variable(7,3); a Const:int32=2", None),
    ("y GatherV2 t x a; t Variable(7,3); a Placeholder", None),
    ("y GatherV2 t x a; t Variable(?,3); a Const:int32=0", None),
    ("y GatherV2 t x a; t Variable(0,3); a Const:int32=0", None),
    ("y Gather t x; t Neg", 1),
    ("y Add x o; z Gather t y; o Const:int32=[0,4]; t Variable(7,3)", 3),
    ("y Add x o; w AddV2 o y; z Gather t w; o Const:int32=[0,5]; t Variable(7,3)", 1),
    ("y Add o x; z Gather t y; o Placeholder; t Variable(7,3)", 1),
    ("y Gather x i; t Variable(7,3); i Const:int32=1", None),
    ("y Gather t x; t Variable(7,3); z ResourceGather u x; u VarHandleOp(4,3)", 4),
    ("y OneHot x d; d Const:int32=5", 5),
    ("y GatherV2 t x a; t Variable(7,3); a Const:int32=[1,0]", 3),
    ("y GatherV2 t x a; t Variable(7,3); a Const:int32=[0,5]", 7),
    ("y OneHot x d; d Const:int32=[5,6]", 5),
    ("y OneHot x d; d Placeholder", None),
    ("y OneHot x d; d Placeholder; z Gather t x; t Variable(7,3)", 7),
    ("y OneHot d x; d Const:int32=5", None),
    ("y Identity x; z OneHot y d; d Const:int32=5", 5),
    ("y Reshape s x; s Variable(3,4); z OneHot y d; d Const:int32=5", None),
    ("y Add x x; z OneHot y d; d Const:int32=5", None),
    ("y SparseSegmentMean t x x; t Variable(7,3)", 7),
]


@pytest.mark.parametrize(("text", "shape"), SHAPES, ids=[text for text, _ in SHAPES])
def test_the_shape_that_is_demanded(text: str, shape: Shape) -> None:
    assert demand(text) == TensorSpec("x:0", DataType.FLOAT, shape)


@pytest.mark.parametrize(("text", "below"), BOUNDS, ids=[text for text, _ in BOUNDS])
def test_numbers_of_rows_are_below_their_count(text: str, below: int | None) -> None:
    found = demand(text, DataType.INT32, (2,))
    assert found == TensorSpec("x:0", DataType.INT32, (2,))
    assert getattr(found, "content", None) == (Indices(below) if below else None)


@pytest.mark.parametrize("dtype", [DataType.INT32, DataType.INT64, DataType.UINT8, DataType.INT16, DataType.FLOAT])
def test_types_that_hold_numbers_of_rows(dtype: DataType) -> None:
    found = demand("y OneHot x d; d Const:int32=5", dtype, (2,))
    assert isinstance(found, Demanded) == (dtype in (DataType.INT32, DataType.INT64, DataType.UINT8))


def test_what_is_stated_is_kept() -> None:
    assert demand("y MatMul x w", shape=(4, 4)).shape == (4, 4)
    assert demand("y MatMul x w", shape=()).shape == ()
    lost = TensorSpec("lost:0", DataType.INT32)
    assert apply_demands(lost, Consumers(graph_of(["x Placeholder"]))) is lost


@pytest.mark.parametrize(("steps", "is_found"), [(0, True), (31, True), (32, False)])
def test_demands_are_followed_a_bounded_number_of_steps(steps: int, is_found: bool) -> None:
    chain = [f"n{k} Softmax {f'n{k - 1}' if k else 'x'}" for k in range(steps)]
    assert (
        demand("; ".join([*chain, f"y MatMul n{steps - 1} w" if steps else "y MatMul x w"])).shape is not None
    ) is is_found


@pytest.mark.parametrize(("steps", "is_found"), [(31, True), (32, False)])
def test_weights_are_looked_for_a_bounded_number_of_steps(steps: int, is_found: bool) -> None:
    chain = [f"n{k} Identity {f'n{k - 1}' if k else 'w'}" for k in range(steps)]
    assert demand("; ".join([*chain, f"y MatMul x n{steps - 1}"])).shape == ((None, 2) if is_found else (None, None))


@pytest.mark.parametrize(("count", "is_read"), [(32, True), (33, False)])
def test_only_small_constants_are_read(count: int, is_read: bool) -> None:
    sizes = ",".join(["1"] * count)
    assert demand(f"y Reshape x s; s Const:int32=[{sizes}]").shape == ((1,) * count if is_read else None)
