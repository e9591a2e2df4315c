"""Nodes behind outputs, for readers of graphs that do not keep every tensor that can be asked for."""

from __future__ import annotations

from collections.abc import Sequence

from graphscope.core.changes.build import make_node, type_attr
from graphscope.core.graph import Graph
from graphscope.core.names import free_name
from graphscope.core.tensors import TensorSpec, node_of


def with_ends(graph: Graph, specs: Sequence[TensorSpec]) -> tuple[Graph, dict[str, str]]:
    """``graph`` with an ``Identity`` behind each tensor of ``specs``, and tensor -> the output of that node."""
    names = [free_name(f"{node_of(spec.name)}/end_{i}", graph) for i, spec in enumerate(specs)]
    ends = [make_node(n, "Identity", [spec.name], {"T": type_attr(spec.dtype)}) for n, spec in zip(names, specs)]
    return graph.with_nodes([*graph, *ends]), {spec.name: f"{name}:0" for spec, name in zip(specs, names)}
