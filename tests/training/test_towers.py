"""Training in towers: the losses of one device with the whole batch, each tower on its own."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

import graphscope
from graphscope.errors import ArgumentError, GraphscopeError
from graphscope.training.data import DataOptions
from graphscope.training.together.towers import InTowers, parse_towers
from tests.support.tuning import CLASSES, Recorder, grafted, pictures, saved, tf, values

__all__ = ["tf"]

HEADS = {
    "cached": ({"head": f"flatten,dense:8:relu,dense:{CLASSES}", "optimizer": "adam", "ema": 0.9, "l2": 1e-3}),
    "a part of the base": ({"head": f"flatten,dense:{CLASSES}", "optimizer": "sgd", "unfreeze": ["conv2"]}),
}


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> str:
    return saved(tmp_path_factory.mktemp("data") / "train.npz", *pictures(46))


def trained(prefix: Path, data: str, towers: str) -> tuple[dict[int, float], dict[str, Any]]:
    """The losses by step, and the variables after the last."""
    recorder = Recorder()
    reading = DataOptions(cache=prefix.parent / "cache")
    options: dict[str, Any] = {"validation": 0, "epochs": 2, "batch": 9, "watchers": [recorder]}
    out = f"{prefix.parent}/{towers.replace(':', '') or 'alone'}/"
    report = graphscope.tune(str(prefix), data, out=out, reading=reading, towers=towers, **options)
    return recorder.losses, values(report.last)


@pytest.mark.parametrize("name", HEADS)
def test_towers_train_as_one_device_does(name: str, data: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The last batch of an epoch has one example, so that the second and the third tower have none."""
    prefix = grafted(tmp_path / "m.ckpt", learning_rate=0.01, seed=1, **HEADS[name])
    places: dict[str, set[str]] = {}
    step = InTowers.step

    def looking(self: InTowers, indices: Any, feeder: Any) -> Any:
        for node in self._session.part:
            places.setdefault(node.device, set()).add(node.name)
        return step(self, indices, feeder)

    monkeypatch.setattr(InTowers, "step", looking)
    (alone, expected), (losses, found) = trained(prefix, data, ""), trained(prefix, data, "cpu:0,cpu:1,cpu:2")
    assert losses.keys() == alone.keys()
    np.testing.assert_allclose(list(losses.values()), list(alone.values()), atol=1e-5)
    for key, value in expected.items():
        np.testing.assert_allclose(found[key], value, atol=1e-5)
    assert places.keys() == {f"/device:CPU:{number}" for number in range(3)}
    variables = {variable.name for variable in graphscope.load(prefix).variables if variable.trainable}
    assert variables <= places["/device:CPU:0"]
    for number in (1, 2):
        assert f"graphscope_tower_{number}/head/logits" in places[f"/device:CPU:{number}"]


def test_what_is_no_tower(tmp_path: Path, data: str) -> None:
    assert parse_towers("cpu:0, /gpu:1") == ("/device:CPU:0", "/device:GPU:1")
    prefix = str(grafted(tmp_path / "m.ckpt", f"flatten,dense:{CLASSES}"))
    kinds: list[tuple[dict[str, Any], type[GraphscopeError], str]] = [
        ({"towers": "cpu:0,cpu:0"}, ArgumentError, "names /device:CPU:0 twice"),
        ({"towers": "cpu"}, GraphscopeError, "'cpu' names no device"),
        ({"towers": "/job:worker/task:1/cpu:0"}, ArgumentError, "is not a device of this process"),
        ({"towers": "cpu:0,cpu:1", "workers": 2}, ArgumentError, "cannot be combined"),
        ({"towers": "cpu:0,gpu:7"}, GraphscopeError, "is to run on /device:GPU:7, which is not available"),
    ]
    for options, kind, message in kinds:
        with pytest.raises(kind, match=message):
            graphscope.tune(prefix, data, validation=0, reading=DataOptions(cache=tmp_path / "cache"), **options)
