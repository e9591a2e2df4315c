"""Finds the nodes of a graph that a fused kernel replaces.

Source: ``tensorflow/core/grappler/optimizers/remapper.cc``, ``core/common_runtime/mkl_layout_pass.cc``: the fused op takes the
name of the last node of the pattern.
"""

from __future__ import annotations

import re
from collections.abc import Collection

from graphscope.core.graph import Graph, Node
from graphscope.core.patterns import NamePattern
from graphscope.core.tensors import node_of

_FUSED_KERNEL = NamePattern(r".*Fused.*|.*With\w+")
_FUSIBLE = frozenset(
    "Conv2D Conv3D DepthwiseConv2dNative MatMul BatchMatMul BatchMatMulV2 BatchMatMulV3 BiasAdd BiasAddGrad Add AddV2 Sub Mul"
    " Maximum Minimum RealDiv Pow Erf Relu Relu6 Elu LeakyRelu Sigmoid Tanh FusedBatchNorm FusedBatchNormV2"
    " FusedBatchNormV3 FusedBatchNormGradV3 Rsqrt SquaredDifference Mean Pad Cast".split()
)


def covered_nodes(graph: Graph, name: str, kernel: str, ran: Collection[str]) -> tuple[str, ...]:
    """The nodes before ``name`` that are fused into ``kernel``, nearest first: they did not run themselves.

    Args:
        ran: names of all nodes that ran.
    """
    start = graph.get(name)
    if start is None or not _does_more(kernel, start.op):
        return ()

    def step(node: Node) -> list[Node]:
        inputs = (graph.get(node_of(text)) for text in node.data_inputs())
        return [i for i in inputs if i is not None and i.op in _FUSIBLE and i.name not in ran]

    return tuple(found for found in graph.reach([name], step) if found != name)


def done_by(graph: Graph, name: str, kernel: str, ran: Collection[str]) -> tuple[str, ...]:
    """The nodes whose operations ``kernel`` did: none if it returns a precomputed value.

    A ``Conv2D`` in place of a ``Mul`` by a constant has the constant in its weights: it does the convolution's work alone.
    """
    op = plain_op(kernel)
    members = (name, *covered_nodes(graph, name, kernel, ran))
    same = tuple(member for member in members if member in graph and graph[member].op == op)
    return same or (members if "Fused" in op else ())


def _does_more(kernel: str, op: str) -> bool:
    """Whether ``kernel`` ran in place of ``op`` and of other ops before it."""
    plain = plain_op(kernel)
    return plain != op and (plain in _FUSIBLE or _FUSED_KERNEL.fullmatch(plain) is not None)


def plain_op(kernel: str) -> str:
    """A kernel's op without the mark of oneDNN: ``FusedConv2D`` for ``_MklNativeFusedConv2D``."""
    return re.sub(r"^_(?:Mkl(?:Native)?|Itex|OneDnn)?(?=[A-Z])", "", kernel)
