"""Members that are lost in the middle of a training: all continue from the last checkpoint, to the bit; three of them once."""

from __future__ import annotations

import itertools
import os
import signal
import socket
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import graphscope
from graphscope.cluster.hosts import WORKER, Address, Cluster, Task
from graphscope.cluster.processes import Launcher, Processes
from graphscope.cluster.reach import free_ports
from graphscope.cluster.share import Share
from graphscope.errors import ArgumentError, GraphscopeError
from graphscope.runtime.config import SessionOptions, session_config
from graphscope.runtime.tasks.server import start_server
from graphscope.training.data import DataOptions
from graphscope.training.together.member import Member, Together
from graphscope.training.together.membership import Notice, agree_on_members, find_leader, write_notice
from graphscope.training.tune.checkpoints import Checkpoints
from graphscope.training.tune.resume import TrainingState
from tests.support.fresh import Fresh, fresh
from tests.support.together import together
from tests.support.tuning import (
    CLASSES,
    Heard,
    Recorder,
    assert_equal_bits,
    grafted,
    pictures,
    saved,
    tf,
    train,
    values,
)

__all__ = ["fresh", "tf"]

pytestmark = pytest.mark.slow

BATCH = 12


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> str:
    return saved(tmp_path_factory.mktemp("data") / "train.npz", *pictures(60))


@pytest.fixture(scope="module")
def prefix(tmp_path_factory: pytest.TempPathFactory) -> Path:
    place = tmp_path_factory.mktemp("grafted")
    return grafted(
        place / "m.ckpt", f"flatten,dense:8:relu,dense:{CLASSES}", optimizer="adam", learning_rate=0.01, seed=1
    )


def losses(prefix: str, data: str, place: str) -> dict[str, Any]:
    """Three workers; then, in their fifth step, worker 0 is killed, and worker 1 stops."""
    step, markers = Together.step, Path(place)
    options: dict[str, Any] = {"epochs": 2, "batch": BATCH, "count": 3, "save_every": 3}

    def ending(rank: int, number: signal.Signals) -> Callable[..., Any]:
        marker = markers / f"{rank} got {number.name}"

        numbers = itertools.count(1)

        def ends(self: Together, indices: Any, feeder: Any) -> Any:
            if self._share.rank == rank and next(numbers) == 5 and not marker.exists():
                marker.touch()
                os.kill(os.getpid(), number)
            return step(self, indices, feeder)

        return ends

    found = {"three": together(prefix, data, f"{place}/three", **options)}
    Together.step = ending(0, signal.SIGKILL)
    found["killed"] = together(prefix, data, f"{place}/killed", **options)
    Together.step = ending(1, signal.SIGSTOP)
    found["stopped"] = together(prefix, data, f"{place}/stopped", timeout_s=10, **options)
    Together.step = ending(2, signal.SIGKILL)
    found["elastic"] = together(prefix, data, f"{place}/elastic", elastic=True, **options)
    Together.step = step
    return found


WARNINGS = {
    "three": [],
    "killed": ["worker 0 was killed by SIGKILL; all workers continue from the last checkpoint"],
    "stopped": [
        "worker 1 was stopped by SIGSTOP and did not continue within 10 s; all workers continue from the last checkpoint"
    ],
    "elastic": ["worker 2 was killed by SIGKILL; all remaining workers continue from the last checkpoint"],
}


def test_whoever_is_lost_the_losses_are_those_of_one_process(
    prefix: Path, data: str, tmp_path: Path, fresh: Fresh
) -> None:
    found = fresh.value(losses, prefix, data, tmp_path)
    alone = Recorder()
    report = train(prefix, data, "0.2", out=tmp_path / "alone", epochs=2, batch=BATCH, watchers=[alone])
    for name, warnings in WARNINGS.items():
        result = found[name]
        assert result["warnings"] == warnings
        assert [step for step, _ in result["losses"]] == list(alone.losses)
        np.testing.assert_allclose([loss for _, loss in result["losses"]], list(alone.losses.values()), atol=1e-5)
        assert int(values(result["last"])["global_step"]) == report.epochs[-1].step
    for name in ("killed", "stopped"):
        assert found[name]["losses"] == found["three"]["losses"], "to the bit"
        assert_equal_bits(values(found[name]["last"]), values(found["three"]["last"]))


def without_a_machine(prefix: str, data: str, place: str) -> list[Any]:
    """Three tasks of a cluster, each with a launcher of its own; worker 0, which leads, is killed with its launcher."""
    hosts = [f"127.0.0.1:{port}" for port in free_ports(3)]
    file = Path(place) / "cluster.yml"
    file.write_text(f"worker: {hosts}")
    options: dict[str, Any] = {"validation": 0.2, "epochs": 2, "batch": BATCH // 3, "save_every": 3, "timeout": 10}
    step = Together.step

    numbers = itertools.count(1)

    def ends(self: Together, indices: Any, feeder: Any) -> Any:
        if self._share.rank == 0 and self._share.count == 3 and next(numbers) == 5:
            os.kill(os.getppid(), signal.SIGKILL)
            time.sleep(60)  # it ends with its launcher
        return step(self, indices, feeder)

    def task(number: int, launcher: Launcher) -> Any:
        recorder, listener = Recorder(), Heard()
        reading = DataOptions(cache=Path(place) / "cache")
        own = {"cluster": file, "task": number, "elastic": True, "out": f"{place}/out/", "reading": reading}
        report = graphscope.tune(prefix, data, watchers=[recorder], listener=listener, **own, **options)
        return [sorted(recorder.losses.items()), listener.warnings, report.last]

    Together.step = ends
    with Processes(3, task) as processes:
        endings = sorted(processes.endings(lambda *_: None), key=lambda ending: ending.number)
    return [ending.result or ending.death or str(ending.error) for ending in endings]


def test_the_others_go_on_without_a_machine(prefix: Path, data: str, tmp_path: Path, fresh: Fresh) -> None:
    """Another worker leads from then on."""
    gone, *left = fresh.value(without_a_machine, prefix, data, tmp_path)
    assert gone == "was killed by SIGKILL"
    alone = Recorder()
    report = train(prefix, data, "0.2", out=tmp_path / "alone", epochs=2, batch=BATCH, watchers=[alone])
    for losses, warnings, last in left:
        assert warnings == ["worker 0 is gone; all remaining workers continue from the last checkpoint"]
        assert [step for step, _ in losses] == list(alone.losses)
        np.testing.assert_allclose([loss for _, loss in losses], list(alone.losses.values()), atol=1e-5)
        assert int(values(last)["global_step"]) == report.epochs[-1].step


def told_of_others(_: str) -> list[str | None]:
    """What worker 1 says of worker 0, which has ended, ends while it is asked, or is stopped: the kernel listens for it."""
    told = []
    for open_s in (0, 0.5, 60):
        with socket.create_server(("127.0.0.1", 0)) as server:
            addresses = Address(*server.getsockname()), Address("127.0.0.1", *free_ports(1))
            member = Member(Cluster("c.yml", addresses), Share(1, 2), SessionOptions(), timeout_s=10)
            timer = threading.Timer(open_s, lambda: server.shutdown(socket.SHUT_RDWR))
            timer.daemon = True
            timer.start()
            if not open_s:
                timer.join()
            told.append(member.find_lost())
    return told


def test_a_worker_that_ends_while_it_is_asked_is_gone(fresh: Fresh) -> None:
    """The kernel closes connections before it closes the port."""
    gone = "worker 0 is gone"
    assert fresh.value(told_of_others, "") == [gone, gone, "worker 0 does not answer"]


def groups(_: str) -> list[Any]:
    """Workers 1 and 2 go on without worker 0, which comes back late; worker 3 comes later still."""
    cluster = Cluster("c.yml", tuple(Address("127.0.0.1", port) for port in free_ports(4)))
    assert find_leader(cluster, 1, 0) == 1, "nobody is there before it"
    for rank in (1, 2):
        start_server(cluster, Task(WORKER, rank), session_config(SessionOptions()))
    write_notice(cluster, 1, Notice(1))
    assert find_leader(cluster, 2, 60) == 1
    write_notice(cluster, 2, Notice(1))
    start_server(cluster, Task(WORKER, 0), session_config(SessionOptions()))
    told = []
    for late in (
        lambda: agree_on_members(cluster, 0, 0, 60),  # it was at its server when they stopped waiting for it
        lambda: agree_on_members(cluster, 1, 1, 0),
        lambda: find_leader(cluster, 0, 60),
        lambda: find_leader(cluster, 3, 60),
    ):
        try:
            told.append(late())
        except GraphscopeError as error:
            told.append(error.message)
    return told


def test_who_comes_when_the_others_have_gone_on(fresh: Fresh) -> None:
    early, members, late, later = fresh.value(groups, "")
    assert members == [1, 2]
    assert early == late == "c.yml: the others continued without worker 0, which did not answer in time"
    assert later == early.replace("worker 0", "worker 3")


def test_who_was_taken_for_lost_writes_no_more(prefix: Path, tmp_path: Path) -> None:
    model = graphscope.load(prefix)
    before, after = (Checkpoints(tmp_path / "m.ckpt", model) for _ in range(2))
    stopped, next_one = (TrainingState({}, "m", 0, 0) for _ in range(2))
    before.claim(stopped)
    before.record(stopped)
    after.claim(next_one)
    with pytest.raises(GraphscopeError, match=r"m\.ckpt\.tune\.json: other workers have taken over this training"):
        before.record(stopped)
    after.record(next_one)


def test_elastic_is_for_several(prefix: Path, data: str) -> None:
    for options in ({}, {"workers": 2, "asynchronous": True}):
        with pytest.raises(ArgumentError, match="elastic requires several workers that train synchronously"):
            graphscope.tune(str(prefix), data, elastic=True, **options)
