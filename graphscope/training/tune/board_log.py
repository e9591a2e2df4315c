"""What TensorBoard shows of a training: curves, the graph, confused classes, misjudged pictures.

The runs are ``train`` and ``validation`` below the log directory.
"""

from __future__ import annotations

import contextlib
from pathlib import Path
from types import TracebackType

from graphscope.board.summaries import image, scalar
from graphscope.board.writer import EventWriter
from graphscope.core.model import Model
from graphscope.core.tensors import TensorSpec
from graphscope.protos import Event
from graphscope.training.tune.drawing import confusion_picture, example_picture
from graphscope.training.tune.metrics import Evaluation, Misjudged
from graphscope.training.tune.report import METRIC_NAMES, EpochReport
from graphscope.training.tune.resume import TrainingState
from graphscope.training.tune.training_job import Job, StepReport

MAX_POINTS = 1000
"""About as many points has a curve of a whole training."""

_STARTED = 1
"""``SessionLog.START``: what was logged at this step or later counts no more; TensorBoard drops it."""


class BoardLog:
    """A :class:`graphscope.training.tune.training_job.Watcher` that writes event files. A context manager."""

    def __init__(self, directory: Path, model: Model, spec: TensorSpec) -> None:
        """Makes the event files.

        Args:
            model: whose graph is shown.
            spec: what examples are fed to.

        Raises:
            FileError: the operating system refuses.
        """
        self._model = model
        self._spec = spec
        self._every = 1
        self._stack = contextlib.ExitStack()
        self._train = self._stack.enter_context(EventWriter(directory / "train"))
        self._validation = self._stack.enter_context(EventWriter(directory / "validation"))

    def __enter__(self) -> BoardLog:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._stack.close()

    def began(self, job: Job, run: TrainingState) -> None:
        """Logs the graph; a resumed training takes back what was logged after its checkpoint."""
        self._job = job
        self._metric = METRIC_NAMES[job.recipe.task].replace(" ", "_")
        self._every = max(job.order.steps_per_epoch * job.options.epochs // MAX_POINTS, 1)
        for writer in (self._train, self._validation):
            writer.add(Event(step=run.step + 1, session_log={"status": _STARTED}))
        self._train.graph(self._model.graph, self._model.meta)
        self._train.flush()

    def stepped(self, step: StepReport) -> None:
        """A point of each curve."""
        if step.step % self._every == 0:
            values = [scalar("loss", step.loss), scalar(self._metric, step.metric)]
            self._train.summary([*values, scalar("learning_rate", step.learning_rate)], step.step)

    def closed(self, epoch: EpochReport, evaluation: Evaluation | None) -> None:
        """The means over the epoch, and all that its validation found."""
        self._train.summary(
            [scalar("epoch_loss", epoch.loss), scalar(f"epoch_{self._metric}", epoch.metric)], epoch.step
        )
        self._train.flush()
        if evaluation is not None:
            self._validate(epoch.step, evaluation)
            self._validation.flush()

    def _validate(self, step: int, found: Evaluation) -> None:
        means = [scalar("loss", found.mean.loss), scalar(self._metric, found.mean.metric)]
        self._validation.summary(means, step)
        if found.confusion is not None:
            self._validation.summary([image("confusion", confusion_picture(found.confusion.matrix, found.names))], step)
        for number, example in enumerate(found.misjudged, 1):
            self._show(f"misjudged/{number:02d}", step, example, found)

    def _show(self, tag: str, step: int, example: Misjudged, found: Evaluation) -> None:
        import numpy as np

        if self._job.validation is None:
            return
        [value] = self._job.validation.source.read(np.array([example.index], np.int64))
        caption = f"{found.names[example.label]} taken for {found.names[example.told]} ({example.confidence:.0%})"
        pixels = example_picture(value, self._spec, caption)
        if pixels is not None:
            self._validation.summary([image(tag, pixels)], step)
