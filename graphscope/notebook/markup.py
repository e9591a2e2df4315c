"""Tables and text as HTML. All text is escaped here: no name in a file can be markup, or change the direction of a line."""

from __future__ import annotations

import html
import io
from collections.abc import Callable, Iterable, Sequence
from typing import Any

from graphscope.cli.terminal.output import Sink
from graphscope.core.hostile import escape

_CELL = "text-align:{};vertical-align:top;white-space:pre-wrap;padding:0 1em 0 0"


def safe(text: str) -> str:
    """``text`` as HTML that shows it."""
    return html.escape(escape(text))


def title(text: str) -> str:
    """A line in bold."""
    return f"<div><b>{safe(text)}</b></div>"


def preformat(text: str) -> str:
    """Lines as on a terminal."""
    return f'<pre style="overflow:auto">{"".join(safe(line) + chr(10) for line in text.splitlines())}</pre>'


def table(rows: Iterable[Sequence[str]], head: Sequence[str] = (), right: Sequence[bool] = ()) -> str:
    """A table.

    Args:
        head: titles of the columns, if they have any.
        right: for each column whether it is aligned to the right, as numbers are; to the left where this is shorter.
    """
    made = list(rows)
    width = max(map(len, [head, *made]))
    alignments = [*("right" if is_right else "left" for is_right in right), *["left"] * (width - len(right))]
    titles = _row("th", head, alignments) if head else ""
    return f"<table>{titles}{''.join(_row('td', row, alignments) for row in made)}</table>"


def _row(tag: str, cells: Sequence[str], alignments: Sequence[str]) -> str:
    """A row; the last cell of one that is shorter than others takes the rest of its width."""
    spans = [1] * (len(cells) - 1) + [len(alignments) - len(cells) + 1]
    made = zip(cells, alignments, spans)
    return f"<tr>{''.join(_cell(tag, cell, alignment, span) for cell, alignment, span in made)}</tr>"


def _cell(tag: str, text: str, alignment: str, span: int) -> str:
    width = f' colspan="{span}"' if span > 1 else ""
    return f'<{tag}{width} style="{_CELL.format(alignment)}">{safe(text)}</{tag}>'


View = Callable[[Any], str]
"""Makes the HTML for a kind of thing."""

WIDTH = 120


def as_on_a_terminal(write: Callable[[Sink, Any], None]) -> View:
    """The page of a command with its notes, without colors."""

    def view(report: Any) -> str:
        page = io.StringIO()
        write(Sink(page, page, width=WIDTH), report)
        return preformat(page.getvalue())

    return view
