"""Turns placeholders into constants."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from graphscope.core.changes.build import constant
from graphscope.core.graph import Graph, Node
from graphscope.core.ops.sets import PLACEHOLDER_OPS
from graphscope.core.tensors import TensorSpec, node_of, shape_of
from graphscope.core.values.dtypes import DataType
from graphscope.core.values.fit import fit
from graphscope.errors import GraphscopeError, UnknownNameError

if TYPE_CHECKING:
    from numpy.typing import NDArray


def bake(graph: Graph, values: Mapping[str, NDArray[Any]]) -> Graph:
    """Replaces the placeholders named in ``values`` with constants; the default of a placeholder stays for other consumers.

    Args:
        values: node or tensor name -> value, cast to the placeholder's type where nothing is lost.

    Raises:
        UnknownNameError: there is no such placeholder.
        GraphscopeError: the value's type or shape does not fit.
    """
    baked = {node_of(name): value for name, value in values.items()}
    for name in baked:
        _check_placeholder(graph, name)
    if not baked:
        return graph
    return graph.with_nodes(_bake(n, baked) for n in graph.nodes)


def _bake(original: Node, values: Mapping[str, NDArray[Any]]) -> Node:
    if original.op not in PLACEHOLDER_OPS or original.name not in values:
        return original
    return constant(original.name, fit(values[original.name], placeholder_spec(original)))


def placeholder_spec(placeholder: Node) -> TensorSpec:
    """The specification of a placeholder. An empty shape is unreliable: before producer 24 it meant an unknown one."""
    dtype, shape = placeholder.attr("dtype"), placeholder.attr("shape")
    stated = shape_of(shape.shape) if shape is not None else None
    return TensorSpec(
        placeholder.name, DataType.of(dtype.type) if dtype is not None else DataType.INVALID, stated or None
    )


def _check_placeholder(graph: Graph, name: str) -> None:
    found = graph.get(name)
    placeholders = [n.name for op, n in zip(graph.ops, graph.nodes) if op in PLACEHOLDER_OPS]
    if found is None:
        raise UnknownNameError("placeholder", name, placeholders)
    if found.op not in PLACEHOLDER_OPS:
        raise GraphscopeError(
            f"{name} is a {found.op}, not a placeholder", hint="placeholders: " + ", ".join(placeholders[:8])
        )
