"""The tensor of a graph that scores the classes, and the scale of its numbers: logits, probabilities, values."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import Enum

from graphscope.core.graph import Graph
from graphscope.core.tensors import TensorName


class Scale(Enum):
    """The scale of a tensor's numbers."""

    SOFTMAX_LOGITS = "logits of a softmax"
    SIGMOID_LOGITS = "logits of a sigmoid"
    PROBABILITIES = "probabilities"
    VALUES = "values"
    UNKNOWN = "unknown"


@dataclass(frozen=True, slots=True)
class Scores:
    """The tensor that an output's classes are read from.

    Attributes:
        tensor: its name.
        scale: the scale of its numbers.
    """

    tensor: str
    scale: Scale


_PASSES = frozenset({"Identity", "Reshape", "Squeeze", "StopGradient", "Snapshot", "Cast", "ArgMax"})
"""Ops that keep the order of the scores, or return the highest."""

_ACTIVATIONS: Mapping[str, Scale] = {
    "Softmax": Scale.SOFTMAX_LOGITS,
    "LogSoftmax": Scale.SOFTMAX_LOGITS,
    "Sigmoid": Scale.SIGMOID_LOGITS,
}


def find_scores(graph: Graph, output: str) -> Scores:
    """What ``output`` is an activation or the highest class of; the output itself where the graph shows neither.

    A loss is computed from logits: the logarithm of a probability that was rounded to 0 is lost.

    Args:
        output: a tensor of ``graph``.
    """
    name = scores = TensorName.parse(output)
    while (node := graph[name.node]).op in _PASSES:
        name = TensorName.parse(node.data_inputs()[0])
        if node.op == "ArgMax":
            scores = name
    if node.op in _ACTIVATIONS:
        return Scores(str(TensorName.parse(node.data_inputs()[0])), _ACTIVATIONS[node.op])
    return Scores(str(scores), Scale.UNKNOWN)
