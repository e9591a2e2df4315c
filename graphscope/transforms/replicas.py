"""What a program for TPUs computes on its first replica, as a graph for any processor.

A program that ``tpu.rewrite`` or ``TPUEstimator`` made stands in the graph once, for all replicas: ``TPUReplicatedInput`` is
each replica's own input, output k of ``TPUReplicatedOutput`` is the result of replica k. Other processors have no kernels for
them.

Source: ``tensorflow/core/ops/tpu_replication_ops.cc`` and ``tpu_cross_replica_ops.cc`` (2.21).
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator

import numpy as np

from graphscope.core.changes.build import constant, make_node, with_inputs
from graphscope.core.graph import Body, Function, Graph, Node
from graphscope.core.patterns import OpPattern
from graphscope.core.tensors import TensorName
from graphscope.protos import FunctionDef

_INPUT, _OUTPUT, _CALL = "TPUReplicatedInput", "TPUReplicatedOutput", "TPUPartitionedCall"
_METADATA, _STATUS, _SUM = "TPUReplicateMetadata", "TPUCompilationResult", "CrossReplicaSum"
_WRAPPING = frozenset({_INPUT, _OUTPUT, _METADATA, _STATUS, _CALL})

_TPU_OPS = OpPattern(
    "TPU CrossReplicaSum AllToAll CollectivePermute Infeed Outfeed",
    r"_?\w*TPU\w*|CrossReplicaSum|AllToAll|CollectivePermute|(Infeed|Outfeed)\w+",
)
"""Ops that have kernels for TPUs alone."""


def first_replica(graph: Graph, outputs: Iterable[str] = ()) -> Graph:
    """``graph`` with identities in place of what hands values to the first replica and takes them from it.

    A sum over replicas is an identity too, if there is one replica. What other replicas give stays. A call that chooses a TPU
    becomes one that does not. Library functions are treated alike.

    Args:
        outputs: node or tensor names that are asked for, beside those that nodes take.
    """
    if all(_WRAPPING.isdisjoint(body.ops) for _, body in graph.bodies):
        return graph
    result = graph.with_nodes(_Program(graph, outputs).nodes())
    return result.with_functions(map(_function, graph.functions.values())) if graph.functions else result


def _function(function: Function) -> Function:
    if _WRAPPING.isdisjoint(function.ops):
        return function
    program = _Program(function, function.proto.ret.values())
    proto = FunctionDef()
    proto.CopyFrom(function.proto)
    for name, source in proto.ret.items():
        proto.ret[name] = program.renamed(source)
    return Function(proto, program.nodes())


class _Program:
    """What is wrapped in one graph or function."""

    def __init__(self, body: Body, outputs: Iterable[str]) -> None:
        self.body = body
        self.is_single = all(_number(node, "num_replicas") == 1 for node in body if node.op == _METADATA)
        parsed = map(TensorName.parse, [*(text for node in body for text in node.inputs), *outputs])
        self.later = {tensor.node for tensor in parsed if tensor.index > 0}

    def passes(self, node: Node) -> bool:
        """Whether ``node`` gives what it is given, as far as it is asked for."""
        is_first = node.op == _OUTPUT and node.name not in self.later
        return (is_first or node.op == _INPUT or (node.op == _SUM and self.is_single)) and bool(node.data_inputs())

    def nodes(self) -> Iterator[Node]:
        """The nodes, each in its plain form."""
        return map(self.plain, self.body)

    def plain(self, node: Node) -> Node:
        """``node``, or what takes its place."""
        inputs = [self.renamed(text) for text in node.inputs]
        data = [text for text in inputs if not text.startswith("^")]
        controls = [text for text in inputs if text.startswith("^")]
        if node.op == _METADATA:
            return make_node(node.name, "NoOp", controls)
        if node.op == _STATUS:
            return constant(node.name, np.array(b"", object), controls)  # a message without an error
        if self.passes(node):
            return make_node(node.name, "Identity", [data[0], *controls], {"T": node.attrs["T"]})
        if node.op == _CALL:  # its last input says on which TPU
            attrs = {name: node.attrs[name] for name in ("Tin", "Tout", "f")}
            return make_node(node.name, "StatefulPartitionedCall", [*data[:-1], *controls], attrs)
        return node if inputs == node.inputs else with_inputs(node, inputs)

    def renamed(self, text: str) -> str:
        """In a function, the output of an identity has another name than that of what it replaces."""
        tensor = TensorName.parse(text)
        node = self.body.get(tensor.node) if tensor.argument == "outputs" else None
        if node is None or node.op != _OUTPUT or not self.passes(node):
            return text
        return str(tensor._replace(argument="output"))


def _number(node: Node, name: str) -> int:
    value = node.attr(name)
    return value.i if value is not None else 0


def for_tpus(graph: Graph) -> Iterator[Node]:
    """The nodes of ``graph`` and of its functions that TPUs alone can run."""
    for _, body in graph.bodies:
        ops = set(filter(_TPU_OPS.fullmatch, set(body.ops)))
        yield from (node for op, node in zip(body.ops, body.nodes) if op in ops)
