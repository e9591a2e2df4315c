"""Which way data flows through a graph: from what is fed, through the weights, to predictions and losses.

Everything works on node numbers and takes time linear in the size of the graph. Loops are followed once: the edges that
``NextIteration`` closes are left out.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from graphscope.analysis.inputs import DATA_OPS, PLACEHOLDER_OPS
from graphscope.core.binding import VARIABLE_OPS
from graphscope.core.dtypes import DataType
from graphscope.core.graph import Graph, Node
from graphscope.core.ops import registered
from graphscope.core.patterns import NamePattern
from graphscope.core.tensors import TensorName, node_of

_OUTSIDE_OPS = NamePattern(
    r"(Resource)?(Sparse)?Apply[A-Z]\w*|Assign\w*|Save\w*|Restore\w*|MergeV2Checkpoints|ShardedFilename|.*Summary(V2)?"
    r"|.*(Enqueue|QueueClose)\w*|Assert|NoOp|Print(V2)?|Scatter(Add|Sub|Update|NdUpdate)|ResourceScatter\w+|Stage"
    r"|InitializeTable\w*|LookupTable(Import|Insert|Export)\w*|WriteFile|IsVariableInitialized|VarIsInitializedOp"
    r"|ReportUninitializedVariables|AudioSummary\w*|CountUpTo|DebugIdentity\w*|BroadcastGradientArgs|\w+Grad(V\d)?"
)
"""Ops that belong to training, saving, initialising, watching: neither they nor what they feed is a prediction."""

_OUTSIDE_NAME = re.compile(r"(^|/)(gradients(_\d+)?|train_op|GradientDescent|report_uninitialized_variables)(/|$)")

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
"""Ops whose result does not depend on the values of their input."""

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
        features: the sources that meet weights: what the model is asked about.
        labels: the other sources: what it is compared with; and :data:`COMPARED`.
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

    def is_forward(self, i: int) -> bool:
        """Whether node ``i`` belongs to the computation of a prediction: fed by features, untouched by labels."""
        return not self.outside[i] and bool(self.sources[i] & self.features) and not self.sources[i] & self.labels

    def meets_labels(self, i: int) -> bool:
        """Whether node ``i`` compares something with labels: a loss or a metric."""
        return not self.outside[i] and bool(self.sources[i] & self.labels) and bool(self.sources[i] & self.features)


def trace(graph: Graph) -> Flow:
    """Follows the data through ``graph``."""
    flow = _wire(graph)
    bits = _source_bits(flow)
    has_loops = not LOOP_EDGES.isdisjoint(flow.ops)
    for heavy_only in (True, False):
        for _ in range(_LOOP_PASSES if has_loops else 1):
            _propagate(flow, bits, heavy_only)
        if flow.features:
            break
    everything = _union(bits.values())
    is_trained = not VARIABLE_OPS.isdisjoint(flow.ops)
    if not flow.features or not is_trained:
        flow.features = everything  # a frozen graph has been cut free of its labels
    flow.labels = (everything & ~flow.features) | COMPARED
    return flow


COMPARED = 1
"""The bit of what a loss op gave, whatever its labels were: they may be features too."""

_LOSS_OPS = frozenset({"SoftmaxCrossEntropyWithLogits", "SparseSoftmaxCrossEntropyWithLogits", "CTCLoss", "CTCLossV2"})


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
            if not text.startswith("^"):
                producer = number.get(text.partition(":")[0])
                if producer is not None:
                    producers.append(producer)
                    consumers[producer].append(i)
        inputs.append(producers)
    size = len(nodes)
    order = _order(ops, inputs, consumers)
    flow = Flow(nodes, ops, inputs, consumers, order, [False] * size, [0] * size, [False] * size, [0] * size)
    outside_ops = {op for op in set(ops) if _OUTSIDE_OPS.fullmatch(op)}
    for i in order:
        flow.outside[i] = (
            ops[i] in outside_ops
            or any(flow.outside[p] for p in inputs[i])
            or bool(_OUTSIDE_NAME.search(nodes[i].proto.name))
        )
    return flow


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


def _source_bits(flow: Flow) -> dict[tuple[int, int], int]:
    """(node, output) -> bit for every source; output -1 stands for all outputs of the node.

    Hyperparameters (scalars, booleans, keep_prob) are no sources, unless there is nothing else; a graph without any
    source is fed by its constants.
    """
    inside = [i for i in range(len(flow.nodes)) if not flow.outside[i]]
    data_ops = {op for op in set(flow.ops) if DATA_OPS.fullmatch(op)}
    placeholders = [i for i in inside if flow.ops[i] in PLACEHOLDER_OPS]
    found = [(i, -1) for i in placeholders if not _is_switch(flow.nodes[i])]
    for i in inside:
        if flow.ops[i] in data_ops:
            found += [(i, k) for k in _used_outputs(flow, i)]
    if not any(flow.consumers[i] for i, _ in found):
        found = [(i, -1) for i in placeholders if flow.consumers[i]] or found
    if not any(flow.consumers[i] for i, _ in found):
        constants = [i for i in inside if flow.ops[i] == "Const"]
        arrays = [i for i in constants if _rank(flow.nodes[i])]
        data = [i for i in arrays if _is_data(flow, i)]
        found = [(i, -1) for i in data or arrays or constants]
    return {source: 2 << k for k, source in enumerate(found)}


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
    """Fills ``sources``, ``is_weight``, ``depth`` and ``features``, producers first."""
    split = {i for i, k in bits if k >= 0}
    own = {i: bit for (i, k), bit in bits.items() if k < 0}
    heavy = {op for op in set(flow.ops) if _HEAVY_OPS.fullmatch(op)}
    flow.features = 0
    for i in flow.order:
        op = flow.ops[i]
        mask = own.get(i, 0)
        for producer in flow.inputs[i]:
            mask |= flow.sources[producer]
        if split and not split.isdisjoint(flow.inputs[i]):
            mask |= _split_sources(flow, i, bits)
        if i in split or op in SHAPE_OPS:
            mask = 0
        flow.sources[i] = mask | COMPARED if op in _LOSS_OPS else mask
        flow.is_weight[i] = not mask and _gives_weight(flow, i)
        depth = max((flow.depth[p] for p in flow.inputs[i]), default=0)
        is_layer = mask and not flow.outside[i] and any(flow.is_weight[p] for p in flow.inputs[i])
        if is_layer and (op in heavy or not heavy_only):
            flow.features |= mask & ~COMPARED
            depth += 1
        flow.depth[i] = depth


def _split_sources(flow: Flow, i: int, bits: dict[tuple[int, int], int]) -> int:
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
    if op in VARIABLE_OPS:
        dtype = flow.nodes[i].attr("dtype")
        return dtype is not None and DataType.of(dtype.type).is_floating
    return op in _KEEPS_WEIGHT and any(flow.is_weight[p] for p in flow.inputs[i])


def _is_number(dtype: DataType) -> bool:
    return dtype.is_floating or dtype.label.startswith("q") or dtype is DataType.UINT8


def _union(masks: Iterable[int]) -> int:
    result = 0
    for mask in masks:
        result |= mask
    return result
