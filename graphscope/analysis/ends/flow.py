"""The data flow of a graph: its edges and order, and the nodes that belong to training, saving and monitoring.

Everything works on node numbers and takes time linear in the size of the graph. Loops are followed once: the edges that
``NextIteration`` closes are left out.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from functools import cached_property
from typing import cast

from graphscope.analysis.ends.input_gradients import are_gradients, kept_gradients
from graphscope.analysis.ends.savers import saver_nodes
from graphscope.core.graph import Graph, Node
from graphscope.core.ops.sets import ASSIGN_OPS, COUNT_OPS, ENTERS, EXITS, NEXT_ITERATIONS
from graphscope.core.patterns import OpPattern, Pattern
from graphscope.core.tensors import TensorName

_OUTSIDE_OPS = OpPattern(
    "Apply Save Restore MergeV2Checkpoints ShardedFilename Summary Enqueue QueueClose Assert NoOp Print Scatter Stage"
    " InitializeTable LookupTable WriteFile Initialized CountUpTo BroadcastGradientArgs Grad"
    " ReportUninitializedVariables",
    r"(Resource)?(Sparse)?Apply[A-Z]\w*|Save\w*|Restore\w*|MergeV2Checkpoints|ShardedFilename|.*Summary(V2)?"
    r"|.*(Enqueue|QueueClose)\w*|Assert|NoOp|PrintV2|Scatter(Add|Sub|Update|NdUpdate)|ResourceScatter\w+|Stage"
    r"|InitializeTable\w*|LookupTable(Import|Insert|Export)\w*|WriteFile|IsVariableInitialized|VarIsInitializedOp"
    r"|ReportUninitializedVariables|AudioSummary\w*|CountUpTo|BroadcastGradientArgs|\w+Grad(V\d)?",
)
"""Ops that belong to training, saving, initializing, watching: neither they nor what they feed is a prediction."""

_OUTSIDE_NAME = Pattern(r"(^|/)(train_op|GradientDescent|report_uninitialized_variables)(/|$)")

SCATTERS = OpPattern("Scatter", r"(Resource)?Scatter(Add|Sub|Update|NdUpdate|NdAdd|NdSub)")
"""Ops that change rows of a variable."""

WRITES = ASSIGN_OPS | COUNT_OPS
"""Ops that give what they write; written and not used, it is training's, or the next run's."""


class Flow:
    """The dependencies of each node; all lists are indexed by node number, in file order.

    Attributes:
        nodes: the graph's nodes.
        ops: their ops.
        inputs: numbers of the nodes that feed it data.
        consumers: numbers of the nodes that it feeds data.
        order: node numbers, producers first.
        outside: whether it belongs to training, saving and similar tasks.
        sources: the set of sources that it depends on, one bit each.
        is_weight: whether it is a variable or constant of the model, or one reshaped.
        depth: number of weights on the longest path from the sources to it.
        features: the sources that meet weights, or are needed by what nothing consumes: what the model is asked about.
        labels: the other sources: what it is compared with; and :data:`COMPARED`.
        layers: the nodes that apply weights, in order.
        gradients: the gradients that the model itself uses.
        is_trained: whether the graph has variables.
        lives: whether a layer follows, or an end that is not a loss; see :mod:`graphscope.analysis.ends.losses`.
        framed: nodes within loops.
        bits: (node, output) -> bit for every source; output -1 means all outputs of the node.
    """

    def __init__(
        self,
        nodes: list[Node],
        ops: list[str],
        inputs: list[list[int]],
        consumers: list[list[int]],
        order: Sequence[int],
    ) -> None:
        size = len(nodes)
        self.nodes = nodes
        self.ops = ops
        self.inputs = inputs
        self.consumers = consumers
        self.order = order
        self.outside = [False] * size
        self.sources = [0] * size
        self.is_weight = [False] * size
        self.depth = [0] * size
        self.features = 0
        self.labels = 0
        self.layers: list[int] = []
        self.gradients: set[int] = set()
        self.is_trained = False
        self.lives: list[bool] = []
        self.framed: set[int] = set()
        self.bits: dict[tuple[int, int], int] = {}

    @cached_property
    def by_op(self) -> Mapping[str, list[int]]:
        """Op -> the nodes that have it, in file order."""
        found: defaultdict[str, list[int]] = defaultdict(list)
        for i, op in enumerate(self.ops):
            found[op].append(i)
        return dict(found)

    def having(self, ops: Collection[str]) -> list[int]:
        """The nodes that have one of ``ops``, in file order."""
        return sorted(i for op, places in self.by_op.items() if op in ops for i in places)

    def within(self, ops: Collection[str]) -> list[int]:
        """Those of :meth:`having` that are within the model rather than outside."""
        return [i for i in self.having(ops) if not self.outside[i]]

    def forward(self) -> list[bool]:
        """For each node, whether it belongs to the computation of a prediction: fed by features, untouched by labels."""
        features, labels = self.features, self.labels
        return [
            not (is_outside or mask & labels) and bool(mask & features or (mask & NOISE and depth))
            for is_outside, mask, depth in zip(self.outside, self.sources, self.depth)
        ]

    def has_weight(self, i: int) -> bool:
        """Whether a weight goes into node ``i`` directly."""
        return any(self.is_weight[p] for p in self.inputs[i])

    def meeting_labels(self) -> list[int]:
        """The nodes that compare something with labels: losses and metrics."""
        features, labels, outside = self.features, self.labels, self.outside
        return [i for i, mask in enumerate(self.sources) if mask & labels and mask & features and not outside[i]]


COMPARED, NOISE, VARIES, BATCHED = 1, 2, 4, 8
"""Bits beside those of sources: of what belongs to a loss, of random numbers, of what has a size that values decide, of what
has a part for each example."""

FLAGS = COMPARED | NOISE | VARIES | BATCHED


def wire(graph: Graph) -> Flow:
    """The edges and the order of ``graph``, and what is outside the model; nothing is followed yet."""
    nodes, ops = graph.nodes, graph.ops
    inputs = _inputs(graph)
    consumers: list[list[int]] = [[] for _ in nodes]
    is_sorted = True
    for i, producers in enumerate(inputs):
        for producer in producers:
            consumers[producer].append(i)
            if producer >= i:
                is_sorted = False
    order = range(len(nodes)) if is_sorted else _order(ops, inputs, consumers)
    flow = Flow(nodes, ops, inputs, consumers, order)
    _mark_outside(flow, graph.names, saver_nodes(graph))
    flow.framed = _find_framed(flow)
    return flow


def _inputs(graph: Graph) -> list[list[int]]:
    """The producers of each node's data, in the order of its inputs; dangling names are left out."""
    wires = cast("list[list[int]]", graph.wires)
    result = [list(_look_up(graph, i)) if None in wired else wired for i, wired in enumerate(wires)]
    if not _POPS.isdisjoint(graph.ops):
        _join_stacks(graph.ops, result)
    return result


_PUSHES = frozenset({"StackPush", "StackPushV2"})
_POPS = frozenset({"StackPop", "StackPopV2"})


def _join_stacks(ops: list[str], inputs: list[list[int]]) -> None:
    """Adds to what takes values off a stack what puts them there: the gradient of a loop gets them from each turn so."""
    pushes: dict[int, list[int]] = {}
    for i, op in enumerate(ops):
        if op in _PUSHES and inputs[i]:
            pushes.setdefault(_find_entered(ops, inputs, i), []).append(i)
    for i, op in enumerate(ops):
        if op in _POPS and inputs[i]:
            inputs[i] = [*inputs[i], *pushes.get(_find_entered(ops, inputs, i), ())]


def _find_entered(ops: list[str], inputs: list[list[int]], i: int) -> int:
    """What the first input of node ``i`` was before it entered loops."""
    i = inputs[i][0]
    for _ in range(_MAX_LOOPS):
        if ops[i] not in ENTERS or not inputs[i]:
            break
        i = inputs[i][0]
    return i


_MAX_LOOPS = 32
"""Loops within one another are followed so far."""


def _look_up(graph: Graph, i: int) -> Iterator[int]:
    """The producers of node ``i``, of whose inputs some name another output than the first, or the end of a write."""
    for text in graph.nodes[i].proto.input:
        producer = graph.numbers.get(text.partition(":")[0])
        if producer is None and graph.ops[i] == "ReadVariableOp":
            producer = _find_written(graph.ops, graph.numbers.get(text[1:]))
        if producer is not None:
            yield producer


def _find_framed(flow: Flow) -> set[int]:
    """What is between ``Enter`` and ``Exit``."""
    found = set(flow.having(ENTERS))
    if found:
        for i in flow.order:
            if flow.ops[i] not in EXITS and not found.isdisjoint(flow.inputs[i]):
                found.add(i)
    return found


def _find_written(ops: list[str], i: int | None) -> int | None:
    """Node ``i`` if it writes a variable: a read that waits for it gives what it wrote."""
    return i if i is not None and ops[i] in WRITES else None


def _mark_outside(flow: Flow, names: list[str], savers: frozenset[str]) -> None:
    """Fills ``outside`` and ``gradients``."""
    ops, outside = flow.ops, flow.outside
    outside_ops = set(filter(_OUTSIDE_OPS.fullmatch, flow.by_op))
    gradients = are_gradients(names)
    kept = kept_gradients(flow.inputs, flow.consumers, gradients, names, ops)
    flow.gradients = kept
    updates = _updates(flow)
    marked = {
        i
        for i, (op, name) in enumerate(zip(ops, names))
        if op in outside_ops
        or gradients[i]
        or name in savers
        or i in updates
        or (("train" in name or "Gradient" in name or "report" in name) and _OUTSIDE_NAME.search(name))
    }
    for i in flow.order if marked else ():
        if i in marked:
            outside[i] = i not in kept
            continue
        for producer in flow.inputs[i]:
            if outside[producer]:
                outside[i] = True
                break


def _updates(flow: Flow) -> frozenset[int]:
    """Nodes computed only to be written: scatter values, and assignments whose result only an unused read consumes."""
    found: set[int] = set()
    scatters = set(filter(SCATTERS.fullmatch, flow.by_op))
    if WRITES.isdisjoint(flow.by_op) and not scatters:
        return frozenset()
    for i in reversed(flow.order):
        consumers = flow.consumers[i]
        if flow.ops[i] in WRITES:
            is_update = all(flow.ops[c] == "ReadVariableOp" and not flow.consumers[c] for c in consumers)
        else:
            is_update = bool(consumers) and all(c in found or flow.ops[c] in scatters for c in consumers)
        if is_update and flow.inputs[i]:
            found.add(i)
    return frozenset(found)


def _order(ops: list[str], inputs: list[list[int]], consumers: list[list[int]]) -> list[int]:
    """Producers first (Kahn); edges out of ``NextIteration`` do not count. What is left of odd cycles comes last."""
    closes_loop = [op in NEXT_ITERATIONS for op in ops]
    waiting = list(map(len, inputs))
    for i, closes in enumerate(closes_loop):
        if closes:
            for consumer in consumers[i]:
                waiting[consumer] -= 1
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


def split_sources(flow: Flow, i: int, bits: dict[tuple[int, int], int]) -> int:
    """The sources among the outputs of multi-output sources that node ``i`` takes."""
    mask = 0
    number = {flow.nodes[p].name: p for p in flow.inputs[i]}
    for text in flow.nodes[i].data_inputs():
        tensor = TensorName.parse(text)
        mask |= bits.get((number.get(tensor.node, -1), tensor.index), 0)
    return mask


def union(masks: Iterable[int]) -> int:
    """The bits of all masks."""
    result = 0
    for mask in masks:
        result |= mask
    return result
