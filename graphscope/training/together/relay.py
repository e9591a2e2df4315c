"""What the processes of a training run tell the one that started them, and it the watchers."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

from graphscope.training.tune.loop import Interrupted
from graphscope.training.tune.metrics import Evaluation
from graphscope.training.tune.report import EpochReport, TuneReport
from graphscope.training.tune.resume import TrainingState
from graphscope.training.tune.training_job import Job, StepReport, Watcher


@dataclass(frozen=True, slots=True)
class Done:
    """A training that ended: with a report, or because it was asked to, at this step and with this checkpoint."""

    report: TuneReport | None
    step: int = 0
    prefix: str = ""

    def result(self) -> TuneReport:
        """The report.

        Raises:
            Interrupted: it was asked to stop.
        """
        if self.report is None:
            raise Interrupted(self.step, self.prefix)
        return self.report


class Relay:
    """Tells the watchers here what worker 0 tells in its process."""

    def __init__(self, watchers: Sequence[Watcher], job: Job, warn: Callable[[str], None] = lambda _: None) -> None:
        """``warn`` is called with the warnings of worker 0."""
        self._watchers = watchers
        self._job = job
        self._step = 0
        self.warn = warn
        self._run: TrainingState | None = None

    @property
    def has_begun(self) -> bool:
        """Whether what lies at the place of the checkpoints is of this training run."""
        return self._run is not None

    def hear(self, number: int, message: tuple[str, Any]) -> None:
        """What the process of that number tells; only worker 0's counts."""
        if number == 0:
            kind, content = message
            getattr(self, kind)(*content)

    def on_begin(self, run: TrainingState) -> None:
        """Once: what later generations begin with is the same training."""
        if self._run is None:
            self._run = run
            for watcher in self._watchers:
                watcher.on_begin(self._job, run)

    def on_step(self, step: StepReport) -> None:
        """Once for each: steps that are done again after a loss have been told of."""
        if step.step > self._step:
            self._step = step.step
            for watcher in self._watchers:
                watcher.on_step(step)

    def on_epoch(self, epoch: EpochReport, evaluation: Evaluation | None, run: TrainingState) -> None:
        """After each; ``run`` says how far the training run has come."""
        assert self._run is not None
        self._run.__dict__.update(run.__dict__)
        for watcher in self._watchers:
            watcher.on_epoch(epoch, evaluation)


@dataclass
class Teller:
    """A :class:`Watcher` in worker 0, whose launcher hears of everything."""

    tell: Callable[[object], None]
    _run: TrainingState | None = field(default=None)

    def on_begin(self, job: Job, run: TrainingState) -> None:  # noqa: ARG002
        """See :meth:`Watcher.on_begin`; the job is known to the launcher."""
        self._run = run
        self.tell(("on_begin", (run,)))

    def on_step(self, step: StepReport) -> None:
        """See :meth:`Watcher.on_step`."""
        self.tell(("on_step", (step,)))

    def on_epoch(self, epoch: EpochReport, evaluation: Evaluation | None) -> None:
        """See :meth:`Watcher.on_epoch`."""
        self.tell(("on_epoch", (epoch, evaluation, self._run)))
