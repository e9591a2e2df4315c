"""Grafting: what is written trains in plain TensorFlow, leaves the base as it was, and is an ordinary checkpoint."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

import graphscope
from graphscope.analysis.ends.outputs import rank_outputs
from graphscope.cli.terminal.wording import to_words
from graphscope.core.changes.build import constant, make_node, type_attr
from graphscope.core.model import Model, ModelKind
from graphscope.core.values.dtypes import DataType
from graphscope.core.variables.variables import Role
from graphscope.errors import FileError, GraphscopeError, UnknownNameError, UntrustedError
from graphscope.feeding.feeds import tensor_spec
from graphscope.feeding.random_values import random_feeds
from graphscope.formats.io.progress import quiet
from graphscope.runtime.comparing.verify import verify
from graphscope.runtime.session import open_session
from graphscope.training.graft.filled import FilledPayload
from graphscope.training.graft.result import Grafted
from graphscope.training.heads.context import plain_control_flow
from graphscope.training.recipe import recipe_of
from graphscope.transforms.freeze import FreezeOptions, freeze
from tests.support.board_logs import assert_tensorboard_opens
from tests.support.fixture_files import FIXTURES
from tests.support.grafting import BATCH, CPUS, Case, Trained, feeds_of, reaches, train
from tests.support.running import Array, assert_same_bits, tf
from tests.support.verified import assert_same

v1 = tf.compat.v1

LENET = FIXTURES / "lenet5_0to4"
FLOAT = {"T": type_attr(DataType.FLOAT)}

CASES = [
    Case("softmax", "inference/logits"),
    Case("softmax/frozen.pb", "inference/logits"),
    Case("softmax/v1", "inference/logits"),
    Case("lenet5", "fc2/relu", "dense:7:tanh,dense:3"),
    Case("lenet5/frozen.pb", "pool2", "gap,dense:3"),
    Case("lenet5/saved_model", "fc1/relu"),
    Case("lenet5_0to4", "pool2", "conv:3x3x4:relu,flatten,dense:3"),
    Case("mlp", "layer1/Relu"),
    Case("convnet_slim", "fc1/Relu"),
    Case("batchnorm", "dense/Relu"),
    Case("batchnorm_resource", "dense/Relu"),
    Case("rnn", "rnn/while/Exit_4"),
    Case("partitioned", "inference/logits"),
    Case("towers", "prediction"),
]


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.path)
def test_every_fixture(case: Case, tmp_path: Path) -> None:
    prefix = str(tmp_path / "grafted" / "model.ckpt")
    base = graphscope.load(FIXTURES / case.path)
    grafted = graphscope.graft(base, case.at, case.head, out=prefix, learning_rate=0.01, **case.task)
    trained = train(prefix)
    assert trained.losses[-1] < trained.losses[0]
    assert_base_untouched(base, grafted, trained)
    assert set(trained.trainable) == set(grafted.report.trainable) == {n for n in trained.trainable if "head/" in n}
    model = graphscope.load(prefix)
    assert_ordinary(model)
    assert_head_on_base(base, model, case)
    assert_tensorboard_opens(model, tmp_path / "logs")


def assert_base_untouched(base: Model, grafted: Grafted, trained: Trained) -> None:
    """Every variable of the base has its bits, before training and after it; constants are constants still."""
    stored = {v.name: base.value(v).numpy() for v in base.variables if v.in_graph and v.entry is not None}
    kept = grafted.report.frozen.keys() & trained.before.keys()
    assert bool(kept) == bool(base.variables)
    for name in kept:
        assert trained.before[name].tobytes() == trained.after[name].tobytes() == stored[name].tobytes(), name
    old, new = base.graph, grafted.model.graph
    below = [new[name] for name in new.ancestors(s.name.partition(":")[0] for s in grafted.report.cuts)]
    constants = [n for n in below if n.op == "Const" and old[n.name].op == "Const"]
    assert constants or kept
    for found in constants:
        mine, theirs = found.tensor(), old[found.name].tensor()
        assert mine is not None
        assert theirs is not None
        assert mine.numpy().tobytes() == theirs.numpy().tobytes()


def assert_ordinary(model: Model) -> None:
    """A meta checkpoint that other commands understand: nothing is missing, the output is clear, it freezes."""
    assert model.kind is ModelKind.META_CHECKPOINT
    assert not [v.name for v in model.variables if v.is_missing or not v.in_graph]
    assert {"serving_default", "train"} <= set(model.signatures)
    wanted = {"variables", "trainable_variables", "losses", "train_op", "metrics", "global_step", "graphscope_recipe"}
    assert wanted <= set(model.collections)
    assert [len(model.collections[name].values) for name in ("train_op", "losses", "metrics")] == [1, 1, 1]
    assert not {n.device for n in model.graph} - {"", "/device:CPU:0"}, "the saver's own alone"
    recipe = recipe_of(model)
    assert rank_outputs(model)[0].tensor == recipe.predictions
    frozen = freeze(model, FreezeOptions(outputs=[recipe.predictions], fold=False)).graph
    assert not [n for n in frozen if n.op in ("Switch", "Merge", "VarHandleOp", "VariableV2") and "head" in n.name]
    result = Model("frozen", ModelKind.GRAPH, "binary", (), frozen)
    assert_same(verify(model, result, [recipe.predictions], batches=1))


def assert_head_on_base(base: Model, model: Model, case: Case) -> None:
    """Serving gives what the head gives for what the base gives, run one after the other."""
    recipe = recipe_of(model)
    feeds = random_feeds([tensor_spec(model, n) for n in recipe.inputs.values()], seed=5, unknown=BATCH)
    off = {"keep_prob": np.array(1, np.float32), "is_training": np.array(False)}
    switches = {name: value for name, value in off.items() if name in base.graph}
    with open_session(base, [case.at]) as session:
        features = session.run([case.at], {**feeds, **switches})[0]
    assert features is not None
    with open_session(model, [recipe.logits]) as session:
        whole = session.run([recipe.logits], feeds)[0]
        head = session.run([recipe.logits], {recipe.features[0]: features})[0]
    assert whole is not None
    assert head is not None
    assert_same_bits(head, whole)
    assert whole.shape == (BATCH, 3)


@pytest.fixture(scope="module")
def plain(tmp_path_factory: pytest.TempPathFactory) -> Grafted:
    """A head with everything that trains or keeps statistics."""
    prefix = tmp_path_factory.mktemp("plain") / "model.ckpt"
    head = "dense:8,batchnorm,relu,dropout:0.5,layernorm,dense:5"
    return graphscope.graft(LENET, "fc2/relu", head, out=prefix, ema=0.9, l2=0.01, decay="step:2:0.5", classes=5)


def test_no_gradient_reaches_the_base(plain: Grafted) -> None:
    """On the graph: the loss needs the base through the stopped gradient only, and the step writes to nothing of it."""
    recipe = plain.recipe
    assert recipe is not None
    graph = plain.graph
    base = [graph.get_operation_by_name(name) for name in plain.report.frozen if "head" not in name]
    assert len(base) == 8
    loss, step = (graph.get_operation_by_name(name.partition(":")[0]) for name in (recipe.loss, recipe.train_op))
    assert reaches(graph, loss, base)
    assert not reaches(graph, loss, base, stop="StopGradient")
    features = graph.get_tensor_by_name(recipe.features[0])
    above = {op for op in graph.get_operations() if reaches(graph, op, [features.op])}
    takers = {consumer for variable in base for consumer in variable.outputs[0].consumers()}
    step_needs = {op for op in graph.get_operations() if op in above or reaches_with_controls(step, op)}
    writers = {op for op in takers if op.type.startswith(("Assign", "Apply", "ResourceApply"))}
    assert writers, "the saver's and the initializers' own"
    assert not writers & step_needs
    with graph.as_default():
        assert tf.gradients(graph.get_tensor_by_name(recipe.loss), [v.outputs[0] for v in base]) == [None] * 8


def reaches_with_controls(start: Any, goal: Any) -> bool:
    seen, pending = {start}, [start]
    while pending:
        operation = pending.pop()
        if operation is goal:
            return True
        new = {*(t.op for t in operation.inputs), *operation.control_inputs} - seen
        seen |= new
        pending += new
    return False


def test_a_run_that_is_fed_features_needs_nothing_of_the_base(plain: Grafted) -> None:
    recipe = plain.recipe
    assert recipe is not None
    with plain.session() as session:
        feeds = {
            recipe.features[0]: np.zeros((3, 84), np.float32),
            recipe.labels: np.zeros(3, np.int64),
            recipe.training: True,
        }
        loss = session.session.run([recipe.loss, session.graph.get_operation_by_name(recipe.train_op)], feeds)[0]
        assert np.isfinite(loss)
        assert session.session.run("global_step/Read/ReadVariableOp:0") == 1


def test_moving_averages_start_from_the_values_and_follow(plain: Grafted, tmp_path: Path) -> None:
    prefix = str(tmp_path / "model.ckpt")
    plain.save(prefix)
    trained = train(prefix, steps=2)
    averaged = {n: n.removesuffix("/ExponentialMovingAverage") for n in trained.before if n.endswith("Average")}
    assert set(averaged.values()) == set(trained.trainable)
    for average, name in averaged.items():
        assert np.array_equal(trained.before[average], trained.before[name])
        assert not np.array_equal(trained.after[average], trained.after[name])
    roles = {v.name: v.role for v in graphscope.load(prefix).variables}
    assert {roles[name] for name in averaged} == {Role.MOVING_AVERAGE}
    assert not np.array_equal(trained.before["head/batchnorm/moving_mean"], trained.after["head/batchnorm/moving_mean"])


def test_the_loss_is_what_tensorflow_computes(plain: Grafted) -> None:
    recipe = plain.recipe
    assert recipe is not None
    feeds = feeds_of(plain.model, recipe, BATCH)
    feeds[recipe.training] = False
    kernels = [name for name in plain.report.trainable if name.endswith("kernel")]
    with plain.session() as session:
        logits, loss, metric = session.session.run([recipe.logits, recipe.loss, recipe.metric], feeds)
        values = [plain.model.value(plain.model.variable(name)).numpy() for name in kernels]
    labels = feeds[recipe.labels]
    entropy = np.log(np.exp(logits).sum(1)) - logits[np.arange(BATCH), labels]
    penalty = 0.01 * sum((value.astype(np.float64) ** 2).sum() / 2 for value in values)
    assert loss == pytest.approx(entropy.mean() + penalty, rel=1e-5)
    assert metric == pytest.approx((logits.argmax(1) == labels).mean())


def test_the_rate_decays_by_the_step(plain: Grafted) -> None:
    recipe = plain.recipe
    assert recipe is not None
    feeds = feeds_of(plain.model, recipe, BATCH)
    with plain.session() as session:
        step = session.graph.get_operation_by_name(recipe.train_op)
        rates = [session.session.run([recipe.learning_rate, step], feeds)[0] for _ in range(5)]
    np.testing.assert_allclose(rates, np.array([1, 1, 0.5, 0.5, 0.25]) * 0.001, rtol=1e-6)


@pytest.mark.parametrize("optimizer", ["sgd", "momentum", "adam", "rmsprop"])
def test_a_step_is_the_optimizers_own(optimizer: str, tmp_path: Path) -> None:
    """The same head trained by hand with ``tf.compat.v1.train`` has the same weights after three steps."""
    prefix = str(tmp_path / "model.ckpt")
    grafted = graphscope.graft(
        LENET, "fc2/relu", "dense:5", classes=5, out=prefix, optimizer=optimizer, learning_rate=0.02
    )
    recipe = grafted.recipe
    assert recipe is not None
    trained = train(prefix)
    feeds = feeds_of(grafted.model, recipe, BATCH)
    with open_session(grafted.model, list(recipe.features)) as session:
        x = session.run(list(recipe.features), feeds)[0]
    with tf.Graph().as_default(), v1.Session(config=CPUS) as session:
        kernel, bias = (v1.Variable(trained.before[f"head/dense/{n}"], use_resource=True) for n in ("kernel", "bias"))
        logits = tf.nn.bias_add(tf.matmul(x, kernel), bias)
        loss = tf.reduce_mean(
            tf.nn.sparse_softmax_cross_entropy_with_logits(labels=feeds[recipe.labels], logits=logits)
        )
        made = {
            "sgd": v1.train.GradientDescentOptimizer(0.02),
            "momentum": v1.train.MomentumOptimizer(0.02, 0.9),
            "adam": v1.train.AdamOptimizer(0.02),
            "rmsprop": v1.train.RMSPropOptimizer(0.02),
        }
        step = made[optimizer].minimize(loss)
        session.run(v1.global_variables_initializer())
        for _ in range(3):
            session.run(step)
        np.testing.assert_allclose(session.run(kernel), trained.after["head/dense/kernel"], rtol=1e-4, atol=1e-6)
        np.testing.assert_allclose(session.run(bias), trained.after["head/dense/bias"], rtol=1e-4, atol=1e-6)


def test_the_seed_makes_the_head() -> None:
    def kernel(seed: int) -> Array:
        model = graphscope.graft(LENET, "fc2/relu", "dense:5", classes=5, seed=seed).model
        return model.value(model.variable("head/dense/kernel")).numpy()

    first, again, other = kernel(1), kernel(1), kernel(2)
    assert np.array_equal(first, again)
    assert not np.array_equal(first, other)


@pytest.mark.parametrize(
    ("task", "metric", "options"),
    [("regression", "mean absolute error", {"regression": True}), ("multilabel", "accuracy", {"multilabel": 3})],
)
def test_other_tasks(task: str, metric: str, options: dict[str, Any], tmp_path: Path) -> None:
    prefix = str(tmp_path / "model.ckpt")
    grafted = graphscope.graft(LENET, "fc2/relu", "dense:3", out=prefix, learning_rate=0.01, **options)
    recipe = grafted.recipe
    assert recipe is not None
    assert (recipe.task, recipe.classes, recipe.training) == (task, 3, "")
    trained = train(prefix)
    assert trained.losses[-1] < trained.losses[0]
    feeds = feeds_of(grafted.model, recipe, BATCH)
    with grafted.session() as session:
        logits, predictions, loss, found = session.session.run(
            [recipe.logits, recipe.predictions, recipe.loss, recipe.metric], feeds
        )
    labels = feeds[recipe.labels]
    if task == "regression":
        expected = predictions, ((logits - labels) ** 2).mean(), np.abs(logits - labels).mean()
        assert np.array_equal(logits, predictions)
    else:
        p = 1 / (1 + np.exp(-logits.astype(np.float64)))
        expected = p, -(labels * np.log(p) + (1 - labels) * np.log(1 - p)).mean(), ((p > 0.5) == (labels > 0.5)).mean()
    np.testing.assert_allclose(predictions, expected[0], rtol=1e-5)
    assert loss == pytest.approx(expected[1], rel=1e-4)
    assert found == pytest.approx(expected[2], rel=1e-5), metric


def test_several_tensors_are_put_side_by_side(tmp_path: Path) -> None:
    prefix = str(tmp_path / "model.ckpt")
    grafted = graphscope.graft(LENET, ["fc2/relu", "fc1/relu:0"], "dense:3", classes=3, out=prefix)
    assert grafted.report.layers[0].before == (None, 84 + 120)
    assert grafted.recipe is not None
    assert len(grafted.recipe.features) == 2
    assert graphscope.graft(LENET, ["fc2/relu", "pool2"], "dense:3", classes=3).report.layers[0].before == (
        None,
        84 + 400,
    )
    assert (
        graphscope.graft(LENET, ["conv2/relu", "conv2/conv"], "gap,dense:3", classes=3).report.layers[0].before[-1]
        == 32
    )
    train(prefix)


def test_classes_add_the_last_layer_where_it_is_missing() -> None:
    grafted = graphscope.graft(LENET, "fc2/relu", "dense:8:relu,dropout:0.1", classes=4)
    assert [layer.text for layer in grafted.report.layers] == ["dense:8:relu", "dropout:0.1", "dense:4"]
    assert "dense:4 added" in grafted.report.notes[0]
    assert not graphscope.graft(LENET, "fc2/relu", "dense:4", classes=4).report.notes


def test_a_grafted_model_is_a_base(tmp_path: Path) -> None:
    first, second = str(tmp_path / "first"), str(tmp_path / "second")
    graphscope.graft(LENET, "fc2/relu", "dense:8:relu,dropout:0.5,dense:5", classes=5, out=first)
    grafted = graphscope.graft(graphscope.load(first), "head/dense/Relu", "dense:2", classes=2, out=second)
    trained = train(second)
    assert set(trained.trainable) == {"head_1/dense/kernel", "head_1/dense/bias"}
    assert "head/dense/kernel" in grafted.report.frozen
    assert "head/dense_1/kernel" not in trained.before


# Training parts of the base


def test_unfreeze_trains_what_matches_and_nothing_else(tmp_path: Path) -> None:
    prefix = str(tmp_path / "model.ckpt")
    grafted = graphscope.graft(
        LENET, "fc2/relu", "dense:5", classes=5, out=prefix, unfreeze=["^fc2/", "conv1/bias"], ema=0.5
    )
    assert grafted.recipe is not None
    assert grafted.recipe.features == ()
    trained = train(prefix)
    expected = {"fc2/weights", "fc2/biases", "conv1/biases", "head/dense/kernel", "head/dense/bias"}
    assert set(trained.trainable) == expected
    model_variables = {v.name for v in graphscope.load(prefix).variables if v.role is Role.MODEL}
    assert trained.changed & model_variables == expected
    average = "fc2/weights/ExponentialMovingAverage"
    assert np.array_equal(trained.before[average], trained.before["fc2/weights"])


def test_constants_of_a_frozen_graph_become_variables(tmp_path: Path) -> None:
    prefix = str(tmp_path / "model.ckpt")
    base = graphscope.load(FIXTURES / "lenet5" / "frozen.pb")
    grafted = graphscope.graft(base, "fc2/relu", "dense:5", classes=5, out=prefix, unfreeze=["fc2/"])
    trained = train(prefix)
    names = {"fc2/weights", "fc2/biases"}
    assert set(trained.trainable) - {"head/dense/kernel", "head/dense/bias"} == names
    for name in names:
        constant = base.graph[name].tensor()
        assert constant is not None
        assert np.array_equal(trained.before[name], constant.numpy())
        assert name in trained.changed
    assert grafted.model.graph["fc1/weights"].op == "Const"
    assert "fc1/weights" not in trained.before


@pytest.mark.parametrize("name", ["batchnorm", "batchnorm_resource"])
def test_without_stopped_gradients_all_but_statistics_train(name: str, tmp_path: Path) -> None:
    prefix = str(tmp_path / "model.ckpt")
    graphscope.graft(FIXTURES / name, "dense/Relu", "dense:3", classes=3, out=prefix, stop_gradient=False)
    trained = train(prefix)
    assert trained.losses[-1] < trained.losses[0]
    variables = [v for v in graphscope.load(prefix).variables if v.role is Role.MODEL]
    assert set(trained.trainable) == {v.name for v in variables if "moving_" not in v.name}
    assert len(trained.trainable) < len(variables)
    assert not [n for n in trained.changed if "moving_" in n]
    assert set(trained.trainable) <= trained.changed


@pytest.mark.parametrize(
    ("path", "at", "unfreeze", "message"),
    [
        ("lenet5_0to4", "fc2/relu", "fc9", "no variable that can train is named 'fc9'; closest: fc2, fc1"),
        ("batchnorm", "dense/Relu", "moving_mean", "no variable that can train is named 'moving_mean'"),
        ("rnn", "output/logits", "lstm", r"rnn/lstm_cell/\w+ is to train, but node rnn/while/Exit_4 \(a loop"),
        ("lenet5_0to4", "fc2/relu", "(", "not a valid regular expression"),
    ],
)
def test_what_cannot_train_is_named(path: str, at: str, unfreeze: str, message: str) -> None:
    with pytest.raises(GraphscopeError, match=message):
        graphscope.graft(FIXTURES / path, at, "dense:3", classes=3, unfreeze=[unfreeze])


def test_an_op_without_a_gradient_is_named() -> None:
    base = graphscope.load(LENET)
    cast = {"SrcT": type_attr(DataType.FLOAT), "DstT": type_attr(DataType.INT64)}
    back = {"SrcT": type_attr(DataType.INT64), "DstT": type_attr(DataType.FLOAT)}
    added = [make_node("whole", "Cast", ["fc2/relu"], cast), make_node("rounded", "Cast", ["whole"], back)]
    base.loaded_graph = base.graph.with_nodes([*base.graph.nodes, *added])
    graphscope.graft(base, "rounded", "dense:3", classes=3)
    with pytest.raises(GraphscopeError, match=r"fc2/weights is to train, but node rounded \(Cast\)"):
        graphscope.graft(base, "rounded", "dense:3", classes=3, unfreeze=["fc2/weights"])


@pytest.mark.parametrize("optimizer", ["adam", "rmsprop"])
def test_large_slots_begin_as_tensorflow_would_have_them(optimizer: str) -> None:
    """They are written without being made in memory."""
    grafted = graphscope.graft(LENET, "fc2/relu", "dense:5", classes=5, unfreeze=["fc1/weights"], optimizer=optimizer)
    slots = {v.name: grafted.model.value(v) for v in grafted.model.variables if v.role is Role.SLOT}
    large = {name: payload for name, payload in slots.items() if name.startswith("fc1/weights/")}
    assert len(large) == 2
    with v1.Session(graph=grafted.graph, config=CPUS) as session:
        for name, payload in large.items():
            assert isinstance(payload, FilledPayload)
            session.run(f"{name}/Assign")
            assert np.array_equal(payload.numpy(), session.run(f"{name}/read:0"))
            assert b"".join(payload.chunks()) == payload.numpy().tobytes()


# Another model on top


@pytest.fixture
def blurring(tmp_path: Path) -> Model:
    """A small network from pictures to pictures, with variables of both kinds."""
    prefix = str(tmp_path / "blurring")
    with tf.Graph().as_default(), v1.Session() as session:
        x = v1.placeholder(tf.float32, [None, 784], name="input")
        narrow = v1.get_variable("conv1/weights", [784, 20], use_resource=False)
        wide = v1.get_variable("fc1/weights", [20, 784], use_resource=True)
        tf.sigmoid(tf.matmul(tf.nn.relu(tf.matmul(x, narrow)), wide), name="picture")
        session.run(v1.global_variables_initializer())
        v1.train.Saver().save(session, prefix)
    return graphscope.load(prefix)


@pytest.mark.parametrize("path", ["lenet5", "lenet5/frozen.pb", "batchnorm_resource"])
def test_two_models_in_one_graph_compute_what_they_compute_in_turn(blurring: Model, path: str, tmp_path: Path) -> None:
    """Bit for bit, though variables of both have the same names."""
    reader = graphscope.load(FIXTURES / path)
    output = "predictions" if path.startswith("batch") else "softmax"
    prefix = str(tmp_path / "both")
    grafted = graphscope.graft(
        blurring, head_model=reader, head_output=output, bind={"input": "picture"}, prefix="reader", out=prefix
    )
    assert grafted.recipe is None
    assert_in_turn(blurring, reader, prefix, "picture", "input", f"reader/{output}:0", output)
    model = graphscope.load(prefix)
    assert [o.tensor for o in rank_outputs(model)][:1] == [f"reader/{output}:0"]
    assert not [v.name for v in model.variables if v.is_missing or not v.in_graph]


def assert_in_turn(below: Model, above: Model, prefix: str, cut: str, entry: str, joined: str, alone: str) -> None:
    x = np.random.default_rng(0).random((BATCH, 784), np.float32)
    with open_session(below, [cut]) as session:
        between = session.run([cut], {"input": x})[0]
    assert between is not None
    switches = {"is_training": np.array(False)} if "is_training" in above.graph else {}
    with open_session(above, [alone]) as session:
        expected = session.run([alone], {entry: between, **switches})[0]
    with tf.Graph().as_default(), v1.Session(config=CPUS) as session:
        v1.train.import_meta_graph(f"{prefix}.meta").restore(session, prefix)
        found = session.run(joined, {"input:0": x})
    assert expected is not None
    assert_same_bits(found, expected)
    assert graphscope.load(prefix).signatures["serving_default"].outputs


def test_a_loop_on_top_of_a_loop(tmp_path: Path) -> None:
    """Both loops have the same frame name, both models the same variable names: the second reads what the first saw."""
    rnn, prefix = graphscope.load(FIXTURES / "rnn"), str(tmp_path / "both")
    base = graphscope.load(FIXTURES / "rnn")
    shape = np.array([-1, 784], np.int32)
    tiled = [
        constant("times", np.array([1, 79], np.int32)),
        make_node("tiled", "Tile", ["probs", "times"], {**FLOAT, "Tmultiples": type_attr(DataType.INT32)}),
        constant("from", np.array([0, 0], np.int32)),
        constant("size", shape),
        make_node("seen", "Slice", ["tiled", "from", "size"], {**FLOAT, "Index": type_attr(DataType.INT32)}),
    ]
    base.loaded_graph = base.graph.with_nodes([*base.graph.nodes, *tiled])
    graphscope.graft(base, "seen", head_model=rnn, out=prefix, head_output="probs", prefix="second")
    assert_in_turn(base, rnn, prefix, "seen", "input", "second/probs:0", "probs:0")
    frames = {n.attrs["frame_name"].s for n in graphscope.load(prefix).graph if n.op == "Enter"}
    assert len(frames) == 2
    assert len([frame for frame in frames if frame.startswith(b"second/")]) == 1


def test_a_model_on_top_trains_and_may_have_a_head_of_its_own(tmp_path: Path) -> None:
    prefix = str(tmp_path / "both")
    base, top = graphscope.load(FIXTURES / "softmax"), graphscope.load(LENET)
    grafted = graphscope.graft(
        base,
        "input",
        "dense:3",
        head_model=top,
        head_output="fc2/relu",
        prefix="top",
        out=prefix,
        learning_rate=0.01,
        classes=3,
    )
    trained = train(prefix)
    assert trained.losses[-1] < trained.losses[0]
    assert set(trained.trainable) == {
        n for n in trained.before if n.startswith("top/") and n in grafted.report.trainable
    }
    assert {"top/conv1/weights", "top/dense/kernel"} <= set(trained.trainable)
    for variable in top.variables:
        if variable.in_graph and variable.entry is not None and f"top/{variable.name}" in trained.before:
            assert np.array_equal(trained.before[f"top/{variable.name}"], top.value(variable).numpy())


def test_a_model_on_top_that_reads_files_needs_trust(tmp_path: Path) -> None:
    with tf.Graph().as_default() as graph:
        bias = tf.strings.to_number(tf.io.read_file(str(tmp_path / "bias")))
        tf.add(tf.compat.v1.placeholder(tf.float32, [None, 10], "x"), bias, "y")
    (tmp_path / "top.pb").write_bytes(graph.as_graph_def().SerializeToString())
    reader = graphscope.load(tmp_path / "top.pb")
    options: dict[str, Any] = {
        "head_model": reader,
        "head_output": "y",
        "prefix": "top",
        "classes": 10,
        "head": "dense:10",
    }
    with pytest.raises(UntrustedError, match="ReadFile"):
        graphscope.graft(FIXTURES / "softmax", "inference/prediction", out=tmp_path / "a", **options)
    (tmp_path / "bias").write_text("1")
    graphscope.graft(FIXTURES / "softmax", "inference/prediction", out=tmp_path / "b", trust=True, **options)
    assert "top/ReadFile" in graphscope.load(tmp_path / "b").graph


def test_unclear_binds_list_the_inputs() -> None:
    base = graphscope.load(LENET)
    with pytest.raises(GraphscopeError, match="inputs that are not connected to the base: input:0 float32") as raised:
        graphscope.graft(base, ["fc2/relu", "fc1/relu"], head_model=graphscope.load(LENET))
    assert to_words(raised.value.hint) == "--bind input=fc2/relu"
    with pytest.raises(UnknownNameError, match="is named 'inputs'; closest: input"):
        graphscope.graft(base, (), head_model=graphscope.load(LENET), bind={"inputs": "fc2/relu"})
    with pytest.raises(GraphscopeError, match=r"input takes float32, and .* is int64"):
        graphscope.graft(base, (), head_model=graphscope.load(LENET), bind={"input": "labels"})


# Python heads


HEADS = """
import tensorflow as tf
v1 = tf.compat.v1

def wide(x):
    kernel = v1.get_variable("kernel", [x.shape[1], 4])
    return tf.matmul(x, kernel)

def switched(a, b, context):
    x = context.when_training(lambda value: value * 0.5, tf.concat([a, b], 1))
    return tf.matmul(x, context.variable("kernel", [x.shape[1], 4]))

def broken(x):
    return x + undefined

def square(x):
    return tf.reshape(x, [-1, 4, 21])

def nothing(x):
    return None

number = 3
"""


@pytest.fixture
def heads(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    """A module in the current directory."""
    name = f"heads_{abs(hash(tmp_path))}"
    (tmp_path / f"{name}.py").write_text(HEADS)
    monkeypatch.chdir(tmp_path)
    return name


def test_a_python_head_gets_tensors_and_the_switch(heads: str, tmp_path: Path) -> None:
    prefix = str(tmp_path / "model.ckpt")
    first = graphscope.graft(LENET, "fc2/relu", f"python:{heads}:wide", out=prefix, classes=4)
    assert first.recipe is not None
    assert (first.recipe.classes, first.recipe.training) == (4, "")
    assert set(train(prefix).trainable) == {"head/kernel"}
    second = graphscope.graft(LENET, ["fc2/relu", "fc1/relu"], f"python:{heads}:switched", regression=True)
    assert second.recipe is not None
    assert second.recipe.training == "head/training:0"
    again = graphscope.graft(LENET, "fc2/relu", f"python:{heads}:wide", classes=4)
    one, other = (g.model.value(g.model.variable("head/kernel")).numpy() for g in (first, again))
    assert np.array_equal(one, other)


@pytest.mark.parametrize(
    ("function", "message"),
    [
        ("broken", r"python:\w+:broken, line 14, raised NameError: name 'undefined' is not defined"),
        ("nothing", "returned NoneType, but a tensor"),
        ("number", "no function of heads_.* is named 'number'"),
        ("wider", "is named 'wider'; closest: wide"),
    ],
)
def test_what_is_wrong_with_a_python_head(heads: str, function: str, message: str) -> None:
    with pytest.raises(GraphscopeError, match=message):
        graphscope.graft(LENET, "fc2/relu", f"python:{heads}:{function}")


def test_a_python_head_of_another_width_and_modules_that_are_not_there(heads: str) -> None:
    with pytest.raises(GraphscopeError, match=r"gives \(\?, 4\), but \(\?, 5\) was expected"):
        graphscope.graft(LENET, "fc2/relu", f"python:{heads}:wide", classes=5)
    with pytest.raises(GraphscopeError, match="module nowhere cannot be imported: ModuleNotFoundError"):
        graphscope.graft(LENET, "fc2/relu", "python:nowhere:head")
    with pytest.raises(GraphscopeError, match="not of the form python:module:function"):
        graphscope.graft(LENET, "fc2/relu", "python:heads")


# Bases with more in them than is wanted


def test_ops_that_nobody_knows_do_no_harm_elsewhere(tmp_path: Path) -> None:
    prefix = str(tmp_path / "model.ckpt")
    base = graphscope.load(LENET)
    strange = make_node("strange", "ResamplerOfYore", ["softmax"], {"T": type_attr(DataType.FLOAT)})
    base.loaded_graph = base.graph.with_nodes([*base.graph.nodes, strange])
    graphscope.graft(base, "fc2/relu", "dense:3", classes=3, out=prefix)
    train(prefix)
    with pytest.raises(GraphscopeError, match="ResamplerOfYore"):
        graphscope.graft(base, "strange", "dense:3", classes=3)


def test_a_model_that_reads_from_a_queue(tmp_path: Path) -> None:
    """The queue, its runner and its summaries stay behind; the batch that it gave is fed."""
    source, prefix = str(tmp_path / "queued"), str(tmp_path / "model.ckpt")
    with tf.Graph().as_default(), v1.Session() as session:
        example = tf.random.uniform([7])
        batch = v1.train.batch([example], 4, name="batch")
        weights = v1.get_variable("weights", [7, 6], use_resource=False)
        tf.nn.relu(tf.matmul(batch, weights), name="hidden")
        session.run(v1.global_variables_initializer())
        v1.train.Saver().save(session, source)
    base = graphscope.load(source)
    assert "queue_runners" in base.collections
    grafted = graphscope.graft(base, "hidden", "dense:3", classes=3, out=prefix, inputs=["batch"], learning_rate=0.01)
    assert [(spec.name, spec.shape) for spec in grafted.report.inputs] == [("batch:0", (None, 7))]
    assert not [n for n in grafted.model.graph if "Queue" in n.op]
    trained = train(prefix)
    assert trained.losses[-1] < trained.losses[0]


def test_a_fixed_batch_is_opened_where_nothing_needs_it(tmp_path: Path) -> None:
    with tf.Graph().as_default() as graph:
        x = v1.placeholder(tf.float32, [1, 6], name="x")
        hidden = tf.nn.relu(x, name="hidden")
        tf.reshape(hidden, [1, 6], name="fixed")
    path = tmp_path / "fixed.pb"
    path.write_bytes(graph.as_graph_def().SerializeToString())
    opened = graphscope.graft(path, "hidden", "dense:3", classes=3)
    assert (opened.report.cuts[0].shape, opened.report.inputs[0].shape) == ((None, 6), (None, 6))
    assert "any number of examples" in opened.report.notes[0]
    rewritten = graphscope.graft(path, "fixed", "dense:3", classes=3)
    assert (rewritten.report.cuts[0].shape, rewritten.report.inputs[0].shape) == ((None, 6), (None, 6))


def test_switches_are_set_for_inference_and_may_be_chosen() -> None:
    base = FIXTURES / "batchnorm"
    assert graphscope.graft(base, "dense/Relu", "dense:3", classes=3).report.fixed == {"is_training": "false"}
    chosen = graphscope.graft(base, "dense/Relu", "dense:3", classes=3, set={"is_training": np.array(False)})
    assert chosen.report.fixed == {}


# Refusals


@pytest.mark.parametrize(
    ("at", "head", "message", "hint"),
    [
        ("fc2/rel", "dense:3", "no node is named 'fc2/rel'; closest: fc2/relu", None),
        ("fc2/relu:1", "dense:3", "there is no fc2/relu:1", None),
        ("pool2", "dense:3", r"dense:3 takes \(batch, features\), but its input is \(\?, 5, 5, 16\)", "flatten"),
        ("fc2/relu", "gap", r"its input is \(\?, 84\)", "picture"),
        ("fc2/relu", "relu", "no variable is left to train", "--unfreeze"),
        ("fc2/relu", "", "no head was named", "--head"),
        ("", "dense:3", "no node is named ''", None),
        ((), "dense:3", "no tensor was named for the head", "--at"),
        ("fc2/relu", "dens:3", "did you mean 'dense'", "layers"),
        ("save/Const", "dense:3", "save/Const:0 is a string tensor", None),
    ],
)
def test_what_does_not_fit_is_refused(at: Any, head: str, message: str, hint: str | None) -> None:
    with pytest.raises(GraphscopeError, match=message) as raised:
        graphscope.graft(LENET, at, head, regression=True)
    assert hint is None or hint in to_words(raised.value.hint)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"optimizer": "adagrad"}, "no optimizer is named 'adagrad'"),
        ({"decay": "step:0:0.5"}, "is not a decay"),
        ({"decay": "linear:1:0.5"}, "is not a decay"),
        ({"decay": "step:10"}, "is not a decay"),
        ({"seed": -1}, "seed -1"),
        ({"prefix": "my head"}, "'my head' is not a name scope"),
        ({"set": {"fc2/relu": np.zeros(1)}}, "no placeholder is named 'fc2/relu:0'"),
        ({"inputs": ["nowhere"]}, "no node is named 'nowhere'"),
    ],
)
def test_options_that_make_no_sense(options: dict[str, Any], message: str) -> None:
    with pytest.raises(GraphscopeError, match=message):
        graphscope.graft(LENET, "fc2/relu", "dense:3", classes=3, **options)


def test_a_cut_inside_a_loop_is_refused() -> None:
    with pytest.raises(GraphscopeError, match=r"add_1:0 is inside the loop rnn/while/"):
        graphscope.graft(FIXTURES / "rnn", "rnn/while/lstm_cell/add_1", "dense:3", classes=3)


def test_a_cut_inside_a_branch_is_refused(tmp_path: Path) -> None:
    with tf.Graph().as_default() as graph, plain_control_flow(tf):
        x = v1.placeholder(tf.float32, [None, 6], name="x")
        chosen = v1.cond(tf.reduce_sum(x) > 0, lambda: tf.nn.relu(x, name="inside"), lambda: x)
        tf.identity(chosen, name="behind")
    path = tmp_path / "branches.pb"
    path.write_bytes(graph.as_graph_def().SerializeToString())
    inside = next(n.name for n in graphscope.load(path).graph if n.op == "Relu")
    with pytest.raises(GraphscopeError, match=r"lies in a branch .*: it depends on node cond/\S+ \(Switch\)"):
        graphscope.graft(path, inside, "dense:3", classes=3)
    assert graphscope.graft(path, "behind", "dense:3", classes=3).report.cuts[0].shape == (None, 6)


def test_tables_are_refused(tmp_path: Path) -> None:
    with tf.Graph().as_default() as graph:
        words = v1.placeholder(tf.string, [None], name="words")
        filler = tf.lookup.KeyValueTensorInitializer(["a", "b"], tf.constant([0, 1], tf.int64))
        ids = tf.lookup.StaticHashTable(filler, 0).lookup(words)
        tf.one_hot(ids, 2, name="hot")
    path = tmp_path / "words.pb"
    path.write_bytes(graph.as_graph_def().SerializeToString())
    with pytest.raises(GraphscopeError, match="the cut needs lookup tables") as raised:
        graphscope.graft(path, "hot", "dense:3", classes=3)
    assert "--input" in to_words(raised.value.hint)
    lookup = next(n.name for n in graphscope.load(path).graph if n.op == "LookupTableFindV2")
    with pytest.raises(GraphscopeError, match="hot:0 has unknown rank"):
        graphscope.graft(path, "hot", "dense:3", classes=3, inputs=[lookup])


# Files


def test_nothing_is_written_over_or_half(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    prefix = str(tmp_path / "model.ckpt")
    grafted = graphscope.graft(LENET, "fc2/relu", "dense:3", classes=3, out=prefix)
    written = {path.name: path.read_bytes() for path in tmp_path.iterdir()}
    assert set(written) == {"checkpoint", *(f"model.ckpt{s}" for s in (".meta", ".index", ".data-00000-of-00001"))}
    with pytest.raises(FileError, match=r"model\.ckpt\.data-00000-of-00001: the file exists"):
        graphscope.graft(LENET, "fc2/relu", "dense:4", classes=4, out=prefix)

    def fails(_: int) -> None:
        raise FileError("no space left")

    with pytest.raises(FileError, match="no space left"):
        grafted.save(prefix, overwrite=True, progress=fails)
    assert {path.name: path.read_bytes() for path in tmp_path.iterdir()} == written
    graphscope.graft(LENET, "fc2/relu", "dense:4", classes=4, out=prefix, overwrite=True)
    assert graphscope.load(tmp_path).path == prefix
    assert recipe_of(graphscope.load(prefix)).classes == 4


def test_a_state_file_of_another_checkpoint_stays(tmp_path: Path) -> None:
    grafted = graphscope.graft(LENET, "fc2/relu", "dense:3", classes=3)
    grafted.save(str(tmp_path / "first"))
    grafted.save(str(tmp_path / "second"), progress=quiet)
    assert graphscope.load(tmp_path).path.endswith("first")
    grafted.save(str(tmp_path / "second"), overwrite=True)
    assert graphscope.load(tmp_path).path.endswith("second")
