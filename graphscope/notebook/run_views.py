"""Which HTML shows what running and training models gave: one row for each kind of thing."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from graphscope.api.freeze import Frozen
from graphscope.api.profile import Profiled
from graphscope.api.run import Outputs
from graphscope.cli.render.evaluate import write_evaluation
from graphscope.cli.render.freeze import changed_lines, open_switch_lines
from graphscope.cli.render.graft import graft_sections, loss_lines
from graphscope.cli.render.profile import write_profile
from graphscope.cli.render.run import show_outputs, write_outputs
from graphscope.cli.render.tune import result_lines, write_classes
from graphscope.cli.render.verify import write_layers, write_nonfinite, write_verification
from graphscope.cli.terminal.output import Sink
from graphscope.cli.terminal.pages import Format
from graphscope.cli.terminal.sections import Line, write_sections
from graphscope.notebook.markup import View, as_on_a_terminal
from graphscope.runtime.comparing.layers import LayerComparison
from graphscope.runtime.comparing.nonfinite import NonfiniteReport
from graphscope.runtime.comparing.verify import Verification
from graphscope.training.evaluation.report import EvaluationReport
from graphscope.training.graft.result import Grafted, GraftReport
from graphscope.training.tune.report import TuneReport

LAYERS = 10
"""How many of the layers that differ are shown."""

_INDENT = 9


def _write_frozen(sink: Sink, frozen: Frozen) -> None:
    sink.lines([*changed_lines(frozen), *open_switch_lines(frozen)])


def _graft(sink: Sink, report: GraftReport, losses: Iterable[Line] = ()) -> None:
    sink.lines(write_sections(sink, graft_sections(report, list(losses)), _INDENT))


def _tune(sink: Sink, report: TuneReport) -> None:
    write_classes(sink, report)
    sink.lines(result_lines(report))


VIEWS: Mapping[type, View] = {
    Frozen: as_on_a_terminal(_write_frozen),
    Grafted: as_on_a_terminal(lambda sink, grafted: _graft(sink, grafted.report, loss_lines(grafted))),
    GraftReport: as_on_a_terminal(_graft),
    EvaluationReport: as_on_a_terminal(lambda sink, report: write_evaluation(sink, Format.TABLE, report)),
    LayerComparison: as_on_a_terminal(lambda sink, found: write_layers(sink, Format.TABLE, found, LAYERS)),
    NonfiniteReport: as_on_a_terminal(lambda sink, report: write_nonfinite(sink, Format.TABLE, [report])),
    Outputs: as_on_a_terminal(lambda sink, outputs: write_outputs(sink, Format.TABLE, show_outputs(outputs))),
    Profiled: as_on_a_terminal(lambda sink, profiled: write_profile(sink, profiled.report, ())),
    TuneReport: as_on_a_terminal(_tune),
    Verification: as_on_a_terminal(lambda sink, found: write_verification(sink, Format.TABLE, found)),
}
