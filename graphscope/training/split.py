"""Divides data into training and validation: by a hash of each example's key, so that an example stays on its side.

Nothing else counts: neither the order of the examples nor how many there are nor the machine.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from graphscope.errors import GraphscopeError
from graphscope.training.data.keys import key_fractions
from graphscope.training.data.source import Source

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray


def split(source: Source, fraction: float) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Indices for training and indices for validation, each ascending; an expected ``fraction`` is for validation.

    Raises:
        GraphscopeError: ``fraction`` is not between 0 and 1, or one of the two parts is empty.
    """
    import numpy as np

    if not 0 < fraction < 1:
        raise GraphscopeError(f"a validation part of {fraction:g}; it is a fraction between 0 and 1")
    chosen = key_fractions(source.keys) < fraction
    training, validation = np.flatnonzero(~chosen), np.flatnonzero(chosen)
    if not len(training) or not len(validation):
        side = "training" if len(validation) else "validation"
        raise GraphscopeError(
            f"of {len(source):,} examples, split at {fraction:g} by their names, none is for {side}",
            hint="another fraction, or data of its own for validation",
        )
    return training.astype(np.int64), validation.astype(np.int64)
