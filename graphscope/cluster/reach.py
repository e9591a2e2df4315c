"""Whether a port can be listened at, and whether the others answer: by TCP, before TensorFlow waits without saying for whom."""

from __future__ import annotations

import errno
import socket
import time
from collections.abc import Callable, Iterable

from graphscope.advice import Advice, Option, Part
from graphscope.cluster.hosts import Address, Cluster, Task
from graphscope.errors import GraphscopeError

PORT_S = 5.0
"""How long a port may be taken: by a process before this one that is just ending."""

_POLL_S = 0.1
_CONNECT_S = 2.0
"""How long one attempt to connect may take, so that a host that drops packets does not take the time of all."""


def free_ports(count: int) -> list[int]:
    """Distinct unused ports of 127.0.0.1."""
    sockets = [socket.socket() for _ in range(count)]
    try:
        for each in sockets:
            each.bind(("127.0.0.1", 0))
        return [each.getsockname()[1] for each in sockets]
    finally:
        for each in sockets:
            each.close()


def wait_for_port(port: int, timeout_s: float = PORT_S) -> None:
    """Returns as soon as a server can listen on ``port`` of this machine.

    Raises:
        GraphscopeError: the port stays in use until the time is up, or is not permitted.
    """
    end = time.monotonic() + timeout_s
    while (reason := _refusal(port)) is not None:
        if reason.errno != errno.EADDRINUSE or time.monotonic() >= end:
            raise GraphscopeError(
                f"port {port} is not available: {reason.strerror}",
                hint="another process uses it: stop it, or give this task another port in the cluster file",
            ) from reason
        time.sleep(_POLL_S)


def _refusal(port: int) -> OSError | None:
    """Why TensorFlow's server, which listens on every interface, could not listen there; ``None`` if it could."""
    family = socket.AF_INET6 if socket.has_dualstack_ipv6() else socket.AF_INET
    try:
        socket.create_server(
            ("", port), family=family, dualstack_ipv6=family == socket.AF_INET6, reuse_port=False
        ).close()
    except OSError as error:
        return error
    return None


Starting = Callable[[Task], tuple[Part, ...]]
"""A task -> how to start it, for a hint."""


def wait_for_tasks(
    cluster: Cluster, others: Iterable[Task], timeout_s: float, starting: Starting = lambda _: ("start it",)
) -> None:
    """Returns as soon as every one of ``others`` accepts a connection.

    Raises:
        GraphscopeError: some do not within ``timeout_s`` seconds; it names the first, and why.
    """
    end = time.monotonic() + timeout_s
    for task in others:
        address = cluster.addresses[task]
        while (reason := find_obstacle(address, min(max(end - time.monotonic(), _POLL_S), _CONNECT_S))) is not None:
            if time.monotonic() >= end:
                raise silence(cluster, task, timeout_s, reason, starting)
            time.sleep(_POLL_S)


def silence(cluster: Cluster, task: Task, timeout_s: float, reason: str, starting: Starting) -> GraphscopeError:
    """The error that names a task which does not answer, and why."""
    return GraphscopeError(
        f"{cluster.path}: {task} at {cluster.addresses[task]} does not answer within {timeout_s:g} s: {reason}",
        hint=Advice(*starting(task), ", or wait longer: ", Option("timeout", f"{2 * timeout_s:g}")),
    )


def find_obstacle(address: Address, timeout_s: float) -> str | None:
    """Why ``address`` accepts no connection within ``timeout_s`` seconds; ``None`` where it does."""
    try:
        socket.create_connection((address.host, address.port), timeout_s).close()
    except OSError as error:
        return error.strerror or str(error)
    return None
