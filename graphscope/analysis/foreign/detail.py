"""``show`` for a model of another runtime."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from graphscope.analysis.detail import Detail, NodeDetail, preview_values
from graphscope.analysis.foreign.weights import weight_of
from graphscope.analysis.variable_rows import WeightRow
from graphscope.core.attribute import Attribute
from graphscope.core.foreign import ForeignGraph, ForeignModel, ForeignNode, ForeignTensor, Quantization
from graphscope.errors import UnknownNameError

if TYPE_CHECKING:
    from numpy.typing import NDArray

INPUT = "(input of the graph)"
"""The op name shown for a fed tensor."""

CONSTANT = "(constant)"
"""The op name shown for a tensor whose content is stored in the file."""


def show_foreign(model: ForeignModel, name: str) -> Detail:
    """The node, tensor or constant called ``name``; ``body/name`` for one of another graph.

    Raises:
        UnknownNameError: there is none, with the closest names.
        CorruptFileError, IncompleteModelError: its value cannot be read.
    """
    for body, graph in model.graphs:
        inner = name.removeprefix(f"{body}/") if body else name
        if body and inner == name:
            continue
        found = _show(graph, inner, body)
        if found is not None:
            return found
    known = [f"{body}/{each}" if body else each for body, graph in model.graphs for each in graph.names]
    raise UnknownNameError("node or tensor", name, known)


def _show(graph: ForeignGraph, name: str, body: str) -> Detail | None:
    node = graph.find(name)
    if node is not None:
        return Detail(_describe(graph, node, body), *_constant(graph, next(iter(node.outputs), ""), body))
    if name in graph.constants:
        return Detail(_tensor(graph, name, CONSTANT, body), *_constant(graph, name, body))
    if any(tensor.name == name for tensor in graph.inputs):
        return Detail(_tensor(graph, name, INPUT, body), None, None)
    return None


def _constant(graph: ForeignGraph, name: str, body: str) -> tuple[WeightRow | None, NDArray[Any] | None]:
    if name not in graph.constants:
        return None, None
    row, content = weight_of(graph, name, body)
    return row, preview_values(content()) if content is not None else None


def _describe(graph: ForeignGraph, node: ForeignNode, body: str) -> NodeDetail:
    attributes = list(node.describe())
    if node.captures:
        captures = list(node.captures)
        attributes.append(Attribute("captures", "tensors", ", ".join(captures), captures))
    outputs = tuple(graph.tensor(name) for name in node.outputs if name)
    return NodeDetail(
        body,
        node.name,
        node.op,
        "",
        True,
        (*attributes, *_quantizations(outputs)),
        tuple((name, _origin(graph, name)) for name in node.inputs if name),
        outputs,
        tuple((taker.name, taker.op) for taker in graph.consumers(node)),
    )


def _tensor(graph: ForeignGraph, name: str, what: str, body: str) -> NodeDetail:
    """A tensor that no node computes, as if one did."""
    tensor = graph.tensor(name)
    takers = tuple((taker.name, taker.op) for taker in graph.takers.get(name, ()))
    return NodeDetail(body, name, what, "", True, tuple(_quantizations((tensor,))), (), (tensor,), takers)


def _quantizations(tensors: tuple[ForeignTensor, ...]) -> list[Attribute]:
    """The quantization of each quantized tensor."""
    found = [(tensor.name, tensor.quantization) for tensor in tensors if tensor.quantization is not None]
    several = len(tensors) > 1
    return [
        Attribute(f"quantization of {name}" if several else "quantization", "quantization", quantization_text(q), q)
        for name, q in found
    ]


def quantization_text(quantization: Quantization) -> str:
    """``scale 0.0078, zero point 128``, or how many there are along which dimension."""
    scales, zero_points = quantization.scales, quantization.zero_points
    if len(scales) > 1:
        return f"{len(scales):,} scales along dimension {quantization.axis}"
    return f"scale {scales[0]:.6g}, zero point {zero_points[0] if zero_points else 0}"


def _origin(graph: ForeignGraph, name: str) -> str:
    """The op that computes a tensor, or where else it comes from."""
    if name in graph.producers:
        return graph.producers[name].op
    if name in graph.constants:
        return CONSTANT
    return INPUT if any(tensor.name == name for tensor in graph.inputs) else "(from outside)"
