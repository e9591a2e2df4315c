"""Ports that are taken, and tasks that do not answer."""

from __future__ import annotations

import socket
import threading
import time

import pytest

from graphscope.cluster.hosts import Address, Cluster, Task
from graphscope.cluster.reach import free_ports, wait_for_port, wait_for_tasks
from graphscope.errors import GraphscopeError


def test_free_ports_can_be_listened_at() -> None:
    ports = free_ports(3)
    assert len(set(ports)) == 3
    for port in ports:
        wait_for_port(port, 0)


def test_a_port_that_is_taken_is_waited_for_and_then_named() -> None:
    with socket.create_server(("", 0)) as other:
        port = other.getsockname()[1]
        with pytest.raises(GraphscopeError, match=f"port {port} is not available: Address already in use"):
            wait_for_port(port, 0.3)
        threading.Timer(0.3, other.close).start()
        wait_for_port(port, 60)


def test_a_task_that_does_not_answer_is_named() -> None:
    with socket.create_server(("127.0.0.1", 0)) as there:
        addresses = [Address("127.0.0.1", port) for port in (there.getsockname()[1], *free_ports(1))]
        cluster = Cluster("c.yml", tuple(addresses))
        wait_for_tasks(cluster, [Task("worker", 0)], 60)
        with pytest.raises(GraphscopeError) as lost:
            wait_for_tasks(cluster, cluster.addresses, 0.3)
        assert str(lost.value) == f"c.yml: worker 1 at {addresses[1]} does not answer within 0.3 s: Connection refused"
        unknown = Cluster("c.yml", (Address("no-such-host.invalid", 1),))
        with pytest.raises(GraphscopeError, match=r"worker 0 at no-such-host.invalid:1 does not answer"):
            wait_for_tasks(unknown, unknown.addresses, 0.1)


def test_a_task_that_comes_late() -> None:
    [port] = free_ports(1)
    cluster = Cluster("c.yml", (Address("127.0.0.1", port),))

    def serve() -> None:
        time.sleep(0.3)
        with socket.create_server(("127.0.0.1", port)) as server:
            server.accept()[0].close()

    thread = threading.Thread(target=serve)
    thread.start()
    wait_for_tasks(cluster, cluster.addresses, 60)
    thread.join()
