"""Heads: their text, and what each layer computes."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from graphscope.cli.terminal.wording import to_words
from graphscope.errors import GraphscopeError
from graphscope.training.heads.chain import build_chain, parse_chain
from graphscope.training.heads.context import Context, plain_control_flow
from graphscope.training.heads.layers import EPSILON, MOMENTUM
from graphscope.training.heads.spec import ACTIVATIONS, Layer
from tests.support.running import Array, tf

v1 = tf.compat.v1


def test_a_chain_is_its_layers_in_order() -> None:
    assert parse_chain("flatten,dense:256:relu, dropout:0.5 ,dense:10") == (
        Layer("flatten", "flatten"),
        Layer("dense:256:relu", "dense", units=256, activation="relu"),
        Layer("dropout:0.5", "dropout", rate=0.5),
        Layer("dense:10", "dense", units=10),
    )


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("conv:1x3x32", Layer("conv:1x3x32", "conv", units=32, window=(1, 3))),
        ("conv:3x3x8:2:relu", Layer("conv:3x3x8:2:relu", "conv", 8, (3, 3), 2, "SAME", activation="relu")),
        ("conv:3x3x8:tanh:valid", Layer("conv:3x3x8:tanh:valid", "conv", 8, (3, 3), 0, "VALID", activation="tanh")),
        ("maxpool:2", Layer("maxpool:2", "maxpool", 0, (2, 2), 2, "VALID")),
        ("avgpool:3:1:same", Layer("avgpool:3:1:same", "avgpool", 0, (3, 3), 1, "SAME")),
        ("gelu", Layer("gelu", "gelu", activation="gelu")),
    ],
)
def test_options_of_layers(text: str, expected: Layer) -> None:
    assert parse_chain(text) == (expected,)


@pytest.mark.parametrize(
    ("text", "part", "start", "reason"),
    [
        ("flatten,dens:10", "dens:10", 8, "did you mean 'dense'?"),
        ("dense", "dense", 0, "dense:UNITS takes a whole number above 0"),
        ("dense:0", "dense:0", 0, "whole number above 0, not '0'"),
        ("dense:ten,flatten", "dense:ten", 0, "not 'ten'"),
        ("dense:10:rely", "dense:10:rely", 0, "mean 'relu'"),
        ("dense:10:2", "dense:10:2", 0, "'2' is not an option of dense"),
        ("flatten,,dense:2", "", 8, "unknown layer ''"),
        ("flatten:2", "flatten:2", 0, "flatten does not take '2'"),
        ("conv:3x3", "conv:3x3", 0, "HEIGHTxWIDTHxCHANNELS"),
        ("conv:3x0x8", "conv:3x0x8", 0, "HEIGHTxWIDTHxCHANNELS"),
        ("maxpool", "maxpool", 0, "maxpool:SIZE takes"),
        ("maxpool:2:relu", "maxpool:2:relu", 0, "'relu' is not an option of maxpool"),
        ("maxpool:2:valit", "maxpool:2:valit", 0, "mean 'valid'"),
        ("dropout:1", "dropout:1", 0, "'1' is not a rate"),
        ("dropout", "dropout", 0, "not a rate"),
        ("dense:10,softmax", "softmax", 9, "the loss takes logits"),
        ("dense:10:softmax", "dense:10:softmax", 0, "the loss takes logits"),
    ],
)
def test_an_error_points_at_its_part(text: str, part: str, start: int, reason: str) -> None:
    with pytest.raises(GraphscopeError) as raised:
        parse_chain(text)
    message, line, marks = raised.value.message.split("\n")
    assert reason in message
    assert repr(part) in message
    assert line == text
    assert marks == " " * start + "^" * max(len(part), 1)
    assert raised.value.hint


def test_what_a_layer_does_not_take_is_not_proposed() -> None:
    with pytest.raises(GraphscopeError) as raised:
        parse_chain("maxpool:2:relu")
    assert "mean" not in raised.value.message


def run_chain(
    text: str, x: Array, *, training: bool = False, step: int = 0, seed: int = 3, updates: bool = False
) -> tuple[Array, dict[str, Array]]:
    """The output of a chain, and its variables after the run."""
    with tf.Graph().as_default() as graph, plain_control_flow(tf), v1.Session() as session:
        with v1.variable_scope("", use_resource=True):
            context = Context(tf, "head", seed, tf.constant(step, tf.int64))
            given = v1.placeholder(tf.float32, [None, *x.shape[1:]])
            y = build_chain(parse_chain(text), given, context)
        assert not graph.as_graph_def().library.function, "a head has no functions"
        session.run(v1.global_variables_initializer())
        feeds = {given: x, **({context.switch: training} if context.switch is not None else {})}
        fetches = [y, v1.get_collection("update_ops")] if updates else [y]
        value = session.run(fetches, feeds)[0]
        assert y.shape.as_list() == [None, *value.shape[1:]], "the shape is known beforehand, but for the batch"
        return value, session.run({v.op.name: v for v in v1.global_variables()})


RNG = np.random.default_rng(0)
FLAT = RNG.normal(size=(4, 6)).astype(np.float32)
PICTURE = RNG.normal(size=(2, 5, 5, 3)).astype(np.float32)


def test_dense_is_a_product_and_a_shift() -> None:
    y, variables = run_chain("dense:3", FLAT)
    assert set(variables) == {"dense/kernel", "dense/bias"}
    np.testing.assert_allclose(y, FLAT @ variables["dense/kernel"], rtol=1e-5, atol=1e-6)
    assert not variables["dense/bias"].any()
    assert np.abs(variables["dense/kernel"]).max() <= np.sqrt(6 / (6 + 3))
    assert variables["dense/kernel"].std() == pytest.approx(np.sqrt(2 / (6 + 3)), rel=0.3)


def test_layers_of_one_kind_are_numbered() -> None:
    _, variables = run_chain("dense:3,dense:4:relu,dense:2", FLAT)
    assert {name.partition("/")[0] for name in variables} == {"dense", "dense_1", "dense_2"}
    assert len({value.tobytes() for name, value in variables.items() if "kernel" in name}) == 3


def test_convolution() -> None:
    y, variables = run_chain("conv:1x1x2:valid", PICTURE)
    np.testing.assert_allclose(y, PICTURE @ variables["conv/kernel"][0, 0], rtol=1e-4, atol=1e-5)
    assert run_chain("conv:3x3x2:2", PICTURE)[0].shape == (2, 3, 3, 2)
    assert run_chain("conv:3x3x2:valid", PICTURE)[0].shape == (2, 3, 3, 2)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("flatten", PICTURE.reshape(2, -1)),
        ("gap", PICTURE.mean((1, 2))),
        ("gmp", PICTURE.max((1, 2))),
        ("maxpool:2", PICTURE[:, :4, :4].reshape(2, 2, 2, 2, 2, 3).max((2, 4))),
        ("avgpool:2", PICTURE[:, :4, :4].reshape(2, 2, 2, 2, 2, 3).mean((2, 4))),
        ("avgpool:5", PICTURE.mean((1, 2), keepdims=True)),
        ("dropout:0.5", PICTURE),
        ("batchnorm", PICTURE / np.sqrt(1 + EPSILON)),
    ],
)
def test_layers_outside_training(text: str, expected: Array) -> None:
    np.testing.assert_allclose(run_chain(text, PICTURE)[0], expected, rtol=1e-5, atol=1e-6)


ORACLES: dict[str, Callable[[Array], Array]] = {
    "relu": lambda x: np.maximum(x, 0),
    "relu6": lambda x: np.clip(x, 0, 6),
    "leaky_relu": lambda x: np.where(x > 0, x, 0.2 * x),
    "elu": lambda x: np.where(x > 0, x, np.expm1(x)),
    "selu": lambda x: 1.0507009873554805 * np.where(x > 0, x, 1.6732632423543772 * np.expm1(x)),
    "gelu": lambda x: np.array([0.5 * v * (1 + math.erf(v / 2**0.5)) for v in x.ravel()]).reshape(x.shape),
    "swish": lambda x: x / (1 + np.exp(-x)),
    "tanh": np.tanh,
    "sigmoid": lambda x: 1 / (1 + np.exp(-x)),
    "softplus": lambda x: np.log1p(np.exp(x)),
    "softsign": lambda x: x / (1 + np.abs(x)),
}


@pytest.mark.parametrize("name", ACTIVATIONS)
def test_activations(name: str) -> None:
    x = np.linspace(-8, 8, 33, dtype=np.float32).reshape(3, 11)
    np.testing.assert_allclose(run_chain(name, x)[0], ORACLES[name](x.astype(np.float64)), rtol=1e-5, atol=1e-6)


def test_layer_norm_is_over_the_last_dimension() -> None:
    y, variables = run_chain("layernorm", FLAT)
    mean, variance = FLAT.mean(1, keepdims=True), FLAT.var(1, keepdims=True)
    np.testing.assert_allclose(y, (FLAT - mean) / np.sqrt(variance + EPSILON), rtol=1e-4, atol=1e-5)
    assert set(variables) == {"layernorm/gamma", "layernorm/beta"}


def test_batch_norm_takes_the_batch_in_training_and_follows_it() -> None:
    y, variables = run_chain("batchnorm", PICTURE, training=True, updates=True)
    mean, variance = PICTURE.mean((0, 1, 2)), PICTURE.var((0, 1, 2))
    np.testing.assert_allclose(y, (PICTURE - mean) / np.sqrt(variance + EPSILON), rtol=1e-4, atol=1e-5)
    np.testing.assert_allclose(variables["batchnorm/moving_mean"], (1 - MOMENTUM) * mean, rtol=1e-4, atol=1e-6)
    expected = MOMENTUM + (1 - MOMENTUM) * variance
    np.testing.assert_allclose(variables["batchnorm/moving_variance"], expected, rtol=1e-5)


def test_batch_norm_changes_nothing_outside_training() -> None:
    _, variables = run_chain("batchnorm", PICTURE, updates=True)
    assert not variables["batchnorm/moving_mean"].any()
    assert (variables["batchnorm/moving_variance"] == 1).all()


def test_dropout_drops_its_part_and_scales_the_rest() -> None:
    x = np.ones((200, 50), np.float32)
    y, _ = run_chain("dropout:0.25", x, training=True)
    assert set(np.unique(y)) == {np.float32(0), np.float32(1 / 0.75)}
    assert (y == 0).mean() == pytest.approx(0.25, abs=0.02)


def test_dropout_is_keyed_by_seed_step_and_layer() -> None:
    x = np.ones((20, 20), np.float32)
    masks: dict[str, Any] = {
        "same": run_chain("dropout:0.5", x, training=True)[0],
        "step": run_chain("dropout:0.5", x, training=True, step=1)[0],
        "seed": run_chain("dropout:0.5", x, training=True, seed=4)[0],
    }
    assert np.array_equal(masks["same"], run_chain("dropout:0.5", x, training=True)[0])
    assert not np.array_equal(masks["same"], masks["step"])
    assert not np.array_equal(masks["same"], masks["seed"])
    twice = run_chain("dropout:0.5,dropout:0.5", x, training=True)[0]
    assert (twice != 0).mean() == pytest.approx(0.25, abs=0.06), "two layers draw different masks"


def test_weights_are_keyed_by_seed_alone() -> None:
    first, again, other = (run_chain("dense:3", FLAT, seed=seed)[0] for seed in (1, 1, 2))
    assert np.array_equal(first, again)
    assert not np.array_equal(first, other)


@pytest.mark.parametrize(
    ("text", "x", "shape", "hint"),
    [
        ("dense:3", PICTURE, "(?, 5, 5, 3)", "flatten"),
        ("gap", FLAT, "(?, 6)", "picture"),
        ("conv:3x3x2", FLAT, "(?, 6)", "picture"),
        ("maxpool:2", FLAT, "(?, 6)", "picture"),
        ("maxpool:6", PICTURE, "(?, 5, 5, 3)", "smaller"),
        ("conv:6x6x2:valid", PICTURE, "(?, 5, 5, 3)", "smaller"),
        ("flatten,gap", PICTURE, "(?, 75)", "picture"),
    ],
)
def test_a_layer_that_cannot_take_its_input_prints_the_shape(text: str, x: Array, shape: str, hint: str) -> None:
    with pytest.raises(GraphscopeError) as raised:
        run_chain(text, x)
    assert shape in raised.value.message
    assert text.split(",")[-1] in raised.value.message
    assert hint in to_words(raised.value.hint)


def test_flatten_needs_known_sides() -> None:
    with tf.Graph().as_default(), pytest.raises(GraphscopeError, match=r"its input is \(\?, \?, 5, 3\)"):
        build_chain(
            parse_chain("flatten"), v1.placeholder(tf.float32, [None, None, 5, 3]), Context(tf, "head", 0, None)
        )
