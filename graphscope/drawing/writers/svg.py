"""A picture as SVG: one file, no scripts, deterministic, light or dark as the viewer's system."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from graphscope.core.hostile import escape
from graphscope.drawing.arrange import APART_LABEL
from graphscope.drawing.colors import PLAIN, Coloring
from graphscope.drawing.measure import (
    LINE_HEIGHT,
    LINES_PAD,
    PAD,
    SMALL_SIZE,
    SUBTITLE_HEIGHT,
    TITLE_HEIGHT,
    TITLE_SIZE,
)
from graphscope.drawing.picture import Picture, PlacedBox, PlacedEdge, PlacedText, Point
from graphscope.drawing.texts import FONT, fit, width
from graphscope.drawing.theme import DARK, LIGHT, rules

MARGIN = 20.0
HEAD = 34.0
LEGEND_ROW = 22.0
LEGEND_GAP = 18.0
SWATCH = 13.0
ROUND, ROUND_SCOPE = 6, 9
LEAST_WIDTH = 360.0
WIDEST_LABEL = 300.0


def svg(picture: Picture, coloring: Coloring, is_dark: bool | None = None) -> str:
    """The file's text.

    Args:
        is_dark: the only theme; ``None`` includes both, and the viewer's system chooses.
    """
    return "\n".join(_Writer(picture, coloring).lines(is_dark)) + "\n"


class _Writer:
    def __init__(self, picture: Picture, coloring: Coloring) -> None:
        self.picture = picture
        self.coloring = coloring
        self.width = max(picture.width, LEAST_WIDTH) + 2 * MARGIN
        self.rows = _legend_rows(coloring, self.width - 2 * MARGIN)
        self.top = MARGIN + HEAD

    def lines(self, is_dark: bool | None) -> Iterator[str]:
        height = self.top + self.picture.height + LEGEND_ROW * len(self.rows) + 2 * MARGIN
        title = escape(self.picture.diagram.title)
        yield (
            f'<svg xmlns="http://www.w3.org/2000/svg" width="{_n(self.width)}" height="{_n(height)}" '
            f'viewBox="0 0 {_n(self.width)} {_n(height)}" role="img" font-family="{FONT}">'
        )
        yield f"<title>{xml(title)}</title>"
        yield f"<style>\n{styles(is_dark)}</style>"
        yield f"<defs>{_arrow('a', 'tip')}{_arrow('b', 'loop-tip')}</defs>"
        yield f'<rect class="paper" width="{_n(self.width)}" height="{_n(height)}"/>'
        yield _text(MARGIN, MARGIN + 14, fit(title, 15, self.width - 2 * MARGIN, True), "name", 15, is_bold=True)
        left = MARGIN + max(0.0, (LEAST_WIDTH - self.picture.width) / 2)
        yield f'<g transform="translate({_n(left)} {_n(self.top)})">'
        yield from self._content()
        yield "</g>"
        yield from self._legend(self.top + self.picture.height + MARGIN)
        yield "</svg>"

    def _content(self) -> Iterator[str]:
        yield from (self._open_box(box) for box in self.picture.boxes if box.is_open and box.box.level)
        for x, y, wide, high in self.picture.apart:
            frame = f'x="{_n(x - 10)}" y="{_n(y - 4)}" width="{_n(wide + 20)}" height="{_n(high + 14)}"'
            yield f'<rect class="apart" {frame} rx="8"/>'
            yield _text(x, y + 10, APART_LABEL, "small", SMALL_SIZE)
        closed = {box.box.number for box in self.picture.boxes if not box.is_open}
        yield from (_edge(edge, edge.target in closed) for edge in self.picture.edges)
        yield from map(_tensor, self.picture.texts)
        yield from (self._closed_box(box) for box in self.picture.boxes if not box.is_open)
        for box in self.picture.boxes:
            if box.is_open and box.box.level:
                yield _text(
                    box.x + 12, box.y + 18, box.title, f"title {_halo(box.box.level)}", TITLE_SIZE, is_bold=True
                )

    def _open_box(self, box: PlacedBox) -> str:
        shade = (box.box.level - 1) % len(LIGHT.scopes)
        return f'<rect class="open s{shade}" {_frame(box)} rx="{ROUND_SCOPE}"/>'

    def _closed_box(self, box: PlacedBox) -> str:
        color = self.coloring.of(box.box)
        is_scope = box.box.node < 0
        kind = f"box {color}" + (" scope" if is_scope and color == PLAIN else "")
        parts = [f"<title>{xml(escape(box.box.name or box.title))}</title>"]
        if box.box.is_series:
            parts += [f'<rect class="{kind}" {_frame(box, shift)} rx="{ROUND_SCOPE}"/>' for shift in (6.0, 3.0)]
        parts.append(f'<rect class="{kind}" {_frame(box)} rx="{ROUND_SCOPE if is_scope else ROUND}"/>')
        middle = box.x + box.width / 2
        parts.append(_text(middle, box.y + 17, box.title, "title mid", TITLE_SIZE, is_bold=True))
        y = box.y + TITLE_HEIGHT
        if box.subtitle:
            parts.append(_text(middle, y + 4, box.subtitle, "small mid", SMALL_SIZE))
            y += SUBTITLE_HEIGHT
        if box.lines:
            parts.append(f'<path class="rule" d="M{_n(box.x)} {_n(y)}H{_n(box.x + box.width)}"/>')
            y += LINES_PAD / 2
        for label, text in box.lines:
            parts.append(_text(box.x + PAD, y + 10, label, "small", SMALL_SIZE))
            parts.append(_text(box.x + box.width - PAD, y + 10, text, "small end", SMALL_SIZE))
            y += LINE_HEIGHT
        return "<g>" + "".join(parts) + "</g>"

    def _legend(self, y: float) -> Iterator[str]:
        for row in self.rows:
            x = MARGIN
            for color, label in row:
                wide = width(label, SMALL_SIZE)
                if color:
                    frame = f'x="{_n(x)}" y="{_n(y)}" width="{_n(SWATCH)}" height="{_n(SWATCH)}"'
                    yield f'<rect class="box {color}" {frame} rx="3"/>'
                    x += SWATCH + 5
                yield _text(x, y + 10, label, "small", SMALL_SIZE)
                x += wide + LEGEND_GAP
            y += LEGEND_ROW


def _legend_rows(coloring: Coloring, widest: float) -> list[list[tuple[str, str]]]:
    rows: list[list[tuple[str, str]]] = [[("", coloring.title)]]
    used = width(coloring.title, SMALL_SIZE) + LEGEND_GAP
    for swatch in coloring.legend:
        label = fit(swatch.label, SMALL_SIZE, WIDEST_LABEL)
        wide = SWATCH + 5 + width(label, SMALL_SIZE) + LEGEND_GAP
        if used + wide > widest:
            rows.append([])
            used = 0.0
        rows[-1].append((swatch.color, label))
        used += wide
    return rows


def _edge(edge: PlacedEdge, has_tip: bool) -> str:
    kind = "loop" if edge.is_back else "control" if edge.is_control else "edge"
    mark = f' marker-end="url(#{"b" if edge.is_back else "a"})"' if has_tip else ""
    return f'<path class="{kind}" d="{path(edge.points)}"{mark}/>'


def path(points: Sequence[Point]) -> str:
    """Straight from each even to the next odd point, with a curve between those."""
    parts = [f"M{_n(points[0][0])} {_n(points[0][1])}"]
    for place in range(1, len(points)):
        (x, y), (before_x, before_y) = points[place], points[place - 1]
        if abs(x - before_x) < 0.05 and abs(y - before_y) < 0.05:
            continue
        if place % 2 or abs(x - before_x) < 0.05:
            parts.append(f"L{_n(x)} {_n(y)}")
        else:
            middle = _n((y + before_y) / 2)
            parts.append(f"C{_n(before_x)} {middle} {_n(x)} {middle} {_n(x)} {_n(y)}")
    return "".join(parts)


def _tensor(text: PlacedText) -> str:
    return _text(text.x, text.y, text.text, f"tensor {_halo(text.level)} mid", SMALL_SIZE)


def _halo(level: int) -> str:
    """The class of a text that covers the lines behind it, in a scope of this level."""
    return f"halo t{(level - 1) % len(LIGHT.scopes)}" if level else "halo"


def _text(x: float, y: float, text: str, kind: str, size: float, is_bold: bool = False) -> str:
    """A text with an explicit length, so that it fits in any font."""
    if not text:
        return ""
    place = f'x="{_n(x)}" y="{_n(y)}" textLength="{_n(width(text, size, is_bold))}"'
    return f'<text class="{kind}" {place} lengthAdjust="spacingAndGlyphs">{xml(text)}</text>'


def _frame(box: PlacedBox, shift: float = 0.0) -> str:
    """The frame of a box, or of one behind it, offset to the right."""
    height = box.height - 2 * shift
    return f'x="{_n(box.x + shift)}" y="{_n(box.y + shift)}" width="{_n(box.width)}" height="{_n(height)}"'


def _arrow(name: str, kind: str) -> str:
    return (
        f'<marker id="{name}" viewBox="0 0 8 8" refX="8" refY="4" markerWidth="7" markerHeight="7" orient="auto">'
        f'<path class="{kind}" d="M0 0.5L8 4L0 7.5z"/></marker>'
    )


def styles(is_dark: bool | None) -> str:
    """The style sheet: one theme, or both."""
    if is_dark is not None:
        return _common() + rules(DARK if is_dark else LIGHT)
    return _common() + rules(LIGHT) + "@media (prefers-color-scheme: dark) {\n" + rules(DARK) + "}\n"


def _common() -> str:
    return f"""\
.name {{ font-size: 15px; font-weight: bold }}
.title {{ font-size: {_n(TITLE_SIZE)}px; font-weight: bold }}
.small, .tensor {{ font-size: {_n(SMALL_SIZE)}px }}
.mid {{ text-anchor: middle }}
.end {{ text-anchor: end }}
.halo {{ paint-order: stroke; stroke-width: 6px; stroke-linejoin: round }}
.box {{ stroke-width: 1.2 }}
.edge, .control, .loop {{ fill: none; stroke-width: 1.2 }}
.control {{ stroke-dasharray: 2 3 }}
.loop {{ stroke-dasharray: 6 3 }}
.apart {{ fill: none; stroke-dasharray: 4 4 }}
.rule {{ stroke-width: 0.6; stroke-opacity: 0.35 }}
"""


def xml(text: str) -> str:
    """``text`` as content or attribute of an XML element."""
    return text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;").replace('"', "&quot;")


def _n(number: float) -> str:
    """A number with one decimal at most."""
    text = f"{number:.1f}"
    text = text.removesuffix(".0")
    return "0" if text == "-0" else text
