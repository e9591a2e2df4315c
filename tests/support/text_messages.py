"""Messages of every shape for the tests of the text parser: TensorFlow's own, and one with every kind of field."""

from __future__ import annotations

from typing import Any

from google.protobuf import descriptor_pb2, descriptor_pool, message_factory
from google.protobuf.descriptor import Descriptor, FieldDescriptor
from google.protobuf.message import Message
from hypothesis import strategies as st

from graphscope.protos import AssetFileDef

_Proto = descriptor_pb2.FieldDescriptorProto
_SCALARS = (
    "double float int64 uint64 int32 fixed64 fixed32 bool string bytes uint32 sfixed32 sfixed64 sint32 sint64"
).split()
_KEYS = ("int32", "uint64", "sint64", "fixed32", "bool", "string")
_BITS = {
    _Proto.TYPE_INT32: (-(2**31), 2**31 - 1),
    _Proto.TYPE_SINT32: (-(2**31), 2**31 - 1),
    _Proto.TYPE_SFIXED32: (-(2**31), 2**31 - 1),
    _Proto.TYPE_INT64: (-(2**63), 2**63 - 1),
    _Proto.TYPE_SINT64: (-(2**63), 2**63 - 1),
    _Proto.TYPE_SFIXED64: (-(2**63), 2**63 - 1),
    _Proto.TYPE_UINT32: (0, 2**32 - 1),
    _Proto.TYPE_FIXED32: (0, 2**32 - 1),
    _Proto.TYPE_UINT64: (0, 2**64 - 1),
    _Proto.TYPE_FIXED64: (0, 2**64 - 1),
}


def kinds(syntax: str) -> type[Message]:
    """A message type with every scalar kind alone, repeated, in a oneof and in maps, an enum, and itself nested."""
    file = descriptor_pb2.FileDescriptorProto(name=f"tests/kinds_{syntax}.proto", package=f"tests.{syntax}")
    file.syntax = syntax
    color = file.enum_type.add(name="Color")
    for name, number in (("BLACK", 0), ("RED", 1), ("NEGATIVE", -7)):
        color.value.add(name=name, number=number)
    message = file.message_type.add(name="Kinds")
    message.oneof_decl.add(name="choice")
    types = [(name, {"type": _Proto.Type.Value("TYPE_" + name.upper())}) for name in _SCALARS]
    types.append(("color", {"type": _Proto.TYPE_ENUM, "type_name": f".tests.{syntax}.Color"}))
    types.append(("kinds", {"type": _Proto.TYPE_MESSAGE, "type_name": f".tests.{syntax}.Kinds"}))
    for number, (name, kind) in enumerate(types, 1):
        message.field.add(name=f"one_{name}", number=number, label=_Proto.LABEL_OPTIONAL, **kind)
        message.field.add(name=f"many_{name}", number=100 + number, label=_Proto.LABEL_REPEATED, **kind)
        message.field.add(name=f"or_{name}", number=20_000 + number, label=_Proto.LABEL_OPTIONAL, oneof_index=0, **kind)
    for number, key in enumerate(_KEYS, 300):
        _add_map(message, f".tests.{syntax}.Kinds", key, number, types[number % len(types)][1])
    _add_map(message, f".tests.{syntax}.Kinds", "string", 400, types[-1][1])
    pool = descriptor_pool.DescriptorPool()
    pool.Add(file)
    return message_factory.GetMessageClass(pool.FindMessageTypeByName(f"tests.{syntax}.Kinds"))


def _add_map(message: Any, scope: str, key: str, number: int, value: dict[str, Any]) -> None:
    entry = message.nested_type.add(name=f"Map{number}Entry")
    entry.options.map_entry = True
    kind = _Proto.Type.Value("TYPE_" + key.upper())
    entry.field.add(name="key", number=1, label=_Proto.LABEL_OPTIONAL, type=kind)
    entry.field.add(name="value", number=2, label=_Proto.LABEL_OPTIONAL, **value)
    message.field.add(
        name=f"map{number}",
        number=number,
        label=_Proto.LABEL_REPEATED,
        type=_Proto.TYPE_MESSAGE,
        type_name=f"{scope}.{entry.name}",
    )


def _scalars(field: FieldDescriptor) -> st.SearchStrategy[Any]:
    if field.type in _BITS:
        return st.integers(*_BITS[field.type])
    if field.type == FieldDescriptor.TYPE_ENUM:
        return st.sampled_from(sorted(value.number for value in field.enum_type.values))
    return {
        FieldDescriptor.TYPE_BOOL: st.booleans(),
        FieldDescriptor.TYPE_FLOAT: st.floats(width=32),
        FieldDescriptor.TYPE_DOUBLE: st.floats(),
        FieldDescriptor.TYPE_STRING: st.text(max_size=20),
        FieldDescriptor.TYPE_BYTES: st.binary(max_size=20),
    }[field.type]


def extremes(message_class: type[Message]) -> Any:
    """A message of :func:`kinds` whose repeated numbers hold the ends of their ranges and what lies about zero."""
    message = message_class()
    for field in message_class.DESCRIPTOR.fields:
        if field.name.startswith("many_") and field.type in _BITS:
            low, high = _BITS[field.type]
            getattr(message, field.name).extend(
                [low, low + 1, low // 2, -1 if low else 1, 0, 1, high // 2, high - 1, high]
            )
    for field in (message.many_float, message.many_double):  # type: ignore[attr-defined]
        field.extend([float("inf"), float("-inf"), 2.0**-149, -0.0, 1.5, 2.0**127])
    return message


@st.composite
def messages(draw: st.DrawFn, message_class: type[Message], depth: int = 4) -> Message:
    """A message of this class with some of its fields set, nested at most ``depth`` deep."""
    message = message_class()
    if message_class.DESCRIPTOR.full_name == "google.protobuf.Any":
        message.Pack(AssetFileDef(filename=draw(st.text(max_size=5))))  # type: ignore[attr-defined]
        return message
    fields = [f for f in message_class.DESCRIPTOR.fields if depth or f.message_type is None]
    for field in draw(st.lists(st.sampled_from(fields), unique=True, max_size=5)) if fields else ():
        _fill(draw, message, field, depth)
    return message


def _fill(draw: st.DrawFn, message: Any, field: FieldDescriptor, depth: int) -> None:
    count = draw(st.integers(1, 3))
    if field.message_type is None:
        many = isinstance(field.default_value, list)
        values = [draw(_scalars(field)) for _ in range(count)]
        setattr(message, field.name, values[0]) if not many else getattr(message, field.name).extend(values)
    elif field.message_type.GetOptions().map_entry:
        entry = field.message_type.fields_by_name
        for _ in range(count):
            _fill_entry(draw, getattr(message, field.name), entry["key"], entry["value"], depth)
    elif isinstance(field.default_value, list):
        getattr(message, field.name).extend(_nested(draw, field.message_type, depth) for _ in range(count))
    else:
        getattr(message, field.name).CopyFrom(_nested(draw, field.message_type, depth))


def _fill_entry(draw: st.DrawFn, entries: Any, key: FieldDescriptor, value: FieldDescriptor, depth: int) -> None:
    chosen = draw(_scalars(key))
    if value.message_type is None:
        entries[chosen] = draw(_scalars(value))
    else:
        entries[chosen].CopyFrom(_nested(draw, value.message_type, depth))


def _nested(draw: st.DrawFn, descriptor: Descriptor, depth: int) -> Message:
    return draw(messages(message_factory.GetMessageClass(descriptor), depth - 1))
