"""A cluster of two servers on this machine is profiled through its master."""

from __future__ import annotations

import contextlib
import json
import socket
import subprocess
import sys
from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest

from graphscope.core.model import Model
from graphscope.core.values.payload import ArrayPayload
from graphscope.errors import GraphscopeError
from graphscope.formats import load
from graphscope.runtime.config import Placing
from graphscope.runtime.profile import trace
from graphscope.runtime.tensorflow import tensorflow
from graphscope.tracing.chrome import chrome_trace
from graphscope.tracing.profile import report
from graphscope.tracing.step_stats import board_steps
from tests.tracing.test_tracing import assert_adds_up
from tests.tracing.test_tracing_timeline import assert_well_formed

pytestmark = [pytest.mark.tensorflow, pytest.mark.slow]

pytest.importorskip("tensorflow", reason="TensorFlow is not installed")

SERVER = """
import json, sys
import tensorflow as tf
servers = [
    tf.distribute.Server({"worker": [f"localhost:{port}" for port in ports]}, job_name="worker", task_index=index)
    for index, ports in json.loads(sys.argv[1])
]
print("ready", flush=True)
sys.stdin.read()
"""
TASKS = [f"/job:worker/replica:0/task:{i}/device:CPU:0" for i in (0, 1)]


@contextlib.contextmanager
def process(*servers: tuple[int, list[int]]) -> Iterator[Any]:
    """A process that serves tasks, each of the cluster that has one at each port, until the block ends."""
    command = [sys.executable, "-c", SERVER, json.dumps(servers)]
    running = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL)
    try:
        yield running
    finally:
        running.kill()
        running.communicate()


def free_ports(count: int) -> list[int]:
    with contextlib.ExitStack() as stack:
        sockets = [stack.enter_context(socket.socket()) for _ in range(count)]
        for each in sockets:
            each.bind(("localhost", 0))
        return [each.getsockname()[1] for each in sockets]


@pytest.fixture(scope="module")
def masters() -> Iterator[tuple[str, str]]:
    """Of a cluster of two processes, and of one whose second task is not there."""
    ports = free_ports(4)
    both, alone = ports[:2], ports[2:]
    with process((0, both), (0, alone)) as first, process((1, both)) as second:
        assert all(running.stdout.read(5) == b"ready" for running in (first, second))
        yield f"grpc://localhost:{both[0]}", f"grpc://localhost:{alone[0]}"


@pytest.fixture
def target(masters: tuple[str, str]) -> str:
    return masters[0]


@pytest.fixture(scope="module")
def split(tmp_path_factory: pytest.TempPathFactory) -> Model:
    """A variable and a product on one task, another product on the other, and an op that changes the variable."""
    path = tmp_path_factory.mktemp("split") / "split.pb"
    path.write_bytes(build().as_graph_def().SerializeToString())
    return load(path)


def build() -> Any:
    tf = tensorflow(native=True)
    tf1 = tf.compat.v1
    with tf.Graph().as_default() as graph:
        with tf.device("/job:worker/task:0"):
            x = tf1.placeholder(tf.float32, [None, 20], name="x")
            v = tf1.get_variable("v", initializer=np.ones((20, 20), np.float32), use_resource=False)
            tf1.assign_add(v, np.ones((20, 20), np.float32), name="change")
            hidden = tf.matmul(x, v, name="s/h")
        with tf.device("/job:worker/task:1"):
            tf.nn.relu(tf.matmul(hidden, v, name="s/y"), name="s/r")
    return graph


VALUES = {"v": ArrayPayload(np.full((20, 20), 5, np.float32))}


def test_a_cluster_is_profiled(target: str, split: Model) -> None:
    placing = Placing(master=target)
    steps = 12  # a busy machine logs a transfer between tasks in two of three steps only
    found = trace(split, ["s/r"], steps=steps, warmup=1, batch=50, values=VALUES, placing=placing)
    told = report(found)
    assert_adds_up(told)
    assert [device.name for device in sorted(told.devices, key=lambda d: d.name)] == TASKS
    places = {(node.name, node.kernel): node.device for node in told.nodes}
    assert places["s/h", "MatMul"] == TASKS[0]
    assert places["s/y", "MatMul"] == places["s/r", "Relu"] == places["s/h", "RecvTensor"] == TASKS[1]
    assert set(told.unfound) <= {"_SOURCE"}
    path = [(node.name, node.kernel) for node in told.critical.nodes]
    before = path[: path.index(("s/y", "MatMul"))]
    assert {"s/h", "v/read"} & {name for name, _ in before}  # whichever it waited for longer
    assert ("s/r", "Relu") in path[len(before) + 1 :]
    assert {node.device for node in told.critical.nodes} == set(TASKS)
    assert {row.node: row.requested for row in told.executed}["s/y"] == "/job:worker/task:1"
    put = {row.name: row.device for row in told.placement}
    assert {"x", "v", "v/read", "s/h", "s/y", "s/r"} <= put.keys()
    assert all(device == TASKS[name in ("s/y", "s/r")] for name, device in put.items())
    for _, step in board_steps(found):
        shown = {s.node_name: d.device for d in step.step_stats.dev_stats for s in d.node_stats}
        assert (shown["s/h"], shown["s/y"]) == tuple(TASKS)
    assert_well_formed(json.loads(b"".join(chrome_trace(found)))["traceEvents"])


def test_the_variables_of_a_training_there_stay(target: str, split: Model) -> None:
    tf1 = tensorflow().compat.v1
    with tf1.Session(target, graph=build()) as training:
        training.run("v/Assign")
        trace(split, ["change"], steps=1, warmup=1, values=VALUES, placing=Placing(master=target))
        assert (training.run("v:0") == 1).all()


def test_a_task_that_is_not_there(masters: tuple[str, str], split: Model) -> None:
    with pytest.raises(GraphscopeError, match=f"{masters[1]}: the master does not answer within 1 s"):
        trace(split, ["s/r"], values=VALUES, placing=Placing(master=masters[1], timeout_s=1.0))


def test_no_master(split: Model) -> None:
    for target, message in (
        (f"grpc://localhost:{free_ports(1)[0]}", "no master answers: Connection refused"),
        ("localhost:2222", "is not the address of a master"),
        ("grpc://localhost:99999", "no master answers"),
    ):
        with pytest.raises(GraphscopeError, match=message):
            trace(split, ["s/r"], values=VALUES, placing=Placing(master=target))
