"""Whether a node states what its op demands of every node: the attributes without a default, each of its kind; a name; a place.

Source: ``ValidateNodeDef`` in ``tensorflow/core/framework/node_def_util.cc``, ``AttrValueHasType`` in
``tensorflow/core/framework/attr_value_util.cc``, ``tensorflow/core/common_runtime/graph_constructor.cc`` (2.21). Which of its
values an attribute may have is not compared: later releases allow more.
"""

from __future__ import annotations

from collections.abc import Iterator

from graphscope.core.graph import Body, Node
from graphscope.core.names import is_node_name
from graphscope.core.ops.table import OpCatalog
from graphscope.core.tensors import node_of
from graphscope.core.values.dtypes import DataType
from graphscope.named_tuple import NamedTuple
from graphscope.protos import AttrValue

LOCATION = b"loc:@"
"""How an entry of ``_class`` begins that names a node to be colocated with."""

_KINDS = {
    "s": "string",
    "i": "int",
    "f": "float",
    "b": "bool",
    "type": "type",
    "shape": "shape",
    "tensor": "tensor",
    "func": "func",
}
"""The field of ``AttrValue`` that holds a value -> the kind of attribute."""


_FIELDS = {kind: field for field, kind in _KINDS.items()}
_TYPES = frozenset(int(dtype) for dtype in DataType if dtype is not DataType.INVALID)
"""The numbers of all types. Those of references are no values of attributes."""


class _Demand(NamedTuple):
    """What an op demands: an attribute, its kind, and whether each node must state it.

    Attributes:
        field: what holds the value; empty for lists.
    """

    name: str
    kind: str
    is_stated: bool
    field: str


def find_wrong_attributes(body: Body, catalog: OpCatalog, *, is_inner: bool = False) -> Iterator[tuple[str, str]]:
    """The nodes of ``body`` that TensorFlow refuses by themselves, in file order: the name, and why.

    Args:
        is_inner: in a library function, where attributes may stand for those of a call, and no place counts.
    """
    demands: dict[str, tuple[_Demand, ...]] = {}
    for node, op, name in zip(body.nodes, body.ops, body.names):
        if op not in demands:
            demands[op] = _demands(catalog, op)
        attrs = node.proto.attr
        for demand in demands[op]:
            value = attrs.get(demand.name)
            field = value.WhichOneof("value") if value is not None else None
            if value is not None and field == demand.field and (field != "type" or value.type in _TYPES):
                continue  # nearly all
            wrong = _judge(value, demand, node, is_inner=is_inner)
            if wrong:
                yield name, f"node {name} ({op}) {wrong}"
        for other in _strangers(attrs["_class"], body) if "_class" in attrs and not is_inner else ():
            yield name, f"node {name} ({op}) is to be placed with the node {other}, which does not exist"
        if not is_node_name(name, is_inner=is_inner):
            yield name, f"node {name!r} ({op}) has a name that TensorFlow does not take"


def _demands(catalog: OpCatalog, op: str) -> tuple[_Demand, ...]:
    definition = catalog.get(op)
    stated = definition.attr if definition is not None else ()
    return tuple(_Demand(a.name, a.type, not a.HasField("default_value"), _FIELDS.get(a.type, "")) for a in stated)


def _judge(value: AttrValue | None, demand: _Demand, node: Node, *, is_inner: bool) -> str:
    """What is wrong with one attribute; empty if it is right."""
    name, kind = demand.name, demand.kind
    if value is None:
        return f"lacks the attribute {name}" if demand.is_stated and name not in node.payloads else ""
    field = value.WhichOneof("value")
    if field == "placeholder" and is_inner:
        return ""
    found = _kind(value, field)
    if found != kind and not (kind.startswith("list(") and found in ("list()", "")):
        return f"has an attribute {name} of kind {found}, not {kind}" if found else f"has no {name}"
    numbers = [value.type] if field == "type" else value.list.type if field == "list" else ()
    wrong = next((number for number in numbers if number not in _TYPES), None)
    return "" if wrong is None else f"has an attribute {name} with the number {wrong}, which no type has"


def _kind(value: AttrValue, field: str | None) -> str:
    """As an op's definition names it: ``int``, ``list(int)``, ``list()`` for an empty list; empty for no value."""
    if field != "list":
        return _KINDS.get(field or "", field or "")
    return f"list({', '.join(_KINDS[found.name] for found, _ in value.list.ListFields())})"


def _strangers(group: AttrValue, body: Body) -> Iterator[str]:
    for entry in group.list.s:
        if entry.startswith(LOCATION) and node_of(name := entry[len(LOCATION) :].decode(errors="replace")) not in body:
            yield name
