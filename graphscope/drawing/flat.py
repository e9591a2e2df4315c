"""The edges of a picture without positions: from closed box to closed box, through the frames of open scopes."""

from __future__ import annotations

from dataclasses import dataclass

from graphscope.drawing.arrange import tensors_text
from graphscope.drawing.links import CONTROL, Source
from graphscope.drawing.picture import Picture


@dataclass(frozen=True, slots=True)
class FlatEdge:
    """An edge from one closed box to another.

    Attributes:
        source, target: numbers of the boxes.
        text: type and shape of the tensor, or the number of tensors; empty for a control edge.
        is_control: whether it is a control edge.
    """

    source: int
    target: int
    text: str
    is_control: bool


def flat_edges(picture: Picture) -> list[FlatEdge]:
    """The edges, in the order of their targets."""
    diagram = picture.diagram
    owner = [-1] * diagram.visible
    apart = {placed.box.number for placed in picture.boxes if placed.box.is_outside}
    for placed in picture.boxes:
        if not placed.is_open:
            owner[placed.box.first : placed.box.end] = [placed.box.number] * placed.box.size
    links: dict[tuple[int, int], dict[Source, None]] = {}
    for place, found in enumerate(diagram.links):
        target = owner[place]
        for source, slot in found:
            origin = owner[source]
            if origin != target and min(origin, target) >= 0 and not (origin in apart and not diagram.root.is_outside):
                links.setdefault((origin, target), {})[source, slot] = None
    return [_edge(picture, pair, list(found)) for pair, found in links.items()]


def _edge(picture: Picture, pair: tuple[int, int], links: list[Source]) -> FlatEdge:
    tensors = sorted(link for link in links if link[1] != CONTROL)
    return FlatEdge(*pair, tensors_text(picture.diagram, tensors), not tensors)
