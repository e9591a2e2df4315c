"""Turns placeholders into constants."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import TYPE_CHECKING, Any

from graphscope.core.build import constant, node, type_attr
from graphscope.core.dtypes import DataType
from graphscope.core.graph import Graph, Node
from graphscope.core.tensors import Shape, node_of, shape_of, shape_text
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
        dtype, shape = placeholder_type(original)
        return constant(original.name, fitted(values[original.name], dtype, shape, original.name))
    if original.op == "PlaceholderWithDefault" and original.name not in open_inputs:
        attrs = {"T": type_attr(placeholder_type(original)[0])}
        return node(original.name, "Identity", original.inputs, attrs)
    return original


def placeholder_type(placeholder: Node) -> tuple[DataType, Shape]:
    """The type and shape that a placeholder states."""
    dtype, shape = placeholder.attr("dtype"), placeholder.attr("shape")
    stated = shape_of(shape.shape) if shape is not None else None
    return DataType.of(dtype.type) if dtype is not None else DataType.INVALID, stated


def fitted(value: NDArray[Any], dtype: DataType, shape: Shape, name: str) -> NDArray[Any]:
    """``value`` as an array of ``dtype``.

    Raises:
        GraphscopeError: a number would change, or the shape does not match.
    """
    import numpy as np

    target = dtype.numpy
    with np.errstate(all="ignore"):
        cast = value.astype(target) if value.dtype != target else value
    is_text = target == np.dtype(object)
    if (value.dtype.kind in "OSU") != is_text:
        raise GraphscopeError(f"{name} takes {dtype.label}, not {value.dtype}")
    if not is_text and not _is_same(value, cast):
        raise GraphscopeError(f"{name} takes {dtype.label}: {value.reshape(-1)[:3].tolist()} does not fit")
    if shape and not _fits(value.shape, shape):
        raise GraphscopeError(f"{name} has shape {shape_text(shape)}, the value {shape_text(value.shape)}")
    return cast


def _is_same(value: NDArray[Any], cast: NDArray[Any]) -> bool:
    """Whether nothing was lost but floating-point precision."""
    if cast.dtype.kind in "iub":
        return bool((cast == value).all())
    return True


def _fits(actual: tuple[int, ...], shape: tuple[int | None, ...]) -> bool:
    return len(actual) == len(shape) and all(s is None or s == a for a, s in zip(actual, shape))


def _check_placeholder(graph: Graph, name: str) -> None:
    found = graph.get(name)
    placeholders = [n.name for op, n in zip(graph.ops, graph.nodes) if op in PLACEHOLDER_OPS]
    if found is None:
        raise UnknownNameError("placeholder", name, placeholders)
    if found.op not in PLACEHOLDER_OPS:
        raise GraphscopeError(
            f"{name} is no placeholder but a {found.op}", hint="placeholders: " + ", ".join(placeholders[:8])
        )
