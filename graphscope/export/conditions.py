"""The conditions under which nodes between ``Switch`` and ``Merge`` are computed.

A ``Switch`` gives its data to one of two sides, what depends on a side is computed only there, and a ``Merge`` takes what
the side that was taken gives (``tensorflow/core/ops/control_flow_ops.cc``). So a node has *conditions*: the sides on which it
depends.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from graphscope.core.graph import Body, Node
from graphscope.core.ops.sets import MERGES, NEXT_ITERATIONS, SWITCHES
from graphscope.core.order import needed_first
from graphscope.core.tensors import TensorName
from graphscope.export.refusal import NotExpressibleError

Condition = tuple[str, int]
"""A predicate and the side: 1 for true."""

Conditions = frozenset[Condition]


def conditions_of(body: Body) -> Mapping[str, Conditions]:
    """Node -> the conditions under which it is computed; empty for a body without branches."""
    if SWITCHES.isdisjoint(body.ops):
        return {}
    found: dict[str, Conditions] = {}
    for name in needed_first(body.names, lambda name: _awaited(body, body[name])):
        node = body[name]
        given = [conditions_at(body, found, text) for text in node.inputs if _counts(body, text)]
        if node.op in MERGES and given:
            found[node.name] = frozenset.intersection(*given)
        else:
            found[node.name] = frozenset().union(*given)
    return found


def conditions_at(body: Body, found: Mapping[str, Conditions], text: str) -> Conditions:
    """The conditions of a tensor: those of its node, and its own side if that is a ``Switch``."""
    name = TensorName.parse(text)
    node = body.get(name.node)
    conditions = found.get(name.node, frozenset())
    if node is None or name.is_control or node.op not in SWITCHES or _is_of_loop(body, node):
        return conditions
    return conditions | {(predicate(body, node), name.index)}


def predicate(body: Body, switch: Node) -> str:
    """The predicate, looked up through identities."""
    text = switch.data_inputs()[1]
    for _ in range(len(body)):
        node = body.get(TensorName.parse(text).node)
        if node is None or node.op != "Identity":
            break
        text = node.data_inputs()[0]
    return str(TensorName.parse(text))


def _is_of_loop(body: Body, switch: Node) -> bool:
    decider = body.get(TensorName.parse(switch.data_inputs()[1]).node)
    return decider is not None and decider.op == "LoopCond"


def _counts(body: Body, text: str) -> bool:
    """Whether an input decides when a node runs: back edges of loops do not."""
    node = body.get(TensorName.parse(text).node)
    return node is not None and node.op not in NEXT_ITERATIONS


def _awaited(body: Body, node: Node) -> Iterator[str]:
    """Names of the nodes that decide when ``node`` runs."""
    return (TensorName.parse(text).node for text in node.inputs if _counts(body, text))


def decided_by(sides: Sequence[Conditions]) -> tuple[str, int]:
    """The tensor that decides which of two inputs a ``Merge`` takes, and the side of the first.

    Raises:
        NotExpressibleError: there is no such tensor.
    """
    if len(sides) == 2:
        for text, side in sorted(sides[0]):
            if (text, 1 - side) in sides[1]:
                return text, side
    raise NotExpressibleError("its inputs are not the two branches of one condition")
