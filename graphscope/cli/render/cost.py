"""``cost``: layers, ops or nodes with what they take, and the totals."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any

from graphscope.analysis.cost.report import CostReport, CostRow, Figures, LoopRow
from graphscope.cli.render.profile_figures import duration, rate
from graphscope.cli.terminal.output import Sink
from graphscope.cli.terminal.plain import csv_lines, json_text, plain
from graphscope.cli.terminal.sections import Line, Section, write_sections
from graphscope.cli.terminal.table import Column, write_table
from graphscope.cli.terminal.text import escape, size
from graphscope.cli.terminal.views import Format
from graphscope.core.dtypes import DataType
from graphscope.core.tensors import shape_text
from graphscope.core.units import count
from graphscope.errors import some

_INDENT = 13
_NAMED = 6

SHORTEST_US = 0.01
"""What takes less is of no interest."""

Cell = Callable[[CostRow], str]

_HEADER = (
    *("name", "function", "op", "nodes", "executions", "dtype", "shape"),
    *("parameters", "parameter_bytes", "macs", "flops", "read_bytes", "written_bytes", "activation_bytes"),
    *("without_flops", "without_bytes", "time_us", "flops_per_byte"),
)


def write_cost(sink: Sink, format: Format, report: CostReport) -> None:
    """Writes the report: the rows, and below the table what they add up to."""
    if format is Format.TABLE:
        columns, cells = zip(*cost_columns(report), strict=True)
        write_table(sink, columns, ([cell(row) for cell in cells] for row in cost_rows(report)))
        sink.write("\n")
        sink.lines(write_sections(sink, list(cost_sections(report)), _INDENT))
    elif format is Format.JSON:
        sink.write(json_text(_record(report), indent=2, is_unicode=sink.is_unicode) + "\n")
    elif format is Format.CSV:
        sink.lines(csv_lines(_HEADER, (_fields(row) for row in report.rows)))
    else:
        sink.lines(map(escape, (_full_name(row) for row in report.rows)))


def cost_rows(report: CostReport) -> list[CostRow]:
    """The rows, and what they add up to."""
    nodes, executions = sum(row.nodes for row in report.rows), sum(row.executions for row in report.rows)
    return [*report.rows, CostRow("total", "", "", nodes, executions, DataType.INVALID, None, report.total)]


def cost_columns(report: CostReport) -> list[tuple[Column, Cell]]:
    """The columns that have anything to say, and what stands in them."""
    return list(_columns(report))


def _columns(report: CostReport) -> Iterator[tuple[Column, Cell]]:
    by = report.by
    yield Column("layer" if by == "scope" else by, minimum=16, keeps_end=True), _full_name
    if by == "node":
        yield Column("op", style="op", minimum=8, drop=1), lambda row: row.op
    if by == "op":
        yield Column("nodes", right=True), lambda row: f"{row.nodes:,}"
    else:
        yield Column("output", style="shape"), _output
    if any(row.executions > row.nodes for row in report.rows):
        yield Column("runs", right=True, drop=3), lambda row: f"{row.executions:,}"
    yield Column("parameters", right=True), lambda row: f"{row.figures.parameters:,}" if row.figures.parameters else ""
    yield Column("MACs", right=True, drop=2), lambda row: rate(row.figures.macs) if row.figures.macs else ""
    yield Column("FLOPs", right=True), _flops
    yield Column("read", right=True, drop=5), lambda row: _bytes(row, row.figures.read_bytes)
    yield Column("written", right=True, drop=6), lambda row: _bytes(row, row.figures.written_bytes)
    yield Column("FLOP/B", right=True, drop=4), lambda row: _intensity(row.figures.intensity)
    yield Column("activations", right=True, drop=7), lambda row: _bytes(row, row.figures.activation_bytes)
    if report.device is not None:
        yield Column("time", right=True), lambda row: _time(row.figures.time_us or 0)


def _full_name(row: CostRow) -> str:
    return f"{row.function}/{row.name}" if row.function else row.name


def _output(row: CostRow) -> str:
    return "" if row.shape is None else shape_text(row.shape)


def _flops(row: CostRow) -> str:
    """``2.1 M``; a plus for nodes of which nobody knows the operations, ``?`` where that is all of them."""
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


def cost_sections(report: CostReport) -> Iterator[Section]:
    """What stands below the table."""
    yield "counted", list(_counted(report))
    yield "memory", [[f"weights {size(report.total.parameter_bytes)}"], [_peak(report)]]
    if report.device is not None and report.total.time_us is not None:
        device = report.device
        peaks = f"{rate(device.flops_per_s)}FLOPS and {rate(device.bytes_per_s)}B/s"
        yield "time", [[f"{duration(report.total.time_us)} at least, at {peaks} ({device.source or 'as given'})"]]
    yield from filter(
        lambda section: section[1], [("not counted", list(_not_counted(report))), ("loops", _loops(report))]
    )
    if report.branches:
        yield "branches", [_branches(report)]


def _peak(report: CostReport) -> str:
    if report.peak_unsized:
        return f"activations unknown: {count(report.peak_unsized, 'result')} of unknown size"
    low, high = size(report.peak_low_bytes), size(report.peak_high_bytes)
    most = low if low == high else f"{low} to {high}"
    return f"activations {most} at the peak" + (f", at {report.peak_node}" if report.peak_node else "")


def _counted(report: CostReport) -> Iterator[Line]:
    yield [f"what {', '.join(report.outputs)} needs" if report.outputs else "all nodes"]
    if report.inputs:
        fed = ", ".join(
            f"{name} {shape_text(sizes)}" for name, sizes in report.inputs.items() if name not in report.values
        )
        yield (
            [f"for {fed}" + ("" if report.batch is None else f": batch {report.batch}")] if fed else ["without inputs"]
        )
    if report.values:
        yield ["for inference: " + ", ".join(f"{name} = {value:g}" for name, value in report.values.items())]


def _not_counted(report: CostReport) -> Iterator[Line]:
    if report.without_formula:
        named = [f"{op} {number:,}" for op, number in report.without_formula.items()]
        yield [f"operations of {some(named, _NAMED)}: no formula"]
    if report.unsized:
        yield [f"{count(len(report.unsized), 'node')} of unknown size: {some(report.unsized, _NAMED)}"]


def _loops(report: CostReport) -> list[Line]:
    return [[f"{loop.name}: {_turns(loop)}"] for loop in report.loops]


def _turns(loop: LoopRow) -> str:
    if not loop.is_known:
        return "one turn is counted; how many there are is not known"
    return f"{count(loop.turns, 'turn')}{' at most' if loop.is_limit else ''}"


def _branches(report: CostReport) -> Line:
    taken = some([f"{branch.name} {branch.taken}" for branch in report.branches], _NAMED)
    return [f"the larger one is counted: {taken}"]


def _record(report: CostReport) -> Any:
    record = plain(report)
    for row, made in zip(report.rows, record["rows"], strict=True):
        made["figures"]["flops_per_byte"] = row.figures.intensity
    record["total"]["flops_per_byte"] = report.total.intensity
    return record


def _fields(row: CostRow) -> Sequence[object]:
    sums = row.figures
    return (
        *(row.name, row.function, row.op, row.nodes, row.executions),
        *(row.dtype.label if row.shape is not None else "", _output(row)),
        *_sums(sums),
        *(sums.time_us, sums.intensity),
    )


def _sums(sums: Figures) -> Iterable[int]:
    return (
        *(sums.parameters, sums.parameter_bytes, sums.macs, sums.flops, sums.read_bytes, sums.written_bytes),
        *(sums.activation_bytes, sums.without_flops, sums.without_bytes),
    )
