"""From a diagram to a picture: each open scope is laid out separately, innermost first.

``page/layout.js`` does the same for scopes that are opened in the browser.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from graphscope.core.ops.sets import NEXT_ITERATIONS
from graphscope.drawing.boxes import Box
from graphscope.drawing.diagram import Diagram
from graphscope.drawing.layered.layout import ROW_GAP, Layout, lay_out
from graphscope.drawing.links import CONTROL, Source
from graphscope.drawing.measure import SMALL_SIZE, WIDEST_TENSOR, closed_box
from graphscope.drawing.picture import Picture, PlacedBox, PlacedEdge, PlacedText, Point
from graphscope.drawing.texts import fit, width

INSET = 14.0
"""Free space between the frame of an open scope and its contents."""
TITLE_BAR = 30.0
TENSOR_HEIGHT = 15.0
"""Height of a tensor's text below its box."""
APART_GAP = 30.0
APART_TITLE = 22.0
APART_LABEL = "training, saving, watching"
APART_HEIGHT = 360.0
"""Height of a column of training parts, unless the rest is higher."""
STACK_GAP = 10.0
PORT = (10.0, 0.0)
"""Size of a port where a tensor enters or leaves an open scope."""
MAX_PORTS = 10
"""More tensors enter or leave through one port."""
SPREAD = 14.0
"""Greatest distance between two lines that end at one box."""
TOGETHER = -1
"""The key of the shared port."""


@dataclass(slots=True)
class _Inner:
    """The contents of an open scope, relative to its upper left corner.

    Attributes:
        shown: its children, closed or open, with their places; those beside the layout behind the others.
        count: how many of them the layout holds.
        layout: of those and of the ports.
        x, y: where the layout stands.
        tensors: for each pair of ends in the layout what leads from one to the other.
        entries, exits: key of a port -> its number in the layout.
        apart: the column of training parts, if there is one.
    """

    shown: list[PlacedBox]
    count: int
    layout: Layout
    x: float
    y: float
    tensors: dict[tuple[int, int], dict[Source, None]]
    entries: dict[int, int]
    exits: dict[int, int]
    texts: list[str]
    apart: tuple[float, float, float, float] | None = None
    inners: dict[int, _Inner] = field(default_factory=dict)

    def port(self, source: int, ports: dict[int, int]) -> float:
        """The distance of a port from the left side."""
        number = ports.get(source, ports.get(TOGETHER, -1))
        return self.x + self.layout.xs[number] if number >= 0 else 0.0


def arrange(diagram: Diagram, is_open: Callable[[Box], bool], root: Box | None = None) -> Picture:
    """The picture of ``root`` (everything, unless it is named) with the scopes in it that ``is_open`` wants open."""
    return _Arranger(diagram, is_open).picture(root or diagram.root)


class _Arranger:
    def __init__(self, diagram: Diagram, is_open: Callable[[Box], bool]) -> None:
        self.diagram = diagram
        self.is_open = is_open
        self.users: list[list[Source]] = [[] for _ in range(diagram.visible)]
        for target, links in enumerate(diagram.links):
            for source, slot in links:
                self.users[source].append((target, slot))

    def picture(self, root: Box) -> Picture:
        frame, inner = self._opened(root)
        result = Picture(self.diagram, frame.width, frame.height)
        self._place(result, frame, inner)
        return result

    def _place_shown(self, box: Box) -> tuple[PlacedBox, _Inner | None]:
        if box.node < 0 and self.is_open(box):
            return self._opened(box)
        return closed_box(self.diagram, box), None

    def _opened(self, scope: Box) -> tuple[PlacedBox, _Inner]:
        """Lays ``scope`` out; what is open in it first."""
        is_apart = [child.is_outside and not scope.is_outside for child in scope.children]
        main = [child for child, apart in zip(scope.children, is_apart) if not apart]
        aside = [child for child, apart in zip(scope.children, is_apart) if apart]
        made = [self._place_shown(child) for child in (*main, *aside)]
        frame = closed_box(self.diagram, scope)
        inner = self._laid_out(scope, main, [box for box, _ in made])
        inner.inners = {box.box.number: found for box, found in made if found is not None}
        frame.is_open = True
        title = 0.0 if scope is self.diagram.root else TITLE_BAR
        inner.y = TITLE_BAR - ROW_GAP if inner.entries else title + (0.0 if title else INSET)
        right = INSET + inner.layout.width
        bottom = inner.y + inner.layout.height
        if len(inner.shown) > inner.count:
            right, low = _stack(inner, right + (APART_GAP if main else 0.0), title + INSET, bottom)
            bottom = max(bottom, low)
        frame.width = max(right + INSET, frame.width if title else 0.0)
        frame.height = bottom + (0.0 if inner.exits and inner.apart is None else INSET)
        inner.x = INSET if inner.apart else (frame.width - inner.layout.width) / 2
        for number, box in enumerate(inner.shown[: inner.count]):
            box.x = inner.x + inner.layout.xs[number] - box.width / 2
            box.y = inner.y + inner.layout.ys[number]
        return frame, inner

    def _laid_out(self, scope: Box, main: Sequence[Box], shown: list[PlacedBox]) -> _Inner:
        entries: dict[int, int] = {}
        exits: dict[int, int] = {}
        tensors = self._tensors(scope, main, entries, exits)
        texts = self._texts(shown[: len(main)], tensors)
        sizes = [
            (max(box.width, width(text, SMALL_SIZE) + 10.0), box.height + (TENSOR_HEIGHT if text else 0.0))
            for box, text in zip(shown, texts)
        ]
        sizes += [PORT] * (len(entries) + len(exits))
        returning = {number for number, links in enumerate(tensors.values()) if self._is_returning(links)}
        layout = lay_out(sizes, list(tensors), set(entries.values()), set(exits.values()), returning)
        return _Inner(shown, len(main), layout, INSET, 0.0, tensors, entries, exits, texts)

    def _tensors(
        self, scope: Box, main: Sequence[Box], entries: dict[int, int], exits: dict[int, int]
    ) -> dict[tuple[int, int], dict[Source, None]]:
        """The edges between boxes; fills ``entries`` and ``exits`` with the ports."""
        first, end = scope.first, scope.end
        owner = [-1] * (end - first)
        for number, box in enumerate(main):
            owner[box.first - first : box.end - first] = [number] * box.size
        result: dict[tuple[int, int], dict[Source, None]] = {}
        entering: list[tuple[int, int, int]] = []
        leaving: list[tuple[int, int, int]] = []
        links, users = self.diagram.links, self.users
        is_whole = scope.level == 0
        for place in range(first, end):
            target = owner[place - first]
            if target < 0:
                continue
            for source, slot in links[place]:
                if not first <= source < end:
                    entering.append((source, slot, target))
                elif owner[source - first] != target:
                    result.setdefault((owner[source - first], target), {})[source, slot] = None
            if not is_whole:
                leaving += [(place, slot, target) for user, slot in users[place] if not first <= user < end]
        _open_ports(entering, entries, len(main), result, is_entry=True)
        _open_ports(leaving, exits, len(main) + len(entries), result, is_entry=False)
        return result

    def _is_returning(self, links: dict[Source, None]) -> bool:
        """Whether all of them begin the next iteration of a loop."""
        return all(self.diagram.op(source) in NEXT_ITERATIONS for source, _ in links)

    def _texts(self, shown: Sequence[PlacedBox], tensors: dict[tuple[int, int], dict[Source, None]]) -> list[str]:
        """The texts below each closed box: the tensors that leave it."""
        leaving: list[set[Source]] = [set() for _ in shown]
        for (source, _), links in tensors.items():
            if source < len(shown) and not shown[source].is_open:
                leaving[source].update(link for link in links if link[1] != CONTROL)
        return [tensors_text(self.diagram, sorted(found)) for found in leaving]

    def _place(self, result: Picture, frame: PlacedBox, inner: _Inner | None) -> None:
        result.boxes.append(frame)
        if inner is None:
            return
        if inner.apart is not None:
            x, y, wide, high = inner.apart
            result.apart.append((frame.x + x, frame.y + y, wide, high))
        _Lines(frame, inner).write(result)
        for box in inner.shown:
            box.x += frame.x
            box.y += frame.y
        for box, text in zip(inner.shown, inner.texts):
            if text:
                result.texts.append(PlacedText(box.x + box.width / 2, box.y + box.height + 11.0, text, frame.box.level))
        for box in inner.shown:
            self._place(result, box, inner.inners.get(box.box.number))


def tensors_text(diagram: Diagram, tensors: Sequence[Source]) -> str:
    """``float32 ?×10`` for one tensor, ``2 × float32 ?×10`` for several that are alike, else their number."""
    texts = {diagram.outputs[source][slot] if slot < len(diagram.outputs[source]) else "" for source, slot in tensors}
    if not tensors:
        return ""
    only = next(iter(texts)) if len(texts) == 1 else ""
    if len(tensors) == 1:
        return fit(only, SMALL_SIZE, WIDEST_TENSOR)
    return fit(f"{len(tensors)} × {only}", SMALL_SIZE, WIDEST_TENSOR) if only else f"{len(tensors)} tensors"


def _open_ports(
    links: Sequence[tuple[int, int, int]],
    ports: dict[int, int],
    count: int,
    result: dict[tuple[int, int], dict[Source, None]],
    is_entry: bool,
) -> None:
    """Adds a port for each tensor that enters or leaves, or one for all if there are too many."""
    keys = dict.fromkeys(source for source, _, _ in links)
    is_one = len(keys) > MAX_PORTS
    for source, slot, box in links:
        port = ports.setdefault(TOGETHER if is_one else source, count + len(ports))
        result.setdefault((port, box) if is_entry else (box, port), {})[source, slot] = None


def _stack(inner: _Inner, x: float, y: float, bottom: float) -> tuple[float, float]:
    """Puts separate parts into columns from ``x``, ``y``; returns the right and the lower side."""
    low = max(bottom, y + APART_HEIGHT)
    left, wide, top, here = x, 0.0, y + APART_TITLE, y + APART_TITLE
    lowest = here
    for box in inner.shown[inner.count :]:
        if here > top and here + box.height > low:
            left, wide, here = left + wide + STACK_GAP, 0.0, top
        box.x, box.y = left, here
        here += box.height + STACK_GAP
        wide = max(wide, box.width)
        lowest = max(lowest, here - STACK_GAP)
    right = max(left + wide, x + width(APART_LABEL, SMALL_SIZE))
    inner.apart = (x, y, right - x, lowest - y)
    return right, lowest


class _Lines:
    """The lines of one open scope, before its children are moved to their places in the picture."""

    def __init__(self, frame: PlacedBox, inner: _Inner) -> None:
        self.frame = frame
        self.inner = inner
        self.pairs = list(inner.tensors)
        self.ends = self._spread_ends()

    def write(self, result: Picture) -> None:
        for number, pair in enumerate(self.pairs):
            links = self.inner.tensors[pair]
            is_control = all(slot == CONTROL for _, slot in links)
            drawn: dict[tuple[Point, Point], None] = {}
            for source, _ in links:
                drawn[self._start(number, source), self._end(number, source)] = None
            for start, end in drawn:
                points = self._points(number, start, end)
                source_box, target_box = (self._number(end) for end in pair)
                result.edges.append(
                    PlacedEdge(source_box, target_box, points, is_control, self.inner.layout.is_back[number])
                )

    def _number(self, end: int) -> int:
        return self.inner.shown[end].box.number if end < self.inner.count else self.frame.box.number

    def _points(self, number: int, start: Point, end: Point) -> list[Point]:
        dx, dy = self.frame.x, self.frame.y
        bends = [(x + self.inner.x, y + self.inner.y) for x, y in self.inner.layout.bends[number]]
        bends[0] = (start[0], bends[0][1])
        bends[-1] = (end[0], bends[-1][1])
        return [(x + dx, y + dy) for x, y in (start, *bends, end)]

    def _start(self, number: int, source: int) -> Point:
        end = self.pairs[number][0]
        if end >= self.inner.count:
            return self.inner.x + self.inner.layout.xs[end], 0.0
        box = self.inner.shown[end]
        if self.inner.layout.is_back[number]:
            return box.x + box.width / 2, box.y
        within = self.inner.inners.get(box.box.number)
        x = within.port(source, within.exits) if within is not None else box.width / 2
        return box.x + x, box.y + box.height

    def _end(self, number: int, source: int) -> Point:
        end = self.pairs[number][1]
        if end >= self.inner.count:
            return self.inner.x + self.inner.layout.xs[end], self.frame.height
        box = self.inner.shown[end]
        if self.inner.layout.is_back[number]:
            return box.x + box.width / 2, box.y + box.height
        within = self.inner.inners.get(box.box.number)
        if within is not None:
            return box.x + within.port(source, within.entries), box.y
        return self.ends[number], box.y

    def _spread_ends(self) -> dict[int, float]:
        """For each line the place where it ends at a closed box: side by side, in the order in which they come."""
        arriving: dict[int, list[int]] = {}
        for number, (_, end) in enumerate(self.pairs):
            if end < self.inner.count and not self.inner.layout.is_back[number]:
                arriving.setdefault(end, []).append(number)
        result: dict[int, float] = {}
        for end, numbers in arriving.items():
            box = self.inner.shown[end]
            numbers.sort(key=lambda number: self.inner.layout.bends[number][-2][0])
            step = min(SPREAD, 0.6 * box.width / max(1, len(numbers) - 1))
            for place, number in enumerate(numbers):
                result[number] = box.x + box.width / 2 + (place - (len(numbers) - 1) / 2) * step
        return result
