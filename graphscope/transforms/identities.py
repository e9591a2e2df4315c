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
    origins = _Origins(passed)
    rewired = graph.with_nodes(_rewire(node, origins) for node in graph)
    return sweep(rewired, graph, keep, finder.effects, passed)


class _Finder:
    """Finds the nodes that may go."""

    def __init__(self, graph: Graph, keep: Collection[str]) -> None:
        self.graph = graph
        self.keep = set(keep)
        self.catalog = graph.catalog()
        self.effects = Effects(graph)
        self.neutral = Neutral(graph, self.effects)
        self.waited_for = {text[1:] for node in graph for text in node.inputs if text.startswith("^")}
        self.branches: dict[str, bool] = {}

    def passed_on(self, node: Node) -> Iterator[list[str]]:
        """For each output of ``node``, what it reads: once, or not at all where ``node`` has to stay."""
        if node.name in self.keep or node.name not in self.graph.consumer_names:
            return
        sources = self.sources(node)
        if not sources or any(self.effects.is_meant(text) for text in node.inputs if text.startswith("^")):
            return
        is_anchor = node.name in self.waited_for and any(map(self.is_branch, sources))
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

    def is_branch(self, text: str) -> bool:
        """Whether it is one side of a switch, be it through nodes that may go too."""
        way: dict[str, None] = {}
        while text not in self.branches and text not in way:
            way[text] = None
            tensor = TensorName.parse(text)
            producer = self.graph.get(tensor.node)
            sources = [] if producer is None or producer.op in SWITCHES else self.sources(producer)
            if tensor.index >= len(sources):
                self.branches[text] = producer is not None and producer.op in SWITCHES
                break
            text = sources[tensor.index]
        result = self.branches.get(text, False)
        self.branches.update(dict.fromkeys(way, result))
        return result


class _Origins:
    """What tensors are passed on from; every chain of nodes is followed once."""

    def __init__(self, passed: Mapping[str, list[str]]) -> None:
        self.passed = passed
        self._ends: dict[str, str] = {}

    def origin(self, text: str) -> str:
        """The first tensor on the way back that is not just passed on; a ring ends anywhere."""
        way: dict[str, None] = {}
        while text not in self._ends and text not in way:
            tensor = TensorName.parse(text)
            if tensor.node not in self.passed or tensor.index >= len(self.passed[tensor.node]):
                break
            way[text] = None
            text = self.passed[tensor.node][tensor.index]
        end = self._ends.get(text, text)
        self._ends.update(dict.fromkeys(way, end))
        return end

    def read_instead(self, text: str) -> list[str]:
        """The replacement of an input: one tensor, or for a control input all nodes whose outputs were passed on."""
        tensor = TensorName.parse(text)
        if tensor.node not in self.passed:
            return [text]
        if not tensor.is_control:
            return [self.origin(text)]
        return [f"^{TensorName.parse(self.origin(source)).node}" for source in self.passed[tensor.node]]


def _rewire(node: Node, origins: _Origins) -> Node:
    if not any(node_of(text) in origins.passed for text in node.inputs):
        return node
    return with_inputs(node, distinct(text for old in node.inputs for text in origins.read_instead(old)))
