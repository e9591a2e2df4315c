"""Takes branches out of a graph that a constant predicate never takes.

Source: ``tensorflow/core/ops/control_flow_ops.cc``: ``Switch(data, pred)`` gives output 0 if the predicate is false and
output 1 if it is true; the other is dead. A node with a dead input is dead, a ``Merge`` gives its one live input and that
input's number.
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import cached_property

from graphscope.core.changes.build import constant, make_node, with_inputs
from graphscope.core.graph import Graph, Node
from graphscope.core.ops.sets import ENTERS, MERGES, SWITCHES
from graphscope.core.tensors import TensorName
from graphscope.core.values.dtypes import DataType
from graphscope.protos import AttrValue
from graphscope.transforms.inlining import Inliner

IFS = {"If": "StatefulPartitionedCall", "StatelessIf": "PartitionedCall"}
CASES = {"Case": "StatefulPartitionedCall", "StatelessCase": "PartitionedCall"}
"""Ops that run one of several functions -> the op that calls that one."""
_CALLS = IFS | CASES
_FOLLOWED = frozenset({"Identity", "Enter", "RefEnter", "StopGradient", "Switch"})
_MAX_STEPS = 64


def prune_branches(graph: Graph, known: Graph | None = None) -> Graph:
    """Dead branches of ``Switch``/``Merge``, ``If`` and ``Case`` with a constant predicate go; the rest is wired straight.

    Args:
        known: a graph in which :func:`predicates` are constants where their value is known; ``graph`` itself by default.
    """
    return _Pruner(graph, known or graph).run()


def predicates(graph: Graph) -> list[str]:
    """Names of the nodes that decide branches."""
    decided = ((n.data_inputs(), 0 if n.op in _CALLS else 1) for n in graph if n.op in _CALLS or n.op in SWITCHES)
    return list(dict.fromkeys(TensorName.parse(inputs[i]).node for inputs, i in decided if len(inputs) > i))


def constant_predicate(graph: Graph, text: str) -> bool | None:
    """The value of a boolean scalar that is known, looked for through identities and loop entries; ``None`` if it is not."""
    value = _constant(graph, text, DataType.BOOL)
    return None if value is None else bool(value)


def _constant(graph: Graph, text: str, dtype: DataType) -> int | None:
    for _ in range(_MAX_STEPS):
        found = graph.get(TensorName.parse(text).node)
        if found is None:
            return None
        if found.op == "Const":
            tensor = found.tensor()
            is_scalar = tensor is not None and tensor.dtype is dtype and tensor.elements == 1
            return int(tensor.numpy().reshape(-1)[0]) if tensor is not None and is_scalar else None
        if found.op not in _FOLLOWED or not found.data_inputs():
            return None
        text = found.inputs[0]
    return None


class _Pruner:
    def __init__(self, graph: Graph, known: Graph) -> None:
        self.graph = graph
        self.known = known
        self.wires: dict[str, str] = {}  # live output of a decided switch -> what it passes on
        self.dead: set[str] = set()  # names of dead nodes
        self.dead_tensors: set[str] = set()
        self.merged: dict[str, int] = {}  # merge of which one input is alive -> the number of that input

    @cached_property
    def inliner(self) -> Inliner:
        return Inliner(self.graph)

    def run(self) -> Graph:
        self.decide_switches()
        if self.dead_tensors:
            self.spread()
            self.decide_merges()
        replaced = list(self.rebuild())
        if len(replaced) == len(self.graph) and all(a is b for a, b in zip(replaced, self.graph.nodes)):
            return self.graph
        return self.graph.with_nodes(replaced)

    def decide_switches(self) -> None:
        for switch in self.graph:
            if switch.op in SWITCHES and len(switch.data_inputs()) == 2:
                predicate = constant_predicate(self.known, switch.inputs[1])
                if predicate is not None:
                    self.wires[f"{switch.name}:{int(predicate)}"] = switch.inputs[0]
                    self.dead_tensors.add(f"{switch.name}:{int(not predicate)}")

    def spread(self) -> None:
        """Deadness flows along data and control edges until nothing changes; a merge dies with its last input."""
        pending = [TensorName.parse(t).node for t in self.dead_tensors]
        while pending:
            for consumer in self.graph.consumers(pending.pop()):
                if consumer.name not in self.dead and self.dies(consumer):
                    self.dead.add(consumer.name)
                    pending.append(consumer.name)

    def decide_merges(self) -> None:
        for merge in self.graph:
            if merge.op in MERGES and merge.name not in self.dead:
                live = [i for i, text in enumerate(merge.data_inputs()) if not self.is_dead(text)]
                if len(live) == 1 < len(merge.data_inputs()):
                    self.merged[merge.name] = live[0]

    def dies(self, consumer: Node) -> bool:
        if consumer.op in MERGES:
            return all(self.is_dead(i) for i in consumer.data_inputs())
        return any(self.is_dead(i) for i in consumer.inputs)

    def is_dead(self, text: str) -> bool:
        tensor = TensorName.parse(text)
        return tensor.node in self.dead or str(tensor) in self.dead_tensors

    def rebuild(self) -> Iterator[Node]:
        decided = {TensorName.parse(t).node for t in self.dead_tensors}
        for original in self.graph:
            if original.name in self.dead:
                continue
            if original.name in decided:
                # Control edges may name the switch itself: an identity of its data takes its place.
                yield _identity(original.name, self.wire(original.inputs[0]), original)
            elif original.op in MERGES and any(self.is_dead(i) for i in original.data_inputs()):
                yield from self.resolve(original)
            elif original.op in _CALLS:
                yield from self.taken(original)
            else:
                yield self.rewire(original)

    def wire(self, text: str) -> str:
        """What ``text`` reads, once decided switches are gone."""
        for _ in range(_MAX_STEPS):
            tensor = TensorName.parse(text)
            if tensor.is_control or str(tensor) not in self.wires:
                break
            text = self.wires[str(tensor)]
        tensor = TensorName.parse(text)
        if tensor.index == 1 and tensor.node in self.merged:
            return _index_name(tensor.node)
        return text

    def rewire(self, original: Node) -> Node:
        inputs = [self.wire(i) for i in original.inputs]
        return with_inputs(original, inputs) if inputs != list(original.inputs) else original

    def resolve(self, merge: Node) -> Iterator[Node]:
        """A merge with dead inputs: with one live input it becomes an identity, otherwise a smaller merge."""
        if merge.name not in self.merged:
            smaller = with_inputs(merge, [self.wire(i) for i in merge.data_inputs() if not self.is_dead(i)])
            smaller.proto.attr["N"].i = len(smaller.inputs)
            yield smaller
            return
        import numpy as np

        live = self.merged[merge.name]
        yield _identity(merge.name, self.wire(merge.data_inputs()[live]), merge)
        yield constant(_index_name(merge.name), np.array(live, np.int32), [f"^{merge.name}"])

    def taken(self, original: Node) -> list[Node]:
        """In place of an ``If`` or ``Case`` whose condition is known, the branch that is taken: its nodes, or a call of it."""
        branch = self.branch(original)
        if branch is None:
            return [self.rewire(original)]
        inputs = [self.wire(i) for i in original.data_inputs()[1:]]
        function = self.graph.functions.get(branch.func.name)
        # In a loop of Enter and Exit, the body's constants would be outside the iteration.
        if function is not None and not ENTERS & set(self.graph.ops):
            nodes = self.inliner.apply(original, function, inputs)
            if nodes is not None:
                return nodes
        attrs: dict[str, AttrValue] = {name: original.attrs[name] for name in ("Tin", "Tout")}
        attrs["f"] = branch
        return [make_node(original.name, _CALLS[original.op], inputs, attrs)]

    def branch(self, original: Node) -> AttrValue | None:
        """The function that is called; ``None`` if that is not known. Any other number stands for the last of a ``Case``."""
        if original.op in IFS:
            predicate = constant_predicate(self.known, original.inputs[0])
            return None if predicate is None else original.attrs["then_branch" if predicate else "else_branch"]
        number = _constant(self.known, original.inputs[0], DataType.INT32)
        functions = original.attrs["branches"].list.func
        if number is None or not functions:
            return None
        return AttrValue(func=functions[number if 0 <= number < len(functions) else -1])


def _index_name(merge: str) -> str:
    return f"{merge}/value_index"


def _identity(name: str, source: str, original: Node) -> Node:
    return make_node(name, "Identity", [source], {"T": original.attrs["T"]})
