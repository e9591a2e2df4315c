"""Boxes and edges of one scope to positions: connected parts by rows, all parts side by side like words on lines.

``page/layout.js`` is the same algorithm, step by step, for scopes that are opened in the browser; a test compares both.
"""

from __future__ import annotations

from collections.abc import Sequence, Set
from dataclasses import dataclass
from itertools import pairwise

from graphscope.drawing.layered.coordinates import assign
from graphscope.drawing.layered.order import order_rows
from graphscope.drawing.layered.ranks import Edge, back_edges, longest_path, split_wide_rows

GAP = 22.0
"""Free space between boxes of a row."""
ROW_GAP = 30.0
"""Free space between two rows; more where an edge leads far to the side."""
BEND = 6.0
"""The width that a long edge takes in each row that it passes."""
WIDEST = 1500.0
"""Wider rows are split."""
MAX_BENDS = 20_000
"""The maximum for a connected part; further edges, the longest ones, are drawn straight."""
PARTS_GAP = 34.0
"""Free space between parts that are not connected."""

Point = tuple[float, float]


@dataclass(slots=True)
class Layout:
    """The positions of boxes and edges. The origin is the upper left corner.

    Attributes:
        xs, ys: the middle of each box, and its upper side.
        bends: for each edge the points at which it enters and leaves rows on its way, from its beginning to its end.
        is_back: for each edge, whether it leads upwards, as the one that closes a loop does.
        width, height: of all.
    """

    xs: list[float]
    ys: list[float]
    bends: list[list[Point]]
    is_back: list[bool]
    width: float
    height: float


def lay_out(
    sizes: Sequence[tuple[float, float]],
    edges: Sequence[Edge],
    first: Set[int] = frozenset(),
    last: Set[int] = frozenset(),
    returning: Set[int] = frozenset(),
) -> Layout:
    """Lays out boxes of the given widths and heights.

    Args:
        edges: each pair at most once, none from a box to itself.
        first, last: boxes that have the top and the bottom row for themselves; edges only leave the one and enter the other.
        returning: numbers of edges that are known to close loops.
    """
    result = Layout([0.0] * len(sizes), [0.0] * len(sizes), [[] for _ in edges], [False] * len(edges), 0.0, 0.0)
    parts = [
        _Part(boxes, numbers, sizes, edges, first, last, returning)
        for boxes, numbers in _parts(len(sizes), edges, first | last)
    ]
    for number, (part, (x, y)) in enumerate(zip(parts, _pack(parts, result))):
        part.write(result, x, y if number == 0 or not first else y + ROW_GAP)
    result.height += ROW_GAP if first and len(parts) > 1 else 0.0
    return result


def _parts(size: int, edges: Sequence[Edge], together: Set[int]) -> list[tuple[list[int], list[int]]]:
    """The connected parts: boxes and numbers of edges. Those of ``together`` count as connected."""
    parent = list(range(size))

    def find(box: int) -> int:
        while parent[box] != box:
            parent[box] = parent[parent[box]]
            box = parent[box]
        return box

    links = list(edges)
    ends = sorted(together)
    links += pairwise(ends)
    for source, target in links:
        one, other = find(source), find(target)
        if one != other:
            parent[max(one, other)] = min(one, other)
    boxes: dict[int, tuple[list[int], list[int]]] = {}
    for box in range(size):
        boxes.setdefault(find(box), ([], []))[0].append(box)
    for number, (source, _) in enumerate(edges):
        boxes[find(source)][1].append(number)
    held = find(ends[0]) if ends else -1
    return sorted(boxes.values(), key=lambda part: (find(part[0][0]) != held, -len(part[0]), part[0][0]))


def _pack(parts: Sequence[_Part], result: Layout) -> list[Point]:
    """The corner of each part: in lines whose width makes the whole slightly wider than high."""
    area = sum((part.width + PARTS_GAP) * (part.height + PARTS_GAP) for part in parts)
    limit = max([part.width for part in parts] + [(1.6 * area) ** 0.5])
    corners: list[Point] = []
    x = y = line = 0.0
    for part in parts:
        gap = GAP if part.height < 60 and x else PARTS_GAP if x else 0.0
        if x and x + gap + part.width > limit:
            y += line + PARTS_GAP
            x = line = gap = 0.0
        corners.append((x + gap, y))
        x += gap + part.width
        line = max(line, part.height)
        result.width = max(result.width, x)
    result.height = y + line
    return corners


class _Part:
    """A connected part, laid out by itself."""

    def __init__(
        self,
        boxes: list[int],
        numbers: list[int],
        sizes: Sequence[tuple[float, float]],
        edges: Sequence[Edge],
        first: Set[int],
        last: Set[int],
        returning: Set[int],
    ) -> None:
        self.boxes = boxes
        self.numbers = numbers
        place = {box: here for here, box in enumerate(boxes)}
        own = [(place[edges[i][0]], place[edges[i][1]]) for i in numbers]
        self.widths = [sizes[box][0] for box in boxes]
        self.heights = [sizes[box][1] for box in boxes]
        known = [number in returning for number in numbers]
        turned = [(target, source) if is_known else (source, target) for (source, target), is_known in zip(own, known)]
        self.is_back = [found != is_known for found, is_known in zip(back_edges(len(boxes), turned), known)]
        self.ends = [
            (target, source) if back else (source, target) for (source, target), back in zip(own, self.is_back)
        ]
        ranks = longest_path(
            len(boxes), self.ends, {place[b] for b in boxes if b in first}, {place[b] for b in boxes if b in last}
        )
        self.ranks = split_wide_rows(ranks, [w + GAP for w in self.widths], WIDEST)
        self._lay_out()

    def _lay_out(self) -> None:
        count = len(self.boxes)
        before: list[list[int]] = [[] for _ in range(count)]
        after: list[list[int]] = [[] for _ in range(count)]
        self.chains = self._chains(before, after)
        is_bend = [place >= count for place in range(len(before))]
        self.widths += [BEND] * (len(before) - count)
        self.heights += [0.0] * (len(before) - count)
        rows = order_rows(self.ranks, before, after)
        xs = assign(rows, before, after, self.widths, is_bend, GAP)
        left = min(x - w / 2 for x, w in zip(xs, self.widths))
        self.xs = [x - left for x in xs]
        self.width = max(x + w / 2 for x, w in zip(self.xs, self.widths))
        self._rows(rows, after)

    def _chains(self, before: list[list[int]], after: list[list[int]]) -> list[list[int]]:
        """For each edge the places of its bends, downwards; edges that leave a box together share them."""
        spans = sorted(range(len(self.ends)), key=lambda i: self._span(i))
        known: dict[tuple[int, bool, int], int] = {}
        chains: list[list[int]] = [[] for _ in self.ends]
        left = MAX_BENDS
        linked = set()
        for number in spans:
            source, target = self.ends[number]
            if self._span(number) > left:
                continue
            here = source
            for rank in range(self.ranks[source] + 1, self.ranks[target]):
                key = (source, self.is_back[number], rank)
                bend = known.get(key)
                if bend is None:
                    bend = known[key] = len(self.ranks)
                    self.ranks.append(rank)
                    before.append([here])
                    after.append([])
                    after[here].append(bend)
                    left -= 1
                chains[number].append(bend)
                here = bend
            if (here, target) not in linked:
                linked.add((here, target))
                after[here].append(target)
                before[target].append(here)
        return chains

    def _span(self, number: int) -> int:
        source, target = self.ends[number]
        return self.ranks[target] - self.ranks[source]

    def _rows(self, rows: Sequence[Sequence[int]], after: Sequence[Sequence[int]]) -> None:
        """Fills ``tops`` and ``bottoms``, the upper and lower side of each row."""
        self.tops: list[float] = []
        self.bottoms: list[float] = []
        y = 0.0
        for row in rows:
            self.tops.append(y)
            y += max(self.heights[place] for place in row)
            self.bottoms.append(y)
            aside = max((abs(self.xs[i] - self.xs[place]) for place in row for i in after[place]), default=0.0)
            y += ROW_GAP + min(60.0, aside * 0.06)
        self.height = self.bottoms[-1]

    def write(self, result: Layout, x: float, y: float) -> None:
        """Writes into ``result`` with the corner at ``x``, ``y``."""
        for place, box in enumerate(self.boxes):
            rank = self.ranks[place]
            result.xs[box] = x + self.xs[place]
            result.ys[box] = y + self.tops[rank]
        for number, edge in enumerate(self.numbers):
            result.is_back[edge] = self.is_back[number]
            points = self._bends(number, x, y)
            result.bends[edge] = points[::-1] if self.is_back[number] else points

    def _bends(self, number: int, x: float, y: float) -> list[Point]:
        """Downwards: out of the row of the beginning, through each row between, into that of the end."""
        source, target = self.ends[number]
        points = [(x + self.xs[source], y + self.bottoms[self.ranks[source]])]
        for bend in self.chains[number]:
            rank = self.ranks[bend]
            points += [(x + self.xs[bend], y + self.tops[rank]), (x + self.xs[bend], y + self.bottoms[rank])]
        return [*points, (x + self.xs[target], y + self.tops[self.ranks[target]])]
