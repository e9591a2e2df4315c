"""A task of a cluster in this process: TensorFlow's own gRPC server."""

from __future__ import annotations

from typing import Any

from graphscope.cluster.hosts import Cluster, Task
from graphscope.cluster.reach import wait_for_port
from graphscope.runtime.tensorflow import tensorflow


def start_server(cluster: Cluster, task: Task, config: Any) -> Any:
    """A ``tf.compat.v1.train.Server``, which serves ``task`` until this process ends: TensorFlow cannot stop one.

    It listens on every network interface and requires no password.

    Args:
        config: a ``tf.compat.v1.ConfigProto``: devices, threads and memory of the server.

    Raises:
        GraphscopeError: the port is taken.
    """
    tf = tensorflow()
    wait_for_port(cluster.addresses[task].port)
    spec = tf.train.ClusterSpec(cluster.spec())
    return tf.compat.v1.train.Server(spec, job_name=task.job, task_index=task.index, config=config)
