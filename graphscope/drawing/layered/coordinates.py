"""Horizontal positions: neighbors are aligned vertically where possible.

Source: Brandes and Koepf, "Fast and simple horizontal coordinate assignment" (2001), with the compaction over the graph of
blocks that needs no classes: each block is put as far left as those left of it let it, then as near to those right of it.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from itertools import pairwise

Rows = Sequence[Sequence[int]]
Links = Sequence[Sequence[int]]
Distance = Callable[[int, int], float]
"""The minimum distance between the centers of two neighbors in a row."""


def assign(
    rows: Rows, before: Links, after: Links, widths: Sequence[float], is_bend: Sequence[bool], gap: float
) -> list[float]:
    """The middle of each place: the mean of the two medians of four extreme layouts.

    Args:
        rows: the places of each row, from left to right.
        before, after: the neighbors of each place in the rows above and below.
        is_bend: whether a place is only a bend of a long edge: those are kept straight and may stand closer together.
        gap: least free space between two boxes; half of that at bends.
    """

    def distance(left: int, right: int) -> float:
        return (widths[left] + widths[right]) / 2 + (gap / 2 if is_bend[left] or is_bend[right] else gap)

    conflicts = _conflicts(rows, before, is_bend)
    layouts = []
    for is_down in (True, False):
        for is_left in (True, False):
            turned = rows if is_down else rows[::-1]
            turned = turned if is_left else [row[::-1] for row in turned]
            root = _align(turned, before if is_down else after, conflicts, len(widths))
            xs = _compact(turned, root, distance)
            layouts.append(xs if is_left else [-x for x in xs])
    return _balance(layouts, widths)


def _conflicts(rows: Rows, before: Links, is_bend: Sequence[bool]) -> set[tuple[int, int]]:
    """Pairs of places whose edge crosses a straight part of a long edge, or leaves it: it is the one that bends."""
    result = set()
    for upper, lower in pairwise(rows):
        going_on = {source for place in lower if is_bend[place] for source in before[place] if is_bend[source]}
        result |= {(s, place) for place in lower if not is_bend[place] for s in before[place] if s in going_on}
        position = {place: here for here, place in enumerate(upper)}
        left, scanned = 0, 0
        for here, place in enumerate(lower):
            inner = next((i for i in before[place] if is_bend[i]), None) if is_bend[place] else None
            if inner is None and here + 1 < len(lower):
                continue
            right = len(upper) - 1 if inner is None else position[inner]
            for other in lower[scanned : here + 1]:
                for source in before[other]:
                    if not left <= position[source] <= right and not (is_bend[source] and is_bend[other]):
                        result.add((source, other))
            scanned, left = here + 1, right
    return result


def _align(rows: Rows, links: Links, conflicts: set[tuple[int, int]], size: int) -> list[int]:
    """For each place the first of its block: places that get the same position."""
    root = list(range(size))
    next_ = list(range(size))
    position = [0] * size
    for row in rows:
        for here, place in enumerate(row):
            position[place] = here
        reached = -1
        for place in row:
            linked = sorted(links[place], key=position.__getitem__)
            middle = (len(linked) - 1) / 2
            for i in range(int(middle), int(middle + 0.5) + 1) if linked else ():
                other = linked[i]
                if next_[place] == place and reached < position[other] and not _is_conflict(conflicts, place, other):
                    next_[other] = place
                    root[place] = root[other]
                    next_[place] = root[place]
                    reached = position[other]
    return root


def _is_conflict(conflicts: set[tuple[int, int]], one: int, other: int) -> bool:
    return (one, other) in conflicts or (other, one) in conflicts


def _compact(rows: Rows, root: Sequence[int], distance: Distance) -> list[float]:
    """The position of each place for blocks that are pushed to the left."""
    after: dict[int, dict[int, float]] = {root[place]: {} for row in rows for place in row}
    missing = dict.fromkeys(after, 0)
    for row in rows:
        for left, right in pairwise(row):
            one, other = root[left], root[right]
            known = after[one].get(other)
            missing[other] += known is None
            after[one][other] = max(known or 0.0, distance(left, right))
    order = [block for block, count in missing.items() if not count]
    xs = dict.fromkeys(after, 0.0)
    for block in order:
        for other, least in after[block].items():
            xs[other] = max(xs[other], xs[block] + least)
            missing[other] -= 1
            if not missing[other]:
                order.append(other)
    for block in reversed(order):
        if after[block]:
            xs[block] = max(xs[block], min(xs[other] - least for other, least in after[block].items()))
    return [xs[root[place]] for place in range(len(root))]


def _balance(layouts: Sequence[list[float]], widths: Sequence[float]) -> list[float]:
    bounds = [
        (min(x - w / 2 for x, w in zip(xs, widths)), max(x + w / 2 for x, w in zip(xs, widths))) for xs in layouts
    ]
    low, high = min(bounds, key=lambda bound: bound[1] - bound[0])
    shifts = [low - bound[0] if number % 2 == 0 else high - bound[1] for number, bound in enumerate(bounds)]
    result = []
    for place in range(len(widths)):
        values = sorted(xs[place] + shift for xs, shift in zip(layouts, shifts))
        result.append((values[1] + values[2]) / 2)
    return result
