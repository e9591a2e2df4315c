"""``graphscope.serve``: one task of a cluster."""

from __future__ import annotations

import os
import threading
from dataclasses import dataclass
from typing import Any

from graphscope.cluster.hosts import Cluster, Task, read_cluster
from graphscope.core.arguments import check_arguments
from graphscope.core.listener import SILENT, Listener
from graphscope.runtime.config import DEFAULT, SessionOptions


@dataclass(frozen=True)
class Serving:
    """A task that this process serves, in threads that end with it.

    Attributes:
        cluster: the cluster that it belongs to.
        task: which.
        server: the ``tf.compat.v1.train.Server``.
    """

    cluster: Cluster
    task: Task
    server: Any

    @property
    def target(self) -> str:
        """Where others reach it: ``grpc://host:port``, as the cluster says."""
        return f"grpc://{self.cluster.addresses[self.task]}"

    def wait(self) -> None:
        """Never returns; Ctrl-C interrupts it."""
        threading.Event().wait()


@check_arguments
def serve(
    cluster: str | os.PathLike[str],
    *,
    job: str = "",
    task: int | None = None,
    session: SessionOptions = DEFAULT,
    listener: Listener = SILENT,
) -> Serving:
    """Serves one task of a cluster: sessions of other processes run graphs on its devices. Starts TensorFlow.

    TensorFlow's server listens on every network interface and requires no password: anyone who can reach it can run any graph,
    with the rights of this process. It cannot be stopped; it ends with the process.

    Args:
        cluster: a file that lists the hosts of all tasks, or ``TF_CONFIG``.
        job, task: the task of this process; by default as in ``TF_CONFIG``.
        session: devices, threads and memory of the task.

    Raises:
        FileError: the file cannot be read.
        ArgumentError: it is not a cluster, or does not have this task.
        MissingDependencyError: TensorFlow is not installed.
        GraphscopeError: the port is taken.
    """
    from graphscope.runtime.config import session_config
    from graphscope.runtime.tasks.server import start_server

    hosts, own = read_cluster(cluster, job, task)
    with listener.running():
        server = start_server(hosts, own, session_config(session, native=True))
    listener.note(
        f"port {hosts.addresses[own].port} is open on every network interface, without a password: anyone who can reach it can"
        " run any graph; docs/scaling.md tells how to shield it"
    )
    return Serving(hosts, own, server)


__all__ = ["Serving", "serve"]
