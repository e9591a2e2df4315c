"""SavedModels of Keras layers: their functions capture variables by further handles, which TensorFlow 2 alone restores."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from graphscope import freeze, load, run
from graphscope.analysis.ends.choose_outputs import choose_outputs
from tests.support.running import tf

X = np.random.default_rng(0).random((2, 8, 8, 3), np.float32)


def saved(path: Path) -> Any:
    layers = tf.keras.layers
    model = tf.keras.Sequential(
        [
            tf.keras.Input((8, 8, 3)),
            layers.Conv2D(4, 3),
            layers.BatchNormalization(),
            layers.GlobalAveragePooling2D(),
            layers.Dense(5, activation="softmax"),
        ]
    )
    tf.saved_model.save(model, str(path))
    [result] = tf.saved_model.load(str(path)).signatures["serving_default"](tf.constant(X)).values()
    return result.numpy()


def test_further_handles_of_a_variable_have_its_value(tmp_path: Path) -> None:
    expected = saved(tmp_path)
    model = load(tmp_path)
    [spec] = (spec for specs in model.signatures["serving_default"].inputs.values() for spec in specs)
    result = run(model, {spec.name: X})
    assert np.allclose(result[next(iter(result))], expected, 1e-5)
    assert freeze(model).verify().is_within


def test_a_predicted_label_is_an_output(tmp_path: Path) -> None:
    """Labels that only pass through are none; what a model makes is, whatever it is called."""

    class Classifier(tf.Module):
        def __init__(self) -> None:
            self.names = tf.Variable(["cat", "dog", "cow"])

        @tf.function(input_signature=[tf.TensorSpec([None, 3]), tf.TensorSpec([None], tf.int64)])
        def serve(self, x: Any, labels: Any) -> Any:
            return {
                "label": tf.gather(self.names, tf.argmax(x, 1)),
                "scores": tf.nn.softmax(x),
                "loss": tf.size(labels),
            }

    module = Classifier()
    tf.saved_model.save(module, str(tmp_path), signatures=module.serve)
    model = load(tmp_path)
    outputs = model.signatures["serving_default"].outputs
    assert set(choose_outputs(model).outputs) == {outputs[name][0].name for name in ("label", "scores")}
