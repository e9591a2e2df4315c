"""Removable nodes and control edges: nodes without consumers, and control edges without effect."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from functools import cached_property

from graphscope.core.changes.build import with_inputs
from graphscope.core.checks.attributes import LOCATION
from graphscope.core.graph import Graph, Node
from graphscope.core.ops.sets import PLACEHOLDER_OPS
from graphscope.core.tensors import node_of
from graphscope.transforms.subgraph import CONTROL_FLOW

GENERATORS = frozenset({"RandomUniform", "RandomStandardNormal", "TruncatedNormal"})
"""Stateful, but with private state: a sequence of numbers that no other node uses."""


class Effects:
    """Finds nodes that do more than compute: they act on state, or decide what runs."""

    def __init__(self, graph: Graph) -> None:
        self.graph = graph
        self._catalog = graph.catalog()
        self._acting_ops: dict[str, bool] = {}

    def acts(self, op: str) -> bool:
        """Whether a node of ``op`` does more than compute, for all that is known: state, references, control flow."""
        if op not in self._acting_ops:
            definition = self._catalog.get(op)
            self._acting_ops[op] = (
                definition is None
                or definition.is_stateful
                or op in CONTROL_FLOW
                or any(argument.is_ref for argument in definition.input_arg)
            )
        return self._acting_ops[op]

    @cached_property
    def guarded(self) -> Collection[str]:
        """Nodes that act, and all that run after one that acts: waiting for them has a meaning."""
        return self.graph.descendants(n.name for op, n in zip(self.graph.ops, self.graph.nodes) if self.acts(op))

    def is_meant(self, control: str) -> bool:
        """Whether something could change if ``control`` (spelled ``^a``) were dropped; a dangling name stays."""
        return control[1:] in self.guarded or control[1:] not in self.graph


def sweep(graph: Graph, before: Graph, keep: Collection[str], effects: Effects, passed: Collection[str] = ()) -> Graph:
    """``graph`` without the nodes that had consumers in ``before`` and have none any more, and those that only they needed.

    Nodes in ``keep``, placeholders and nodes that act, unless in ``passed``, stay. Colocation with what has gone is dropped.
    """
    users = {name: len(consumers) for name, consumers in graph.consumer_names.items()}

    def is_idle(node: Node) -> bool:
        if users.get(node.name) or node.name in keep or node.name not in before.consumer_names:
            return False
        may_go = not effects.acts(node.op) or node.op in GENERATORS or node.name in passed
        return may_go and node.op not in PLACEHOLDER_OPS

    gone: set[str] = set()
    pending = [node for node in graph.nodes if is_idle(node)]
    while pending:
        idle = pending.pop()
        gone.add(idle.name)
        for producer in graph.producers(idle):
            users[producer.name] -= 1
            if is_idle(producer):
                pending.append(producer)
    return graph.with_nodes(_placed_alone(node, gone) for node in graph.nodes if node.name not in gone)


def _placed_alone(node: Node, gone: Collection[str]) -> Node:
    group = node.attr("_class")
    if group is None or not any(_is_with(text, gone) for text in group.list.s):
        return node
    copy = with_inputs(node, node.inputs)
    left = [text for text in group.list.s if not _is_with(text, gone)]
    del copy.proto.attr["_class"]
    if left:
        copy.proto.attr["_class"].list.s.extend(left)
    return copy


def _is_with(text: bytes, gone: Collection[str]) -> bool:
    return text.startswith(LOCATION) and text[len(LOCATION) :].decode("utf-8", "replace") in gone


def distinct(inputs: Iterable[str]) -> list[str]:
    """Inputs in order, each control input once and after the data, as TensorFlow wants them."""
    texts = list(inputs)
    return [*(t for t in texts if not t.startswith("^")), *dict.fromkeys(t for t in texts if t.startswith("^"))]


def producers_of(node: Node) -> set[str]:
    """Names of the nodes whose outputs ``node`` takes as data."""
    return {node_of(text) for text in node.inputs if not text.startswith("^")}
