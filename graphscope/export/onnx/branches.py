"""``If``: from the functions of TensorFlow 2, and from ``Switch`` and ``Merge`` before it.

:mod:`graphscope.export.conditions` says on which side a node is computed.
"""

from __future__ import annotations

from collections.abc import Sequence

from onnx import GraphProto, helper

from graphscope.export.onnx.builder import Builder, type_proto
from graphscope.export.onnx.graph import live
from graphscope.export.onnx.value import Dims, Value
from graphscope.export.refusal import NotExpressibleError


def add_if(builder: Builder, condition: Value, sides: Sequence[tuple[Builder, Sequence[Value]]]) -> list[Value]:
    """Adds an ``If`` and returns its outputs.

    Args:
        sides: if the condition is true, if it is false: a subgraph and the tensors that it gives.

    Raises:
        NotExpressibleError: the sides give different types.
    """
    (then_builder, then_values), (else_builder, else_values) = sides
    results = []
    for yes, no in zip(then_values, else_values, strict=True):
        if yes.dtype is not no.dtype:
            raise NotExpressibleError(f"its branches return {yes.dtype.label} and {no.dtype.label}")
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
    """A subgraph that returns ``values``, each from its own node."""
    made = {name for node in builder.nodes for name in node.output}
    outputs: list[Value] = []
    for value in values:
        is_own = value.name in made and all(value.name != other.name for other in outputs)
        outputs.append(value if is_own else builder.op("Identity", value))
    nodes, _ = live(builder.nodes, [value.name for value in outputs])
    infos = [[helper.make_value_info(v.name, type_proto(v)) for v in group] for group in (inputs, outputs)]
    return helper.make_graph(nodes, builder.shared.fresh("subgraph"), infos[0], infos[1])


def common(one: Dims, other: Dims) -> Dims:
    """The common part of two shapes."""
    if one is None or other is None or len(one) != len(other):
        return None
    return tuple(a if a == b else None for a, b in zip(one, other))
