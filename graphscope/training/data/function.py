"""A Python function that returns the data: ``python:module:function``.

It returns arrays ``(x, y)``, or an object with ``__len__`` and ``__getitem__``, where ``data[i]`` is ``(x, y)`` of one example.
"""

from __future__ import annotations

import hashlib
import secrets
from typing import TYPE_CHECKING, Any

from graphscope.errors import GraphscopeError
from graphscope.feeding.inputs import Input
from graphscope.training.data.cache import digest
from graphscope.training.data.keys import Numbered
from graphscope.training.data.source import Stored
from graphscope.training.heads.python import load_function

if TYPE_CHECKING:
    from numpy.typing import NDArray

PREFIX = "python:"


def open_function(text: str, into: Input) -> Stored:
    """Calls the function without arguments and opens its result.

    An object may have ``labels``; otherwise all of its examples are read once for their labels. It may have a ``fingerprint``
    (a string that changes with the data), without which its features are computed again in each run.

    Raises:
        GraphscopeError: there is no such function, it raises, or returns something else.
    """
    function = load_function(text)
    try:
        found = function()
        if isinstance(found, tuple) and len(found) == 2:
            return _arrays(*found, into)
        if hasattr(found, "__len__") and hasattr(found, "__getitem__"):
            return _items(found, into)
    except GraphscopeError:
        raise
    except Exception as error:  # what a person's function raises can be anything
        raise GraphscopeError(f"{text} raised {type(error).__name__}: {error}") from error
    raise GraphscopeError(
        f"{text} returned {type(found).__name__}, but (x, y) or an object with __len__ and __getitem__ was expected"
    )


def _arrays(x: Any, y: Any, into: Input) -> Stored:
    import numpy as np

    inputs, labels = np.asarray(x), _labels(y)
    if not inputs.ndim or len(inputs) != len(labels):
        raise GraphscopeError(f"x is {inputs.shape}, y {labels.shape}: one row and one label per example are needed")
    content = hashlib.sha256(np.ascontiguousarray(inputs).data.cast("B") if inputs.size else b"").hexdigest()
    return Stored(
        lambda indices: into.values(inputs[indices]),
        labels,
        Numbered(len(labels)),
        digest("arrays", inputs.dtype.str, inputs.shape, content),
    )


def _items(items: Any, into: Input) -> Stored:
    import numpy as np

    count = len(items)
    given = getattr(items, "labels", None)
    labels = _labels([items[i][1] for i in range(count)] if given is None else given)
    fingerprint = getattr(items, "fingerprint", None)

    def take(indices: NDArray[Any]) -> NDArray[Any]:
        return into.values(np.stack([np.asarray(items[i][0]) for i in indices.tolist()]))

    return Stored(take, labels, Numbered(count), digest("items", str(fingerprint or secrets.token_hex(16)), count))


def _labels(labels: Any) -> NDArray[Any]:
    """Lists of unequal length as an array of lists."""
    import numpy as np

    if isinstance(labels, np.ndarray):
        return labels
    items = list(labels)
    if len({len(item) for item in items if isinstance(item, list | tuple)}) <= 1:
        return np.asarray(items)
    result = np.empty(len(items), object)
    result[:] = [list(item) for item in items]
    return result
