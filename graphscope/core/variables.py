"""Variables, and the store that holds their values."""

from __future__ import annotations

import enum
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Protocol

from graphscope.core.dtypes import DataType
from graphscope.core.payload import Payload
from graphscope.core.tensors import elements, shape_text


@dataclass(slots=True)  # not frozen: tens of thousands are made at once, and that would cost a tenth of the time
class Entry:
    """One tensor of a checkpoint, as its index states it.

    Attributes:
        key: the name under which the checkpoint holds it.
        dtype: element type; resource and variant occur and have no content that can be read.
        shape: the full shape, also of a partitioned variable.
        shard: number of the data file; ``None`` where slices lie in several, or the format has no shards.
        slices: number of slices of a partitioned variable; 0 for one that is stored whole.
        stored_bytes: size in the file, where the index states it (compressed or encoded size does not count).
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
    """What a variable is for."""

    MODEL = "model"
    SLOT = "slot"
    MOVING_AVERAGE = "moving average"
    STEP = "step"
    LOCAL = "local"


@dataclass(slots=True)  # not frozen: tens of thousands are made at once, and that would cost a tenth of the time
class Variable:
    """A variable of the graph, or a value of the checkpoint that no variable of the graph takes, or both joined.

    Attributes:
        name: the op's name in the graph; the key where there is no graph.
        dtype: element type.
        shape: ``None`` for a variable of unknown rank that has no value; unknown dimensions are ``None``.
        key: the checkpoint key that holds its value; ``None`` where it has none.
        in_graph: whether the graph declares it; False for values that no variable uses.
        trainable: as the graph's collections or object graph say; ``None`` where nothing says so.
        role: see :class:`Role`.
        entry: the checkpoint's entry behind ``key``.
        slice: start and length in each dimension, for one partition of what ``key`` holds; ``None`` for a whole value.
        demanded: the shape that the graph demands of what ``key`` holds, the whole of a partitioned variable; ``None`` where
            any will do.
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
        """Type and shape of the stored value, where TensorFlow would not restore it into this variable; empty where it fits."""
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
        """Type and shape that the graph demands of the stored value."""
        shape = self.shape if self.demanded is None else self.demanded
        return f"{self.dtype.label} {shape_text(shape)}"

    @property
    def is_missing(self) -> bool:
        """Whether the graph declares it, a checkpoint ought to hold its value, and none does."""
        return self.in_graph and self.entry is None and self.role is not Role.LOCAL

    @property
    def elements(self) -> int | None:
        """Number of elements; ``None`` where the shape is not known."""
        return elements(self.shape)

    @property
    def size_bytes(self) -> int | None:
        """Size in memory, in bytes; what is stored, for strings; ``None`` where it is not known."""
        itemsize = self.dtype.itemsize
        if itemsize is None:
            return self.entry.stored_bytes if self.entry is not None else None
        count = self.elements
        return None if count is None else count * itemsize
