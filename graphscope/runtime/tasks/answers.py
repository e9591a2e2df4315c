"""Whether the tasks of a cluster answer, one by one: a session on all of them only says that it waits.

A process that is stopped still accepts connections, because the kernel does: so TensorFlow itself is asked, by a session of
each task that sees no other.
"""

from __future__ import annotations

import contextlib
import time
from collections.abc import Collection, Iterator

from graphscope.advice import Call, Option, Part
from graphscope.cluster.hosts import Cluster, Task
from graphscope.cluster.reach import Starting, silence, wait_for_tasks
from graphscope.errors import GraphscopeError
from graphscope.runtime.config import Placing
from graphscope.runtime.tensorflow import tensorflow

_NOBODY = "/job:nobody"
"""A filter that lets a server see no task but itself."""

_AGAIN_S = 5.0
"""How long a task may take to answer once something has failed, at most."""

_POLL_S = 0.1


def refuse_silent(cluster: Cluster, timeout_s: float) -> None:
    """Returns once every task has answered. Starts TensorFlow.

    Raises:
        GraphscopeError: one does not within ``timeout_s`` seconds, or another task answers in its place; it is named.
    """

    def starting(task: Task) -> tuple[Part, ...]:
        return "start it: ", Call("serve", (cluster.path,), (Option("job", task.job), Option("task", str(task.index))))

    wait_for_servers(cluster, cluster.addresses, timeout_s, starting)


def wait_for_servers(
    cluster: Cluster, tasks: Collection[Task], timeout_s: float, starting: Starting = lambda _: ("start it",)
) -> None:
    """Returns once TensorFlow has answered for each of ``tasks``. Starts TensorFlow.

    Raises:
        GraphscopeError: one does not answer within ``timeout_s`` seconds, or another task answers in its place; it is named.
    """
    end = time.monotonic() + timeout_s
    wait_for_tasks(cluster, tasks, timeout_s, starting)
    errors = tensorflow().errors
    for task in tasks:
        device: str | None = None
        while device is None:
            try:
                device = _own_device(cluster, task, min(max(end - time.monotonic(), 1), _AGAIN_S))
            except (errors.DeadlineExceededError, errors.UnavailableError):  # a process before this one may be ending
                if time.monotonic() >= end:
                    raise silence(cluster, task, timeout_s, "TensorFlow does not answer there", starting) from None
                time.sleep(_POLL_S)
        if not device.startswith(f"/job:{task.job}/replica:0/task:{task.index}/"):
            raise GraphscopeError(
                f"{cluster.path}: another task than {task} answers at {cluster.addresses[task]}: {device}",
                hint="all tasks take the same cluster file",
            )


def _own_device(cluster: Cluster, task: Task, timeout_s: float) -> str:
    """The device of whatever serves where ``task`` should, by a run of nothing there: a list has those of others, too."""
    tf1 = tensorflow().compat.v1
    config = tf1.ConfigProto(device_filters=[_NOBODY], operation_timeout_in_ms=int(1000 * timeout_s))
    asked, told = tf1.RunOptions(output_partition_graphs=True), tf1.RunMetadata()
    with tf1.Graph().as_default() as graph:
        nothing = tf1.no_op()
        with tf1.Session(_target(cluster, task), graph, config) as session:
            session.run(nothing, options=asked, run_metadata=told)
    return next((node.device for partition in told.partition_graphs for node in partition.node), "")


def _target(cluster: Cluster, task: Task) -> str:
    return f"grpc://{cluster.addresses[task]}"


@contextlib.contextmanager
def name_silent(placing: Placing) -> Iterator[None]:
    """Where TensorFlow fails on a cluster within it, the error names the task that does not answer any more.

    Raises:
        GraphscopeError: as raised within, or as :func:`refuse_silent`.
    """
    try:
        yield
    except GraphscopeError as error:
        if placing.cluster is not None and isinstance(error.__cause__, tensorflow().errors.OpError):
            refuse_silent(placing.cluster, min(placing.timeout_s, _AGAIN_S))
        raise
