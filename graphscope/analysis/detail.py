"""``show``: the details of one node, library function or variable."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from graphscope.analysis.listing import Output
from graphscope.analysis.tensors import Shapes, TensorLister
from graphscope.analysis.variable_rows import Weight, WeightRow, find_weight
from graphscope.core.attribute import Attribute as Attribute
from graphscope.core.graph import Body, Node
from graphscope.core.model import Model
from graphscope.core.tensors import TensorSpec, node_of, shape_of, shape_text
from graphscope.core.values.dtypes import DataType
from graphscope.core.values.payload import Payload
from graphscope.errors import UnknownNameError
from graphscope.protos import AttrValue, TensorShapeProto

if TYPE_CHECKING:
    from numpy.typing import NDArray

PREVIEW_BYTES = 64 << 20
"""Larger values are not read for a preview."""


@dataclass(frozen=True, slots=True)
class NodeDetail:
    """A node with its surroundings.

    Attributes:
        function: the library function whose body it is in; empty for the graph itself.
        name, op, device: as in the graph.
        is_registered: whether TensorFlow 2.21 or the graph's own library knows the op.
        attributes: sorted by name.
        inputs: each input as stored, with the op that gives it (empty if the name dangles).
        outputs: its tensors.
        consumers: names and ops of the nodes that use it.
    """

    function: str
    name: str
    op: str
    device: str
    is_registered: bool
    attributes: tuple[Attribute, ...]
    inputs: tuple[tuple[str, str], ...]
    outputs: tuple[Output, ...]
    consumers: tuple[tuple[str, str], ...]


@dataclass(frozen=True, slots=True)
class Detail:
    """The details of one name: a node, a variable, or both.

    Attributes:
        node: the node of that name.
        weight: the variable or constant of that name.
        values: its content, where it is small enough to read; strings as an object array of bytes.
    """

    node: NodeDetail | None
    weight: WeightRow | None
    values: NDArray[Any] | None


def show(model: Model, name: str, shapes: Shapes | None = None) -> Detail:
    """The node, tensor, variable or checkpoint key called ``name``; ``function/node`` looks into a library function.

    Args:
        shapes: tensor name -> shape, in place of what is stated or inferred without them.

    Raises:
        UnknownNameError: there is none, with the closest names.
        CorruptFileError, IncompleteModelError: its value cannot be read.
    """
    found = _node(model, name)
    weight = _weight(model, name)
    if found is None and weight is None:
        raise UnknownNameError("node or variable", name, _names(model))
    node = _describe(model, *found, shapes) if found is not None else None
    if weight is None:
        tensor = found[2].tensor() if found is not None else None
        return Detail(node, None, preview_values(tensor) if tensor is not None else None)
    row, content = weight
    return Detail(node, row, preview_values(content()) if content is not None else None)


def preview_values(payload: Payload) -> NDArray[Any] | None:
    """The content of ``payload``, where it is small enough to read and has a form; raises as :meth:`Payload.numpy`."""
    if payload.dtype in (DataType.RESOURCE, DataType.VARIANT, DataType.INVALID):
        return None
    return payload.numpy() if payload.content_bytes <= PREVIEW_BYTES else None


def _node(model: Model, name: str) -> tuple[str, Body, Node] | None:
    if not model.has_graph:
        return None
    graph = model.graph
    for candidate in (name, node_of(name)):
        if candidate in graph:
            return "", graph, graph[candidate]
    for function, body in graph.functions.items():
        inner = node_of(name.removeprefix(function + "/"))
        if name.startswith(function + "/") and inner in body:
            return function, body, body[inner]
    return None


def _weight(model: Model, name: str) -> Weight | None:
    for candidate in dict.fromkeys((name, node_of(name))):
        try:
            return find_weight(model, candidate)
        except UnknownNameError:
            continue
    return None


def _names(model: Model) -> list[str]:
    names = [v.name for v in model.variables] + [v.key for v in model.variables if v.key]
    return names + (list(model.graph.by_name) if model.has_graph else [])


def _describe(model: Model, function: str, body: Body, node: Node, shapes: Shapes | None) -> NodeDetail:
    return NodeDetail(
        function,
        node.name,
        node.op,
        node.device,
        model.catalog.get(node.op) is not None,
        tuple(
            Attribute(k, node.attrs[k].WhichOneof("value") or "empty", attr_text(node, k), attr_value(node.attrs[k]))
            for k in sorted(node.attrs)
        ),
        tuple((i, _op_of(body, i)) for i in node.inputs),
        tuple(_outputs(model, body, node, shapes)),
        tuple((c.name, c.op) for c in body.consumers(node.name)),
    )


def _outputs(model: Model, body: Body, node: Node, shapes: Shapes | None) -> list[TensorSpec]:
    """The outputs; shapes that the file does not state are inferred, for nodes of the graph itself."""
    is_inner = body is not model.graph
    stated = TensorLister(model.catalog, model.graph.producer, None if is_inner else shapes).outputs(node, body)
    if is_inner or all(spec.shape is not None for spec in stated):
        return stated
    from graphscope.analysis.shapes import infer

    shape = infer(model).shape
    return [spec._replace(shape=shape(spec.name)) if spec.shape is None else spec for spec in stated]


def _op_of(body: Body, name: str) -> str:
    producer = body.get(node_of(name))
    return producer.op if producer is not None else ""


def attr_text(node: Node, name: str) -> str:
    """An attribute's value in readable form; tensors by type, shape and size."""
    if name in node.payloads:
        payload = node.payloads[name]
        size = f", {payload.nbytes:,} bytes" if payload.nbytes is not None else ""
        return f"{payload.dtype.label} {shape_text(payload.shape)}{size}"
    return value_text(node.attrs[name])


def value_text(value: AttrValue) -> str:
    """The text of one attribute value."""
    kind = value.WhichOneof("value")
    return _TEXTS[kind](value) if kind is not None else ""


def attr_value(value: AttrValue) -> Any:
    """The value of an attribute, see :attr:`Attribute.value`."""
    kind = value.WhichOneof("value")
    if kind == "list":
        return [_plain(field.name, item) for field, items in value.list.ListFields() for item in items]
    return None if kind is None else _plain(kind, getattr(value, kind))


def _plain(kind: str, value: Any) -> Any:
    make = _VALUES.get(kind)
    return value if make is None else make(value)


def _shape_value(shape: TensorShapeProto) -> list[int | None] | None:
    found = shape_of(shape)
    return None if found is None else list(found)


def _bytes_text(value: bytes) -> str:
    try:
        return value.decode()
    except UnicodeDecodeError:
        return repr(value)


def _list_text(value: AttrValue) -> str:
    items = value.list
    parts = (
        [_bytes_text(s) for s in items.s]
        + [str(i) for i in items.i]
        + [f"{f:g}" for f in items.f]
        + [str(b).lower() for b in items.b]
        + [type_text(t) for t in items.type]
        + [shape_text(shape_of(s)) for s in items.shape]
        + [f"{DataType.of(t.dtype).label} {shape_text(shape_of(t.tensor_shape))}" for t in items.tensor]
        + [f.name for f in items.func]
    )
    return "[" + ", ".join(parts) + "]"


def type_text(number: int) -> str:
    """``float32``; ``float32_ref`` for a reference; ``dtype 99`` for a number that TensorFlow does not have."""
    dtype = DataType.of(number)
    if dtype is DataType.INVALID and number:
        return f"dtype {number}"
    return dtype.label + ("_ref" if number > 100 else "")


_TEXTS: dict[str, Callable[[AttrValue], str]] = {
    "s": lambda v: _bytes_text(v.s),
    "i": lambda v: str(v.i),
    "f": lambda v: f"{v.f:g}",
    "b": lambda v: str(v.b).lower(),
    "type": lambda v: type_text(v.type),
    "shape": lambda v: shape_text(shape_of(v.shape)),
    "tensor": lambda v: f"{type_text(v.tensor.dtype)} {shape_text(shape_of(v.tensor.tensor_shape))}",
    "list": _list_text,
    "func": lambda v: v.func.name,
    "placeholder": lambda v: v.placeholder,
}
_VALUES: dict[str, Callable[[Any], Any]] = {
    "s": _bytes_text,
    "type": type_text,
    "shape": _shape_value,
    "tensor": lambda v: {"dtype": type_text(v.dtype), "shape": _shape_value(v.tensor_shape)},
    "func": lambda v: v.name,
}
"""Kinds of values that are neither plain numbers nor booleans."""
