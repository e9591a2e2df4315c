"""An ONNX graph whose weights have not been read yet."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from onnx import AttributeProto, GraphProto, NodeProto

from graphscope.core.values.payload import Payload
from graphscope.export.onnx.value import Value


@dataclass(frozen=True)
class OnnxGraph:
    """The graph to write.

    Attributes:
        nodes: in order of computation.
        inputs, outputs: in the order in which a runtime lists them.
        constants: name -> content; large ones are read during writing.
        values: known properties of the other tensors.
        opset: the version of ONNX's operators.
        random: TensorFlow nodes that draw random numbers.
        tensors: tensor of an input or an output in TensorFlow -> its name here.
        notes: where runtimes do otherwise than TensorFlow.
    """

    nodes: Sequence[NodeProto]
    inputs: Sequence[Value]
    outputs: Sequence[Value]
    constants: Mapping[str, Payload]
    values: Sequence[Value]
    opset: int
    random: Sequence[str] = ()
    tensors: Mapping[str, str] = field(default_factory=dict)
    notes: Sequence[str] = ()


def subgraphs(node: NodeProto) -> Iterator[GraphProto]:
    """The graphs in the attributes of ``node``: branches and the body of a loop."""
    for attribute in node.attribute:
        if attribute.type == AttributeProto.GRAPH:
            yield attribute.g


def taken_tensors(node: NodeProto) -> Iterator[str]:
    """Names of the tensors that ``node`` and its subgraphs consume."""
    yield from node.input
    for graph in subgraphs(node):
        yield from (output.name for output in graph.output)
        for inner in graph.node:
            yield from taken_tensors(inner)


def live(nodes: Sequence[NodeProto], outputs: Sequence[str]) -> tuple[list[NodeProto], set[str]]:
    """The nodes that ``outputs`` need, and the names of all tensors that they consume or export."""
    needed = set(outputs)
    kept = []
    for node in reversed(nodes):
        if needed.intersection(node.output):
            needed.update(taken_tensors(node))
            kept.append(node)
    return kept[::-1], needed


def rename(nodes: Sequence[NodeProto], names: Mapping[str, str]) -> None:
    """Renames tensors, including those in subgraphs. A node is named after its first output."""
    for node in nodes:
        for place in (node.input, node.output):
            for i, name in enumerate(place):
                if name in names:
                    place[i] = names[name]
        node.name = node.output[0]
        for graph in subgraphs(node):
            for info in (*graph.input, *graph.output):
                info.name = names.get(info.name, info.name)
            rename(graph.node, names)
