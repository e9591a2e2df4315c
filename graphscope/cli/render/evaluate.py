"""The output of ``eval``: a row for each class, the misclassified examples, the result."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from graphscope.cli.render.tune import MAX_CLASSES
from graphscope.cli.terminal.output import Sink
from graphscope.cli.terminal.pages import Format, Page, write_page
from graphscope.cli.terminal.plain import plain
from graphscope.cli.terminal.table import Column, write_table
from graphscope.cli.terminal.text import escape
from graphscope.core.units import count
from graphscope.training.evaluation.report import ClassScore, EvaluationReport, Misclassified
from graphscope.training.recipe import REGRESSION


def write_evaluation(sink: Sink, format: Format, report: EvaluationReport) -> None:
    """Writes the report; its names are the misclassified examples."""
    if format is Format.TABLE:
        _write_classes(sink, report)
        _write_misclassified(sink, report.misclassified)
    page = Page(
        lambda: _lines(report), lambda: plain(report), lambda: [wrong.example for wrong in report.misclassified]
    )
    write_page(sink, format, page)


def _write_classes(sink: Sink, report: EvaluationReport) -> None:
    rows: Sequence[ClassScore] = report.classes
    if sink.is_terminal and len(rows) > MAX_CLASSES:
        rows = sorted(rows, key=_goodness)[:MAX_CLASSES]
        sink.note(f"the {MAX_CLASSES} worst-predicted classes of {len(report.classes):,}")
    if report.task == REGRESSION:
        write_table(sink, _NUMBERS, [(r.name, f"{r.examples:,}", _number(r.error)) for r in rows])
    else:
        write_table(sink, _CLASSES, [_cells(row) for row in rows])


_NUMBERS = (Column("number"), Column("examples", right=True), Column("error", right=True))
_CLASSES = (
    Column("class", minimum=8),
    Column("examples", right=True),
    Column("predicted", right=True),
    Column("precision", right=True),
    Column("recall", right=True),
)
_WRONG = (
    Column("example", minimum=8),
    Column("label", minimum=8),
    Column("predicted", minimum=8),
    Column("confidence", right=True),
)


def _cells(row: ClassScore) -> tuple[str, ...]:
    return (row.name, f"{row.examples:,}", f"{row.predicted or 0:,}", _percent(row.precision), _percent(row.recall))


def _goodness(row: ClassScore) -> float:
    """The worst first, classes without examples last."""
    if row.error is not None:
        return -row.error
    return 2.0 if row.recall is None else row.recall


def _percent(value: float | None) -> str:
    return "-" if value is None else f"{value:.2%}".replace("%", " %")


def _number(value: float | None) -> str:
    return "-" if value is None else f"{value:.4g}"


def _write_misclassified(sink: Sink, rows: Sequence[Misclassified]) -> None:
    if rows:
        sink.lines([""])
        write_table(sink, _WRONG, [(r.example, r.label, r.predicted, _percent(r.confidence)) for r in rows])
        sink.lines([""])


def _lines(report: EvaluationReport) -> Iterator[str]:
    if report.task == REGRESSION:
        figures = [f"mean absolute error {report.metric:.4g}", f"mean squared error {report.loss:.4g}"]
    else:
        top = [f"top 5 {_percent(report.top5)}"] if report.top5 is not None else []
        figures = [f"accuracy {_percent(report.metric)}", *top, f"loss {report.loss:.4g}"]
    yield f"{', '.join(figures)} on {count(report.examples, 'example')}"
    yield f"{escape(report.output)} {_origin(report)}"


def _origin(report: EvaluationReport) -> str:
    """The source of the scores, and how their numbers were interpreted."""
    if report.scores == report.output:
        return f"taken for {report.scale}"
    return f"computed from {escape(report.scores)}, {report.scale}"
