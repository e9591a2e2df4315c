"""Members that are lost in the middle of a training: all continue from the last checkpoint, to the bit; three of them once."""

from __future__ import annotations

import itertools
import os
import signal
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import graphscope
from graphscope.cluster.processes import Launcher, Processes
from graphscope.cluster.reach import free_ports
from graphscope.errors import ArgumentError
from graphscope.training.data import DataOptions
from graphscope.training.together.member import Together
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
    "stopped": ["worker 1 does not answer; all workers continue from the last checkpoint"],
    "elastic": ["worker 2 was killed by SIGKILL; all remaining workers continue from the last checkpoint"],
}


@pytest.mark.slow
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
    """Two tasks of a cluster, each with a launcher of its own; one of them is killed with its launcher."""
    ports = free_ports(2)
    file = Path(place) / "cluster.yml"
    file.write_text(f"worker: [127.0.0.1:{ports[0]}, 127.0.0.1:{ports[1]}]")
    options: dict[str, Any] = {"validation": 0.2, "epochs": 2, "batch": BATCH // 2, "save_every": 3, "timeout": 10}
    step = Together.step

    numbers = itertools.count(1)

    def ends(self: Together, indices: Any, feeder: Any) -> Any:
        if self._share.rank == 1 and next(numbers) == 5:
            os.kill(os.getppid(), signal.SIGKILL)
            time.sleep(60)  # it ends with its launcher
        return step(self, indices, feeder)

    def task(number: int, launcher: Launcher) -> Any:
        recorder, listener = Recorder(), Heard()
        reading = DataOptions(cache=Path(place) / "cache")
        own = {"cluster": file, "task": number, "elastic": True, "out": f"{place}/out/", "reading": reading}
        graphscope.tune(prefix, data, watchers=[recorder], listener=listener, **own, **options)
        return [sorted(recorder.losses.items()), listener.warnings]

    Together.step = ends
    with Processes(2, task) as processes:
        return [[ending.result, ending.death] for ending in processes.endings(lambda *_: None)]


@pytest.mark.slow
def test_the_others_go_on_without_a_machine(prefix: Path, data: str, tmp_path: Path, fresh: Fresh) -> None:
    (nothing, death), (found, _) = fresh.value(without_a_machine, prefix, data, tmp_path)
    assert (nothing, death) == (None, "was killed by SIGKILL")
    losses, warnings = found
    assert warnings == ["worker 1 is gone; all remaining workers continue from the last checkpoint"]
    alone = Recorder()
    train(prefix, data, "0.2", out=tmp_path / "alone", epochs=2, batch=BATCH, watchers=[alone])
    assert [step for step, _ in losses] == list(alone.losses)
    np.testing.assert_allclose([loss for _, loss in losses], list(alone.losses.values()), atol=1e-5)


def test_elastic_is_for_several(prefix: Path, data: str) -> None:
    for options in ({}, {"workers": 2, "asynchronous": True}):
        with pytest.raises(ArgumentError, match="elastic requires several workers that train synchronously"):
            graphscope.tune(str(prefix), data, elastic=True, **options)
