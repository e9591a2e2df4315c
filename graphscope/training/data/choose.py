"""Keeps some classes, and some examples of each."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from graphscope.errors import ArgumentError, GraphscopeError, UnknownNameError
from graphscope.training.data.cache import digest
from graphscope.training.data.keys import Chosen, key_fractions
from graphscope.training.data.labels import class_numbers
from graphscope.training.data.source import AS_STORED, DataOptions, Stored

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray


def choose(stored: Stored, options: DataOptions) -> Stored:
    """``stored`` with the classes in ``options.only_classes`` and at most ``options.limit_per_class`` examples of each class.

    The kept examples of a class are those whose keys have the smallest hashes, so that files added later replace few of them.

    Raises:
        UnknownNameError: the data does not have a class.
        GraphscopeError: the task has no classes to choose by; a class has no examples, or is named twice.
        ArgumentError: the limit is below 1.
    """
    import numpy as np

    if not options.only_classes and options.limit_per_class is None:
        return stored
    if options.limit_per_class is not None and options.limit_per_class < 1:
        raise ArgumentError(f"at least 1 example of each class is needed, not {options.limit_per_class}")
    if options.task not in ("classes", AS_STORED):
        raise GraphscopeError("examples can only be chosen by class if each has one class")
    numbers, names = class_numbers(stored, replace(options, names=()))
    wanted = _places(numbers, names, options.only_classes) if options.only_classes else np.unique(numbers)
    indices = np.flatnonzero(np.isin(numbers, wanted)).astype(np.int64)
    if options.limit_per_class is not None:
        indices = _limit(stored.keys, numbers, indices, options.limit_per_class, options.seed)
    kept = numbers[indices]
    if options.only_classes:
        kept = np.array([{int(w): i for i, w in enumerate(wanted)}[int(n)] for n in kept], np.int64)
        names = options.only_classes
    fingerprint = digest(stored.fingerprint, digest(indices.tolist()))
    take = stored.take
    return replace(
        stored,
        take=lambda chosen: take(indices[chosen]),
        labels=kept,
        keys=Chosen(stored.keys, indices),
        fingerprint=fingerprint,
        names=names,
    )


def _places(numbers: NDArray[np.int64], names: Sequence[str], only: Sequence[str]) -> NDArray[np.int64]:
    """The numbers of the classes in ``only``, in its order."""
    import numpy as np

    known = {name: i for i, name in enumerate(names)} if names else {str(n): n for n in np.unique(numbers).tolist()}
    for i, name in enumerate(only):
        if name not in known:
            raise UnknownNameError("class", name, known)
        if name in only[:i]:
            raise GraphscopeError(f"class {name!r} is named twice")
    return np.array([known[name] for name in only], np.int64)


def _limit(
    keys: Sequence[str], numbers: NDArray[Any], indices: NDArray[np.int64], limit: int, seed: int
) -> NDArray[np.int64]:
    import numpy as np

    places = key_fractions(Chosen(keys, indices), f"limit {seed}")
    order = indices[np.argsort(places, kind="stable")]
    groups = (order[numbers[order] == number][:limit] for number in np.unique(numbers[indices]))
    return np.sort(np.concatenate(list(groups)))
