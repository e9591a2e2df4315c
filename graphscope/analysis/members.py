"""The members of a meta graph's collection."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from google.protobuf.json_format import MessageToDict

from graphscope.analysis.tensors import TensorLister
from graphscope.core.model import Model
from graphscope.core.tensors import Shape, TensorName
from graphscope.core.values.dtypes import DataType
from graphscope.errors import UnknownNameError
from graphscope.protos import Message


@dataclass(frozen=True, slots=True)
class Member:
    """One entry of a collection.

    Attributes:
        name: the node, tensor, variable or queue that it names; empty if it names none.
        dtype, shape: of that tensor, where the graph has it.
        op: of its node.
        content: the entry itself: a name, a number, the fields of a message, or bytes as text.
    """

    name: str
    dtype: DataType | None
    shape: Shape
    op: str
    content: Any


@dataclass(frozen=True, slots=True)
class CollectionMembers:
    """A collection.

    Attributes:
        name: its key.
        kind: see :class:`graphscope.core.collections.Collection`.
        members: in file order.
    """

    name: str
    kind: str
    members: tuple[Member, ...]


def collection_members(model: Model, name: str) -> CollectionMembers:
    """The members of the collection ``name``.

    Raises:
        UnknownNameError: there is no such collection.
    """
    found = model.collections.get(name)
    if found is None:
        raise UnknownNameError("collection", name, model.collections)
    return CollectionMembers(name, found.kind, tuple(_members(model, found.values)))


def _members(model: Model, values: tuple[Any, ...]) -> Iterator[Member]:
    graph = model.loaded_graph
    lister = TensorLister(model.catalog, graph.producer) if graph is not None else None
    for value in values:
        name = _name_of(value)
        tensor = TensorName.parse(name.removeprefix("^"))
        node = graph.get(tensor.node) if graph is not None else None
        outputs = lister.outputs(node, graph) if lister is not None and node is not None and graph is not None else []
        spec = outputs[tensor.index] if tensor.index < len(outputs) else None
        dtype, shape = (spec.dtype, spec.shape) if spec is not None else (None, None)
        yield Member(name, dtype, shape, node.op if node is not None else "", _content(value))


def _name_of(value: Any) -> str:
    """The name that an entry is about."""
    if isinstance(value, str):
        return value
    named = (getattr(value, field, "") for field in ("variable_name", "queue_name", "context_name"))
    return next(filter(None, named), "")


def _content(value: Any) -> Any:
    if isinstance(value, Message):
        return MessageToDict(value, preserving_proto_field_name=True)
    return value.decode(errors="backslashreplace") if isinstance(value, bytes) else value
