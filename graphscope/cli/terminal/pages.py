"""``--format`` of a single report: text, JSON, CSV or plain names."""

from __future__ import annotations

import enum
from collections.abc import Callable, Iterable
from typing import Any

from graphscope.cli.terminal.output import Sink
from graphscope.cli.terminal.plain import csv_lines, flatten, json_text, plain
from graphscope.cli.terminal.text import escape
from graphscope.named_tuple import NamedTuple


class Format(str, enum.Enum):
    """Output formats."""

    TABLE = "table"
    JSON = "json"
    CSV = "csv"
    NAMES = "names"


class Page(NamedTuple):
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
    """Writes a result: ``lines`` as text, the record or mapping ``report`` as JSON or CSV, or ``names``."""
    write_page(sink, format, Page(lambda: lines, lambda: plain(report), lambda: names))
