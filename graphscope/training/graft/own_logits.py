"""Where a model that is to be trained as it is has its logits: below the activation that the loss brings itself."""

from __future__ import annotations

from collections.abc import Sequence

from graphscope.analysis.ends.choose_outputs import choose_outputs
from graphscope.core.model import Model
from graphscope.core.tensors import TensorName
from graphscope.training.recipe import CLASSES, MULTILABEL

_ACTIVATIONS = {CLASSES: "Softmax", MULTILABEL: "Sigmoid"}
"""Task -> what its loss computes of logits."""

_PASSED = ("Identity", "Reshape", "Squeeze")


def own_logits(model: Model, task: str, outputs: Sequence[str] = ()) -> list[str]:
    """The tensors that go into the softmax (sigmoid) at ``outputs``; an output itself where there is none.

    Args:
        outputs: default: the model's likely one.

    Raises:
        UnknownNameError: an output does not exist.
        GraphscopeError: none was named, and no output is clear; the error lists the candidates.
    """
    return [_below(model, task, output) for output in outputs or choose_outputs(model).outputs[:1]]


def _below(model: Model, task: str, output: str) -> str:
    name = TensorName.parse(output)
    while model.graph[name.node].op in _PASSED:
        name = TensorName.parse(model.graph[name.node].inputs[0])
    node = model.graph[name.node]
    return str(TensorName.parse(node.inputs[0])) if node.op == _ACTIVATIONS.get(task) else output
