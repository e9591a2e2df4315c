"""What TensorFlow knows of each op: the arguments it takes, the outputs it gives, whether it is stateful.

The table is ``ops.pb`` beside this file: the ``OpList`` of TensorFlow 2.21 without its documentation strings, written by
``python -m graphscope.runtime.op_table`` and compared with the installed TensorFlow in the tests.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from pathlib import Path
from typing import Literal

from graphscope.core.values.dtypes import REF, DataType
from graphscope.named_tuple import NamedTuple
from graphscope.protos import AttrValue, CollectionDef, OpDef

TABLE = Path(__file__).with_name("ops.pb")


class ArgumentType(NamedTuple):
    """One tensor that a node takes or gives: its element type, whether it is a reference, and the argument it belongs to."""

    dtype: DataType
    is_ref: bool
    argument: str


class OpTable(Mapping[str, OpDef]):
    """Op name -> ``OpDef``; each is parsed when it is first asked for: most graphs have a few dozen of the 1,500.

    Attributes:
        parsed: those that were.
    """

    def __init__(self, content: bytes) -> None:
        # An ``OpList`` is a list of messages in field 1, and so is this, of bytes; an ``OpDef`` begins with its name.
        table = CollectionDef()
        table.bytes_list.MergeFromString(content)
        self._encoded = {encoded[2 : 2 + encoded[1]].decode(): encoded for encoded in table.bytes_list.value}
        self.parsed: dict[str, OpDef] = {}

    def __getitem__(self, op: str) -> OpDef:
        found = self.parsed.get(op)
        if found is None:
            found = self.parsed[op] = OpDef.FromString(self._encoded[op])
        return found

    def __contains__(self, op: object) -> bool:
        return op in self._encoded

    def __iter__(self) -> Iterator[str]:
        return iter(self._encoded)

    def __len__(self) -> int:
        return len(self._encoded)


@functools.cache
def registered_ops() -> OpTable:
    """Op name -> ``OpDef`` for every op that TensorFlow 2.21 registers. Reads the table once."""
    return OpTable(TABLE.read_bytes())


class OpCatalog:
    """The ops that one graph may use: its own library functions and stripped op list first, then TensorFlow's."""

    def __init__(self, own: Iterable[OpDef] = ()) -> None:
        self._own = {op.name: op for op in own}
        self._outputs = _Types(self, "output_arg")
        self._both = _Types(self, "input_arg", "output_arg")

    def get(self, op: str) -> OpDef | None:
        """The definition of ``op``; ``None`` if it is unknown."""
        return self._own.get(op) or registered_ops().get(op)

    def outputs(self, op: str, attrs: Mapping[str, AttrValue]) -> tuple[ArgumentType, ...] | None:
        """The outputs of a node of ``op``, in order; ``None`` if the op is unknown. See :func:`output_types`.

        Nodes of one op with equal types share the answer: most graphs have few such combinations and many nodes.
        """
        found = self._outputs.of(op, attrs)
        return found[0] if found is not None else None

    def both(
        self, op: str, attrs: Mapping[str, AttrValue]
    ) -> tuple[tuple[ArgumentType, ...], tuple[ArgumentType, ...]] | None:
        """As :meth:`outputs`: the data inputs that a node of ``op`` takes, and its outputs."""
        found = self._both.of(op, attrs)
        return (found[0], found[1]) if found is not None else None


_Side = Literal["input_arg", "output_arg"]


class _Types:
    """The types of the inputs or of the outputs of nodes, or both, by op and the attributes that decide them."""

    def __init__(self, catalog: OpCatalog, *sides: _Side) -> None:
        self._catalog = catalog
        self._sides = sides
        self._deciding: dict[str, tuple[_Getter, ...]] = {}
        self._known: dict[tuple[object, ...], tuple[tuple[ArgumentType, ...], ...]] = {}

    def of(self, op: str, attrs: Mapping[str, AttrValue]) -> tuple[tuple[ArgumentType, ...], ...] | None:
        """For each side; ``None`` if the op is unknown."""
        getters = self._deciding.get(op)
        if getters is None:
            definition = self._catalog.get(op)
            if definition is None:
                return None
            getters = self._deciding[op] = _deciding_attributes(
                [a for side in self._arguments(definition) for a in side]
            )
        values = (op, *[getter(attrs) for getter in getters])
        found = self._known.get(values)
        if found is None:
            definition = self._catalog.get(op)
            assert definition is not None
            sides = self._arguments(definition)
            found = self._known[values] = tuple(tuple(_types(definition, side, attrs)) for side in sides)
        return found

    def _arguments(self, definition: OpDef) -> list[Collection[OpDef.ArgDef]]:
        return [getattr(definition, side) for side in self._sides]


_Getter = Callable[[Mapping[str, AttrValue]], object]


def _deciding_attributes(arguments: Collection[OpDef.ArgDef]) -> tuple[_Getter, ...]:
    """Reads the attributes that decide number and types of ``arguments``."""
    found = {a.type_attr: _type for a in arguments} | {a.number_attr: _number for a in arguments}
    found |= {a.type_list_attr: _list for a in arguments}
    return tuple(make(name) for name, make in found.items() if name)


def _type(name: str) -> _Getter:
    def get(attrs: Mapping[str, AttrValue]) -> object:
        value = attrs.get(name)
        return None if value is None else value.type

    return get


def _number(name: str) -> _Getter:
    def get(attrs: Mapping[str, AttrValue]) -> object:
        value = attrs.get(name)
        return None if value is None else value.i

    return get


def _list(name: str) -> _Getter:
    def get(attrs: Mapping[str, AttrValue]) -> object:
        value = attrs.get(name)
        return None if value is None else tuple(value.list.type)

    return get


def output_types(op: OpDef, attrs: Mapping[str, AttrValue]) -> list[ArgumentType]:
    """The outputs of a node of ``op`` whose attributes are ``attrs``, in order; defaults fill absent attributes.

    An attribute that is absent and has no default gives ``INVALID`` (one output).
    """
    return list(_types(op, op.output_arg, attrs))


def input_types(op: OpDef, attrs: Mapping[str, AttrValue]) -> list[DataType]:
    """The types of the data inputs that a node of ``op`` takes, in order; as :func:`output_types`."""
    return [taken.dtype for taken in _types(op, op.input_arg, attrs)]


def _types(op: OpDef, arguments: Iterable[OpDef.ArgDef], attrs: Mapping[str, AttrValue]) -> Iterator[ArgumentType]:
    for argument in arguments:
        for number in _argument_types(op, argument, attrs):
            yield ArgumentType(DataType.of(number), argument.is_ref or number > REF, argument.name)


def input_count(op: OpDef, attrs: Mapping[str, AttrValue]) -> int | None:
    """How many data inputs a node of ``op`` takes; ``None`` if an attribute that decides that is not stated."""
    count = 0
    for arg in op.input_arg:
        deciding = arg.type_list_attr or arg.number_attr
        if not deciding:
            count += 1
            continue
        value = attribute(op, deciding, attrs)
        if value is None:
            return None
        count += len(value.list.type) if arg.type_list_attr else value.i
    return count


def _argument_types(op: OpDef, arg: OpDef.ArgDef, attrs: Mapping[str, AttrValue]) -> list[int]:
    """Type numbers of one argument: a list attribute, a repeated type, or a single one."""
    if arg.type_list_attr:
        value = attribute(op, arg.type_list_attr, attrs)
        return list(value.list.type) if value is not None else []
    number = arg.type
    if arg.type_attr:
        value = attribute(op, arg.type_attr, attrs)
        number = value.type if value is not None else int(DataType.INVALID)
    if not arg.number_attr:
        return [number]
    count = attribute(op, arg.number_attr, attrs)
    return [number] * (min(max(count.i, 0), MAX_OUTPUTS) if count is not None else 1)


MAX_OUTPUTS = 65_536
"""More outputs than this on one node are taken for a corrupt number."""


def attribute(op: OpDef, name: str, attrs: Mapping[str, AttrValue]) -> AttrValue | None:
    """Attribute ``name`` of a node of ``op`` whose attributes are ``attrs``: stated, or the default; ``None`` for neither."""
    if name in attrs:
        return attrs[name]
    for attr in op.attr:
        if attr.name == name and attr.HasField("default_value"):
            return attr.default_value
    return None


def takes_reference(op: str) -> bool | None:
    """Whether an op takes a variable by reference, which it may write to; ``None`` for an op that TensorFlow does not know."""
    definition = registered_ops().get(op)
    return None if definition is None else any(argument.is_ref for argument in definition.input_arg)
