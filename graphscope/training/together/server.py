"""TensorFlow's server of this process, and whether those of others answer."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import Any

from graphscope.cluster.hosts import Cluster, Task
from graphscope.runtime.config import SessionOptions, session_config
from graphscope.runtime.tasks.server import start_server
from graphscope.runtime.tensorflow import tensorflow

PROBE_S = 2.0
"""How long a task may take to answer one that has lost something."""


class Server:
    """TensorFlow's server of one task, started once."""

    def __init__(self, cluster: Cluster, task: Task, config: Callable[[], Any]) -> None:
        self._cluster = cluster
        self._task = task
        self._config = config
        self._server: Any = None

    def start(self) -> str:
        """Its address as a master.

        Raises:
            GraphscopeError: the port is taken.
        """
        if self._server is None:
            self._server = start_server(self._cluster, self._task, self._config())
        target: str = self._server.target
        return target


def asking_config(timeout_s: float, jobs: Sequence[str]) -> Any:
    """The ``tf.compat.v1.ConfigProto`` of a session that only asks, and of a server without a GPU.

    Args:
        timeout_s: how long an answer may take.
        jobs: who takes part, as TensorFlow's device filters; a session waits for all of them.
    """
    config = session_config(SessionOptions(devices={"GPU": 0}))
    config.device_filters.extend(jobs)
    config.operation_timeout_in_ms = int(1000 * timeout_s)
    config.rpc_options.use_rpc_for_inprocess_master = True
    return config


def first_silent(
    target: str, own: Task, others: Iterable[Task], timeout_s: float, signs: type[Exception]
) -> Task | None:
    """The first of ``others`` that does not answer the master ``target`` of the task ``own``.

    Args:
        timeout_s: how long an answer may take.
        signs: what TensorFlow raises where a task counts as silent.
    """
    tf = tensorflow()
    for task in others:
        config = asking_config(timeout_s, [f"/job:{each.job}/task:{each.index}" for each in (task, own)])
        with tf.Graph().as_default() as graph, tf.device(f"/job:{task.job}/task:{task.index}"):
            one = tf.constant(1)
        try:
            with tf.compat.v1.Session(target, graph=graph, config=config) as session:
                session.run(one)
        except signs:
            return task
        except tf.errors.OpError:
            continue
    return None
