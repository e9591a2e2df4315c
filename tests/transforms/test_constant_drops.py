"""Dropout of a constant rate that a graph still has: found however it is wired, and reported by every command."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from typer.testing import CliRunner

import graphscope
from graphscope import GraphscopeError, load
from graphscope.cli.app import app
from graphscope.cli.terminal.wording import to_words
from graphscope.transforms.findings.drops import lasting_drops
from tests.support.running import tf

v1 = tf.compat.v1


def saved(build: Callable[[], object], folder: Path, *, functions: bool = False) -> Path:
    with tf.Graph().as_default() as graph:
        (v1.enable_control_flow_v2 if functions else v1.disable_control_flow_v2)()
        try:
            build()
        finally:
            v1.enable_control_flow_v2()
    (folder / "m.pb").write_bytes(graph.as_graph_def().SerializeToString())
    return folder / "m.pb"


def drops(build: Callable[[], object], folder: Path, **how: bool) -> list[str]:
    return lasting_drops(load(saved(build, folder, **how)).graph)


def inputs() -> tf.Tensor:
    return v1.placeholder(tf.float32, [None, 4], "x")


def drawn(x: tf.Tensor) -> tf.Tensor:
    return v1.random_uniform(tf.shape(x))


def by_floor() -> None:
    x = inputs()
    keep = tf.constant(0.5)
    tf.multiply(x / keep, tf.floor(keep + drawn(x)), name="dropped")


def by_product() -> None:
    x = inputs()
    tf.multiply(x, tf.cast(drawn(x) < 0.5, tf.float32), name="dropped")


def scaled_mask() -> None:
    x = inputs()
    tf.multiply(x, tf.cast(drawn(x) < 0.8, tf.float32) / 0.8, name="dropped")


def inverted_mask() -> None:
    x = inputs()
    tf.multiply(x, 1 - tf.cast(drawn(x) < 0.2, tf.float32), name="dropped")


def rounded() -> None:
    x = inputs()
    tf.multiply(tf.round(drawn(x)), x, name="dropped")


def whole_features() -> None:
    x = inputs()
    v1.nn.dropout(x, rate=0.25, noise_shape=[1, 4], name="dropped")


def mask_for_all_steps() -> None:
    x = inputs()
    mask = tf.floor(0.5 + v1.random_uniform([4]))
    steps = v1.while_loop(lambda i, _: i < 3, lambda i, y: (i + 1, tf.multiply(y, mask, name="dropped")), [0, x])
    tf.identity(steps[1], name="out")


BUILDS: dict[str, tuple[Callable[[], object], str]] = {
    "floor": (by_floor, "dropped"),
    "cast": (by_product, "dropped"),
    "mask that is scaled": (scaled_mask, "dropped"),
    "mask that is turned round": (inverted_mask, "dropped"),
    "rounded": (rounded, "dropped"),
    "whole features": (whole_features, "dropped/"),
    "one mask for all steps of a loop": (mask_for_all_steps, "while/dropped"),
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


def by_default() -> None:
    v1.nn.dropout(inputs(), rate=v1.placeholder_with_default(0.5, [], "r"))


def sampled() -> None:
    tf.where(v1.random_uniform([4]) < 0.5, inputs(), tf.ones([4]))


def noise() -> None:
    inputs() * v1.random_uniform([4])


def keeps_all() -> None:
    v1.nn.dropout(inputs(), rate=tf.constant(0.0))


def keeps_all_by_floor() -> None:
    x = inputs()
    x * tf.floor(1.0 + drawn(x))


@pytest.mark.parametrize("build", [by_placeholder, by_default, sampled, noise, keeps_all, keeps_all_by_floor])
def test_what_is_fed_or_only_random_or_keeps_everything_is_no_constant_dropout(
    build: Callable[[], object], tmp_path: Path
) -> None:
    assert drops(build, tmp_path) == []


def switched(name: str, then: Callable[[tf.Tensor], tf.Tensor] = lambda x: x) -> None:
    x = inputs()
    training = v1.placeholder_with_default(True, [], name)
    then(tf.cond(training, lambda: tf.nn.dropout(x, 0.5), lambda: x))


@pytest.mark.parametrize("functions", [False, True])
def test_what_an_open_switch_decides_is_reported_as_a_switch(functions: bool, tmp_path: Path) -> None:
    assert drops(lambda: switched("is_training"), tmp_path, functions=functions) == []


@pytest.mark.parametrize("functions", [False, True])
def test_what_comes_after_a_switched_branch_is_not_switched(functions: bool, tmp_path: Path) -> None:
    found = drops(
        lambda: switched("is_training", lambda x: tf.nn.dropout(x, 0.5, name="after")), tmp_path, functions=functions
    )
    assert [name.partition("/")[0] for name in found] == ["after"]


def called() -> None:
    function = tf.function(lambda x: tf.nn.dropout(x, 0.5, name="inner"), input_signature=[tf.TensorSpec([None, 4])])
    tf.identity(function(inputs()), name="out")


def test_a_function_that_is_called_drops_too(tmp_path: Path) -> None:
    assert [name.partition("/")[0] for name in drops(called, tmp_path)] == ["inner"]


# What commands say


def invoke(*words: object) -> Any:
    return CliRunner().invoke(app, [str(word) for word in words])


WARNING = (
    "warning: dropout with a constant rate makes the result random: dropped; build the graph with a rate of 0, or name"
)


def test_freeze_warns_of_it_and_refuses_it_if_strict(tmp_path: Path) -> None:
    model, out = saved(scaled_mask, tmp_path), tmp_path / "f.pb"
    strict = invoke("freeze", model, "-o", out, "--output", "dropped", "--strict")
    assert strict.exit_code == 1
    assert "error: dropout with a constant rate makes the result random: dropped\n" in strict.stderr
    assert "hint: build the graph with a rate of 0" in strict.stderr
    assert not out.exists()
    result = invoke("freeze", model, "-o", out, "--output", "dropped")
    assert result.exit_code == 0, result.output
    assert f"{WARNING} what comes before it with --output" in result.stderr


@pytest.mark.parametrize("target", ["m.onnx", "saved_model/"])
def test_convert_warns_of_it(target: str, tmp_path: Path) -> None:
    result = invoke("convert", saved(scaled_mask, tmp_path), f"{tmp_path}/{target}", "--output", "dropped")
    assert result.exit_code == 0, result.output
    assert WARNING in result.stderr


def test_a_graph_that_is_copied_is_not_judged(tmp_path: Path) -> None:
    assert invoke("convert", saved(scaled_mask, tmp_path), tmp_path / "copy.pbtxt").stderr == ""


def test_graft_warns_and_features_refuses(tmp_path: Path) -> None:
    model, data = saved(scaled_mask, tmp_path), tmp_path / "d.npz"
    np.savez(data, x=np.ones((8, 4), np.float32), y=np.arange(8) % 2)
    grafted = invoke(
        "graft", model, "--at", "dropped", "--classes", "2", "--head", "dense:2", "-o", tmp_path / "g.ckpt"
    )
    assert grafted.exit_code == 0, grafted.output
    assert f"{WARNING} what comes before it with --at" in grafted.stderr
    kept = ("--cache", tmp_path / "cache")
    for result in (
        invoke("features", model, "--at", "dropped", "--data", data, "-o", tmp_path / "f.npz", *kept),
        invoke("tune", tmp_path / "g.ckpt", "--data", data, "-o", tmp_path / "t", "--epochs", "1", *kept),
    ):
        assert result.exit_code == 1
        assert (
            "dropout with a constant rate makes dropped:0 random: dropped; features cannot be cached" in result.stderr
        )
        assert "hint: --at TENSOR" in result.stderr


# A signature leaves out what has a default


def rate_with_default(value: float) -> Callable[[], object]:
    rate = lambda: v1.placeholder_with_default(value, [], "rate")  # noqa: E731
    return lambda: tf.identity(tf.nn.dropout(inputs(), rate()), name="dropped")


@pytest.mark.parametrize(("default", "is_told"), [(0.5, True), (0.0, False)])
def test_a_signature_that_trains_by_default_is_reported(default: float, is_told: bool, tmp_path: Path) -> None:
    model, target = saved(rate_with_default(default), tmp_path), f"{tmp_path}/saved_model/"
    result = invoke("convert", model, target, "--output", "dropped")
    assert result.exit_code == 0, result.output
    text = f"warning: rate looks like a training switch, and its default is {default}; graphscope freeze MODEL --set rate=0"
    assert (text in result.stderr) is is_told
    fed = invoke("convert", model, target, "--output", "dropped", "--input", "x", "--input", "rate", "--force")
    assert "training switch" not in fed.stderr


def test_a_switch_that_is_true_by_default_is_reported(tmp_path: Path) -> None:
    model = saved(lambda: switched("is_training", lambda x: tf.identity(x, name="out")), tmp_path)
    result = invoke("convert", model, f"{tmp_path}/saved_model/", "--output", "out")
    assert "is_training looks like a training switch, and its default is true; " in result.stderr
    assert "freeze MODEL --set is_training=false fixes it, --input is_training makes an argument of it" in result.stderr
    assert "dropout" not in result.stderr


def test_python_is_told_in_its_own_words(tmp_path: Path) -> None:
    with pytest.raises(GraphscopeError) as caught:
        graphscope.freeze(saved(scaled_mask, tmp_path), outputs="dropped", strict=True)
    assert str(caught.value.hint).endswith("name what comes before it with outputs")
    assert to_words(caught.value.hint).endswith("name what comes before it with --output")
