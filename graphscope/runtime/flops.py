"""Floating-point operations of what ran, as TensorFlow counts them.

Source: ``tensorflow/python/profiler/internal/flops_registry.py``, which asks a graph for the shapes of a node's inputs and
outputs: here they are those that the run had.
"""

from __future__ import annotations

import importlib
from collections.abc import Mapping, Sequence
from typing import Any

from graphscope.tracing.fused import done_by
from graphscope.tracing.steps import Execution
from graphscope.tracing.trace import Trace


def flops_of(trace: Trace, graph: Any) -> dict[str, int]:
    """Node -> operations of one execution; of a fused kernel those of all nodes that it stands for.

    Nodes are left out of whose op TensorFlow registers no such statistic, or of which a shape is not known.

    Args:
        graph: the ``tf.Graph`` that was run.
    """
    importlib.import_module("tensorflow.python.profiler.internal.flops_registry")
    if trace.graph is None:
        return {}
    ran = {e.name: e for step in trace.steps for e in step.executions if not e.stream}
    shapes = {feed.tensor: feed.shape for feed in trace.feeds}
    shapes |= {f"{e.name}:{o.slot}": o.shape for e in ran.values() for o in e.outputs}
    nodes = {operation.name: operation for operation in graph.get_operations()}
    names = ran.keys() | trace.partitions.nodes.keys()
    found = {}
    for name, execution in ran.items():
        if name in nodes:
            members = done_by(trace.graph, name, execution.op, names)
            measured = _Shapes(graph, {**shapes, **_inside(members, execution)})
            known = [_flops(measured, nodes[member].node_def) for member in members if member in nodes]
            if any(value is not None for value in known):
                found[name] = sum(value or 0 for value in known)
    return found


def _inside(members: Sequence[str], execution: Execution) -> dict[str, tuple[int, ...]]:
    """What passes between the nodes of a fused kernel is of the shape that it gives: only element-wise ops follow the first."""
    return {f"{member}:0": execution.outputs[0].shape for member in members} if execution.outputs else {}


def _flops(shapes: _Shapes, node_def: Any) -> int | None:
    from tensorflow.python.framework import ops

    try:
        value = ops.get_stats_for_node_def(shapes, node_def, "flops").value
    except (ValueError, KeyError, TypeError, IndexError):  # a shape that is not known, or not as the formula takes it
        return None
    return None if value is None else int(value)


class _Shapes:
    """A graph, as far as the formulas ask it: for the shapes of tensors."""

    def __init__(self, graph: Any, measured: Mapping[str, tuple[int, ...]]) -> None:
        self._graph = graph
        self._measured = measured

    def get_tensor_by_name(self, name: str) -> Any:
        measured = self._measured.get(name)
        return self._graph.get_tensor_by_name(name) if measured is None else _Tensor(measured)


class _Tensor:
    def __init__(self, shape: tuple[int, ...]) -> None:
        self._shape = shape

    def get_shape(self) -> Any:
        from tensorflow.python.framework import tensor_shape

        return tensor_shape.TensorShape(self._shape)
