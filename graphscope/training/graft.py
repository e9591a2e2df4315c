"""A new head on a trained model: gradients stop at the cut, and only the head trains, unless more is wanted."""

from __future__ import annotations

import os
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from graphscope.analysis.choose import SERVING_DEFAULT
from graphscope.core.dtypes import DataType
from graphscope.core.graph import Graph
from graphscope.core.model import Kind, Model
from graphscope.core.payload import Payload
from graphscope.core.roles import MOVING_AVERAGE
from graphscope.core.tensors import TensorName, TensorSpec
from graphscope.errors import GraphscopeError
from graphscope.formats import load
from graphscope.formats.atomic import refuse_existing
from graphscope.formats.savedmodel_writer import signature
from graphscope.formats.saver import free_scope
from graphscope.protos import MetaGraphDef, VariableDef
from graphscope.runtime.feeds import tensor_spec
from graphscope.runtime.importing import import_graph
from graphscope.runtime.tensorflow import tensorflow
from graphscope.training.base import Base, open_base, with_open_batch
from graphscope.training.binding import open_top
from graphscope.training.building import Grown, Plan, build
from graphscope.training.declared import declared
from graphscope.training.grafted import Grafted, GraftReport
from graphscope.training.heads.context import SEED_BOUND
from graphscope.training.heads.python import PREFIX, load_function
from graphscope.training.heads.spec import Layer, parse_chain
from graphscope.training.joined import Joined, join
from graphscope.training.optimizers import default_rate, parse_decay
from graphscope.training.recipe import CLASSES, Recipe, write_recipe
from graphscope.training.skeleton import restored, skeleton
from graphscope.training.store import PayloadStore
from graphscope.training.trainable import constant_weights

if TYPE_CHECKING:
    from numpy.typing import NDArray

TRAIN_SIGNATURE = "train"
TRAIN_METHOD = "tensorflow/supervised/training"
_TRAINING_SCOPE = "train"
_SCOPE = re.compile(r"[A-Za-z0-9.][\w.-]*", re.ASCII)


@dataclass(frozen=True, slots=True)
class GraftOptions:
    """What to build, and how it will train.

    Attributes:
        at: node or tensor names of the cut.
        head: a chain of layers, see :mod:`graphscope.training.heads.spec`, or ``python:module:function``.
        task: ``classes``, ``regression`` or ``multilabel``; empty: ``classes``, or none where there is a model on top and no
            head.
        width: how many classes, values or labels; ``None`` takes what the head gives.
        inputs: node or tensor names where the base is cut open.
        values: placeholder of the base -> value to fix it to.
        unfreeze: weights in whose names one of these is found train as well.
        stop_gradient: False lets all weights train.
        head_model: a model to put on top of the cut.
        binds: input of ``head_model`` -> tensor of the base.
        head_output: the tensor of ``head_model`` to take; empty for its likely output.
        head_values: placeholder of ``head_model`` -> value to fix it to.
        prefix: name scope of what is added.
        optimizer: see :data:`graphscope.training.optimizers.OPTIMIZERS`.
        learning_rate: ``None`` for the optimizer's own.
        decay: ``step:STEPS:FACTOR`` or ``exponential:STEPS:FACTOR``; empty for none.
        l2: factor of half the squares of all kernels that train.
        ema: decay of moving averages of what trains; ``None`` for none.
        seed: of everything random.
    """

    at: Sequence[str] = ()
    head: str = ""
    task: str = ""
    width: int | None = None
    inputs: Sequence[str] = ()
    values: Mapping[str, NDArray[Any]] = field(default_factory=dict)
    unfreeze: Sequence[str] = ()
    stop_gradient: bool = True
    head_model: Model | None = None
    binds: Mapping[str, str] = field(default_factory=dict)
    head_output: str = ""
    head_values: Mapping[str, NDArray[Any]] = field(default_factory=dict)
    prefix: str = "head"
    optimizer: str = "adam"
    learning_rate: float | None = None
    decay: str = ""
    l2: float = 0.0
    ema: float | None = None
    seed: int = 0


def graft(
    base: Model | str | os.PathLike[str],
    at: str | Sequence[str] = (),
    head: str = "",
    *,
    out: str | os.PathLike[str] | None = None,
    overwrite: bool = False,
    **options: Any,
) -> Grafted:
    """Puts a new head on a trained model. Starts TensorFlow; weights of the base are read when they are written.

    ::

        grafted = graphscope.graft("fixtures/lenet5_0to4", at="fc2/relu", head="dense:5", out="five/model.ckpt")
        with grafted.session() as session:
            session.session.run(grafted.recipe.train_op, feed_dict={...})

    Args:
        base: a model, or what :func:`graphscope.load` opens.
        at, head, options: see :class:`GraftOptions`.
        out: prefix of the checkpoint to write; ``None`` writes nothing.
        overwrite: replace existing files.

    Raises:
        UnknownNameError: a tensor, a weight to unfreeze or an optimizer is not there; the error lists the closest names.
        GraphscopeError: the head does not fit the cut, a gradient cannot pass, nothing is left to train.
        FileError: ``out`` exists.
        Others as :func:`graphscope.training.base.open_base`.
    """
    if out is not None:
        refuse_output(os.fspath(out), overwrite)
    model = base if isinstance(base, Model) else load(base)
    chosen = GraftOptions(at=[at] if isinstance(at, str) else list(at), head=head, **options)
    grafted = graft_model(model, chosen)
    if out is not None:
        grafted.save(os.fspath(out), overwrite=overwrite)
    return grafted


def refuse_output(prefix: str, overwrite: bool) -> None:
    """Raises an error, if a file of a checkpoint at ``prefix`` exists and must not be replaced."""
    for suffix in (".meta", ".index", ".data-00000-of-00001"):
        refuse_existing(Path(prefix + suffix), overwrite)


def graft_model(model: Model, options: GraftOptions) -> Grafted:
    """As :func:`graft`, of a model that is open; raises as that."""
    notes: list[str] = []
    plan = _plan(options, notes)
    top, binds = None, dict(options.binds)
    if options.head_model is not None:
        top, binds = open_top(options.head_model, options.head_output, options.at, options.binds, options.head_values)
    at = list(dict.fromkeys([*options.at, *binds.values()]))
    if not at:
        raise GraphscopeError(
            f"{model.path}: no cut",
            hint="--at TENSOR says where the head goes: graphscope nodes MODEL lists the tensors",
        )
    base = open_base(model, at, inputs=options.inputs, values=options.values)
    joined = join(
        base,
        top,
        {name: str(TensorName.parse(text)) for name, text in binds.items()},
        options.prefix,
        unfreeze=[_pattern(text) for text in options.unfreeze],
        stop_gradient=options.stop_gradient,
    )
    ready = _ready(joined, base, notes)
    plan = replace(
        plan,
        cuts=base.at,
        tops=[str(TensorName.parse(name)) for name in joined.tops],
        scope=joined.scope,
        training_scope=free_scope(ready.graph, _TRAINING_SCOPE),
        trainable=joined.trainable,
    )
    grown = build(tensorflow(), ready.imported, ready.variables, plan)
    return _Finish(model, options, base, joined, ready, plan, grown, notes).grafted()


def _pattern(text: str) -> re.Pattern[str]:
    try:
        return re.compile(text)
    except re.error as error:
        raise GraphscopeError(f"{text!r} is no regular expression: {error}") from error


def _plan(options: GraftOptions, notes: list[str]) -> Plan:
    """The plan, but for what only the base tells."""
    is_python = options.head.startswith(PREFIX)
    task = options.task or (CLASSES if options.head or options.width or options.head_model is None else "")
    if not options.head and options.head_model is None:
        raise GraphscopeError("no head", hint="--head flatten,dense:10 says what to build on the cut")
    if not _SCOPE.fullmatch(options.prefix):
        raise GraphscopeError(f"{options.prefix!r} is no name scope", hint="--prefix head: letters, digits, _ . -")
    if not 0 <= options.seed < SEED_BOUND:
        raise GraphscopeError(f"seed {options.seed}: it must be from 0 to {SEED_BOUND - 1:,}")
    layers = list(parse_chain(options.head)) if options.head and not is_python else []
    if options.width is not None and not is_python and task and not _ends_with(layers, options):
        layers.append(parse_chain(f"dense:{options.width}")[0])
        notes.append(f"dense:{options.width} added: the head did not end in a dense layer of width {options.width}")
    rate = default_rate(options.optimizer)
    return Plan(
        cuts=(),
        tops=(),
        scope="",
        training_scope="",
        layers=layers,
        function=load_function(options.head) if is_python else None,
        head_text=options.head if is_python else ",".join(layer.text for layer in layers),
        task=task,
        width=options.width,
        trainable=(),
        optimizer=options.optimizer,
        learning_rate=rate if options.learning_rate is None else options.learning_rate,
        decay=parse_decay(options.decay) if options.decay else None,
        l2=options.l2,
        ema=options.ema,
        seed=options.seed,
    )


def _ends_with(layers: Sequence[Layer], options: GraftOptions) -> bool:
    """Whether the head ends in a dense layer of the width that is asked for; a model on top must see for itself."""
    if not layers:
        return options.head_model is not None
    return layers[-1].kind == "dense" and layers[-1].units == options.width


@dataclass(frozen=True, slots=True)
class _Ready:
    """A joined graph that TensorFlow has imported without its large constants."""

    graph: Graph
    variables: Mapping[str, VariableDef]
    imported: Any


def _ready(joined: Joined, base: Base, notes: list[str]) -> _Ready:
    """Placeholders of a fixed number of examples take any, where the cut then has any as well."""
    graph, variables = declared(joined.graph, joined.values)
    opened = with_open_batch(graph)
    if opened is not None:
        imported = import_graph(skeleton(opened), base.path)
        shapes = [imported.get_tensor_by_name(str(TensorName.parse(name))).shape for name in base.at]
        if all(shape.rank and shape[0] is None for shape in shapes):
            notes.append(f"{', '.join(s.name for s in base.inputs)} takes any number of examples now")
            return _Ready(opened, variables, imported)
    return _Ready(graph, variables, import_graph(skeleton(graph), base.path))


@dataclass
class _Finish:
    """Makes the model out of what TensorFlow built."""

    base_model: Model
    options: GraftOptions
    base: Base
    joined: Joined
    ready: _Ready
    plan: Plan
    grown: Grown
    notes: list[str]

    def grafted(self) -> Grafted:
        meta = MetaGraphDef()
        meta.CopyFrom(self.grown.meta)
        graph = restored(meta.graph_def, self.ready.graph)
        meta.ClearField("graph_def")
        model = Model(self.base.path, Kind.META_CHECKPOINT, "binary", (), graph, meta, self.store(), "V2")
        recipe = self.recipe(model) if self.plan.task else None
        if recipe is None:
            self.serve(model, {"output": self.grown.tensors["logits"]})
        else:
            write_recipe(meta, recipe)
        return Grafted(model, recipe, self.report(graph))

    def store(self) -> PayloadStore:
        return PayloadStore({**self.joined.values, **self.grown.new, **self.averages()})

    def averages(self) -> dict[str, Payload]:
        """A moving average starts from the variable's value; of the base's, TensorFlow has seen none."""
        names = {f"{name}/{MOVING_AVERAGE}": payload for name, payload in self.joined.values.items()}
        return {name: payload for name, payload in names.items() if name in self.grown.new}

    def serve(self, model: Model, outputs: Mapping[str, str]) -> dict[str, str]:
        """Declares ``serving_default``; the inputs by argument name."""
        inputs = [tensor_spec(model, spec.name) for spec in self.base.inputs]
        made = signature(model.graph, inputs, [tensor_spec(model, name) for name in outputs.values()])
        model.meta.signature_def[SERVING_DEFAULT].CopyFrom(made)
        return {name: info.name for name, info in sorted(made.inputs.items())}

    def recipe(self, model: Model) -> Recipe:
        tensors = self.grown.tensors
        inputs = self.serve(model, {"predictions": tensors["predictions"], "logits": tensors["logits"]})
        # `training` is no argument: whoever freezes the model would keep it, and dropout with it.
        train = signature(
            model.graph,
            [tensor_spec(model, name) for name in (*inputs.values(), tensors["labels"])],
            [tensor_spec(model, tensors[name]) for name in ("loss", "metric")],
        )
        train.method_name = TRAIN_METHOD
        model.meta.signature_def[TRAIN_SIGNATURE].CopyFrom(train)
        return Recipe(
            task=self.plan.task,
            classes=self.grown.width,
            inputs=inputs,
            features=self.joined.features,
            settings=self.settings(),
            **tensors,
        )

    def settings(self) -> dict[str, str]:
        plan = self.plan
        return {
            "base": self.base.path,
            "at": ",".join(self.base.at),
            "head": plan.head_text,
            "optimizer": plan.optimizer,
            "learning_rate": f"{plan.learning_rate:g}",
            "decay": self.options.decay,
            "l2": f"{plan.l2:g}",
            "ema": "" if plan.ema is None else f"{plan.ema:g}",
            "unfreeze": "|".join(self.options.unfreeze),
            "seed": str(plan.seed),
        }

    def report(self, graph: Graph) -> GraftReport:
        trainable = self.grown.trainable
        variables = {n: p.elements for n, p in self.joined.values.items() if n not in trainable}
        plan = self.plan
        return GraftReport(
            base=self.base.path,
            nodes_before=self.base.nodes_before,
            nodes_kept=len(self.base.graph),
            nodes_added=len(graph) - len(self.base.graph),
            cuts=tuple(self.inferred(name) for name in self.base.at),
            inputs=tuple(self.inferred(spec.name) for spec in self.base.inputs),
            layers=tuple(self.grown.layers),
            logits=self.inferred(self.grown.tensors["logits"]),
            fixed=self.base.fixed,
            frozen={**variables, **constant_weights(self.joined.graph)},
            trainable=trainable,
            task=plan.task,
            width=self.grown.width,
            optimizer=f"{plan.optimizer} {plan.learning_rate:g}" if plan.task else "",
            is_stopped=bool(self.joined.features),
            notes=(*self.base.notes, *self.notes),
        )

    def inferred(self, name: str) -> TensorSpec:
        tensor = self.ready.imported.get_tensor_by_name(str(TensorName.parse(name)))
        shape = tuple(tensor.shape.as_list()) if tensor.shape.rank is not None else None
        return TensorSpec(tensor.name, DataType.of(tensor.dtype.as_datatype_enum), shape)
