"""The order within each row: barycenter sweeps; the order with the fewest crossings is kept.

Source: Sugiyama, Tagawa and Toda, "Methods for visual understanding of hierarchical system structures" (1981); crossings are
counted as in Barth, Juenger and Mutzel, "Simple and efficient bilayer cross counting" (2002).
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

Links = Sequence[Sequence[int]]
"""For each place, its neighbors in the next or previous row."""

SWEEPS = 12
PATIENCE = 4
"""Maximum number of consecutive sweeps without improvement."""


def order_rows(ranks: Sequence[int], before: Links, after: Links) -> list[list[int]]:
    """The places of each row from left to right."""
    rows = _initial(ranks, after)
    best = [list(row) for row in rows]
    fewest = crossings(rows, after)
    waited = 0
    for sweep in range(SWEEPS):
        if not fewest or waited == PATIENCE:
            break
        _sweep(rows, before if sweep % 2 == 0 else after, is_down=sweep % 2 == 0)
        found = crossings(rows, after)
        waited += 1
        if found < fewest:
            fewest, waited = found, 0
            best = [list(row) for row in rows]
    return best


def _initial(ranks: Sequence[int], after: Links) -> list[list[int]]:
    """In the order of a depth-first search from the top, which keeps related boxes together."""
    rows: list[list[int]] = [[] for _ in range(max(ranks, default=-1) + 1)]
    seen = [False] * len(ranks)
    for start in sorted(range(len(ranks)), key=lambda i: ranks[i]):
        stack = [start]
        while stack:
            place = stack.pop()
            if not seen[place]:
                seen[place] = True
                rows[ranks[place]].append(place)
                stack.extend(reversed(after[place]))
    return rows


def _sweep(rows: list[list[int]], links: Links, is_down: bool) -> None:
    """Sorts each row by the mean position of its neighbors in the previous row; places without neighbors stay."""
    position: dict[int, int] = {}
    for row in rows if is_down else reversed(rows):
        keys = {}
        for here, place in enumerate(row):
            linked = links[place]
            keys[place] = sum(position[i] for i in linked) / len(linked) if linked else here
        row.sort(key=keys.__getitem__)
        position = {place: here for here, place in enumerate(row)}


def crossings(rows: Sequence[Sequence[int]], after: Links) -> int:
    """The number of pairs of edges that cross."""
    return sum(_between(upper, lower, after) for upper, lower in pairwise(rows))


def _between(upper: Sequence[int], lower: Sequence[int], after: Links) -> int:
    position = {place: here for here, place in enumerate(lower)}
    ends = [end for place in upper for end in sorted(position[i] for i in after[place])]
    base = 1
    while base < len(lower):
        base *= 2
    tree = [0] * (2 * base)
    total = 0
    for end in ends:
        node = end + base
        tree[node] += 1
        while node > 1:
            if node % 2 == 0:
                total += tree[node + 1]
            node //= 2
            tree[node] += 1
    return total
