"""Sources of tensors: constants, placeholders, variables, arguments."""

from __future__ import annotations

from graphscope.analysis.shapes.call import Call
from graphscope.analysis.shapes.facts import SCALAR, UNKNOWN, Fact, Facts, Value
from graphscope.analysis.shapes.sizes import MAX_RANK, ShapeError, merge
from graphscope.analysis.shapes.table import rule
from graphscope.analysis.shapes.values import FOLLOWED, few
from graphscope.core.graph import Node
from graphscope.core.stated_shapes import UNCONSTRAINED_BEFORE
from graphscope.core.values.tensor_proto import FIELDS
from graphscope.errors import GraphscopeError


@rule("Const HostConst")
def constant(call: Call) -> Facts:
    """The shape of the message; elements are decoded when they are asked for."""
    node = call.node
    value = node.proto.attr.get("value")
    if value is None:
        raise ShapeError("a constant without a value")
    shape = tuple([dim.size for dim in value.tensor.tensor_shape.dim])
    if shape and (min(shape) < 0 or len(shape) > MAX_RANK):
        raise ShapeError(f"a constant cannot have the shape {list(shape)}")
    if node.payloads or value.tensor.dtype not in FOLLOWED or not few(shape):
        return (Fact(shape),)
    return (Fact(shape, lambda: _elements(node)),)


def _elements(node: Node) -> Value | None:
    """The elements; the last one stated is repeated for all that follow. Decoded without NumPy."""
    tensor = node.tensor()
    if tensor is None:
        return None
    proto = node.proto.attr["value"].tensor
    stated = list(getattr(proto, FIELDS[tensor.dtype][0]))
    if stated and not proto.tensor_content and len(stated) < tensor.elements:
        return tuple(stated + stated[-1:] * (tensor.elements - len(stated)))
    try:
        return tuple(tensor.listed())
    except GraphscopeError:
        return None


@rule("Placeholder")
def placeholder(call: Call) -> Facts:
    """Before producer 24, an empty shape meant an unknown one."""
    shape = call.shape_attr("shape")
    return (UNKNOWN if shape == () and call.setting.producer < UNCONSTRAINED_BEFORE else Fact(shape),)


@rule(
    "PlaceholderV2 VariableV2 AccumulateNV2 TemporaryVariable FakeParam"
    " ImmutableConst ParallelConcat EnsureShape"
    " RecvTPUEmbeddingActivations InfeedDequeue"
)
def by_attribute(call: Call) -> Facts:
    """The attribute ``shape``."""
    shape = call.shape_attr("shape")
    if call.node.op == "EnsureShape":
        shape = merge(shape, call.shape(0))
    return (Fact(shape),)


@rule("Variable")
def variable(call: Call) -> Facts:
    """The first variables wrote an unknown shape as an empty one."""
    return (Fact(call.shape_attr("shape") or None),)


@rule("PlaceholderWithDefault")
def placeholder_with_default(call: Call) -> Facts:
    """The stated shape; the default only fits it."""
    shape = call.shape_attr("shape")
    merge(shape, call.shape(0))
    return (Fact(shape),)


@rule("VarHandleOp")
def variable_handle(call: Call) -> Facts:
    """A scalar that leads to a variable."""
    return (Fact((), None, (call.shape_attr("shape"),)),)


@rule(
    "FIFOQueue FIFOQueueV2 PaddingFIFOQueue PaddingFIFOQueueV2 RandomShuffleQueue RandomShuffleQueueV2 PriorityQueueV2"
)
def queue(call: Call) -> Facts:
    """A handle that leads to the shapes of the components, if all are stated."""
    shapes = call.shape_attrs("shapes")
    own = Fact((2,)) if not call.node.op.endswith("V2") else SCALAR
    complete = len(shapes) == len(call.types("component_types"))
    return (Fact(own.shape, None, tuple(shapes) if complete and call.node.op != "PriorityQueueV2" else None),)
