"""The shapes that a file states of what its nodes give: in attributes, without any inference."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from graphscope.core.graph import Body, Node
from graphscope.core.tensors import Shape, node_of, shape_of

UNCONSTRAINED_BEFORE = 24
"""Before this producer version a placeholder's empty shape meant an unknown one (``array_ops.cc``, ``Placeholder``)."""

_NOTED = ("_output_shapes",)
"""Where Python noted the shapes of any node's outputs."""

_COMPONENTS = dict.fromkeys(
    (
        "IteratorGetNext",
        "IteratorGetNextSync",
        "MultiDeviceIteratorGetNextFromShard",
        "OptionalGetValue",
        "DatasetToSingleElement",
    ),
    (*_NOTED, "output_shapes"),
)
"""Ops whose outputs are the components of an element -> the attributes that may state their shapes."""

_TAKES_OUT = {
    **dict.fromkeys(("QueueDequeue", "QueueDequeueV2"), False),
    **dict.fromkeys(("QueueDequeueMany", "QueueDequeueManyV2", "QueueDequeueUpTo", "QueueDequeueUpToV2"), True),
}
"""Ops that take something out of a queue -> whether they give a batch of it."""

_MAX_STEPS = 16


def stated_shape(node: Node, index: int, producer: int, body: Body) -> Shape:
    """The shape that the file states for output ``index``; ``None`` if it states none.

    Args:
        producer: the graph's producer version.
        body: what ``node`` is in: a queue states the shapes of what is taken out of it.
    """
    for name in _COMPONENTS.get(node.op, _NOTED):
        stated = node.attr(name)
        if stated is not None and index < len(stated.list.shape):
            return shape_of(stated.list.shape[index])
    if node.op in _TAKES_OUT:
        return _taken_out(node, index, body)
    rule = _SHAPES.get(node.op)
    return rule(node, producer) if rule is not None and index == 0 else None


def _attribute(node: Node, _: int) -> Shape:
    value = node.attr("shape")
    return shape_of(value.shape) if value is not None else None


def _variable(node: Node, producer: int) -> Shape:
    """The first ``Variable`` op wrote an unknown shape as an empty one (``state_ops.cc``)."""
    return _attribute(node, producer) or None


def _placeholder(node: Node, producer: int) -> Shape:
    value = node.attr("shape")
    if value is None or (producer < UNCONSTRAINED_BEFORE and not value.shape.dim):
        return None
    return shape_of(value.shape)


def _constant(node: Node, _: int) -> Shape:
    tensor = node.tensor()
    return tensor.shape if tensor is not None else None


def _scalar(_: Node, __: int) -> Shape:
    return ()


def _taken_out(node: Node, index: int, body: Body) -> Shape:
    """What the queue states of component ``index``, with the size of a batch in front if that is a constant."""
    queue = _origin(body, node.inputs[0]) if node.inputs else None
    shapes = queue.attr("shapes") if queue is not None else None
    if shapes is None or index >= len(shapes.list.shape):
        return None
    shape = shape_of(shapes.list.shape[index])
    if shape is None or not _TAKES_OUT[node.op]:
        return shape
    count = _origin(body, node.inputs[1]) if len(node.inputs) > 1 and "UpTo" not in node.op else None
    tensor = count.tensor() if count is not None and count.op == "Const" else None
    size = int(tensor.listed()[0]) if tensor is not None and tensor.shape == () else None
    return (size, *shape)


def _origin(body: Body, text: str) -> Node | None:
    """The node that gives ``text``, looked for through identities."""
    node = body.get(node_of(text))
    for _ in range(_MAX_STEPS):
        if node is None or node.op not in ("Identity", "RefIdentity") or not node.inputs:
            break
        node = body.get(node_of(node.inputs[0]))
    return node


_SHAPES: Mapping[str, Callable[[Node, int], Shape]] = {
    "Placeholder": _placeholder,
    "PlaceholderV2": _attribute,
    "PlaceholderWithDefault": _attribute,
    "Variable": _variable,
    "VariableV2": _attribute,
    "AutoReloadVariable": _attribute,
    "TemporaryVariable": _attribute,
    "VarHandleOp": _scalar,
    "Const": _constant,
}
