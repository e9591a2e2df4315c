"""Finds what a loss judges that has no labels, or that takes them with drawn classes or in order of time."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from functools import cached_property

from graphscope.analysis.ends.flow import BATCHED, FLAGS, Flow

FORMS = frozenset(
    "Add AddV2 Sub Mul RealDiv Pow Square Sqrt Maximum Minimum Log Log1p Exp Abs Neg Relu Softplus".split()
)
"""Ops by which a loss makes what it needs of a result."""
PRODUCTS = frozenset({"MatMul", "BatchMatMul", "BatchMatMulV2", "BatchMatMulV3"})
SUMS = frozenset("Add AddN AddV2 Mean Sum".split())
RESHAPES = frozenset({"Reshape", "Squeeze", "ExpandDims"})
_REDUCTIONS = frozenset({"Mean", "Sum"})
_DIFFERENCES = frozenset({"Sub", "SquaredDifference"})
_LOOKUPS = frozenset({"Gather", "GatherV2", "ResourceGather"})
_CUMULATIVE = frozenset({"Cumsum", "CumulativeLogsumexp"})
"""Ops by which a loss sums up over the examples at risk."""
_MAX_STEPS = 16


def followers(flow: Flow, start: Iterable[int]) -> frozenset[int]:
    """``start``, and what is made of it."""
    return reach(start, flow.consumers)


def reach(start: Iterable[int], steps: Sequence[Iterable[int]]) -> frozenset[int]:
    """``start``, and what ``steps`` lead to from there."""
    waiting = list(start)
    found = set(waiting)
    while waiting:
        fresh = [i for i in steps[waiting.pop()] if i not in found]
        found.update(fresh)
        waiting += fresh
    return frozenset(found)


def find_drawn(flow: Flow) -> frozenset[int]:
    """What a loss makes of classes that it draws: a sampled softmax, noise-contrastive estimation."""
    return followers(flow, flow.having({op for op in flow.by_op if op.endswith("CandidateSampler")}))


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
    differences = (flow.inputs[i] for i in flow.having(_DIFFERENCES) if flow.outside[i])
    pairs = [pair for pair in differences if len(pair) == 2 and not fed.isdisjoint(pair)]
    made = {p for pair in pairs for p in pair if p not in fed and flow.sources[p] & ~FLAGS}
    return frozenset(p for p in made if flow.ops[p] not in _LOOKUPS)


def find_transformed(flow: Flow, forward: Sequence[bool], losses: Iterable[int]) -> frozenset[int]:
    """Of the parts that ``losses`` sum up, the one that is made of all others.

    A normalizing flow maximizes the likelihood of what it makes of an example, and of the steps on the way to it.
    """
    parts = _summed_parts(flow, forward, losses)
    return frozenset(p for p in parts if len(parts) > 1 and parts <= reach([p], flow.inputs))


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


class Joined:
    """Arithmetic that takes a result apart and joins its parts again."""

    def __init__(self, flow: Flow) -> None:
        self.flow = flow
        self.has_risks = not _CUMULATIVE.isdisjoint(flow.by_op)

    def before(self, i: int) -> int | None:
        """The one node that all of node ``i`` is made of, by arithmetic with constants; ``None`` if there is none."""
        return self._narrow(i)[0]

    def before_sum(self, i: int) -> int | None:
        """The risk that node ``i`` compares with the sum of those of all who are left, as Cox's partial likelihood does.

        ``None`` for any other node.
        """
        found, is_cumulative = self._narrow(i) if self.has_risks else (None, False)
        return found if is_cumulative else None

    def _narrow(self, i: int) -> tuple[int | None, bool]:
        """What all of node ``i`` is made of, and whether a sum over examples is among the steps."""
        flow = self.flow
        parts, is_cumulative = {i}, False
        for _ in range(_MAX_STEPS):
            last = max(parts, key=self._places.__getitem__)
            if flow.ops[last] not in FORMS | _CUMULATIVE or flow.has_weight(last):
                break
            parts.remove(last)
            parts |= {p for p in flow.inputs[last] if flow.sources[p]}
            is_cumulative |= flow.ops[last] in _CUMULATIVE
            if len(parts) < 2:
                return next(iter(parts), None), is_cumulative
        return None, False

    @cached_property
    def _places(self) -> Mapping[int, int] | range:
        """Node -> its place in the order."""
        order = self.flow.order
        return order if isinstance(order, range) else {i: place for place, i in enumerate(order)}
