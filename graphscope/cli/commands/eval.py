"""``graphscope eval``."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from graphscope.api.evaluate import evaluate as judge
from graphscope.cli.options import data as data_shared
from graphscope.cli.options import session, shared
from graphscope.cli.options.accuracy import AssertAccuracy, check_accuracy, refuse_accuracy
from graphscope.cli.options.loading import load_runnable
from graphscope.cli.render.evaluate import write_evaluation
from graphscope.cli.terminal.interrupts import ended_by_interrupt
from graphscope.cli.terminal.output import Sink
from graphscope.cli.terminal.pages import Format
from graphscope.cli.terminal.speaker import Speaker
from graphscope.training.recipe import REGRESSION


def evaluate(
    model: shared.ModelPath,
    *,
    data: data_shared.Data,
    output: Annotated[
        str | None,
        typer.Option(
            "--output", metavar="NAME", show_default=False, help="Evaluate this tensor; default: the likely output."
        ),
    ] = None,
    input: shared.InputNames,
    set_: shared.SetValues,
    regression: Annotated[
        bool, typer.Option("--regression", help="Labels are numbers, the targets of a regression.")
    ] = (False),
    multilabel: Annotated[bool, typer.Option("--multilabel", help="An example may have any number of labels.")] = False,
    labels: Annotated[
        Path | None,
        typer.Option("--labels", metavar="FILE", show_default=False, help="Class names in the order of the scores."),
    ] = None,
    ema: Annotated[bool, typer.Option("--ema", help="Use each variable's moving average, if it has one.")] = False,
    batch: Annotated[int, typer.Option("--batch", min=1, metavar="N", help="Examples per batch.")] = 64,
    wrong: Annotated[
        int, typer.Option("--wrong", min=0, metavar="N", help="List the N most confident misclassifications.")
    ] = 0,
    confusion: Annotated[
        Path | None,
        typer.Option("--confusion", metavar="FILE.png", show_default=False, help="Draw the confusion matrix here."),
    ] = None,
    logdir: Annotated[
        Path | None, typer.Option("--logdir", metavar="DIR", show_default=False, help="Write TensorBoard logs here.")
    ] = None,
    assert_accuracy: AssertAccuracy = None,
    schema: data_shared.Schema = "",
    scale: data_shared.Scale = "",
    mean: data_shared.Mean = "",
    size: data_shared.Size = "",
    only_classes: data_shared.OnlyClasses = "",
    limit_per_class: data_shared.LimitPerClass = None,
    seed: Annotated[int, typer.Option("--seed", min=0, metavar="N", help="Seed for --limit-per-class.")] = 0,
    strict: data_shared.Strict = False,
    cache: data_shared.Cache = None,
    checkpoint: shared.Checkpoint = None,
    tags: shared.Tags,
    trust: shared.Trust = False,
    engine: session.Engine = None,
    force: shared.Force = False,
    format: shared.FormatOption = Format.TABLE,
) -> None:
    """Evaluate a model on labeled examples: accuracy, loss, a row for each class."""
    sink = Sink.standard()
    if regression and multilabel:
        raise typer.BadParameter("--regression and --multilabel exclude each other", param_hint="--multilabel")
    if regression:
        refuse_accuracy(REGRESSION, assert_accuracy)
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
    loaded = load_runnable(model, tags=shared.split_tags(tags), checkpoint=checkpoint)
    with ended_by_interrupt(lambda: sink.note("interrupted")):
        report = judge(
            loaded,
            data,
            outputs=output or (),
            inputs=input,
            set=set_,
            regression=regression,
            multilabel=multilabel,
            labels=labels,
            ema=ema,
            batch=batch,
            reading=reading,
            wrong=wrong,
            confusion=confusion,
            logdir=logdir,
            trust=trust,
            engine=engine.value if engine is not None else "",
            overwrite=force,
            listener=Speaker(sink),
        )
    write_evaluation(sink, format, report)
    refuse_accuracy(report.task, assert_accuracy)
    check_accuracy(report.metric, assert_accuracy)


EXAMPLES = """
  graphscope eval model.ckpt-5000 --data mnist/:test
  graphscope eval frozen.pb --data flowers/ --wrong 10 --confusion confusion.png
  graphscope eval saved_model --data test.npz --assert-accuracy 0.98
"""
