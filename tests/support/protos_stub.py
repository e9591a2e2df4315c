"""Writes the types of the messages' fields: ``python -m tests.support.protos_stub > graphscope/protos/__init__.pyi``."""

from __future__ import annotations

import keyword
from collections.abc import Iterator

from google.protobuf.descriptor import Descriptor, FieldDescriptor

from graphscope import protos

HEAD = """\
# The types of the messages' fields, written by tests/support/protos_stub.py from their descriptors.
import abc
from collections.abc import Iterable, MutableMapping, Sequence
from typing import Any, TypeAlias, TypeVar

from google.protobuf.message import DecodeError as DecodeError
from google.protobuf.message import Message as Message

_K = TypeVar("_K")
_T = TypeVar("_T")

class _List(Sequence[_T], metaclass=abc.ABCMeta):
    def append(self, value: _T, /) -> None: ...
    def extend(self, values: Iterable[_T], /) -> None: ...
    def add(self, **fields: Any) -> _T: ...
    def __setitem__(self, index: int, value: _T, /) -> None: ...
    def __delitem__(self, index: Any, /) -> None: ...

class _MessageMap(MutableMapping[_K, _T], metaclass=abc.ABCMeta):
    def get_or_create(self, key: _K, /) -> _T: ...
"""
SCALARS = {
    FieldDescriptor.TYPE_STRING: "str",
    FieldDescriptor.TYPE_BYTES: "bytes",
    FieldDescriptor.TYPE_BOOL: "bool",
    FieldDescriptor.TYPE_DOUBLE: "float",
    FieldDescriptor.TYPE_FLOAT: "float",
}
OPAQUE = ("struct.proto", "saved_object_graph.proto")


class Stub:
    def __init__(self) -> None:
        self.names = {
            getattr(protos, name).DESCRIPTOR.full_name: name
            for name in protos.__all__  # type: ignore[attr-defined]
            if name not in ("Message", "DecodeError")
        }
        self.pending: list[Descriptor] = []

    def name(self, descriptor: Descriptor) -> str:
        if descriptor.full_name not in self.names:
            self.names[descriptor.full_name] = "_" + descriptor.full_name.partition(".")[2].replace(".", "_")
            self.pending.append(descriptor)
        return self.names[descriptor.full_name]

    def type(self, field: FieldDescriptor) -> str:
        if field.message_type is None:
            return SCALARS.get(field.type, "int")
        return self.name(field.message_type)

    def annotation(self, field: FieldDescriptor) -> str:
        if field.message_type is not None and field.message_type.GetOptions().map_entry:
            key, value = (self.type(field.message_type.fields_by_name[part]) for part in ("key", "value"))
            is_message = field.message_type.fields_by_name["value"].message_type is not None
            return f"_MessageMap[{key}, {value}]" if is_message else f"MutableMapping[{key}, {value}]"
        return f"_List[{self.type(field)}]" if field.is_repeated else self.type(field)

    def message(self, name: str, descriptor: Descriptor) -> Iterator[str]:
        yield f"\nclass {name}(Message):"
        if descriptor.full_name == "google.protobuf.Any":
            yield "    type_url: str\n    value: bytes"
            return
        fields = [f for f in descriptor.fields if not keyword.iskeyword(f.name)]
        if descriptor.file.name.endswith(OPAQUE[0]) or not fields:
            yield "    pass"
            return
        for nested in descriptor.nested_types:
            if nested.full_name in self.names:
                yield f"    {nested.name}: TypeAlias = {self.names[nested.full_name]}"
        for field in fields:
            yield f"    {field.name}: {self.annotation(field)}"

    def lines(self) -> Iterator[str]:
        yield HEAD.rstrip()
        self.name(protos.OpDef.DESCRIPTOR.nested_types_by_name["ArgDef"])
        self.name(protos.Summary.DESCRIPTOR.nested_types_by_name["Value"])
        for name in sorted(n for n in protos.__all__ if n not in ("Message", "DecodeError")):  # type: ignore[attr-defined]
            yield from self.message(name, getattr(protos, name).DESCRIPTOR)
        while self.pending:
            descriptor = self.pending.pop(0)
            yield from self.message(self.names[descriptor.full_name], descriptor)


def stub() -> str:
    return "\n".join(Stub().lines()) + "\n"


if __name__ == "__main__":
    print(stub(), end="")
