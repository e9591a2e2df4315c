"""The output of ``tune``."""

from __future__ import annotations

import shlex
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

from graphscope.cli.terminal.output import Sink
from graphscope.cli.terminal.pages import Format, Page, write_page
from graphscope.cli.terminal.plain import plain
from graphscope.cli.terminal.table import Column, write_table
from graphscope.cli.terminal.text import escape
from graphscope.core.units import count
from graphscope.training.recipe import REGRESSION, Recipe
from graphscope.training.tune.report import ClassReport, EpochReport, TuneReport
from graphscope.training.tune.resume import TrainingState
from graphscope.training.tune.training_job import Job

MAX_CLASSES = 40
"""Rows of the table of classes on a terminal; the worst ones, if there are more."""


def began_lines(job: Job, run: TrainingState) -> Iterator[str]:
    """The training data, and the step at which training starts."""
    examples = count(len(job.training), "example")
    judged = f", {len(job.validation):,} held out" if job.validation else ", none held out"
    base = "the base is computed once for each" if job.cached else "the base runs in each step"
    start = f", from step {run.step:,}" if run.step else ""
    yield f"{examples}{judged}; {base}; {job.order.steps_per_epoch:,} steps of {job.options.batch} an epoch{start}"


def epoch_line(epoch: EpochReport, epochs: int, recipe: Recipe, is_best: bool) -> str:
    """One epoch on one line."""
    width = len(str(epochs))
    trained = f"loss {epoch.loss:<8.4g} {metric_text(recipe.task, epoch.metric)}"
    judged = ""
    if epoch.validation_loss is not None and epoch.validation_metric is not None:
        metric = metric_text(recipe.task, epoch.validation_metric)
        judged = f"  validation {epoch.validation_loss:<8.4g} {metric}{' best' if is_best else ''}"
    return f"epoch {epoch.epoch:{width}}/{epochs}  {trained}{judged}  {epoch.examples_per_s:,.0f}/s"


def metric_text(task: str, value: float | None) -> str:
    """``97.25 %``, or the error of a regression."""
    if value is None:
        return ""
    return f"error {value:.4g}" if task == REGRESSION else f"{value:7.2%}".replace("%", " %")


def write_report(sink: Sink, format: Format, report: TuneReport, recipe: Recipe) -> None:
    """Writes the report: by class, the result, and what to type next."""
    if format is Format.TABLE:
        write_classes(sink, report)
    write_page(
        sink, format, Page(lambda: _lines(report, recipe), lambda: _record(report, recipe), lambda: [report.best])
    )


def write_classes(sink: Sink, report: TuneReport) -> None:
    """Writes a row for each class."""
    rows = report.classes
    if sink.is_terminal and len(rows) > MAX_CLASSES:
        rows = tuple(sorted(rows, key=lambda row: _goodness(report.task, row))[:MAX_CLASSES])
        sink.note(f"the {MAX_CLASSES} classes of {len(report.classes):,} that are predicted worst")
    metric = "error" if report.task == REGRESSION else "accuracy"
    columns = (
        Column("number" if report.task == REGRESSION else "class"),
        Column("examples", right=True),
        Column(metric, right=True),
    )
    write_table(
        sink,
        columns,
        [(r.name, f"{r.examples:,}", metric_text(report.task, r.metric).strip().removeprefix("error ")) for r in rows],
    )


def _goodness(task: str, row: ClassReport) -> float:
    if row.metric is None:
        return 2.0
    return -row.metric if task == REGRESSION else row.metric


def _lines(report: TuneReport, recipe: Recipe) -> Iterator[str]:
    yield from result_lines(report)
    yield f"next  {escape(freeze_command(report, recipe))}"


def result_lines(report: TuneReport) -> Iterator[str]:
    """The result and its location."""
    metric = f"{report.metric_name} {metric_text(report.task, report.metric).strip().removeprefix('error ')}"
    on = (
        f"{report.validation_examples:,} held-out"
        if report.judged_on == "validation"
        else f"the {report.examples:,} training"
    )
    yield f"{metric}, loss {report.loss:.4g} on {on} examples after epoch {report.best_epoch} of {len(report.epochs)}"
    if report.averaged:
        yield "moving averages took the place of the variables"
    yield f"{report.ended}; the last checkpoint is {escape(report.last)}"


def _record(report: TuneReport, recipe: Recipe) -> Any:
    return {**plain(report), "next": freeze_command(report, recipe)}


def freeze_command(report: TuneReport, recipe: Recipe) -> str:
    """The command that freezes the best checkpoint."""
    name = Path(report.best).name.partition(".ckpt")[0] or "model"
    words = ["graphscope", "freeze", report.best, "-o", f"{name}.pb", "--output", recipe.predictions.removesuffix(":0")]
    words += ["--set", f"{recipe.training.removesuffix(':0')}=false"] if recipe.training else []
    words += ["--ema"] if report.averaged else []
    return shlex.join([*words, "--verify"])


def resume_command(arguments: Iterable[str]) -> str:
    """The command that resumes the training run that was started with ``arguments``."""
    given = [word for word in arguments if word != "--force"]
    return shlex.join(["graphscope", *given, *([] if "--resume" in given else ["--resume"])])
