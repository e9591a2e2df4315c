"""A picture for Graphviz, which does its own layout. Source: https://graphviz.org/doc/info/lang.html."""

from __future__ import annotations

from collections.abc import Iterator

from graphscope.core.hostile import escape
from graphscope.drawing.colors import Coloring
from graphscope.drawing.flat import flat_edges
from graphscope.drawing.picture import Picture, PlacedBox
from graphscope.drawing.theme import LIGHT


def dot(picture: Picture, coloring: Coloring) -> str:
    """The file's text: open scopes are clusters."""
    return "\n".join(_lines(picture, coloring)) + "\n"


def _lines(picture: Picture, coloring: Coloring) -> Iterator[str]:
    yield f"digraph {_quote(escape(picture.diagram.title))} {{"
    yield '  node [shape=box, style="rounded,filled", fontname="Helvetica", fontsize=11, penwidth=1.2];'
    yield f'  edge [fontname="Helvetica", fontsize=9, color="{LIGHT.edge}", fontcolor="{LIGHT.faint}"];'
    open_boxes: list[PlacedBox] = []
    for placed in picture.boxes:
        while open_boxes and placed.box.first >= open_boxes[-1].box.end:
            yield f"{'  ' * len(open_boxes)}}}"
            open_boxes.pop()
        indent = "  " * (len(open_boxes) + 1)
        if not placed.is_open:
            yield indent + _node(placed, coloring)
        elif placed.box.level:
            yield f"{indent}subgraph cluster_{placed.box.number} {{"
            yield f'{indent}  label={_quote(placed.title)}; color="{LIGHT.scope_line}"; fontname="Helvetica"; fontsize=11;'
            open_boxes.append(placed)
    for depth in range(len(open_boxes), 0, -1):
        yield f"{'  ' * depth}}}"
    for edge in flat_edges(picture):
        style = "style=dotted" if edge.is_control else f"label={_quote(edge.text)}"
        yield f"  b{edge.source} -> b{edge.target} [{style}];"
    yield "}"


def _node(placed: PlacedBox, coloring: Coloring) -> str:
    fill, line = LIGHT.boxes[coloring.of(placed.box)]
    texts = [placed.title, placed.subtitle, *(f"{label} {text}" for label, text in placed.lines)]
    label = r"\n".join(_escape(text) for text in texts if text)
    return f'b{placed.box.number} [label="{label}", fillcolor="{fill}", color="{line}"];'


def _quote(text: str) -> str:
    return f'"{_escape(text)}"'


def _escape(text: str) -> str:
    return text.replace("\\", "\\\\").replace('"', '\\"')
