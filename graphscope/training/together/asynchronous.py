"""One of several workers that train at their own pace, each from the newest variables that parameter servers have."""

from __future__ import annotations

import hashlib
import json
import time
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from graphscope.cluster.hosts import PS, WORKER, Cluster, Task
from graphscope.core.model import Model
from graphscope.core.tensors import TensorSpec
from graphscope.core.values.payload import ArrayPayload
from graphscope.core.variables.variables import Role
from graphscope.errors import GraphscopeError
from graphscope.runtime.config import Placing, SessionOptions, session_config
from graphscope.runtime.importing import tensorflow_errors
from graphscope.runtime.session import Session
from graphscope.runtime.tasks.answers import wait_for_servers
from graphscope.runtime.tensorflow import tensorflow
from graphscope.training.recipe import Recipe
from graphscope.training.together.asynchronous_steps import Leading, Worker
from graphscope.training.together.kinds import Kind, declare, wait_for_same_kind
from graphscope.training.together.ledger import NONE, Ledger
from graphscope.training.together.server import Server, first_silent
from graphscope.training.together.servers import HELD, ROW, TICKET_THERE, divide, server_devices
from graphscope.training.tune.resume import Settings
from graphscope.training.tune.stepping import Team
from graphscope.training.tune.trained_variables import written_variables
from graphscope.training.tune.training_job import Job
from graphscope.transforms.resource_variables import with_resource_variables

if TYPE_CHECKING:
    pass

_POLL_S = 0.01
"""How often a worker without a ticket asks for one."""

_VARIABLES = "variables of the model"
"""A setting that is compared before the others: what servers hold."""

_DIGITS = 12
"""Of the digest of a setting."""


class Apart(Team):
    """A :class:`Team` of workers that do not wait for each other.

    Attributes:
        is_rejoining: whether the servers have the variables of this training run already.
    """

    fetches = (ROW, TICKET_THERE)

    def __init__(
        self,
        cluster: Cluster,
        rank: int,
        threads: SessionOptions,
        timeout_s: float,
        *,
        rejoins: bool,
        awaited: Collection[Task],
        warn: Callable[[str], None] = lambda _: None,
    ) -> None:
        """Says where the others are.

        Args:
            rank: which of the workers this process is.
            threads: of this process.
            timeout_s: how long an answer may take.
            rejoins: go on with what the servers have; otherwise, worker 0 begins at the checkpoint.
            awaited: who must answer before anything begins.
            warn: receives a message for each worker whose step another takes over.
        """
        import numpy as np

        self.is_writer = rank == 0
        self.is_rejoining = False
        self.values = {HELD: ArrayPayload(np.full(len(cluster.workers), NONE, np.int64))}
        self.rank = rank
        self.cluster = cluster
        self.timeout_s = timeout_s
        self.warn = warn
        self.counting: Sequence[str] = ()
        self.has_averages = False
        self._devices: dict[str, str] = {}
        self._threads = threads
        self._rejoins = rejoins
        self._awaited = awaited
        self._server = Server(cluster, Task(WORKER, rank), self.config)
        self._ledger: Ledger | None = None

    def model(self, model: Model, recipe: Recipe, given: Sequence[TensorSpec]) -> Model:
        """The model with what a step changes on the servers."""
        written = written_variables(model, [recipe.train_op], given)
        model = with_resource_variables(model, [variable.name for variable in written])
        self.has_averages = any(variable.role is Role.MOVING_AVERAGE for variable in written)
        self._devices = server_devices(model.graph, written, len(self.cluster.ps))
        division = divide(model, recipe, given, self._devices, self.rank)
        self.counting = division.counting
        return model.with_graph(division.graph)

    def placing(self) -> Placing:
        """What is on no server runs in this process. Its own server starts; the others are waited for.

        Raises:
            GraphscopeError: the port is taken, or another process does not answer in time or trains otherwise.
        """
        target = self._server.start()
        await_crew(self.cluster, Task(WORKER, self.rank), self._awaited, self.timeout_s)
        task = f"/job:{WORKER}/replica:0/task:{self.rank}"
        return Placing(device=task, master=target, timeout_s=self.timeout_s)

    def config(self) -> Any:
        """Time limits that hold, and no other worker in sight."""
        config = session_config(self._threads)
        config.device_filters.extend([f"/job:{PS}", f"/job:{WORKER}/task:{self.rank}"])
        config.operation_timeout_in_ms = int(1000 * self.timeout_s)
        config.rpc_options.use_rpc_for_inprocess_master = True
        return config

    def keep(self, session: Session) -> Collection[str]:
        """The variables on servers: none if worker 0 gives them their values here, all otherwise.

        Raises:
            GraphscopeError: worker 0 does not give them their values in time.
        """
        path = self.cluster.path
        self._greet(session)
        self._ledger = Ledger(session.graph, session.run_elements, path)
        uninitialized = _Uninitialized(session, self._devices)
        is_ready = self._ledger.is_ready() and not uninitialized.names()
        self.is_rejoining = self.is_writer and is_ready and self._rejoins
        if self.is_writer and not self.is_rejoining:
            self._ledger.withdraw()
            return ()
        end = time.monotonic() + self.timeout_s
        while True:
            if self._ledger.is_ready():
                self._refuse_other_settings({_VARIABLES: self._variables})
                if not uninitialized.names():
                    break
            if time.monotonic() > end:
                raise GraphscopeError(f"{path}: worker 0 did not start training within {self.timeout_s:g} s")
            time.sleep(10 * _POLL_S)
        return {*self._devices, HELD}

    def _greet(self, session: Session) -> None:
        """Sends something to every server, until it arrives.

        A server that knew the process before this one has a broken connection, which it only notices when it is used.
        """
        tf = tensorflow()
        with session.graph.as_default():
            with tf.device(f"/job:{WORKER}/replica:0/task:{self.rank}/device:CPU:0"):
                greeting = tf.compat.v1.placeholder(tf.float32, [])
            heard = []
            for task in range(len(self.cluster.ps)):
                with tf.device(f"/job:{PS}/replica:0/task:{task}/device:CPU:0"):
                    heard.append(tf.identity(greeting))
        end = time.monotonic() + self.timeout_s
        with tensorflow_errors(f"{self.cluster.path}: the parameter servers do not answer"):
            while not _has_run(session, heard, {greeting: 0.0}, is_last=time.monotonic() > end):
                time.sleep(_POLL_S)

    def stepping(self, session: Session, job: Job, settings: Settings, interrupted: Callable[[], bool]) -> Leading:
        """Steps of all workers, as worker 0 sees them.

        Raises:
            GraphscopeError: the servers have another training run.
        """
        assert self._ledger is not None
        shared = {**_digests(settings), _VARIABLES: self._variables}
        if self.is_rejoining:
            self._refuse_other_settings(shared)
        else:
            self._ledger.reset(shared, len(self.cluster.workers), len(self.cluster.addresses))
            self._ledger.admit()
        return Leading(self, Worker(self, session, job, self._ledger), interrupted)

    def assisting(self, session: Session, job: Job, settings: Settings) -> Worker:
        """Steps of a worker other than 0.

        Raises:
            GraphscopeError: worker 0 trains with other settings.
        """
        assert self._ledger is not None
        self._refuse_other_settings(_digests(settings))
        return Worker(self, session, job, self._ledger)

    def _refuse_other_settings(self, own: Mapping[str, str]) -> None:
        assert self._ledger is not None
        shared = self._ledger.settings()
        others = [name for name in own if own[name] != shared.get(name)]
        if others:
            self._ledger.leave(self.rank)
            raise GraphscopeError(
                f"worker {self.rank} trains with different settings than worker 0: {', '.join(others)}",
                hint="all workers must use the same model, data and options",
            )

    @property
    def _variables(self) -> str:
        """A digest of the variables on servers, which a worker with another graph would wait for in vain."""
        return _digest(sorted(self._devices.items()))

    def end(self, how: Mapping[str, Any]) -> None:
        """Lets the others know how the training run ended, if it has begun."""
        if self._ledger is not None:
            with open_ledger(self._server.start(), self.config(), self.cluster) as ledger:
                ledger.end(how)
                ledger.leave(self.rank)

    def silent_server(self, timeout_s: float) -> Task | None:
        """The first parameter server that does not answer within ``timeout_s`` seconds."""
        errors = tensorflow().errors
        servers = [task for task in self.cluster.addresses if task.job == PS]
        return first_silent(self._server.start(), Task(WORKER, self.rank), servers, timeout_s, errors.OpError)


def await_crew(cluster: Cluster, own: Task, awaited: Collection[Task], timeout_s: float) -> None:
    """Returns once all of ``awaited`` have said that they train asynchronously, as ``own``, whose server runs, says then.

    Raises:
        GraphscopeError: one does not answer in time, or trains otherwise.
    """
    kind = Kind(asynchronous=True, elastic=False, workers=len(cluster.workers))
    declare(cluster, own, kind)
    wait_for_servers(cluster, awaited, timeout_s)
    wait_for_same_kind(cluster, own, awaited, kind, timeout_s)


def _has_run(session: Session, wanted: Any, feeds: Mapping[Any, Any], *, is_last: bool) -> bool:
    """Whether a run succeeds; the last attempt must."""
    errors = tensorflow().errors
    try:
        session.run_elements(wanted, feeds)
    except (errors.UnavailableError, errors.AbortedError, errors.CancelledError):
        if is_last:
            raise
        return False
    return True


@contextmanager
def open_ledger(target: str, config: Any, cluster: Cluster) -> Iterator[Ledger]:
    """The ledger of ``cluster``, by a session of the master ``target``."""
    tf = tensorflow()
    with tf.Graph().as_default() as graph, tf.compat.v1.Session(target, graph=graph, config=config) as session:
        yield Ledger(graph, session.run, cluster.path)


class _Uninitialized:
    """Variables on servers that have no value, as ``report_uninitialized_variables`` tells them."""

    def __init__(self, session: Session, names: Collection[str]) -> None:
        tf = tensorflow()
        self._session = session
        with session.graph.as_default():
            self._are = {
                name: tf.raw_ops.VarIsInitializedOp(resource=session.graph.get_tensor_by_name(f"{name}:0"))
                for name in names
            }

    def names(self) -> list[str]:
        with tensorflow_errors(f"{self._session.model.path}: the parameter servers do not answer"):
            are = self._session.run_elements(self._are)
        return [name for name, is_initialized in are.items() if not is_initialized]


def _digests(settings: Settings) -> dict[str, str]:
    """Setting -> what is compared of it; the step at which each process began may differ."""
    return {name: _digest(value) for name, value in settings.items() if name != "step"}


def _digest(value: object) -> str:
    return hashlib.sha256(json.dumps(value).encode()).hexdigest()[:_DIGITS]
