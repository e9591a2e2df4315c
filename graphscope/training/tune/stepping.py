"""Training steps and validation: by one process on one device, or by several together."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext
from itertools import islice
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, Protocol

from graphscope.core.model import Model
from graphscope.core.tensors import TensorSpec
from graphscope.core.values.payload import Payload
from graphscope.named_tuple import NamedTuple
from graphscope.runtime.config import UNPLACED, Placing, session_config
from graphscope.runtime.session import Session
from graphscope.training.recipe import Recipe
from graphscope.training.tune.examples import Examples, Feeder
from graphscope.training.tune.order import batches
from graphscope.training.tune.resume import Settings
from graphscope.training.tune.training_job import Job

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray


class Stepped(NamedTuple):
    """What a step says: means over its examples, the learning rate that it took, the number of its examples."""

    loss: float
    metric: float
    rate: float
    examples: int


class Judged(NamedTuple):
    """Results of an evaluated batch: means, predictions with a row for each example, int64 indices."""

    loss: float
    metric: float
    predictions: NDArray[Any]
    indices: NDArray[np.int64]


class Stepping(Protocol):
    """Trains and evaluates in an open session."""

    def steps(self, epoch: int, numbers: range) -> Iterator[Stepped]:
        """The steps with these numbers of an epoch, both from 0; fewer, where someone asks to stop."""

    def judging(self) -> AbstractContextManager[object]:
        """What surrounds a validation."""

    def judge(self, examples: Examples) -> Iterator[Judged]:
        """Every batch of ``examples``, in order."""

    def is_asked_to_stop(self) -> bool:
        """Whether training is to end after this step, or in the middle of a validation."""


class Team:
    """The team that runs the steps of a training run; here, one process on one device.

    Attributes:
        fetches: what steps fetch besides the tensors of the recipe.
        is_writer: whether this process writes checkpoints.
        is_elastic: whether another process may take over the writing.
        is_rejoining: whether the variables hold what others have trained since the last checkpoint.
        values: variable that only the team's steps have -> its value.
    """

    fetches: Sequence[str] = ()
    is_writer = True
    is_elastic = False
    is_rejoining = False
    values: Mapping[str, Payload] = MappingProxyType({})

    def given(self, given: Sequence[TensorSpec]) -> Sequence[TensorSpec]:
        """What every run is fed, where one process alone is fed ``given``."""
        return given

    def model(self, model: Model, recipe: Recipe, given: Sequence[TensorSpec]) -> Model:  # noqa: ARG002
        """What the session runs of ``model``, where one process alone is fed ``given`` in every run."""
        return model

    def placing(self) -> Placing:
        """Where it runs; here, wherever TensorFlow puts it."""
        return UNPLACED

    def config(self) -> Any:
        """The session's ``tf.compat.v1.ConfigProto``."""
        return session_config()

    def keep(self, session: Session) -> Collection[str]:  # noqa: ARG002
        """The variables to which others give their values."""
        return ()

    def stepping(self, session: Session, job: Job, settings: Settings, interrupted: Callable[[], bool]) -> Stepping:  # noqa: ARG002
        """How steps are made. ``settings`` are those that all must share; ``interrupted`` tells whether to stop."""
        return Alone(session, job, interrupted)


class InOrder(ABC):
    """What makes one step after the other.

    Attributes:
        job: on what.
    """

    def __init__(self, job: Job) -> None:
        self.job = job

    @abstractmethod
    def step(self, indices: NDArray[np.int64], feeder: Feeder) -> Stepped:
        """One step on the examples with these indices."""

    def steps(self, epoch: int, numbers: range) -> Iterator[Stepped]:
        """See :meth:`Stepping.steps`."""
        feeder = self.job.feeder(epoch)
        for indices in islice(self.job.order.batches(epoch, numbers.start), len(numbers)):
            yield self.step(indices, feeder)

    def judging(self) -> AbstractContextManager[object]:
        """See :meth:`Stepping.judging`: nothing."""
        return nullcontext()


class Alone(InOrder):
    """A :class:`Stepping` of one process on one device."""

    def __init__(self, session: Session, job: Job, interrupted: Callable[[], bool]) -> None:
        super().__init__(job)
        self._session = session
        self.is_asked_to_stop = interrupted

    def step(self, indices: NDArray[np.int64], feeder: Feeder) -> Stepped:
        """See :meth:`InOrder.step`."""
        recipe = self.job.recipe
        feeds = self.job.training.feeds(indices, feeder) | switched_on(recipe)
        found: list[Any] = self._session.run([recipe.loss, recipe.metric, recipe.learning_rate, recipe.train_op], feeds)
        loss, metric, rate = map(float, found[:3])
        return Stepped(loss, metric, rate, len(indices))

    def judge(self, examples: Examples) -> Iterator[Judged]:
        """See :meth:`Stepping.judge`."""
        for indices in batches(examples.indices, self.job.options.batch):
            yield judge(self._session, self.job.recipe, examples, indices)


def judge(session: Session, recipe: Recipe, examples: Examples, indices: NDArray[np.int64]) -> Judged:
    """One batch, in the session of one process."""
    found: list[Any] = session.run([recipe.loss, recipe.metric, recipe.predictions], examples.feeds(indices))
    return Judged(float(found[0]), float(found[1]), found[2], indices)


def switched_on(recipe: Recipe) -> dict[str, NDArray[Any]]:
    """What tells dropout and batch norms that this is training."""
    import numpy as np

    return {recipe.training: np.array(True)} if recipe.training else {}
