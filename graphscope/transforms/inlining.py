"""Inlines library functions: replaces calls with the bodies of the functions.

In a function ``node:argument:1`` names a tensor by the output argument that it belongs to; in a graph outputs are counted.
Source: ``tensorflow/core/framework/function.proto``.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from graphscope.core.changes.build import make_node, type_attr, with_inputs
from graphscope.core.graph import Function, Graph, Node
from graphscope.core.ops.sets import CALL_OPS, ENTERS
from graphscope.core.ops.table import OpCatalog
from graphscope.core.tensors import TensorName, node_of
from graphscope.core.values.dtypes import DataType
from graphscope.errors import GraphscopeError
from graphscope.protos import AttrValue
from graphscope.transforms.subgraph import CONTROL_FLOW

MAX_DEPTH = 64
"""How deep calls are followed: a function that calls itself never ends."""

MAX_NODES = 1 << 18
"""A graph to which calls would add more nodes is refused: functions that call one another twice double it each time."""


def inline_calls(graph: Graph) -> Graph:
    """``graph`` with the bodies of functions in place of their calls, and of the calls in those bodies.

    What is called in functions that stay, the bodies of loops for instance, stays called. So does everything in a graph of
    ``Switch`` and ``Enter``: what takes no input in a body would be outside the branch or the iteration of its call.

    Raises:
        GraphscopeError: the bodies would add more than :data:`MAX_NODES` nodes.
    """
    if CONTROL_FLOW.intersection(graph.ops):
        return graph
    _refuse_growth(graph)
    for _ in range(MAX_DEPTH):
        inliner = Inliner(graph)
        nodes = [new for found in graph for new in inliner.in_place_of(found)]
        if nodes == graph.nodes:
            break
        graph = graph.with_nodes(nodes)
    return graph


def _refuse_growth(graph: Graph) -> None:
    """Counts the nodes before any is made: a function has its own, and those of the functions that it calls."""
    inliner = Inliner(graph)
    calls = {
        name: [called.name for found in function if (called := inliner.called(found)) is not None]
        for name, function in graph.functions.items()
    }
    sizes = {name: len(function) for name, function in graph.functions.items()}
    added = 0
    direct = [called.name for found in graph if (called := inliner.called(found)) is not None]
    for _ in range(MAX_DEPTH):
        grown = {n: min(len(f) + sum(sizes[c] for c in calls[n]), MAX_NODES + 1) for n, f in graph.functions.items()}
        added = sum(sizes[name] for name in direct)
        if added > MAX_NODES or grown == sizes:
            break
        sizes = grown
    if added > MAX_NODES:
        raise GraphscopeError(f"inlining functions would add more than {MAX_NODES:,} nodes")


class Inliner:
    """Applies library functions of ``graph``. Names of nodes that it makes are unique among them and in ``graph``."""

    def __init__(self, graph: Graph) -> None:
        self.graph = graph
        self.catalog = graph.catalog()
        self.names = set(graph.by_name)

    def called(self, found: Node) -> Function | None:
        """The function that ``found`` calls, unless a compiler has to have it whole."""
        must_compile = found.attr("_XlaMustCompile")
        if must_compile is not None and must_compile.b:
            return None
        return self.graph.functions.get(found.attrs["f"].func.name if found.op in CALL_OPS else found.op)

    def in_place_of(self, found: Node) -> list[Node]:
        """The body that ``found`` calls; ``found`` itself where it is not a call, or one that has to stay."""
        function = self.called(found)
        applied = self.apply(found, function, found.data_inputs()) if function is not None else None
        return applied or [found]

    def apply(self, call: Node, function: Function, inputs: Sequence[str]) -> list[Node] | None:
        """The nodes of ``function`` applied to ``inputs``, then a node with the name and the outputs of ``call``.

        ``None`` if that cannot be determined: the function is generic, takes lists, or uses an unknown op.
        """
        signature = function.signature
        arguments = [*signature.input_arg, *signature.output_arg]
        is_generic = bool(signature.attr) or any(a.number_attr or a.type_list_attr or a.type_attr for a in arguments)
        if is_generic or any(self.catalog.get(op) is None for op in function.ops):
            return None
        given = dict(zip((a.name for a in signature.input_arg), inputs))
        body = _Applied(function, given, self._scope(call, function), self.catalog)
        nodes = [*body.nodes(), body.result(call)]
        self.names.update(made.name for made in nodes)
        return nodes

    def _scope(self, call: Node, function: Function) -> str:
        """The scope of the call's own name, or one with a number, where that would take a name twice."""
        scope, number = call.name, 0
        while any(f"{scope}/{found.name}" in self.names for found in function):
            number += 1
            scope = f"{call.name}/inlined_{number}"
        return scope


class _Applied:
    def __init__(self, function: Function, arguments: dict[str, str], scope: str, catalog: OpCatalog) -> None:
        self.function = function
        self.arguments = arguments
        self.scope = scope
        self.catalog = catalog

    def nodes(self) -> Iterator[Node]:
        for found in self.function:
            copy = with_inputs(found, map(self.tensor, found.inputs))
            copy.proto.name = f"{self.scope}/{found.name}"
            if found.op in ENTERS and "frame_name" in copy.attrs:  # two calls are two loops
                copy.proto.attr["frame_name"].s = f"{self.scope}/".encode() + copy.proto.attr["frame_name"].s
            yield copy

    def result(self, call: Node) -> Node:
        arguments = self.function.signature.output_arg
        outputs = [self.tensor(self.function.proto.ret[argument.name]) for argument in arguments]
        if not outputs:
            return make_node(call.name, "NoOp")
        if len(outputs) == 1:
            return make_node(call.name, "Identity", outputs, {"T": type_attr(DataType.of(arguments[0].type))})
        types = AttrValue()
        types.list.type.extend(argument.type for argument in arguments)
        return make_node(call.name, "IdentityN", outputs, {"T": types})

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
