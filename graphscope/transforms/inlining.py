"""Puts the body of a library function in the place of the node that calls it.

In a function ``node:argument:1`` names a tensor by the output argument that it belongs to; in a graph outputs are counted.
Source: ``tensorflow/core/framework/function.proto``.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from graphscope.core.build import node, type_attr, with_inputs
from graphscope.core.dtypes import DataType
from graphscope.core.graph import Function, Graph, Node
from graphscope.core.ops import OpCatalog
from graphscope.core.tensors import TensorName, node_of


def inlined(graph: Graph, call: Node, function: Function, inputs: Sequence[str]) -> list[Node] | None:
    """The nodes of ``function`` applied to ``inputs``, then a node with the name and the outputs of ``call``.

    ``None`` where that cannot be told: the function is generic, takes lists, or uses an op that nobody knows.
    """
    signature = function.signature
    arguments = [*signature.input_arg, *signature.output_arg]
    is_generic = bool(signature.attr) or any(a.number_attr or a.type_list_attr or a.type_attr for a in arguments)
    catalog = graph.catalog()
    if is_generic or any(catalog.get(op) is None for op in function.ops):
        return None
    body = _Inlined(function, dict(zip((a.name for a in signature.input_arg), inputs)), _scope(graph, call), catalog)
    return [*body.nodes(), body.result(call)]


def _scope(graph: Graph, call: Node) -> str:
    """A name scope that no node of ``graph`` is in."""
    scope, number = f"{call.name}/inlined", 0
    while any(name.startswith(f"{scope}/") for name in graph.by_name):
        number += 1
        scope = f"{call.name}/inlined_{number}"
    return scope


class _Inlined:
    def __init__(self, function: Function, arguments: dict[str, str], scope: str, catalog: OpCatalog) -> None:
        self.function = function
        self.arguments = arguments
        self.scope = scope
        self.catalog = catalog

    def nodes(self) -> Iterator[Node]:
        for found in self.function:
            copy = with_inputs(found, map(self.tensor, found.inputs))
            copy.proto.name = f"{self.scope}/{found.name}"
            yield copy

    def result(self, call: Node) -> Node:
        outputs = [self.tensor(self.function.proto.ret[a.name]) for a in self.function.signature.output_arg]
        if not outputs:
            return node(call.name, "NoOp")
        if len(outputs) == 1:
            return node(call.name, "Identity", outputs, {"T": type_attr(self.output_type(0))})
        return node(call.name, "IdentityN", outputs, {"T": call.attrs["Tout"]})

    def output_type(self, index: int) -> DataType:
        return DataType.of(self.function.signature.output_arg[index].type)

    def tensor(self, text: str) -> str:
        """What ``text`` of the function is in the graph."""
        tensor = TensorName.parse(text)
        if tensor.node in self.arguments:
            given = self.arguments[tensor.node]
            return f"^{node_of(given)}" if tensor.is_control else given
        if tensor.is_control:
            return f"^{self.scope}/{tensor.node}"
        producer = self.function[tensor.node]
        types = self.catalog.outputs(producer.op, producer.attrs) or ()
        first = next((i for i, t in enumerate(types) if t.argument == tensor.argument), 0)
        return str(TensorName(f"{self.scope}/{tensor.node}", first + tensor.index)).removesuffix(":0")
