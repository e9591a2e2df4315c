"""Checks whether there are enough validation examples."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from graphscope.advice import Advice, Option
from graphscope.errors import some
from graphscope.training.tune.examples import Examples
from graphscope.training.tune.split import has_classes

FEW = 20
"""Below this one example more or less moves the accuracy by more than 5 %."""

_LISTED = 5


def doubts(training: Examples, validation: Examples | None, names: Sequence[str]) -> Iterator[str | Advice]:
    """What speaks against the figures of ``validation``: it is too small, or classes are missing on a side.

    Args:
        names: of the classes; empty if they are numbers only.
    """
    if validation is None:
        return
    count = len(validation)
    if 0 < count < FEW:
        examples = "1 example" if count == 1 else f"{count} examples"
        text = f"validation has {examples} only, too few to judge by: each counts for {100 / count:.3g} %; "
        yield Advice(text, Option("validation"), " takes a larger fraction, or data of its own")
    sides = {"training": training, "validation": validation}
    if not all(has_classes(side.source.labels) for side in sides.values()):
        return
    present = {name: set(side.source.labels[side.indices].tolist()) for name, side in sides.items()}
    for side, other in (("training", "validation"), ("validation", "training")):
        missing = sorted(present[other] - present[side])
        if missing:
            listed = some((names[n] if n < len(names) else str(n) for n in missing), _LISTED)
            noun = "class" if len(missing) == 1 else "classes"
            yield f"{noun} without an example in {side}: {listed}"
