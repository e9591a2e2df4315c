"""``graphscope graft``."""

from __future__ import annotations

import time
from typing import Annotated, Any

import typer

from graphscope.api.graft import graft as graft_model
from graphscope.cli.options import shared
from graphscope.cli.options.loading import load
from graphscope.cli.render.graft import page
from graphscope.cli.terminal.output import Sink
from graphscope.cli.terminal.pages import Format, write_report
from graphscope.cli.terminal.plain import plain
from graphscope.cli.terminal.speaker import Speaker
from graphscope.training.graft.graft import refuse_output


def _option(name: str, metavar: str, text: str) -> Any:
    return typer.Option(name, metavar=metavar, show_default=False, help=text)


def graft(
    base: shared.ModelPath,
    out_: Annotated[
        str | None,
        typer.Argument(metavar="[OUT]", show_default=False, help="The checkpoint to write: mine/model.ckpt."),
    ] = None,
    *,
    out: Annotated[
        str | None, typer.Option("--out", "-o", metavar="PREFIX", show_default=False, help="The same as OUT.")
    ] = None,
    at: Annotated[list[str], shared.repeatable("--at", "TENSOR", "Cut the base here; repeatable.")],
    head: Annotated[
        str,
        _option("--head", "SPEC", "Layers: flatten,dense:256:relu,dropout:0.5,dense:10; or python:module:function."),
    ] = "",
    classes: Annotated[
        int | None, typer.Option("--classes", metavar="N", min=1, help="Classify into N classes; labels are integers.")
    ] = None,
    multilabel: Annotated[
        int | None, typer.Option("--multilabel", metavar="N", min=1, help="Predict N labels, each yes or no.")
    ] = None,
    regression: Annotated[
        bool, typer.Option("--regression", help="Predict values, as many as the head outputs.")
    ] = False,
    train: Annotated[bool, typer.Option("--train", help="Add no head: train the model's own weights.")] = False,
    input: shared.InputNames,
    set_: shared.SetValues,
    unfreeze: Annotated[
        list[str], shared.repeatable("--unfreeze", "REGEX", "Train matching weights of the base too; repeatable.")
    ],
    no_stop_gradient: Annotated[
        bool, typer.Option("--no-stop-gradient", help="Train all weights of the base.")
    ] = False,
    head_model: Annotated[str | None, _option("--head-model", "OTHER", "Put another trained model on top.")] = None,
    bind: Annotated[
        list[str],
        shared.repeatable(
            "--bind", "INPUT=TENSOR", "Connect a tensor of the base, or TENSOR*2+1, to an input of OTHER; repeatable."
        ),
    ],
    head_output: Annotated[str, _option("--head-output", "NAME", "Use this tensor of OTHER.")] = "",
    prefix: Annotated[str, typer.Option("--prefix", metavar="SCOPE", help="Name scope for the added nodes.")] = "head",
    optimizer: Annotated[
        str, typer.Option("--optimizer", metavar="NAME", help="Optimizer: sgd, momentum, adam or rmsprop.")
    ] = "adam",
    learning_rate: Annotated[
        float | None,
        typer.Option(
            "--learning-rate",
            metavar="X",
            show_default=False,
            help="Learning rate; default: 0.001 for adam and rmsprop, 0.01 for others.",
        ),
    ] = None,
    decay: Annotated[
        str, _option("--decay", "KIND:STEPS:FACTOR", "Decay the learning rate: step:1000:0.5, exponential:1000:0.5.")
    ] = "",
    l2: Annotated[
        float, typer.Option("--l2", metavar="X", min=0.0, help="L2 penalty on the kernels that train.")
    ] = 0.0,
    ema: Annotated[
        float | None,
        typer.Option(
            "--ema", metavar="X", min=0.0, max=1.0, show_default=False, help="Keep moving averages with this decay."
        ),
    ] = None,
    seed: Annotated[
        int, typer.Option("--seed", metavar="N", min=0, help="Seed for the head's weights and for dropout.")
    ] = 0,
    checkpoint: shared.Checkpoint = None,
    tags: shared.Tags,
    trust: shared.Trust = False,
    force: shared.Force = False,
    format: shared.FormatOption = Format.TABLE,
) -> None:
    """Put a new head on a trained model; gradients stop at the cut."""
    sink = Sink.standard()
    start = time.monotonic()
    target = shared.chosen_out(out_, out, "mine/model.ckpt")
    refuse_output(target, force)
    grafted = graft_model(
        load(base, tags=shared.split_tags(tags), checkpoint=checkpoint),
        at,
        head,
        out=target,
        classes=classes,
        multilabel=multilabel,
        regression=regression,
        inputs=input,
        set=set_,
        unfreeze=unfreeze,
        stop_gradient=not no_stop_gradient,
        head_model=load(head_model) if head_model is not None else None,
        bind=bind,
        head_output=head_output,
        prefix=prefix,
        optimizer=optimizer,
        learning_rate=learning_rate,
        decay=decay,
        l2=l2,
        ema=ema,
        seed=seed,
        train=train,
        trust=trust,
        overwrite=force,
        listener=Speaker(sink),
    )
    lines = page(sink, grafted, target, time.monotonic() - start)
    write_report(sink, format, {"checkpoint": target, **plain(grafted.report)}, lines, [target])


EXAMPLES = """
  graphscope graft lenet5 -o five/model.ckpt --at fc2/relu --classes 5
  graphscope graft mobilenet.pb -o mine/model.ckpt --at pool --classes 3 --head flatten,dropout:0.2,dense:3
  graphscope graft frozen.pb -o again/model.ckpt --train --classes 10
  graphscope graft vgg16 -o mine/model.ckpt --at pool5 --head gap,dense:10 --classes 10 --unfreeze conv5
  graphscope graft encoder -o both/model.ckpt --head-model decoder --bind z=encoder/z
"""
