"""The output of ``graft``."""

from __future__ import annotations

import shlex
from collections.abc import Iterator, Mapping, Sequence

from graphscope.cli.terminal.output import Sink
from graphscope.cli.terminal.sections import Line, Section, write_sections
from graphscope.cli.terminal.text import escape, size, tensor_type
from graphscope.core.tensors import TensorSpec, shape_text
from graphscope.core.units import count
from graphscope.training.graft.losses import TASKS
from graphscope.training.graft.result import Grafted, GraftReport
from graphscope.training.recipe import CLASSES, MULTILABEL

_INDENT = 9
_WHAT = {CLASSES: "classes", MULTILABEL: "labels"}


def page(sink: Sink, grafted: Grafted, out: str, seconds: float) -> Iterator[str]:
    """The cut, the head, the trainable weights, the file, and the next command."""
    report = grafted.report
    yield from write_sections(sink, graft_sections(report, loss_lines(grafted)), _INDENT)
    yield f"{escape(out)}  {size(grafted.size_bytes)} in {seconds:.1f} s"
    yield ""
    commands = [(command,) for command in _next(report, shlex.quote(out))]
    yield from write_sections(sink, [("next", commands)], _INDENT, is_wrapped=False)


def graft_sections(report: GraftReport, losses: Sequence[Line]) -> list[Section]:
    """The cut, the head and the trainable weights; ``losses`` are the lines about the loss."""
    sections: list[Section] = [
        ("base", [(report.base,), (_nodes(report),)]),
        ("inputs", [_tensor(spec) for spec in report.inputs]),
        (
            "cut",
            [
                (*_tensor(spec), "gradients stop here" if report.is_stopped else "gradients pass")
                for spec in report.cuts
            ],
        ),
        ("head", list(_head(report))),
        ("trains", [(_amounts(report),)]),
        ("loss", losses),
    ]
    return [section for section in sections if section[1]]


def _nodes(report: GraftReport) -> str:
    return f"{report.nodes_before:,} nodes -> {report.nodes_kept:,}, {report.nodes_added:,} added"


def _tensor(spec: TensorSpec) -> tuple[str, str]:
    return spec.name, tensor_type(spec.dtype, spec.shape)


def _head(report: GraftReport) -> Iterator[Line]:
    for layer in report.layers:
        yield layer.text, f"{shape_text(layer.before)} -> {shape_text(layer.after)}"
    yield _tensor(report.logits)


def _amounts(report: GraftReport) -> str:
    """``2,885 parameters in 4 variables; 60,856 in 8 are frozen``; constants count with the variables."""
    frozen = f"{sum(report.frozen.values()):,} in {len(report.frozen):,} are frozen"
    if not report.task and not report.trainable:
        return f"nothing, since there is no loss; {frozen}"
    return f"{sum(report.trainable.values()):,} parameters in {count(len(report.trainable), 'variable')}; {frozen}"


def loss_lines(grafted: Grafted) -> list[Line]:
    """The loss and how it is minimized; nothing if nothing is trained."""
    if grafted.recipe is not None:
        return [(_loss(grafted.report, grafted.recipe.settings),)]
    return [("none",)] if grafted.report.trainable else []


def _loss(report: GraftReport, settings: Mapping[str, str]) -> str:
    """``softmax cross entropy of 5 classes, adam 0.001, decay step:100:0.5``."""
    what = f" of {report.width} {_WHAT[report.task]}" if report.task in _WHAT else ""
    chosen = [f"{name} {settings[name]}" for name in ("decay", "l2", "ema") if settings[name] not in ("", "0")]
    rate = f"{settings['optimizer']} {settings['learning_rate']}"
    return ", ".join([TASKS[report.task].text + what, rate, *chosen])


def _next(report: GraftReport, out: str) -> Iterator[str]:
    if report.task:
        yield f"graphscope tune {out} --data DATA --validation 0.1"
    else:
        yield f"graphscope freeze {out} -o frozen.pb --verify"
    yield f"graphscope info {out}"
