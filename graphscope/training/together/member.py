"""One of several processes that train together: every one holds all variables, and takes the same steps."""

from __future__ import annotations

import hashlib
import json
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from graphscope.cluster.hosts import WORKER, Cluster, Task
from graphscope.cluster.reach import find_obstacle
from graphscope.cluster.share import Share
from graphscope.core.model import Model
from graphscope.core.tensors import TensorSpec
from graphscope.errors import GraphscopeError
from graphscope.runtime.config import Placing, SessionOptions, session_config
from graphscope.runtime.session import Session
from graphscope.runtime.tasks.answers import wait_for_servers
from graphscope.runtime.tensorflow import tensorflow
from graphscope.training.recipe import Recipe
from graphscope.training.together.averaged import SCOPE
from graphscope.training.together.averaging import LOSS, METRIC, averaged_values, part_of, weight_of
from graphscope.training.together.collective import (
    HEARD,
    STOP,
    STOPS,
    TOLD,
    TOPIC,
    WEIGHT,
    topic,
    with_collective,
)
from graphscope.training.together.kinds import Kind, declare, find_others, refuse_others, wait_for_same_kind
from graphscope.training.together.membership import agree_on_members, find_leader
from graphscope.training.together.server import PROBE_S, Server, first_silent
from graphscope.training.tune.examples import Examples, Feeder
from graphscope.training.tune.order import batches
from graphscope.training.tune.resume import Settings
from graphscope.training.tune.stepping import InOrder, Judged, Stepped, Team, judge, switched_on
from graphscope.training.tune.training_job import Job

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

_DIGEST = 3
"""16-bit numbers, exact in float32, that represent a setting."""

_STAY_S = 1.0
"""How long a process stays that has lost another."""


class Member(Team):
    """A :class:`graphscope.training.tune.stepping.Team`: a process among those of a cluster."""

    def __init__(
        self, cluster: Cluster, share: Share, threads: SessionOptions, timeout_s: float, *, is_elastic: bool = False
    ) -> None:
        """Says where the others are.

        Args:
            share: which of the workers this process is.
            threads: of this process.
            timeout_s: how long a step may take, the slowest member included.
            is_elastic: whether those that are left go on without a lost one.
        """
        self.is_elastic = is_elastic
        self._leader = 0
        self._cluster = cluster
        self._share = share
        self._task = Task(WORKER, share.rank)
        self._members = [Task(WORKER, rank) for rank in range(share.count)]
        self._threads = threads
        self._timeout_s = timeout_s
        self._server = Server(cluster, self._task, self.config)
        self._kind = Kind(asynchronous=False, elastic=is_elastic, workers=len(cluster.workers))

    fetches = (LOSS, METRIC, STOPS, HEARD)

    @property
    def is_writer(self) -> bool:  # type: ignore[override]
        """Whether this process leads the others."""
        return self._task.index == self._leader

    def model(self, model: Model, recipe: Recipe, given: Sequence[TensorSpec]) -> Model:
        """The model whose steps write averages."""
        graph, values = averaged_values(model, recipe, given)
        return model.with_graph(with_collective(graph, values, self._share.count))

    def placing(self) -> Placing:
        """Everything runs in this process, the reduction on its processor. Its server starts; the others are waited for.

        Raises:
            GraphscopeError: the port is taken, or another worker does not answer in time or trains otherwise.
        """
        import re

        task = f"/job:{WORKER}/replica:0/task:{self._task.index}"
        target = self._start()
        wait_for_servers(self._cluster, self._others, self._timeout_s)
        wait_for_same_kind(self._cluster, self._task, self._others, self._kind, self._timeout_s)
        rule = (re.compile(f"^{SCOPE}/"), f"{task}/device:CPU:0")
        return Placing(clear_devices=True, place=[rule], device=task, master=target, timeout_s=self._timeout_s)

    def _start(self) -> str:
        """The address of its server as a master."""
        target = self._server.start()
        declare(self._cluster, self._task, self._kind)
        return target

    @property
    def _others(self) -> list[Task]:
        return [member for member in self._members if member != self._task]

    def agree(self) -> None:
        """Goes on with those that are there, the first of them as the leader.

        Raises:
            GraphscopeError: this process is not one of them, or another worker trains otherwise.
        """
        rank = self._task.index
        others = self._others
        if not find_others(self._cluster, others, self._kind):
            self._leader = find_leader(self._cluster, rank, self._timeout_s)
        self._start()
        refuse_others(self._task, find_others(self._cluster, others, self._kind))
        ranks = agree_on_members(self._cluster, rank, self._leader, self._timeout_s)
        self._members = [Task(WORKER, rank) for rank in ranks]
        self._share = replace(self._share, rank=ranks.index(self._task.index), count=len(ranks))

    def find_lost(self) -> str | None:
        """The worker that is gone or hangs, if it can be determined; ``None`` if all answer.

        Those that look for it too stay for a moment, so that they are not taken for it.
        """
        gone = next(filter(self._is_gone, self._others), None)
        time.sleep(_STAY_S)
        if gone is not None:
            return f"{gone} is gone"
        silent = self._find_silent()
        if silent is None:
            return None
        return f"{silent} is gone" if self._is_gone(silent) else f"{silent} does not answer"

    def _is_gone(self, task: Task) -> bool:
        """Whether nothing listens there; a process that is just ending may still do."""
        return find_obstacle(self._cluster.addresses[task], PROBE_S) is not None

    def _find_silent(self) -> Task | None:
        signs = tensorflow().errors.DeadlineExceededError
        return first_silent(self._server.start(), self._task, self._others, PROBE_S, signs)

    def config(self) -> Any:
        """Time limits that hold: without RPC to itself, a session waits for ever."""
        config = session_config(self._threads)
        config.device_filters.append(f"/job:{WORKER}/task:{self._task.index}")
        config.operation_timeout_in_ms = int(1000 * self._timeout_s)
        config.rpc_options.use_rpc_for_inprocess_master = True
        config.experimental.collective_group_leader = f"/job:{WORKER}/replica:0/task:{self._leader}"
        return config

    def stepping(self, session: Session, job: Job, settings: Settings, interrupted: Callable[[], bool]) -> Together:
        """Steps with the others, once all have said that they train the same.

        Raises:
            GraphscopeError: one has other settings.
        """
        together = Together(session, job, self._share, interrupted)
        _refuse_other_settings(together, self._share, settings, self._members)
        return together


class Together(InOrder):
    """A :class:`graphscope.training.tune.stepping.Stepping` of several processes."""

    def __init__(self, session: Session, job: Job, share: Share, interrupted: Callable[[], bool]) -> None:
        super().__init__(job)
        self._session = session
        self._share = share
        self._interrupted = interrupted
        self._stops = False

    def step(self, indices: NDArray[np.int64], feeder: Feeder) -> Stepped:
        """See :meth:`InOrder.step`: this process computes its part of the examples."""
        import numpy as np

        recipe, share = self.job.recipe, self._share
        own = indices[part_of(len(indices), share.rank, share.count)]
        feeds = self.job.training.feeds(own, feeder) | switched_on(recipe)
        feeds[WEIGHT] = np.array(weight_of(len(indices), share.rank, share.count), np.float32)
        feeds[STOP] = np.array(self._interrupted(), np.float32)
        found: list[Any] = self._session.run([LOSS, METRIC, recipe.learning_rate, STOPS, recipe.train_op], feeds)
        self._stops = float(found[3]) > 0
        loss, metric, rate = map(float, found[:3])
        return Stepped(loss, metric, rate, len(indices))

    def judge(self, examples: Examples) -> Iterator[Judged]:
        """See :meth:`Stepping.judge`: batches go round, and every process hears of all of them."""
        every = list(batches(examples.indices, self.job.options.batch))
        for first in range(0, len(every), self._share.count):
            turn = every[first : first + self._share.count]
            yield from self._judge(examples, turn)

    def _judge(self, examples: Examples, turn: Sequence[NDArray[np.int64]]) -> Iterator[Judged]:
        """One batch for each process; fewer in the last turn."""
        import numpy as np

        rank = self._share.rank
        own = judge(self._session, self.job.recipe, examples, turn[rank if rank < len(turn) else 0])
        shape = own.predictions.shape[1:]
        rows = max(map(len, turn))
        slots = np.zeros((self._share.count, 3 + rows * int(np.prod(shape))), np.float32)
        if rank < len(turn):
            flat = own.predictions.reshape(-1)
            slots[rank, :3] = own.loss, own.metric, self._interrupted()
            slots[rank, 3 : 3 + len(flat)] = flat
        heard = self.hear(slots)
        self._stops = bool(heard[:, 2].any())
        for indices, slot in zip(turn, heard):
            predictions = slot[3:].reshape(rows, *shape)[: len(indices)]
            yield Judged(float(slot[0]), float(slot[1]), predictions, indices)

    def hear(self, told: NDArray[Any]) -> NDArray[Any]:
        """The sum of what all processes tell at this moment: float32 arrays of one shape."""
        import numpy as np

        [found] = self._session.run([HEARD], {TOLD: told.reshape(-1), TOPIC: np.array(topic(told.size), np.int32)})
        assert found is not None
        return found.reshape(told.shape)

    def is_asked_to_stop(self) -> bool:
        """See :meth:`Stepping.is_asked_to_stop`: all processes say the same."""
        return self._stops


def _refuse_other_settings(together: Together, share: Share, settings: Settings, members: Sequence[Task]) -> None:
    import numpy as np

    told = np.zeros((share.count, len(settings), _DIGEST), np.float32)
    told[share.rank] = [_digest(value) for value in settings.values()]
    heard = together.hear(told)
    for rank in range(1, share.count):
        others = [name for name, one, other in zip(settings, heard[0], heard[rank]) if (one != other).any()]
        if others:
            raise GraphscopeError(
                f"{members[rank]} trains with different settings than {members[0]}: {', '.join(others)}",
                hint="all workers must use the same model, data and options",
            )


def _digest(value: object) -> NDArray[Any]:
    import numpy as np

    content = hashlib.sha256(json.dumps(value).encode()).digest()
    return np.frombuffer(content[: 2 * _DIGEST], "<u2").astype(np.float32)
