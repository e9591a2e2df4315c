"""``graphscope graft``."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

import typer

from graphscope.cli.options import shared
from graphscope.cli.terminal.output import Sink

if TYPE_CHECKING:
    from graphscope.core.model import Model
    from graphscope.training.graft.planning import GraftOptions


def _option(name: str, metavar: str, text: str) -> Any:
    return typer.Option(name, metavar=metavar, show_default=False, help=text)


def _list(name: str, metavar: str, text: str) -> Any:
    return typer.Option(name, metavar=metavar, default_factory=list, show_default=False, help=text)


def graft(
    base: shared.ModelPath,
    *,
    out: Annotated[str, typer.Option("--out", "-o", metavar="PREFIX", help="The checkpoint to write.")],
    at: Annotated[list[str], _list("--at", "TENSOR", "Where the head goes; repeat for more.")],
    head: Annotated[
        str, _option("--head", "SPEC", "flatten,dense:256:relu,dropout:0.5,dense:10, or python:module:function.")
    ] = "",
    classes: Annotated[
        int | None, typer.Option("--classes", metavar="N", min=1, help="One of N classes; integer labels.")
    ] = None,
    multilabel: Annotated[
        int | None, typer.Option("--multilabel", metavar="N", min=1, help="N labels, each yes or no.")
    ] = None,
    regression: Annotated[bool, typer.Option("--regression", help="Values, as many as the head gives.")] = False,
    input: shared.InputNames,
    set_: shared.SetValues,
    unfreeze: Annotated[
        list[str], _list("--unfreeze", "REGEX", "Weights of the base that train too; repeat for more.")
    ],
    no_stop_gradient: Annotated[
        bool, typer.Option("--no-stop-gradient", help="Let all weights of the base train.")
    ] = False,
    head_model: Annotated[str | None, _option("--head-model", "OTHER", "Put another trained model on top.")] = None,
    bind: Annotated[list[str], _list("--bind", "INPUT=TENSOR", "Which input of OTHER takes which tensor of the base.")],
    head_output: Annotated[str, _option("--head-output", "NAME", "The tensor of OTHER to take.")] = "",
    prefix: Annotated[str, typer.Option("--prefix", help="The name scope of what is added.")] = "head",
    optimizer: Annotated[str, typer.Option("--optimizer", help="sgd, momentum, adam or rmsprop.")] = "adam",
    learning_rate: Annotated[
        float | None, typer.Option("--learning-rate", show_default=False, help="0.001 for adam and rmsprop, else 0.01.")
    ] = None,
    decay: Annotated[
        str, _option("--decay", "KIND:STEPS:FACTOR", "Of the learning rate: step:1000:0.5, exponential:1000:0.5.")
    ] = "",
    l2: Annotated[float, typer.Option("--l2", min=0.0, help="Factor of the squares of all kernels that train.")] = 0.0,
    ema: Annotated[
        float | None, typer.Option("--ema", min=0.0, max=1.0, show_default=False, help="Decay of moving averages.")
    ] = None,
    seed: Annotated[int, typer.Option("--seed", min=0, help="Of the head's weights and of dropout.")] = 0,
    checkpoint: shared.Checkpoint = None,
    tags: shared.Tags,
    trust: shared.Trust = False,
    force: shared.Force = False,
) -> None:
    """A new head on a trained model: gradients stop at the cut, the rest is frozen."""
    from graphscope.cli.options.loading import load
    from graphscope.training.graft.graft import refuse_output
    from graphscope.training.graft.planning import GraftOptions

    task, width = _task(classes, multilabel, regression)
    sink = Sink.standard()
    refuse_output(out, force)
    model = load(base, tags=shared.split_tags(tags), checkpoint=checkpoint)
    other = load(head_model) if head_model is not None else None
    own, above = _parted(set_, prefix if other is not None else None)
    options = GraftOptions(
        at=at,
        head=head,
        task=task,
        width=width,
        inputs=input,
        values=_values(model, own),
        unfreeze=unfreeze,
        stop_gradient=not no_stop_gradient,
        head_model=other,
        binds=dict(_bound(text) for text in bind),
        head_output=head_output,
        head_values=_values(other, above) if other is not None else {},
        prefix=prefix,
        optimizer=optimizer,
        learning_rate=learning_rate,
        decay=decay,
        l2=l2,
        ema=ema,
        seed=seed,
        trust=trust,
    )
    _write(sink, model, options, out, force)


def _write(sink: Sink, model: Model, options: GraftOptions, out: str, force: bool) -> None:
    import time

    from graphscope.cli.render.graft import notes, page
    from graphscope.cli.terminal.progress import bytes_progress
    from graphscope.training.graft.graft import graft_model

    start = time.monotonic()
    grafted = graft_model(model, options)
    for text in notes(grafted.report):
        sink.note(text)
    store = grafted.model.store
    total = sum(entry.stored_bytes or 0 for entry in store.entries.values()) if store is not None else 0
    with bytes_progress(sink, "writing", total) as progress:
        written = grafted.save(out, overwrite=force, progress=progress)
    sink.lines(page(sink, grafted, out, written, time.monotonic() - start))


def _task(classes: int | None, multilabel: int | None, regression: bool) -> tuple[str, int | None]:
    """The task and the width that was asked for; more than one task is wrong usage."""
    from graphscope.training.recipe import CLASSES, MULTILABEL, REGRESSION

    asked = {CLASSES: classes is not None, MULTILABEL: multilabel is not None, REGRESSION: regression}
    tasks = [task for task, is_asked in asked.items() if is_asked]
    if len(tasks) > 1:
        raise typer.BadParameter("one of --classes, --multilabel and --regression", param_hint="--classes")
    return tasks[0] if tasks else "", classes or multilabel


def _bound(text: str) -> tuple[str, str]:
    name, equals, tensor = text.partition("=")
    if not (name and equals and tensor):
        raise typer.BadParameter(f"{text!r} is no INPUT=TENSOR", param_hint="--bind")
    return name, tensor


def _parted(texts: list[str], prefix: str | None) -> tuple[list[str], list[str]]:
    """``--set`` of the base, and of the model on top, whose names start with ``prefix/``."""
    start = f"{prefix}/"
    above = [text for text in texts if prefix is not None and text.startswith(start)]
    return [text for text in texts if text not in above], [text.removeprefix(start) for text in above]


def _values(model: Model, texts: list[str]) -> dict[str, Any]:
    from graphscope.feeding.feeds import resolve_baked

    return resolve_baked(model, texts) if texts else {}


EXAMPLES = """
  graphscope graft lenet5 -o five/model.ckpt --at fc2/relu --head dense:5
  graphscope graft mobilenet.pb -o mine/model.ckpt --at pool --classes 3 --head flatten,dropout:0.2,dense:3
  graphscope graft vgg16 -o mine/model.ckpt --at pool5 --head gap,dense:10 --unfreeze conv5
  graphscope graft encoder -o both/model.ckpt --head-model decoder --bind z=encoder/z
"""
