"""The table of rules: TensorFlow's op -> how a node of it becomes ONNX nodes."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from graphscope.export.onnx.call import Call
from graphscope.export.onnx.value import Value

Results = Value | Sequence[Value]
"""One tensor for each output of a node; a rule for an op with one output may return just the tensor."""

Rule = Callable[[Call], Results]
"""Adds the nodes for one TensorFlow node. Raises NotExpressibleError for cases that it does not cover exactly."""

RULES: dict[str, Rule] = {}

DEFERRED: set[str] = set()
"""Ops whose rules convert their own inputs, which are in another part of the graph: branches and loops."""


def rule(*ops: str, deferred: bool = False) -> Callable[[Rule], Rule]:
    """Registers a rule for ``ops``."""

    def register(function: Rule) -> Rule:
        for op in ops:
            RULES[op] = function
        if deferred:
            DEFERRED.update(ops)
        return function

    return register


def direct(table: dict[str, str]) -> None:
    """Registers ops that ONNX has under another name, with the same inputs and no attributes."""
    for op, target in table.items():
        RULES[op] = _rename(target)


def _rename(target: str) -> Rule:
    return lambda call: call.op(target, *call.inputs)
