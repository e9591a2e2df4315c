"""Top classes: for each example, the classes with the highest scores."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from graphscope.errors import GraphscopeError

if TYPE_CHECKING:
    from numpy.typing import NDArray


@dataclass(frozen=True, slots=True)
class Guess:
    """A class with its score.

    Attributes:
        index: of the class.
        label: its name; the index as text where the names are not known.
        score: the model's value: a probability or a logit.
    """

    index: int
    label: str
    score: float


@dataclass(frozen=True, slots=True)
class Example:
    """The prediction for one example.

    Attributes:
        output: name of the scores.
        name: of the example: a picture's file, or its running number.
        guesses: highest score first; of equal scores the lower index first; NaN last.
        truth: its true class; empty if unknown.
    """

    output: str
    name: str
    guesses: tuple[Guess, ...]
    truth: str = ""

    @property
    def is_right(self) -> bool | None:
        """Whether the first guess is correct; ``None`` if the true class is unknown."""
        return self.guesses[0].label == self.truth if self.truth else None


@dataclass(frozen=True, slots=True)
class Naming:
    """Names of examples and classes.

    Attributes:
        examples: names of the examples that have one.
        classes: names of the known classes.
        truth: example -> label.
    """

    examples: Sequence[str] = ()
    classes: Sequence[str] = ()
    truth: Mapping[str, str] = field(default_factory=dict)


def are_scores(values: NDArray[Any]) -> bool:
    """Whether an array may hold scores of classes: floating-point numbers, a row (of two at least) for each example."""
    is_floating = values.dtype.kind == "f" or values.dtype.type.__module__ == "ml_dtypes"
    return is_floating and values.ndim > 0 and values.shape[-1] > 1 and _examples(values) is not None


def top_classes(output: str, values: NDArray[Any], count: int, naming: Naming) -> list[Example]:
    """The ``count`` highest classes of each example.

    Args:
        values: for which :func:`are_scores` holds.

    Raises:
        GraphscopeError: there are more or fewer names than classes.
    """
    import numpy as np

    rows = values.reshape(_examples(values) or 0, values.shape[-1]).astype(np.float64)
    if naming.classes and len(naming.classes) != rows.shape[1]:
        raise GraphscopeError(f"{len(naming.classes):,} labels, but {output} has {rows.shape[1]:,} classes")
    order = np.argsort(-rows, axis=1, kind="stable")[:, :count]
    names = naming.examples if len(naming.examples) == len(rows) else [str(i) for i in range(len(rows))]
    return [
        Example(output, name, tuple(_guess(int(k), row, naming) for k in best), naming.truth.get(name, ""))
        for name, row, best in zip(names, rows, order)
    ]


def _guess(index: int, row: NDArray[Any], naming: Naming) -> Guess:
    return Guess(index, naming.classes[index] if naming.classes else str(index), float(row[index]))


def _examples(values: NDArray[Any]) -> int | None:
    """How many examples: the first dimension; ``None`` if further ones make it a map of scores."""
    if values.ndim < 2:
        return 1
    return int(values.shape[0]) if all(size == 1 for size in values.shape[1:-1]) else None
