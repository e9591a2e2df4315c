"""``--format`` of a listing: a table, JSON, CSV or plain names, row by row."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from itertools import chain, islice
from typing import Any, Generic, TypeVar

from graphscope.cli.terminal.output import Sink
from graphscope.cli.terminal.pages import Format
from graphscope.cli.terminal.plain import csv_lines, json_array
from graphscope.cli.terminal.table import Column, write_table
from graphscope.cli.terminal.text import escape

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class View(Generic[T]):
    """The output of one kind of rows in each format.

    Attributes:
        columns, cells: of the table.
        record: the JSON object of a row.
        header, fields: of the CSV.
        name: the name of a row.
    """

    columns: Sequence[Column]
    cells: Callable[[T], Sequence[str]]
    record: Callable[[T], Any]
    header: Sequence[str]
    fields: Callable[[T], Sequence[object]]
    name: Callable[[T], str]


def write_rows(sink: Sink, format: Format, view: View[T], rows: Iterable[T], nothing: str) -> None:
    """Writes the rows one by one as they arrive; prints the note ``nothing`` if there are none."""
    source = iter(rows)
    first = list(islice(source, 1))
    _write(sink, format, view, chain(first, source))
    if not first:
        sink.note(nothing)


def _write(sink: Sink, format: Format, view: View[T], rows: Iterable[T]) -> None:
    if format is Format.TABLE:
        write_table(sink, view.columns, map(view.cells, rows))
    elif format is Format.JSON:
        sink.lines(json_array(map(view.record, rows), sink.is_unicode))
    elif format is Format.CSV:
        sink.lines(csv_lines(view.header, map(view.fields, rows)))
    else:
        sink.lines(map(escape, map(view.name, rows)))
