"""Removes nodes that only pass on their input: identities, training guards, factors of one, dropout that keeps everything."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping

from graphscope.core.changes.build import with_inputs
from graphscope.core.graph import Graph, Node
from graphscope.core.ops.sets import SWITCHES
from graphscope.core.tensors import TensorName, node_of
from graphscope.transforms.effects import Effects, distinct, sweep
from graphscope.transforms.findings.dropout import PASS_THROUGH, Neutral


def remove_pass_through(graph: Graph, keep: Collection[str] = ()) -> Graph:
    """``graph`` without nodes that pass their input on; their consumers read what they read.

    Gone are the ops in :data:`PASS_THROUGH`, products and quotients with a scalar constant 1, and dropout whose constant says
    that it keeps everything, with the random numbers that only it used. For graphs that are no longer trained: gradients stop
    nowhere any more. Library functions stay as they are.

    A node stays if it is in ``keep``, if nobody takes it (then it counts as an output), if it waits for a node with effects, if
    it stands for a branch (others wait for this identity of a ``Switch``), or if it copies a reference.

    Raises:
        CorruptFileError, IncompleteModelError: a scalar constant cannot be read.
    """
    finder = _Finder(graph, keep)
    passed = {node.name: sources for node in graph for sources in finder.passed_on(node)}
    if not passed:
        return graph
    rewired = graph.with_nodes(_rewire(node, passed) for node in graph)
    return sweep(rewired, graph, keep, finder.effects, passed)


class _Finder:
    """Finds the nodes that may go."""

    def __init__(self, graph: Graph, keep: Collection[str]) -> None:
        self.graph = graph
        self.keep = set(keep)
        self.catalog = graph.catalog()
        self.effects = Effects(graph)
        self.neutral = Neutral(graph, self.effects)

    def passed_on(self, node: Node) -> Iterator[list[str]]:
        """For each output of ``node``, what it reads: once, or not at all where ``node`` has to stay."""
        if node.name in self.keep or node.name not in self.graph.consumer_names:
            return
        sources = self.sources(node)
        if not sources or any(self.effects.is_meant(text) for text in node.inputs if text.startswith("^")):
            return
        is_anchor = self.is_waited_for(node.name) and any(map(self.is_branch, sources))
        if not is_anchor and not any(map(self.is_reference, sources)):
            yield sources

    def sources(self, node: Node) -> list[str]:
        if node.op in PASS_THROUGH:
            return node.data_inputs()
        source = self.neutral.source(node)
        return [] if source is None else [source]

    def is_reference(self, text: str) -> bool:
        """Whether it is known to be a variable's buffer; reading it through the node makes a copy."""
        tensor = TensorName.parse(text)
        producer = self.graph.get(tensor.node)
        outputs = self.catalog.outputs(producer.op, producer.attrs) if producer is not None else None
        return outputs is None or tensor.index >= len(outputs) or outputs[tensor.index].is_ref

    def is_waited_for(self, name: str) -> bool:
        return any(f"^{name}" in consumer.inputs for consumer in self.graph.consumers(name))

    def is_branch(self, text: str) -> bool:
        """Whether it is one side of a switch, be it through nodes that may go too."""
        for _ in range(len(self.graph)):
            tensor = TensorName.parse(text)
            producer = self.graph.get(tensor.node)
            if producer is None or producer.op in SWITCHES:
                return producer is not None
            sources = self.sources(producer)
            if tensor.index >= len(sources):
                return False
            text = sources[tensor.index]
        return False


def _rewire(node: Node, passed: Mapping[str, list[str]]) -> Node:
    if not any(node_of(text) in passed for text in node.inputs):
        return node
    return with_inputs(node, distinct(text for old in node.inputs for text in _read_instead(old, passed)))


def _read_instead(text: str, passed: Mapping[str, list[str]]) -> list[str]:
    """The replacement of an input: one tensor, or for a control input all nodes whose outputs were passed on."""
    tensor = TensorName.parse(text)
    if tensor.node not in passed:
        return [text]
    if not tensor.is_control:
        return [_origin(text, passed)]
    return [f"^{TensorName.parse(_origin(source, passed)).node}" for source in passed[tensor.node]]


def _origin(text: str, passed: Mapping[str, list[str]]) -> str:
    """The first tensor on the way back that is not just passed on; a ring of nodes, which no valid graph has, ends anywhere."""
    for _ in range(len(passed)):
        tensor = TensorName.parse(text)
        if tensor.node not in passed or tensor.index >= len(passed[tensor.node]):
            break
        text = passed[tensor.node][tensor.index]
    return text
