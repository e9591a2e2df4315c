"""Where the arguments of library functions come from: the nodes that call them."""

from __future__ import annotations

from collections.abc import Iterator

from graphscope.core.graph import Graph, Node, called_functions
from graphscope.core.ops.sets import BRANCH_OPS
from graphscope.core.tensors import node_of

_LOOPS = frozenset({"While", "StatelessWhile"})
_CHOOSING = BRANCH_OPS - _LOOPS
"""Ops whose first input chooses the function that gets the others."""

_MAX_STEPS = 16


def producer_of(graph: Graph, function: str, name: str) -> tuple[str, Node] | None:
    """The function and the node that give the value ``name`` in ``function``; an argument's value is what the call gives.

    ``None`` if there is none, or if it is another one in each iteration of a loop.
    """
    for _ in range(_MAX_STEPS):
        body = graph.functions[function] if function else graph
        node = body.get(name)
        if node is not None or not function:
            return None if node is None else (function, node)
        numbers = [argument.name for argument in graph.functions[function].signature.input_arg]
        call = next(_calls(graph, function), None)
        if name not in numbers or call is None:
            return None
        function, caller = call
        inputs = caller.data_inputs()[int(caller.op in _CHOOSING) :]
        position = numbers.index(name)
        if position >= len(inputs) or (caller.op in _LOOPS and not _stays(graph, caller, position)):
            return None
        name = node_of(inputs[position])
    return None


def _calls(graph: Graph, function: str) -> Iterator[tuple[str, Node]]:
    """The nodes that call ``function``, each with the function that it is in."""
    for name, body in graph.bodies:
        yield from ((name, node) for node in body.nodes if function in called_functions([node]))


def _stays(graph: Graph, loop: Node, position: int) -> bool:
    """Whether the body of ``loop`` gives back its argument at ``position`` as it is."""
    body = graph.functions.get(loop.attrs["body"].func.name)
    if body is None or position >= len(body.signature.output_arg):
        return False
    name = node_of(body.proto.ret[body.signature.output_arg[position].name])
    for _ in range(_MAX_STEPS):
        node = body.get(name)
        if node is None or node.op != "Identity":
            break
        name = node_of(node.inputs[0])
    return name == body.signature.input_arg[position].name
