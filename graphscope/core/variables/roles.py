"""Tells the model's own variables from what training keeps beside them."""

from __future__ import annotations

import functools
from collections.abc import Container

from graphscope.core.graph import Graph
from graphscope.core.ops.table import registered_ops
from graphscope.core.tensors import node_of
from graphscope.core.values.dtypes import DataType
from graphscope.core.variables.object_graph import OF_THE_MODEL, VALUE_SUFFIX
from graphscope.core.variables.variables import Role
from graphscope.protos import OpDef

MOVING_AVERAGE = "ExponentialMovingAverage"
"""The last part of a moving average's name: ``<variable>/ExponentialMovingAverage``."""

_SLOT_NAMES = frozenset(
    "Adam AdaMax Momentum RMSProp Adagrad AdagradDA Adadelta Ftrl LARSOptimizer Lamb adam_m adam_v vr vc"
    " gradient_accumulator AddSign PowerSign ProximalAdagrad".split()
)
"""Names of optimizer slots, ``<variable>/<slot>``, as ``tf.compat.v1.train``, contrib and TPU optimizers give them."""

_MODEL, _SLOT = Role.MODEL, Role.SLOT
"""Up to Python 3.11 each look at a member of an enumeration calls a function."""

_BY_LAST_PART = {
    MOVING_AVERAGE: Role.MOVING_AVERAGE,
    "beta1_power": _SLOT,
    "beta2_power": _SLOT,
    "global_step": Role.STEP,
    "save_counter": Role.STEP,
}
_OPTIMIZER_SCOPES = frozenset({"optimizer", "_optimizer", "Adam", "SGD", "RMSprop", "Nadam"})
_KERAS_METRICS = "keras_api/metrics/"


def role_by_name(name: str, key: str | None, names: Container[str] = ()) -> Role:
    """What ``name`` (and its checkpoint key) say about a variable, by TensorFlow's naming conventions.

    ``names`` are the other variables' names: a slot needs an owner among them.
    """
    found = _role_of(name, names)
    return _role_of(key, names) if found is _MODEL and key and key != name else found


def _role_of(text: str, names: Container[str]) -> Role:
    owner, _, last = text.removesuffix(VALUE_SUFFIX).rpartition("/")
    is_slot, role = _said_by_last_part(last)
    if is_slot and _is_owner(owner, names):
        return _SLOT
    scope = text.partition("/")[0]
    is_of_optimizer = scope in _OPTIMIZER_SCOPES and scope != text and OF_THE_MODEL not in text
    if is_of_optimizer or "/.OPTIMIZER_SLOT/" in text:
        return _SLOT
    return Role.LOCAL if scope == "keras_api" and text.startswith(_KERAS_METRICS) else role


@functools.lru_cache(256)  # the variables of a model have few
def _said_by_last_part(last: str) -> tuple[bool, Role]:
    """Whether it is an optimizer slot's name, and the role that it states by itself."""
    name = last.rstrip("0123456789").removesuffix("_") if last[-1:].isdigit() else last
    return name in _SLOT_NAMES, _BY_LAST_PART.get(name, _MODEL)


def _is_owner(name: str, names: Container[str]) -> bool:
    """Whether ``name`` is a variable, or one below the variable scope in which the optimizer was made."""
    while name not in names:
        _, slash, name = name.partition("/")
        if not slash:
            return False
    return True


def slots_in_graph(graph: Graph) -> frozenset[str]:
    """Variables that training ops keep state in: every variable argument of an ``Apply*`` op but the first.

    ``ApplyAdam(var, m, v, beta1_power, ...)``: ``m`` and ``v`` are references (resources in ``ResourceApplyAdam``).
    """
    found = set()
    for op, node in zip(graph.ops, graph.nodes):
        definition = registered_ops().get(op) if "Apply" in op else None
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
