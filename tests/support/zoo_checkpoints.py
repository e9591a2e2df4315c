"""Every complete checkpoint of the zoo: what it computes, and what it has to be fed for that."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np


@dataclass(frozen=True)
class Checkpoint:
    """A folder or prefix in the zoo.

    Attributes:
        output: the tensor to compute; empty for the one that is clear.
        inputs: where its graph is cut open.
        feeds: tensor name -> value; the other inputs are random.
    """

    path: str
    output: str = ""
    inputs: tuple[str, ...] = ()
    feeds: Mapping[str, Any] = field(default_factory=dict)


def _sparse(first: int, shape: tuple[int, int]) -> dict[str, Any]:
    """A diagonal in the three placeholders of a sparse tensor: shape, values, indices."""
    indices = np.array([(i, i) for i in range(min(shape))], np.int64)
    values = np.linspace(0.5, 1, len(indices), dtype=np.float32)
    parts = (np.array(shape, np.int64), values, indices)
    return {f"Placeholder{f'_{first + i}' if first + i else ''}:0": part for i, part in enumerate(parts)}


CHECKPOINTS = (
    Checkpoint("meta_ckpt/onnx+tensorflow-onnx/tests/models/regression/checkpoint"),
    Checkpoint("meta_ckpt/tensorflow+serving/a74d9e9a/servables/tensorflow/testdata/half_plus_two/00000123/export"),
    Checkpoint(
        "meta_ckpt/tensorflow+tfx/tfx/components/testdata/trainer/current/Format-Serving",
        "head/predictions/probabilities",
        ("add_2",),
        {"add_2:0": np.linspace(-2, 2, 40, dtype=np.float32).reshape(40, 1)},
    ),
    Checkpoint("meta_ckpt/dotnet+machinelearning-testdata/Microsoft.ML.TensorFlow.TestModels/cifar_model", "add_1"),
    Checkpoint("meta_ckpt/tegg89+SRCNN-Tensorflow/pretrained_checkpoints/gaussian sigma=2"),
    Checkpoint("meta_ckpt/tegg89+SRCNN-Tensorflow/pretrained_checkpoints/common SR"),
    Checkpoint(
        "meta_ckpt/isl-org+NPHard/model",
        "concat_30",
        feeds={
            **_sparse(0, (5, 5)),
            **_sparse(3, (5, 5)),
            **_sparse(6, (5, 32)),
            "Placeholder_11:0": np.array([5], np.int32),
        },
    ),
    Checkpoint("v1_ckpt/tegg89+SRCNN-Tensorflow/checkpoint/srcnn_21"),
    Checkpoint(
        "v1_ckpt/tensorflow+serving/tensorflow_serving/session_bundle/testdata/half_plus_two/00000123/export",
        "y",
        ("x",),
        {"x:0": np.float32([[1], [-3]])},
    ),
)
