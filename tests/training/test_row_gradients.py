"""Gradients of an embedding's rows: several processes and towers train as one process with the whole batch does."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

import graphscope
from graphscope.api.graft import graft
from graphscope.training.data import DataOptions
from graphscope.training.recipe import recipe_of
from graphscope.training.together.averaging import averaged_values
from tests.support.fresh import Fresh, fresh
from tests.support.together import together
from tests.support.tuning import CLASSES, Recorder, saved, tf, train, values

__all__ = ["fresh", "tf"]

v1 = tf.compat.v1
EPOCHS, BATCH = 2, 8
ROWS, WIDTH, WORDS = 12, 5, 4
OPTIMIZERS = {False: ("sgd", "adam"), True: ("sgd", "adam", "momentum")}
"""Of reference variables, and of resource variables."""


def embedding(place: Path, *, is_resource: bool) -> Path:
    """The mean of some rows of an embedding."""
    with tf.Graph().as_default(), v1.Session() as session:
        rows = np.random.default_rng(1).normal(size=(ROWS, WIDTH)).astype(np.float32)
        words = v1.get_variable("words", initializer=rows, use_resource=is_resource)
        ids = v1.placeholder(tf.int64, [None, WORDS], "ids")
        tf.reduce_mean(tf.nn.embedding_lookup(words, ids), 1, name="mean")
        session.run(v1.global_variables_initializer())
        v1.train.Saver().save(session, str(place / "base.ckpt"))
    return place / "base.ckpt"


@pytest.fixture(scope="module")
def prefixes(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    prefixes = {}
    for is_resource, optimizers in OPTIMIZERS.items():
        base = embedding(tmp_path_factory.mktemp("base"), is_resource=is_resource)
        for optimizer in optimizers:
            name = optimizer + " resource" * is_resource
            prefixes[name] = str(base.with_name(f"{optimizer}.ckpt"))
            options: dict[str, Any] = {"optimizer": optimizer, "learning_rate": 0.05, "seed": 1, "unfreeze": "words"}
            graft(base, at="mean", head=f"dense:{CLASSES}", classes=CLASSES, out=prefixes[name], **options)
    return prefixes


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> str:
    """Few rows of the embedding are touched often, the last one never."""
    ids = np.random.default_rng(2).geometric(0.3, (40, WORDS)).clip(1, ROWS - 1) - 1
    return saved(tmp_path_factory.mktemp("data") / "ids.npz", ids.astype(np.int64), ids[:, 0] % CLASSES)


def by_workers(prefixes: dict[str, str], data: str, place: str) -> dict[str, Any]:
    options = {"epochs": EPOCHS, "batch": 2 * BATCH}
    return {name: together(prefix, data, f"{place}/{name}", **options) for name, prefix in prefixes.items()}


def test_workers_train_rows_as_one_process_does(
    prefixes: dict[str, str], data: str, tmp_path: Path, fresh: Fresh
) -> None:
    chosen = {name: prefixes[name] for name in ("sgd", "adam", "momentum resource")}
    found = fresh.value(by_workers, chosen, data, tmp_path)
    for name, prefix in chosen.items():
        alone = Recorder()
        options: dict[str, Any] = {"epochs": EPOCHS, "batch": 2 * BATCH}
        report = train(prefix, data, "0.2", out=tmp_path / f"{name} alone", watchers=[alone], **options)
        assert_same_training(dict(found[name]["losses"]), values(found[name]["last"]), alone, values(report.last))
        assert not np.array_equal(values(report.last)["words"], values(prefix)["words"])


@pytest.mark.parametrize("name", ["sgd resource", "adam resource"])
def test_towers_train_rows_as_one_device_does(name: str, prefixes: dict[str, str], data: str, tmp_path: Path) -> None:
    """The last batch of an epoch has one example, so that the second tower has none."""
    options: dict[str, Any] = {"validation": 0, "epochs": EPOCHS, "batch": 13}
    options["reading"] = DataOptions(cache=tmp_path / "cache")
    alone, divided = Recorder(), Recorder()
    one = graphscope.tune(prefixes[name], data, out=f"{tmp_path}/one/", watchers=[alone], **options)
    two = graphscope.tune(
        prefixes[name], data, out=f"{tmp_path}/two/", watchers=[divided], towers="cpu:0,cpu:1", **options
    )
    assert_same_training(divided.losses, values(two.last), alone, values(one.last))


def assert_same_training(
    losses: dict[int, float], trained: dict[str, Any], alone: Recorder, expected: dict[str, Any]
) -> None:
    assert losses.keys() == alone.losses.keys()
    np.testing.assert_allclose(list(losses.values()), list(alone.losses.values()), atol=1e-5)
    assert trained.keys() == expected.keys()
    for key, value in expected.items():
        np.testing.assert_allclose(trained[key], value, atol=1e-5, err_msg=key)


def test_what_is_averaged_of_rows(prefixes: dict[str, str]) -> None:
    """The dense gradient and the marks of its rows, once each, whatever is made of them."""
    for prefix in prefixes.values():
        model = graphscope.load(prefix)
        graph, found = averaged_values(model, recipe_of(model), [])
        assert [value.shape for value in found[:2]] == [(ROWS, WIDTH), (ROWS,)]
        assert sorted(value.shape for value in found[2:]) == [(), (), (CLASSES,), (WIDTH, CLASSES)]
        assert all(graph[name].inputs[at] in value.tensor for value in found[:2] for name, at in value.takers)
