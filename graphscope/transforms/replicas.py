"""What a program for TPUs computes on its first replica, as a graph for any processor.

A program that ``tpu.rewrite`` or ``TPUEstimator`` made stands in the graph once, for all replicas: ``TPUReplicatedInput`` is
each replica's own input, output k of ``TPUReplicatedOutput`` is the result of replica k. Other processors have no kernels for
them.

Source: ``tensorflow/core/ops/tpu_replication_ops.cc`` and ``tpu_cross_replica_ops.cc`` (2.21).
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from graphscope.core.changes.build import make_node
from graphscope.core.graph import Graph, Node
from graphscope.core.patterns import OpPattern
from graphscope.core.tensors import TensorName

_INPUT, _OUTPUT, _METADATA, _SUM = (
    "TPUReplicatedInput",
    "TPUReplicatedOutput",
    "TPUReplicateMetadata",
    "CrossReplicaSum",
)
_REPLICATED = frozenset({_INPUT, _OUTPUT, _METADATA})

_TPU_OPS = OpPattern(
    "TPU CrossReplicaSum AllToAll CollectivePermute Infeed Outfeed",
    r"_?\w*TPU\w*|CrossReplicaSum|AllToAll|CollectivePermute|(Infeed|Outfeed)\w+",
)
"""Ops that have kernels for TPUs alone."""


def first_replica(graph: Graph, outputs: Iterable[str] = ()) -> Graph:
    """``graph`` with identities in place of what hands values to the first replica and takes them from it.

    A sum over replicas is an identity too, if there is one replica. What other replicas give stays.

    Args:
        outputs: node or tensor names that are asked for, beside those that nodes take.
    """
    if _REPLICATED.isdisjoint(graph.ops):
        return graph
    is_single = all(_number(node, "num_replicas") == 1 for node in graph if node.op == _METADATA)
    later = _of_later_replicas(graph, outputs)

    def plain(node: Node) -> Node:
        if node.op == _METADATA:
            return make_node(node.name, "NoOp", node.inputs)
        passes = node.op == _INPUT or (node.op == _OUTPUT and node.name not in later) or (node.op == _SUM and is_single)
        if not passes or not node.data_inputs():
            return node
        controls = [text for text in node.inputs if text.startswith("^")]
        return make_node(node.name, "Identity", [node.inputs[0], *controls], {"T": node.attrs["T"]})

    return graph.with_nodes(map(plain, graph.nodes))


def _of_later_replicas(graph: Graph, outputs: Iterable[str]) -> set[str]:
    """The nodes whose results of another replica than the first are taken."""
    parsed = map(TensorName.parse, [*(text for node in graph for text in node.inputs), *outputs])
    return {tensor.node for tensor in parsed if tensor.index > 0}


def _number(node: Node, name: str) -> int:
    value = node.attr(name)
    return value.i if value is not None else 0


def for_tpus(graph: Graph) -> Iterator[Node]:
    """The nodes of ``graph`` and of its functions that TPUs alone can run."""
    for _, body in graph.bodies:
        ops = set(filter(_TPU_OPS.fullmatch, set(body.ops)))
        yield from (node for op, node in zip(body.ops, body.nodes) if op in ops)
