"""Members that are lost in the middle of a training: all go on from the last checkpoint, to the bit; three of them once."""

from __future__ import annotations

import os
import signal
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from graphscope.training.together.member import Together
from tests.support.fresh import Fresh, fresh
from tests.support.together import together
from tests.support.tuning import CLASSES, Recorder, assert_equal_bits, grafted, pictures, saved, tf, train, values

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

        def ends(self: Together, indices: Any, feeder: Any) -> Any:
            self.done = getattr(self, "done", 0) + 1
            if self._share.rank == rank and self.done == 5 and not marker.exists():
                marker.touch()
                os.kill(os.getpid(), number)
            return step(self, indices, feeder)

        return ends

    found = {"three": together(prefix, data, f"{place}/three", **options)}
    for name, rank, number in (("killed", 0, signal.SIGKILL), ("stopped", 1, signal.SIGSTOP)):
        Together.step = ending(rank, number)
        found[name] = together(prefix, data, f"{place}/{name}", timeout_s=5, **options)
    Together.step = ending(2, signal.SIGKILL)
    found["elastic"] = together(prefix, data, f"{place}/elastic", elastic=True, **options)
    Together.step = step
    return found


WARNINGS = {
    "three": [],
    "killed": ["worker 0 was killed by SIGKILL; all workers go on from the last checkpoint"],
    "stopped": ["worker 1 does not answer; all workers go on from the last checkpoint"],
    "elastic": ["worker 2 was killed by SIGKILL; 2 workers go on from the last checkpoint"],
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
