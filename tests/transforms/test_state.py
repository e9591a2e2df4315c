"""State that carries over from run to run is reported by name; what only training updates is not."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

import graphscope
from graphscope import load
from graphscope.transforms.freeze import FreezeOptions, freeze
from tests.support.fixture_files import FIXTURES
from tests.support.invoked import code_of
from tests.support.running import tf

v1 = tf.compat.v1
Build = Callable[[Any, Any], None]


def assigned(x: Any, state: Any) -> None:
    y = tf.tanh(state + x, name="out")
    state.assign(y)


def old_state_read(x: Any, state: Any) -> None:
    tf.identity(state * 2.0 + x, name="out")
    state.assign(tf.tanh(state + x))


def previous_input(x: Any, state: Any) -> None:
    tf.subtract(x, state, name="out")
    state.assign(x)


def history(x: Any, state: Any) -> None:
    tf.reduce_sum(state + x, name="out")
    state.assign(tf.concat([state[1:], x[:1]], 0))


def counter(x: Any, state: Any) -> None:
    tf.add(x, state, name="out")
    state.assign_add(tf.ones([3]))


def reset_or_kept(x: Any, state: Any) -> None:
    """An input that the output does not need decides what is written, not what a state is."""
    y = tf.tanh(state + x, name="out")
    v1.disable_control_flow_v2()
    try:
        reset = v1.placeholder(tf.bool, [], "reset")
        v1.cond(reset, lambda: tf.identity(state.assign(tf.zeros([3]))), lambda: tf.identity(state.assign(y)))
    finally:
        v1.enable_control_flow_v2()


def normalized(x: Any, state: Any) -> None:
    """A running mean that the run updates by itself."""
    update = state.assign(state * 0.9 + x * 0.1)
    with tf.control_dependencies([update.op if hasattr(update, "op") else update]):
        tf.subtract(x, 1.0, name="late")
    tf.subtract(v1.get_default_graph().get_tensor_by_name("late:0"), state_value(state), name="out")


def state_value(state: Any) -> Any:
    return v1.get_default_graph().get_tensor_by_name("first_read:0")


def _write_scattered(x: Any, state: Any, wrap: Callable[[Callable[[], Any]], Any]) -> None:
    """What ``wrap`` makes of a write in the body of a function runs with the output."""
    y = tf.tanh(state + x)
    with tf.control_dependencies([wrap(lambda: tf.group(v1.scatter_update(state, [0, 1], y[:2])))]):
        tf.identity(y, name="out")


def written_in_nested_branches(x: Any, state: Any) -> None:
    def branch(write: Callable[[], Any]) -> Any:
        return v1.cond(x[0] > 0, write, tf.no_op)

    _write_scattered(x, state, lambda write: branch(lambda: branch(write)))


def written_in_a_case(x: Any, state: Any) -> None:
    _write_scattered(x, state, lambda write: tf.switch_case(tf.cast(x[0], tf.int32), [tf.no_op, write]))


def written_in_a_loop(x: Any, state: Any) -> None:
    def turn(write: Callable[[], Any], i: Any) -> Any:
        with tf.control_dependencies([write()]):
            return i + 1.0

    _write_scattered(x, state, lambda write: v1.while_loop(lambda i: i < x[0], lambda i: turn(write, i), [0.0]))


def optimized(x: Any, state: Any) -> None:
    out = tf.multiply(x, state, name="out")
    labels = v1.placeholder(tf.float32, [3], name="labels")
    v1.train.AdamOptimizer().minimize(tf.reduce_sum((out - labels) ** 2))


def descended(x: Any, state: Any) -> None:
    out = tf.multiply(x, state, name="out")
    [gradient] = tf.gradients(tf.reduce_sum(out**2), [state])
    state.assign_sub(0.1 * gradient)


def clipped(x: Any, state: Any) -> None:
    tf.multiply(x, state, name="out")
    state.assign(tf.clip_by_value(state, -1.0, 1.0))


def averaged(x: Any, state: Any) -> None:
    """A batch norm's average, updated beside the outputs."""
    tf.subtract(x, state, name="out")
    state.assign(state * 0.9 + tf.reduce_mean(x) * 0.1)


def unread(x: Any, state: Any) -> None:
    update = state.assign(x)
    with tf.control_dependencies([update.op if hasattr(update, "op") else update]):
        tf.identity(x * 2.0, name="out")


def saved(build: Build, directory: Path, *, resource: bool) -> str:
    with tf.Graph().as_default(), v1.Session() as session:
        x = v1.placeholder(tf.float32, [3], name="x")
        state = v1.get_variable("state", [3], initializer=v1.zeros_initializer(), use_resource=resource)
        tf.identity(state, name="first_read")
        build(x, state)
        session.run(v1.global_variables_initializer())
        v1.train.Saver().save(session, str(directory / "m"))
    return str(directory / "m")


@pytest.mark.parametrize("resource", [False, True])
@pytest.mark.parametrize(
    "build", [assigned, old_state_read, previous_input, history, counter, reset_or_kept, normalized]
)
def test_state_is_reported(build: Build, resource: bool, tmp_path: Path) -> None:
    model = graphscope.load(saved(build, tmp_path, resource=resource))
    assert list(freeze(model, FreezeOptions(["out"])).carried) == ["state"]


@pytest.mark.parametrize("build", [written_in_nested_branches, written_in_a_case, written_in_a_loop])
def test_state_that_a_function_of_control_flow_writes_is_reported(build: Build, tmp_path: Path) -> None:
    model = graphscope.load(saved(build, tmp_path, resource=True))
    assert not {"If", "Case", "While"}.isdisjoint(model.graph.ops)
    assert list(freeze(model, FreezeOptions(["out"])).carried) == ["state"]


@pytest.mark.parametrize("resource", [False, True])
@pytest.mark.parametrize("build", [optimized, descended, clipped, averaged, unread])
def test_training_is_not_state(build: Build, resource: bool, tmp_path: Path) -> None:
    model = graphscope.load(saved(build, tmp_path, resource=resource))
    assert freeze(model, FreezeOptions(["out"])).carried == {}


def test_a_warning_by_default_an_error_when_strict(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    prefix, out = saved(assigned, tmp_path, resource=True), tmp_path / "f.pb"
    command = ["freeze", prefix, "-o", str(out), "--output", "out"]
    assert code_of(*command, "--strict") == 1
    assert "state" in capsys.readouterr().err
    assert not out.exists()
    assert code_of(*command) == 0
    assert "warning: state that persists between runs is frozen to its stored value: state" in capsys.readouterr().err


def test_state_in_a_saved_model_of_functions(tmp_path: Path) -> None:
    class Cell(tf.Module):  # type: ignore[misc]
        def __init__(self) -> None:
            super().__init__()
            self.weight = tf.Variable(2.0, name="weight")
            self.state = tf.Variable(tf.zeros([3]), name="state")

        @tf.function(input_signature=[tf.TensorSpec([3], tf.float32)])  # type: ignore[untyped-decorator]
        def step(self, x: Any) -> Any:
            y = tf.tanh(self.state + x * self.weight)
            self.state.assign(y)
            return y

        @tf.function(input_signature=[tf.TensorSpec([3], tf.float32)])  # type: ignore[untyped-decorator]
        def plain(self, x: Any) -> Any:
            return x * self.weight + self.state

    cell = Cell()
    tf.saved_model.save(cell, str(tmp_path / "s"), signatures={"step": cell.step, "plain": cell.plain})
    model = graphscope.load(tmp_path / "s")
    for name, expected in (("step", 1), ("plain", 0)):
        [spec] = next(iter(model.signatures[name].outputs.values()))
        assert len(freeze(model, FreezeOptions([spec.name])).carried) == expected


def test_the_averages_of_a_batch_norm_whose_switch_is_open_are_not_reported() -> None:
    """The open switch is: what it decides is training."""
    model = load(FIXTURES / "batchnorm")
    frozen = freeze(model, FreezeOptions(outputs=["predictions"]))
    assert frozen.open_switches == {"is_training": "false"}
    assert frozen.carried == {}
