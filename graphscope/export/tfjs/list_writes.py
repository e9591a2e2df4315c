"""Loops that write to lists: TF.js frees tensors that an iteration does not return, even if they are in a list.

So each written tensor becomes an additional, unused state of the loop. Source:
``tfjs-converter/src/executor/graph_executor.ts`` (``_executeAsync``), 4.22.
"""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np

from graphscope.core.changes.build import constant, with_inputs
from graphscope.core.graph import Function, Graph, Node
from graphscope.core.tensors import TensorName
from graphscope.core.values.dtypes import DataType
from graphscope.protos import FunctionDef

WHILE_OPS = frozenset({"While", "StatelessWhile"})
WRITTEN = {"TensorListSetItem": 2, "TensorListPushBack": 1}
"""Op -> the place of the input that it puts into a list."""


def with_kept_writes(graph: Graph) -> Graph:
    """``graph``, with functions already converted for TF.js, with loops that return what they write."""
    bodies = {n.attrs["body"].func.name for _, body in graph.bodies for n in body if n.op in WHILE_OPS}
    writes = {name: _find_unreturned(graph.functions[name]) for name in bodies if name in graph.functions}
    writes = {name: texts for name, texts in writes.items() if texts}
    if not writes:
        return graph
    keeper = _Keeper(graph, writes)
    functions = [keeper.extend(function.with_nodes(keeper.nodes(function))) for function in graph.functions.values()]
    nodes = keeper.nodes(graph)
    return graph.with_nodes(nodes).with_functions([*functions, *keeper.conditions.values()])


def _find_unreturned(body: Function) -> list[str]:
    """The tensors that a body computes and writes to lists, but does not return."""
    returned = set(body.proto.ret.values())
    texts = (str(TensorName.parse(n.inputs[WRITTEN[n.op]])) for n in body if n.op in WRITTEN)
    found = dict.fromkeys(text for text in texts if text not in returned)
    return [t for t in found if (node := body.get(TensorName.parse(t).node)) is not None and node.op != "Const"]


class _Keeper:
    def __init__(self, graph: Graph, writes: dict[str, list[str]]) -> None:
        self.graph = graph
        self.writes = writes
        self.conditions: dict[str, Function] = {}

    def nodes(self, body: Graph | Function) -> list[Node]:
        """The nodes of a body; loops get the further states."""
        scope = f"{body.name}/" if isinstance(body, Function) else ""
        return [made for node in body for made in self._loop(node, scope)]

    def _loop(self, node: Node, scope: str) -> Iterable[Node]:
        added = self.writes.get(node.attrs["body"].func.name, ()) if node.op in WHILE_OPS else ()
        if not added:
            return [node]
        start = constant(f"{scope}{node.name}/written", np.zeros((), np.float32))
        loop = with_inputs(node, [*node.data_inputs(), *[start.name] * len(added)])
        loop.proto.attr["T"].list.type.extend([int(DataType.FLOAT)] * len(added))
        loop.proto.attr["cond"].func.name = self._condition(node, len(added))
        return [start, loop]

    def _condition(self, loop: Node, count: int) -> str:
        condition = self.graph.functions[loop.attrs["cond"].func.name]
        name = f"{condition.name}_of_{loop.attrs['body'].func.name}"
        proto = _with_arguments(condition, count)
        proto.signature.name = name
        self.conditions[name] = Function(proto, condition.nodes)
        return name

    def extend(self, function: Function) -> Function:
        """A body that takes and returns the further states."""
        added = self.writes.get(function.name, ())
        proto = _with_arguments(function, len(added))
        for i, text in enumerate(added):
            proto.signature.output_arg.add(name=f"written_{i}", type=int(DataType.FLOAT))
            proto.ret[f"written_{i}"] = text
        return Function(proto, function.nodes)


def _with_arguments(function: Function, count: int) -> FunctionDef:
    proto = FunctionDef()
    proto.CopyFrom(function.proto)
    for i in range(count):
        proto.signature.input_arg.add(name=f"unread_{i}", type=int(DataType.FLOAT))
    return proto
