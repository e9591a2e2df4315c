"""What a session is fed for some examples: the base's input, or the features that the base gave for it once."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol

from graphscope.training.data.source import Dataset
from graphscope.training.recipe import Recipe
from graphscope.training.tune.augment import Augmentation, example_seeds

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

Feeds = Mapping[str, "NDArray[Any]"]
"""Tensor name -> value."""


class Feeder(Protocol):
    """Gives the feeds of some examples, labels left out."""

    def feeds(self, indices: NDArray[np.int64]) -> Feeds:
        """What to feed for the examples with these indices; raises as :meth:`Source.read`."""


@dataclass(frozen=True, slots=True)
class Examples:
    """Labelled examples.

    Attributes:
        source: the data; its labels are in memory.
        indices: int64 (n,), which of them count.
        feeder: what is fed for them.
        recipe: whose tensors are fed.
        label_shape: of one example's label, where it has more than one dimension.
    """

    source: Dataset
    indices: NDArray[np.int64]
    feeder: Feeder
    recipe: Recipe
    label_shape: tuple[int, ...] = ()

    def __len__(self) -> int:
        return len(self.indices)

    def labels(self, indices: NDArray[np.int64]) -> NDArray[Any]:
        """Of some examples."""
        found: NDArray[Any] = self.source.labels[indices]
        return found.reshape(len(found), *self.label_shape) if len(self.label_shape) > 1 else found

    def feeds(self, indices: NDArray[np.int64], feeder: Feeder | None = None) -> dict[str, NDArray[Any]]:
        """What to feed for some examples, labels included.

        Args:
            feeder: another one than that of the examples, which augments.
        """
        return {**(feeder or self.feeder).feeds(indices), self.recipe.labels: self.labels(indices)}


@dataclass(frozen=True, slots=True)
class WholeInputs:
    """A :class:`Feeder` of the base's input.

    Attributes:
        source: the data.
        tensor: the placeholder.
    """

    source: Dataset
    tensor: str

    def feeds(self, indices: NDArray[np.int64]) -> Feeds:
        """See :meth:`Feeder.feeds`."""
        return {self.tensor: self.source.read(indices)}


class Rows(Protocol):
    """Arrays on disk with a row for each example, one for each feature tensor."""

    def read(self, indices: NDArray[np.int64]) -> Sequence[NDArray[Any]]:
        """The rows of some examples, for each tensor."""


@dataclass(frozen=True, slots=True)
class CachedFeatures:
    """A :class:`Feeder` of what is below the stopped gradient.

    Attributes:
        store: the features.
        tensors: what they are the values of.
    """

    store: Rows
    tensors: tuple[str, ...]

    def feeds(self, indices: NDArray[np.int64]) -> Feeds:
        """See :meth:`Feeder.feeds`."""
        return dict(zip(self.tensors, self.store.read(indices), strict=True))


@dataclass(frozen=True, slots=True)
class AugmentedInputs:
    """A :class:`Feeder` of the base's input, changed by chance; the same chance for the same epoch and example.

    Attributes:
        source: the data.
        tensor: the placeholder.
        augmentation: what happens to a batch.
        seed: of the training run.
        epoch: from 0.
    """

    source: Dataset
    tensor: str
    augmentation: Augmentation
    seed: int
    epoch: int

    def feeds(self, indices: NDArray[np.int64]) -> Feeds:
        """See :meth:`Feeder.feeds`."""
        seeds = example_seeds(self.seed, self.epoch, indices)
        return {self.tensor: self.augmentation(self.source.read(indices), seeds)}
