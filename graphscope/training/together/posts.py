"""A short text that a task keeps on its own server: all others can read it, with sessions that see nobody else."""

from __future__ import annotations

from typing import Any

from graphscope.cluster.hosts import Cluster, Task
from graphscope.cluster.reach import find_obstacle
from graphscope.runtime.tensorflow import tensorflow
from graphscope.training.together.server import PROBE_S, asking_config

_NOBODY = "/job:nobody"
"""A filter that lets a server see no task but itself."""


def write_post(cluster: Cluster, task: Task, name: str, text: str) -> None:
    """Replaces the text called ``name`` of ``task``, whose server runs in this process."""
    tf = tensorflow()
    config = asking_config(PROBE_S, [_NOBODY])
    config.rpc_options.use_rpc_for_inprocess_master = False  # by RPC, it would wait for all that the server may see
    _run(cluster, task, name, config, lambda handle: tf.raw_ops.AssignVariableOp(resource=handle, value=text))


def read_post(cluster: Cluster, task: Task, name: str) -> str | None:
    """The text called ``name`` of ``task``; ``None`` if the task does not answer, or has none."""
    if find_obstacle(cluster.addresses[task], PROBE_S) is not None:
        return None
    tf = tensorflow()
    raw_ops, string = tf.raw_ops, tf.string
    config = asking_config(PROBE_S, [_NOBODY])
    try:
        if not _run(cluster, task, name, config, lambda handle: raw_ops.VarIsInitializedOp(resource=handle)):
            return None
        text = _run(cluster, task, name, config, lambda handle: raw_ops.ReadVariableOp(resource=handle, dtype=string))
    except tf.errors.OpError:
        return None
    return str(text, "utf-8")


def _run(cluster: Cluster, task: Task, name: str, config: Any, operation: Any) -> Any:
    tf = tensorflow()
    device = f"/job:{task.job}/replica:0/task:{task.index}/device:CPU:0"
    target = f"grpc://{cluster.addresses[task]}"
    with tf.Graph().as_default() as graph, tf.device(device):
        handle = tf.raw_ops.VarHandleOp(dtype=tf.string, shape=[], shared_name=f"graphscope_{name}")
        wanted = operation(handle)
        with tf.compat.v1.Session(target, graph=graph, config=config) as session:
            return session.run(wanted)
