"""Tasks that ``serve`` serves, profiled together: real processes on this machine, one parameter server and two workers."""

from __future__ import annotations

import contextlib
import json
import os
import signal
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from typer.testing import CliRunner

import graphscope
from graphscope.api.serve import Serving
from graphscope.cli.app import app
from graphscope.cluster.hosts import Task, read_hosts
from graphscope.cluster.private_network import private_network
from graphscope.cluster.processes import Ending, Launcher, Processes
from graphscope.cluster.reach import free_ports
from graphscope.errors import ArgumentError, GraphscopeError
from graphscope.runtime.config import Placing, SessionOptions
from graphscope.runtime.profile import _Runs
from graphscope.runtime.session import open_session
from graphscope.runtime.tensorflow import tensorflow
from graphscope.transforms.device_placement import parse_rule
from tests.support.fixture_files import FIXTURES
from tests.support.fresh import Fresh, fresh
from tests.support.running import tf

__all__ = ["fresh", "tf"]

pytestmark = pytest.mark.slow

LENET = str(FIXTURES / "lenet5")
TASKS = (Task("ps", 0), Task("worker", 0), Task("worker", 1))
DEVICES = [f"/job:{task.job}/replica:0/task:{task.index}/device:CPU:0" for task in TASKS]
RULES = ("conv=/job:worker/task:0", "fc=/job:worker/task:1", ".*(weights|biases)=/job:ps/task:0")
WHERE = Placing(place=[parse_rule(text) for text in RULES])


def in_cluster(place: str, work: str) -> Any:
    """In a process of its own: what a function of this module tells of a cluster whose tasks are served meanwhile."""
    file = Path(place) / "cluster.yml"
    ps, *workers = (f"127.0.0.1:{port}" for port in free_ports(len(TASKS)))
    file.write_text(json.dumps({"ps": [ps], "worker": workers}))

    def member(number: int, _: Launcher) -> Any:
        return globals()[work](file) if number == len(TASKS) else serve(file, TASKS[number])

    with Processes(len(TASKS) + 1, member, network=private_network()) as processes:
        ending = next(e for e in processes.endings(lambda *_: None) if e.number == len(TASKS))
    assert ending == Ending(len(TASKS), ending.result), ending
    return ending.result


def serve(file: Path, task: Task) -> None:
    (file.parent / str(task)).write_text(str(os.getpid()))
    graphscope.serve(file, job=task.job, task=task.index).wait()


def profile(file: Path, model: Any = LENET, **options: Any) -> graphscope.Profiled:
    return graphscope.profile(model, cluster=file, **{"placing": WHERE, "steps": 2, "warmup": 1, **options})


def measure(file: Path) -> dict[str, Any]:
    found = profile(file, batch=4)
    assert found.model is not None
    found.log(file.parent / "logs")
    found.save_timeline(file.parent / "timeline.json")
    os.environ["TF_CONFIG"] = json.dumps({"cluster": read_hosts(file).spec()})
    again = graphscope.profile(LENET, cluster="TF_CONFIG", steps=1, warmup=1)
    return {
        "devices": {row.name: row.times.wall_us for row in found.report.devices},
        "placement": {row.name: row.device for row in found.report.placement},
        "untraced": len(found.trace.untraced_us),
        "alone": {row.name: row.placed for row in again.report.devices},
    }


def test_every_task_is_in_one_report(tmp_path: Path, fresh: Fresh) -> None:
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    told = fresh.value(in_cluster, tmp_path, "measure")
    assert sorted(told["devices"]) == DEVICES
    assert all(wall_us > 0 for wall_us in told["devices"].values())
    placed = told["placement"]
    assert (placed["conv1/weights"], placed["conv1/conv"], placed["fc1/MatMul"]) == tuple(DEVICES)
    here = graphscope.profile(LENET, steps=1, warmup=1).report.placement
    assert list(placed) == [row.name for row in here]
    assert told["untraced"] == 2
    idle = {name for name, placed in told["alone"].items() if not placed}
    assert idle == {DEVICES[0], DEVICES[2]}, "without devices in the graph, worker 0 does everything"

    [run] = (tmp_path / "logs").iterdir()
    events = EventAccumulator(str(run))
    events.Reload()
    step = events.RunMetadata("step 0002")
    assert {device.device for device in step.step_stats.dev_stats} == set(DEVICES)
    drawn = json.loads((tmp_path / "timeline.json").read_text())["traceEvents"]
    rows = " ".join(e["args"]["name"] for e in drawn if e["name"] == "process_name")
    assert all(device in rows for device in DEVICES)


@contextlib.contextmanager
def stopped(file: Path, task: Task) -> Iterator[None]:
    pid = int((file.parent / str(task)).read_text())
    os.kill(pid, signal.SIGSTOP)
    try:
        yield
    finally:
        os.kill(pid, signal.SIGCONT)


def endless() -> Any:
    with tf.Graph().as_default() as graph:
        count = tf.while_loop(lambda n: n < 1, lambda n: n * 0.5, [tf.constant(0.5)])
        tf.identity(count, name="never")
    return graph


def refuse(file: Path) -> list[str]:
    """What is said of a task that is stopped, of one that stops in a run, of a run that does not end, and of others."""
    profile(file)  # every task is there by now
    messages = []

    def refused(**options: Any) -> None:
        with pytest.raises(GraphscopeError) as error:
            profile(file, timeout=2, **options)
        messages.append(f"{error.value.message}; {error.value.hint}")

    with stopped(file, TASKS[2]):
        refused()
    with contextlib.ExitStack() as running:
        run = _Runs.run
        _Runs.run = lambda *a: (running.enter_context(stopped(file, TASKS[0])), run(*a))
        refused()
        _Runs.run = run
    (file.parent / "endless.pb").write_bytes(endless().as_graph_def().SerializeToString())
    refused(model=file.parent / "endless.pb", outputs="never", placing=Placing())
    os.kill(int((file.parent / str(TASKS[2])).read_text()), signal.SIGKILL)
    refused()
    jobs = json.loads(file.read_text())
    file.write_text(json.dumps({"ps": jobs["worker"][:1], "worker": jobs["ps"]}))
    refused()
    return messages


def test_what_does_not_answer_is_named(tmp_path: Path, fresh: Fresh) -> None:
    done = fresh.run(in_cluster, tmp_path, "refuse")
    assert done.status == 0, done.printed
    assert "Traceback" not in done.printed
    silent, lost, endless, gone, other = done.value
    assert f"{tmp_path}/cluster.yml: worker 1 at 127.0.0.1:" in silent
    assert "does not answer within 2 s: TensorFlow does not answer there; start it: graphscope.serve(" in silent
    assert 'cluster.yml", job="worker", task=1), or wait longer: timeout=4' in silent
    assert "cluster.yml: ps 0 at 127.0.0.1:" in lost
    assert "does not answer within 2 s" in lost
    assert "endless.pb: TensorFlow cannot run" in endless
    assert endless.endswith(": Deadline Exceeded; timeout=SECONDS allows more time")
    assert "cluster.yml: worker 1 at 127.0.0.1:" in gone
    assert "does not answer within 2 s" in gone
    assert "cluster.yml: another task than worker 0 answers at 127.0.0.1:" in other
    assert "/job:ps/replica:0/task:0/" in other


def run_for_too_long(file: Path) -> list[str]:
    """A run on a task that stops, by a session whose operations have no limit of their own."""
    profile(file)
    model = graphscope.load(LENET)
    master = f"grpc://{read_hosts(file).workers[0]}"
    where = replace(WHERE, master=master, timeout_s=2)
    messages = []
    with open_session(model, ["fc1/relu"], placing=where, config=tf.compat.v1.ConfigProto) as session:
        for task in TASKS[::2]:
            with stopped(file, task), pytest.raises(GraphscopeError) as error:
                session.run(["fc1/relu"], {"input": np.zeros((1, 784), np.float32)})
            messages.append(error.value.message)
    return messages


def test_each_run_has_a_limit(tmp_path: Path, fresh: Fresh) -> None:
    for message in fresh.value(in_cluster, tmp_path, "run_for_too_long"):
        assert message.endswith(": TensorFlow cannot run the graph: Deadline Exceeded")


def test_what_makes_no_sense(tmp_path: Path) -> None:
    (tmp_path / "c.yml").write_text("worker: [a:1]")
    for options, message in (
        ({"placing": Placing(master="grpc://a:1")}, "a master and a cluster cannot both be named"),
        ({"session": SessionOptions(devices={"CPU": 2})}, "chosen where its tasks are served"),
    ):
        with pytest.raises(ArgumentError, match=message):
            profile(tmp_path / "c.yml", **options)


# The command


def on_the_command_line(file: str) -> None:
    """In a process of its own, which is asked to end as soon as it serves."""
    network = private_network()
    if network is not None:
        network.enter()

    def wait(self: Serving) -> None:
        config = tensorflow().compat.v1.ConfigProto(operation_timeout_in_ms=60_000)
        with tensorflow().compat.v1.Session(self.target, config=config) as session:
            print(sorted(device.name[-5:] for device in session.list_devices() if "XLA" not in device.name))
        os.kill(os.getpid(), signal.SIGTERM)
        waits(self)

    waits, Serving.wait = Serving.wait, wait
    app(["serve", file, "--task", "0", "--devices", "cpu:2", "--threads", "1,1"], standalone_mode=False)
    print("ended in order")


def test_the_command_serves_until_it_is_stopped(tmp_path: Path, fresh: Fresh) -> None:
    [port] = free_ports(1)
    (tmp_path / "c.yml").write_text(f"worker: ['127.0.0.1:{port}']")
    done = fresh.run(on_the_command_line, tmp_path / "c.yml")
    assert done.status == 0, done.printed
    assert f"worker 0 serves at grpc://127.0.0.1:{port}\n" in done.printed
    assert f"note: port {port} is open on every network interface, without a password" in done.printed
    assert "['CPU:0', 'CPU:1']\nended in order\n" in done.printed


def test_a_cluster_that_is_not_there_on_the_command_line(tmp_path: Path) -> None:
    [port] = free_ports(1)
    (tmp_path / "c.yml").write_text(f"worker: ['127.0.0.1:{port}']")
    words = ["profile", LENET, "--cluster", str(tmp_path / "c.yml"), "--timeout", "1"]
    done = CliRunner().invoke(app, words, catch_exceptions=False)
    assert done.exit_code == 1
    lines = done.stderr.splitlines()
    assert lines[-2].startswith(f"error: {tmp_path}/c.yml: worker 0 at 127.0.0.1:{port} does not answer within 1 s: ")
    assert lines[-1].startswith(
        f"hint: start it: graphscope serve {tmp_path}/c.yml --job worker --task 0, or wait longer"
    )
