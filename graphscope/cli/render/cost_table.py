"""The table of ``cost``: the columns that are not empty, and their cells."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial

from graphscope.analysis.cost.report import Amount, ByBatch, CostReport, CostRow, Figures
from graphscope.cli.render.profile_figures import duration, rate
from graphscope.cli.terminal.table import Column
from graphscope.cli.terminal.text import size
from graphscope.core.tensors import shape_text
from graphscope.core.values.dtypes import DataType

SHORTEST_US = 0.01
"""Shorter times are not shown."""

Cell = Callable[[CostRow], str]


def cost_rows(report: CostReport) -> list[CostRow]:
    """The rows and the total."""
    nodes, executions = sum(row.nodes for row in report.rows), sum(row.executions for row in report.rows)
    return [*report.rows, CostRow("total", "", "", nodes, executions, DataType.INVALID, None, report.total)]


def cost_columns(report: CostReport) -> list[tuple[Column, Cell]]:
    """The columns that are not empty, and their cells."""
    return list(_columns(report))


def _columns(report: CostReport) -> Iterator[tuple[Column, Cell]]:
    by = report.by
    yield Column("layer" if by == "scope" else by, minimum=16, keeps_end=True), full_name
    if by == "node":
        yield Column("op", style="op", minimum=8, drop=1), lambda row: row.op
    if by == "op":
        yield Column("nodes", right=True), lambda row: f"{row.nodes:,}"
    else:
        yield Column("output", style="shape"), output_text
    if any(row.executions > row.nodes for row in report.rows):
        yield Column("runs", right=True, drop=3), lambda row: f"{row.executions:,}"
    yield Column("parameters", right=True), lambda row: f"{row.figures.parameters:,}" if row.figures.parameters else ""
    yield from _for_any_batch(report) if report.is_batch_open else _FOR_ONE_BATCH
    if report.device is not None:
        title = "time, batch 1" if report.is_batch_open else "time"
        yield Column(title, right=True), lambda row: _time(row.figures.time_us or 0)


def full_name(row: CostRow) -> str:
    """The name, after that of the function that contains the node."""
    return f"{row.function}/{row.name}" if row.function else row.name


def output_text(row: CostRow) -> str:
    """The shape of what a row gives; empty where it is not known."""
    return "" if row.shape is None else shape_text(row.shape)


def _macs(row: CostRow) -> str:
    return rate(row.figures.macs) if row.figures.macs else ""


def _flops(row: CostRow) -> str:
    """``2.1 M``; with a plus if the operations of some nodes are unknown, ``?`` if those of all are."""
    figures = row.figures
    if figures.without_flops and not figures.flops:
        return "?"
    return rate(figures.flops) + ("+" if figures.without_flops else "")


def _bytes(row: CostRow, number: int) -> str:
    if row.figures.without_bytes and not number:
        return "?"
    return size(number) + ("+" if row.figures.without_bytes else "")


def _time(us: float) -> str:
    return duration(us) if us >= SHORTEST_US else f"< {SHORTEST_US} us"


def _intensity(flops_per_byte: float | None) -> str:
    return "" if flops_per_byte is None else f"{flops_per_byte:.3g}"


_FOR_ONE_BATCH: tuple[tuple[Column, Cell], ...] = (
    (Column("MACs", right=True, drop=2), _macs),
    (Column("FLOPs", right=True), _flops),
    (Column("read", right=True, drop=5), lambda row: _bytes(row, row.figures.read_bytes)),
    (Column("written", right=True, drop=6), lambda row: _bytes(row, row.figures.written_bytes)),
    (Column("FLOP/B", right=True, drop=4), lambda row: _intensity(row.figures.intensity)),
    (Column("activations", right=True, drop=7), lambda row: _bytes(row, row.figures.activation_bytes)),
)


@dataclass(frozen=True, slots=True)
class _Kind:
    """An amount for any batch size.

    Attributes:
        title: of its columns.
        of: the amount of a row's figures.
        text: a number of it.
        lacks: number of nodes that it does not cover; ``None`` if another amount states that.
        drop: of its columns, see :class:`Column`.
    """

    title: str
    of: Callable[[ByBatch], Amount | None]
    text: Callable[[int], str]
    lacks: Callable[[Figures], int] | None
    drop: int


_KINDS = (
    _Kind("MACs", lambda found: found.macs, rate, None, 1),
    _Kind("FLOPs", lambda found: found.flops, rate, lambda sums: sums.without_flops, 0),
    _Kind("read", lambda found: found.read_bytes, size, lambda sums: sums.without_bytes, 4),
    _Kind("written", lambda found: found.written_bytes, size, lambda sums: sums.without_bytes, 5),
    _Kind("activations", lambda found: found.activation_bytes, size, lambda sums: sums.without_bytes, 6),
)
VARIES = "varies"
"""Marks an amount that is not proportional to the batch size."""


def _for_any_batch(report: CostReport) -> Iterator[tuple[Column, Cell]]:
    """What each example takes, and what a run takes whatever the batch is, if that is anything."""
    for kind in _KINDS:
        yield Column(f"{kind.title}/example", right=True, drop=kind.drop), partial(_each, kind)
        amounts = [kind.of(row.figures.by_batch) for row in report.rows if row.figures.by_batch is not None]
        if any(amount is not None and amount.fixed for amount in amounts):
            yield Column(f"fixed {kind.title}", right=True, drop=kind.drop + 2), partial(_fixed_text, kind)


def _each(kind: _Kind, row: CostRow) -> str:
    amount = _amount(kind, row)
    return VARIES if amount is None else _number(kind, row, amount.per_example)


def _fixed_text(kind: _Kind, row: CostRow) -> str:
    amount = _amount(kind, row)
    return _number(kind, row, amount.fixed) if amount is not None and amount.fixed else ""


def _amount(kind: _Kind, row: CostRow) -> Amount | None:
    found = row.figures.by_batch
    return kind.of(found) if found is not None else None


def _number(kind: _Kind, row: CostRow, number: int) -> str:
    lacking = kind.lacks(row.figures) if kind.lacks is not None else 0
    if not number:
        return "?" if lacking else ""
    return with_sign(kind.text, number) + ("+" if lacking else "")


def with_sign(text: Callable[[int], str], number: int) -> str:
    """``number`` with its sign, formatted by ``text``, which takes nonnegative numbers."""
    return f"-{text(-number)}" if number < 0 else text(number)
