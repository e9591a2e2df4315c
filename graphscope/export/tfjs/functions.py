"""Library functions as TF.js runs them: outputs are counted, calls within are replaced, constants have names of their own.

In a function ``node:argument:1`` names a tensor by the output argument that it belongs to. TF.js takes the number for that of
the node's outputs. It keeps the constants of all functions by their names alone, returns one output of each node, and may
free a constant that is returned.
Source: ``tfjs-converter/src/operations/operation_mapper.ts`` (``mapFunction``) and ``executor/graph_executor.ts``, 4.22.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from graphscope.core.changes.build import make_node, type_attr, with_inputs
from graphscope.core.graph import Function, Graph, Node, reached_functions
from graphscope.core.tensors import TensorName
from graphscope.core.values.dtypes import DataType
from graphscope.protos import FunctionDef
from graphscope.transforms.inlining import MAX_DEPTH, Inliner


def with_plain_functions(graph: Graph) -> Graph:
    """``graph`` with those functions that its nodes need, written for TF.js."""
    plainer = _Plainer(graph)
    return graph.with_functions(map(plainer.plain, reached_functions(graph, graph)))


class _Plainer:
    def __init__(self, graph: Graph) -> None:
        self.graph = graph
        self.catalog = graph.catalog()

    def plain(self, function: Function) -> Function:
        nodes = list(self._inline(self._count(function)))
        names = {n.name: f"{function.name}/{n.name}" for n in nodes if n.op == "Const"}
        body = [_rename(node, names) for node in nodes]
        proto = FunctionDef()
        proto.CopyFrom(function.proto)
        taken: dict[str, int] = {}
        for argument in function.signature.output_arg:
            text = _renamed_text(self._text(function, function.proto.ret[argument.name]), names)
            tensor = TensorName.parse(text)
            if tensor.node in names.values() or taken.setdefault(tensor.node, tensor.index) != tensor.index:
                end = f"{function.name}/{argument.name}/returned"
                body.append(make_node(end, "Identity", [text], {"T": type_attr(DataType.of(argument.type))}))
                text = f"{end}:0"
            proto.ret[argument.name] = str(TensorName.parse(text))
        return Function(proto, body)

    def _count(self, function: Function) -> Iterator[Node]:
        for node in function:
            yield with_inputs(node, [self._text(function, text) for text in node.inputs])

    def _text(self, function: Function, text: str) -> str:
        """An input in the spelling of a graph."""
        tensor = TensorName.parse(text)
        if tensor.is_control or tensor.argument is None or tensor.node not in function:
            return text
        producer = function[tensor.node]
        types = self.catalog.outputs(producer.op, producer.attrs) or ()
        first = next((i for i, t in enumerate(types) if t.argument == tensor.argument), 0)
        return str(TensorName(tensor.node, first + tensor.index)).removesuffix(":0")

    def _inline(self, nodes: Iterable[Node]) -> list[Node]:
        found = list(nodes)
        for _ in range(MAX_DEPTH):
            inliner = Inliner(self.graph.with_nodes(found))
            replaced = [new for node in found for new in inliner.in_place_of(node)]
            if len(replaced) == len(found):
                break
            found = replaced
        return found


def _rename(node: Node, names: dict[str, str]) -> Node:
    if not names:
        return node
    copy = with_inputs(node, [_renamed_text(text, names) for text in node.inputs])
    copy.proto.name = names.get(node.name, node.name)
    return copy


def _renamed_text(text: str, names: dict[str, str]) -> str:
    tensor = TensorName.parse(text)
    if tensor.node not in names:
        return text
    return f"^{names[tensor.node]}" if tensor.is_control else names[tensor.node]
