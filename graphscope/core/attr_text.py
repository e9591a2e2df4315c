"""Attribute values from what a person writes: ``true``, ``2``, ``float32``, ``SAME``, ``[1, 2, 2, 1]``, ``(?, 10)``."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from typing import Any

from graphscope.core.values.dtypes import DataType
from graphscope.errors import GraphscopeError, UnknownNameError
from graphscope.protos import AttrValue, OpDef

_BOOLS = {"true": True, "false": False, "1": True, "0": False}


def attr_value(op: OpDef, name: str, value: Any) -> AttrValue:
    """Attribute ``name`` of ``op`` from a message, a Python value, or the text of one.

    Raises:
        UnknownNameError: the op has no such attribute.
        GraphscopeError: the value is of another kind.
    """
    kinds = {attr.name: attr.type for attr in op.attr}
    if name not in kinds:
        raise UnknownNameError(f"attribute of {op.name}", name, kinds)
    if isinstance(value, AttrValue):
        return value
    kind = kinds[name]
    is_list = kind.startswith("list(")
    make = _MAKERS.get(kind[5:-1] if is_list else kind)
    try:
        if make is None:
            raise ValueError
        if not is_list:
            return _single(make(value), kind)
        found = AttrValue()
        found.list.SetInParent()
        getattr(found.list, _FIELDS[kind[5:-1]]).extend(make(item) for item in _items(value))
    except (ValueError, TypeError, KeyError) as error:
        raise GraphscopeError(f"{op.name}: {value!r} is no {kind} for the attribute {name}") from error
    return found


def _items(value: Any) -> list[Any]:
    items = json.loads(value) if isinstance(value, str) else value
    if not isinstance(items, list | tuple):
        raise ValueError
    return list(items)


def _single(value: Any, kind: str) -> AttrValue:
    if kind != "shape":
        return AttrValue(**{_FIELDS[kind]: value})
    found = AttrValue()
    found.shape.SetInParent()
    for size in value:
        found.shape.dim.add(size=size)
    return found


def _bool(value: Any) -> bool:
    return value if isinstance(value, bool) else _BOOLS[str(value).lower()]


def _int(value: Any) -> int:
    number = int(value)
    if not isinstance(value, str) and number != value:
        raise ValueError
    return number


def _bytes(value: Any) -> bytes:
    return value if isinstance(value, bytes) else str(value).encode()


def _type(value: Any) -> int:
    if isinstance(value, DataType):
        return int(value)
    return int(dtype_named(str(value)))


def dtype_named(text: str) -> DataType:
    """The type that ``float32`` or ``DT_FLOAT`` names.

    Raises:
        UnknownNameError: there is no such type.
    """
    labels = {dtype.label: dtype for dtype in DataType} | {f"DT_{dtype.name}": dtype for dtype in DataType}
    if text not in labels:
        raise UnknownNameError("type", text, (dtype.label for dtype in DataType))
    return labels[text]


def _shape(value: Any) -> list[int]:
    if isinstance(value, str):
        parts = [part.strip() for part in value.strip("()[] ").split(",") if part.strip()]
        return [-1 if part in ("?", "-1", "None") else int(part) for part in parts]
    return [-1 if size is None else int(size) for size in value]


_MAKERS: Mapping[str, Callable[[Any], Any]] = {
    "int": _int,
    "float": float,
    "bool": _bool,
    "string": _bytes,
    "type": _type,
    "shape": _shape,
}
_FIELDS = {"int": "i", "float": "f", "bool": "b", "string": "s", "type": "type"}
