"""The progress of ``tune`` on stderr: a bar on a terminal, and a line for each epoch."""

from __future__ import annotations

from types import TracebackType
from typing import TYPE_CHECKING, Any

from graphscope.cli.render.tune import began_lines, epoch_line, metric_text
from graphscope.cli.terminal.output import Sink

if TYPE_CHECKING:
    from graphscope.training.tune.metrics import Evaluation
    from graphscope.training.tune.report import EpochReport
    from graphscope.training.tune.resume import TrainingState
    from graphscope.training.tune.training_job import Job, StepReport


class TuneProgress:
    """A :class:`graphscope.training.tune.training_job.Watcher` that talks. A context manager.

    Attributes:
        has_begun: whether the training has, so that there is something to save.
    """

    def __init__(self, sink: Sink) -> None:
        self._sink = sink
        self._bar: Any = None
        self.has_begun = False

    def __enter__(self) -> TuneProgress:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Removes the bar."""
        if self._bar is not None:
            self._bar.stop()

    def say(self, line: str) -> None:
        """Prints a line, above the bar if there is one."""
        if self._bar is None:
            self._sink.talk(line)
        else:
            self._bar.console.print(line, markup=False, highlight=False, soft_wrap=True)

    def on_begin(self, job: Job, run: TrainingState) -> None:
        """Prints the training data, and shows the bar."""
        self._job, self._run = job, run
        self.has_begun = True
        for line in began_lines(job, run):
            self._sink.talk(line)
        if self._sink.err_is_terminal:
            self._bar = _training_bar()
            total = job.order.steps_per_epoch * job.options.epochs
            self._task = self._bar.add_task("", total=total, completed=run.step - run.start_step, told="")
            self._bar.start()

    def on_step(self, step: StepReport) -> None:
        """Moves the bar."""
        if self._bar is not None:
            epoch = f"epoch {len(self._run.epochs) + 1}/{self._job.options.epochs}"
            metric = metric_text(self._job.recipe.task, step.running.metric).strip()
            self._bar.update(
                self._task,
                completed=step.step - self._run.start_step,
                told=f"{epoch}  loss {step.running.loss:.4g}  {metric}  {step.examples_per_s:,.0f}/s",
            )

    def on_epoch(self, epoch: EpochReport, evaluation: Evaluation | None) -> None:
        """A line for the epoch."""
        is_best = evaluation is not None and self._run.best is not None and self._run.best.epoch == epoch.epoch
        self.say(epoch_line(epoch, self._job.options.epochs, self._job.recipe, is_best))


def _training_bar() -> Any:
    from rich.console import Console
    from rich.progress import BarColumn, Progress, TextColumn, TimeRemainingColumn

    columns = (TextColumn("{task.fields[told]}", markup=False), BarColumn(), TimeRemainingColumn(compact=True))
    return Progress(*columns, console=Console(stderr=True), transient=True)
