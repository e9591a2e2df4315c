"""What the reports say of a model, to the last number, and of what is nearly something else."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

import graphscope
from graphscope.analysis.classes import Naming, are_scores, top_classes
from graphscope.analysis.detail import show
from graphscope.analysis.ends.losses import trace
from graphscope.analysis.summary import summarize
from graphscope.analysis.variable_rows import weights, with_statistics
from graphscope.core.model import Model
from graphscope.core.values.dtypes import DataType, is_weight_type
from graphscope.errors import UnknownNameError
from tests.support.listed import opened
from tests.support.running import built, tf

v1 = tf.compat.v1


@pytest.fixture
def trained(tmp_path: Path) -> Model:
    """Two weights with slots, a step, a local variable."""
    with tf.Graph().as_default(), v1.Session() as session:
        x = v1.placeholder(tf.float32, [None, 4], name="x")
        w = v1.get_variable("w", [4, 3], use_resource=False)
        b = v1.get_variable("b", [3], use_resource=False)
        step = v1.train.get_or_create_global_step()
        loss = tf.reduce_mean(tf.matmul(x, w) + b)
        v1.train.AdamOptimizer(0.1).minimize(loss, step)
        v1.get_variable("seen", [7], trainable=False, collections=[v1.GraphKeys.LOCAL_VARIABLES])
        session.run(v1.global_variables_initializer())
        v1.train.Saver().save(session, f"{tmp_path}/m")
    return graphscope.load(tmp_path / "m")


def test_amounts_by_role(trained: Model) -> None:
    found = summarize(trained)
    weights_of = {v.name: v.elements for v in trained.variables}
    assert weights_of == {
        "w": 12,
        "b": 3,
        "global_step": 1,
        "seen": 7,
        "beta1_power": 1,
        "beta2_power": 1,
        "w/Adam": 12,
        "w/Adam_1": 12,
        "b/Adam": 3,
        "b/Adam_1": 3,
    }
    amounts = (found.parameters, found.slots, found.moving_averages, found.others)
    assert [(a.tensors, a.elements, a.size_bytes) for a in amounts] == [
        (2, 15, 60),
        (6, 32, 128),
        (0, 0, 0),
        (2, 8, 36),
    ]


def test_a_value_is_shown_or_counted(tmp_path: Path) -> None:
    with tf.Graph().as_default() as graph:
        tf.constant([1.0, 3.0], name="c")
        v1.placeholder(tf.float32, [2], name="x")
    model = opened(graph, tmp_path)
    found = show(model, "c").values
    assert found is not None
    assert found.tolist() == [1, 3]
    assert show(model, "c:0").node == show(model, "c").node
    assert show(model, "x").values is None
    with pytest.raises(UnknownNameError, match="closest: c"):
        show(model, "cc")


def test_a_node_of_a_function_needs_the_functions_name(tmp_path: Path) -> None:
    with tf.Graph().as_default() as graph:

        @tf.function
        def double(a: Any) -> Any:
            return tf.multiply(a, 2.0, name="inside")

        double(v1.placeholder(tf.float32, [2], name="x"))
    model = opened(graph, tmp_path)
    [function] = model.graph.functions
    assert show(model, f"{function}/inside").node is not None
    for name in ("inside", f"{function}/outside", f"other/{function}/inside"):
        with pytest.raises(UnknownNameError):
            show(model, name)


def test_statistics_of_what_has_content(trained: Model) -> None:
    rows = {row.name: row.statistics for row in with_statistics(weights(trained))}
    assert rows["seen"] is None
    whole = trained.value(trained.variable("w")).numpy()
    assert rows["w"] is not None
    assert rows["w"].mean == pytest.approx(float(whole.mean(dtype=np.float64)))


@pytest.mark.parametrize(
    ("shape", "examples"),
    [((5,), 1), ((2, 5), 2), ((2, 1, 5), 2), ((2, 1, 1, 5), 2), ((2, 3, 5), 0), ((2, 1, 3, 5), 0)],
)
def test_which_values_are_scores_of_classes(shape: tuple[int, ...], examples: int) -> None:
    values = np.random.default_rng(0).random(shape, np.float32)
    values /= values.sum(-1, keepdims=True)
    assert are_scores(values) is bool(examples)
    if examples:
        found = top_classes("out:0", values, 2, Naming())
        best = values.reshape(examples, 5).argmax(-1)
        assert [example.guesses[0].index for example in found] == best.tolist()


@pytest.mark.parametrize("dtype", [DataType.FLOAT, DataType.HALF, DataType.QUINT8, DataType.UINT8, DataType.INT8])
def test_types_of_weights(dtype: DataType) -> None:
    assert is_weight_type(dtype)
    assert not is_weight_type(DataType.INT32)
    assert not is_weight_type(DataType.STRING)


@pytest.mark.parametrize(
    ("name", "shape", "is_feature"),
    [
        ("images", [None, 4], True),
        ("train_images", [None, 4], True),
        ("keep_prob", [], False),
        ("keep_prob", [4], False),
    ],
)
def test_a_placeholder_named_like_a_switch_is_data_where_it_is_a_table(
    name: str, shape: list[int | None], is_feature: bool
) -> None:
    def build() -> None:
        fed = v1.placeholder(tf.float32, shape, name=name)
        other = v1.placeholder(tf.float32, [None, 4], name="other")
        w = v1.get_variable("w", [4, 4], use_resource=False)
        tf.matmul(other * fed, w, name="out")

    flow = trace(built(build))
    number = {n.name: i for i, n in enumerate(flow.nodes)}
    assert bool(flow.sources[number[name]]) is is_feature
    assert flow.sources[number["other"]]
