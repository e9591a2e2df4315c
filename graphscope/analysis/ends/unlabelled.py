"""Finds what a loss judges that has no labels, or that takes them with drawn classes or in order of time."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from functools import cached_property

from graphscope.analysis.ends.flow import BATCHED, FLAGS, Flow

FORMS = frozenset("Add AddV2 Sub Mul RealDiv Pow Square Maximum Minimum Log Log1p Exp Abs Neg Relu Softplus".split())
"""Ops by which a loss makes what it needs of a result."""
PRODUCTS = frozenset({"MatMul", "BatchMatMul", "BatchMatMulV2", "BatchMatMulV3"})
SUMS = frozenset("Add AddN AddV2 Mean Sum".split())
RESHAPES = frozenset({"Reshape", "Squeeze", "ExpandDims"})
_REDUCTIONS = frozenset({"Mean", "Sum"})
_DIFFERENCES = frozenset({"Sub", "SquaredDifference"})
_LOOKUPS = frozenset({"Gather", "GatherV2", "ResourceGather"})
_CUMULATIVE = frozenset({"Cumsum", "CumulativeLogsumexp"})
"""Ops by which a loss sums up over the examples at risk."""
_MAX_STEPS = 8


def followers(flow: Flow, start: Iterable[int]) -> frozenset[int]:
    """``start``, and what is made of it."""
    return _reach(start, flow.consumers)


def _reach(start: Iterable[int], steps: Sequence[Iterable[int]]) -> frozenset[int]:
    waiting = list(start)
    found = set(waiting)
    while waiting:
        fresh = [i for i in steps[waiting.pop()] if i not in found]
        found.update(fresh)
        waiting += fresh
    return frozenset(found)


def find_drawn(flow: Flow) -> frozenset[int]:
    """What a loss makes of classes that it draws: a sampled softmax, noise-contrastive estimation."""
    return followers(flow, (i for i, op in enumerate(flow.ops) if op.endswith("CandidateSampler")))


def before_drawn(flow: Flow, drawn: Collection[int]) -> set[int]:
    """What is multiplied with the weights of classes that were drawn, before reshapes."""
    products = (i for i in drawn if flow.ops[i] in PRODUCTS or flow.ops[i] == "Mul")
    return {_before_reshapes(flow, p) for i in products for p in flow.inputs[i] if p not in drawn}


def _before_reshapes(flow: Flow, i: int) -> int:
    for _ in range(_MAX_STEPS):
        if flow.ops[i] not in RESHAPES or not flow.inputs[i]:
            break
        i = flow.inputs[i][0]
    return i


def find_reconstructed(flow: Flow) -> frozenset[int]:
    """What updates compare with what is fed: the other side of a Boltzmann machine."""
    fed = {i for i, _ in flow.bits}
    differences = (flow.inputs[i] for i, op in enumerate(flow.ops) if op in _DIFFERENCES and flow.outside[i])
    pairs = [pair for pair in differences if len(pair) == 2 and not fed.isdisjoint(pair)]
    made = {p for pair in pairs for p in pair if p not in fed and flow.sources[p] & ~FLAGS}
    return frozenset(p for p in made if flow.ops[p] not in _LOOKUPS)


def find_transformed(flow: Flow, forward: Sequence[bool], losses: Iterable[int]) -> frozenset[int]:
    """Of the parts that ``losses`` sum up, the one that is made of all others.

    A normalizing flow maximizes the likelihood of what it makes of an example, and of the steps on the way to it.
    """
    parts = _summed_parts(flow, forward, losses)
    return frozenset(p for p in parts if len(parts) > 1 and parts <= _reach([p], flow.inputs))


def _summed_parts(flow: Flow, forward: Sequence[bool], losses: Iterable[int]) -> set[int]:
    """What ``losses`` sum up: behind a sum for each example, arithmetic with constants alone is the loss's own."""
    found = set()
    waiting = [(i, False) for i in losses]
    seen = set(waiting)
    while waiting:
        i, is_summed = waiting.pop()
        fed = {p for p in flow.inputs[i] if flow.sources[p]}
        is_arithmetic = flow.ops[i] in FORMS | SUMS | RESHAPES and not flow.has_weight(i)
        if is_arithmetic and 0 < len(fed) < 3 - is_summed and all(forward[p] for p in fed):
            is_summed |= flow.ops[i] in _REDUCTIONS and bool(flow.sources[i] & BATCHED)
            fresh = {(p, is_summed) for p in fed} - seen
            seen |= fresh
            waiting += fresh
        else:
            found.add(i)
    return found


class Risks:
    """Losses that compare a risk with the sum of those of all who are left, as Cox's partial likelihood does."""

    def __init__(self, flow: Flow) -> None:
        self.flow = flow
        self.may_occur = not _CUMULATIVE.isdisjoint(flow.ops)

    def before_sum(self, i: int) -> int | None:
        """The risk that node ``i`` compares with its own sum over examples; ``None`` for any other node."""
        flow = self.flow
        parts, is_cumulative = {i}, False
        for _ in range(_MAX_STEPS if self.may_occur else 0):
            last = max(parts, key=self._places.__getitem__)
            parts.remove(last)
            parts |= {p for p in flow.inputs[last] if flow.sources[p]}
            is_cumulative |= flow.ops[last] in _CUMULATIVE
            if len(parts) == 1:
                return next(iter(parts)) if is_cumulative else None
            if flow.ops[last] not in FORMS | _CUMULATIVE or flow.has_weight(last) or not parts:
                return None
        return None

    @cached_property
    def _places(self) -> dict[int, int]:
        """Node -> its place in the order."""
        return {i: place for place, i in enumerate(self.flow.order)}
