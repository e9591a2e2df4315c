"""The texts and size of a closed box. ``page/layout.js`` measures the same way."""

from __future__ import annotations

from graphscope.core.units import short_count
from graphscope.drawing.boxes import Box
from graphscope.drawing.diagram import Diagram
from graphscope.drawing.picture import PlacedBox
from graphscope.drawing.texts import fit, width

TITLE_SIZE, SMALL_SIZE = 12.0, 10.0
WIDEST_TITLE, WIDEST_LINE, WIDEST_TENSOR = 230.0, 120.0, 240.0
PAD, LEAST = 11.0, 58.0
TITLE_HEIGHT, SUBTITLE_HEIGHT, LINE_HEIGHT, LINES_PAD = 26.0, 13.0, 14.0, 8.0
COLUMN_GAP = 12.0


def closed_box(diagram: Diagram, box: Box) -> PlacedBox:
    """The box at the origin, with its texts and its size."""
    title = fit(box.label or diagram.title, TITLE_SIZE, WIDEST_TITLE, True)
    lines: tuple[tuple[str, str], ...] = ()
    if box.node >= 0:
        subtitle = _op_text(diagram.op(box.first), box.label)
        lines = tuple(
            (fit(label, SMALL_SIZE, WIDEST_LINE), fit(text, SMALL_SIZE, WIDEST_LINE))
            for label, text in diagram.lines[box.first]
        )
    else:
        subtitle = _content_text(diagram, box)
    texts = [width(title, TITLE_SIZE, True), width(subtitle, SMALL_SIZE)]
    texts += [width(label, SMALL_SIZE) + COLUMN_GAP + width(text, SMALL_SIZE) for label, text in lines]
    height = TITLE_HEIGHT + (SUBTITLE_HEIGHT if subtitle else 0.0)
    height += len(lines) * LINE_HEIGHT + LINES_PAD if lines else 0.0
    return PlacedBox(box, 0.0, 0.0, max(LEAST, max(texts) + 2 * PAD), height, False, title, subtitle, lines)


def _op_text(op: str, label: str) -> str:
    """The op, unless the name contains it already: ``Relu_3``."""
    said = label.strip("()").rpartition("/")[2].rstrip("0123456789").rstrip("_").lower()
    return "" if said == op.lower() else fit(op, SMALL_SIZE, WIDEST_TITLE)


def _content_text(diagram: Diagram, box: Box) -> str:
    nodes = "1 node" if box.size == 1 else f"{box.size:,} nodes"
    parameters = diagram.parameters_in(box)
    if box.is_series:
        nodes = f"×{len(box.children):,}  ·  {nodes}"
    return f"{nodes}  ·  {short_count(parameters)} parameters" if parameters else nodes
