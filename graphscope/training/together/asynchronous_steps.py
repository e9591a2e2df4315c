"""The steps of workers that do not wait for each other: each does those whose tickets it takes; worker 0 hears of all."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import lru_cache
from typing import TYPE_CHECKING, Any

from graphscope.core.tensors import TensorName
from graphscope.errors import CorruptFileError, GraphscopeError
from graphscope.runtime.importing import tensorflow_errors
from graphscope.runtime.session import Session
from graphscope.training.together.ledger import NONE, Ledger, Row
from graphscope.training.together.servers import COUNT, FENCE, TICKET
from graphscope.training.tune.examples import Examples, Feeder
from graphscope.training.tune.stepping import Alone, Judged, Stepped, switched_on
from graphscope.training.tune.training_job import Job

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from graphscope.training.together.asynchronous import Apart

_POLL_S = 0.01
"""How often a worker without a ticket asks for one."""


class Worker:
    """Does the steps whose tickets it takes."""

    def __init__(self, team: Apart, session: Session, job: Job, ledger: Ledger) -> None:
        self.job = job
        self.ledger = ledger
        self.session = session
        self._rank = team.rank
        record = ledger.record(team.counting, team.rank)
        self._wanted = [record, session.graph.get_operation_by_name(TensorName.parse(job.recipe.train_op).node)]
        self._in_hand: int | None = None
        self._batches = lru_cache(2)(lambda epoch: list(job.order.batches(epoch)))
        self._feeder = lru_cache(2)(job.feeder)

    def inherit(self) -> None:
        """Takes what the process before this one had in hand when it ended."""
        ticket = int(self.ledger.held()[self._rank])
        self._in_hand = None if ticket == NONE else ticket

    def take(self) -> bool:
        """Whether there is a step to do now."""
        if self._in_hand is None:
            self._in_hand = self.ledger.take(self._rank)
        return self._in_hand is not None

    def step(self) -> None:
        """Does the current step, unless it has been given to another worker in the meantime."""
        assert self._in_hand is not None
        ticket, self._in_hand = self._in_hand, None
        epoch, number = divmod(ticket, self.job.order.steps_per_epoch)
        try:
            self._run(ticket, self._batches(epoch)[number], self._feeder(epoch))
        except GraphscopeError as error:
            if FENCE not in error.message:
                raise

    def take_over(self, ticket: int) -> None:
        """Takes a ticket that another has had in hand for too long."""
        self.ledger.hand(ticket, self._rank)
        self._in_hand = ticket

    def assist(self, interrupted: Callable[[], bool]) -> dict[str, Any]:
        """Works until the training run has ended, and says how; empty if it was asked to stop before."""
        self.inherit()
        while not interrupted():
            if self.take():
                self.step()
            elif ended := self.ledger.ended():
                return ended
            else:
                time.sleep(_POLL_S)
        return {}

    def _run(self, ticket: int, indices: NDArray[np.int64], feeder: Feeder) -> None:
        import numpy as np

        feeds = {**self.job.training.feeds(indices, feeder), **switched_on(self.job.recipe)}
        feeds |= {TICKET: np.array(ticket), COUNT: np.array(len(indices), np.float32)}
        named = {str(TensorName.parse(name)): value for name, value in feeds.items()}
        with tensorflow_errors(f"{self.session.model.path}: TensorFlow cannot run the graph"):
            self.session.run_elements(self._wanted, named)


class Leading:
    """A :class:`graphscope.training.tune.stepping.Stepping` of worker 0, which hears of the steps of all."""

    def __init__(self, team: Apart, worker: Worker, interrupted: Callable[[], bool]) -> None:
        self._team = team
        self._worker = worker
        self._ledger = worker.ledger
        self._interrupted = interrupted
        self._alone = Alone(worker.session, worker.job, interrupted)
        self._open = 0
        worker.inherit()

    def steps(self, epoch: int, numbers: range) -> Iterator[Stepped]:
        """See :meth:`Stepping.steps`: those of all workers, in the order of their tickets."""
        start = epoch * self._worker.job.order.steps_per_epoch
        self._begin(start + numbers.start, start + numbers.stop)
        done, self._open = 0, len(numbers)
        since = time.monotonic()
        is_closed = False
        while self._open:
            self._work(start + numbers.start + done, since)
            for row in self._done(done):
                done, since = done + 1, time.monotonic()
                self._open -= 1
                yield Stepped(row.loss, row.metric, row.rate, row.examples)
            if self._open and not is_closed and self._interrupted():
                is_closed, self._open = True, self._ledger.close() - done

    def _begin(self, first: int, last: int) -> None:
        """Opens the segment, unless one before this process has."""
        opened = self._ledger.segment()
        if opened == (first, last):
            self._ledger.reopen()
        elif opened[1] in (first, NONE):
            self._ledger.open(first, last)
        else:
            raise CorruptFileError(
                f"the parameter servers are at steps {opened[0]:,} to {opened[1]:,}, the last checkpoint at {first:,}",
                path=self._worker.session.model.path,
            )

    def _work(self, oldest: int, since: float) -> None:
        """Does a step; if there is none to do, waits for the others, though not for ever."""
        if self._worker.take():
            self._worker.step()
        elif time.monotonic() - since > self._team.timeout_s:
            holder = next(iter((self._ledger.held() == oldest).nonzero()[0]), 0)
            self._team.warn(f"worker {holder} does not answer; worker 0 takes over its step")
            self._worker.take_over(oldest)
        else:
            time.sleep(_POLL_S)

    def _done(self, begin: int) -> Iterator[Row]:
        for row in self._ledger.rows(begin):
            if not row.examples:
                return
            yield row

    @contextmanager
    def judging(self) -> Iterator[None]:
        """See :meth:`Stepping.judging`: no worker may continue while moving averages replace the variables."""
        if self._team.has_averages:
            self._ledger.withdraw()
        yield
        if self._team.has_averages:
            self._ledger.admit()

    def judge(self, examples: Examples) -> Iterator[Judged]:
        """See :meth:`Stepping.judge`: worker 0 does."""
        return self._alone.judge(examples)

    def is_asked_to_stop(self) -> bool:
        """See :meth:`Stepping.is_asked_to_stop`: once all steps that were taken are done."""
        return not self._open and self._interrupted()
