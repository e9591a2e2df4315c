"""Floating-point operations as TensorFlow's own profiler counts them."""

from __future__ import annotations

import importlib
from collections.abc import Iterator, Mapping
from typing import Any

from graphscope.core.model import Model
from graphscope.core.tensors import Shape, TensorName
from graphscope.protos import GraphDef
from graphscope.runtime.shapes import importable
from tests.support.saving import tf

tf1 = tf.compat.v1


def profiler_flops(model: Model, shapes: Mapping[str, Shape]) -> dict[str, int]:
    """Node -> operations, of the nodes of which TensorFlow's profiler counts any, where inputs have ``shapes``."""
    message = importable(model)
    for name, sizes in shapes.items():
        node = next(node for node in message.node if node.name == TensorName.parse(name).node)
        if sizes is not None and node.op == "Placeholder":
            set_shape(node.attr["shape"].shape, sizes)
    return flops_of_graph(message)


def set_shape(proto: Any, sizes: Shape) -> None:
    """Makes a shape message say ``sizes``."""
    proto.Clear()
    proto.unknown_rank = sizes is None
    for size in sizes or ():
        proto.dim.add(size=-1 if size is None else size)


def flops_of_graph(message: GraphDef) -> dict[str, int]:
    """See :func:`profiler_flops`."""
    with tf.Graph().as_default() as graph:
        tf1.import_graph_def(tf1.GraphDef.FromString(message.SerializeToString()), name="")
    options = tf1.profiler.ProfileOptionBuilder(tf1.profiler.ProfileOptionBuilder.float_operation())
    root = tf1.profiler.profile(graph, cmd="scope", options=options.with_empty_output().build())
    return {node.name: node.float_ops for node in _walk(root) if node.float_ops}


def _walk(node: Any) -> Iterator[Any]:
    yield node
    for child in node.children:
        yield from _walk(child)


def flops_of_node(message: GraphDef, name: str) -> int | None:
    """What the profiler's table of formulas says of one node; ``None`` where it says nothing."""
    importlib.import_module("tensorflow.python.profiler.internal.flops_registry")
    from tensorflow.python.framework import ops

    with tf.Graph().as_default() as graph:
        tf1.import_graph_def(tf1.GraphDef.FromString(message.SerializeToString()), name="")
    try:
        value = ops.get_stats_for_node_def(graph, graph.get_operation_by_name(name).node_def, "flops").value
    except (ValueError, TypeError):  # a size that is not known, channels first
        return None
    return None if value is None else int(value)


def counted_ops() -> list[str]:
    """The ops that the profiler has a formula for."""
    importlib.import_module("tensorflow.python.profiler.internal.flops_registry")
    from tensorflow.python.framework import ops

    names = (key.partition(",")[0] for key in ops._stats_registry.list())
    return sorted({name for name in names if ops._stats_registry.lookup(f"{name},flops")})
