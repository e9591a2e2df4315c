"""Trains what :mod:`graft <graphscope.training.recipe>` left to train, and leaves ordinary checkpoints."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from graphscope.advice import Advice, Call, Option
from graphscope.core.model import Model
from graphscope.core.tensors import TensorSpec
from graphscope.errors import CorruptFileError, FileError, GraphscopeError
from graphscope.feeding.feeds import tensor_spec
from graphscope.formats import load
from graphscope.formats.io.paths import exists, real_path
from graphscope.named_tuple import NamedTuple
from graphscope.runtime.session import Session, open_session
from graphscope.runtime.tensorflow import promise_equal_bits
from graphscope.training.recipe import CLASSES
from graphscope.training.tune.checkpoints import Checkpoints, Unwritten, output_prefix
from graphscope.training.tune.loop import Loop
from graphscope.training.tune.metrics import Evaluation
from graphscope.training.tune.report import METRIC_NAMES, TuneReport
from graphscope.training.tune.resume import (
    Settings,
    TrainingState,
    read_run,
    refuse_other_settings,
    run_file,
)
from graphscope.training.tune.stepping import Team
from graphscope.training.tune.trained_variables import (
    Averages,
    SessionVariables,
    refuse_untrainable,
    written_variables,
)
from graphscope.training.tune.training_job import Job, Watcher

if TYPE_CHECKING:
    from graphscope.training.data.source import Dataset

_DIGITS = 12
"""Of a hash, enough for a person to see that two differ."""


@dataclass(frozen=True, slots=True)
class OutputLocation:
    """Where a training's checkpoints go, and whether one that is there matters.

    Attributes:
        out: another prefix than the model's own, or a directory; ``None``: beside the model.
        resume: goes on with the training run that is there.
        overwrite: begins anew, whatever is there.
    """

    out: str | None = None
    resume: bool = False
    overwrite: bool = False


def tune(
    model: Model,
    job: Job,
    place: OutputLocation,
    *,
    augmentation: str = "",
    watchers: Sequence[Watcher] = (),
    interrupted: Callable[[], bool] = lambda: False,
    team: Team | None = None,
) -> TuneReport:
    """Trains ``model``: writes a checkpoint after each epoch and keeps the best one separately.

    Args:
        model: a checkpoint with a recipe.
        job: on what, and how.
        place: where checkpoints go.
        augmentation: what happens to the inputs, in words, which a resumed training run must share.
        watchers: receive the progress of training.
        interrupted: called after each step; returns whether to stop.
        team: who makes the steps; ``None``: this process on one device.

    Raises:
        Interrupted: ``interrupted`` returned true; a checkpoint has been saved.
        FileError: a training run already exists, or there is none to resume; a file cannot be written (no space).
        IncompleteModelError: nothing can be trained.
        GraphscopeError: labels do not fit, the existing training run was started with different settings, training diverged.
    """
    team = team or Team()
    with opened_training(model, job, place, team, augmentation) as opened:
        session, run, checkpoints = opened.session, opened.run, opened.checkpoints
        stepping = team.stepping(session, job, {**shared_settings(opened, job), "step": run.step}, interrupted)
        if not team.is_rejoining:
            _start(run, opened.variables.step(job.recipe.global_step), checkpoints)
        if team.is_elastic:
            checkpoints.claim(run)
        loop = Loop(
            session, job, run, checkpoints, opened.variables, opened.averages, stepping=stepping, watchers=watchers
        )
        ended = loop.run()
        return _report(loop, ended)


class OpenedTraining(NamedTuple):
    """A training that can make steps.

    Attributes:
        session: which trains.
        variables: what it changes.
        averages: the moving averages among that.
        run: where the training run is.
        checkpoints: where it goes.
    """

    session: Session
    variables: SessionVariables
    averages: Averages
    run: TrainingState
    checkpoints: Checkpoints


@contextmanager
def opened_training(
    model: Model, job: Job, place: OutputLocation, team: Team, augmentation: str = ""
) -> Iterator[OpenedTraining]:
    """Opens a training run at the last checkpoint of ``place``, or at ``model`` if there is nothing to resume.

    Raises as :func:`tune`.
    """
    refuse_labels(job)
    promise_equal_bits()
    prefix = output_prefix(model.path, place.out)
    run = found_run(prefix, place)
    model = _origin(model, prefix, run)
    settings = _settings(model, job, augmentation)
    if run is None:
        run = TrainingState(settings, os.path.relpath(model.path, prefix.parent), 0, 0, split=job.split)
    refuse_other_settings(run_file(prefix), run.settings, settings)
    current = load(str(prefix.parent / run.kept[-1])) if run.kept else model
    checkpoints = Checkpoints(prefix, model) if team.is_writer else Unwritten(prefix, model)
    with _training(current, job, team) as (session, variables, averages):
        yield OpenedTraining(session, variables, averages, run, checkpoints)


@contextmanager
def _training(model: Model, job: Job, team: Team) -> Iterator[tuple[Session, SessionVariables, Averages]]:
    """A session that trains, what it changes, and the moving averages among that."""
    recipe = job.recipe
    given = fed_features(model, job)
    written = written_variables(model, [recipe.train_op], given)
    refuse_untrainable(model, written)
    fetches = [recipe.train_op, recipe.loss, recipe.metric, recipe.predictions, recipe.learning_rate, *team.fetches]
    with open_session(
        team.model(model, recipe, given),
        fetches,
        given=team.given(given),
        values=team.values,
        placing=team.placing(),
        config=team.config,
        keep=team.keep,
        trust=job.options.trust,
    ) as session:
        yield session, SessionVariables(session, written), Averages(session, written)


def fed_features(model: Model, job: Job) -> list[TensorSpec]:
    """The features that every run is fed, so that the base is no part of the session; none if it runs in each step."""
    return [tensor_spec(model, name) for name in job.recipe.features] if job.cached else []


def _start(run: TrainingState, step: int, checkpoints: Checkpoints) -> None:
    """Takes a training run up at ``step``, where the session stands; a new one is written down at once."""
    if not run.kept:
        run.start_step = run.step = step
        checkpoints.record(run)
    if run.step != step:
        raise CorruptFileError(
            f"it states step {run.step:,}, but its checkpoint states step {step:,}", path=run_file(checkpoints.prefix)
        )


def found_run(prefix: Path, place: OutputLocation) -> TrainingState | None:
    """The training to go on with; ``None`` to begin one.

    Args:
        prefix: see :func:`graphscope.training.tune.checkpoints.output_prefix`.

    Raises:
        FileError: a training run exists and ``overwrite`` is not set, or there is none to resume.
        CorruptFileError: its state is damaged.
    """
    path = run_file(prefix)
    resumable = Advice(
        "without ", Option("resume", True), " a new one is started; ", Option("out"), " says where one is"
    )
    if place.resume and not exists(path):
        raise FileError(f"{path}: no training to resume", hint=resumable)
    found = read_run(path) if exists(path) and not place.overwrite else None
    if found is not None and found.kept and not place.resume:
        raise FileError(
            f"{path}: a training is here already",
            hint=Advice(
                Option("resume", True),
                " continues it, ",
                Option("overwrite", True),
                " starts over, ",
                Option("out", "DIR/"),
                " puts the new one elsewhere",
            ),
        )
    return found if place.resume else None


def _origin(model: Model, prefix: Path, run: TrainingState | None) -> Model:
    """What the training run began with, where ``model`` is a checkpoint of its own: a directory's latest one, say."""
    own = [prefix.parent / name for name in run.kept] if run is not None else []
    if run is None or real_path(model.path) not in map(real_path, own):
        return model
    return load(str(prefix.parent / run.origin))


def _settings(model: Model, job: Job, augmentation: str) -> Settings:
    """What must be the same when the training run is resumed."""
    options = job.options
    return {
        "model": _model_digest(model),
        "training data": _data_digest(job.training.source, job.training.indices),
        "validation data": _data_digest(job.validation.source, job.validation.indices) if job.validation else None,
        "batch": options.batch,
        "seed": options.seed,
        "augment": augmentation or None,
        "features computed once": job.cached,
    }


def shared_settings(opened: OpenedTraining, job: Job) -> Settings:
    """What all members of a team must share: what a resumed training run keeps, how far this one goes, and where."""
    options, place = job.options, str(real_path(opened.checkpoints.prefix))
    course = {"epochs": options.epochs, "patience": options.patience, "save every": options.save_every, "out": place}
    return {**opened.run.settings, **course}


def _model_digest(model: Model) -> str:
    """Of the checkpoint's index, which has the checksums of all values."""
    index = next(file.path for file in model.files if file.role == "index")
    return hashlib.sha256(Path(index).read_bytes()).hexdigest()[:_DIGITS]


def _data_digest(source: Dataset, indices: Any) -> str:
    found = hashlib.sha256(source.fingerprint.encode())
    found.update(indices.tobytes())
    found.update(source.labels[indices].tobytes())
    return f"{len(indices):,} examples ({found.hexdigest()[:_DIGITS]})"


def refuse_labels(job: Job) -> None:
    """Refuses data without examples, or with labels that the head does not have.

    Raises:
        GraphscopeError: so it is.
    """
    for examples in (job.training, job.validation):
        if examples is None:
            continue
        if not len(examples):
            raise GraphscopeError("there are no examples")
        labels = examples.labels(examples.indices)
        if job.recipe.task == CLASSES and not (labels.min() >= 0 and labels.max() < job.recipe.classes):
            raise GraphscopeError(
                f"labels go from {labels.min()} to {labels.max()}; the head has classes 0 to {job.recipe.classes - 1}",
                hint=Advice(Call("graft", ("BASE",), (Option("classes", "N"),)), "   makes a head of another width"),
            )


def _report(loop: Loop, ended: str) -> TuneReport:
    job, run, best = loop.job, loop.state, loop.state.best
    last = loop.checkpoints.path(run.kept[-1]) if run.kept else loop.session.model.path
    report = TuneReport(
        task=job.recipe.task,
        metric_name=METRIC_NAMES[job.recipe.task],
        examples=len(job.training),
        validation_examples=len(job.validation) if job.validation else 0,
        cached=job.cached,
        averaged=bool(loop.averages),
        epochs=tuple(run.epochs),
        ended=ended,
        last=last,
        best=last,
        best_epoch=len(run.epochs),
        loss=0.0,
        metric=0.0,
        judged_on="training",
        classes=(),
    )
    if best is None:
        return _judge(report, loop.evaluate(job.training))
    return replace(
        report,
        best=loop.checkpoints.best_path(best.checkpoint),
        best_epoch=best.epoch,
        loss=best.loss,
        metric=best.metric,
        judged_on="validation",
        classes=best.classes,
    )


def _judge(report: TuneReport, found: Evaluation) -> TuneReport:
    return replace(report, loss=found.mean.loss, metric=found.mean.metric, classes=found.classes)
