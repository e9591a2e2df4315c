"""``graphscope tune``."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Annotated

import typer

from graphscope.api.tune import Interrupted
from graphscope.api.tune import tune as train
from graphscope.cli.options import cluster as cluster_shared
from graphscope.cli.options import data as data_shared
from graphscope.cli.options import shared
from graphscope.cli.options.accuracy import AssertAccuracy, check_accuracy, refuse_accuracy
from graphscope.cli.options.loading import load
from graphscope.cli.render.tune import resume_command
from graphscope.cli.render.tune import write_report as write_tune
from graphscope.cli.render.tune_progress import TuneProgress
from graphscope.cli.terminal.interrupts import INTERRUPTED, asked_to_stop
from graphscope.cli.terminal.output import Sink
from graphscope.cli.terminal.pages import Format
from graphscope.cli.terminal.speaker import Speaker
from graphscope.training.recipe import recipe_of

STOPPING = "finishing this step, then saving; Ctrl-C again stops at once"


def tune(
    model: Annotated[
        str, typer.Argument(metavar="PREFIX", show_default=False, help="A checkpoint that graphscope graft wrote.")
    ],
    *,
    data: data_shared.Data,
    validation: Annotated[
        str,
        typer.Option(
            "--validation", metavar="DATA|PART", help="Validate on other data, or on a held-out fraction; 0 for none."
        ),
    ] = "0.1",
    epochs: Annotated[
        int, typer.Option("--epochs", min=1, metavar="N", help="Passes over the training examples.")
    ] = 10,
    batch: Annotated[int, typer.Option("--batch", min=1, metavar="N", help="Examples per step.")] = 32,
    seed: Annotated[int, typer.Option("--seed", min=0, metavar="N", help="Seed for shuffling and augmentation.")] = 0,
    patience: Annotated[
        int | None,
        typer.Option(
            "--patience", min=1, metavar="N", show_default=False, help="Stop after N epochs without improvement."
        ),
    ] = None,
    augment: Annotated[
        str,
        typer.Option(
            "--augment",
            metavar="CHANGES",
            show_default=False,
            help="Augment pictures: flip,crop:0.1,brightness:0.2,hue:0.05.",
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
    no_cache: Annotated[
        bool, typer.Option("--no-cache", help="Run the base in every step instead of caching features.")
    ] = False,
    logdir: Annotated[
        Path | None,
        typer.Option(
            "--logdir",
            metavar="DIR",
            show_default=False,
            help="Write TensorBoard logs here; in a cluster, worker 0 does.",
        ),
    ] = None,
    out: Annotated[
        str | None,
        typer.Option(
            "--out",
            "-o",
            metavar="PREFIX|DIR/",
            show_default=False,
            help="Write checkpoints here instead of beside PREFIX.",
        ),
    ] = None,
    keep: Annotated[
        int, typer.Option("--keep", min=1, metavar="N", help="Checkpoints to keep in addition to the best.")
    ] = 3,
    save_every: Annotated[
        int | None,
        typer.Option("--save-every", min=1, metavar="N", show_default=False, help="Save a checkpoint every N steps."),
    ] = None,
    resume: Annotated[bool, typer.Option("--resume", help="Resume the training that was started here.")] = False,
    workers: Annotated[
        int,
        typer.Option(
            "--workers", min=1, metavar="N", help="Train with N processes on this machine; --batch applies to each."
        ),
    ] = 1,
    cluster: cluster_shared.ClusterFile = None,
    job: cluster_shared.Job = "",
    task: cluster_shared.TaskIndex = None,
    asynchronous: Annotated[
        bool,
        typer.Option("--async", help="Let workers make steps of their own, on variables that parameter servers hold."),
    ] = False,
    ps: Annotated[
        int | None,
        typer.Option("--ps", min=1, metavar="N", show_default=False, help="Parameter servers for --async; default: 1."),
    ] = None,
    elastic: Annotated[
        bool,
        typer.Option("--elastic", help="Continue without a lost worker; the total batch size stays the same."),
    ] = False,
    timeout: Annotated[
        float,
        typer.Option(
            "--timeout", min=1, metavar="S", help="Seconds after which a worker without a step counts as lost."
        ),
    ] = 60.0,
    towers: Annotated[
        str,
        typer.Option(
            "--towers", metavar="DEVICES", show_default=False, help="Divide each step among devices: gpu:0,gpu:1."
        ),
    ] = "",
    assert_accuracy: AssertAccuracy = None,
    trust: shared.Trust = False,
    format: shared.FormatOption = Format.TABLE,
    force: Annotated[bool, typer.Option("--force", help="Start over and replace an earlier training run.")] = False,
) -> None:
    """Train the head that graft added; what is below a stopped gradient is computed once."""
    if resume and force:
        raise typer.BadParameter("--resume continues a training, --force starts over", param_hint="--force")
    sink = Sink.standard()
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
    loaded = load(model)
    recipe = recipe_of(loaded)
    refuse_accuracy(recipe.task, assert_accuracy)
    with _show_progress(sink) as (progress, stop):
        report = train(
            loaded,
            data,
            validation=validation,
            epochs=epochs,
            batch=batch,
            seed=seed,
            patience=patience,
            augment=augment,
            reading=reading,
            use_cache=not no_cache,
            logdir=logdir,
            out=out,
            keep=keep,
            save_every=save_every,
            resume=resume,
            workers=workers,
            cluster=cluster,
            job=job,
            task=task,
            asynchronous=asynchronous,
            ps=ps,
            elastic=elastic,
            timeout=timeout,
            towers=towers,
            trust=trust,
            overwrite=force,
            watchers=[progress],
            interrupted=stop,
            listener=Speaker(sink),
        )
    write_tune(sink, format, report, recipe)
    if stop():  # in the last save: all is done, but what would follow in a script is not wanted
        raise typer.Exit(INTERRUPTED)
    check_accuracy(report.metric, assert_accuracy)


@contextmanager
def _show_progress(sink: Sink) -> Iterator[tuple[TuneProgress, Callable[[], bool]]]:
    """Shows the progress of training; after Ctrl-C, shows how to resume and exits."""
    with ExitStack() as stack:
        progress = stack.enter_context(TuneProgress(sink))
        stop = stack.enter_context(
            asked_to_stop(lambda: progress.has_begun, lambda: progress.say(STOPPING), progress.close)
        )
        try:
            yield progress, stop
        except Interrupted as stopped:
            stack.close()
            saved = (
                f"after step {stopped.step:,}, saved as {stopped.prefix}" if stopped.prefix else "before the first step"
            )
            sink.note(f"stopped {saved}")
            sink.note(f"to resume:  {resume_command(sys.argv[1:])}")
            raise typer.Exit(INTERRUPTED) from None


EXAMPLES = """
  graphscope tune grafted.ckpt --data flowers/ --validation 0.2 --epochs 20
  graphscope tune grafted.ckpt --data train.npz --validation test.npz --logdir logs
  graphscope tune grafted.ckpt --data train.npz --epochs 40 --resume
"""
