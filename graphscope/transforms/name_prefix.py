"""Puts a graph's names under a prefix, so that two graphs can share one.

Names are more than those of nodes: loops know each other by ``frame_name``, variables and tables by ``shared_name``, nodes on
one device by ``_class``, library functions by theirs.
Source: ``tensorflow/core/graph/graph_constructor.cc`` (``AddPrefixToNodeDef``).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from graphscope.core.changes.refill import refill
from graphscope.core.checks.attributes import LOCATION
from graphscope.core.graph import Body, Function, Graph, Node
from graphscope.protos import AttrValue, FunctionDef, GraphDef, NodeDef

_SHARED = ("frame_name", "shared_name")


def add_prefix(graph: Graph, prefix: str) -> Graph:
    """``graph`` with ``prefix/`` before the name of each node, loop, shared resource and library function."""
    functions = {name: f"{prefix}/{name}" for name in graph.functions}
    header = GraphDef()
    header.CopyFrom(graph.header)
    for gradient in header.library.gradient:
        gradient.function_name = functions.get(gradient.function_name, gradient.function_name)
        gradient.gradient_func = functions.get(gradient.gradient_func, gradient.gradient_func)
    nodes = [_name(n, prefix) for n in _calling(graph, functions)]
    return Graph(header, nodes, (_rename(f, functions) for f in graph.functions.values()))


def _name(copy: Node, prefix: str) -> Node:
    proto = copy.proto
    proto.name = f"{prefix}/{proto.name}"
    inputs = [f"^{prefix}/{text[1:]}" if text.startswith("^") else f"{prefix}/{text}" for text in proto.input]
    del proto.input[:]
    proto.input.extend(inputs)
    for name in _SHARED:
        if name in proto.attr and proto.attr[name].s:
            proto.attr[name].s = f"{prefix}/".encode() + proto.attr[name].s
    if "_class" in proto.attr:
        groups = proto.attr["_class"].list.s
        refill(groups, [group.replace(LOCATION, LOCATION + f"{prefix}/".encode(), 1) for group in groups])
    return copy


def _calling(body: Body, functions: Mapping[str, str]) -> Iterator[Node]:
    """Copies of the nodes of ``body`` that call functions by their new names."""
    for original in body:
        proto = NodeDef()
        proto.CopyFrom(original.proto)
        proto.op = functions.get(proto.op, proto.op)
        for value in proto.attr.values():
            _rename_functions(value, functions)
        yield Node(proto, original.payloads)


def _rename_functions(value: AttrValue, functions: Mapping[str, str]) -> None:
    called = [value.func] if value.HasField("func") else value.list.func if value.HasField("list") else ()
    for function in called:
        function.name = functions.get(function.name, function.name)


def _rename(function: Function, functions: Mapping[str, str]) -> Function:
    proto = FunctionDef()
    proto.CopyFrom(function.proto)
    proto.signature.name = functions[function.name]
    return Function(proto, _calling(function, functions))
