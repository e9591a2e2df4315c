"""Constant folding: nodes that depend only on constants become constants.

Loops and branches are safe: a node that ``Enter``, ``Switch`` or ``Merge`` feeds has no constant inputs, and a constant keeps
the control edges that say in which branch or iteration it lives.

A folded graph computes the same bits. NumPy computes what it rounds as TensorFlow does
(:mod:`graphscope.transforms.kernels.table`); the rest TensorFlow's own kernels, where they are lent and if that is worth its
start, or it stays in the graph.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Collection, Iterator, Mapping, Sequence

from graphscope.core.changes.build import constant, with_inputs
from graphscope.core.graph import Graph, Node
from graphscope.core.names import free_name
from graphscope.core.ops.sets import DEFAULTED
from graphscope.core.ops.table import ArgumentType, input_types
from graphscope.core.tensors import TensorName, node_of
from graphscope.core.values.payload import PAYLOAD_BYTES, ArrayPayload, Payload
from graphscope.transforms.borrowed_kernels import Evaluate, may_be_lent
from graphscope.transforms.effects import Effects, producers_of, sweep
from graphscope.transforms.kernels.kernel import ANY, MAX_VALUE_BYTES
from graphscope.transforms.kernels.table import compute
from graphscope.transforms.subgraph import CONTROL_FLOW

MAX_GROWTH_BYTES = 1 << 20
"""The default for the number of bytes of constants that folding may add to a graph."""

MAX_HELD_BYTES = 32 << 20
"""The limit on tensors that folding holds in memory: weights that depend on constants may be as large as the model."""

NEVER = CONTROL_FLOW | {DEFAULTED}
"""Ops that compute nothing, or depend on feeds."""


def fold(
    graph: Graph,
    *,
    keep: Collection[str] = (),
    max_growth_bytes: int = MAX_GROWTH_BYTES,
    evaluate: Evaluate | None = None,
) -> Graph:
    """``graph`` with constants for the nodes that depend on constants only. Reads and makes tensors of up to 8 MiB, 32 in all.

    A constant keeps the name of the node that it replaces; other outputs of such a node become constants of their own, called
    ``node/folded_1`` and so on. Constants and folded nodes without remaining consumers are removed. A node that had no
    consumers before counts as an output. Library functions stay as they are.

    Args:
        keep: names of nodes that stay, as constants or as they are.
        max_growth_bytes: what all new constants together may take beyond those that go; one of up to 1 KiB, about the size of
            the node that it replaces, does not count.
        evaluate: computes nodes that the NumPy kernels decline.

    Raises:
        CorruptFileError, IncompleteModelError: a constant cannot be read.
    """
    effects = Effects(graph)
    values = _Values(graph, evaluate)
    values.find()
    chosen = _Choice(values, set(keep)).chosen(max_growth_bytes)
    if not chosen:
        return graph
    nodes = list(_Rebuild(values, effects, chosen).nodes())
    return sweep(graph.with_nodes(nodes), graph, keep, effects)


class _Values:
    """Every tensor of a graph that is known without running it.

    Attributes:
        known: node -> its outputs, constants included.
        folded: the nodes among them that are no constants yet, producers first.
    """

    def __init__(self, graph: Graph, evaluate: Evaluate | None) -> None:
        self.graph = graph
        self.evaluate = evaluate
        self.catalog = graph.catalog()
        self.known: dict[str, Sequence[Payload]] = {}
        self.folded: list[Node] = []
        self.room = MAX_HELD_BYTES

    def find(self) -> None:
        """Computes node by node, as soon as all inputs of one are known."""
        missing: dict[str, set[str]] = {}
        for op, node in zip(self.graph.ops, self.graph.nodes):
            value = node.tensor() if op == "Const" else None
            if value is not None and value.dtype in ANY:
                self.known[node.name] = [value]
            elif producers := producers_of(node):
                missing[node.name] = producers
        ready = deque(self.known)
        while ready:
            name = ready.popleft()
            for consumer in self.graph.consumer_names.get(name, ()):
                waits = missing.get(consumer, set())
                if name in waits:
                    waits.remove(name)
                    if not waits and self.fold(self.graph[consumer]):
                        ready.append(consumer)

    def fold(self, node: Node) -> bool:
        """Computes ``node``, whose inputs are known; whether it could be."""
        definition = self.catalog.get(node.op)
        if definition is None or definition.is_stateful or node.op in NEVER or node.op in self.graph.functions:
            return False
        payloads = self.inputs(node)
        outputs = self.catalog.outputs(node.op, node.attrs)
        if not outputs or not ANY.issuperset(output.dtype for output in outputs):
            return False
        if [p.dtype for p in payloads] != input_types(definition, node.attrs):
            return False
        limit = max(PAYLOAD_BYTES, min(MAX_VALUE_BYTES, self.room))
        found: Sequence[Payload] | None = compute(node, definition, payloads, outputs, limit)
        if found is None:
            found = self.lent(node, payloads, outputs, limit)
        if found is None:
            return False
        self.room -= sum(p.content_bytes for p in found if p not in payloads)
        self.known[node.name] = found
        self.folded.append(node)
        return True

    def inputs(self, node: Node) -> list[Payload]:
        """Its data inputs; fewer than it has where one names an output that does not exist."""
        tensors = [TensorName.parse(text) for text in node.data_inputs()]
        return [self.known[t.node][t.index] for t in tensors if t.index < len(self.known[t.node])]

    def lent(
        self, node: Node, payloads: Sequence[Payload], outputs: Sequence[ArgumentType], limit: int
    ) -> Sequence[Payload] | None:
        """The outputs of ``node`` from the kernels that were lent."""
        if self.evaluate is None or not may_be_lent(node, [*payloads, *outputs]):
            return None
        if sum(p.content_bytes for p in payloads) > limit:
            return None
        arrays = self.evaluate(node, [payload.numpy() for payload in payloads])
        if arrays is None or [a.dtype for a in arrays] != [o.dtype.numpy for o in outputs]:
            return None
        if sum(array.nbytes for array in arrays) > limit:
            return None
        return [ArrayPayload(array, output.dtype) for array, output in zip(arrays, outputs)]


class _Choice:
    """The known nodes that become constants: those with other consumers, if their size allows."""

    def __init__(self, values: _Values, keep: Collection[str]) -> None:
        self.values = values
        self.keep = keep
        self.consumers = values.graph.consumer_names
        self.replaced = {node.name for node in values.folded}

    def chosen(self, max_growth: int) -> dict[str, list[int]]:
        """Node -> the outputs of it that become constants. Consumers are decided before what they consume."""
        result: dict[str, list[int]] = {}
        for node in reversed(self.values.folded):
            outputs = self.wanted(node.name)
            if not outputs:
                continue
            growth = self.growth(node.name, outputs)
            if growth > max_growth or not self.may_be_renamed(node.name):
                self.replaced.discard(node.name)  # it stays, and so do its inputs
                continue
            max_growth -= growth
            result[node.name] = outputs
        return result

    def wanted(self, name: str) -> list[int]:
        """The outputs that nodes take which are not folded; the first one too where its node is kept or an output itself."""
        outside = [c for c in self.consumers.get(name, ()) if c not in self.replaced]
        tensors = [TensorName.parse(i) for c in outside for i in self.values.graph[c].inputs if node_of(i) == name]
        found = {max(t.index, 0) for t in tensors}
        if name in self.keep or name not in self.consumers:
            found.add(0)
        return sorted(found)

    def may_be_renamed(self, name: str) -> bool:
        """Whether its second output cannot be requested by name."""
        return len(self.values.known[name]) == 1 or (name in self.consumers and name not in self.keep)

    def growth(self, name: str, outputs: Sequence[int]) -> int:
        """Bytes that its constants take beyond those that only it needs."""
        added = sum(self.values.known[name][k].content_bytes for k in outputs)
        return added - self.bytes_freed(name) if added > PAYLOAD_BYTES else 0

    def bytes_freed(self, name: str) -> int:
        """Bytes of the constants that go with the inputs of ``name``: all their consumers are among those that go."""
        going, pending, freed = {name}, [name], 0
        while pending:
            for producer in self.values.graph.producers(self.values.graph[pending.pop()]):
                if producer.name in going or producer.name in self.keep or not self.goes(producer, going):
                    continue
                going.add(producer.name)
                pending.append(producer.name)
                if producer.op == "Const":
                    freed += self.values.known[producer.name][0].content_bytes
        return freed

    def goes(self, producer: Node, going: Collection[str]) -> bool:
        is_known = producer.name in self.replaced or (producer.op == "Const" and producer.name in self.values.known)
        return is_known and all(consumer in going for consumer in self.consumers[producer.name])


class _Rebuild:
    """The nodes of the folded graph, in the old order."""

    def __init__(self, values: _Values, effects: Effects, chosen: Mapping[str, Sequence[int]]) -> None:
        self.values = values
        self.effects = effects
        self.chosen = chosen
        self.controls: dict[str, dict[str, None]] = {}
        self.names = {(name, k): self.free_name(name, k) for name, outputs in chosen.items() for k in outputs}

    def free_name(self, name: str, k: int) -> str:
        """The name of the constant for output ``k``."""
        if k == 0:
            return name
        return free_name(f"{name}/folded_{k}", self.values.graph)

    def nodes(self) -> Iterator[Node]:
        """Every node: as it was, reading the new constants, or as a constant."""
        for node in self.values.folded:
            self.controls[node.name] = self.waits_for(node)
        for node in self.values.graph:
            if node.name in self.chosen:
                yield from self.constants(node)
            else:
                inputs = [self.redirect(text) for text in node.inputs]
                yield with_inputs(node, inputs) if inputs != list(node.inputs) else node

    def redirect(self, text: str) -> str:
        tensor = TensorName.parse(text)
        if tensor.is_control or tensor.index == 0:
            return text
        return self.names.get((tensor.node, tensor.index), text)

    def constants(self, node: Node) -> Iterator[Node]:
        for k in self.chosen[node.name]:
            result = constant(self.names[node.name, k], self.values.known[node.name][k], self.controls[node.name])
            result.proto.device = node.device
            if "_class" in node.attrs:
                result.proto.attr["_class"].CopyFrom(node.attrs["_class"])
            yield result

    def waits_for(self, node: Node) -> dict[str, None]:
        """Control edges that ``node`` and the known nodes before it have to nodes that matter, in order."""
        found: dict[str, None] = {}
        seen, pending = {node.name}, [node]
        while pending:
            current = pending.pop()
            for text in current.inputs:
                source = node_of(text)
                if source in self.controls:
                    found |= self.controls[source]
                elif source in self.values.known:
                    if source not in seen:
                        seen.add(source)
                        pending.append(self.values.graph[source])
                elif text.startswith("^") and self.effects.is_meant(text):
                    found[text] = None
        return found
