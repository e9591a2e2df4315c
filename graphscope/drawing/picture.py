"""A finished layout: all positions, in pixels from the upper left corner. Input of all writers."""

from __future__ import annotations

from dataclasses import dataclass, field

from graphscope.drawing.boxes import Box
from graphscope.drawing.diagram import Diagram

Point = tuple[float, float]


@dataclass(slots=True)
class PlacedBox:
    """A visible box.

    Attributes:
        box: the box of the diagram.
        x, y, width, height: its frame.
        is_open: whether its contents are shown.
        title, subtitle: its texts; the second one may be empty.
        lines: of a node: what is drawn into it, and its shape or value.
    """

    box: Box
    x: float
    y: float
    width: float
    height: float
    is_open: bool
    title: str
    subtitle: str = ""
    lines: tuple[tuple[str, str], ...] = ()


@dataclass(slots=True)
class PlacedEdge:
    """A line from box to box, or to the frame of the open box that holds them.

    Attributes:
        source, target: numbers of the boxes at its ends; the enclosing open box if it leaves or enters that.
        points: from its beginning to its end: straight down from each even to the next odd point, curved between them.
        is_control: whether it is a control edge.
        is_back: whether it closes a loop and leads upwards.
    """

    source: int
    target: int
    points: list[Point]
    is_control: bool = False
    is_back: bool = False


@dataclass(slots=True)
class PlacedText:
    """A tensor's type and shape below the box that gives it; ``x`` is its middle, ``y`` its base line, ``level`` that of the
    scope in which it stands."""

    x: float
    y: float
    text: str
    level: int = 0


@dataclass(slots=True)
class Picture:
    """Boxes, each after its contents, lines and texts.

    Attributes:
        diagram: the diagram that it shows.
        width, height: in pixels.
        apart: upper left corners of the columns in which training parts stand, with the width of each.
    """

    diagram: Diagram
    width: float = 0.0
    height: float = 0.0
    boxes: list[PlacedBox] = field(default_factory=list)
    edges: list[PlacedEdge] = field(default_factory=list)
    texts: list[PlacedText] = field(default_factory=list)
    apart: list[tuple[float, float, float, float]] = field(default_factory=list)
