"""From what TensorFlow built to a model: graph, values, signatures, recipe, and the report."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from graphscope.analysis.ends.choose_outputs import SERVING_DEFAULT
from graphscope.core.graph import Graph
from graphscope.core.model import Model, ModelKind
from graphscope.core.tensors import TensorName, TensorSpec
from graphscope.core.values.dtypes import DataType
from graphscope.core.values.payload import Payload
from graphscope.core.variables.roles import MOVING_AVERAGE
from graphscope.editing.values import NamedValues
from graphscope.feeding.feeds import tensor_spec
from graphscope.formats.savedmodel.writer import signature
from graphscope.protos import MetaGraphDef
from graphscope.training.graft.base import Base
from graphscope.training.graft.building import Grown, Plan
from graphscope.training.graft.import_skeleton import Ready
from graphscope.training.graft.join_models import Joined
from graphscope.training.graft.planning import GraftOptions
from graphscope.training.graft.result import Grafted, GraftReport
from graphscope.training.graft.skeleton import restore_constants
from graphscope.training.graft.trainable import constant_weights
from graphscope.training.recipe import Recipe, write_recipe
from graphscope.transforms.findings.drops import lasting_drops

TRAIN_SIGNATURE = "train"
TRAIN_METHOD = "tensorflow/supervised/training"


@dataclass
class Finish:
    """Makes the model out of what TensorFlow built."""

    options: GraftOptions
    base: Base
    joined: Joined
    ready: Ready
    plan: Plan
    grown: Grown
    notes: list[str]

    def to_grafted(self) -> Grafted:
        """The model, with signatures and recipe, and what was done."""
        meta = MetaGraphDef()
        meta.CopyFrom(self.grown.meta)
        graph = restore_constants(meta.graph_def, self.ready.graph)
        meta.ClearField("graph_def")
        model = Model(self.base.path, ModelKind.META_CHECKPOINT, "binary", (), graph, meta, self._store(), "V2")
        recipe = self._recipe(model) if self.plan.task else None
        if recipe is None:
            self._serve(model, {"output": self.grown.tensors["logits"]})
        else:
            write_recipe(meta, recipe)
        return Grafted(model, recipe, self._report(graph))

    def _store(self) -> NamedValues:
        return NamedValues({**self.joined.values, **self.grown.new, **self._averages()})

    def _averages(self) -> dict[str, Payload]:
        """A moving average starts from the variable's value; of the base's, TensorFlow has seen none."""
        if self.plan.ema is None:
            return {}
        return {f"{name}/{MOVING_AVERAGE}": self.joined.values[name] for name in self.joined.trainable}

    def _serve(self, model: Model, outputs: Mapping[str, str]) -> dict[str, str]:
        """Declares ``serving_default``; the inputs by argument name."""
        inputs = [tensor_spec(model, spec.name) for spec in self.base.inputs]
        made = signature(model.graph, inputs, [tensor_spec(model, name) for name in outputs.values()])
        model.meta.signature_def[SERVING_DEFAULT].CopyFrom(made)
        return {name: info.name for name, info in sorted(made.inputs.items())}

    def _recipe(self, model: Model) -> Recipe:
        tensors = self.grown.tensors
        inputs = self._serve(model, {"predictions": tensors["predictions"], "logits": tensors["logits"]})
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
            settings=self._settings(),
            **tensors,
        )

    def _settings(self) -> dict[str, str]:
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

    def _report(self, graph: Graph) -> GraftReport:
        trainable = self.grown.trainable
        variables = {n: p.elements for n, p in self.joined.values.items() if n not in trainable}
        return GraftReport(
            base=self.base.path,
            nodes_before=self.base.nodes_before,
            nodes_kept=len(self.base.graph),
            nodes_added=len(graph) - len(self.base.graph),
            cuts=tuple(self._infer(name) for name in self.base.at),
            inputs=tuple(self._infer(spec.name) for spec in self.base.inputs),
            layers=tuple(self.grown.layers),
            logits=self._infer(self.grown.tensors["logits"]),
            fixed=self.base.fixed,
            frozen={**variables, **constant_weights(self.joined.graph)},
            trainable=trainable,
            task=self.plan.task,
            width=self.grown.width,
            is_stopped=bool(self.joined.features),
            drops=tuple(lasting_drops(self.joined.graph)),
            notes=(*self.base.notes, *self.notes, *self._without_loss()),
        )

    def _without_loss(self) -> list[str]:
        """What a head without a task lacks."""
        if self.plan.task or not self.plan.is_growing:
            return []
        return ["without a task, such as classes, the head gets neither loss nor optimizer"]

    def _infer(self, name: str) -> TensorSpec:
        tensor = self.ready.imported.get_tensor_by_name(str(TensorName.parse(name)))
        shape = tuple(tensor.shape.as_list()) if tensor.shape.rank is not None else None
        return TensorSpec(tensor.name, DataType.of(tensor.dtype.as_datatype_enum), shape)
