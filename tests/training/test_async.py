"""Workers that do not wait for each other: every batch once, whoever is lost; refusals before the first step."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Callable
from functools import partial
from itertools import chain
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import graphscope
from graphscope.cluster.processes import Launcher, Processes
from graphscope.cluster.reach import free_ports
from graphscope.core.tensors import node_of
from graphscope.errors import ArgumentError, GraphscopeError
from graphscope.feeding.dependencies import need
from graphscope.feeding.feeds import tensor_spec
from graphscope.runtime.tensorflow import can_fork
from graphscope.training.data import DataOptions
from graphscope.training.recipe import recipe_of
from graphscope.training.together import launch_async
from graphscope.training.together.asynchronous_steps import Leading, Worker
from graphscope.training.together.servers import FIRST, SCOPE, divide, server_devices
from graphscope.training.tune.trained_variables import written_variables
from tests.support.fresh import Fresh, fresh
from tests.support.tuning import CLASSES, Heard, Recorder, grafted, pictures, saved, tf, train, values

__all__ = ["fresh", "tf"]

pytestmark = pytest.mark.slow

EPOCHS, BATCH, EXAMPLES = 4, 8, 90
STEPS = 10
"""In an epoch, of the examples that are not held out."""


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> str:
    return saved(tmp_path_factory.mktemp("data") / "train.npz", *pictures(EXAMPLES))


@pytest.fixture(scope="module")
def prefix(tmp_path_factory: pytest.TempPathFactory) -> Path:
    head = f"flatten,dense:8:relu,dense:{CLASSES}"
    place = tmp_path_factory.mktemp("grafted")
    return grafted(place / "m.ckpt", head, optimizer="adam", l2=1e-3, ema=0.5, learning_rate=0.02, seed=1)


def options(prefix: str, **others: Any) -> dict[str, Any]:
    reading = DataOptions(cache=Path(prefix).parent / "cache")
    usual = {"validation": 0.2, "epochs": EPOCHS, "batch": BATCH, "asynchronous": True, "timeout": 120}
    return {**usual, "reading": reading, **others}


Before = Callable[[Worker, int, Callable[[], None]], None]
"""What happens before a step of a worker. Takes the number of the step within this process, from 1, and what does the step."""


def asynchronously(prefix: str, data: str, out: str, before: Before = lambda *_: None, **others: Any) -> dict[str, Any]:
    """A training by two workers and their servers.

    Returns:
        What was heard, and the tickets of the steps that each worker has done.
    """
    place = Path(out)
    place.mkdir(parents=True)
    run = Worker._run

    def write_down(self: Worker, ticket: int, *rest: Any) -> None:
        self.steps = getattr(self, "steps", 0) + 1  # type: ignore[attr-defined]
        before(self, self.steps, partial(run, self, ticket, *rest))  # type: ignore[attr-defined]
        run(self, ticket, *rest)
        with (place / f"{self._rank}").open("a") as file:
            file.write(f"{ticket}\n")

    recorder, listener = Recorder(), Heard()
    Worker._run = write_down  # type: ignore[method-assign]
    try:
        report = graphscope.tune(
            prefix,
            data,
            out=f"{out}/",
            watchers=[recorder],
            listener=listener,
            **options(prefix, **{"workers": 2, **others}),
        )
    finally:
        Worker._run = run  # type: ignore[method-assign]
    assert can_fork(), "the launcher opened a session"
    return {
        "warnings": listener.warnings,
        "tickets": [[int(n) for n in path.read_text().split()] for path in sorted(place.glob("?"))],
        "steps": list(recorder.losses),
        "epochs": [epoch.step for epoch in report.epochs],
        "last": report.last,
        "metric": report.metric,
        "losses": list(recorder.losses.values()),
    }


def once(place: Path, action: Callable[[], None]) -> None:
    """Does something in the first process that comes here."""
    try:
        place.touch(exist_ok=False)
    except FileExistsError:
        return
    action()


def end_own(number: signal.Signals) -> None:
    os.kill(os.getpid(), number)


def end_in_step(worker: Worker, step: Callable[[], None]) -> None:
    """Ends this process when only one variable has its gradient."""
    operations = worker.session.graph.get_operations()
    worker._wanted = [next(op for op in operations if op.type == "ResourceApplyAdam")]
    step()
    end_own(signal.SIGKILL)


def losses(prefix: str, data: str, place: str) -> dict[str, Any]:
    """Nobody is lost; one of three workers, when one of two servers has its gradient; worker 0; a server."""
    marker, server = Path(place) / "marker", Path(place) / "pid"

    def kill_worker(worker: Worker, number: int, _: object) -> None:
        if worker._rank == 0 and number == 3:
            once(marker.with_suffix(".zero"), lambda: end_own(signal.SIGKILL))

    def kill_in_step(worker: Worker, number: int, step: Callable[[], None]) -> None:
        if worker._rank == 1 and number == 3:
            once(marker.with_suffix(".one"), lambda: end_in_step(worker, step))

    serve = launch_async.run_server  # type: ignore[attr-defined]

    def told(*arguments: Any) -> Any:
        server.write_text(str(os.getpid()))
        return serve(*arguments)

    def kill_server(worker: Worker, *_: object) -> None:
        if worker.ledger.segment()[0] == STEPS + 4:
            once(marker.with_suffix(".ps"), lambda: os.kill(int(server.read_text()), signal.SIGKILL))

    judge = Leading.judge

    def kill_judge(self: Leading, examples: Any) -> Any:
        if self._ledger.segment()[0] == STEPS:
            once(marker.with_suffix(".judge"), lambda: end_own(signal.SIGKILL))
        return judge(self, examples)

    def while_judging() -> dict[str, Any]:
        Leading.judge = kill_judge
        try:
            return asynchronously(prefix, data, f"{place}/judge")
        finally:
            Leading.judge = judge

    launch_async.run_server = told  # type: ignore[attr-defined]
    return {
        "nobody": asynchronously(prefix, data, f"{place}/nobody"),
        "worker 1": asynchronously(prefix, data, f"{place}/three", kill_in_step, workers=3, ps=2),
        "worker 0": asynchronously(prefix, data, f"{place}/zero", kill_worker, save_every=4),
        "worker 0 while it judges": while_judging(),
        "ps 0": asynchronously(prefix, data, f"{place}/server", kill_server, save_every=STEPS + 4, epochs=3),
    }


def test_every_batch_is_trained_on_once(prefix: Path, data: str, tmp_path: Path, fresh: Fresh) -> None:
    found = fresh.value(losses, prefix, data, tmp_path)
    alone = train(prefix, data, "0.2", out=tmp_path / "alone", epochs=EPOCHS, batch=BATCH)
    for name in ("nobody", "worker 1", "worker 0"):
        result = found[name]
        assert sorted(chain(*result["tickets"])) == list(range(EPOCHS * STEPS)), name
        assert result["steps"] == list(range(1, EPOCHS * STEPS + 1)), name
        assert result["epochs"] == [STEPS * epoch for epoch in range(1, EPOCHS + 1)]
        assert int(values(result["last"])["global_step"]) == EPOCHS * STEPS
        assert result["metric"] == alone.metric == 1, name
    assert found["nobody"]["warnings"] == []
    for name, count in (("nobody", 2), ("worker 1", 3)):
        assert len([tickets for tickets in found[name]["tickets"] if tickets]) == count, "all workers train"
    for name in ("worker 1", "worker 0"):
        assert found[name]["warnings"] == [f"{name} was killed by SIGKILL; it is restarted, the others continue"]
    judging = found["worker 0 while it judges"]
    assert judging["warnings"] == ["worker 0 was killed by SIGKILL; it is restarted, the others continue"]
    assert judging["steps"] == list(range(1, EPOCHS * STEPS + 1))
    again = [*range(EPOCHS * STEPS), *range(STEPS, 2 * STEPS)]
    assert sorted(chain(*judging["tickets"])) == sorted(again), "averages were in the place of variables"
    assert int(values(judging["last"])["global_step"]) == EPOCHS * STEPS
    lost = found["ps 0"]
    assert lost["warnings"] == ["ps 0 was killed by SIGKILL; all continue from the last checkpoint"]
    assert lost["steps"] == list(range(1, 3 * STEPS + 1)), "the step never goes back"
    tickets = sorted(chain(*lost["tickets"]))
    assert set(tickets) == set(range(3 * STEPS))
    assert all(tickets.count(ticket) == 1 for ticket in range(STEPS + 4)), "none before the last checkpoint again"
    assert int(values(lost["last"])["global_step"]) == 3 * STEPS


def by_one(prefix: str, data: str, place: str) -> dict[str, Any]:
    return asynchronously(prefix, data, place, workers=1, ps=2, epochs=2)


def test_one_worker_trains_as_one_process_does(data: str, tmp_path: Path, fresh: Fresh) -> None:
    """Reference variables of the base too, which are resources on the servers."""
    head = f"flatten,dense:{CLASSES}"
    prefix = grafted(
        tmp_path / "m.ckpt", head, unfreeze=["conv2"], optimizer="adam", ema=0.5, learning_rate=0.02, seed=1
    )
    found = fresh.value(by_one, prefix, data, tmp_path / "servers")
    recorder = Recorder()
    alone = train(prefix, data, "0.2", out=tmp_path / "alone", epochs=2, batch=BATCH, watchers=[recorder])
    np.testing.assert_allclose(found["losses"], list(recorder.losses.values()), atol=1e-5)
    expected, on_servers = values(alone.last), values(found["last"])
    assert expected.keys() == on_servers.keys()
    for name, value in expected.items():
        np.testing.assert_allclose(on_servers[name], value, atol=1e-5, err_msg=name)
    assert (expected["conv2/weights"] != values(prefix)["conv2/weights"]).any()


def silent(prefix: str, data: str, place: str) -> list[Any]:
    """Worker 0 is stopped; worker 1 waits, with a step in hand, until worker 0 has done it, and then goes on."""
    marker = Path(place) / "marker"

    def before(worker: Worker, number: int, _: object) -> None:
        if worker._rank == 0 and number == 3:
            once(marker, lambda: end_own(signal.SIGSTOP))
        while worker._rank == 1 and number == 2 and worker.ledger.segment()[0] < STEPS:
            time.sleep(0.1)

    found = asynchronously(prefix, data, f"{place}/out", before, epochs=3, timeout=10)
    asked = [False]
    recorder = Recorder()
    recorder.on_step = lambda step: asked.__setitem__(0, True)  # type: ignore[method-assign]
    with pytest.raises(graphscope.Interrupted) as stopped:
        graphscope.tune(
            prefix,
            data,
            out=f"{place}/stopped/",
            workers=2,
            watchers=[recorder],
            interrupted=lambda: asked[0],
            **options(prefix, epochs=100_000),
        )
    return [found, stopped.value.step, stopped.value.prefix]


def test_a_worker_that_does_not_answer(prefix: Path, data: str, tmp_path: Path, fresh: Fresh) -> None:
    found, step, stopped = fresh.value(silent, prefix, data, tmp_path)
    assert "worker 1 does not answer; worker 0 takes over its step" in found["warnings"]
    stopped_one = (
        "worker 0 was stopped by SIGSTOP and did not continue within 10 s; it is restarted, the others continue"
    )
    assert stopped_one in found["warnings"]
    assert sorted(set(chain(*found["tickets"]))) == list(range(3 * STEPS))
    assert found["steps"] == list(range(1, 3 * STEPS + 1))
    assert int(values(found["last"])["global_step"]) == 3 * STEPS, "what is late does not count"
    assert int(values(stopped)["global_step"]) == step > 0


def as_a_cluster(prefix: str, other: str, data: str, place: str) -> list[Any]:
    """A server and two workers, each with a launcher of its own; then workers of other options and another graph; then
    a synchronous one.
    """
    hosts = [f"127.0.0.1:{port}" for port in free_ports(9)]
    files = [Path(place) / f"{name}.yml" for name in ("two", "three", "mixed")]
    counts = dict(zip(files, (2, 3, 2)))
    files[0].write_text(f"worker: {hosts[:2]}\nps: {hosts[2:3]}\n")
    files[1].write_text(f"worker: {hosts[2:5]}\nps: {hosts[5:6]}\n")
    files[2].write_text(f"worker: {hosts[6:8]}\nps: {hosts[8:]}\n")
    (without := Path(place) / "without ps.yml").write_text(f"worker: {hosts[6:8]}\n")

    def task(file: Path, number: int, launcher: Launcher) -> Any:
        job, index = ("worker", number) if number < counts[file] else ("ps", 0)
        recorder = Recorder()
        own = {1: {"seed": 7, "epochs": 9}}.get(number, {}) if file == files[1] else {}
        if file == files[2] and number == 1:
            file, own = without, {"asynchronous": False}
        report = graphscope.tune(
            other if file == files[1] and number == 2 else prefix,
            data,
            out=f"{place}/{file.stem}/m.ckpt",
            cluster=file,
            job=job,
            task=index,
            watchers=[recorder],
            **options(prefix, **own),
        )
        return [report.epochs[-1].step, report.metric, len(recorder.losses)]

    ended = []
    for file, count in counts.items():
        with Processes(count + 1, partial(task, file)) as processes:
            endings = sorted(processes.endings(lambda *_: None), key=lambda ending: ending.number)
        ended.append([ending.error.message if ending.error else ending.result for ending in endings])
    logs, listener = Path(place) / "logs", Heard()
    own: dict[str, Any] = {"cluster": files[0], "task": 1, "logdir": logs, "listener": listener}
    with pytest.raises(GraphscopeError) as lonely:
        graphscope.tune(prefix, data, out=f"{place}/lonely/", **own, **options(prefix, timeout=1))
    assert "worker 0 writes the TensorBoard logs; worker 1 does not" in listener.notes
    assert not logs.exists()
    return [*ended, lonely.value.message, hosts[0]]


def test_tasks_of_a_cluster(prefix: Path, data: str, tmp_path: Path, fresh: Fresh) -> None:
    other = grafted(tmp_path / "m.ckpt", f"flatten,dense:{CLASSES}", optimizer="sgd")
    same, refused, mixed, lonely, host = fresh.value(as_a_cluster, prefix, other, data, tmp_path)
    assert [task[:2] for task in same] == [same[0][:2]] * 3, "all report the same"
    assert same[0][0] == same[0][2] == EPOCHS * STEPS
    assert refused[1] == "worker 1 trains with different settings than worker 0: seed, epochs"
    assert refused[2] == "worker 2 trains with different settings than worker 0: variables of the model"
    assert refused[0][0] == refused[3][0] == EPOCHS * STEPS, "the others go on"
    assert mixed == [
        "worker 1 trains with different settings than worker 0: asynchronous",
        "worker 0 trains with different settings than worker 1: asynchronous",
        "worker 1 trains with different settings than ps 0: asynchronous",
    ]
    assert f"two.yml: worker 0 at {host} does not answer within 1 s: Connection refused" in lonely


def test_servers_in_vain(prefix: Path, data: str, tmp_path: Path) -> None:
    with_ps, without = tmp_path / "with.yml", tmp_path / "without.yml"
    with_ps.write_text("worker: ['a:1', 'b:1']\nps: ['c:1']")
    without.write_text("worker: ['a:1', 'b:1']")
    kinds = [
        ({"asynchronous": False, "ps": 1}, "parameter servers are for asynchronous training"),
        ({"cluster": with_ps, "task": 0, "asynchronous": False}, "lists ps, which are for asynchronous training"),
        ({"cluster": without, "task": 0}, "lists no ps"),
        ({"cluster": with_ps, "task": 0, "ps": 1}, "not their number as well"),
        ({"cluster": with_ps, "job": "ps", "task": 1}, "no task 1 of job ps, which has task 0 only"),
        ({"towers": "cpu:0,cpu:1"}, "not with parameter servers"),
    ]
    for others, message in kinds:
        with pytest.raises(ArgumentError, match=message):
            graphscope.tune(str(prefix), data, **options(str(prefix), **others))


# What is on servers


def test_what_a_step_changes_is_on_servers(prefix: Path) -> None:
    """With its slots and averages, two servers sharing the bytes; what depends on examples is on the worker."""
    model = graphscope.load(prefix)
    recipe = recipe_of(model)
    given = [tensor_spec(model, name) for name in recipe.features]
    written = written_variables(model, [recipe.train_op], given)
    devices = server_devices(model.graph, written, 2)
    kernel, bias = (f"head/dense/{name}" for name in ("kernel", "bias"))
    assert devices.keys() == {variable.name for variable in written}
    assert devices[kernel] != devices[bias]
    for slot in ("Adam", "Adam_1", "ExponentialMovingAverage"):
        assert devices[f"{kernel}/{slot}"] == devices[kernel]
    assert {devices[name] for name in ("global_step", "train/beta1_power")} == {FIRST}
    graph = divide(model, recipe, given, devices, 0).graph
    names = need(graph, [recipe.train_op], given).names
    apply = next(node for node in graph if node.op == "ResourceApplyAdam" and node.inputs[0] == kernel)
    assert apply.device == devices[kernel]
    assert apply.attrs["use_locking"].b
    writers = [n for n in graph if n.name in names and n.op.startswith(("ResourceApply", "Assign"))]
    assert all(f"^{SCOPE}/arrived" in writer.inputs for writer in writers)
    gradients = {node_of(writer.inputs[-2]) for writer in writers if writer.op == "ResourceApplyAdam"}
    assert all(name.startswith(f"{SCOPE}/received_") for name in gradients), "received before anything writes"
    arrived = graph[f"{SCOPE}/arrived"]
    assert gradients <= {text.removeprefix("^") for text in arrived.inputs}
    before = graph.ancestors(divide(model, recipe, given, devices, 0).counting)
    assert {writer.name for writer in writers} <= before.keys(), "counted once all of it is on all servers"
    averages = [n for n in graph if n.name in names and n.name.startswith("train/ExponentialMovingAverage")]
    assert averages
    assert all("/job:ps/" in node.device for node in averages), "no parameter goes to a worker for an average"
    assert not graph["head/dense/MatMul"].device
    reads = [node for node in graph if node.name in names and node.op == "ReadVariableOp"]
    sent = [n.name for n in reads if n.inputs[0] == kernel and any(not c.device for c in graph.consumers(n.name))]
    assert len(sent) == 1, "the loss of its size takes what the layer takes"
