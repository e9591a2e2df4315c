"""``nodes --tree``: name scopes as a drawing."""

from __future__ import annotations

from collections.abc import Sequence

from graphscope.analysis.scopes import ScopeRow
from graphscope.cli.terminal.table import Column
from graphscope.cli.terminal.text import size
from graphscope.cli.terminal.views import View

TreeRow = tuple[str, ScopeRow]
"""The library function it is in (empty for the graph itself), and the scope."""

_COLUMNS = (
    Column("scope", minimum=30),
    Column("op", style="op", minimum=8, drop=1),
    Column("nodes", right=True),
    Column("parameters", right=True),
    Column("size", right=True, style="shape"),
)
_HEADER = ("function", "depth", "label", "name", "op", "nodes", "parameters", "parameter_bytes")


def tree_view() -> View[TreeRow]:
    """One row for each scope and each node."""
    return View(_COLUMNS, _cells, _record, _HEADER, _fields, _name)


def _cells(pair: TreeRow) -> Sequence[str]:
    _, row = pair
    is_leaf = row.nodes == 1 and row.op
    parameters = (f"{row.parameters:,}", size(row.parameter_bytes)) if row.parameters else ("", "")
    return draw_row(row), row.op, "" if is_leaf else f"{row.nodes:,}", *parameters


def draw_row(row: ScopeRow) -> str:
    """The branches that lead to a row, and its label."""
    above = "".join(["   " if last else "│  " for last in row.is_last[:-1]])
    return above + ("└─ " if row.is_last[-1] else "├─ ") + row.label


def _name(pair: TreeRow) -> str:
    function, row = pair
    return f"{function}/{row.name}" if function else row.name


def _record(pair: TreeRow) -> dict[str, object]:
    return dict(zip(_HEADER, _fields(pair), strict=True))


def _fields(pair: TreeRow) -> Sequence[object]:
    function, row = pair
    return function, row.depth, row.label, row.name, row.op, row.nodes, row.parameters, row.parameter_bytes
