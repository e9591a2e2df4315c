"""Streaming tables: widths are taken from the first rows, then every row is written as it arrives."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from itertools import chain, islice
from operator import itemgetter

from graphscope.cli.terminal.output import Sink, paint
from graphscope.cli.terminal.text import cells, elide, elide_start, escape, is_simple, pad
from graphscope.named_tuple import NamedTuple

SAMPLE = 1000
"""Rows that widths are taken from; a later, longer cell pushes its row out (a pipe) or is elided (a terminal)."""

GAP = "  "

LONGEST = 120
"""The maximum padding of a column in a pipe, so that one huge name does not widen every line."""

SHORT = 28
"""A column whose cells are no longer than this is cut last of all."""

ENOUGH = 40
"""Other columns are dropped before a name is cut below this width, at which its ends still identify it."""

Row = Sequence[str]


class Column(NamedTuple):
    """One column.

    Attributes:
        title: its heading.
        right: aligned to the right, as numbers are.
        style: of :data:`graphscope.cli.terminal.output.STYLES`.
        minimum: width that a narrow terminal may shrink it to; 0 if its cells must stay whole.
        drop: order in which a narrow terminal drops columns, the highest first; 0 for never.
        keeps_end: whether a cell is cut at its beginning, not in its middle, as for names in deep scopes.
    """

    title: str
    right: bool = False
    style: str = ""
    minimum: int = 0
    drop: int = 0
    keeps_end: bool = False

    def cut(self, text: str, width: int) -> str:
        """``text`` in at most ``width`` cells."""
        return elide_start(text, width) if self.keeps_end else elide(text, width)


def write_table(sink: Sink, columns: Sequence[Column], rows: Iterable[Row]) -> None:
    """Writes a heading and the rows; nothing, if there are none.

    Cells are escaped here: pass them as they are in the file.
    """
    source = iter(rows)
    sample = list(islice(source, SAMPLE))
    if not sample:
        return
    lengths = [sorted(cells(escape(row[i])) for row in sample) for i in range(len(columns))]
    longest = sink.width if sink.is_terminal else LONGEST
    natural = [max(len(c.title), min(found[-1], longest)) for c, found in zip(columns, lengths, strict=True)]
    widths = fit(columns, natural, _typical(columns, lengths, longest), sink.width) if sink.is_terminal else natural
    line = _liner(columns, widths, sink.is_terminal, sink.has_color)
    title = _liner(columns, widths, sink.is_terminal, False)([column.title for column in columns])
    sink.lines(chain([sink.paint(title, "dim")], map(line, chain(sample, source))))


def _typical(columns: Sequence[Column], lengths: Sequence[Sequence[int]], longest: int) -> list[int]:
    """Widths that hold nine cells in ten of a long column that may shrink, and every cell of any other."""
    return [
        max(len(c.title), min(found[len(found) * 9 // 10 if c.minimum and found[-1] > SHORT else -1], longest))
        for c, found in zip(columns, lengths, strict=True)
    ]


def fit(columns: Sequence[Column], natural: Sequence[int], typical: Sequence[int], room: int) -> list[int]:
    """Widths that fit ``room`` if any do; 0 leaves a column out.

    Columns that may go are shrunk, then left out one by one, the others kept at :data:`ENOUGH`; then those are shrunk as
    well. What is left over is given back.

    Args:
        natural: widths at which no cell is cut.
        typical: widths at which few are.
    """
    going = sorted((i for i, column in enumerate(columns) if column.drop), key=lambda i: -columns[i].drop)
    widths = list(typical)
    for left_out in range(len(going) + 1):
        widths = [0 if i in going[:left_out] else width for i, width in enumerate(typical)]
        _cap(columns, widths, room, ENOUGH)
        if _total(widths) <= room:
            break
    _cap(columns, widths, room, 0)
    for i, width in enumerate(widths):
        if width:
            widths[i] += min(natural[i] - width, max(0, room - _total(widths)))
    return widths


def _cap(columns: Sequence[Column], widths: list[int], room: int, enough: int) -> None:
    """Cuts the widest first until all fit; none below its minimum, one that may not go not below ``enough`` either."""
    least = [column.minimum if column.drop else max(column.minimum, enough) for column in columns]
    while _total(widths) > room:
        giving = [i for i, width in enumerate(widths) if columns[i].minimum and width > least[i]]
        if not giving:
            break
        widths[max(giving, key=lambda i: widths[i])] -= 1


def _total(widths: Sequence[int]) -> int:
    shown = [width for width in widths if width]
    return sum(shown) + len(GAP) * (len(shown) - 1)


def _liner(columns: Sequence[Column], widths: Sequence[int], is_narrow: bool, has_color: bool) -> Callable[[Row], str]:
    """A function from a row to its line: one ``%`` (half of what ``format`` takes) for harmless ASCII, else cell by cell."""
    shown = [i for i, width in enumerate(widths) if width]
    styles = [columns[i].style if has_color else "" for i in shown]
    slots = [_slot(columns[i], widths[i], i == shown[-1]) for i in shown]
    template = GAP.join(map(paint, slots, styles))
    pick = itemgetter(*shown)
    checked = [(i, widths[i]) for i in shown] if is_narrow else []

    def careful(row: Row) -> str:
        safe = [escape(row[i]) for i in shown]
        fitted = [columns[i].cut(cell, widths[i]) for cell, i in zip(safe, shown, strict=True)] if is_narrow else safe
        padded = [pad(cell, widths[i], columns[i].right) for cell, i in zip(fitted, shown, strict=True)]
        return GAP.join(map(paint, padded, styles)).rstrip()

    def line(row: Row) -> str:
        if not is_simple("".join(row)):
            return careful(row)
        for i, width in checked:
            if len(row[i]) > width:
                row = [*row[:i], columns[i].cut(row[i], width), *row[i + 1 :]]
        text: str = template % pick(row)
        return text.rstrip()

    return line


def _slot(column: Column, width: int, is_last: bool) -> str:
    if column.right:
        return f"%{width}s"
    return "%s" if is_last else f"%-{width}s"
