"""``scalars``: the curves of event files, in the terminal."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from itertools import groupby

from graphscope.api.scalars import Curve
from graphscope.cli.terminal.output import Sink
from graphscope.cli.terminal.pages import Format
from graphscope.cli.terminal.plain import plain
from graphscope.cli.terminal.table import Column, write_table
from graphscope.cli.terminal.text import escape, number
from graphscope.cli.terminal.views import View, write_rows

BARS = {True: "▁▂▃▄▅▆▇█", False: "_.-=+*#@"}
"""Heights of a curve from low to high, with and without Unicode."""

WIDTH = 24
"""Columns of a curve beside its figures."""

ROWS, COLUMNS = 12, 60
MARKS = "*o+x#@%&"
"""The marks of the runs in a chart; further runs share the last one."""


def write_scalars(sink: Sink, format: Format, curves: Sequence[Curve], *, chart: bool) -> None:
    """Writes one line for each curve, on the scale of its tag; or a chart for each tag; or every point.

    Args:
        chart: whether to draw one large chart for each tag, with all runs.
    """
    if format is Format.TABLE and chart:
        sink.lines(line for _, group in groupby(curves, key=lambda c: c.tag) for line in _chart(list(group)))
    elif format is Format.TABLE:
        write_table(sink, _COLUMNS, _lines(curves, sink.is_unicode))
    elif format is Format.CSV:
        write_rows(sink, format, _POINTS, _points(curves), "no scalars here")
    else:
        write_rows(sink, format, _CURVES, curves, "no scalars here")


_COLUMNS = (
    *(Column("tag", minimum=12), Column("run", minimum=8), Column("points", right=True), Column("curve")),
    *(Column("first", right=True), Column("last", right=True), Column("least", right=True), Column("most", right=True)),
)


def _lines(curves: Sequence[Curve], is_unicode: bool) -> Iterator[tuple[str, ...]]:
    for tag, group in groupby(curves, key=lambda c: c.tag):
        together = list(group)
        low, high = _range([value for curve in together for value in curve.values])
        for curve in together:
            finite = _finite(curve.values)
            figures = (curve.values[0], curve.values[-1], min(finite, default=math.nan), max(finite, default=math.nan))
            yield (
                *(tag, curve.run, f"{len(curve.values):,}", _spark(curve.values, low, high, BARS[is_unicode])),
                *map(number, figures),
            )


def _finite(values: Sequence[float]) -> list[float]:
    return [value for value in values if math.isfinite(value)]


def _range(values: Sequence[float]) -> tuple[float, float]:
    finite = _finite(values)
    return min(finite, default=0.0), max(finite, default=0.0)


def _spark(values: Sequence[float], low: float, high: float, bars: str) -> str:
    """The curve in :data:`WIDTH` characters at most, each the mean of some points; ``?`` if none is finite."""
    return "".join(_bar(_finite(part), low, high, bars) for part in _parts(values, WIDTH))


def _parts(values: Sequence[float], count: int) -> Iterator[Sequence[float]]:
    count = min(count, len(values))
    for i in range(count):
        yield values[i * len(values) // count : (i + 1) * len(values) // count]


def _bar(values: Sequence[float], low: float, high: float, bars: str) -> str:
    if not values:
        return "?"
    share = (sum(v / len(values) for v in values) - low) / (high - low) if high > low else 0.0
    return bars[min(max(round(share * (len(bars) - 1)), 0), len(bars) - 1)]


def _chart(curves: Sequence[Curve]) -> Iterator[str]:
    """All runs of one tag over their steps."""
    values = [value for curve in curves for value in curve.values]
    steps = [step for curve in curves for step in curve.steps]
    low, high = _range(values)
    grid = [[" "] * COLUMNS for _ in range(ROWS)]
    for i, curve in enumerate(curves):
        mark = MARKS[min(i, len(MARKS) - 1)]
        for step, value in zip(curve.steps, curve.values):
            if math.isfinite(value):
                grid[_place(high - value, high - low, ROWS)][
                    _place(step - min(steps), max(steps) - min(steps), COLUMNS)
                ] = mark
    labels = [number(high), *[""] * (ROWS - 2), number(low)]
    margin = max(map(len, labels))
    yield escape(curves[0].tag)
    for label, row in zip(labels, grid):
        yield f"{label:>{margin}} |{''.join(row)}".rstrip()
    left, right = f"{min(steps):,}", f"{max(steps):,}"
    yield f"{'':>{margin}} +{'-' * COLUMNS}"
    yield f"{'':>{margin}}  {left}{right:>{COLUMNS - len(left)}}"
    for i, curve in enumerate(curves):
        mark = MARKS[min(i, len(MARKS) - 1)]
        yield f"{'':>{margin}}  {mark} {escape(curve.run)}  last {number(curve.values[-1])}"
    yield ""


def _place(offset: float, extent: float, count: int) -> int:
    return min(max(round(offset / extent * (count - 1)), 0), count - 1) if extent > 0 else 0


_CURVES: View[Curve] = View(
    columns=(),
    cells=lambda curve: (curve.tag,),
    record=plain,
    header=(),
    fields=lambda curve: (curve.tag,),
    name=lambda curve: curve.tag if curve.run == "." else f"{curve.run}/{curve.tag}",
)
_Point = tuple[str, str, int, float, float]
_POINTS: View[_Point] = View(
    columns=(),
    cells=lambda point: tuple(map(str, point)),
    record=plain,
    header=("run", "tag", "step", "wall_time", "value"),
    fields=lambda point: point,
    name=lambda point: point[1],
)


def _points(curves: Sequence[Curve]) -> Iterator[_Point]:
    for curve in curves:
        yield from (
            (curve.run, curve.tag, step, time, value)
            for step, time, value in zip(curve.steps, curve.wall_times, curve.values)
        )
