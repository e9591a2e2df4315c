"""Columns that stream: widths come from the first rows, then every row is written as it arrives."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import chain, islice

from graphscope.cli.output import Sink, painted
from graphscope.cli.text import cells, elide, escape, pad

SAMPLE = 1000
"""Rows that widths are taken from; a later, longer cell pushes its row out (a pipe) or is elided (a terminal)."""

GAP = "  "

Row = Sequence[str]


@dataclass(frozen=True, slots=True)
class Column:
    """One column.

    Attributes:
        title: its heading.
        right: aligned to the right, as numbers are.
        style: of :data:`graphscope.cli.output.STYLES`.
        minimum: width that a narrow terminal may shrink it to; 0 if it never gives way.
        optional: shrunk, then left out, before other columns give way; the last of them first.
    """

    title: str
    right: bool = False
    style: str = ""
    minimum: int = 0
    optional: bool = False


def write_table(sink: Sink, columns: Sequence[Column], rows: Iterable[Row]) -> None:
    """Writes a heading and the rows. Cells are escaped here: give them as they are in the file."""
    source = iter(rows)
    sample = list(islice(source, SAMPLE))
    natural = [
        max(len(column.title), *(cells(escape(row[i])) for row in sample), 0) for i, column in enumerate(columns)
    ]
    widths = fit(columns, natural, sink.width) if sink.is_terminal else natural
    line = _liner(columns, widths, sink.is_terminal, sink.has_color)
    title = _liner(columns, widths, sink.is_terminal, False)([column.title for column in columns])
    sink.lines(chain([sink.paint(title, "dim")], map(line, chain(sample, source))))


def fit(columns: Sequence[Column], natural: Sequence[int], room: int) -> list[int]:
    """Widths that fit ``room`` as far as possible; 0 leaves a column out."""
    optional = [i for i, column in enumerate(columns) if column.optional][::-1]
    for left_out in range(len(optional) + 1):
        widths = [0 if i in optional[:left_out] else width for i, width in enumerate(natural)]
        _shrink(columns, widths, optional[left_out:], room)
        if _total(widths) <= room:
            return widths
    _shrink(columns, widths, [i for i, column in enumerate(columns) if column.minimum and widths[i]], room)
    return widths


def _shrink(columns: Sequence[Column], widths: list[int], order: Iterable[int], room: int) -> None:
    for i in order:
        excess = _total(widths) - room
        if excess > 0:
            widths[i] = min(widths[i], max(columns[i].minimum, widths[i] - excess))


def _total(widths: Sequence[int]) -> int:
    shown = [width for width in widths if width]
    return sum(shown) + len(GAP) * (len(shown) - 1)


def _liner(columns: Sequence[Column], widths: Sequence[int], is_narrow: bool, has_color: bool) -> Callable[[Row], str]:
    """A function from a row to its line: one ``str.format`` for harmless ASCII, cell by cell for anything else."""
    shown = [i for i, width in enumerate(widths) if width]
    styles = [columns[i].style if has_color else "" for i in shown]
    slots = [_slot(columns[i], i, widths[i], i == shown[-1]) for i in shown]
    quick = GAP.join(map(painted, slots, styles)).format
    limits = [(i, widths[i]) for i in shown] if is_narrow else []

    def careful(row: Row) -> str:
        safe = [escape(row[i]) for i in shown]
        fitted = [elide(cell, widths[i]) for cell, i in zip(safe, shown, strict=True)] if is_narrow else safe
        padded = [pad(cell, widths[i], columns[i].right) for cell, i in zip(fitted, shown, strict=True)]
        return GAP.join(map(painted, padded, styles)).rstrip()

    def line(row: Row) -> str:
        text = "".join(row)
        if not (text.isascii() and text.isprintable()):
            return careful(row)
        for i, width in limits:
            if len(row[i]) > width:
                return careful(row)
        return quick(*row).rstrip()

    return line


def _slot(column: Column, index: int, width: int, is_last: bool) -> str:
    if column.right:
        return f"{{{index}:>{width}}}"
    return f"{{{index}}}" if is_last else f"{{{index}:<{width}}}"


def wrap(parts: Iterable[str], width: int) -> Iterator[str]:
    """``parts`` joined by commas into lines of at most ``width`` cells; no part is broken."""
    line = ""
    for part in parts:
        longer = f"{line}, {part}" if line else part
        if line and cells(longer) + 1 > width:
            yield line + ","
            line = part
        else:
            line = longer
    if line:
        yield line
