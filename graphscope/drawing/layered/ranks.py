"""Assigns rows to boxes: cycles are broken, then every edge leads downwards."""

from __future__ import annotations

from collections.abc import Sequence, Set

Edge = tuple[int, int]
"""Numbers of the boxes at its beginning and its end."""


def back_edges(size: int, edges: Sequence[Edge]) -> list[bool]:
    """For each edge, whether it closes a cycle: a depth-first search meets its end while that is still open.

    The search starts at boxes without inputs, then at the others, in their order; so does the result depend on order alone.
    """
    after: list[list[int]] = [[] for _ in range(size)]
    fed = [False] * size
    for number, (source, target) in enumerate(edges):
        after[source].append(number)
        fed[target] = True
    result = [False] * len(edges)
    state = [0] * size  # 0 unseen, 1 open, 2 closed
    for start in [*(i for i in range(size) if not fed[i]), *range(size)]:
        if state[start]:
            continue
        state[start] = 1
        stack = [(start, 0)]
        while stack:
            box, done = stack.pop()
            if done == len(after[box]):
                state[box] = 2
                continue
            stack.append((box, done + 1))
            number = after[box][done]
            target = edges[number][1]
            if state[target] == 1:
                result[number] = True
            elif state[target] == 0:
                state[target] = 1
                stack.append((target, 0))
    return result


def longest_path(size: int, edges: Sequence[Edge], first: Set[int], last: Set[int]) -> list[int]:
    """The row of each box, 0 at the top: below all that feeds it, and what only feeds others just above them.

    Args:
        edges: without cycles.
        first, last: boxes that have the top and the bottom row for themselves; edges only leave the one and enter the other.
    """
    before: list[list[int]] = [[] for _ in range(size)]
    after: list[list[int]] = [[] for _ in range(size)]
    for source, target in edges:
        after[source].append(target)
        before[target].append(source)
    ranks = [1 if first and i not in first else 0 for i in range(size)]
    order = _sort(before, after)
    for box in order:
        for target in after[box]:
            ranks[target] = max(ranks[target], ranks[box] + 1)
    for box in reversed(order):
        if box not in first and after[box] and len(before[box]) < len(after[box]) + (not before[box]):
            ranks[box] = max(ranks[box], min(ranks[target] for target in after[box]) - 1)
    bottom = max((ranks[i] + 1 for i in range(size) if i not in last), default=0)
    for box in last:
        ranks[box] = bottom
    return ranks


def _sort(before: Sequence[Sequence[int]], after: Sequence[Sequence[int]]) -> list[int]:
    missing = [len(sources) for sources in before]
    order = [i for i, count in enumerate(missing) if not count]
    for box in order:
        for target in after[box]:
            missing[target] -= 1
            if not missing[target]:
                order.append(target)
    return order


def split_wide_rows(ranks: list[int], widths: Sequence[float], widest: float) -> list[int]:
    """The ranks with every row that is wider than ``widest`` cut into several."""
    rows: list[list[int]] = [[] for _ in range(max(ranks, default=-1) + 1)]
    for box, rank in enumerate(ranks):
        rows[rank].append(box)
    result = [0] * len(ranks)
    rank = 0
    for row in rows:
        filled = 0.0
        for box in row:
            if filled and filled + widths[box] > widest:
                rank += 1
                filled = 0.0
            filled += widths[box]
            result[box] = rank
        rank += 1
    return result
