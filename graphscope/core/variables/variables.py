"""Variables, and the store that holds their values."""

from __future__ import annotations

import enum
import functools
from collections.abc import Callable, Mapping
from typing import Any, Protocol, TypeVar

from graphscope.core.tensors import Shape, elements, shape_text
from graphscope.core.values.dtypes import DataType
from graphscope.core.values.payload import Payload
from graphscope.named_tuple import NamedTuple

R = TypeVar("R", bound=NamedTuple)


def maker(kind: type[R]) -> Callable[[tuple[Any, ...]], R]:
    """Makes records of ``kind`` from all their fields in order, in a third of the time that the constructor takes.

    For loops over hundreds of thousands of variables; the number of fields is not checked.
    """
    return functools.partial(tuple.__new__, kind)


class Entry(NamedTuple):
    """One tensor of a checkpoint, as its index states it.

    Attributes:
        key: the name under which the checkpoint holds it.
        dtype: element type; may be resource or variant, whose content cannot be read.
        shape: the full shape, also of a partitioned variable.
        shard: number of the data file; ``None`` if slices are in several files, or the format has no shards.
        slices: number of slices of a partitioned variable; 0 for one that is stored whole.
        stored_bytes: size in the file, if the index states it (compressed and encoded sizes are not given).
    """

    key: str
    dtype: DataType
    shape: tuple[int, ...]
    shard: int | None = None
    slices: int = 0
    stored_bytes: int | None = None


class VariableStore(Protocol):
    """The tensors of one checkpoint. Entries cost no I/O; payloads read on demand."""

    @property
    def entries(self) -> Mapping[str, Entry]:
        """Key -> entry, in the file's order. No I/O."""

    def payload(self, key: str) -> Payload:
        """The content behind ``key``. No I/O until it is read.

        Raises:
            KeyError: there is no such key.
            UnsupportedError: a resource or variant, which has no NumPy equivalent.
        """


class Role(enum.Enum):
    """The role of a variable."""

    MODEL = "model"
    SLOT = "slot"
    MOVING_AVERAGE = "moving average"
    STEP = "step"
    LOCAL = "local"


class Variable(NamedTuple):
    """A variable of the graph with its value in the checkpoint, or one of the two without the other.

    Attributes:
        name: the op's name in the graph; the key if there is no graph.
        dtype: element type.
        shape: ``None`` for a variable of unknown rank that has no value; unknown dimensions are ``None``.
        key: the checkpoint key of its value; ``None`` if it has none.
        in_graph: whether the graph declares it; False for values that no variable uses.
        trainable: according to the graph's collections or object graph; ``None`` if neither states it.
        role: see :class:`Role`.
        entry: the checkpoint's entry behind ``key``.
        slice: start and length in each dimension, for one partition of the value of ``key``; ``None`` for a whole value.
        demanded: the shape that the graph requires for the value of ``key`` (the whole value of a partitioned variable);
            ``None`` for any.
        converts: whether the graph casts or reshapes the stored value to fit.
    """

    name: str
    dtype: DataType
    shape: tuple[int | None, ...] | None
    key: str | None
    in_graph: bool
    trainable: bool | None
    role: Role
    entry: Entry | None = None
    slice: tuple[tuple[int, int], ...] | None = None
    demanded: tuple[int, ...] | None = None
    converts: bool = False

    @property
    def mismatch(self) -> str:
        """Type and shape of the stored value, if TensorFlow would not restore it into this variable; otherwise empty."""
        entry = self.entry
        if entry is None or not self.in_graph:
            return ""
        demanded = entry.shape if self.demanded is None else self.demanded
        if self.converts:
            fits = elements(entry.shape) == elements(demanded)
        else:
            fits = entry.shape == demanded and self.dtype in (entry.dtype, DataType.INVALID)
        return "" if fits else f"{entry.dtype.label} {shape_text(entry.shape)}"

    @property
    def declared(self) -> str:
        """Type and shape that the graph requires for the stored value."""
        shape = self.shape if self.demanded is None else self.demanded
        return f"{self.dtype.label} {shape_text(shape)}"

    @property
    def is_missing(self) -> bool:
        """Whether the graph declares it and a checkpoint should hold its value, but none does."""
        return self.in_graph and self.entry is None and self.role is not Role.LOCAL

    @property
    def elements(self) -> int | None:
        """Number of elements; ``None`` if the shape is unknown."""
        return elements(self.shape)

    @property
    def size_bytes(self) -> int | None:
        """Size in memory, in bytes; the stored size for strings; ``None`` if it is unknown."""
        if self.dtype.itemsize is None:
            return self.entry.stored_bytes if self.entry is not None else None
        return extent(self.dtype, self.shape)[1]


@functools.lru_cache(1024)
def extent(dtype: DataType, shape: Shape) -> tuple[int | None, int | None]:
    """The number of elements, and their size in bytes where it is fixed; ``None`` for what is not known."""
    count, itemsize = elements(shape), dtype.itemsize
    return count, None if count is None or itemsize is None else count * itemsize
