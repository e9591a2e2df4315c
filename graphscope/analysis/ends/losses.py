"""Finds the boundary between a model and its loss, and so which sources are features and which are labels.

A node *lives* if a layer follows, or if it leads to something with a part for each example that nothing consumes. What does not
live leads to a loss or a metric alone. There the model ends where something that was fed meets what the layers made, without
having passed a layer itself: labels, or, in an autoencoder, the input again.
"""

from __future__ import annotations

from graphscope.analysis.ends.flow import BATCHED, COMPARED, FLAGS, Flow, split_sources, union
from graphscope.analysis.ends.propagation import LOSS_OPS, SHAPE_OPS, follow, passes
from graphscope.core.graph import Graph
from graphscope.core.ops.sets import BRANCH_OPS, SWITCHES

_ERROR_OPS = frozenset({"SquaredDifference", "Equal", "NotEqual", "InTopK", "InTopKV2", "Abs", "Square"})
"""Ops that compare: an unconsumed result is a metric."""

_COMPARING = frozenset({"Sub", "SquaredDifference", "Equal", "NotEqual", "InTopK", "InTopKV2"})
_PASSING = frozenset(
    {"Switch", "RefSwitch", "Enter", "RefEnter", "Exit", "RefExit", "NextIteration", "LoopCond", "Merge"}
)
_LOOKUPS = frozenset({"Gather", "GatherV2", "ResourceGather", "GatherNd", "ResourceGatherNd"})


def trace(graph: Graph) -> Flow:
    """Follows the data through ``graph``, and tells features from labels.

    A frozen graph has been cut free of its loss: all that it is fed are features.
    """
    flow = follow(graph)
    everything = union(flow.bits.values())
    if not flow.features or not flow.is_trained:
        flow.features = everything
    else:
        flow.lives = _living(flow)
        _find_features(flow, flow.lives)
        _compare(flow, flow.lives)
    flow.labels = (everything & ~flow.features) | COMPARED
    return flow


def _living(flow: Flow) -> list[bool]:
    """Whether each node leads to a further layer, to the logits of a loss, or to an end for each example."""
    lives = [False] * len(flow.nodes)
    layers = set(flow.layers)
    for _ in range(passes(flow)):
        for i in reversed(flow.order):
            if flow.outside[i]:
                continue
            op = flow.ops[i]
            if op in LOSS_OPS:
                for logits in flow.inputs[i][:1]:
                    lives[logits] |= not _own_labels(flow, i)
            elif op in SHAPE_OPS:
                continue
            elif i in layers:
                if op not in _LOOKUPS or lives[i] or flow.depth[i] > 1:
                    for producer in flow.inputs[i]:
                        lives[producer] = True
            elif lives[i] or is_free(flow, i):
                lives[i] = True
                for producer in flow.inputs[i]:
                    lives[producer] = True
    return lives


def _own_labels(flow: Flow, loss: int) -> int:
    """The labels of a loss that its logits also depend on, after the last weights: a margin for the true class."""
    masks = [flow.sources[p] for p in flow.inputs[loss][:2]]
    return masks[0] & masks[1] & ~FLAGS & ~flow.features if len(masks) == 2 else 0


def is_free(flow: Flow, i: int) -> bool:
    """Whether nothing consumes node ``i``, which has a part for each example and compares nothing."""
    if (
        flow.consumers[i]
        or is_left_over(flow, i)
        or flow.ops[i] in _ERROR_OPS
        or flow.ops[i] in _PASSING
        or i in flow.framed
    ):
        return False
    return flow.sources[i] & (BATCHED | COMPARED) == BATCHED and flow.depth[i] > 0


def is_left_over(flow: Flow, i: int) -> bool:
    """Whether node ``i`` only marks a branch, or names a loop or branch result when another of its results is used."""
    if flow.consumers[i] or flow.ops[i] != "Identity":
        return False
    ops = [flow.ops[p] for p in flow.inputs[i]]
    if any(op in SWITCHES for op in ops):
        return True
    siblings = [c for p, op in zip(flow.inputs[i], ops) if op in BRANCH_OPS for c in flow.consumers[p]]
    return any(flow.consumers[c] for c in siblings)


def _find_features(flow: Flow, lives: list[bool]) -> None:
    """Sources that meet weights, and those after the last weights that a per-example result needs.

    Those that only look up weights, of which nothing but the loss is made, are features unless they are compared as well: the
    tags of a random field look up its transitions.
    """
    strong = [flow.sources[i] for i in flow.layers if lives[i] or flow.ops[i] not in _LOOKUPS or flow.depth[i] > 1]
    free = [flow.sources[i] for i in range(len(flow.nodes)) if not flow.outside[i] and is_free(flow, i)]
    losses = [i for i in flow.having(LOSS_OPS) if flow.inputs[i]]
    logits = [flow.sources[flow.inputs[i][0]] & ~_own_labels(flow, i) for i in losses]
    weak = flow.features
    flow.features = union([*strong, *free, *logits]) & ~FLAGS
    compared = union(raw & ~FLAGS for raw, compares in _joins(flow, lives).values() if compares)
    flow.features |= weak & ~compared
    flow.features = flow.features or weak


def _joins(flow: Flow, lives: list[bool]) -> dict[int, tuple[int, bool]]:
    """Where raw sources meet what layers made, and only a loss follows: node -> those sources, and whether it compares."""
    found = {}
    split = {i for i, k in flow.bits if k >= 0}
    for i, producers in enumerate(flow.inputs):
        if flow.outside[i] or lives[i] or len(producers) < 2 or not flow.depth[i]:
            continue
        raw = 0
        is_selected = is_deep = False
        for producer in producers:
            if flow.depth[producer]:
                is_deep = True
            elif producer in split:
                raw |= split_sources(flow, i, flow.bits)
            elif flow.sources[producer] & ~(FLAGS):
                raw |= flow.sources[producer]
                is_selected = is_selected or _is_one_hot(flow, producer) or flow.ops[i] in _LOOKUPS
        if raw and is_deep and flow.ops[i] not in _PASSING:
            found[i] = raw, is_selected or flow.ops[i] in _COMPARING
    return found


def _is_one_hot(flow: Flow, i: int) -> bool:
    """Whether node ``i`` picks classes or actions by their number."""
    for _ in range(3):
        if flow.ops[i] == "OneHot":
            return True
        if len(flow.inputs[i]) != 1:
            return False
        [i] = flow.inputs[i]
    return flow.ops[i] == "OneHot"


def _compare(flow: Flow, lives: list[bool]) -> None:
    """Marks what belongs to the loss.

    That is the first comparison with labels; where labels are not compared but weighed, that; and what meets features again,
    unless labels follow. In a graph that updates nothing only comparisons count.
    """
    joins = _joins(flow, lives)
    fed = {i: raw & ~FLAGS & ~flow.features for i, (raw, _) in joins.items()}
    labelled = [i for i, (_, compares) in joins.items() if compares and fed[i]]
    before = _upstream(flow, labelled, joins)
    compared = union(fed[i] for i in joins if i in labelled or i not in before)
    # What scales or shifts a result that is compared only then is fed with the examples.
    flow.features |= union(fed[i] for i in before if i not in labelled) & ~compared
    weighed = [i for i in joins if fed[i] and i not in before]
    before |= _upstream(flow, weighed, joins).difference(weighed)
    is_updated = _is_scored(flow)
    found = [i for i, (_, compares) in joins.items() if i not in before and (is_updated or compares)]
    waiting = [*found, *labelled]
    for i in waiting:
        flow.sources[i] |= COMPARED
    while waiting:
        i = waiting.pop()
        if flow.ops[i] in SHAPE_OPS:
            continue
        for consumer in flow.consumers[i]:
            if not flow.sources[consumer] & COMPARED and flow.ops[consumer] not in SHAPE_OPS:
                flow.sources[consumer] |= COMPARED
                waiting.append(consumer)
    if not is_updated:
        free = [flow.sources[i] for i, users in enumerate(flow.consumers) if not users and flow.depth[i]]
        flow.features |= union(mask for mask in free if not mask & COMPARED) & ~FLAGS


def _is_scored(flow: Flow) -> bool:
    """Whether there is a loss or a metric for sure: an optimizer, or what sums up results over batches."""
    if any(op.startswith(("Apply", "ResourceApply", "SparseApply")) for op in flow.by_op):
        return True
    return any(flow.depth[p] for i in flow.having(_SUMS) for p in flow.inputs[i])


_SUMS = frozenset({"AssignAdd", "AssignAddVariableOp"})


def _upstream(flow: Flow, labelled: list[int], joins: dict[int, tuple[int, bool]]) -> set[int]:
    """The meetings that lie before a comparison with labels; what does not compare, or compares with features alone."""
    seen = set(labelled)
    waiting = list(labelled)
    while waiting:
        for producer in flow.inputs[waiting.pop()]:
            if producer not in seen and flow.depth[producer] and not flow.outside[producer]:
                seen.add(producer)
                waiting.append(producer)
    return {i for i in seen if i in joins}
