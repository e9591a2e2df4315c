"""The training loop: step by step, epoch by epoch, with a validation and a checkpoint after each."""

from __future__ import annotations

import math
import time
from collections.abc import Sequence
from typing import Any, cast

from graphscope.advice import Advice, Call, Option
from graphscope.errors import GraphscopeError
from graphscope.runtime.session import Session
from graphscope.training.tune.checkpoints import Checkpoints
from graphscope.training.tune.examples import Examples
from graphscope.training.tune.metrics import Evaluation, Mean
from graphscope.training.tune.report import ALL_EPOCHS, PATIENCE, Best, EpochReport
from graphscope.training.tune.resume import TrainingState
from graphscope.training.tune.stepping import Stepped, Stepping
from graphscope.training.tune.stopping import is_better, is_hopeless
from graphscope.training.tune.trained_variables import Averages, SessionVariables
from graphscope.training.tune.training_job import Job, StepReport, Watcher


class Interrupted(Exception):
    """Training was asked to stop, and has saved where it was.

    Attributes:
        step: the global step.
        prefix: of the checkpoint; empty if there is none yet.
    """

    def __init__(self, step: int, prefix: str) -> None:
        super().__init__(prefix)
        self.step = step
        self.prefix = prefix


class _Stop(Exception):
    """Unwinds to where the variables have their own values."""


class Loop:
    """One training in an open session."""

    def __init__(
        self,
        session: Session,
        job: Job,
        run: TrainingState,
        checkpoints: Checkpoints,
        variables: SessionVariables,
        averages: Averages,
        *,
        stepping: Stepping,
        watchers: Sequence[Watcher] = (),
    ) -> None:
        self.session = session
        self.job = job
        self.state = run
        self.checkpoints = checkpoints
        self.variables = variables
        self.averages = averages
        self.watchers = watchers
        self.stepping = stepping
        self.order = job.order
        self.clock = _Clock()
        self.learning_rate = math.nan

    def run(self) -> str:
        """Trains until all epochs are done or patience runs out, and says which.

        Raises:
            Interrupted: ``interrupted`` returned true; a checkpoint has been saved.
            GraphscopeError: the loss is no number any more, or a step fails; the last checkpoint stands.
            FileError: data cannot be read, or a checkpoint cannot be written; the one before stands.
        """
        for watcher in self.watchers:
            watcher.on_begin(self.job, self.state)
        try:
            while (ended := self.ended()) is None:
                self.clock = _Clock()
                self.train_epoch()
                self.close_epoch()
        except _Stop:
            name = self.save()
            raise Interrupted(self.state.step, self.checkpoints.path(name)) from None
        return ended

    def ended(self) -> str | None:
        """Why there is no further epoch; ``None`` if there is one."""
        done, options = len(self.state.epochs), self.job.options
        if done >= options.epochs:
            return ALL_EPOCHS
        return PATIENCE if is_hopeless(done, self.state.best, options.patience) else None

    def train_epoch(self) -> None:
        """The steps of the epoch that are not done yet, with a checkpoint wherever one is due."""
        epoch, steps = len(self.state.epochs), self.order.steps_per_epoch
        end = (epoch + 1) * steps
        while self.steps_done < end:
            every = self.job.options.save_every or end
            until = min(end, (self.steps_done // every + 1) * every)
            for stepped in self.stepping.steps(epoch, range(self.steps_done - epoch * steps, until - epoch * steps)):
                self.count(stepped)
                self.stop_if_asked()
            self.stop_if_asked()
            if until < end:
                self.save()

    @property
    def steps_done(self) -> int:
        """Since training began, before a resumption included."""
        return self.state.step - self.state.start_step

    def count(self, stepped: Stepped) -> None:
        """Counts a step, and tells of it."""
        loss, metric, rate, examples = stepped
        self.refuse_broken(loss, f"the loss of step {self.state.step + 1:,} is {loss}")
        self.state.step += 1
        self.state.running.add(loss, metric, examples)
        self.learning_rate = rate
        self.clock.examples += examples
        report = StepReport(
            self.state.step, loss, metric, rate, examples, self.state.running, self.clock.examples_per_s
        )
        for watcher in self.watchers:
            watcher.on_step(report)

    def refuse_broken(self, value: float, what: str) -> None:
        """Stops if training diverged.

        Raises:
            GraphscopeError: ``value`` is infinite or no number.
        """
        if math.isfinite(value):
            return
        kept = self.checkpoints.path(self.state.kept[-1]) if self.state.kept else self.session.model.path
        raise GraphscopeError(
            f"{what}: training diverged; {kept} is the last checkpoint",
            hint=Advice(
                Call("graft", ("BASE",), (Option("learning_rate", "0.0001"),)),
                " takes smaller steps; inputs should be near -1 to 1",
            ),
        )

    def stop_if_asked(self) -> None:
        """Ends the training run where someone asked for that."""
        if self.stepping.is_asked_to_stop():
            raise _Stop

    def close_epoch(self) -> None:
        """Validates, saves, and tells."""
        speed = self.clock.examples_per_s
        evaluation = self.evaluate(self.job.validation) if self.job.validation else None
        values = self.tensors()
        report = self.epoch_report(speed, evaluation)
        self.state.epochs.append(report)
        self.state.running = Mean()
        name = self.written(values)
        outdone = self.keep_best(report, evaluation, name) if evaluation is not None else []
        self.commit(name, outdone)
        for watcher in self.watchers:
            watcher.on_epoch(report, evaluation)

    def epoch_report(self, speed: float, evaluation: Evaluation | None) -> EpochReport:
        """Of the epoch that is over; ``speed`` in examples per second."""
        running, mean = self.state.running, evaluation.mean if evaluation is not None else None
        return EpochReport(
            epoch=len(self.state.epochs) + 1,
            step=self.state.step,
            loss=running.loss,
            metric=running.metric,
            validation_loss=mean.loss if mean is not None else None,
            validation_metric=mean.metric if mean is not None else None,
            learning_rate=self.rate(),
            seconds=self.clock.seconds,
            examples_per_s=speed,
        )

    def rate(self) -> float:
        """The learning rate of the last step; of the next one, where this process has done none."""
        return (
            self.learning_rate
            if math.isfinite(self.learning_rate)
            else float(cast(Any, self.session.run([self.job.recipe.learning_rate], {})[0]))
        )

    def evaluate(self, examples: Examples) -> Evaluation:
        """Runs the model over ``examples``, dropout off, moving averages in place of the variables if there are any."""
        found = Evaluation(self.job.recipe, self.job.names)
        with self.stepping.judging(), self.averages.in_place():
            for loss, metric, predictions, indices in self.stepping.judge(examples):
                found.add(loss, metric, predictions, examples.labels(indices), indices)
                self.stop_if_asked()
        self.refuse_broken(
            found.mean.loss, f"after step {self.state.step:,} the loss on held-out examples is {found.mean.loss}"
        )
        return found

    def keep_best(self, report: EpochReport, evaluation: Evaluation, name: str) -> list[str]:
        """Puts the checkpoint called ``name`` apart, if it is the best; returns the prefix of the one that it outdoes."""
        before, mean = self.state.best, evaluation.mean
        if not is_better(self.job.recipe.task, mean.metric, mean.loss, before):
            return []
        self.checkpoints.write_best(name)
        self.state.best = Best(report.epoch, mean.loss, mean.metric, name, evaluation.classes)
        return (
            [self.checkpoints.best_path(before.checkpoint)] if before is not None and before.checkpoint != name else []
        )

    def save(self) -> str:
        """A checkpoint of where training is; returns its name."""
        name = self.written(self.tensors())
        self.commit(name, [])
        return name

    def written(self, tensors: Any) -> str:
        """The name of the checkpoint at this step; one that training was resumed from is not written again."""
        name = self.checkpoints.name(self.state.step)
        if self.state.kept[-1:] != [name]:
            self.checkpoints.write(self.state.step, tensors)
        return name

    def tensors(self) -> Any:
        """What a checkpoint holds of the variables that training changes."""
        values = self.variables.values()
        for name, value in values.items():
            if value.dtype.kind == "f":
                self.refuse_broken(
                    float(abs(value).max(initial=0)), f"after step {self.state.step:,} {name} is not finite"
                )
        return self.variables.tensors(values)

    def commit(self, name: str, outdone: Sequence[str]) -> None:
        """Makes the checkpoint called ``name`` the one to go on from, then removes what is not kept."""
        kept = [*(other for other in self.state.kept if other != name), name]
        old, self.state.kept = kept[: -self.job.options.keep], kept[-self.job.options.keep :]
        self.checkpoints.record(self.state)
        self.checkpoints.announce(self.state.kept)
        self.checkpoints.remove([*(self.checkpoints.path(other) for other in old), *outdone])


class _Clock:
    """Wall time since it was made, and the examples trained on since then."""

    def __init__(self) -> None:
        self._start = time.monotonic()
        self.examples = 0

    @property
    def seconds(self) -> float:
        return time.monotonic() - self._start

    @property
    def examples_per_s(self) -> float:
        """Examples trained on, over the time so far."""
        return self.examples / max(self.seconds, 1e-9)
