"""``--format``: a listing as a table, JSON, CSV or plain names."""

from __future__ import annotations

import enum
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from itertools import chain, islice
from typing import Any, Generic, TypeVar

from graphscope.cli.terminal.output import Sink
from graphscope.cli.terminal.plain import csv_lines, flatten, json_array, json_text, plain
from graphscope.cli.terminal.table import Column, write_table
from graphscope.cli.terminal.text import escape

T = TypeVar("T")


class Format(str, enum.Enum):
    """Output formats."""

    TABLE = "table"
    JSON = "json"
    CSV = "csv"
    NAMES = "names"


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


@dataclass(frozen=True, slots=True)
class Page:
    """The output of a single report: lines, a JSON value, names. Only the requested form is created."""

    lines: Callable[[], Iterable[str]]
    record: Callable[[], Any]
    names: Callable[[], Iterable[str]]


def write_page(sink: Sink, format: Format, page: Page) -> None:
    """Writes the page; its CSV is a line for each leaf of the JSON value."""
    if format is Format.TABLE:
        sink.lines(page.lines())
    elif format is Format.JSON:
        sink.write(json_text(page.record(), indent=2, is_unicode=sink.is_unicode) + "\n")
    elif format is Format.CSV:
        sink.lines(csv_lines(("field", "value"), flatten("", page.record())))
    else:
        sink.lines(map(escape, page.names()))


def write_report(sink: Sink, format: Format, report: object, lines: Iterable[str], names: Iterable[str] = ()) -> None:
    """Writes a result: ``lines`` as text, the dataclass or mapping ``report`` as JSON or CSV, or ``names``."""
    write_page(sink, format, Page(lambda: lines, lambda: plain(report), lambda: names))


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
