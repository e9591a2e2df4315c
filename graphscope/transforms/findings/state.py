"""Finds state that carries over from run to run: variables that the outputs read and that are written from them.

A frozen graph has such a variable at its stored value for ever. Two kinds of writes count: those that run whenever the outputs
are computed (they hang on a control edge, or are made in a function that is called), and those that nothing runs by itself but
that take what the forward computation gives (``state.assign(y)``). What only training does is none of them: optimizers, moving
averages, and whatever depends on gradients or on inputs that the outputs do not need.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence

from graphscope.core.graph import Body, Graph, Node, called_functions
from graphscope.core.ops.sets import PLACEHOLDER_OPS, SWITCHES, VARIABLE_OPS
from graphscope.core.tensors import node_of
from graphscope.transforms.findings.read_after_write import origin, writes

_ASSIGNS = re.compile(
    r"Assign(Add|Sub)?(VariableOp)?|(Resource)?Scatter\w+|StridedSliceAssign|ResourceStridedSliceAssign"
)
_ADDS = re.compile(r"Assign(Add|Sub)(VariableOp)?")
_GRADIENT = re.compile(r"(^|/)gradients?(_\d+)?/|Apply")
_SUMS = frozenset({"Add", "AddV2", "Sub"})
_SKIPPED_INPUTS = {"If": 1, "StatelessIf": 1, "Case": 1, "StatelessCase": 1}


def carried_state(
    graph: Graph,
    needed: Graph,
    outputs: Sequence[str],
    trainable: Collection[str],
    settle: Callable[[Graph], Graph],
) -> dict[str, str]:
    """Variables that ``outputs`` read and that a run changes for the next one -> the node that writes.

    Args:
        graph: the whole graph, placeholders fixed.
        needed: what the outputs need of it, with variables.
        trainable: names of the variables that are trained.
        settle: inlines calls and prunes branches that are not taken.
    """
    read = {node.name for op, node in zip(needed.ops, needed.nodes) if op in VARIABLE_OPS}
    if not read:
        return {}
    executed = graph.ancestors(map(node_of, outputs))
    found = _executed_writes(graph, executed, read, settle)
    candidates = [n for op, n in zip(graph.ops, graph.nodes) if _ASSIGNS.fullmatch(op) and n.name not in executed]
    judge = _Judge(graph, needed, trainable)
    offered = [(v, n) for n in candidates if (v := origin(graph, n.inputs[0])) in read and judge.takes_state(n, v)]
    if offered:
        live = settle(
            graph.with_nodes(graph[name] for name in _in_order(graph, graph.ancestors(n.name for _, n in offered)))
        )
        found = {**{v: n.name for v, n in offered if n.name in live}, **found}
    return {variable: found[variable] for variable in sorted(found)}


def restarted(graph: Graph, starts: Iterable[str], read: Collection[str]) -> dict[str, str]:
    """Variables among ``read`` that a SavedModel's own start writes to -> the node that does, after all values are restored.

    TensorFlow goes on with what the start wrote, whatever the checkpoint holds.

    Args:
        starts: names of what the start runs; those that are missing are left out.
    """
    run = graph.ancestors(name for name in starts if name in graph)
    writers = (graph[name] for name in run if graph[name].inputs and writes(graph[name].op))
    found = {origin(graph, node.inputs[0]): node.name for node in writers}
    return {variable: found[variable] for variable in sorted(found) if variable in read}


def _in_order(graph: Graph, names: Collection[str]) -> list[str]:
    return [node.name for node in graph if node.name in names]


def _executed_writes(
    graph: Graph, executed: Collection[str], read: Collection[str], settle: Callable[[Graph], Graph]
) -> dict[str, str]:
    """Variable -> the write to it that runs whenever the outputs are computed."""
    part = graph.with_nodes(node for node in graph if node.name in executed)
    calls = _Calls(graph)
    if not any(map(writes, part.ops)) and not any(calls.may_write(node) for node in part):
        return {}
    found = {}
    part = settle(part)
    calls = _Calls(part)
    for node in part:
        for position, writer in calls.written(node).items():
            variable = origin(part, node.data_inputs()[position]) if position < len(node.data_inputs()) else ""
            if variable in read:
                found[variable] = writer
    return found


class _Calls:
    """Which inputs a node writes to, be it in a library function."""

    def __init__(self, graph: Graph) -> None:
        self.graph = graph
        self.arguments: dict[str, Mapping[int, str]] = {}

    def may_write(self, node: Node) -> bool:
        return bool(self.graph.functions) and bool(self.written(node))

    def written(self, node: Node) -> dict[int, str]:
        """Number of the data input -> the node that writes to the variable given there."""
        if writes(node.op):
            return {0: node.name}
        if not self.graph.functions:
            return {}
        skipped = _SKIPPED_INPUTS.get(node.op, 0)
        found: dict[int, str] = {}
        for name in dict.fromkeys(called_functions(Body([node]))):
            if name in self.graph.functions:
                found |= {i + skipped: f"{node.name}/{writer}" for i, writer in self.of_function(name).items()}
        return found

    def of_function(self, name: str) -> Mapping[int, str]:
        """Number of the argument -> the node in the body that writes to it; a function that calls itself adds nothing."""
        if name not in self.arguments:
            self.arguments[name] = {}
            function = self.graph.functions[name]
            numbers = {argument.name: i for i, argument in enumerate(function.signature.input_arg)}
            self.arguments[name] = dict(self._written_in(function, numbers))
        return self.arguments[name]

    def _written_in(self, body: Body, numbers: Mapping[str, int]) -> Iterator[tuple[int, str]]:
        for node in body:
            for position, writer in self.written(node).items():
                inputs = node.data_inputs()
                name = node_of(inputs[position]) if position < len(inputs) else ""
                while name not in numbers and name in body and body[name].op == "Identity" and body[name].data_inputs():
                    name = node_of(body[name].inputs[0])
                if name in numbers:
                    yield numbers[name], writer


class _Judge:
    """Tells state from training among the writes that nothing runs by itself."""

    def __init__(self, graph: Graph, needed: Graph, trainable: Collection[str]) -> None:
        self.graph = graph
        self.needed = needed
        self.trainable = trainable
        self.fed = {node.name for op, node in zip(needed.ops, needed.nodes) if op in PLACEHOLDER_OPS}

    def takes_state(self, write: Node, variable: str) -> bool:
        """Whether ``write`` gives ``variable`` what the forward computation makes of the inputs or of its old value."""
        values = [node_of(text) for text in write.data_inputs()[1:]]
        if not values or any(name not in self.graph for name in values):
            return False
        sources = self.graph.reach(values, self._data_producers)
        if any(self._is_training(name) for name in (*sources, *write.control_inputs())):
            return False
        is_own = variable in sources
        if not self.fed.isdisjoint(sources):
            return any(self._is_computed(name) for name in values) or not self._is_average(write, is_own)
        if _ADDS.fullmatch(write.op) and not is_own:
            return all(self.graph[name].op == "Const" for name in sources)
        return is_own and not self._is_average(write, is_own) and self._is_step(values, variable)

    def _data_producers(self, node: Node) -> list[Node]:
        """What gives ``node`` its values; what decides whether a branch runs gives none."""
        texts = node.data_inputs()[: 1 if node.op in SWITCHES else None]
        found = (self.graph.get(node_of(text)) for text in texts)
        return [producer for producer in found if producer is not None]

    def _is_training(self, name: str) -> bool:
        """Whether only training computes it: by gradients, or from an input that the outputs do not need."""
        node = self.graph.get(name)
        is_other_input = node is not None and node.op in PLACEHOLDER_OPS and name not in self.fed
        return is_other_input or _GRADIENT.search(name) is not None or (node is not None and "Apply" in node.op)

    def _is_computed(self, name: str) -> bool:
        """Whether the outputs need it too."""
        return name in self.needed

    def _is_average(self, write: Node, is_own: bool) -> bool:
        """Whether ``write`` moves its variable a part of the way: ``v - (v - x) * c``, or ``v * c + x * (1 - c)``."""
        if not is_own:
            return False
        if _ADDS.fullmatch(write.op):
            return True
        value = self.graph[node_of(write.data_inputs()[1])]
        return value.op in _SUMS and any(n.op == "Mul" for n in self._data_producers(value))

    def _is_step(self, values: Sequence[str], variable: str) -> bool:
        """Whether a value made of the old one alone is a state, and no constraint on a weight (a clipped norm)."""
        return variable not in self.trainable or any(self.graph[name].op in _SUMS for name in values)
