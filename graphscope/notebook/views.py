"""Which HTML shows what: one row for each kind of thing."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence

from graphscope.analysis.audit.finding import Severity
from graphscope.analysis.cost.report import CostReport
from graphscope.analysis.detail import attr_text
from graphscope.analysis.diff.report import DiffReport
from graphscope.analysis.summary import Summary
from graphscope.api.draw import draw
from graphscope.api.summarize import summarize
from graphscope.cli.render.audit import write_report as write_audit
from graphscope.cli.render.cost import cost_sections
from graphscope.cli.render.cost_table import cost_columns, cost_rows
from graphscope.cli.render.diff import write_report as write_diff
from graphscope.cli.render.info import info_head, info_sections
from graphscope.cli.render.profile import write_profile
from graphscope.cli.terminal.pages import Format
from graphscope.core.graph import Body, Graph, Node
from graphscope.core.model import Model, ModelKind
from graphscope.drawing.drawing import Drawing
from graphscope.errors import GraphscopeError
from graphscope.notebook.markup import View, as_on_a_terminal, preformat, table, title
from graphscope.scan.audit import AuditReport
from graphscope.tracing.report import Profile

OPS = 12
"""How many ops of a graph are shown."""

DRAWN_NODES = 20_000
"""Larger graphs take seconds to draw."""


def html_of(thing: object) -> str:
    """HTML for a model, a graph, a node, a drawing or a report; empty for anything else."""
    view = _view(thing, _VIEWS)
    if view is None:
        from graphscope.notebook.run_views import VIEWS  # what runs models takes longer to import

        view = _view(thing, VIEWS)
    return view(thing) if view is not None else ""


def _view(thing: object, views: Mapping[type, View]) -> View | None:
    return next((views[kind] for kind in type(thing).__mro__ if kind in views), None)


def _model(model: Model) -> str:
    """The output of ``info``; a model that cannot be summarized is described in one line."""
    try:
        return _summary(summarize(model))
    except GraphscopeError as error:
        return title(repr(model)) + preformat(error.message)


def _summary(summary: Summary) -> str:
    head = [row for row in info_head(summary) if any(row)]
    return table(head) + _sections(section for group in info_sections(summary) for section in group)


def _sections(sections: Iterable[tuple[str, Sequence[Sequence[str]]]]) -> str:
    """Labelled lines: the label beside the first."""
    rows = [(label if not i else "", *line) for label, lines in sections for i, line in enumerate(lines)]
    return table(rows)


def _body(body: Body) -> str:
    """The ops, most frequent first."""
    counts = Counter(body.ops).most_common()
    rows = [(op, f"{number:,}") for op, number in counts[:OPS]]
    if len(counts) > OPS:
        rows.append((f"and {len(counts) - OPS:,} more", f"{sum(number for _, number in counts[OPS:]):,}"))
    return title(repr(body)) + table(rows, ("op", "nodes"), (False, True))


def _graph(graph: Graph) -> str:
    """The drawing; of a graph that is very large, or cannot be drawn, the ops."""
    if len(graph) > DRAWN_NODES:
        return _body(graph)
    try:
        drawing = draw(Model("graph", ModelKind.GRAPH, "", (), graph))
    except GraphscopeError:
        return _body(graph)
    return title(repr(graph)) + _drawing(drawing)


def _drawing(drawing: Drawing) -> str:
    return f'<div style="overflow:auto;max-height:60em">{drawing.svg()}</div>'


def _node(node: Node) -> str:
    rows = [("op", node.op), ("device", node.device), ("inputs", ", ".join(node.inputs))]
    rows += [(name, attr_text(node, name)) for name in sorted(node.attrs)]
    return title(node.name) + table([row for row in rows if row[1]])


def _cost(report: CostReport) -> str:
    columns = cost_columns(report)
    rows = [[cell(row) for _, cell in columns] for row in cost_rows(report)]
    right = [column.right for column, _ in columns]
    return table(rows, [column.title for column, _ in columns], right) + _sections(cost_sections(report))


_VIEWS: Mapping[type, View] = {
    Model: _model,
    Graph: _graph,
    Body: _body,
    Node: _node,
    Drawing: _drawing,
    Summary: _summary,
    CostReport: _cost,
    DiffReport: as_on_a_terminal(lambda sink, report: write_diff(sink, Format.TABLE, report, 0)),
    AuditReport: as_on_a_terminal(lambda sink, report: write_audit(sink, "table", report, Severity.INFO)),
    Profile: as_on_a_terminal(lambda sink, report: write_profile(sink, report, ())),
}
