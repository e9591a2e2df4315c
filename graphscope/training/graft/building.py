"""Adds head, loss and optimizer to the graph of a base, in TensorFlow."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from graphscope.advice import Advice, Option
from graphscope.core.tensors import shape_text
from graphscope.core.values.dtypes import DataType
from graphscope.core.values.payload import ArrayPayload, Payload
from graphscope.core.variables.roles import MOVING_AVERAGE
from graphscope.errors import GraphscopeError
from graphscope.protos import MetaGraphDef, VariableDef
from graphscope.runtime.importing import tensorflow_errors
from graphscope.runtime.registry import python_variable
from graphscope.training.graft.filled import FilledPayload
from graphscope.training.graft.gradients import refuse_blocked
from graphscope.training.graft.losses import TASKS
from graphscope.training.graft.optimizers import OPTIMIZERS, Decay, rate_tensor
from graphscope.training.heads.chain import build_chain
from graphscope.training.heads.context import Built, Context, plain_control_flow
from graphscope.training.heads.python import Function, call_function
from graphscope.training.heads.spec import Layer
from graphscope.training.recipe import REGRESSION

STATISTICS_UPDATES = "update_ops"


@dataclass(frozen=True, slots=True)
class Plan:
    """What is to be built.

    Attributes:
        cuts: names of the tensors where the base is cut, for messages.
        tops: names of the tensors that the head takes.
        scope: name scope of the head.
        training_scope: name scope of loss and optimizer.
        layers: of a chain; empty for a Python head, or for none.
        function: a Python head, called ``head_text``.
        head_text: as written.
        task: see :mod:`graphscope.training.recipe`; empty for a model without a loss.
        width: what the logits must have; ``None`` for any.
        trainable: trainable variables of the base.
        optimizer, learning_rate, decay, l2, ema, seed: as :class:`graphscope.training.graft.planning.GraftOptions`.
    """

    cuts: Sequence[str]
    tops: Sequence[str]
    scope: str
    training_scope: str
    layers: Sequence[Layer]
    function: Function | None
    head_text: str
    task: str
    width: int | None
    trainable: Sequence[str]
    optimizer: str
    learning_rate: float
    decay: Decay | None
    l2: float
    ema: float | None
    seed: int

    @property
    def is_growing(self) -> bool:
        """Whether a head or a loss is added."""
        return bool(self.task or self.layers or self.function)


@dataclass
class Grown:
    """What was built.

    Attributes:
        meta: the meta graph with its graph.
        tensors: role in a :class:`Recipe` -> the tensor or operation.
        layers: of the head.
        width: of the logits, 0 if there is no loss.
        trainable: variable -> number of elements, all that train.
        new: value of each variable that was added, by its name.
    """

    meta: MetaGraphDef
    tensors: dict[str, str]
    layers: list[Built]
    width: int
    trainable: dict[str, int]
    new: dict[str, Payload]


def build(tf: Any, graph: Any, variables: Mapping[str, VariableDef], plan: Plan) -> Grown:
    """Builds ``plan`` on ``graph``, whose variables are ``variables``.

    Raises:
        GraphscopeError: a layer cannot take its input, a Python head fails, nothing can be trained, or a gradient cannot be
            computed.
    """
    with graph.as_default(), plain_control_flow(tf), tf.compat.v1.variable_scope("", use_resource=True):
        tf.compat.v1.set_random_seed(plan.seed)
        return _Builder(tf, graph, variables, plan).build()


@dataclass
class _Builder:
    tf: Any
    graph: Any
    variables: Mapping[str, VariableDef]
    plan: Plan
    tensors: dict[str, str] = field(default_factory=dict)

    def build(self) -> Grown:
        old = self.declare()
        context = Context(self.tf, self.plan.scope, self.plan.seed, self.step())
        logits = self.head(context)
        v1 = self.tf.compat.v1
        trained = list(v1.trainable_variables()) if self.plan.is_growing else []
        if self.plan.task:
            trained = self.training(context, logits)
            self.tensors["training"] = context.switch.name if context.switch is not None else ""
        every = v1.global_variables()
        saver = v1.train.Saver(every, save_relative_paths=True) if every else None
        message = v1.train.export_meta_graph(graph=self.graph, saver_def=saver.as_saver_def() if saver else None)
        new = {v.op.name: v for v in every if v.op.name not in old}
        return Grown(
            MetaGraphDef.FromString(message.SerializeToString()),
            self.tensors,
            context.layers,
            int(logits.shape[-1]) if self.plan.task else 0,
            {v.op.name: v.shape.num_elements() for v in trained},
            self.initial(new),
        )

    def declare(self) -> dict[str, Any]:
        """The base's variables as TensorFlow's Python knows them, in its collections."""
        v1 = self.tf.compat.v1
        for name, message in self.variables.items():
            variable = python_variable(message)
            v1.add_to_collection(v1.GraphKeys.GLOBAL_VARIABLES, variable)
            if name in self.plan.trainable:
                v1.add_to_collection(v1.GraphKeys.TRAINABLE_VARIABLES, variable)
        return {variable.op.name: variable for variable in v1.global_variables()}

    def step(self) -> Any:
        """``global_step``, where there is something to train."""
        if not self.plan.is_growing:
            return None
        v1 = self.tf.compat.v1
        keys = [v1.GraphKeys.GLOBAL_VARIABLES, v1.GraphKeys.GLOBAL_STEP]
        first = v1.zeros_initializer()
        step = v1.get_variable("global_step", [], self.tf.int64, initializer=first, trainable=False, collections=keys)
        self.tensors["global_step"] = step.name
        return step

    def head(self, context: Context) -> Any:
        """What the head gives; where nothing grows, the output of the model on top as it is."""
        tops = [self.graph.get_tensor_by_name(name) for name in self.plan.tops]
        if not self.plan.is_growing:
            self.tensors["logits"] = tops[0].name
            return tops[0]
        with (
            self.tf.compat.v1.variable_scope(self.plan.scope, auxiliary_name_scope=False),
            self.tf.name_scope(f"{self.plan.scope}/"),
            tensorflow_errors(f"head {self.plan.head_text}"),
        ):
            logits = self.tf.identity(self.layers(tops, context), name="logits")
        self.tensors["logits"] = logits.name
        return logits

    def layers(self, tops: Sequence[Any], context: Context) -> Any:
        if self.plan.function is not None:
            return call_function(self.plan.head_text, self.plan.function, tops, context)
        x = merge_tensors(self.tf, [_as_float(self.tf, top) for top in tops])
        if x.shape.rank is None:
            raise GraphscopeError(
                f"{self.plan.cuts[0]} has unknown rank, so no head can be built on it",
                hint="cut where the shape is known",
            )
        return build_chain(self.plan.layers, x, context)

    def training(self, context: Context, logits: Any) -> list[Any]:
        """Loss, metric and a training step; the variables that it changes."""
        width = self.checked_width(logits)
        tf, v1, task = self.tf, self.tf.compat.v1, TASKS[self.plan.task]
        with tf.name_scope(f"{self.plan.training_scope}/"):
            labels = task.labels(tf, [logits.shape[0], *logits.shape[1:-1].as_list(), width])
            made = task.build(tf, logits, labels)
            trained = self.trained(logits)
            loss = tf.identity(self.regularize(made.loss, trained), name="loss")
            metric = tf.identity(made.metric, name="metric")
            rate = rate_tensor(tf, self.plan.learning_rate, self.plan.decay, context.global_step)
            train_op = self.train_op(loss, rate, trained, context.global_step)
        with tf.name_scope(f"{self.plan.scope}/"):
            predictions = tf.identity(made.predictions, name="predictions")
        for key, value in (("losses", loss), ("train_op", train_op), ("metrics", metric)):
            v1.get_collection_ref(key)[:] = [value]  # the optimizer has put a part of the step there
        named = {"labels": labels, "predictions": predictions, "loss": loss, "metric": metric, "learning_rate": rate}
        self.tensors |= {role: tensor.name for role, tensor in named.items()} | {"train_op": train_op.name}
        return trained

    def checked_width(self, logits: Any) -> int:
        """The size of the last dimension; a regression takes any number of known dimensions between it and the batch."""
        shape = tuple(logits.shape.as_list()) if logits.shape.rank is not None else None
        wanted = "?" if self.plan.width is None else str(self.plan.width)
        is_row = shape is not None and len(shape) == 2 and shape[1] is not None
        is_map = shape is not None and len(shape) > 2 and None not in shape[1:] and self.plan.task == REGRESSION
        if shape is None or not (is_row or is_map) or self.plan.width not in (None, shape[-1]):
            raise GraphscopeError(
                f"{self.what()} gives {shape_text(shape)}, but (?, {wanted}) was expected",
                hint="end with a dense layer, after flatten or gap where there are more dimensions",
            )
        return int(shape[-1] or 0)

    def what(self) -> str:
        """What gives the logits, for messages."""
        return f"head {self.plan.head_text}" if self.plan.head_text else f"the model's own {', '.join(self.plan.tops)}"

    def trained(self, logits: Any) -> list[Any]:
        variables = list(self.tf.compat.v1.trainable_variables())
        if not variables:
            raise GraphscopeError(
                "no variable is left to train: the head has none, and none of the base is unfrozen",
                hint=Advice(
                    Option("head", "dense:10"),
                    " adds a layer; ",
                    Option("unfreeze", "REGEX"),
                    " lets weights of the base train",
                ),
            )
        refuse_blocked(self.tf, logits, variables)
        return variables

    def regularize(self, loss: Any, variables: Sequence[Any]) -> Any:
        """Adds ``l2`` times half the squares of everything that is a matrix or a kernel."""
        kernels = [v for v in variables if self.plan.l2 and len(v.shape) > 1]
        if not kernels:
            return loss
        return loss + self.plan.l2 * self.tf.add_n([self.tf.nn.l2_loss(v) for v in kernels])

    def train_op(self, loss: Any, rate: Any, variables: Sequence[Any], step: Any) -> Any:
        """One step: gradients applied, statistics of batch norm and moving averages updated, the step counted."""
        v1 = self.tf.compat.v1
        optimizer = OPTIMIZERS[self.plan.optimizer][1](v1.train, rate)
        with tensorflow_errors("TensorFlow cannot compute the gradients"):
            gradients = optimizer.compute_gradients(loss, var_list=variables)
            parts = [optimizer.apply_gradients(gradients, global_step=step), *v1.get_collection(STATISTICS_UPDATES)]
        if self.plan.ema is not None:
            with self.tf.control_dependencies(parts):
                parts.append(v1.train.ExponentialMovingAverage(self.plan.ema).apply(variables))
        return self.tf.group(*parts, name="train_op")

    def initial(self, new: Mapping[str, Any]) -> dict[str, Payload]:
        """What the initializers of the new variables give; averages of the base's variables are left to whoever has those."""
        own = {name: v for name, v in new.items() if name.removesuffix(f"/{MOVING_AVERAGE}") not in self.variables}
        filled = {name: payload for name, v in own.items() if (payload := self.filled(v)) is not None}
        rest = {name: variable for name, variable in own.items() if name not in filled}
        config = self.tf.compat.v1.ConfigProto(device_count={"GPU": 0})
        with (
            self.tf.compat.v1.Session(graph=self.graph, config=config) as session,
            tensorflow_errors("TensorFlow cannot initialize this head"),
        ):
            session.run([variable.initializer for variable in rest.values()])
            return {**filled, **{name: ArrayPayload(value) for name, value in session.run(rest).items()}}

    def filled(self, variable: Any) -> Payload | None:
        """The content of a variable that begins with one value everywhere, as large slots do."""
        first = variable.initial_value
        if first is None or first.op.type != "Fill" or not variable.shape.is_fully_defined():
            return None
        value = self.tf.get_static_value(first.op.inputs[1])
        dtype = DataType.of(first.dtype.as_datatype_enum)
        return None if value is None else FilledPayload(dtype, tuple(variable.shape.as_list()), value)


def merge_tensors(tf: Any, tensors: Sequence[Any]) -> Any:
    """One tensor: several are put side by side along the last dimension, flattened first where the others differ.

    Raises:
        GraphscopeError: they are to be flattened, and a dimension is not known.
    """
    if len(tensors) == 1:
        return tensors[0]
    shapes = [tuple(t.shape.as_list()) if t.shape.rank is not None else None for t in tensors]
    if (
        len({shape[1:-1] if shape is not None and len(shape) > 1 else None for shape in shapes}) == 1
        and None not in shapes
    ):
        return tf.concat(tensors, axis=-1)
    if any(shape is None or None in shape[1:] for shape in shapes):
        texts = " and ".join(map(shape_text, shapes))
        raise GraphscopeError(f"tensors of {texts} cannot be concatenated: their dimensions are unknown")
    return tf.concat([tf.reshape(t, [-1, t.shape[1:].num_elements()]) for t in tensors], axis=-1)


def _as_float(tf: Any, tensor: Any) -> Any:
    return tensor if tensor.dtype == tf.float32 else tf.cast(tensor, tf.float32)
