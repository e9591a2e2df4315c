"""Sources of examples by index, and the options for reading them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

from graphscope.core.arguments import check_fields
from graphscope.formats.media.pictures import Scaling
from graphscope.training.data.cache import default_cache

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

AS_STORED = "as stored"
TASKS = ("classes", "regression", "multilabel", AS_STORED)
"""The tasks: one class of several, numbers, any number of classes; or as determined by the labels."""


@dataclass(frozen=True, slots=True)
class DataOptions:
    """Options for reading data.

    Attributes:
        task: one of :data:`TASKS`.
        classes: width of the logits, which labels must fit; ``None`` if it is unknown.
        names: the class names in the order of their numbers, from another source; empty: the data's own, sorted.
        scaling: scaling of pixels.
        size: height and width to resize pictures to, in pixels, if the input accepts any.
        schema: for arrays and TFRecords, the names of inputs and labels: ``x=image/encoded,y=image/class/label``.
        strict: whether an unreadable picture is an error; otherwise it is skipped.
        only_classes: the classes to keep, by name or number, renumbered in this order; empty: all.
        limit_per_class: maximum number of examples to keep of each class; ``None``: all.
        seed: determines which, together with the examples' keys.
        cache: the directory for decompressed files and indices.
    """

    task: str = "classes"
    classes: int | None = None
    names: tuple[str, ...] = ()
    scaling: Scaling = field(default_factory=Scaling)
    size: tuple[int, int] | None = None
    schema: str = ""
    strict: bool = False
    only_classes: tuple[str, ...] = ()
    limit_per_class: int | None = None
    seed: int = 0
    cache: Path = field(default_factory=default_cache)

    def __post_init__(self) -> None:
        check_fields(self)
        object.__setattr__(self, "cache", Path(self.cache))


class Dataset(Protocol):
    """Examples by index. Labels are in memory; inputs are read on demand, with memory only for the requested ones.

    Must not be shared by threads, because files are read by position.
    """

    @property
    def keys(self) -> Sequence[str]:
        """A stable name for each example: its file relative to the folder, or a running number. Splits hash it."""

    @property
    def labels(self) -> NDArray[Any]:
        """int64 (n,) for classes; float32 (n, width) for regression and multilabel."""

    @property
    def classes(self) -> tuple[str, ...]:
        """Class names by number; empty if labels are numbers only."""

    @property
    def fingerprint(self) -> str:
        """Identifies the inputs: names, sizes and times of files, the selection of examples, the preprocessing."""

    @property
    def notes(self) -> Sequence[str]:
        """Notes, for example on skipped files."""

    def read(self, indices: NDArray[np.int64]) -> NDArray[Any]:
        """The inputs of some examples, (len(indices), ...), in the type and shape that the model takes.

        Raises:
            CorruptFileError: a file is damaged.
            FileError: a file cannot be read.
            GraphscopeError: an input does not have the shape that the model takes.
        """

    def __len__(self) -> int: ...


Take = Callable[["NDArray[np.int64]"], "NDArray[Any]"]
"""Indices -> inputs as the model takes them."""


@dataclass(frozen=True, slots=True)
class Stored:
    """The data as stored, before classes are selected and labels converted.

    Attributes:
        take: reads inputs.
        labels: (n,) of numbers, of text, or of lists of these (an object array); or (n, width) of numbers.
        keys, fingerprint, notes: as in :class:`Source`.
        names: class names by number, where the data itself states them.
    """

    take: Take
    labels: NDArray[Any]
    keys: Sequence[str]
    fingerprint: str
    names: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Examples:
    """A :class:`Source`."""

    take: Take
    labels: NDArray[Any]
    keys: Sequence[str]
    classes: tuple[str, ...]
    fingerprint: str
    notes: tuple[str, ...] = ()

    def read(self, indices: NDArray[np.int64]) -> NDArray[Any]:
        """See :meth:`Source.read`."""
        return self.take(indices)

    def __len__(self) -> int:
        return len(self.keys)
