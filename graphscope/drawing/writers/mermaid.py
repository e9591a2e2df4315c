"""A picture as a Mermaid flowchart, which README pages of many sites show. Source: https://mermaid.js.org/syntax/flowchart.html."""

from __future__ import annotations

import re
from collections.abc import Iterator

from graphscope.drawing.colors import Coloring
from graphscope.drawing.flat import flat_edges
from graphscope.drawing.picture import Picture, PlacedBox
from graphscope.drawing.theme import LIGHT


def mermaid(picture: Picture, coloring: Coloring) -> str:
    """The file's text: open scopes are subgraphs."""
    return "\n".join(_lines(picture, coloring)) + "\n"


def _lines(picture: Picture, coloring: Coloring) -> Iterator[str]:
    yield "flowchart TB"
    open_boxes: list[PlacedBox] = []
    for placed in picture.boxes:
        while open_boxes and placed.box.first >= open_boxes[-1].box.end:
            yield f"{'  ' * len(open_boxes)}end"
            open_boxes.pop()
        indent = "  " * (len(open_boxes) + 1)
        if not placed.is_open:
            yield f"{indent}b{placed.box.number}({_text(placed)}):::{coloring.of(placed.box)}"
        elif placed.box.level:
            yield f'{indent}subgraph s{placed.box.number}["{_safe(placed.title)}"]'
            open_boxes.append(placed)
    for depth in range(len(open_boxes), 0, -1):
        yield f"{'  ' * depth}end"
    for edge in flat_edges(picture):
        arrow = "-.->" if edge.is_control else f'-->|"{_safe(edge.text)}"|' if edge.text else "-->"
        yield f"  b{edge.source} {arrow} b{edge.target}"
    used = {coloring.of(placed.box) for placed in picture.boxes if not placed.is_open}
    for name in sorted(used):
        fill, line = LIGHT.boxes[name]
        yield f"  classDef {name} fill:{fill},stroke:{line},color:{LIGHT.ink}"


def _text(placed: PlacedBox) -> str:
    texts = [placed.title, placed.subtitle, *(f"{label} {text}" for label, text in placed.lines)]
    return '"' + "<br/>".join(_safe(text) for text in texts if text) + '"'


def _safe(text: str) -> str:
    """Everything that means something to Mermaid or HTML as an entity, by its number."""
    return re.sub(r"[^\w ×…·?/.,:+=_-]", lambda match: f"#{ord(match[0])};", text)
