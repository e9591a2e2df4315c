"""Divides data into training and validation: by a hash of each example's key, so that an example stays on its side.

Nothing else counts: neither the order of the examples nor the machine. Only a class that would be missing on one side has one
of its examples moved there, where it has two.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from graphscope.errors import GraphscopeError
from graphscope.training.data.keys import key_fractions
from graphscope.training.data.source import Dataset

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

BY_KEY = 1
"""The first version: by the hash alone, so that a class may be missing on a side."""

WITH_CLASSES = 2
"""The version for new trainings."""


def split(source: Dataset, fraction: float, version: int = WITH_CLASSES) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Indices for training and indices for validation, each ascending; an expected ``fraction`` is for validation.

    Args:
        version: how to divide; a training run keeps the one that it began with.

    Raises:
        GraphscopeError: ``fraction`` is not between 0 and 1, or one of the two parts is empty.
    """
    import numpy as np

    if not 0 < fraction < 1:
        raise GraphscopeError(f"a validation part of {fraction:g}; it is a fraction between 0 and 1")
    numbers = key_fractions(source.keys)
    chosen = numbers < fraction
    if version >= WITH_CLASSES and has_classes(source.labels):
        _spread_classes(source, numbers, chosen)
    training, validation = np.flatnonzero(~chosen), np.flatnonzero(chosen)
    if not len(training) or not len(validation):
        side = "training" if len(validation) else "validation"
        raise GraphscopeError(
            f"of {len(source):,} examples, split at {fraction:g} by their names, none is for {side}",
            hint="another fraction, or data of its own for validation",
        )
    return training.astype(np.int64), validation.astype(np.int64)


def has_classes(labels: NDArray[np.generic]) -> bool:
    """Whether each example has one class: labels of other tasks are floating-point numbers or rows."""
    return labels.ndim == 1 and labels.dtype.kind in "iu"


def _spread_classes(source: Dataset, numbers: NDArray[np.float64], chosen: NDArray[np.bool_]) -> None:
    """Moves the nearest example of every class of two or more that is missing on a side."""
    import numpy as np

    order = np.lexsort((numbers, source.labels))
    _, starts, counts = np.unique(source.labels[order], return_index=True, return_counts=True)
    for start, count in zip(starts.tolist(), counts.tolist()):
        held_out = int(np.count_nonzero(chosen[order[start : start + count]]))
        if count > 1 and held_out in (0, count):
            moved = order[start] if held_out == 0 else order[start + count - 1]
            chosen[moved] = held_out == 0
