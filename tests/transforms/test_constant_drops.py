"""Dropout of a constant rate that a graph for prediction still has."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from typer.testing import CliRunner

from graphscope import load
from graphscope.cli.app import app
from graphscope.transforms.drops import constant_drops
from tests.support.running import tf

v1 = tf.compat.v1


def saved(build: Callable[[], object], folder: Path) -> Path:
    with tf.Graph().as_default() as graph:
        build()
    (folder / "m.pb").write_bytes(graph.as_graph_def().SerializeToString())
    return folder / "m.pb"


def drops(build: Callable[[], object], folder: Path) -> list[str]:
    return constant_drops(load(saved(build, folder)).graph)


def inputs() -> tf.Tensor:
    return v1.placeholder(tf.float32, [None, 4], "x")


def by_floor() -> None:
    x = inputs()
    keep = tf.constant(0.5)
    tf.multiply(x / keep, tf.floor(keep + v1.random_uniform(tf.shape(x))), name="dropped")


def by_product() -> None:
    x = inputs()
    mask = tf.cast(v1.random_uniform(tf.shape(x)) < 0.5, tf.float32)
    tf.multiply(x, mask, name="dropped")


BUILDS: dict[str, tuple[Callable[[], object], str]] = {
    "floor": (by_floor, "dropped"),
    "cast": (by_product, "dropped"),
    "keep_prob": (lambda: v1.nn.dropout(inputs(), keep_prob=0.5), "dropout/"),
    "rate": (lambda: tf.nn.dropout(inputs(), 0.3), "dropout/"),
    "stateless": (lambda: tf.nn.experimental.stateless_dropout(inputs(), 0.3, seed=[1, 2]), "stateless_dropout/"),
}


@pytest.mark.parametrize("kind", BUILDS)
def test_a_constant_rate_is_found(kind: str, tmp_path: Path) -> None:
    build, prefix = BUILDS[kind]
    found = drops(build, tmp_path)
    assert len(found) == 1
    assert found[0].startswith(prefix)


def by_placeholder() -> None:
    v1.nn.dropout(inputs(), rate=v1.placeholder(tf.float32, [], "r"))


def sampled() -> None:
    tf.where(v1.random_uniform([4]) < 0.5, inputs(), tf.ones([4]))


def noise() -> None:
    inputs() * v1.random_uniform([4])


@pytest.mark.parametrize("build", [by_placeholder, sampled, noise])
def test_what_is_fed_or_only_random_is_no_constant_dropout(build: Callable[[], object], tmp_path: Path) -> None:
    assert drops(build, tmp_path) == []


def test_freeze_warns_of_it(tmp_path: Path) -> None:
    result = CliRunner().invoke(
        app, ["freeze", str(saved(by_floor, tmp_path)), "-o", str(tmp_path / "f.pb"), "--output", "dropped"]
    )
    assert result.exit_code == 0, result.output
    assert "warning: dropout with a constant rate makes the result random: dropped;" in result.stderr
