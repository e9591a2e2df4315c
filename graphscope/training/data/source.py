"""What examples are: a source by index, and the options that say how to read one."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

from graphscope.formats.media.pictures import Scaling
from graphscope.training.data.cache import default_cache

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

AS_STORED = "as stored"
TASKS = ("classes", "regression", "multilabel", AS_STORED)
"""What labels mean: one class of several, numbers, any number of classes; or whichever of these they look like."""


@dataclass(frozen=True, slots=True)
class DataOptions:
    """How data is read.

    Attributes:
        task: one of :data:`TASKS`.
        classes: width of the logits, which labels must fit; ``None`` if nothing is known of it.
        names: the class names in the order of their numbers, as another source found them; empty: the data's own, sorted.
        scaling: what is done to pixels.
        size: height and width that pictures are brought to, in pixels, where the input takes any.
        schema: for arrays and TFRecords, which name holds what: ``x=image/encoded,y=image/class/label``.
        strict: whether an unreadable picture is an error; it is skipped otherwise.
        only_classes: the classes to keep, by name or number, which are numbered anew in this order; empty: all.
        limit_per_class: how many examples of each class to keep at most; ``None``: all.
        seed: chooses which, together with the examples' keys.
        cache: where inflated files and indices are kept.
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


class Dataset(Protocol):
    """Examples by index. Labels are in memory; inputs are read on demand, in memory bounded by what is asked for.

    Not to be shared by threads: files are read by position.
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
        """Differs where inputs may differ: names, sizes and times of files, what is chosen of them, the preprocessing."""

    @property
    def notes(self) -> Sequence[str]:
        """What a person should know: what was skipped."""

    def read(self, indices: NDArray[np.int64]) -> NDArray[Any]:
        """The inputs of some examples, (len(indices), ...), in the type and shape that the model takes.

        Raises:
            CorruptFileError: a file is damaged.
            FileError: a file cannot be read.
            GraphscopeError: an input has not the shape that the model takes.
        """

    def __len__(self) -> int: ...


Take = Callable[["NDArray[np.int64]"], "NDArray[Any]"]
"""Indices -> inputs as the model takes them."""


@dataclass(frozen=True, slots=True)
class Stored:
    """What one kind of data gives, before classes are chosen and labels made of what is stored.

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
