"""``cost``: layers, ops or nodes with their costs, and the totals."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import fields
from typing import Any

from graphscope.analysis.cost.report import Amount, ByBatch, CostReport, CostRow, Figures, LoopRow
from graphscope.cli.render.cost_table import cost_columns, cost_rows, full_name, output_text, with_sign
from graphscope.cli.render.profile_figures import duration, rate
from graphscope.cli.terminal.output import Sink
from graphscope.cli.terminal.pages import Format
from graphscope.cli.terminal.plain import csv_lines, json_text, plain
from graphscope.cli.terminal.sections import Line, Section, write_sections
from graphscope.cli.terminal.table import write_table
from graphscope.cli.terminal.text import escape, size
from graphscope.core.tensors import shape_text
from graphscope.core.units import count
from graphscope.errors import some

_INDENT = 13
_NAMED = 6

_BY_BATCH = tuple(field.name for field in fields(ByBatch))

_HEADER = (
    *("name", "function", "op", "nodes", "executions", "dtype", "shape"),
    *("parameters", "parameter_bytes", "macs", "flops", "read_bytes", "written_bytes", "activation_bytes"),
    *("without_flops", "without_bytes", "time_us", "flops_per_byte"),
    *(f"{name}_{part}" for name in _BY_BATCH for part in ("fixed", "per_example")),
)


def write_cost(sink: Sink, format: Format, report: CostReport) -> None:
    """Writes the report: the rows, and below the table the totals."""
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
        sink.lines(map(escape, (full_name(row) for row in report.rows)))


def cost_sections(report: CostReport) -> Iterator[Section]:
    """The lines below the table."""
    yield "counted", list(_count_lines(report))
    if report.total.by_batch is not None:
        yield "any batch", list(_any_batch(report.total.by_batch))
    yield "memory", [[f"weights {size(report.total.parameter_bytes)}"], [_peak(report)]]
    if report.device is not None and report.total.time_us is not None:
        device = report.device
        peaks = f"{rate(device.flops_per_s)}FLOPS and {rate(device.bytes_per_s)}B/s"
        batch = " for a batch of 1" if report.is_batch_open else ""
        yield (
            "time",
            [[f"{duration(report.total.time_us)} at least{batch}, at {peaks} ({device.source or 'as given'})"]],
        )
    yield from filter(
        lambda section: section[1], [("not counted", list(_uncounted_lines(report))), ("loops", _loops(report))]
    )
    if report.branches:
        yield "branches", [_branches(report)]


def _peak(report: CostReport) -> str:
    if report.peak_unsized:
        return f"activations unknown: {count(report.peak_unsized, 'result')} of unknown size"
    low, high = _peaks(report)
    most = low if low == high else f"{low} to {high}"
    return f"activations {most} at the peak" + (f", at {report.peak_node}" if report.peak_node else "")


def _peaks(report: CostReport) -> tuple[str, str]:
    if report.is_batch_open:
        return _amount_text(report.peak_low_by_batch, size), _amount_text(report.peak_high_by_batch, size)
    return size(report.peak_low_bytes), size(report.peak_high_bytes)


def _any_batch(found: ByBatch) -> Iterator[Line]:
    yield [f"MACs {_amount_text(found.macs, rate)}, FLOPs {_amount_text(found.flops, rate)}"]
    yield [f"bytes read {_amount_text(found.read_bytes, size)}, written {_amount_text(found.written_bytes, size)}"]


def _amount_text(amount: Amount | None, text: Callable[[int], str]) -> str:
    """``852 k x batch + 50``."""
    if amount is None:
        return "vary"
    if not amount.per_example:
        return with_sign(text, amount.fixed)
    sign, fixed = ("-" if amount.fixed < 0 else "+"), abs(amount.fixed)
    return f"{with_sign(text, amount.per_example)} x batch" + (f" {sign} {text(fixed)}" if fixed else "")


def _count_lines(report: CostReport) -> Iterator[Line]:
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


def _uncounted_lines(report: CostReport) -> Iterator[Line]:
    if report.without_formula:
        named = [f"{op} {number:,}" for op, number in report.without_formula.items()]
        yield [f"operations of {some(named, _NAMED)}: no formula"]
    if report.unsized:
        yield [f"{count(len(report.unsized), 'node')} of unknown size: {some(report.unsized, _NAMED)}"]


def _loops(report: CostReport) -> list[Line]:
    return [[f"{loop.name}: {_turns(loop)}"] for loop in report.loops]


def _turns(loop: LoopRow) -> str:
    if not loop.is_known:
        return "one iteration is counted; the number of iterations is unknown"
    return f"{count(loop.turns, 'iteration')}{' at most' if loop.is_limit else ''}"


def _branches(report: CostReport) -> Line:
    taken = some([f"{branch.name} {branch.taken}" for branch in report.branches], _NAMED)
    return [f"the larger branch is counted: {taken}"]


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
        *(row.dtype.label if row.shape is not None else "", output_text(row)),
        *_sums(sums),
        *(sums.time_us, sums.intensity),
        *_parts(sums.by_batch),
    )


def _parts(found: ByBatch | None) -> Iterator[int | None]:
    """The columns of amounts for any batch; ``None`` if there are none, or an amount varies otherwise."""
    for name in _BY_BATCH:
        amount = getattr(found, name, None)
        yield from (amount.fixed, amount.per_example) if amount is not None else (None, None)


def _sums(sums: Figures) -> Iterable[int]:
    return (
        *(sums.parameters, sums.parameter_bytes, sums.macs, sums.flops, sums.read_bytes, sums.written_bytes),
        *(sums.activation_bytes, sums.without_flops, sums.without_bytes),
    )
