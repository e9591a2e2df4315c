"""Which way data flows through a graph: from what is fed, through the weights, to predictions and losses.

Everything works on node numbers and takes time linear in the size of the graph. Loops are followed once: the edges that
``NextIteration`` closes are left out.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field

from graphscope.analysis.input_gradients import is_gradient, kept_gradients
from graphscope.analysis.inputs import DATA_OPS, encoded_constants, is_feedable
from graphscope.analysis.savers import saver_nodes
from graphscope.core.binding import VARIABLE_OPS
from graphscope.core.dtypes import DataType
from graphscope.core.graph import Graph, Node
from graphscope.core.op_sets import PLACEHOLDER_OPS
from graphscope.core.ops import registered
from graphscope.core.patterns import NamePattern
from graphscope.core.tensors import TensorName, node_of

_OUTSIDE_OPS = NamePattern(
    r"(Resource)?(Sparse)?Apply[A-Z]\w*|Save\w*|Restore\w*|MergeV2Checkpoints|ShardedFilename|.*Summary(V2)?"
    r"|.*(Enqueue|QueueClose)\w*|Assert|NoOp|Print(V2)?|Scatter(Add|Sub|Update|NdUpdate)|ResourceScatter\w+|Stage"
    r"|InitializeTable\w*|LookupTable(Import|Insert|Export)\w*|WriteFile|IsVariableInitialized|VarIsInitializedOp"
    r"|ReportUninitializedVariables|AudioSummary\w*|CountUpTo|DebugIdentity\w*|BroadcastGradientArgs|\w+Grad(V\d)?"
)
"""Ops that belong to training, saving, initialising, watching: neither they nor what they feed is a prediction."""

_OUTSIDE_NAME = re.compile(r"(^|/)(train_op|GradientDescent|report_uninitialized_variables)(/|$)")

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
"""Ops that give a weight when they are given one."""

SHAPE_OPS = frozenset({"Shape", "ShapeN", "Size", "Rank", "ZerosLike", "OnesLike"})
"""Ops whose result does not depend on the values of their input, unless its size does."""

ASSIGN_OPS = frozenset("Assign AssignAdd AssignSub AssignVariableOp AssignAddVariableOp AssignSubVariableOp".split())
"""Ops that give what they write; written and not used, it is training's, or the next run's."""

_SUMMED_UP = frozenset({"AssignAdd", "AssignSub", "AssignAddVariableOp", "AssignSubVariableOp"})
_REDUCTIONS = frozenset("Sum Mean Max Min Prod All Any L2Loss".split())
_VARYING = re.compile(r"(Combined)?NonMaxSuppression\w*|Where|Unique\w*|DynamicPartition|TFLite_Detection_PostProcess")
_NOISE = re.compile(r"(Random|Stateless(Random|Truncated|Multinomial)|TruncatedNormal|Parameterized|Multinomial)\w*")

_SWITCH_NAME = re.compile(r"keep_?prob|drop_?out|train|phase|learning|(^|/)lr$|rate$|momentum", re.IGNORECASE)


@dataclass(slots=True)
class Flow:
    """What each node depends on; all lists are indexed by node number, in file order.

    Attributes:
        nodes: the graph's nodes.
        ops: their ops.
        inputs: numbers of the nodes that feed it data.
        consumers: numbers of the nodes that it feeds data.
        order: node numbers, producers first.
        outside: whether it belongs to training, saving and the like.
        sources: the set of sources that it depends on, one bit each.
        is_weight: whether it is a variable or constant of the model, or one reshaped.
        depth: how many weights lie on the longest way from the sources to it.
        features: the sources that meet weights, or are needed by what nothing consumes: what the model is asked about.
        labels: the other sources: what it is compared with; and :data:`COMPARED`.
        layers: the nodes that apply weights, in order.
        gradients: the gradients that the model itself uses.
        is_trained: whether the graph has variables.
        lives: whether a layer follows, or an end that is not a loss; see :mod:`graphscope.analysis.losses`.
        framed: nodes within loops.
        bits: (node, output) -> bit for every source; output -1 stands for all outputs of the node.
    """

    nodes: list[Node]
    ops: list[str]
    inputs: list[list[int]]
    consumers: list[list[int]]
    order: list[int]
    outside: list[bool]
    sources: list[int]
    is_weight: list[bool]
    depth: list[int]
    features: int = 0
    labels: int = 0
    layers: list[int] = field(default_factory=list)
    gradients: set[int] = field(default_factory=set)
    is_trained: bool = False
    lives: list[bool] = field(default_factory=list)
    framed: set[int] = field(default_factory=set)
    bits: dict[tuple[int, int], int] = field(default_factory=dict)

    def is_forward(self, i: int) -> bool:
        """Whether node ``i`` belongs to the computation of a prediction: fed by features, untouched by labels."""
        mask = self.sources[i]
        if self.outside[i] or mask & self.labels:
            return False
        return bool(mask & self.features) or bool(mask & NOISE and self.depth[i])

    def meets_labels(self, i: int) -> bool:
        """Whether node ``i`` compares something with labels: a loss or a metric."""
        return not self.outside[i] and bool(self.sources[i] & self.labels) and bool(self.sources[i] & self.features)


def follow(graph: Graph) -> Flow:
    """Follows the data through ``graph``.

    What meets weights are features, until :mod:`graphscope.analysis.losses` tells features from labels.
    """
    flow = _wire(graph)
    flow.bits = _source_bits(flow, graph)
    for heavy_only in (True, False):
        for _ in range(passes(flow)):
            _propagate(flow, flow.bits, heavy_only)
        if flow.features:
            break
    flow.is_trained = not VARIABLE_OPS.isdisjoint(flow.ops)
    flow.labels = COMPARED
    flow.lives = [False] * len(flow.nodes)
    return flow


def passes(flow: Flow) -> int:
    """How often to go through the graph until what is found in a loop's body has reached its exit."""
    return 1 if LOOP_EDGES.isdisjoint(flow.ops) else _LOOP_PASSES


COMPARED, NOISE, VARIES, BATCHED = 1, 2, 4, 8
"""Bits beside those of sources: of what belongs to a loss, of random numbers, of what has a size that values decide, of what
has a part for each example."""

FLAGS = COMPARED | NOISE | VARIES | BATCHED

LOSS_OPS = frozenset({"SoftmaxCrossEntropyWithLogits", "SparseSoftmaxCrossEntropyWithLogits", "CTCLoss", "CTCLossV2"})


_LOOP_PASSES = 3
"""What the first pass finds in a loop's body reaches its exit in the second, an enclosing loop's in the third."""


def _wire(graph: Graph) -> Flow:
    nodes = graph.nodes
    ops = graph.ops
    number = {node.proto.name: i for i, node in enumerate(nodes)}
    inputs: list[list[int]] = []
    consumers: list[list[int]] = [[] for _ in nodes]
    for i, node in enumerate(nodes):
        producers = []
        for text in node.proto.input:
            producer = number.get(text.partition(":")[0])
            if producer is None and ops[i] == "ReadVariableOp":
                producer = _written(ops, number.get(text[1:]))
            if producer is not None:
                producers.append(producer)
                consumers[producer].append(i)
        inputs.append(producers)
    size = len(nodes)
    order = _order(ops, inputs, consumers)
    flow = Flow(nodes, ops, inputs, consumers, order, [False] * size, [0] * size, [False] * size, [0] * size)
    _mark_outside(flow, saver_nodes(graph))
    flow.framed = _framed(flow)
    return flow


def _framed(flow: Flow) -> set[int]:
    """What lies between ``Enter`` and ``Exit``."""
    found = {i for i, op in enumerate(flow.ops) if op in _ENTERS}
    if found:
        for i in flow.order:
            if flow.ops[i] not in _EXITS and not found.isdisjoint(flow.inputs[i]):
                found.add(i)
    return found


_ENTERS = frozenset({"Enter", "RefEnter"})
_EXITS = frozenset({"Exit", "RefExit"})


def _written(ops: list[str], i: int | None) -> int | None:
    """Node ``i`` if it writes a variable: a read that waits for it gives what it wrote."""
    return i if i is not None and ops[i] in ASSIGN_OPS else None


def _mark_outside(flow: Flow, savers: frozenset[str]) -> None:
    """Fills ``outside`` and ``gradients``."""
    ops, outside, names = flow.ops, flow.outside, [node.proto.name for node in flow.nodes]
    outside_ops = {op for op in set(ops) if _OUTSIDE_OPS.fullmatch(op)}
    gradients = [is_gradient(name) for name in names]
    kept = kept_gradients(flow.inputs, flow.consumers, gradients, names, ops)
    flow.gradients = kept
    for i in flow.order:
        op, name = ops[i], names[i]
        if gradients[i]:
            outside[i] = i not in kept
        elif (
            op in outside_ops
            or name in savers
            or (op in ASSIGN_OPS and not flow.consumers[i])
            or _OUTSIDE_NAME.search(name)
        ):
            outside[i] = True
        else:
            for producer in flow.inputs[i]:
                if outside[producer]:
                    outside[i] = True
                    break


def _order(ops: list[str], inputs: list[list[int]], consumers: list[list[int]]) -> list[int]:
    """Producers first (Kahn); edges out of ``NextIteration`` do not count. What is left of odd cycles comes last."""
    closes_loop = [op in LOOP_EDGES for op in ops]
    waiting = [len(producers) - sum(closes_loop[p] for p in producers) for producers in inputs]
    ready = [i for i, count in enumerate(waiting) if not count]
    order = []
    while ready:
        i = ready.pop()
        order.append(i)
        if closes_loop[i]:
            continue
        for consumer in consumers[i]:
            waiting[consumer] -= 1
            if not waiting[consumer]:
                ready.append(consumer)
    done = set(order)
    return order + [i for i in range(len(ops)) if i not in done]


LOOP_EDGES = frozenset({"NextIteration", "RefNextIteration"})


def _source_bits(flow: Flow, graph: Graph) -> dict[tuple[int, int], int]:
    """(node, output) -> bit for every source; output -1 stands for all outputs of the node.

    Hyperparameters (scalars, booleans, keep_prob) are no sources, unless there is nothing else; a graph without any
    source is fed by its constants, or else by its variables.
    """
    inside = [i for i in range(len(flow.nodes)) if not flow.outside[i]]
    data_ops = {op for op in set(flow.ops) if DATA_OPS.fullmatch(op)}
    encoded = {node.name for node in encoded_constants(graph)}
    placeholders = [i for i in inside if flow.ops[i] in PLACEHOLDER_OPS and is_feedable(flow.nodes[i])]
    found = [(i, -1) for i in placeholders if not _is_switch(flow.nodes[i])]
    found += [(i, -1) for i in inside if flow.ops[i] == "Const" and flow.nodes[i].name in encoded] if encoded else []
    for i in inside:
        if flow.ops[i] in data_ops:
            found += [(i, k) for k in _used_outputs(flow, i)]
    if not any(flow.consumers[i] for i, _ in found):
        found = [(i, -1) for i in placeholders if flow.consumers[i]] or found
    if not any(flow.consumers[i] for i, _ in found):
        constants = [i for i in inside if flow.ops[i] == "Const" and _is_used(flow, i)]
        arrays = [i for i in constants if _rank(flow.nodes[i])]
        data = [i for i in arrays if _is_data(flow, i)]
        found = [(i, -1) for i in data or arrays or constants or _variables(flow, inside)]
    return {source: FLAGS + 1 << k for k, source in enumerate(found)}


def _is_used(flow: Flow, i: int) -> bool:
    return not flow.consumers[i] or any(not flow.outside[c] for c in flow.consumers[i])


def _variables(flow: Flow, inside: Iterable[int]) -> list[int]:
    return [i for i in inside if flow.ops[i] in VARIABLE_OPS]


def _used_outputs(flow: Flow, i: int) -> Iterable[int]:
    name = flow.nodes[i].name
    used: set[int] = set()
    for consumer in flow.consumers[i]:
        parsed = map(TensorName.parse, flow.nodes[consumer].data_inputs())
        used.update(t.index for t in parsed if t.node == name)
    return sorted(used)


def _is_switch(node: Node) -> bool:
    """A hyperparameter: boolean, stated to be a scalar, or named like one."""
    dtype, shape = node.attr("dtype"), node.attr("shape")
    if dtype is not None and DataType.of(dtype.type) is DataType.BOOL:
        return True
    return bool(_SWITCH_NAME.search(node.name)) and not (shape is not None and len(shape.shape.dim) > 1)


_SETTINGS = frozenset(
    "shape new_shape dense_shape axis dim reduction_indices concat_dim split_dim begin size end strides perm paddings multiples"
    " size_splits dims block_shape crops ksize indices_shape".split()
)
"""Arguments that say how an op works; constants for them are part of the program, not data."""


def _is_data(flow: Flow, i: int) -> bool:
    """Whether something within the model takes node ``i`` for more than a setting."""
    name = flow.nodes[i].name
    inside = [flow.nodes[c] for c in flow.consumers[i] if not flow.outside[c]]
    return any(argument not in _SETTINGS for node in inside for argument in _arguments(node, name))


def _arguments(node: Node, producer: str) -> Iterator[str]:
    """The names of the arguments as which ``node`` takes outputs of ``producer``; a list's name for what follows a list."""
    definition = registered().get(node.op)
    names = [arg.name for arg in definition.input_arg] if definition is not None else []
    for position, text in enumerate(node.data_inputs()):
        if node_of(text) == producer:
            yield names[min(position, len(names) - 1)] if names else ""


def _rank(node: Node) -> int:
    tensor = node.tensor()
    return len(tensor.shape) if tensor is not None else 0


def _propagate(flow: Flow, bits: dict[tuple[int, int], int], heavy_only: bool) -> None:
    """Fills ``sources``, ``is_weight``, ``depth``, ``layers`` and ``features``, producers first."""
    split = {i for i, k in bits if k >= 0}
    own = {i: bit | BATCHED for (i, k), bit in bits.items() if k < 0}
    own.update((i, NOISE) for i, op in enumerate(flow.ops) if _NOISE.match(op) and not flow.outside[i])
    heavy = {op for op in set(flow.ops) if _HEAVY_OPS.fullmatch(op)}
    rules = {op: rule for op in set(flow.ops) for pattern, rule in _RULES if pattern.fullmatch(op)}
    sources, depths, is_weight = flow.sources, flow.depth, flow.is_weight
    flow.features, flow.layers = 0, []
    for i in flow.order:
        op = flow.ops[i]
        mask = own.get(i, 0)
        depth = 0
        is_weighted = False
        for producer in flow.inputs[i]:
            mask |= sources[producer]
            if depths[producer] > depth:
                depth = depths[producer]
            if is_weight[producer]:
                is_weighted = True
        if split:
            if i in split:
                mask = 0
            elif not split.isdisjoint(flow.inputs[i]):
                mask |= split_sources(flow, i, bits) | BATCHED
        if mask and op in rules:
            mask = rules[op](flow, i, mask)
        if mask and is_weighted and (op in heavy or not heavy_only) and not flow.outside[i] and i not in flow.gradients:
            flow.features |= mask & ~FLAGS
            flow.layers.append(i)
            mask |= BATCHED
            depth += 1
        sources[i] = mask
        is_weight[i] = not mask and _gives_weight(flow, i)
        depths[i] = depth


def _compared(_: Flow, __: int, mask: int) -> int:
    return mask | COMPARED


def _summed_up(_: Flow, __: int, mask: int) -> int:
    """What a variable adds up over batches."""
    return mask & ~BATCHED


def _varying(_: Flow, __: int, mask: int) -> int:
    return mask | VARIES


def _shape(_: Flow, __: int, mask: int) -> int:
    """A shape depends on no values, unless the size does."""
    return mask & ~BATCHED if mask & VARIES else 0


def _reduced(flow: Flow, i: int, mask: int) -> int:
    return mask & ~BATCHED if mask & BATCHED and reduces_batch(flow, i) else mask


def reduces_batch(flow: Flow, i: int) -> bool:
    """Whether node ``i`` reduces its first axis, or all."""
    axes = flow.inputs[i][1:2]
    if not axes:
        return True
    [axis] = axes
    if flow.ops[axis] == "Range":
        return True
    tensor = flow.nodes[axis].tensor() if flow.ops[axis] == "Const" else None
    return tensor is not None and tensor.elements < _MAX_RANK and 0 in tensor.numpy().reshape(-1).tolist()


_MAX_RANK = 32

_Rule = Callable[[Flow, int, int], int]
_RULES: Sequence[tuple[re.Pattern[str], _Rule]] = (
    (re.compile("|".join(SHAPE_OPS)), _shape),
    (re.compile("|".join(LOSS_OPS)), _compared),
    (re.compile("|".join(_REDUCTIONS)), _reduced),
    (re.compile("|".join(_SUMMED_UP)), _summed_up),
    (_VARYING, _varying),
)
"""Ops that do not only pass on what they are given -> what their result depends on."""


def split_sources(flow: Flow, i: int, bits: dict[tuple[int, int], int]) -> int:
    """The sources among the outputs of multi-output sources that node ``i`` takes."""
    mask = 0
    number = {flow.nodes[p].name: p for p in flow.inputs[i]}
    for text in flow.nodes[i].data_inputs():
        tensor = TensorName.parse(text)
        mask |= bits.get((number.get(tensor.node, -1), tensor.index), 0)
    return mask


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
    return op in _KEEPS_WEIGHT and any(flow.is_weight[p] for p in flow.inputs[i])


def _is_number(dtype: DataType) -> bool:
    return dtype.is_floating or dtype.label.startswith("q") or dtype is DataType.UINT8


def union(masks: Iterable[int]) -> int:
    """The bits of all masks."""
    result = 0
    for mask in masks:
        result |= mask
    return result
