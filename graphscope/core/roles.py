"""Tells the model's own variables from what training keeps beside them."""

from __future__ import annotations

import re
from collections.abc import Collection

from graphscope.core.dtypes import DataType
from graphscope.core.graph import Graph
from graphscope.core.ops import registered
from graphscope.core.tensors import node_of
from graphscope.core.variables import Role
from graphscope.protos import OpDef

MOVING_AVERAGE_SUFFIX = "/ExponentialMovingAverage"

_SLOT_NAMES = (
    "Adam Adam_1 AdaMax AdaMax_1 Momentum RMSProp RMSProp_1 Adagrad AdagradDA AdagradDA_1 Adadelta Adadelta_1 Ftrl Ftrl_1"
    " LARSOptimizer Lamb Lamb_1 adam_m adam_v AdafactorV vr vc gradient_accumulator AddSign PowerSign ProximalAdagrad"
).split()
"""Names of optimizer slots, ``<variable>/<slot>``, as ``tf.compat.v1.train``, contrib and TPU optimizers give them."""

_SLOT = re.compile(r"^(?P<owner>.+)/(?:" + "|".join(map(re.escape, _SLOT_NAMES)) + r")(?:_\d+)?$")
_OPTIMIZER = re.compile(
    r"(^|/)beta[12]_power(_\d+)?$|^(optimizer|_optimizer)/|/\.OPTIMIZER_SLOT/|^(Adam|SGD|RMSprop|Nadam)/"
)
_STEP = re.compile(r"(^|/)global_step(_\d+)?$")


def role_by_name(name: str, key: str | None, names: Collection[str] = ()) -> Role:
    """What ``name`` (and its checkpoint key) say about a variable, by TensorFlow's naming conventions.

    ``names`` are the other variables' names: a slot needs an owner among them.
    """
    for text in (name, key or ""):
        if text.endswith(MOVING_AVERAGE_SUFFIX):
            return Role.MOVING_AVERAGE
        slot = _SLOT.match(text)
        if (slot and slot["owner"] in names) or _OPTIMIZER.search(text):
            return Role.SLOT
        if _STEP.search(text) or text.startswith("save_counter"):
            return Role.STEP
    return Role.MODEL


def slots_in_graph(graph: Graph) -> frozenset[str]:
    """Variables that training ops keep state in: every variable argument of an ``Apply*`` op but the first.

    ``ApplyAdam(var, m, v, beta1_power, ...)``: ``m`` and ``v`` are references (resources in ``ResourceApplyAdam``).
    """
    found = set()
    for op, node in zip(graph.ops, graph.nodes):
        definition = registered().get(op) if "Apply" in op else None
        if definition is not None:
            found.update(_state_inputs(definition, node.data_inputs()))
    return frozenset(found)


def _state_inputs(op: OpDef, inputs: list[str]) -> list[str]:
    if len(inputs) != len(op.input_arg):
        return []
    state = [
        node_of(name)
        for arg, name in zip(op.input_arg, inputs, strict=True)
        if arg.is_ref or arg.type == DataType.RESOURCE
    ]
    return state[1:]
