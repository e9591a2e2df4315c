"""What must be true of every picture: nothing overlaps, nothing leaves its frame, every line ends at a box."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import pairwise

from graphscope.drawing.picture import Picture, PlacedBox

TINY = 0.01


def faults(picture: Picture) -> list[str]:
    """What is wrong with the places of boxes and lines; empty if nothing is."""
    return [*_of_boxes(picture), *_of_edges(picture)]


def _of_boxes(picture: Picture) -> Iterator[str]:
    shown = {placed.box.number: placed for placed in picture.boxes}
    for placed in picture.boxes:
        if not placed.is_open:
            continue
        inner = [shown[child.number] for child in placed.box.children]
        yield from (f"{box.title} leaves {placed.title}" for box in inner if not _holds(placed, box))
        inner.sort(key=lambda box: box.x)
        for place, one in enumerate(inner):
            for other in inner[place + 1 :]:
                if other.x >= one.x + one.width - TINY:
                    break
                if one.y < other.y + other.height - TINY and other.y < one.y + one.height - TINY:
                    yield f"{one.title} and {other.title} overlap in {placed.title}"


def _holds(outer: PlacedBox, inner: PlacedBox) -> bool:
    return (
        inner.x >= outer.x - TINY
        and inner.y >= outer.y - TINY
        and inner.x + inner.width <= outer.x + outer.width + TINY
        and inner.y + inner.height <= outer.y + outer.height + TINY
    )


def _of_edges(picture: Picture) -> Iterator[str]:
    shown = {placed.box.number: placed for placed in picture.boxes}
    for edge in picture.edges:
        for number, (x, y) in ((edge.source, edge.points[0]), (edge.target, edge.points[-1])):
            box = shown[number]
            on_side = min(abs(y - box.y), abs(y - box.y - box.height)) < TINY
            if not on_side or not box.x - TINY <= x <= box.x + box.width + TINY:
                yield f"a line ends beside {box.title}"
        ys = [y for _, y in edge.points]
        if not edge.is_back and any(after < before - TINY for before, after in pairwise(ys)):
            yield f"a line to {shown[edge.target].title} turns back"
