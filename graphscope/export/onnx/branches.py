"""``If``: from the functions of TensorFlow 2, and from ``Switch`` and ``Merge`` before it.

A ``Switch`` gives its data to one of two sides, what depends on a side is computed only there, and a ``Merge`` takes what
the side that was taken gives (``tensorflow/core/ops/control_flow_ops.cc``). So a node has *conditions*: the sides on which it
depends.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from onnx import GraphProto, helper

from graphscope.core.graph import Body, Node
from graphscope.core.op_sets import MERGES, NEXT_ITERATIONS, SWITCHES
from graphscope.core.tensors import TensorName
from graphscope.export.onnx.builder import Builder, type_proto
from graphscope.export.onnx.graph import live
from graphscope.export.onnx.value import Dims, Value
from graphscope.export.refusal import NotExpressibleError

Condition = tuple[str, int]
"""A tensor that decides, and the side: 1 where it is true."""

Conditions = frozenset[Condition]


def conditions_of(body: Body) -> Mapping[str, Conditions]:
    """Node -> the conditions under which it is computed; empty for a body without branches."""
    if SWITCHES.isdisjoint(body.ops):
        return {}
    found: dict[str, Conditions] = {}
    for node in _ordered(body):
        given = [conditions_at(body, found, text) for text in node.inputs if _counts(body, text)]
        if node.op in MERGES and given:
            found[node.name] = frozenset.intersection(*given)
        else:
            found[node.name] = frozenset().union(*given)
    return found


def conditions_at(body: Body, found: Mapping[str, Conditions], text: str) -> Conditions:
    """The conditions of a tensor: those of its node, and its own side where that is a ``Switch``."""
    name = TensorName.parse(text)
    node = body.get(name.node)
    conditions = found.get(name.node, frozenset())
    if node is None or name.is_control or node.op not in SWITCHES or _is_of_loop(body, node):
        return conditions
    return conditions | {(predicate(body, node), name.index)}


def predicate(body: Body, switch: Node) -> str:
    """The tensor that decides, looked for through identities."""
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
    """Whether an input decides when a node runs: what closes a loop does not."""
    node = body.get(TensorName.parse(text).node)
    return node is not None and node.op not in NEXT_ITERATIONS


def _ordered(body: Body) -> Sequence[Node]:
    """Each node behind what it takes or waits for."""
    order: list[Node] = []
    done: set[str] = set()
    for root in body.nodes:
        waiting = [(root.name, False)]
        while waiting:
            name, is_ready = waiting.pop()
            if is_ready:
                order.append(body[name])
            elif name not in done and name in body:
                done.add(name)
                waiting.append((name, True))
                waiting += [(TensorName.parse(t).node, False) for t in body[name].inputs if _counts(body, t)]
    return order


def decided_by(sides: Sequence[Conditions]) -> tuple[str, int]:
    """The tensor that decides which of two inputs a ``Merge`` takes, and the side of the first.

    Raises:
        NotExpressibleError: there is no such tensor.
    """
    if len(sides) == 2:
        for text, side in sorted(sides[0]):
            if (text, 1 - side) in sides[1]:
                return text, side
    raise NotExpressibleError("what it merges are not the two sides of one condition")


def add_if(builder: Builder, condition: Value, sides: Sequence[tuple[Builder, Sequence[Value]]]) -> list[Value]:
    """Adds an ``If`` and gives its outputs.

    Args:
        sides: if the condition is true, if it is false: a subgraph and the tensors that it gives.

    Raises:
        NotExpressibleError: the sides give different types.
    """
    (then_builder, then_values), (else_builder, else_values) = sides
    results = []
    for yes, no in zip(then_values, else_values, strict=True):
        if yes.dtype is not no.dtype:
            raise NotExpressibleError(f"its branches give {yes.dtype.label} and {no.dtype.label}")
        name = builder.shared.fresh(f"{builder.scope}/If")
        results.append(Value(name, yes.dtype, common(yes.dims, no.dims)))
    graphs = {
        "then_branch": close_branch(then_builder, then_values),
        "else_branch": close_branch(else_builder, else_values),
    }
    used = builder.shared.use(condition)
    names = [value.name for value in results]
    builder.add(helper.make_node("If", [used], names, names[0], None, None, None, **graphs), results)
    return results


def close_branch(builder: Builder, values: Sequence[Value], inputs: Sequence[Value] = ()) -> GraphProto:
    """A subgraph that gives ``values``, each by a node of its own."""
    made = {name for node in builder.nodes for name in node.output}
    outputs: list[Value] = []
    for value in values:
        is_own = value.name in made and all(value.name != other.name for other in outputs)
        outputs.append(value if is_own else builder.op("Identity", value))
    nodes, _ = live(builder.nodes, [value.name for value in outputs])
    infos = [[helper.make_value_info(v.name, type_proto(v)) for v in group] for group in (inputs, outputs)]
    return helper.make_graph(nodes, builder.shared.fresh("subgraph"), infos[0], infos[1])


def common(one: Dims, other: Dims) -> Dims:
    """What two shapes have in common."""
    if one is None or other is None or len(one) != len(other):
        return None
    return tuple(a if a == b else None for a, b in zip(one, other))
