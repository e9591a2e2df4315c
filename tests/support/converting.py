"""What the tests of conversion share: fixtures in TensorFlow's hands."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np

from graphscope.core.model import Model
from graphscope.core.tensors import TensorSpec
from graphscope.core.values.dtypes import DataType
from tests.support.fixture_files import FIXTURES, committed_models
from tests.support.saving import Array, tf

MODELS = committed_models()
tf1 = tf.compat.v1


class Fixture:
    """A trained model: its checkpoint's prefix, what it is fed and what it gives."""

    def __init__(self, name: str) -> None:
        entry = MODELS[name]
        self.prefix = str(FIXTURES / name / entry["forms"][0]["path"])
        self.output: str = entry["output"]
        self.input: str = entry["input"]
        self.settings: Mapping[str, Any] = entry["inference_feeds"]
        pixels = np.random.default_rng(3).random((2, 784), np.float32)
        self.feeds: dict[str, Any] = {self.input: pixels, **self.settings}

    def specs(self, model: Model) -> tuple[list[TensorSpec], list[TensorSpec]]:
        """Inputs and outputs, as the graph states them."""
        catalog, graph = model.catalog, model.graph
        dtypes = {name: catalog.outputs(graph[n].op, graph[n].attrs) for name in self.feeds for n in [name[:-2]]}
        inputs = [
            TensorSpec(name, types[0].dtype, (None, 784) if name == self.input else ())
            for name, types in dtypes.items()
            if types is not None
        ]
        return inputs, [TensorSpec(self.output, DataType.FLOAT, (None, None))]


@contextlib.contextmanager
def session() -> Iterator[Any]:
    """A session on a graph of its own."""
    with tf1.Graph().as_default(), tf1.Session(config=tf1.ConfigProto(allow_soft_placement=True)) as running:
        yield running


def restored(meta: str, prefix: str, fetches: Any, feeds: Mapping[str, Any] | None = None) -> Any:
    """What a session gives that has restored ``prefix`` by the saver in ``meta``."""
    with session() as running:
        tf1.train.import_meta_graph(meta).restore(running, prefix)
        return running.run(fetches, feeds)


def by_tf1(directory: Path, fetches: Any, feeds: Mapping[str, Any] | None = None, tag: str = "serve") -> Any:
    """What a session gives that has loaded a SavedModel."""
    with session() as running:
        tf1.saved_model.load(running, [tag], str(directory))
        return running.run(fetches, feeds)


def by_tf2(directory: Path, arguments: Mapping[str, Any], signature: str = "serving_default") -> dict[str, Array]:
    """What a signature of a SavedModel gives."""
    function = tf.saved_model.load(str(directory)).signatures[signature]
    results = function(**{name: tf.constant(value) for name, value in arguments.items()})
    return {name: value.numpy() for name, value in results.items()}


def variable_values(prefix: str) -> dict[str, Array]:
    """Every tensor of a checkpoint, as TensorFlow reads it."""
    reader = tf.train.load_checkpoint(prefix)
    return {name: np.asarray(reader.get_tensor(name)) for name in reader.get_variable_to_shape_map()}
