"""A network of some processes alone."""

from __future__ import annotations

import socket
from pathlib import Path
from typing import Any

import pytest

from graphscope.cluster.private_network import private_network
from graphscope.cluster.processes import Launcher, Processes


def test_processes_reach_each_other_and_nobody_else() -> None:
    network = private_network()
    if network is None:
        pytest.skip("optional: the kernel allows no network namespace")
    told: list[Any] = []
    with socket.create_server(("127.0.0.1", 0)) as outside:
        port = outside.getsockname()[1]

        def work(number: int, launcher: Launcher) -> list[str]:
            interfaces = [
                line.split(":")[0].strip() for line in Path("/proc/self/net/dev").read_text().splitlines()[2:]
            ]
            if number == 0:  # the port of the network outside is free here
                with socket.create_server(("127.0.0.1", port)) as server:
                    launcher.tell("listens")
                    server.accept()[0].close()
                return interfaces
            while True:
                try:
                    socket.create_connection(("127.0.0.1", port), 60).close()
                except ConnectionRefusedError:
                    continue
                return interfaces

        with Processes(2, work, network=network) as processes:
            endings = list(processes.endings(lambda *message: told.append(message)))
        outside.settimeout(0)
        with pytest.raises(BlockingIOError):
            outside.accept()
    assert told == [(0, "listens")]
    assert all("lo" in ending.result for ending in endings)
