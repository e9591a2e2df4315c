"""Attributes of ONNX nodes, as they are shown.

Source: ``onnx/onnx.proto`` (1.23), ``AttributeProto.AttributeType``.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from graphscope.core.attribute import Attribute
from graphscope.core.tensors import shape_text
from graphscope.formats.onnx.element_types import data_type
from graphscope.formats.onnx.value_types import tensor_of
from graphscope.protos import OnnxAttribute, OnnxGraph, OnnxTensor, OnnxType

ITEMS = 32
"""Items of a list that the text shows; the value has all."""


def describe(attributes: Sequence[OnnxAttribute]) -> list[Attribute]:
    """Each attribute, in the order of names."""
    return [_describe(attribute) for attribute in sorted(attributes, key=lambda a: a.name)]


def kind_of(attribute: OnnxAttribute) -> str:
    """What the attribute holds; files of ONNX's first versions do not say it, but have one field."""
    if attribute.type in _KINDS:
        return _KINDS[attribute.type]
    set_fields = {descriptor.name for descriptor, _ in attribute.ListFields()}
    return next((kind for kind, (field, _) in _VALUES.items() if field in set_fields), "")


def _describe(attribute: OnnxAttribute) -> Attribute:
    if attribute.ref_attr_name:
        text = f"attribute {attribute.ref_attr_name} of the function"
        return Attribute(attribute.name, "reference", text, attribute.ref_attr_name)
    kind = kind_of(attribute)
    if not kind:
        return Attribute(attribute.name, "unknown", f"of type {attribute.type}, which is not known")
    field, plain = _VALUES[kind]
    stored = getattr(attribute, field)
    if kind not in _LISTS:
        value = plain(stored)
        return Attribute(attribute.name, kind, _text(value), value)
    values = [plain(item) for item in stored]
    more = f", and {len(values) - ITEMS:,} more" if len(values) > ITEMS else ""
    return Attribute(attribute.name, kind, f"[{', '.join(map(_text, values[:ITEMS]))}{more}]", values)


def _text(value: Any) -> str:
    if isinstance(value, float):
        return f"{value:g}"
    if isinstance(value, dict):
        return " ".join(str(part) for part in value.values())
    return str(value)


def _string(value: bytes) -> str:
    return value.decode("utf-8", "backslashreplace")


def _tensor(tensor: OnnxTensor) -> dict[str, Any]:
    return {"dtype": data_type(tensor.data_type).label, "shape": shape_text(tuple(tensor.dims))}


def _graph(graph: OnnxGraph) -> str:
    return f"a graph of {len(graph.node):,} nodes" + (f": {graph.name}" if graph.name else "")


def _type(value: OnnxType) -> dict[str, Any]:
    tensor = tensor_of("", value)
    return {"container": tensor.container, "dtype": tensor.dtype.label, "shape": shape_text(tensor.shape)}


def _same(value: Any) -> Any:
    return value


def _sparse(value: Any) -> str:
    return f"sparse {shape_text(tuple(value.dims))}"


_VALUES: Mapping[str, tuple[str, Callable[[Any], Any]]] = {
    "float": ("f", _same),
    "int": ("i", _same),
    "string": ("s", _string),
    "tensor": ("t", _tensor),
    "graph": ("g", _graph),
    "floats": ("floats", _same),
    "ints": ("ints", _same),
    "strings": ("strings", _string),
    "tensors": ("tensors", _tensor),
    "graphs": ("graphs", _graph),
    "sparse_tensor": ("sparse_tensor", _sparse),
    "sparse_tensors": ("sparse_tensors", _sparse),
    "type": ("tp", _type),
    "types": ("type_protos", _type),
}
"""Kind -> the field that holds it, and its value as numbers, text, lists and mappings."""

_KINDS = dict(enumerate(_VALUES, start=1))
"""By number, which the order above follows."""

_LISTS = frozenset({"floats", "ints", "strings", "tensors", "graphs", "sparse_tensors", "types"})
