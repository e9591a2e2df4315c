"""Random nodes for each rule of the ONNX export: shapes, attributes and numbers, drawn by hypothesis."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from random import Random
from typing import Any

import numpy as np

from graphscope.core.values.dtypes import DataType
from tests.support.running import Argument, Array

F32 = np.float32
I32 = np.int32


@dataclass(frozen=True)
class Drawn:
    """One node.

    Attributes:
        fixed: places of inputs that are constants.
        outputs: how many outputs are compared.
        known: whether the graph states the sizes of what is fed.
    """

    op: str
    inputs: Sequence[Argument]
    attrs: Mapping[str, Any] = field(default_factory=dict)
    fixed: Sequence[int] = ()
    outputs: int = 1
    known: bool = True


Draw = Callable[[Random], Drawn]
DRAWS: dict[str, list[Draw]] = {}


def draws(*ops: str) -> Callable[[Callable[[Random, str], Drawn]], Callable[[Random, str], Drawn]]:
    def register(function: Callable[[Random, str], Drawn]) -> Callable[[Random, str], Drawn]:
        for op in ops:
            DRAWS.setdefault(op, []).append(lambda random, op=op: function(random, op))
        return function

    return register


def numbers(random: Random, shape: Sequence[int], dtype: Any = F32, low: float = -3, high: float = 3) -> Array:
    rng = np.random.default_rng(random.randrange(1 << 30))
    if np.dtype(dtype).kind == "b":
        return rng.integers(0, 2, shape).astype(bool)
    if np.dtype(dtype).kind in "iu":
        return rng.integers(max(int(low), np.iinfo(dtype).min), int(high) + 1, shape).astype(dtype)
    return rng.uniform(low, high, shape).astype(dtype)


def shape(random: Random, low: int = 0, high: int = 4, most: int = 4) -> tuple[int, ...]:
    return tuple(random.randint(1, most) for _ in range(random.randint(low, high)))


def ints(*values: int) -> Array:
    return np.array(values, I32)


def scalar(value: int) -> Array:
    return np.array(value, I32)


def flip(random: Random) -> bool:
    return random.random() < 0.5


_POSITIVE = {"Log": (0.1, 9), "Sqrt": (0, 9), "Rsqrt": (0.1, 9), "Acosh": (1, 9), "Log1p": (-0.9, 3)}
_UNIT = dict.fromkeys("Asin Acos Atanh".split(), (-0.95, 0.95))
UNARY = (
    "Neg Abs Sign Floor Ceil Rint Round Sqrt Rsqrt Exp Expm1 Log Log1p Sin Cos Tan Asin Acos Atan Sinh Cosh Asinh Acosh Atanh"
    " Tanh Sigmoid Erf Elu Selu Softsign Softplus Relu Relu6 LeakyRelu Square Reciprocal Inv IsNan IsInf IsFinite"
    " Identity ZerosLike OnesLike L2Loss"
).split()


@draws(*UNARY)
def unary(random: Random, op: str) -> Drawn:
    low, high = {**_POSITIVE, **_UNIT}.get(op, (-3, 3))
    return Drawn(op, [numbers(random, shape(random), F32, low, high)], known=flip(random))


@draws(*"Neg Abs Sign Square Relu Relu6".split())
def unary_integer(random: Random, op: str) -> Drawn:
    return Drawn(op, [numbers(random, shape(random), random.choice([I32, np.int64]), -9, 9)], known=flip(random))


BINARY = (
    "Add AddV2 Sub Mul RealDiv Maximum Minimum SquaredDifference FloorDiv FloorMod Mod DivNoNan MulNoNan Xdivy Atan2 Greater"
    " GreaterEqual Less LessEqual Equal NotEqual"
).split()


def pair(random: Random) -> tuple[tuple[int, ...], tuple[int, ...]]:
    """Two shapes that broadcast."""
    whole = shape(random)
    one, other = (tuple(1 if random.random() < 0.3 else n for n in whole) for _ in range(2))
    return one[random.randint(0, len(one)) :], other


@draws(*BINARY)
def binary(random: Random, op: str) -> Drawn:
    a, b = pair(random)
    x, y = numbers(random, a), numbers(random, b)
    if flip(random):
        x, y = np.round(x), np.round(y)
    if op in ("FloorDiv", "FloorMod", "Mod", "RealDiv", "Atan2"):
        y = np.where(y == 0, F32(1.5), y)
    return Drawn(op, [x, y], known=flip(random))


@draws(*"Add Sub Mul Maximum Minimum FloorDiv FloorMod TruncateDiv TruncateMod Greater Less Equal NotEqual".split())
def binary_integer(random: Random, op: str) -> Drawn:
    a, b = pair(random)
    dtype = random.choice([I32, np.int64, np.int8, np.int16] if op not in ("TruncateMod",) else [I32, np.int64])
    x, y = numbers(random, a, dtype, -9, 9), numbers(random, b, dtype, -9, 9)
    y = np.where(y == 0, dtype(3), y)
    return Drawn(op, [x, y], known=flip(random))


@draws("Cross")
def cross_product(random: Random, op: str) -> Drawn:
    whole, dtype = (*shape(random, 0, 2), 3), random.choice([F32, np.float64, I32])
    return Drawn(op, [numbers(random, whole, dtype), numbers(random, whole, dtype)], known=flip(random))


@draws("Pow", "Xlogy")
def power(random: Random, op: str) -> Drawn:
    a, b = pair(random)
    x, y = numbers(random, a, F32, 0.1, 3), numbers(random, b, F32, 0.1, 3)
    return Drawn(op, [x, y], known=flip(random))


@draws("LogicalAnd", "LogicalOr")
def logic(random: Random, op: str) -> Drawn:
    a, b = pair(random)
    return Drawn(op, [numbers(random, a, bool), numbers(random, b, bool)], known=flip(random))


@draws("LogicalNot")
def logical_not(random: Random, op: str) -> Drawn:
    return Drawn(op, [numbers(random, shape(random), bool)])


@draws("SelectV2")
def select_v2(random: Random, op: str) -> Drawn:
    a, b = pair(random)
    return Drawn(op, [numbers(random, a, bool), numbers(random, b), numbers(random, a)], known=flip(random))


@draws("Select")
def select(random: Random, op: str) -> Drawn:
    whole = shape(random, 1)
    condition = random.choice([whole, whole[:1], ()])
    return Drawn(op, [numbers(random, condition, bool), numbers(random, whole), numbers(random, whole)])


@draws("ClipByValue")
def clip(random: Random, op: str) -> Drawn:
    return Drawn(op, [numbers(random, shape(random)), np.array(-1, F32), np.array(1.5, F32)])


@draws("AddN")
def add_n(random: Random, op: str) -> Drawn:
    whole, dtype = shape(random), random.choice([F32, I32])
    return Drawn(op, [[numbers(random, whole, dtype) for _ in range(random.randint(1, 4))]])


@draws("Cast")
def cast(random: Random, op: str) -> Drawn:
    source, target = (random.choice([F32, np.float64, np.float16, I32, np.int64, np.uint8, bool]) for _ in range(2))
    x = np.abs(numbers(random, shape(random), source, 0 if target is np.uint8 else -9, 9))
    return Drawn(op, [x.astype(source)], {"DstT": DataType.from_numpy(np.dtype(target))})


@draws("MatMul")
def matmul(random: Random, op: str) -> Drawn:
    n, k, m = (random.randint(1, 5) for _ in range(3))
    ta, tb, dtype = flip(random), flip(random), random.choice([F32, np.float64, I32])
    a, b = numbers(random, (k, n) if ta else (n, k), dtype), numbers(random, (m, k) if tb else (k, m), dtype)
    return Drawn(op, [a, b], {"transpose_a": ta, "transpose_b": tb}, random.choice([(), (1,)]), known=flip(random))


@draws("BatchMatMul", "BatchMatMulV2")
def batch_matmul(random: Random, op: str) -> Drawn:
    n, k, m = (random.randint(1, 4) for _ in range(3))
    outer = shape(random, 0, 2)
    ta, tb = flip(random), flip(random)
    a = numbers(random, (*outer, k, n) if ta else (*outer, n, k))
    b = numbers(random, (*outer, m, k) if tb else (*outer, k, m))
    return Drawn(op, [a, b], {"adj_x": ta, "adj_y": tb}, known=flip(random))


@draws("Einsum")
def einsum(random: Random, op: str) -> Drawn:
    equation = random.choice(["ij,jk->ik", "bij,bkj->bik", "abc,cd->abd", "ab,ab->a", "bhqd,bhkd->bhqk", "abc->ca"])
    sizes = {letter: random.randint(1, 4) for letter in "abcdefghijklmnopqrstuvwxyz"}
    terms = equation.split("->")[0].split(",")
    operands = [numbers(random, [sizes[c] for c in term]) for term in terms]
    return Drawn(op, [operands], {"equation": equation.encode()}, known=flip(random))


@draws("BiasAdd")
def bias_add(random: Random, op: str) -> Drawn:
    whole = shape(random, 2, 5)
    first = flip(random) and len(whole) > 2
    bias = whole[1] if first else whole[-1]
    layout = b"NCHW" if first else b"NHWC"
    return Drawn(op, [numbers(random, whole), numbers(random, [bias])], {"data_format": layout}, known=flip(random))


@draws("MatrixBandPart")
def band(random: Random, op: str) -> Drawn:
    x = numbers(random, (*shape(random, 0, 1), random.randint(1, 5), random.randint(1, 5)))
    bounds = [np.array(random.randint(-1, n), np.int64) for n in x.shape[-2:]]
    return Drawn(op, [x, *bounds], fixed=(1, 2))


REDUCTIONS = "Sum Mean Max Min Prod EuclideanNorm".split()


def axes_of(random: Random, rank: int) -> Array:
    chosen = random.sample(range(rank), random.randint(0, rank))
    return ints(*(a - rank if flip(random) else a for a in chosen))


@draws(*REDUCTIONS)
def reduction(random: Random, op: str) -> Drawn:
    whole = shape(random, 1)
    dtype = F32 if op in ("Mean", "EuclideanNorm") else random.choice([F32, np.float64, I32, np.int64])
    return Drawn(
        op,
        [numbers(random, whole, dtype), axes_of(random, len(whole))],
        {"keep_dims": flip(random)},
        (1,),
        known=flip(random),
    )


@draws("Any", "All")
def reduced_logic(random: Random, op: str) -> Drawn:
    whole = shape(random, 1)
    return Drawn(op, [numbers(random, whole, bool), axes_of(random, len(whole))], {"keep_dims": flip(random)}, (1,))


@draws("ArgMax", "ArgMin")
def arg(random: Random, op: str) -> Drawn:
    whole = shape(random, 1)
    axis = random.randrange(-len(whole), len(whole))
    x = np.round(numbers(random, whole, random.choice([F32, I32, np.uint8])))
    return Drawn(op, [x, scalar(axis)], {"output_type": random.choice([DataType.INT32, DataType.INT64])}, (1,))


@draws("Cumsum")
def cumsum(random: Random, op: str) -> Drawn:
    whole = shape(random, 1)
    attrs = {"exclusive": flip(random), "reverse": flip(random)}
    return Drawn(op, [numbers(random, whole), scalar(random.randrange(-len(whole), len(whole)))], attrs, (1,))


@draws("Softmax", "LogSoftmax")
def softmax(random: Random, op: str) -> Drawn:
    return Drawn(op, [numbers(random, shape(random, 1))], known=flip(random))


@draws("SoftmaxCrossEntropyWithLogits")
def cross_entropy(random: Random, op: str) -> Drawn:
    whole = (random.randint(1, 4), random.randint(1, 5))
    return Drawn(op, [numbers(random, whole), numbers(random, whole, F32, 0, 1)], outputs=2)


@draws("Reshape")
def reshape(random: Random, op: str) -> Drawn:
    whole = shape(random, 0, 4)
    sizes = list(whole)
    random.shuffle(sizes)
    if sizes and flip(random):
        sizes[random.randrange(len(sizes))] = -1
    return Drawn(op, [numbers(random, whole), ints(*sizes)], fixed=random.choice([(), (1,)]), known=flip(random))


@draws("Transpose")
def transpose(random: Random, op: str) -> Drawn:
    whole = shape(random)
    perm = random.sample(range(len(whole)), len(whole))
    return Drawn(op, [numbers(random, whole), ints(*perm)], fixed=random.choice([(1,), (0, 1)]))


@draws("Squeeze")
def squeeze(random: Random, op: str) -> Drawn:
    whole = tuple(random.choice([1, 1, 3]) for _ in range(random.randint(0, 4)))
    ones = [i for i, n in enumerate(whole) if n == 1]
    axes = random.sample(ones, random.randint(0, len(ones)))
    return Drawn(op, [numbers(random, whole)], {"squeeze_dims": axes})


@draws("ExpandDims")
def expand_dims(random: Random, op: str) -> Drawn:
    whole = shape(random, 0, 3)
    return Drawn(op, [numbers(random, whole), scalar(random.randint(-len(whole) - 1, len(whole)))], fixed=(1,))


@draws("Tile")
def tile(random: Random, op: str) -> Drawn:
    whole = shape(random, 1, 3)
    counts = ints(*(random.randint(0, 3) for _ in whole))
    return Drawn(op, [numbers(random, whole, random.choice([F32, I32, bool])), counts], fixed=random.choice([(), (1,)]))


@draws("Pad", "PadV2")
def pad(random: Random, op: str) -> Drawn:
    whole = shape(random, 1)
    paddings = ints(*(random.randint(0, 2) for _ in range(2 * len(whole)))).reshape(-1, 2)
    value = [np.array(7, F32)] if op == "PadV2" else []
    return Drawn(op, [numbers(random, whole), paddings, *value], fixed=random.choice([(), (1,)]))


@draws("MirrorPad")
def mirror_pad(random: Random, op: str) -> Drawn:
    whole = tuple(random.randint(2, 4) for _ in range(random.randint(1, 3)))
    mode = random.choice([b"REFLECT", b"SYMMETRIC"])
    paddings = [[random.randint(0, n - (mode == b"REFLECT")) for _ in range(2)] for n in whole]
    return Drawn(op, [numbers(random, whole), np.array(paddings, I32)], {"mode": mode}, (1,), known=flip(random))


@draws("Slice")
def slice_(random: Random, op: str) -> Drawn:
    whole = shape(random, 1)
    begin = [random.randint(0, n) for n in whole]
    size = [random.choice([-1, random.randint(0, n - b)]) for n, b in zip(whole, begin)]
    return Drawn(op, [numbers(random, whole), ints(*begin), ints(*size)], fixed=random.choice([(), (1,), (1, 2)]))


@draws("StridedSlice")
def strided_slice(random: Random, op: str) -> Drawn:
    """Every mask, negative strides, positions beyond the ends."""
    whole = shape(random, 1, 4, 5)
    used, begin, end, strides = 0, [], [], []
    masks = dict.fromkeys(("begin_mask", "end_mask", "ellipsis_mask", "new_axis_mask", "shrink_axis_mask"), 0)
    skipped = random.randint(0, len(whole))
    while used < len(whole) - skipped or (begin and random.random() < 0.2):
        bit = 1 << len(begin)
        if random.random() < 0.2:
            masks["new_axis_mask"] |= bit
            begin, end, strides = [*begin, 0], [*end, 0], [*strides, 1]
            continue
        if not masks["ellipsis_mask"] and random.random() < 0.25 and skipped:
            masks["ellipsis_mask"] |= bit
            begin, end, strides = [*begin, 0], [*end, 0], [*strides, 1]
            continue
        if used == len(whole) - skipped:
            break
        size = whole[used if not masks["ellipsis_mask"] else used + skipped]
        used += 1
        if random.random() < 0.3:
            masks["shrink_axis_mask"] |= bit
            place = random.randrange(-size, size)
            begin, end, strides = [*begin, place], [*end, place + 1], [*strides, 1]
            continue
        masks["begin_mask"] |= bit * (random.random() < 0.3)
        masks["end_mask"] |= bit * (random.random() < 0.3)
        stride = random.choice([1, 1, 2, -1, -2])
        strides.append(stride)
        end.append(random.randint(-size - 2, size + 2))
        begin.append(random.randint(-size - 2 if stride > 0 else -1, size + 2))
    places = [ints(*values) for values in (begin, end, strides)]
    fixed = random.choice([(1, 2, 3), (3,)]) if min(strides, default=1) > 0 else (1, 2, 3)
    return Drawn(op, [numbers(random, whole), *places], masks, fixed, known=flip(random))


@draws("Split")
def split(random: Random, op: str) -> Drawn:
    count, whole = random.randint(1, 3), list(shape(random, 1))
    axis = random.randrange(len(whole))
    whole[axis] = count * random.randint(1, 2)
    return Drawn(op, [scalar(axis), numbers(random, whole)], {"num_split": count}, (0,), count, flip(random))


@draws("SplitV")
def split_v(random: Random, op: str) -> Drawn:
    sizes, whole = [random.randint(0, 3) for _ in range(random.randint(1, 3))], list(shape(random, 1))
    axis = random.randrange(len(whole))
    whole[axis] = sum(sizes)
    if len(sizes) > 1 and flip(random):
        sizes[random.randrange(len(sizes))] = -1
    return Drawn(
        op,
        [numbers(random, whole), ints(*sizes), scalar(axis)],
        {"num_split": len(sizes)},
        (1, 2),
        len(sizes),
        flip(random),
    )


@draws("Pack")
def pack(random: Random, op: str) -> Drawn:
    whole = shape(random, 0, 3)
    axis = random.randint(-len(whole) - 1, len(whole))
    return Drawn(
        op, [[numbers(random, whole) for _ in range(random.randint(1, 3))]], {"axis": axis}, known=flip(random)
    )


@draws("Unpack")
def unpack(random: Random, op: str) -> Drawn:
    whole = shape(random, 1)
    axis = random.randrange(-len(whole), len(whole))
    return Drawn(op, [numbers(random, whole)], {"axis": axis, "num": whole[axis]}, outputs=whole[axis])


@draws("ConcatV2")
def concat(random: Random, op: str) -> Drawn:
    whole = list(shape(random, 1))
    axis = random.randrange(-len(whole), len(whole))
    parts = [
        numbers(random, [random.randint(0, 3) if i == axis % len(whole) else n for i, n in enumerate(whole)])
        for _ in "123"
    ]
    return Drawn(op, [parts, scalar(axis)], fixed=(3,), known=flip(random))


@draws("ReverseV2")
def reverse(random: Random, op: str) -> Drawn:
    whole = shape(random, 1)
    return Drawn(op, [numbers(random, whole), axes_of(random, len(whole))], fixed=(1,), known=flip(random))


@draws("ReverseSequence")
def reverse_sequence(random: Random, op: str) -> Drawn:
    batch, time = random.choice([(0, 1), (1, 0)])
    whole = [random.randint(1, 4), random.randint(1, 4), random.randint(1, 3)]
    lengths = numbers(random, [whole[batch]], random.choice([I32, np.int64]), 0, whole[time])
    return Drawn(op, [numbers(random, whole), lengths], {"batch_dim": batch, "seq_dim": time})


@draws("Roll")
def roll(random: Random, op: str) -> Drawn:
    whole = shape(random, 1)
    axes = [random.randrange(len(whole)) for _ in range(random.randint(1, 2))]
    shifts = ints(*(random.randint(-6, 6) for _ in axes))
    return Drawn(op, [numbers(random, whole), shifts, ints(*axes)], fixed=(1, 2), known=flip(random))


@draws("Fill", "BroadcastTo")
def fill(random: Random, op: str) -> Drawn:
    whole = shape(random)
    if op == "Fill":
        return Drawn(op, [ints(*whole), numbers(random, ())], fixed=random.choice([(), (0,)]))
    return Drawn(op, [numbers(random, whole[1:]), ints(*whole)], fixed=random.choice([(), (1,)]))


@draws("Range")
def number_range(random: Random, op: str) -> Drawn:
    start, delta = random.randint(-3, 3), random.choice([-2, -1, 1, 2])
    return Drawn(op, [scalar(start), scalar(start + delta * random.randint(0, 4)), scalar(delta)])


@draws("LinSpace")
def lin_space(random: Random, op: str) -> Drawn:
    ends = [numbers(random, ()) for _ in range(2)]
    return Drawn(op, [*ends, scalar(random.randint(1, 6))], fixed=random.choice([(), (2,)]))


@draws("Shape", "Size", "Rank")
def shapes(random: Random, op: str) -> Drawn:
    attrs = {} if op == "Rank" else {"out_type": random.choice([DataType.INT32, DataType.INT64])}
    return Drawn(op, [numbers(random, shape(random))], attrs, known=flip(random))


@draws("Gather", "GatherV2")
def gather(random: Random, op: str) -> Drawn:
    whole = shape(random, 1)
    axis = random.randrange(len(whole)) if op == "GatherV2" else 0
    index = numbers(random, shape(random, 0, 2), random.choice([I32, np.int64]), 0, whole[axis] - 1)
    places = [scalar(axis - random.choice([0, len(whole)]))] if op == "GatherV2" else []
    return Drawn(op, [numbers(random, whole), index, *places], fixed=(2,) if places else (), known=flip(random))


@draws("GatherV2")
def gather_in_batches(random: Random, op: str) -> Drawn:
    batch, whole = random.randint(1, 2), list(shape(random, 3, 4))
    axis = random.randrange(batch, len(whole))
    index = numbers(random, (*whole[:batch], *shape(random, 0, 2)), I32, 0, whole[axis] - 1)
    return Drawn(op, [numbers(random, whole), index, scalar(axis)], {"batch_dims": batch}, (2,), known=flip(random))


@draws("GatherNd")
def gather_nd(random: Random, op: str) -> Drawn:
    whole = shape(random, 1)
    depth = random.randint(1, len(whole))
    rows = shape(random, 0, 2)
    index = np.stack([numbers(random, rows, I32, 0, n - 1) for n in whole[:depth]], -1)
    return Drawn(op, [numbers(random, whole), index])


@draws("ScatterNd")
def scatter_nd(random: Random, op: str) -> Drawn:
    whole = shape(random, 1, 3)
    depth, count = random.randint(1, len(whole)), random.randint(1, 5)
    index = np.stack([numbers(random, [count], I32, 0, n - 1) for n in whole[:depth]], -1)
    return Drawn(op, [index, numbers(random, [count, *whole[depth:]]), ints(*whole)], fixed=random.choice([(), (2,)]))


@draws("TensorScatterUpdate", "TensorScatterAdd", "TensorScatterSub", "TensorScatterMax")
def tensor_scatter(random: Random, op: str) -> Drawn:
    whole = shape(random, 1, 3, 5)
    count = random.randint(1, whole[0])
    index = ints(*random.sample(range(whole[0]), count)).reshape(-1, 1)
    return Drawn(op, [numbers(random, whole), index, numbers(random, [count, *whole[1:]])])


@draws("OneHot")
def one_hot(random: Random, op: str) -> Drawn:
    index = numbers(random, shape(random, 0, 3), random.choice([I32, np.int64, np.uint8]), -2, 5)
    axis = random.randint(-1, index.ndim)
    values = [numbers(random, ()), numbers(random, ())]
    return Drawn(op, [index, scalar(random.randint(1, 4)), *values], {"axis": axis}, random.choice([(), (1, 2, 3)]))


@draws("TopKV2")
def top_k(random: Random, op: str) -> Drawn:
    whole = shape(random, 1, 3, 6)
    x = np.round(numbers(random, whole, random.choice([F32, I32]), -4, 4))
    return Drawn(op, [x, scalar(random.randint(0, whole[-1]))], {}, random.choice([(), (1,)]), 2)


@draws("NthElement")
def nth_element(random: Random, op: str) -> Drawn:
    whole = shape(random, 1, 3, 6)
    return Drawn(op, [numbers(random, whole), scalar(random.randrange(whole[-1]))], {"reverse": flip(random)})


@draws("InTopKV2")
def in_top_k(random: Random, op: str) -> Drawn:
    rows, columns = random.randint(1, 4), random.randint(2, 5)
    x = np.round(numbers(random, [rows, columns]))
    return Drawn(op, [x, numbers(random, [rows], I32, 0, columns - 1), scalar(random.randint(1, columns))])


@draws("Where")
def where(random: Random, op: str) -> Drawn:
    return Drawn(op, [numbers(random, shape(random, 1, 3), random.choice([bool, I32, np.int64]), -1, 1)])


@draws("Unique")
def unique(random: Random, op: str) -> Drawn:
    return Drawn(op, [numbers(random, [random.randint(1, 8)], random.choice([np.int64, F32]), 0, 3).round()], outputs=2)


@draws("DynamicPartition")
def dynamic_partition(random: Random, op: str) -> Drawn:
    rows = random.randint(1, 5)
    return Drawn(op, [numbers(random, [rows, 2]), numbers(random, [rows], I32, 0, 2)], {"num_partitions": 3}, outputs=3)


@draws("DynamicStitch")
def dynamic_stitch(random: Random, op: str) -> Drawn:
    order = random.sample(range(5), 5)
    rest = shape(random, 0, 2)
    indices = [ints(*order[:2]), np.array([order[2:4]], I32), scalar(order[4])]
    return Drawn(
        op, [indices, [numbers(random, (*i.shape, *rest)) for i in indices]], fixed=(0, 1, 2), known=flip(random)
    )


@draws("InvertPermutation")
def invert_permutation(random: Random, op: str) -> Drawn:
    count = random.randint(1, 6)
    return Drawn(op, [ints(*random.sample(range(count), count))])


@draws("Conv2D")
def convolution(random: Random, op: str) -> Drawn:
    kernel = [random.randint(1, 3), random.randint(1, 3)]
    groups, taken = random.choice([1, 1, 2]), random.randint(1, 3)
    dilations = [random.randint(1, 2), random.randint(1, 2)]
    strides = [1, 1] if dilations != [1, 1] else [random.randint(1, 3), random.randint(1, 3)]
    padding = random.choice([b"SAME", b"VALID", b"EXPLICIT"])
    attrs: dict[str, Any] = {"strides": [1, *strides, 1], "dilations": [1, *dilations, 1], "padding": padding}
    if padding == b"EXPLICIT":
        attrs["explicit_paddings"] = [0, 0, *(random.randint(0, 2) for _ in range(4)), 0, 0]
    size = [random.randint(5, 9), random.randint(5, 9)]
    x = numbers(random, [random.randint(1, 2), *size, groups * taken])
    is_open = max(dilations) == 1 and all(k >= s for k, s in zip(kernel, strides))
    known = flip(random) or groups > 1 or not is_open
    weight = numbers(random, [*kernel, taken, groups * random.randint(1, 2)])
    return Drawn(op, [x, weight], attrs, (1,) if flip(random) or not known else (), known=known)


@draws("Conv3D")
def convolution3(random: Random, op: str) -> Drawn:
    strides = [1, *(random.randint(1, 2) for _ in range(3)), 1]
    x = numbers(random, [1, *(random.randint(3, 5) for _ in range(3)), 2])
    weight = numbers(random, [*(random.randint(1, 3) for _ in range(3)), 2, 3])
    attrs = {"strides": strides, "padding": random.choice([b"SAME", b"VALID"])}
    return Drawn(
        op, [x, weight], attrs, (1,), known=flip(random) or any(k < s for k, s in zip(weight.shape, strides[1:]))
    )


@draws("DepthwiseConv2dNative")
def depthwise(random: Random, op: str) -> Drawn:
    stride = random.randint(1, 2)
    attrs = {
        "strides": [1, stride, stride, 1],
        "padding": random.choice([b"SAME", b"VALID"]),
    }
    channels = random.randint(1, 3)
    x = numbers(random, [1, random.randint(5, 8), random.randint(5, 8), channels])
    weight = numbers(random, [random.randint(1, 3), random.randint(1, 3), channels, random.randint(1, 2)])
    known = flip(random) or min(weight.shape[:2]) < stride
    return Drawn(op, [x, weight], attrs, (1,) if flip(random) or not known else (), known=known)


@draws("Conv2DBackpropInput", "Conv3DBackpropInputV2")
def backward_convolution(random: Random, op: str) -> Drawn:
    space = 2 if op == "Conv2DBackpropInput" else 3
    kernel, strides = ([random.randint(1, 4 - (space == 3)) for _ in range(space)] for _ in range(2))
    padding = random.choice([b"SAME", b"VALID"])
    size = [random.randint(k, k + 5) for k in kernel]
    taken = [-(-n // s) if padding == b"SAME" else (n - k) // s + 1 for n, k, s in zip(size, kernel, strides)]
    channels, wanted = random.randint(1, 3), random.randint(1, 3)
    x = numbers(random, [2, *taken, channels])
    weight = numbers(random, [*kernel, wanted, channels])
    attrs = {"strides": [1, *strides, 1], "padding": padding}
    fixed = random.choice([(0, 1), (1,)])
    return Drawn(op, [ints(2, *size, wanted), weight, x], attrs, fixed, known=flip(random))


@draws("MaxPool", "AvgPool", "MaxPool3D", "AvgPool3D")
def pool(random: Random, op: str) -> Drawn:
    space = 3 if op.endswith("3D") else 2
    windows = [random.randint(1, 3) for _ in range(space)]
    attrs = {
        "ksize": [1, *windows, 1],
        "strides": [1, *(random.randint(1, 3 if space == 2 else w) for w in windows), 1],
        "padding": random.choice([b"SAME", b"VALID"]),
    }
    x = numbers(random, [2, *(random.randint(3, 7) for _ in range(space)), random.randint(1, 3)])
    return Drawn(op, [x], attrs, known=flip(random) or any(k < s for k, s in zip(attrs["ksize"], attrs["strides"])))


@draws("LRN")
def local_response(random: Random, op: str) -> Drawn:
    attrs = {"depth_radius": random.randint(1, 3), "bias": 1.5, "alpha": 0.3, "beta": 0.7}
    return Drawn(op, [numbers(random, [1, 2, 3, random.randint(1, 9)])], attrs, known=flip(random))


@draws("FusedBatchNorm", "FusedBatchNormV3")
def batch_norm(random: Random, op: str) -> Drawn:
    channels = random.randint(1, 4)
    x = numbers(random, [2, 3, 2, channels])
    rest = [numbers(random, [channels], F32, 0.1, 2) for _ in range(4)]
    training = flip(random)
    if training:
        rest[2:] = [np.zeros(0, F32), np.zeros(0, F32)]
    return Drawn(op, [x, *rest], {"is_training": training, "epsilon": 0.01}, (1, 2, 3, 4), known=flip(random))


@draws("BatchNormWithGlobalNormalization")  # producers below 9 only
def global_batch_norm(random: Random, op: str) -> Drawn:
    channels = random.randint(1, 4)
    rest = [numbers(random, [channels], F32, 0.1, 2) for _ in range(4)]
    attrs = {"variance_epsilon": 0.01, "scale_after_normalization": flip(random)}
    return Drawn(op, [numbers(random, [2, 3, 2, channels]), *rest], attrs)


@draws("DepthToSpace", "SpaceToDepth")
def blocks(random: Random, op: str) -> Drawn:
    size = random.randint(2, 3)
    high, wide, channels = (random.randint(1, 3) for _ in range(3))
    whole = [2, high, wide, channels * size * size] if op == "DepthToSpace" else [2, high * size, wide * size, channels]
    return Drawn(op, [numbers(random, whole)], {"block_size": size}, known=flip(random))


@draws("SpaceToBatchND", "BatchToSpaceND")
def batches(random: Random, op: str) -> Drawn:
    count = random.randint(1, 2)
    block = [random.randint(1, 3) for _ in range(count)]
    pads = [[random.randint(0, 2), 0] for _ in range(count)]
    size = [b * random.randint(2, 3) for b in block]
    rest = shape(random, 0, 2)
    if op == "SpaceToBatchND":
        for i, b in enumerate(block):
            pads[i][1] = -(size[i] + pads[i][0]) % b
        x = numbers(random, [2, *size, *rest])
    else:
        x = numbers(random, [2 * int(np.prod(block)), *(s // b for s, b in zip(size, block)), *rest])
        pads = [[random.randint(0, 1), random.randint(0, 1)] if s > 2 else [0, 0] for s in size]
    return Drawn(op, [x, ints(*block), np.array(pads, I32)], fixed=(1, 2), known=flip(random))


@draws("ResizeBilinear", "ResizeNearestNeighbor", "ResizeBicubic", "ResizeArea")
def resize(random: Random, op: str) -> Drawn:
    corners = random.choice([(False, False), (True, False), (False, True)])
    attrs = {"align_corners": corners[0], "half_pixel_centers": corners[1]}
    if op == "ResizeArea":
        attrs = {"align_corners": False}
    size, wanted = ([random.randint(1, 9), random.randint(1, 9)] for _ in range(2))
    dtype = random.choice([F32, np.uint8])
    x = numbers(random, [2, *size, random.randint(1, 3)], dtype, 0, 9)
    exact = op in ("ResizeBicubic", "ResizeArea")
    return Drawn(op, [x, ints(*wanted)], attrs, (1,) if exact or flip(random) else (), known=exact or flip(random))


@draws("CropAndResize")
def crop_and_resize(random: Random, op: str) -> Drawn:
    x = numbers(random, [2, random.randint(2, 6), random.randint(2, 6), random.randint(1, 3)])
    count = random.randint(1, 4)
    boxes = numbers(random, [count, 4], F32, -0.3, 1.3)
    which = numbers(random, [count], I32, 0, 1)
    size = ints(random.randint(1, 4), random.randint(1, 4))
    attrs = {"extrapolation_value": 0.5, "method": random.choice([b"bilinear", b"nearest"])}
    return Drawn(op, [x, boxes, which, size], attrs, (3,), known=flip(random))


@draws("NonMaxSuppressionV2", "NonMaxSuppressionV3", "NonMaxSuppressionV4", "NonMaxSuppressionV5")
def non_max_suppression(random: Random, op: str) -> Drawn:
    count = random.randint(1, 8)
    low = numbers(random, [count, 2], F32, 0, 1)
    boxes = np.concatenate([low, low + numbers(random, [count, 2], F32, 0.1, 1)], 1)
    scores = numbers(random, [count], F32, 0, 1)
    rest = [np.array(0.4, F32)]
    if op != "NonMaxSuppressionV2":
        rest.append(np.array(0.3, F32))
    if op == "NonMaxSuppressionV5":
        rest.append(np.array(0, F32))
    outputs = {"NonMaxSuppressionV4": 2, "NonMaxSuppressionV5": 3}.get(op, 1)
    return Drawn(
        op, [boxes, scores, scalar(random.randint(1, 5)), *rest], fixed=(5,) if len(rest) == 3 else (), outputs=outputs
    )


@draws("FakeQuantWithMinMaxArgs")
def fake_quant(random: Random, op: str) -> Drawn:
    attrs = {
        "min": -random.uniform(0.1, 3),
        "max": random.uniform(0.1, 3),
        "num_bits": random.choice([4, 8]),
        "narrow_range": flip(random),
    }
    return Drawn(op, [numbers(random, shape(random), F32, -4, 4)], attrs)


@draws("ReluGrad")
def relu_gradient(random: Random, op: str) -> Drawn:
    whole = shape(random)
    return Drawn(op, [numbers(random, whole), numbers(random, whole)])


@draws("MatrixDiag")
def diagonal(random: Random, op: str) -> Drawn:
    return Drawn(op, [numbers(random, shape(random, 1, 3), random.choice([F32, I32]))], known=flip(random))


@draws("ExtractImagePatches")
def patches(random: Random, op: str) -> Drawn:
    windows, strides, rates = ([1, random.randint(1, 3), random.randint(1, 2), 1] for _ in range(3))
    x = numbers(random, [2, random.randint(5, 7), random.randint(5, 7), random.randint(1, 3)])
    attrs = {"ksizes": windows, "strides": strides, "rates": rates, "padding": random.choice([b"SAME", b"VALID"])}
    return Drawn(op, [x], attrs)
