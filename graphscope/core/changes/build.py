"""Makes nodes: constants from arrays and payloads, copies of nodes with other inputs."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any

from graphscope.core.graph import Node
from graphscope.core.values.dtypes import DataType
from graphscope.core.values.payload import PAYLOAD_BYTES, ArrayPayload, Payload
from graphscope.protos import AttrValue, NodeDef, TensorProto

if TYPE_CHECKING:
    from numpy.typing import NDArray


def constant(name: str, value: Payload | NDArray[Any], controls: Iterable[str] = ()) -> Node:
    """A ``Const`` node that gives ``value``. A payload above :data:`PAYLOAD_BYTES` stays where it is.

    Args:
        controls: control inputs, spelled with ``^``.

    Raises:
        CorruptFileError, IncompleteModelError: a small payload cannot be read.
        TypeError: TensorFlow has no type for the array's.
    """
    payload = value if isinstance(value, Payload) else ArrayPayload(value)
    proto = NodeDef(name=name, op="Const", input=controls)
    proto.attr["dtype"].type = int(payload.dtype)
    is_large = payload.nbytes is not None and payload.nbytes > PAYLOAD_BYTES
    tensor = tensor_head(payload) if is_large else tensor_proto(payload)
    proto.attr["value"].tensor.CopyFrom(tensor)
    return Node(proto, {"value": payload} if is_large else None)


def tensor_head(payload: Payload) -> TensorProto:
    """A ``TensorProto`` with type and shape of ``payload`` and no content. No I/O."""
    proto = TensorProto(dtype=int(payload.dtype))
    for size in payload.shape:
        proto.tensor_shape.dim.add(size=size)
    if not payload.shape:
        proto.tensor_shape.SetInParent()
    return proto


def tensor_proto(payload: Payload) -> TensorProto:
    """A ``TensorProto`` with the content of ``payload``, in ``tensor_content`` or, for strings, ``string_val``. Reads it."""
    proto = tensor_head(payload)
    if payload.dtype is DataType.STRING:
        proto.string_val.extend(payload.numpy().reshape(-1).tolist())
    else:
        proto.tensor_content = b"".join(payload.chunks())
    return proto


def make_node(name: str, op: str, inputs: Iterable[str] = (), attrs: Mapping[str, AttrValue] | None = None) -> Node:
    """A node without payloads; attribute values are copied."""
    proto = NodeDef(name=name, op=op, input=inputs)
    for key, value in (attrs or {}).items():
        proto.attr[key].CopyFrom(value)
    return Node(proto)


def type_attr(dtype: DataType) -> AttrValue:
    """An attribute that holds a type."""
    return AttrValue(type=int(dtype))


def with_inputs(original: Node, inputs: Iterable[str]) -> Node:
    """A copy of ``original`` that takes ``inputs``; its payloads are shared."""
    proto = NodeDef()
    proto.CopyFrom(original.proto)
    del proto.input[:]
    proto.input.extend(inputs)
    return Node(proto, original.payloads)


def without_attrs(original: Node, names: Iterable[str], *, device: str | None = None) -> Node:
    """A copy of ``original`` without attributes ``names``; ``device`` replaces its device, ``None`` keeps it."""
    proto = NodeDef()
    proto.CopyFrom(original.proto)
    for name in names:
        proto.attr.pop(name, None)
    if device is not None:
        proto.device = device
    return Node(proto, {k: v for k, v in original.payloads.items() if k not in set(names)})
