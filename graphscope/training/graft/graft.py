"""A new head on a trained model: gradients stop at the cut, and by default only the head is trained."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from graphscope.advice import Advice, Call, Option
from graphscope.core.model import Model
from graphscope.core.tensors import TensorName, node_of
from graphscope.errors import GraphscopeError
from graphscope.formats.checkpoint.saver import free_scope
from graphscope.formats.checkpoint.writer import refuse_place
from graphscope.formats.registry import format_for
from graphscope.runtime.tensorflow import tensorflow
from graphscope.runtime.trust import refuse_effects
from graphscope.training.graft.base import open_base
from graphscope.training.graft.bound_tensor import BoundTensor, parse_bound
from graphscope.training.graft.building import build
from graphscope.training.graft.head_model import open_top
from graphscope.training.graft.import_skeleton import import_joined
from graphscope.training.graft.join_models import join
from graphscope.training.graft.own_logits import own_logits
from graphscope.training.graft.planning import GraftOptions, make_plan, pattern
from graphscope.training.graft.result import Grafted
from graphscope.training.graft.sources import refuse_unfeedable
from graphscope.training.graft.to_model import Finish

_TRAINING_SCOPE = "train"


def refuse_output(prefix: str, overwrite: bool) -> None:
    """Refuses a checkpoint prefix whose files exist, or whose name is that of another format.

    Raises:
        FileError: a file of it exists and must not be replaced.
        GraphscopeError: the name has the suffix of another format, or of one of the checkpoint's own files.
    """
    format_for(prefix, "checkpoint")
    refuse_place(prefix, overwrite, makes_directory=True)


def graft(model: Model, options: GraftOptions) -> Grafted:
    """Puts a new head on ``model``. Starts TensorFlow; weights of the base are read when they are written.

    Raises:
        UnknownNameError: a tensor, a weight to unfreeze or an optimizer does not exist; the error lists the closest names.
        UntrustedError: the base does more than compute, and ``trust`` is not set.
        GraphscopeError: the head does not fit the cut, a gradient cannot be computed, or nothing is left to train.
        Others as :func:`graphscope.training.graft.base.open_base`.
    """
    notes: list[str] = []
    plan = make_plan(options, notes)
    bound = {name: parse_bound(text) for name, text in options.binds.items()}
    top, binds = None, {name: source.tensor for name, source in bound.items()}
    if options.head_model is not None:
        top, binds = open_top(options.head_model, options.head_output, options.at, binds, options.head_values)
    at = list(dict.fromkeys([*options.at, *binds.values()]))
    if options.train:
        named, at = at, own_logits(model, plan.task, at)
        notes += [f"{a} is trained, of which the loss makes {b}" for a, b in zip(at, named) if a != b]
    if not at:
        raise GraphscopeError(
            f"{model.path}: no tensor was named for the head",
            hint=Advice(Option("at", "TENSOR"), " does: ", Call("nodes", (model.path,), (Option("tensors", True),))),
        )
    base = open_base(model, at, inputs=options.inputs, values=options.values)
    refuse_unfeedable(base)
    joined = join(
        base,
        top,
        _bind(bound, binds),
        options.prefix,
        unfreeze=[pattern(text) for text in options.unfreeze],
        stop_gradient=options.stop_gradient and not (options.train and not options.unfreeze),
        weights_only=options.train,
    )
    if not options.trust:
        refuse_effects(base.path, joined.graph)
    ready = import_joined(joined, base, notes)
    plan = replace(
        plan,
        cuts=base.at,
        tops=[str(TensorName.parse(name)) for name in joined.tops],
        scope=joined.scope,
        training_scope=free_scope(ready.graph, _TRAINING_SCOPE),
        trainable=joined.trainable,
    )
    grown = build(tensorflow(), ready.imported, ready.variables, plan)
    return Finish(options, base, joined, ready, plan, grown, notes).to_grafted()


def _bind(given: Mapping[str, BoundTensor], tensors: Mapping[str, str]) -> dict[str, BoundTensor]:
    """Node name of an input -> what it takes, the tensor's name written in full."""
    scaled = {node_of(name): source for name, source in given.items()}
    return {
        name: replace(scaled.get(name, BoundTensor(text)), tensor=str(TensorName.parse(text)))
        for name, text in tensors.items()
    }
