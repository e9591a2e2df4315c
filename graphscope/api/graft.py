"""``graphscope.graft``: a new head on a trained model."""

from __future__ import annotations

import os
from collections.abc import Collection, Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

from graphscope.advice import Advice, Option
from graphscope.api.doubts import dropout_doubts, report
from graphscope.api.opening import ModelLike, Names, as_model, as_names, fixed_values
from graphscope.core.arguments import check_arguments
from graphscope.core.listener import SILENT, Listener
from graphscope.errors import ArgumentError
from graphscope.training.graft.graft import graft as graft_model
from graphscope.training.graft.graft import refuse_output
from graphscope.training.graft.planning import GraftOptions
from graphscope.training.graft.result import Grafted, GraftReport
from graphscope.training.recipe import CLASSES, MULTILABEL, REGRESSION

if TYPE_CHECKING:
    from graphscope.feeding.feeds import Given


@check_arguments
def graft(
    base: ModelLike,
    at: Names = (),
    head: str = "",
    *,
    out: str | os.PathLike[str] | None = None,
    classes: int | None = None,
    multilabel: int | None = None,
    regression: bool = False,
    inputs: Names = (),
    set: Given = (),
    unfreeze: Names = (),
    stop_gradient: bool = True,
    head_model: ModelLike | None = None,
    bind: Mapping[str, str] | Sequence[str] = (),
    head_output: str = "",
    prefix: str = "head",
    optimizer: str = "adam",
    learning_rate: float | None = None,
    decay: str = "",
    l2: float = 0.0,
    ema: float | None = None,
    seed: int = 0,
    train: bool = False,
    checkpoint: str | os.PathLike[str] | None = None,
    tags: str | Collection[str] = (),
    trust: bool = False,
    overwrite: bool = False,
    listener: Listener = SILENT,
) -> Grafted:
    """Puts a new head on a trained model; gradients stop at the cut. Starts TensorFlow.

    ::

        grafted = graphscope.graft("fixtures/lenet5_0to4", at="fc2/relu", classes=5, out="five/model.ckpt")
        with grafted.session() as session:
            session.session.run(grafted.recipe.train_op, feed_dict={...})

    Args:
        base: a model, or what :func:`graphscope.load` opens.
        at: the tensors of the cut, where the head goes.
        head: a chain of layers (``flatten,dense:256:relu,dropout:0.5,dense:10``), or ``python:module:function``.
        out: prefix of the checkpoint to write; ``None`` writes nothing.
        classes: number of classes for a classification; labels are integers. A dense layer of that width is added if the head
            does not end in one; without ``head``, it is the head. Without a task, the head gets no loss.
        multilabel: number of independent labels, each yes or no.
        regression: the head predicts values: a row or a picture for each example.
        inputs: tensors to cut the base open at.
        set: placeholder or variable -> value to fix it to; names of ``head_model`` start with ``prefix/``.
        unfreeze: regular expressions; weights of the base whose names match one of them are trained too.
        stop_gradient: ``False`` trains all weights of the base.
        head_model: another trained model to put on top of the cut.
        bind: input of ``head_model`` -> tensor of the base to connect to it, or ``INPUT=TENSOR`` texts; ``TENSOR*0.107+1``
            scales and shifts the tensor.
        head_output: the tensor of ``head_model`` to use; empty for its likely output.
        prefix: name scope of the added nodes.
        optimizer: ``sgd``, ``momentum``, ``adam`` or ``rmsprop``.
        learning_rate: ``None`` for the optimizer's default.
        decay: of the learning rate: ``step:STEPS:FACTOR`` or ``exponential:STEPS:FACTOR``.
        l2: factor of half the sum of squares of all trainable kernels.
        ema: decay of moving averages of the trainable weights; ``None`` for none.
        seed: seed for the head's weights and for dropout.
        train: add no head: the model's own weights become trainable variables, with a loss on its own output.
        checkpoint: prefix of a checkpoint with the values of the graph; only for a path.
        tags: selects the meta graph of a SavedModel with exactly these tags; only for a path.
        trust: build on a base whose nodes touch files, the network or processes.
        overwrite: replace existing files.

    Raises:
        UnknownNameError: a tensor, a weight to unfreeze or an optimizer does not exist; the error lists the closest names.
        IncompleteModelError: a weight has no value.
        UntrustedError: the base does more than compute, and ``trust`` is not set.
        FileError: ``out`` exists.
        MissingDependencyError: TensorFlow is not installed.
        GraphscopeError: the head does not fit the cut, a gradient cannot be computed, or nothing is left to train.
    """
    task, width = _task(classes, multilabel, regression)
    if out is not None:
        refuse_output(os.fspath(out), overwrite)
    model = as_model(base, tags=tags, checkpoint=checkpoint)
    other = as_model(head_model) if head_model is not None else None
    own, above = _split_given(set, prefix if other is not None else None)
    options = GraftOptions(
        at=as_names(at),
        head=head,
        task=task,
        width=width,
        inputs=as_names(inputs),
        values=fixed_values(model, own),
        unfreeze=as_names(unfreeze),
        stop_gradient=stop_gradient,
        head_model=other,
        binds=_parse_bind(bind),
        head_output=head_output,
        head_values=fixed_values(other, above) if other is not None else {},
        prefix=prefix,
        optimizer=optimizer,
        learning_rate=learning_rate,
        decay=decay,
        l2=l2,
        ema=ema,
        seed=seed,
        train=train,
        trust=trust,
    )
    with listener.running():
        grafted = graft_model(model, options)
    _note(grafted.report, listener)
    return grafted if out is None else _write(grafted, os.fspath(out), overwrite, listener)


def _task(classes: int | None, multilabel: int | None, regression: bool) -> tuple[str, int | None]:
    """The task and its width.

    Raises:
        ArgumentError: more than one task was given.
    """
    asked = {CLASSES: classes is not None, MULTILABEL: multilabel is not None, REGRESSION: regression}
    tasks = [task for task, is_asked in asked.items() if is_asked]
    if len(tasks) > 1:
        names = ", ".join(tasks)
        options = (Option("classes"), ", ", Option("multilabel"), " or ", Option("regression"))
        raise ArgumentError(f"a head has one task, not {len(tasks)}: {names}", hint=Advice("give one of ", *options))
    return tasks[0] if tasks else "", classes or multilabel


def _parse_bind(bind: Mapping[str, str] | Sequence[str]) -> dict[str, str]:
    if isinstance(bind, Mapping):
        return dict(bind)
    pairs = [text.partition("=") for text in bind]
    for name, equals, tensor in pairs:
        if not (name and equals and tensor):
            raise ArgumentError(f"{''.join((name, equals, tensor))!r} is not of the form INPUT=TENSOR")
    return {name: tensor for name, _, tensor in pairs}


def _split_given(given: Given, prefix: str | None) -> tuple[Given, Given]:
    """Values for the base, and for the model on top, whose names start with ``prefix/``."""
    from graphscope.feeding.feeds import Feed, feeds_of

    start = f"{prefix}/"
    feeds = feeds_of(given)
    above = [feed for feed in feeds if prefix is not None and feed.name.startswith(start)]
    return [f for f in feeds if f not in above], [Feed(f.name.removeprefix(start), f.value) for f in above]


def _note(grafted: GraftReport, listener: Listener) -> None:
    """Notes on automatic choices."""
    for name, value in grafted.fixed.items():
        text = f"{name} fixed to {value}: it looks like a training switch; "
        listener.note(Advice(text, Option("set", f"{name}=VALUE"), " chooses another value"))
    for note in grafted.notes:
        listener.note(note)
    report(dropout_doubts(grafted.drops, "at"), listener)


def _write(grafted: Grafted, out: str, overwrite: bool, listener: Listener) -> Grafted:
    store = grafted.model.store
    total = sum(entry.stored_bytes or 0 for entry in store.entries.values()) if store is not None else 0
    with listener.reading("writing", total) as progress:
        return replace(grafted, size_bytes=grafted.save(out, overwrite=overwrite, progress=progress))


__all__ = ["GraftReport", "Grafted", "graft"]
