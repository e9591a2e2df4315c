"""Grafting in tests: which models, at which tensor, and training what was written with nothing but TensorFlow."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

import graphscope
from graphscope.core.model import Model
from graphscope.core.tensors import TensorSpec
from graphscope.feeding.feeds import tensor_spec
from graphscope.feeding.random_values import random_value
from graphscope.training.recipe import Recipe, recipe_of
from tests.support.running import Array, tf

v1 = tf.compat.v1
BATCH = 6
CPUS = v1.ConfigProto(
    device_count={"CPU": 2}, allow_soft_placement=True, intra_op_parallelism_threads=1, inter_op_parallelism_threads=1
)


@dataclass(frozen=True)
class Case:
    """A model of the fixtures or the zoo, and where a head goes."""

    path: str
    at: str
    head: str = "dense:3"
    batch: int = BATCH
    options: dict[str, Any] = field(default_factory=dict)

    @property
    def task(self) -> dict[str, Any]:
        """What a graft is asked to train the head for: classes, unless the options say otherwise."""
        is_classes = not {"regression", "multilabel"} & self.options.keys()
        return {"classes": int(self.head.rpartition("dense:")[2])} if is_classes else {}


def wav() -> bytes:
    """One second of silence, 16 kHz."""
    size = 32_000
    head = b"RIFF" + (36 + size).to_bytes(4, "little") + b"WAVEfmt " + (16).to_bytes(4, "little")
    form = b"\1\0\1\0" + (16_000).to_bytes(4, "little") + (32_000).to_bytes(4, "little") + b"\2\0\x10\0"
    noise = np.random.default_rng(0).integers(-2000, 2000, size // 2).astype("<i2").tobytes()
    return head + form + b"data" + size.to_bytes(4, "little") + noise


def feeds_of(model: Model, recipe: Recipe, batch: int) -> dict[str, Any]:
    """Something for each input and the labels."""
    feeds: dict[str, Any] = {name: _value(tensor_spec(model, name), batch) for name in recipe.inputs.values()}
    feeds[recipe.labels] = labels_of(recipe, batch)
    if recipe.training:
        feeds[recipe.training] = True
    return feeds


def _value(spec: TensorSpec, batch: int) -> Any:
    if "wav" in spec.name:
        return wav()
    return random_value(spec, seed=1, unknown=batch)


def labels_of(recipe: Recipe, batch: int) -> Array:
    rng = np.random.default_rng(2)
    if recipe.task == "classes":
        return rng.integers(0, recipe.classes, batch)
    if recipe.task == "multilabel":
        return rng.integers(0, 2, (batch, recipe.classes)).astype(np.float32)
    return rng.normal(size=(batch, recipe.classes)).astype(np.float32)


@dataclass
class Trained:
    """What plain TensorFlow saw: variables before and after, the losses, what is in the collections."""

    before: dict[str, Array]
    after: dict[str, Array]
    losses: list[float]
    trainable: list[str]

    @property
    def changed(self) -> set[str]:
        return {name for name, value in self.before.items() if not np.array_equal(value, self.after[name])}


def train(prefix: str | Path, steps: int = 3, batch: int = BATCH) -> Trained:
    """Trains as anybody would who has only the files: ``import_meta_graph``, ``Saver.restore``, ``Session.run``."""
    model = graphscope.load(prefix)
    recipe = recipe_of(model)
    feeds = feeds_of(model, recipe, batch)
    with tf.Graph().as_default() as graph, v1.Session(config=CPUS) as session:
        v1.train.import_meta_graph(f"{model.path}.meta").restore(session, model.path)
        variables = {v.op.name: v for v in v1.global_variables()}
        before = session.run(variables)
        step = graph.get_operation_by_name(recipe.train_op)
        losses = [float(session.run([recipe.loss, step], feeds)[0]) for _ in range(steps)]
        losses.append(float(session.run(recipe.loss, feeds)))
        return Trained(before, session.run(variables), losses, [v.op.name for v in v1.trainable_variables()])


def reaches(graph: Any, start: Any, goals: Iterable[Any], *, stop: str = "") -> bool:
    """Whether an operation of ``goals`` lies above ``start``, on a path without an op of type ``stop``."""
    wanted, seen, pending = set(goals), {start}, [start]
    while pending:
        operation = pending.pop()
        if operation in wanted:
            return True
        if operation.type != stop:
            new = [t.op for t in operation.inputs if t.op not in seen]
            seen.update(new)
            pending += new
    return False
