"""Variables that say whether a graph trains, as TFLearn keeps them: ``--set`` gives them a value in place of the stored one."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from typer.testing import CliRunner

import graphscope
from graphscope.cli.app import app
from graphscope.errors import GraphscopeError, UnknownNameError
from graphscope.training.graft.base import open_base
from graphscope.training.heads.context import plain_control_flow
from graphscope.transforms.findings.drops import lasting_drops
from tests.support.running import tf

v1 = tf.compat.v1
X = np.array([[1, -2, 3], [4, 0.5, -6]], np.float32)
WEIGHTS = np.array([[1, 2], [-1, 0.5], [0.25, 3]], np.float32)


def dropped(training: Any, x: Any) -> Any:
    return v1.cond(training, lambda: tf.nn.dropout(x, rate=0.5), lambda: tf.identity(x))


def normalized(training: Any, x: Any) -> Any:
    """Batch norm as TFLearn builds it: the branch for training writes to the averages."""
    averages = [
        v1.get_variable(name, initializer=np.float32(value), trainable=False)
        for name, value in (("mean", MEAN), ("variance", VARIANCE))
    ]

    def update() -> Any:
        of_batch = tf.nn.moments(x, [0])
        with tf.control_dependencies([v1.assign(a, a * 0.9 + b * 0.1) for a, b in zip(averages, of_batch)]):
            return tuple(map(tf.identity, of_batch))

    mean, variance = v1.cond(training, update, lambda: tuple(map(tf.identity, averages)))
    return (x - mean) * tf.math.rsqrt(variance)


MEAN, VARIANCE = [0.5, -1], [4, 0.25]
LAYERS: dict[str, tuple[Callable[[Any, Any], Any], Callable[[Any], Any]]] = {
    "dropout": (dropped, lambda x: x),
    "batch norm": (normalized, lambda x: (x - np.float32(MEAN)) / np.sqrt(np.float32(VARIANCE))),
}
KINDS = [(False, False), (True, False), (True, True)]
"""Whether variables are resources, and control flow is of version 2."""


def saved(folder: Path, layer: str, stored: bool, *, resource: bool = False, modern: bool = False) -> str:
    """The prefix of a model whose switch was saved as ``stored``, and is set by ops beside it."""
    before = v1.control_flow_v2_enabled()
    (v1.enable_control_flow_v2 if modern else v1.disable_control_flow_v2)()
    try:
        with tf.Graph().as_default(), v1.Session() as session, v1.variable_scope("", use_resource=resource):
            training = v1.get_variable("is_training", initializer=False, trainable=False)
            v1.assign(training, True, name="to_training")
            x = v1.placeholder(tf.float32, [None, 3], "x")
            hidden = tf.matmul(x, v1.get_variable("w", initializer=WEIGHTS), name="hidden")
            tf.identity(LAYERS[layer][0](training, hidden), "out")
            session.run(v1.global_variables_initializer())
            training.load(stored, session)
            return str(v1.train.Saver().save(session, str(folder / "model")))
    finally:
        (v1.enable_control_flow_v2 if before else v1.disable_control_flow_v2)()


@pytest.mark.parametrize(("resource", "modern"), KINDS)
@pytest.mark.parametrize("stored", [False, True])
@pytest.mark.parametrize("layer", LAYERS)
def test_a_value_takes_the_place_of_the_stored_one(
    layer: str, stored: bool, resource: bool, modern: bool, tmp_path: Path
) -> None:
    model = graphscope.load(saved(tmp_path, layer, stored, resource=resource, modern=modern))
    frozen = graphscope.freeze(model, outputs="out", set={"is_training": False}, strict=True)
    expected = LAYERS[layer][1](X @ WEIGHTS)
    np.testing.assert_allclose(graphscope.run(frozen.model, {"x": X})["out:0"], expected, rtol=1e-6)
    assert "Switch" not in frozen.model.graph.ops
    assert frozen.verify().is_within
    assert graphscope.verify(model, frozen.model, set={"is_training": False}).is_within
    trained = graphscope.freeze(model, outputs="out", set={"is_training": True}) if layer == "dropout" else None
    assert trained is None or graphscope.run(trained.model, {"x": X * 0 + 1})["out:0"].tolist() != expected.tolist()


def warnings_of(model: str, *options: str) -> str:
    done = CliRunner().invoke(app, ["freeze", model, "-o", model + ".pb", "--force", "--output", "out", *options])
    assert done.exit_code == 0, done.output
    return " ".join(done.stderr.split())


@pytest.mark.parametrize("layer", LAYERS)
def test_what_is_advised(layer: str, tmp_path: Path) -> None:
    (tmp_path / "on").mkdir()
    (tmp_path / "off").mkdir()
    model = saved(tmp_path / "on", layer, True)
    said = warnings_of(model)
    assert "--set is_training=false switches that off" in said
    assert ("state that persists between runs" in said) == (layer == "batch norm")
    assert warnings_of(model, "--set", "is_training=false") == ""
    assert warnings_of(saved(tmp_path / "off", layer, False)) == ""


@pytest.mark.parametrize("stored", [False, True])
def test_a_saved_model_is_doubted_where_it_trains(stored: bool, tmp_path: Path) -> None:
    model = saved(tmp_path, "dropout", stored)
    done = CliRunner().invoke(app, ["convert", model, f"{tmp_path}/saved/", "--output", "out"])
    assert done.exit_code == 0
    said = " ".join(done.stderr.split())
    assert (
        ("makes the result random" in said)
        == ("freeze MODEL --set is_training=false switches that off" in said)
        == stored
    )


def test_a_base_is_for_inference(tmp_path: Path) -> None:
    model = graphscope.load(saved(tmp_path, "batch norm", True))
    base = open_base(model, ["out"])
    assert base.fixed == {"is_training": "false"}
    assert "SquaredDifference" not in base.graph.ops
    assert {name: payload.numpy().tolist() for name, payload in base.values.items()} == {
        "w": WEIGHTS.tolist(),
        "mean": MEAN,
        "variance": VARIANCE,
    }
    training = open_base(model, ["out"], values={"is_training": np.array(True)})
    assert training.fixed == {}
    assert "SquaredDifference" in training.graph.ops


NUMBERS: dict[str, tuple[Any, Callable[[Any, Any], Any], str]] = {
    "a number that is compared": (2, lambda mode, x: dropped(tf.equal(mode, 2), x), "0"),
    "what a dropout keeps": (0.5, lambda keep, x: v1.nn.dropout(x, keep_prob=keep), "1"),
    "what a dropout drops": (0.5, lambda rate, x: tf.nn.dropout(x, rate=tf.identity(rate)), "0"),
}


@pytest.mark.parametrize("resource", [False, True])
@pytest.mark.parametrize("kind", NUMBERS)
def test_numbers_that_switch(kind: str, resource: bool, tmp_path: Path) -> None:
    stored, build, off = NUMBERS[kind]
    with tf.Graph().as_default(), v1.Session() as session, plain_control_flow(tf):
        number = v1.get_variable("number", initializer=stored, trainable=False, use_resource=resource)
        x = v1.placeholder(tf.float32, [None, 3], "x")
        v1.get_variable("scalar", initializer=2.0, use_resource=resource)
        tf.identity(build(number, x), "out")
        session.run(v1.global_variables_initializer())
        prefix = str(v1.train.Saver().save(session, str(tmp_path / "model")))
    frozen = graphscope.freeze(prefix, outputs="out")
    assert frozen.result.stored_switches == {"number": off}
    with pytest.raises(GraphscopeError, match="makes the result random"):
        graphscope.freeze(prefix, outputs="out", strict=True)
    plain = graphscope.freeze(prefix, outputs="out", set={"number": off}, strict=True)
    np.testing.assert_array_equal(graphscope.run(plain.model, {"x": X})["out:0"], X)
    assert plain.verify().is_within
    base = open_base(graphscope.load(prefix), ["out"])
    assert base.fixed == {"number": off}
    assert lasting_drops(base.graph) == []


def test_any_variable_takes_a_value(tmp_path: Path) -> None:
    model = graphscope.load(saved(tmp_path, "dropout", False))
    frozen = graphscope.freeze(model, outputs="hidden", set={"w": 2 * WEIGHTS})
    np.testing.assert_array_equal(np.asarray(frozen.model["w"]), 2 * WEIGHTS)
    assert frozen.verify().is_within
    for values, said in (
        ({"w": WEIGHTS[:2]}, r"w:0 has shape \(3, 2\), the value \(2, 2\)"),
        ({"is_training": 3}, "is_training:0 takes bool, where 3 does not fit"),
    ):
        with pytest.raises(GraphscopeError, match=said):
            graphscope.freeze(model, outputs="out", set=values)
    with pytest.raises(UnknownNameError, match="closest: is_training:0"):
        graphscope.freeze(model, outputs="out", set={"is_trainin": False})
    with pytest.raises(UnknownNameError):
        graphscope.freeze(model, outputs="out", set={"hidden": WEIGHTS})


def test_a_flag_that_is_no_switch_stays(tmp_path: Path) -> None:
    with tf.Graph().as_default(), v1.Session() as session:
        flag = v1.get_variable("flag", initializer=True, trainable=False)
        x = v1.placeholder(tf.float32, [None, 3], "x")
        tf.identity(v1.cond(flag, lambda: x * 2.0, lambda: x * 3.0), "out")
        session.run(v1.global_variables_initializer())
        prefix = v1.train.Saver().save(session, str(tmp_path / "model"))
    frozen = graphscope.freeze(prefix, outputs="out")
    assert frozen.result.stored_switches == {}
    np.testing.assert_array_equal(graphscope.run(frozen.model, {"x": X})["out:0"], X * 2)
