"""Turns placeholders into constants, and tells what variables decide that are set to a value."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from graphscope.core.changes.build import constant
from graphscope.core.graph import Graph, Node
from graphscope.core.ops.sets import PLACEHOLDER_OPS, VARIABLE_OPS
from graphscope.core.ops.table import takes_reference
from graphscope.core.tensors import TensorSpec, node_of, shape_of
from graphscope.core.values.dtypes import DataType
from graphscope.core.values.fit import fit
from graphscope.errors import GraphscopeError, UnknownNameError

if TYPE_CHECKING:
    from numpy.typing import NDArray


def bake(graph: Graph, values: Mapping[str, NDArray[Any]]) -> Graph:
    """Replaces the placeholders named in ``values`` with constants; the default of a placeholder stays for other consumers.

    Variables that ``values`` names stay what they are: see :func:`with_set_variables`.

    Args:
        values: node or tensor name -> value, cast to the placeholder's type where nothing is lost.

    Raises:
        UnknownNameError: there is no such placeholder or variable.
        GraphscopeError: the value's type or shape does not fit.
    """
    baked = {node_of(name): value for name, value in values.items()}
    for name in baked:
        _check_settable(graph, name)
    if not any(graph[name].op in PLACEHOLDER_OPS for name in baked):
        return graph
    return graph.with_nodes(_bake(n, baked) for n in graph.nodes)


def with_set_variables(graph: Graph, values: Mapping[str, NDArray[Any]], *, assuming: bool = False) -> Graph:
    """``graph``, in which what reads a variable named in ``values`` is a constant, for values of one number.

    Arrays decide nothing. A variable that a node takes by reference stays, because the node may write to it; so does what
    functions read.

    Args:
        assuming: make constants even of these, to find out what the variable decides: the result is not for running.
    """
    named = {node_of(name): value for name, value in values.items() if value.size == 1}
    variables = {name: named[name] for name in named if _is_variable(graph, name)}
    if not assuming:
        taken = {
            node_of(text) for node in graph if takes_reference(node.op) is not False for text in node.data_inputs()
        }
        variables = {name: value for name, value in variables.items() if name not in taken}
    return graph.with_nodes(_assume(n, variables) for n in graph.nodes) if variables else graph


def _is_variable(graph: Graph, name: str) -> bool:
    found = graph.get(name)
    return found is not None and found.op in VARIABLE_OPS


def _assume(original: Node, variables: Mapping[str, NDArray[Any]]) -> Node:
    name = original.name
    if original.op == "ReadVariableOp" and original.inputs:
        name = node_of(original.inputs[0])
    elif original.op not in VARIABLE_OPS or original.op == "VarHandleOp":
        return original
    if name not in variables:
        return original
    controls = [text for text in original.inputs if text.startswith("^")]
    return constant(original.name, fit(variables[name], placeholder_spec(original)), controls)


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


def _check_settable(graph: Graph, name: str) -> None:
    found = graph.get(name)
    if found is not None and found.op in PLACEHOLDER_OPS | VARIABLE_OPS:
        return
    placeholders = [n.name for op, n in zip(graph.ops, graph.nodes) if op in PLACEHOLDER_OPS]
    if found is None:
        raise UnknownNameError("placeholder", name, placeholders)
    raise GraphscopeError(
        f"{name} is a {found.op}, neither a placeholder nor a variable",
        hint="placeholders: " + ", ".join(placeholders[:8]),
    )
