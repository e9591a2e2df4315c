"""The operators of a TensorFlow Lite file: names, versions and options."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from graphscope.core.attribute import Attribute
from graphscope.formats.tflite.flatbuffer import Number, Table
from graphscope.formats.tflite.schema import Operator, OperatorCode
from graphscope.formats.tflite.vocabulary import (
    CUSTOM,
    NAMES,
    TYPE_OPTIONS,
    Option,
    data_type,
    operator_name,
    option_tables,
)

ITEMS = 32
"""Items of a vector that the text shows; the value has all."""

_UNIONS = (
    (1, Operator.BUILTIN_OPTIONS_TYPE, Operator.BUILTIN_OPTIONS),
    (2, Operator.BUILTIN_OPTIONS_2_TYPE, Operator.BUILTIN_OPTIONS_2),
)
_KINDS = {"f": "float", "d": "float", "?": "bool"}


@dataclass(frozen=True, slots=True)
class OperatorKind:
    """An operator that the model uses.

    Attributes:
        name: ``CONV_2D``, or a custom operator's own.
        version: which kernels can run it.
    """

    name: str
    version: int

    @classmethod
    def read(cls, code: Table) -> OperatorKind:
        """What an ``OperatorCode`` says."""
        number = max(
            code.integer(OperatorCode.DEPRECATED_BUILTIN_CODE, "b"), code.integer(OperatorCode.BUILTIN_CODE, "i")
        )
        custom = code.text(OperatorCode.CUSTOM_CODE) if number == CUSTOM else ""
        return cls(custom or operator_name(number), code.integer(OperatorCode.VERSION, "i", 1))


def describe(operator: Table, kind: OperatorKind) -> list[Attribute]:
    """The options of a node, in the order of the schema, and its version.

    Raises:
        CorruptFileError: they are outside the file.
    """
    found = [option for union in _UNIONS for option in _options(operator, *union)]
    _, size = operator.region(Operator.CUSTOM_OPTIONS)
    if size:
        found.append(Attribute("custom_options", "bytes", f"{size:,} bytes", size))
    return [*found, Attribute("version", "int", str(kind.version), kind.version)]


def _options(operator: Table, union: int, type_slot: int, slot: int) -> Iterator[Attribute]:
    fields = option_tables().get((union, operator.integer(type_slot, "B")), ())
    options = operator.table(slot)
    for number, option in enumerate(fields if options is not None else ()):
        if option is not None and options is not None:
            yield _attribute(option, options, number)


def _attribute(option: Option, options: Table, slot: int) -> Attribute:
    kind = _KINDS.get(option.code, "int")
    if option.is_vector:
        values = list(options.numbers(slot, option.code))
        more = f", and {len(values) - ITEMS:,} more" if len(values) > ITEMS else ""
        return Attribute(option.name, f"{kind}s", f"[{', '.join(map(_text, values[:ITEMS]))}{more}]", values)
    value = _name_of(option.name, options.number(slot, option.code, option.default))
    return Attribute(option.name, "enum" if isinstance(value, str) else kind, _text(value), value)


def _name_of(name: str, value: Number) -> Number | str:
    """The name of an enumeration's member, where it is known."""
    members = NAMES.get(name, ())
    if name in TYPE_OPTIONS:
        return data_type(int(value)).label
    return members[int(value)] if 0 <= value < len(members) else value


def _text(value: Any) -> str:
    if isinstance(value, bool):
        return str(value).lower()
    return f"{value:g}" if isinstance(value, float) else str(value)
