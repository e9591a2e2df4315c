"""``vars``: the variables of a model, or the constants of a frozen graph."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING

from graphscope.analysis.statistics import Statistics, statistics
from graphscope.core.model import Model
from graphscope.core.tensors import Shape
from graphscope.core.values.dtypes import DataType
from graphscope.core.values.payload import AbsentPayload, Payload
from graphscope.core.values.slices import Slice
from graphscope.core.variables.binding import find_stored
from graphscope.core.variables.variables import Role, Variable, extent, maker
from graphscope.errors import UnknownNameError
from graphscope.named_tuple import NamedTuple

if TYPE_CHECKING:
    from graphscope.core.foreign import ForeignModel


class WeightRow(NamedTuple):
    """A variable, or a constant of a frozen graph.

    Attributes:
        name: the variable's or the constant's name; for a constant in a library function ``function/name``.
        kind: ``variable`` or ``constant``.
        dtype, shape: as declared; see :data:`Shape`.
        elements: ``None`` if the shape is not known.
        size_bytes: in memory; for strings what is stored; ``None`` if it is not known.
        shard: number of the data file.
        key: the checkpoint key, where it differs from the name.
        part: start and length in each dimension, for a partition of what the key holds.
        trainable: ``None`` if nothing says so.
        role: see :class:`Role`; constants are ``MODEL``.
        is_missing: a variable whose value no checkpoint holds.
        is_extra: a value that no variable of the graph takes.
        stored: type and shape of the value, where TensorFlow would not restore it into the variable; empty if it fits.
        statistics: where they were asked for and there is a value.
    """

    name: str
    kind: str
    dtype: DataType
    shape: Shape
    elements: int | None
    size_bytes: int | None
    shard: int | None = None
    key: str | None = None
    part: Slice | None = None
    trainable: bool | None = None
    role: Role = Role.MODEL
    is_missing: bool = False
    is_extra: bool = False
    stored: str = ""
    statistics: Statistics | None = None


_ROW = maker(WeightRow)

Weight = tuple[WeightRow, Callable[[], Payload] | None]
"""A row, and how to get its content; ``None`` if there is none."""


def list_weights(model: Model | ForeignModel) -> list[WeightRow]:
    """The variables of ``model``; the constants, if it has a graph and neither variables nor a checkpoint. No I/O."""
    if isinstance(model, Model) and (model.variables or not model.has_graph):
        has_graph = model.has_graph
        return [_row(v, has_graph) for v in model.variables]
    return [row for row, _ in weights(model)]


def weights(model: Model | ForeignModel) -> list[Weight]:
    """As :func:`list_weights`, each with its content."""
    if not isinstance(model, Model):
        from graphscope.analysis.foreign.weights import foreign_weights

        return foreign_weights(model)
    if model.variables or not model.has_graph:
        return [_variable(model, v) for v in model.variables]
    return list(_constants(model))


def with_statistics(items: list[Weight], progress: Callable[[int], None] = lambda _: None) -> Iterator[WeightRow]:
    """Each row with its statistics; rows without content are unchanged. Reads every value once, in order.

    Raises:
        CorruptFileError, IncompleteModelError: as :meth:`Payload.chunks`.
    """
    for row, content in items:
        readable = content is not None and row.dtype not in (DataType.RESOURCE, DataType.VARIANT)
        yield row._replace(statistics=statistics(content(), progress)) if content and readable else row


def find_weight(model: Model, name: str) -> Weight:
    """The variable or constant called ``name``, or the variable stored under that key.

    Raises:
        UnknownNameError: there is none.
    """
    if model.store is not None and not model.has_graph:
        variable = find_stored(model.store, model.objects, name)
        if variable is not None:
            return _variable(model, variable)
    found = weights(model)
    for row, content in found:
        if name in (row.name, row.key):
            return row, content
    raise UnknownNameError("variable", name, (row.name for row, _ in found))


def _variable(model: Model, variable: Variable) -> Weight:
    content = (lambda: model.value(variable)) if variable.entry is not None else None
    return _row(variable, model.has_graph), content


def _row(variable: Variable, has_graph: bool) -> WeightRow:
    name, dtype, shape, key, in_graph, trainable, role, entry, part, _, _ = variable
    elements, size_bytes = extent(dtype, shape)
    return _ROW(
        (
            name,
            "variable",
            dtype,
            shape,
            elements,
            variable.size_bytes if size_bytes is None else size_bytes,
            entry.shard if entry is not None else None,
            key if key != name else None,
            part,
            trainable,
            role,
            in_graph and variable.is_missing,
            has_graph and not in_graph,
            variable.mismatch if in_graph else "",
            None,
        )
    )


def _constants(model: Model) -> Iterator[Weight]:
    for function, body in model.graph.bodies:
        for node in body:
            tensor = node.tensor() if node.op == "Const" else None
            if tensor is not None:
                name = f"{function}/{node.name}" if function else node.name
                row = WeightRow(name, "constant", tensor.dtype, tensor.shape, tensor.elements, tensor.nbytes)
                yield row, None if isinstance(tensor, AbsentPayload) else _payload_getter(tensor)


def _payload_getter(tensor: Payload) -> Callable[[], Payload]:
    return lambda: tensor
