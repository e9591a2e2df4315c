"""The effect of a transform: the number of nodes by op."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass

from graphscope.core.graph import Graph


@dataclass(frozen=True, slots=True)
class OpChange:
    """The number of nodes of an op, before and after."""

    op: str
    before: int
    after: int


def op_changes(before: Graph, after: Graph) -> list[OpChange]:
    """The ops whose number of nodes differs (in the graph itself), the largest difference first."""
    old, new = Counter(before.ops), Counter(after.ops)
    changed = [OpChange(op, old[op], new[op]) for op in old | new if old[op] != new[op]]
    return sorted(changed, key=lambda change: (-abs(change.after - change.before), change.op))
