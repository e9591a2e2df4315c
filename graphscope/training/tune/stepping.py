"""How a step is made, and how examples are judged: by one process on one device, or by several together."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple, Protocol

from graphscope.core.model import Model
from graphscope.core.tensors import TensorSpec
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
    """What a step says: means over its examples, and the learning rate that it took."""

    loss: float
    metric: float
    rate: float


class Judged(NamedTuple):
    """A batch that was judged: means, predictions with a row for each example, int64 indices."""

    loss: float
    metric: float
    predictions: NDArray[Any]
    indices: NDArray[np.int64]


class Stepping(Protocol):
    """Trains and judges in an open session."""

    def step(self, indices: NDArray[np.int64], feeder: Feeder) -> Stepped:
        """One step on the examples with these indices."""

    def judge(self, examples: Examples) -> Iterator[Judged]:
        """Every batch of ``examples``, in order."""

    def is_asked_to_stop(self) -> bool:
        """Whether training is to end after this step, or in the middle of a validation."""


class Team(Protocol):
    """Who makes the steps of a training together."""

    @property
    def fetches(self) -> Sequence[str]:
        """What steps fetch besides the tensors of the recipe."""

    @property
    def is_writer(self) -> bool:
        """Whether this process writes checkpoints."""

    def given(self, given: Sequence[TensorSpec]) -> Sequence[TensorSpec]:
        """What every run is fed, where one process alone is fed ``given``."""

    def model(self, model: Model, recipe: Recipe, given: Sequence[TensorSpec]) -> Model:
        """What the session runs of ``model``, where one process alone is fed ``given`` in every run."""

    def placing(self) -> Placing:
        """Where it runs."""

    def config(self) -> Any:
        """The session's ``tf.compat.v1.ConfigProto``."""

    def stepping(self, session: Session, job: Job, settings: Settings, interrupted: Callable[[], bool]) -> Stepping:
        """How steps are made. ``settings`` are those that all must share; ``interrupted`` tells whether to stop."""


class Single:
    """A :class:`Team` of one process on one device."""

    fetches = ()
    is_writer = True

    def given(self, given: Sequence[TensorSpec]) -> Sequence[TensorSpec]:
        """See :meth:`Team.given`."""
        return given

    def model(self, model: Model, recipe: Recipe, given: Sequence[TensorSpec]) -> Model:  # noqa: ARG002
        """See :meth:`Team.model`: as it is."""
        return model

    def placing(self) -> Placing:
        """See :meth:`Team.placing`: wherever TensorFlow puts it."""
        return UNPLACED

    def config(self) -> Any:
        """See :meth:`Team.config`."""
        return session_config()

    def stepping(self, session: Session, job: Job, settings: Settings, interrupted: Callable[[], bool]) -> Stepping:  # noqa: ARG002
        """See :meth:`Team.stepping`."""
        return Alone(session, job, interrupted)


class Alone:
    """A :class:`Stepping` of one process on one device."""

    def __init__(self, session: Session, job: Job, interrupted: Callable[[], bool]) -> None:
        self._session = session
        self._job = job
        self.is_asked_to_stop = interrupted

    def step(self, indices: NDArray[np.int64], feeder: Feeder) -> Stepped:
        """See :meth:`Stepping.step`."""
        recipe = self._job.recipe
        feeds = self._job.training.feeds(indices, feeder) | switched_on(recipe)
        found: list[Any] = self._session.run([recipe.loss, recipe.metric, recipe.learning_rate, recipe.train_op], feeds)
        return Stepped(*map(float, found[:3]))

    def judge(self, examples: Examples) -> Iterator[Judged]:
        """See :meth:`Stepping.judge`."""
        for indices in batches(examples.indices, self._job.options.batch):
            yield judge(self._session, self._job.recipe, examples, indices)


def judge(session: Session, recipe: Recipe, examples: Examples, indices: NDArray[np.int64]) -> Judged:
    """One batch, in the session of one process."""
    found: list[Any] = session.run([recipe.loss, recipe.metric, recipe.predictions], examples.feeds(indices))
    return Judged(float(found[0]), float(found[1]), found[2], indices)


def switched_on(recipe: Recipe) -> dict[str, NDArray[Any]]:
    """What tells dropout and batch norms that this is training."""
    import numpy as np

    return {recipe.training: np.array(True)} if recipe.training else {}
