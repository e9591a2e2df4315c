"""``graphscope tune``."""

from __future__ import annotations

import sys
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from graphscope.cli.options import data as data_shared
from graphscope.cli.options import shared
from graphscope.cli.terminal.output import Sink
from graphscope.cli.terminal.views import Format
from graphscope.errors import GraphscopeError

if TYPE_CHECKING:
    from graphscope.core.model import Model
    from graphscope.training.recipe import Recipe
    from graphscope.training.tune.prepare import Request
    from graphscope.training.tune.report import TuneReport
    from graphscope.training.tune.training_job import Job, TuneOptions, Watcher
    from graphscope.training.tune.tune import OutputLocation

STOPPING = "finishing this step, then saving; Ctrl-C again stops at once"


def tune(
    model: Annotated[
        str, typer.Argument(metavar="PREFIX", show_default=False, help="A checkpoint that graphscope graft wrote.")
    ],
    *,
    data: data_shared.Data,
    validation: Annotated[
        str,
        typer.Option("--validation", metavar="DATA|PART", help="To judge by: other data, or a part held out; 0: none."),
    ] = "0.1",
    epochs: Annotated[int, typer.Option("--epochs", min=1, metavar="N", help="Passes over the examples.")] = 10,
    batch: Annotated[int, typer.Option("--batch", min=1, metavar="N", help="Examples in a step.")] = 32,
    seed: Annotated[
        int, typer.Option("--seed", min=0, metavar="N", help="Of the examples' order and augmentation.")
    ] = 0,
    patience: Annotated[
        int | None,
        typer.Option(
            "--patience", min=1, metavar="N", show_default=False, help="Stop after N epochs that are not better."
        ),
    ] = None,
    augment: Annotated[
        str,
        typer.Option(
            "--augment", metavar="CHANGES", show_default=False, help="Change pictures: flip,crop:0.1,brightness:0.2."
        ),
    ] = "",
    schema: data_shared.Schema = "",
    scale: data_shared.Scale = "",
    mean: data_shared.Mean = "",
    size: data_shared.Size = "",
    only_classes: data_shared.OnlyClasses = "",
    limit_per_class: data_shared.LimitPerClass = None,
    strict: data_shared.Strict = False,
    cache: data_shared.Cache = None,
    no_cache: Annotated[bool, typer.Option("--no-cache", help="Run the base in each step; keep no features.")] = False,
    logdir: Annotated[
        Path | None, typer.Option("--logdir", metavar="DIR", show_default=False, help="Log for TensorBoard here.")
    ] = None,
    out: Annotated[
        str | None,
        typer.Option(
            "--out", "-o", metavar="PREFIX|DIR/", show_default=False, help="Checkpoints go here, not beside PREFIX."
        ),
    ] = None,
    keep: Annotated[int, typer.Option("--keep", min=1, metavar="N", help="Checkpoints to keep besides the best.")] = 3,
    save_every: Annotated[
        int | None,
        typer.Option(
            "--save-every", min=1, metavar="N", show_default=False, help="Steps between checkpoints in an epoch."
        ),
    ] = None,
    resume: Annotated[bool, typer.Option("--resume", help="Go on with the training that is there.")] = False,
    assert_accuracy: Annotated[
        float | None,
        typer.Option(
            "--assert-accuracy", min=0, max=1, metavar="X", show_default=False, help="Fail (exit 1) below this."
        ),
    ] = None,
    trust: shared.Trust = False,
    format: shared.FormatOption = Format.TABLE,
    force: Annotated[bool, typer.Option("--force", help="Begin anew where a training is already.")] = False,
) -> None:
    """Trains the head that graft made; what lies below a stopped gradient is computed once."""
    from graphscope.cli.options.loading import load
    from graphscope.training.tune.prepare import Request
    from graphscope.training.tune.training_job import TuneOptions
    from graphscope.training.tune.tune import OutputLocation

    if resume and force:
        raise typer.BadParameter("--resume goes on, --force begins anew", param_hint="--force")
    sink = Sink.standard()
    options = TuneOptions(epochs, batch, seed, patience, keep, save_every, trust)
    reading = data_shared.data_options(
        schema=schema,
        strict=strict,
        size=size,
        scale=scale,
        mean=mean,
        only_classes=only_classes,
        limit_per_class=limit_per_class,
        cache=cache,
        seed=seed,
    )
    request = Request(data, validation, reading, augment, not no_cache)
    _run(sink, load(model), request, options, OutputLocation(out, resume, force), logdir, format, assert_accuracy)


def _run(
    sink: Sink,
    model: Model,
    request: Request,
    options: TuneOptions,
    place: OutputLocation,
    logdir: Path | None,
    format: Format,
    assert_accuracy: float | None,
) -> None:
    """Prepares, trains, reports."""
    from graphscope.cli.render.tune import write_report
    from graphscope.cli.render.tune_progress import features_progress
    from graphscope.cli.terminal.graph_output import escaped_graph_output
    from graphscope.training.recipe import recipe_of
    from graphscope.training.tune.checkpoints import output_prefix
    from graphscope.training.tune.prepare import prepare
    from graphscope.training.tune.tune import found_run

    recipe = recipe_of(model)
    refuse_accuracy(recipe, assert_accuracy)
    run = found_run(output_prefix(model.path, place.out), place)  # before features are computed, which may take long
    if run is not None:
        request = replace(request, split=run.split)
    with escaped_graph_output(sink):
        job, notes = prepare(model, recipe, request, options, lambda total: features_progress(sink, total))
    for note in notes:
        sink.note(note)
    with escaped_graph_output(sink):
        report = _trained(sink, model, job, place, request.augment, logdir)
    write_report(sink, format, report, recipe)
    if assert_accuracy is not None and not report.metric >= assert_accuracy:
        raise GraphscopeError(
            f"the accuracy is {report.metric:.2%}, below the {assert_accuracy:.2%} that was asked for"
        )


def refuse_accuracy(recipe: Recipe, wanted: float | None) -> None:
    """A regression has none: that is wrong usage."""
    from graphscope.training.recipe import REGRESSION

    if wanted is not None and recipe.task == REGRESSION:
        raise typer.BadParameter("a regression has no accuracy", param_hint="--assert-accuracy")


def _trained(
    sink: Sink, model: Model, job: Job, place: OutputLocation, augment: str, logdir: Path | None
) -> TuneReport:
    """Trains; where Ctrl-C ends that, says how to go on, and exits."""
    from graphscope.cli.render.tune import resume_command
    from graphscope.cli.render.tune_progress import TuneProgress
    from graphscope.cli.terminal.interrupts import INTERRUPTED, asked_to_stop
    from graphscope.training.tune.board_log import BoardLog
    from graphscope.training.tune.loop import Interrupted
    from graphscope.training.tune.prepare import fed_input
    from graphscope.training.tune.tune import tune

    with ExitStack() as stack:
        progress = stack.enter_context(TuneProgress(sink))
        watchers: list[Watcher] = [progress]
        if logdir is not None:
            watchers.append(stack.enter_context(BoardLog(logdir, model, fed_input(model, job.recipe))))
        stop = stack.enter_context(asked_to_stop(lambda: progress.say(STOPPING), progress.close))
        try:
            return tune(model, job, place, augmentation=augment, watchers=watchers, interrupted=stop)
        except Interrupted as stopped:
            stack.close()
            sink.note(f"stopped after step {stopped.step:,}, saved as {stopped.prefix}")
            sink.note(f"to go on:  {resume_command(sys.argv[1:])}")
            raise typer.Exit(INTERRUPTED) from None


EXAMPLES = """
  graphscope tune grafted.ckpt --data flowers/ --validation 0.2 --epochs 20
  graphscope tune grafted.ckpt --data train.npz --validation test.npz --logdir logs
  graphscope tune grafted.ckpt --data train.npz --epochs 40 --resume
"""
