"""Which workers of a cluster go on without the others: worker 0 says so, in a variable that all can read from it."""

from __future__ import annotations

import json
import time
from collections.abc import Sequence
from typing import Any

from graphscope.cluster.hosts import WORKER, Cluster, Task
from graphscope.cluster.reach import find_obstacle, wait_for_tasks
from graphscope.errors import GraphscopeError
from graphscope.runtime.importing import tensorflow_errors
from graphscope.runtime.tensorflow import tensorflow
from graphscope.training.together.server import PROBE_S, asking_config, first_silent

_NAME = "graphscope_members"
_POLL_S = 0.2


def agree_on_members(target: str, cluster: Cluster, rank: int, timeout_s: float) -> list[int]:
    """The workers that go on.

    Args:
        target: the master of this process.
        rank: which worker it is.
        timeout_s: how long worker 0 waits for the others.

    Raises:
        GraphscopeError: worker 0 does not answer, or goes on without this one.
    """
    if rank == 0:
        members = _find_members(target, cluster, timeout_s)
        _Shared(target, rank).write(members)
        return members
    wait_for_tasks(cluster, [Task(WORKER, 0)], timeout_s)
    members = _hear_members(target, cluster, rank, timeout_s)
    if rank not in members:
        raise GraphscopeError(
            f"{cluster.path}: the others continued without worker {rank}, which did not answer in time",
            hint="start it again when another worker is lost, or when the training is resumed",
        )
    return members


def _find_members(target: str, cluster: Cluster, timeout_s: float) -> list[int]:
    """The workers that answer worker 0; it waits for all of them, though not for ever."""
    end = time.monotonic() + timeout_s
    missing = list(range(1, len(cluster.workers)))
    while missing and time.monotonic() < end:
        missing = [rank for rank in missing if not _answers(target, cluster, rank)]
        time.sleep(_POLL_S if missing else 0)
    return [rank for rank in range(len(cluster.workers)) if rank not in missing]


def _answers(target: str, cluster: Cluster, rank: int) -> bool:
    if find_obstacle(cluster.workers[rank], PROBE_S) is not None:
        return False
    error = tensorflow().errors.OpError
    return first_silent(target, Task(WORKER, 0), [Task(WORKER, rank)], PROBE_S, error) is None


def _hear_members(target: str, cluster: Cluster, rank: int, timeout_s: float) -> list[int]:
    shared = _Shared(target, rank)
    end = time.monotonic() + 2 * timeout_s  # worker 0 may wait as long for another
    while time.monotonic() < end:
        members = shared.read()
        if members:
            return members
        time.sleep(_POLL_S)
    raise GraphscopeError(
        f"{cluster.path}: worker 0 did not announce within {2 * timeout_s:g} s which workers continue"
    )


class _Shared:
    """The variable, on worker 0, as worker ``rank`` sees it."""

    def __init__(self, target: str, rank: int) -> None:
        self._target = target
        self._jobs = [f"/job:{WORKER}/task:0", f"/job:{WORKER}/task:{rank}"]
        self._tf = tensorflow()

    def write(self, members: Sequence[int]) -> None:
        self._run(lambda handle: self._tf.raw_ops.AssignVariableOp(resource=handle, value=json.dumps(list(members))))

    def read(self) -> list[int]:
        """Nobody, before worker 0 has said."""
        if not self._run(lambda handle: self._tf.raw_ops.VarIsInitializedOp(resource=handle)):
            return []
        found: list[int] = json.loads(
            self._run(lambda handle: self._tf.raw_ops.ReadVariableOp(resource=handle, dtype=self._tf.string))
        )
        return found

    def _run(self, operation: Any) -> Any:
        tf = self._tf
        config = asking_config(PROBE_S, self._jobs)
        with (
            tf.Graph().as_default() as graph,
            tf.device(f"/job:{WORKER}/replica:0/task:0/device:CPU:0"),
            tensorflow_errors("worker 0 does not answer"),
        ):
            handle = tf.raw_ops.VarHandleOp(dtype=tf.string, shape=[], shared_name=_NAME)
            wanted = operation(handle)
            with tf.compat.v1.Session(self._target, graph=graph, config=config) as session:
                return session.run(wanted)
