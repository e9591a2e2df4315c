"""Assignments and steps of optimizers.

Source: ``flops_registry.py`` of TensorFlow 2.21 for ``AssignAdd`` and ``AssignSub``; for the others the formulas in
``training_ops.cc``, one operation for each sign in them.
"""

from __future__ import annotations

from collections.abc import Mapping

from graphscope.analysis.cost.table import Count, row

row("AssignAdd AssignSub", lambda o: o.taken(), in_place=True)
row("AssignAddVariableOp AssignSubVariableOp", lambda o: o.taken(1))

_STEPS: Mapping[str, tuple[int, int]] = {
    "GradientDescent": (2, 2),
    "Momentum": (3, 4),
    "Adagrad": (3, 6),
    "RMSProp": (7, 11),
    "Adam": (9, 12),
}
"""Optimizer -> the input that is the gradient, and operations for each element of it."""


def _counter(gradient: int, operations: int) -> Count:
    return lambda o: operations * o.taken(gradient)


for _name, _row in _STEPS.items():
    row(f"Apply{_name} ResourceApply{_name}", _counter(*_row))
