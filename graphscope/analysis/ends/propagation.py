"""Follows data from the feeds, through the weights, to predictions and losses."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from graphscope.analysis.ends.flow import BATCHED, COMPARED, FLAGS, NOISE, VARIES, Flow, split_sources, wire
from graphscope.analysis.ends.inputs import is_feedable
from graphscope.analysis.ends.sources import is_single, source_bits
from graphscope.core.graph import Graph
from graphscope.core.ops.sets import NEXT_ITERATIONS, RANDOM_OPS, VARIABLE_OPS
from graphscope.core.patterns import NamePattern, OpPattern
from graphscope.core.values.dtypes import DataType

_HEAVY_OPS = NamePattern(
    r"(Quantized)?(Sparse)?(Batch)?MatMul(V\d)?\w*|.*Conv[123]?D\w*|.*Conv2dNative\w*|Conv2DBackpropInput|Einsum"
    r"|(Resource)?Gather(V2|Nd)?|.*(LSTM|GRU|RNN)\w*|SparseTensorDenseMatMul|SparseSegment\w+|Lookup\w*"
)
"""Ops that carry a model's weights."""

_KEEPS_WEIGHT = frozenset(
    "Identity ReadVariableOp Cast Transpose Reshape ConcatV2 Concat Dequantize Enter RefEnter Switch RefSwitch Merge"
    " FakeQuantWithMinMaxVars FakeQuantWithMinMaxVarsPerChannel Add AddV2 Sub Mul RealDiv Rsqrt Sqrt Square Maximum Minimum"
    " Neg Exp Pack Unpack Split SplitV StridedSlice Slice ExpandDims Squeeze StopGradient Pad PartitionedCall".split()
)
"""Ops whose output is a weight if their input is one."""

SHAPE_OPS = frozenset({"Shape", "ShapeN", "Size", "Rank", "ZerosLike", "OnesLike"})
"""Ops whose result does not depend on the values of their input, unless its size does."""

LOSS_OPS = frozenset({"SoftmaxCrossEntropyWithLogits", "SparseSoftmaxCrossEntropyWithLogits", "CTCLoss", "CTCLossV2"})

_SUMMED_UP = frozenset({"AssignAdd", "AssignSub", "AssignAddVariableOp", "AssignSubVariableOp"})
_REDUCTIONS = frozenset("Sum Mean Max Min Prod All Any L2Loss".split())
_VARYING = OpPattern(
    "NonMaxSuppression Where Unique DynamicPartition TFLite_Detection_PostProcess",
    r"(Combined)?NonMaxSuppression\w*|Where|Unique\w*|DynamicPartition|TFLite_Detection_PostProcess",
)


def follow(graph: Graph) -> Flow:
    """Follows the data through ``graph``.

    What meets weights are features, until :mod:`graphscope.analysis.ends.losses` tells features from labels.
    """
    flow = wire(graph)
    flow.bits = source_bits(flow, graph)
    singles = {i for i, _ in flow.bits if is_single(flow.nodes[i], graph)}
    fed = {i: bit if i in singles else bit | BATCHED for (i, k), bit in flow.bits.items() if k < 0}
    given: dict[int, bool] = {}
    for heavy_only in (True, False):
        meets = [_propagate(flow, fed, heavy_only, given) for _ in range(passes(flow))]
        if flow.features or meets == [False]:
            break
    flow.is_trained = not VARIABLE_OPS.isdisjoint(flow.by_op)
    flow.labels = COMPARED
    flow.lives = [False] * len(flow.nodes)
    return flow


def passes(flow: Flow) -> int:
    """How often to go through the graph until what is found in a loop's body has reached its exit."""
    return 1 if NEXT_ITERATIONS.isdisjoint(flow.by_op) else _LOOP_PASSES


_LOOP_PASSES = 3
"""What the first pass finds in a loop's body reaches its exit in the second, an enclosing loop's in the third."""


def _propagate(flow: Flow, fed: Mapping[int, int], heavy_only: bool, given: dict[int, bool]) -> bool:
    """Fills ``sources``, ``is_weight``, ``depth``, ``layers`` and ``features``, producers first.

    Args:
        fed: sources -> what they give.
        given: which constants, variables and similar sources are weights: cached answers.

    Returns:
        whether anything that is fed meets a weight at all, be it in a heavy op or not.
    """
    bits, own = flow.bits, dict(fed)
    split = {i for i, k in bits if k >= 0}
    own.update((i, NOISE) for i in flow.within(RANDOM_OPS))
    heavy = set(filter(_HEAVY_OPS.fullmatch, flow.by_op))
    rules = {op: rule for op in flow.by_op if (rule := _rule(op)) is not None}
    sources, depths, is_weight = flow.sources, flow.depth, flow.is_weight
    flow.features, flow.layers = 0, []
    ops, inputs, outside = flow.ops, flow.inputs, flow.outside
    meets = False
    for i in flow.order:
        op = ops[i]
        mask = own.get(i, 0)
        depth = 0
        is_weighted = False
        for producer in inputs[i]:
            mask |= sources[producer]
            if depths[producer] > depth:
                depth = depths[producer]
            if is_weight[producer]:
                is_weighted = True
        if split:
            if i in split:
                mask = 0
            elif not split.isdisjoint(inputs[i]):
                mask |= split_sources(flow, i, bits) | BATCHED
        if mask and op in rules:
            mask = rules[op](flow, i, mask)
        if mask and is_weighted:
            meets = True
            if (op in heavy or not heavy_only) and not outside[i] and i not in flow.gradients:
                flow.features |= mask & ~FLAGS
                flow.layers.append(i)
                mask |= BATCHED
                depth += 1
        sources[i] = mask
        if mask:
            is_weight[i] = False
        elif op in _KEEPS_WEIGHT:
            is_weight[i] = is_weighted
        elif i in given:
            is_weight[i] = given[i]
        else:
            is_weight[i] = given[i] = _gives_weight(flow, i)
        depths[i] = depth if mask or i in flow.gradients else 0  # a shape lies on no way, but backward
    return meets


def _compare(_: Flow, __: int, mask: int) -> int:
    return mask | COMPARED


def _summed_up(_: Flow, __: int, mask: int) -> int:
    """Values that a variable accumulates over batches."""
    return mask & ~BATCHED


def _varying(_: Flow, __: int, mask: int) -> int:
    return mask | VARIES


def _shape(_: Flow, __: int, mask: int) -> int:
    """A shape does not depend on values, unless the size does."""
    return mask & ~BATCHED if mask & VARIES else 0


def _scatter(flow: Flow, i: int, mask: int) -> int:
    """Ones put where examples say count them, as a confusion matrix does."""
    updates = flow.inputs[i][1:2]
    return mask & ~BATCHED if updates and not flow.sources[updates[0]] else mask


def _reduce(flow: Flow, i: int, mask: int) -> int:
    return mask & ~BATCHED if mask & BATCHED and reduces_batch(flow, i) else mask


def reduces_batch(flow: Flow, i: int) -> bool:
    """Whether node ``i`` reduces its first axis, or all."""
    axes = flow.inputs[i][1:2]
    if not axes:
        return True
    [axis] = axes
    first = 1 if _packs_first(flow, flow.inputs[i][0]) else 0
    if flow.ops[axis] == "Range":
        return True
    tensor = flow.nodes[axis].tensor() if flow.ops[axis] == "Const" else None
    return tensor is not None and tensor.elements < _MAX_RANK and first in tensor.listed()


def _packs_first(flow: Flow, i: int) -> bool:
    """Whether node ``i`` packs tensors along a new first axis: that of the batch is the second then."""
    axis = flow.nodes[i].attr("axis") if flow.ops[i] == "Pack" else None
    return flow.ops[i] == "Pack" and (axis is None or not axis.i)


_MAX_RANK = 32

_Rule = Callable[[Flow, int, int], int]
_RULES: Mapping[str, _Rule] = {
    **dict.fromkeys(SHAPE_OPS, _shape),
    **dict.fromkeys(LOSS_OPS, _compare),
    **dict.fromkeys(_REDUCTIONS, _reduce),
    **dict.fromkeys(_SUMMED_UP, _summed_up),
    "ScatterNd": _scatter,
}
"""Ops that do not only pass on what they are given -> what their result depends on."""


def _rule(op: str) -> _Rule | None:
    return _RULES.get(op) or (_varying if _VARYING.fullmatch(op) else None)


def _gives_weight(flow: Flow, i: int) -> bool:
    op = flow.ops[i]
    if op == "Const":
        tensor = flow.nodes[i].tensor()
        return tensor is not None and bool(tensor.shape) and tensor.elements > 1 and _is_number(tensor.dtype)
    if op == "Placeholder":
        return not is_feedable(flow.nodes[i])  # a variable that a traced function captured
    if op in VARIABLE_OPS:
        dtype = flow.nodes[i].attr("dtype")
        return dtype is not None and DataType.of(dtype.type).is_floating
    return False


def _is_number(dtype: DataType) -> bool:
    return dtype.is_floating or dtype.label.startswith("q") or dtype is DataType.UINT8
