"""A page of labeled sections: short lines, aligned cells, and long text wrapped where possible."""

from __future__ import annotations

import sys
from collections.abc import Iterator, Sequence

from graphscope.cli.terminal.output import Sink
from graphscope.cli.terminal.text import cells, escape, pad
from graphscope.core.patterns import Pattern

Line = Sequence[str]
"""The cells of a line; they are aligned within a group of sections, except for single cells."""

Section = tuple[str, Sequence[Line]]
"""A label and its lines."""

_BREAK = Pattern(r"(?<=,) (?![^()]*\))| (?=-> |and \d)")
"""A place to break: after a comma that is not inside a shape, before an arrow, or before ``and 5 more``."""


def write_sections(sink: Sink, sections: Sequence[Section], indent: int, *, is_wrapped: bool = True) -> Iterator[str]:
    """The lines of a group of sections, each label before its first line.

    Args:
        is_wrapped: whether long text may be broken; commands to paste must not be.
    """
    safe = [(label, [[escape(cell) for cell in row] for row in rows]) for label, rows in sections]
    widths = _widths([row for _, rows in safe for row in rows])
    room = sink.width - indent if is_wrapped else sys.maxsize
    for label, rows in safe:
        for i, row in enumerate(rows):
            head = sink.paint(pad("" if i else label, indent), "dim")
            first, *rest = _wrap(row, widths, room)
            yield (head + first).rstrip()
            yield from (" " * indent + line for line in rest)


def _widths(rows: Sequence[Line]) -> list[int]:
    longest = max(map(len, rows), default=0)
    return [max((cells(row[i]) for row in rows if len(row) > i + 1), default=0) for i in range(longest)]


def _wrap(row: Line, widths: Sequence[int], room: int) -> Iterator[str]:
    """The cells in their columns; a last cell that does not fit goes to the next line, indented."""
    before = "".join(pad(cell, widths[i] + 2) for i, cell in enumerate(row[:-1]))
    if cells(before) + cells(row[-1]) <= room:
        yield before + row[-1]
        return
    if before:
        yield before.rstrip()
        before = "  "
    yield from (before + line for line in wrap(row[-1], room - cells(before)))


def wrap(text: str, width: int) -> Iterator[str]:
    """``text`` in lines of at most ``width`` cells, broken after commas and before arrows; longer parts stay whole."""
    if cells(text) <= width:
        yield text
        return
    line = ""
    for part in _BREAK.compiled.split(text):
        longer = f"{line} {part}" if line else part
        if line and cells(longer) > width:
            yield line
            line = part
        else:
            line = longer
    yield line
