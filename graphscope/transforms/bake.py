"""Turns placeholders into constants."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import TYPE_CHECKING, Any

from graphscope.core.build import constant, node, type_attr
from graphscope.core.dtypes import DataType
from graphscope.core.fit import fit
from graphscope.core.graph import Graph, Node
from graphscope.core.tensors import TensorSpec, node_of, shape_of
from graphscope.errors import GraphscopeError, UnknownNameError

if TYPE_CHECKING:
    from numpy.typing import NDArray

PLACEHOLDER_OPS = frozenset({"Placeholder", "PlaceholderV2", "PlaceholderWithDefault"})


def bake(graph: Graph, values: Mapping[str, NDArray[Any]], inputs: Collection[str] = ()) -> Graph:
    """Placeholders named in ``values`` become constants; a ``PlaceholderWithDefault`` that is no input takes its default.

    Args:
        values: node or tensor name -> value, cast to the placeholder's type where nothing is lost.
        inputs: names of the placeholders with a default that stay open.

    Raises:
        UnknownNameError: there is no such placeholder.
        GraphscopeError: the value's type or shape does not fit.
    """
    baked = {node_of(name): value for name, value in values.items()}
    for name in baked:
        _check_placeholder(graph, name)
    open_inputs = {node_of(name) for name in inputs}
    nodes = [_baked(n, baked, open_inputs) for n in graph.nodes]
    return graph if all(a is b for a, b in zip(nodes, graph.nodes)) else graph.with_nodes(nodes)


def _baked(original: Node, values: Mapping[str, NDArray[Any]], open_inputs: Collection[str]) -> Node:
    if original.op not in PLACEHOLDER_OPS:
        return original
    if original.name in values:
        return constant(original.name, fit(values[original.name], placeholder_spec(original)))
    if original.op == "PlaceholderWithDefault" and original.name not in open_inputs:
        attrs = {"T": type_attr(placeholder_spec(original).dtype)}
        return node(original.name, "Identity", original.inputs, attrs)
    return original


def placeholder_spec(placeholder: Node) -> TensorSpec:
    """What a placeholder takes. An empty shape says nothing: before producer 24 it stood for an unknown one."""
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
            f"{name} is no placeholder but a {found.op}", hint="placeholders: " + ", ".join(placeholders[:8])
        )
