"""``graphscope.evaluate``: evaluates a model on labeled examples."""

from __future__ import annotations

import os
from collections.abc import Collection, Mapping
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from graphscope.advice import Advice, Option
from graphscope.analysis.shapes import infer
from graphscope.api.opening import (
    Names,
    as_names,
    chosen_outputs,
    fixed_values,
)
from graphscope.api.run import refuse_session_options
from graphscope.api.runnable import Opened, Runnable, as_runnable, open_runnable
from graphscope.board.summaries import png, scalar
from graphscope.board.writer import EventWriter
from graphscope.core.arguments import check_arguments
from graphscope.core.listener import SILENT, Listener
from graphscope.core.model import Model
from graphscope.core.variables.variables import Role
from graphscope.errors import ArgumentError, GraphscopeError, some
from graphscope.feeding.feeds import tensor_spec
from graphscope.formats.io.atomic import write_file
from graphscope.formats.io.places import refuse_closed, refuse_unwritable
from graphscope.formats.media.label_files import read_labels
from graphscope.runtime.config import AS_STATED, DEFAULT
from graphscope.runtime.engines.table import ENGINES, TENSORFLOW
from graphscope.training.data import DataOptions, Dataset, open_data
from graphscope.training.data.source import AS_STORED
from graphscope.training.evaluation.evaluate import EvaluationOptions, Judgements, report_of, row_width
from graphscope.training.evaluation.evaluate import evaluate as judge
from graphscope.training.evaluation.report import EvaluationReport
from graphscope.training.evaluation.scores import Scale, Scores, find_scores
from graphscope.training.features.compute import input_spec
from graphscope.training.graft.base import Base, open_base
from graphscope.training.recipe import COLLECTION, MULTILABEL, REGRESSION, Recipe, recipe_of
from graphscope.training.tune.board_log import log_evaluation
from graphscope.training.tune.drawing import confusion_picture
from graphscope.training.tune.metrics import MAX_MISCLASSIFIED
from graphscope.transforms.freeze import FreezeOptions

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from graphscope.feeding.feeds import Given
    from graphscope.runtime.engines.program import Program

_MAX_NAMES = 4


@check_arguments
def evaluate(
    model: Runnable,
    data: str | os.PathLike[str],
    *,
    outputs: Names = (),
    inputs: Names = (),
    set: Given = (),
    regression: bool = False,
    multilabel: bool = False,
    labels: str | os.PathLike[str] | None = None,
    ema: bool = False,
    batch: int = 64,
    reading: DataOptions | None = None,
    wrong: int = 0,
    confusion: str | os.PathLike[str] | None = None,
    logdir: str | os.PathLike[str] | None = None,
    checkpoint: str | os.PathLike[str] | None = None,
    tags: str | Collection[str] = (),
    trust: bool = False,
    engine: str = "",
    overwrite: bool = False,
    listener: Listener = SILENT,
) -> EvaluationReport:
    """Evaluates a model on labeled examples. Starts TensorFlow, unless another engine is used.

    ::

        graphscope.evaluate("lenet5.pb", "mnist/:test").metric

    Training switches that ``set`` does not fix are set for inference, as in :func:`graphscope.freeze`.

    Args:
        model: a model, or what :func:`graphscope.load` opens, or a file of another runtime: see :func:`graphscope.run`.
        data: as for :func:`graphscope.features`.
        outputs: the tensor to evaluate; by default the likely output, or the predictions of a grafted model.
        inputs: tensors to cut the graph open at; not for a file of another runtime.
        set: placeholder or variable -> value to fix it to.
        regression: labels are target numbers; by default the labels and the output determine the task.
        multilabel: an example may carry any number of labels.
        labels: a file with the names of the classes, in the order of the scores.
        ema: use each variable's moving average, if it has one.
        batch: batch size, if the model accepts any.
        reading: how data is read, and where the cache is.
        wrong: number of misclassified examples to report, those with the highest confidence.
        confusion: a PNG file to write the confusion matrix to.
        logdir: directory for TensorBoard logs.
        checkpoint: prefix of a checkpoint with the values of the graph; only for a path.
        tags: selects the meta graph of a SavedModel with exactly these tags; only for a path.
        trust: run nodes that touch files, the network or processes too.
        engine: the engine that runs the model, see :func:`graphscope.run`.
        overwrite: replace an existing picture.

    Raises:
        ArgumentError: there is no such engine, or it does not support ``trust``; a file of another runtime cannot be cut open.
        UnknownNameError: a tensor, a placeholder or a class does not exist.
        GraphscopeError: no output is clear, or it does not have one row of scores per example; data does not fit the model;
            ``ema`` is set but no variable has a moving average; ``confusion`` is set but the task is not classification.
        IncompleteModelError: a variable has no value.
        UntrustedError: the model does more than compute, and ``trust`` is not set.
        FileError: the picture exists, or data cannot be read.
        CorruptFileError: a weight or an example is damaged.
        MissingDependencyError: the engine is not installed.
    """
    if confusion is not None:
        refuse_unwritable(confusion, overwrite)
    if logdir is not None:
        refuse_closed(Path(logdir))
    opened = open_runnable(as_runnable(model, tags=tags, checkpoint=checkpoint), engine)
    if opened.engine != TENSORFLOW:
        refuse_session_options(opened, AS_STATED, DEFAULT, trust)
    _refuse_cut(opened, as_names(inputs))
    source = opened.model
    recipe = recipe_of(source) if COLLECTION in source.collections else None
    wanted = _outputs(source, as_names(outputs), recipe, listener)
    base = open_base(source, wanted, inputs=as_names(inputs), values=fixed_values(source, set), moving_averages=ema)
    output, scores = _choose_judged(base)
    width = row_width(scores.tensor, infer(source.with_graph(base.graph)).shape(scores.tensor))
    options = replace(
        reading or DataOptions(),
        task=_task(recipe, regression, multilabel),
        classes=width if width != 1 else None,
        names=_class_names(labels, width),
    )
    examples = open_data(os.fspath(data), input_spec(base), options)
    notes = _notes(source, base, examples, width, ema, bool(options.names))
    _tell(base, notes, listener)
    remembered = max(wrong, MAX_MISCLASSIFIED if logdir is not None else 0)
    how = EvaluationOptions(options.task, batch, remembered, trust)
    values = {**fixed_values(source, set), **fixed_values(source, base.fixed)}
    with listener.running(), listener.computing("examples", len(examples)) as told:
        program = None if opened.engine == TENSORFLOW else _program(opened, base, scores, values, ema)
        judged = judge(source, base, scores, examples, how, told, program)
    if judged.is_dependent:
        notes = (*notes, _DEPENDENT)
        listener.warning(Advice(f"{_DEPENDENT}; ", Option("set", "NAME=VALUE"), " fixes a training switch"))
    _draw(judged, confusion, overwrite)
    if logdir is not None:
        _log(judged, Path(logdir), source, base, examples)
    report = report_of(judged, source.path, output, examples, notes)
    return replace(report, misclassified=report.misclassified[:wrong])


def _refuse_cut(opened: Opened, inputs: tuple[str, ...]) -> None:
    if opened.file is not None and inputs:
        raise ArgumentError(f"{opened.model.path}: only a TensorFlow graph can be cut open at {', '.join(inputs)}")


def _program(opened: Opened, base: Base, scores: Scores, values: Mapping[str, NDArray[Any]], ema: bool) -> Program:
    """The program that computes the scores instead of TensorFlow."""
    if opened.file is not None:
        return opened.file.with_values(values)
    from graphscope.runtime.engines.compute import frozen_program

    spec = input_spec(base)
    options = FreezeOptions([scores.tensor], [spec.name], values, moving_averages=ema)
    return frozen_program(opened.model, ENGINES[opened.engine], options, {spec.name: spec.shape})


_DEPENDENT = "the scores of an example depend on the others in its batch, or on chance"


def _outputs(model: Model, wanted: tuple[str, ...], recipe: Recipe | None, listener: Listener) -> tuple[str, ...]:
    """The named outputs, or the likely outputs that can hold scores: a signature may also have indices and names."""
    if recipe is not None and not wanted:
        return (recipe.predictions,)
    chosen = chosen_outputs(model, wanted, listener)
    floating = tuple(name for name in chosen if tensor_spec(model, name).dtype.is_floating)
    return chosen if wanted or not floating else floating


def _choose_judged(base: Base) -> tuple[str, Scores]:
    """The output to evaluate and its scores. Probabilities and their logits count as one output.

    Raises:
        GraphscopeError: there are several.
    """
    found = {name: find_scores(base.graph, name) for name in base.at}
    if len({scores.tensor for scores in found.values()}) != 1:
        raise GraphscopeError(
            f"{base.path}: only one output can be evaluated at a time, but there are {len(found)}: {', '.join(found)}",
            hint=Advice(Option("outputs", next(iter(found))), " chooses one"),
        )
    return max(found.items(), key=lambda item: item[1].scale is not Scale.UNKNOWN)


def _task(recipe: Recipe | None, regression: bool, multilabel: bool) -> str:
    if regression and multilabel:
        raise GraphscopeError("labels are numbers or classes, not both", hint="choose one of the two options")
    if regression or multilabel:
        return REGRESSION if regression else MULTILABEL
    return recipe.task if recipe is not None else AS_STORED


def _class_names(labels: str | os.PathLike[str] | None, width: int | None) -> tuple[str, ...]:
    names = read_labels(Path(labels)).classes if labels is not None else ()
    if names and width is not None and len(names) != width:
        raise GraphscopeError(f"{labels}: {len(names):,} labels, but the output has {width:,} classes")
    return names


def _notes(model: Model, base: Base, source: Dataset, width: int | None, ema: bool, has_names: bool) -> tuple[str, ...]:
    """Notes on possible problems with the results."""
    notes = [*base.notes, *source.notes]
    if ema and not base.averaged:
        raise GraphscopeError(f"{model.path}: no variable has a moving average")
    if ema:
        notes.append(f"moving averages taken for {some(list(base.averaged), _MAX_NAMES)}")
    if not has_names and width is not None and 1 < len(source.classes) < width:
        notes.append(
            f"the data names {len(source.classes):,} classes, numbered in sorted order; the output has {width:,}: the"
            " numbers may mean other classes there"
        )
    return tuple(notes)


def _tell(base: Base, notes: tuple[str, ...], listener: Listener) -> None:
    for name, value in base.fixed.items():
        text = f"{name} looks like a training switch and is set to {value}; "
        listener.note(Advice(text, Option("set", f"{name}=VALUE"), " chooses another value"))
    for note in notes:
        listener.note(note)


def _draw(judged: Judgements, path: str | os.PathLike[str] | None, overwrite: bool) -> None:
    if path is None:
        return
    if judged.found.confusion is None:
        raise GraphscopeError(f"only classes have a confusion matrix; the labels are for {judged.task.task}")
    picture = confusion_picture(judged.found.confusion.matrix, judged.found.names)
    write_file(path, [png(picture)], overwrite=overwrite)


def _log(judged: Judgements, logdir: Path, model: Model, base: Base, source: Dataset) -> None:
    """Logs at the model's training step, if it has one."""
    step = _stored_step(model)
    with EventWriter(logdir) as writer:
        log_evaluation(writer, judged.task.task, step, judged.found, source, input_spec(base))
        if judged.top is not None:
            writer.summary([scalar("top5", judged.top)], step)


def _stored_step(model: Model) -> int:
    steps = (v for v in model.variables if v.role is Role.STEP and v.entry is not None and v.shape == ())
    variable = next(steps, None)
    return int(model.value(variable).numpy()) if variable is not None else 0


__all__ = ["EvaluationReport", "evaluate"]
