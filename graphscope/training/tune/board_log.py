"""What TensorBoard shows of a training run: curves, the graph, confused classes, misclassified pictures.

The runs are ``train`` and ``validation`` below the log directory.
"""

from __future__ import annotations

import contextlib
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING

from graphscope.analysis.ends.savers import saver_nodes
from graphscope.board.summaries import image, scalar
from graphscope.board.writer import EventWriter
from graphscope.core.model import Model
from graphscope.core.tensors import TensorSpec
from graphscope.protos import Event, Summary
from graphscope.training.data.source import Dataset
from graphscope.training.tune.drawing import confusion_picture, example_picture
from graphscope.training.tune.metrics import Evaluation, Misprediction
from graphscope.training.tune.report import METRIC_NAMES, EpochReport
from graphscope.training.tune.resume import TrainingState
from graphscope.training.tune.training_job import Job, StepReport

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

MAX_POINTS = 1000
"""About as many points has a curve of a whole training run."""

OF_EPOCH = "epoch_"
"""What the names of the means over an epoch begin with, in both runs: TensorBoard draws curves of one name in one picture."""

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

    def on_begin(self, job: Job, run: TrainingState) -> None:
        """Logs the graph; a resumed training run takes back what was logged after its checkpoint."""
        self._job = job
        self._metric = METRIC_NAMES[job.recipe.task].replace(" ", "_")
        self._every = max(job.order.steps_per_epoch * job.options.epochs // MAX_POINTS, 1)
        for writer in (self._train, self._validation):
            writer.add(Event(step=run.step + 1, session_log={"status": _STARTED}))
        graph = self._model.graph
        saver = saver_nodes(graph)
        self._train.graph(graph.with_nodes(node for node in graph if node.name not in saver), self._model.meta)
        self._train.flush()

    def on_step(self, step: StepReport) -> None:
        """A point of each curve."""
        if step.step % self._every == 0:
            values = [scalar("loss", step.loss), scalar(self._metric, step.metric)]
            self._train.summary([*values, scalar("learning_rate", step.learning_rate)], step.step)

    def on_epoch(self, epoch: EpochReport, evaluation: Evaluation | None) -> None:
        """The means over the epoch, and all that its validation found."""
        self._train.summary(_means(OF_EPOCH, self._metric, epoch.loss, epoch.metric), epoch.step)
        self._train.flush()
        if evaluation is not None:
            self._validate(epoch.step, evaluation)
            self._validation.flush()

    def _validate(self, step: int, found: Evaluation) -> None:
        if self._job.validation is not None:
            task, source = self._job.recipe.task, self._job.validation.source
            log_evaluation(self._validation, task, step, found, source, self._spec, OF_EPOCH)


def _means(prefix: str, name: str, loss: float, metric: float) -> list[Summary.Value]:
    return [scalar(f"{prefix}loss", loss), scalar(f"{prefix}{name}", metric)]


def log_evaluation(
    writer: EventWriter, task: str, step: int, found: Evaluation, source: Dataset, spec: TensorSpec, prefix: str = ""
) -> None:
    """The means, the confused classes and the misclassified pictures of an evaluation.

    Args:
        task: what the metric is of.
        source: the evaluated examples.
        spec: what they were fed to.
        prefix: what the names of the means begin with.
    """
    metric = METRIC_NAMES[task].replace(" ", "_")
    writer.summary(_means(prefix, metric, found.mean.loss, found.mean.metric), step)
    if found.confusion is not None:
        writer.summary([image("confusion", confusion_picture(found.confusion.matrix, found.names))], step)
    for number, example in enumerate(found.misclassified, 1):
        pixels = _misclassified_picture(example, found, source, spec)
        if pixels is not None:
            writer.summary([image(f"misclassified/{number:02d}", pixels)], step)


def _misclassified_picture(
    example: Misprediction, found: Evaluation, source: Dataset, spec: TensorSpec
) -> NDArray[np.uint8] | None:
    import numpy as np

    [value] = source.read(np.array([example.index], np.int64))
    caption = f"{found.names[example.label]} taken for {found.names[example.predicted]} ({example.confidence:.0%})"
    return example_picture(value, spec, caption)
