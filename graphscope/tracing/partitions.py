"""The graphs that were executed: TensorFlow's rewritten graphs, one for each device.

Source: ``tensorflow/core/protobuf/config.proto`` (``partition_graphs``), ``core/graph/graph_partition.cc``.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from graphscope.core.tensors import node_of
from graphscope.protos import GraphDef, NodeDef

_TRANSFER = re.compile(r"(?:/_|_S)\d+$")
"""The suffix of a partition's name for a tensor of another device."""

_SENDS = frozenset({"_Send", "_HostSend"})
_RECEIVES = frozenset({"_Recv", "_HostRecv"})


@dataclass(frozen=True, slots=True)
class RanNode:
    """A node of a partition.

    Attributes:
        name, op, device: as it ran.
        inputs: as stored, control inputs with ``^``.
        edge: the tensor name that a pair of transfer nodes uses; empty for others.
    """

    name: str
    op: str
    device: str
    inputs: tuple[str, ...]
    edge: str = ""


class Partitions:
    """The executed nodes, by name.

    Attributes:
        nodes: name -> node, those that only pass tensors between devices included.
    """

    def __init__(self, graphs: Iterable[GraphDef] = ()) -> None:
        self.nodes = {node.name: _ran(node) for graph in graphs for node in graph.node}
        self._sent = {node.edge: node for node in self.nodes.values() if node.op in _SENDS}

    @property
    def computing(self) -> Iterator[RanNode]:
        """Those that do more than pass a tensor to another device."""
        return (node for node in self.nodes.values() if node.op not in _SENDS | _RECEIVES)

    def sources(self, name: str, labelled: Iterable[str]) -> Iterator[str]:
        """The nodes that ``name`` waited for, seen through transfers; first the transfer's own name, where it was timed.

        Args:
            labelled: the inputs in the trace's label, for a node that is not in the partitions.
        """
        node = self.nodes.get(name)
        for text in node.inputs if node is not None else labelled:
            yield from self._source(node_of(text))

    def _source(self, name: str) -> Iterator[str]:
        node = self.nodes.get(name)
        if node is None:
            yield name
            yield _TRANSFER.sub("", name)
            return
        if node.op not in _RECEIVES:
            yield name
            return
        yield node.edge
        sender = self._sent.get(node.edge)
        if sender is not None and sender.inputs:
            yield node_of(sender.inputs[0])


def _ran(node: NodeDef) -> RanNode:
    edge = node.attr["tensor_name"].s.decode() if node.op in _SENDS | _RECEIVES else ""
    return RanNode(node.name, node.op, node.device, tuple(node.input), edge)


def without_weights(graph: GraphDef) -> GraphDef:
    """The data about placement and dependencies: names, ops, devices, inputs, and tensor transfers."""
    result = GraphDef(versions=graph.versions)
    for node in graph.node:
        kept = result.node.add(name=node.name, op=node.op, device=node.device, input=node.input)
        if node.op in _SENDS | _RECEIVES:
            kept.attr["tensor_name"].CopyFrom(node.attr["tensor_name"])
    return result
