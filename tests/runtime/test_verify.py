"""Two models are run on the same inputs: what is equal is found equal, what is wrong is found by how much."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import hypothesis
import hypothesis.extra.numpy as array_strategies
import hypothesis.strategies as st
import ml_dtypes
import numpy as np
import pytest
from numpy.typing import NDArray

from graphscope.cli.terminal.wording import to_words
from graphscope.core.changes.build import constant
from graphscope.core.model import Model, ModelKind
from graphscope.core.tensors import TensorSpec
from graphscope.core.values.dtypes import DataType
from graphscope.core.values.payload import ArrayPayload
from graphscope.errors import GraphscopeError, IncompleteModelError, UnknownNameError
from graphscope.feeding.feeds import required_inputs
from graphscope.formats import load
from graphscope.formats.lazy.pieces import flow, graph_pieces
from graphscope.runtime.comparing.differences import Difference, compare, merge_differences
from graphscope.runtime.comparing.verify import Verification, verify
from graphscope.transforms.bake import bake
from graphscope.transforms.opening import open_at
from graphscope.transforms.subgraph import cut
from tests.support.fixture_files import FIXTURES, committed_models
from tests.support.verified import assert_same
from tests.support.zoo_files import ZOO, needs_zoo

tf = pytest.importorskip("tensorflow", reason="TensorFlow is not installed")
tf1 = tf.compat.v1


def only(verification: Verification) -> Difference:
    (output,) = verification.outputs
    return output.difference


def saved(build: Callable[[], Any], path: Path) -> Model:
    with tf.Graph().as_default() as graph:
        build()
    path.write_bytes(graph.as_graph_def().SerializeToString())
    return load(path)


def with_constant(model: Model, name: str, value: NDArray[Any]) -> Model:
    """A copy of ``model`` in memory with another value in one constant."""
    nodes = [constant(name, value) if n.name == name else n for n in model.graph]
    return Model(f"{model.path} changed", ModelKind.GRAPH, "binary", (), model.graph.with_nodes(nodes))


# Fixtures

MODELS = committed_models()
FROZEN = [(name, form["path"]) for name, entry in MODELS.items() for form in entry["forms"] if form["kind"] != "npz"]
FORMS = [(name, path) for name, path in FROZEN if path.endswith(("frozen.pb", "saved_model"))]


@pytest.mark.parametrize(("name", "path"), FORMS, ids=["-".join(form) for form in FORMS])
def test_the_other_forms_of_a_fixture_are_equal_to_its_checkpoint(name: str, path: str) -> None:
    found = verify(load(FIXTURES / name), load(FIXTURES / name / path), [MODELS[name]["output"]])
    assert_same(found)
    assert found.batches == 3
    assert found.inputs == (TensorSpec("input:0", DataType.FLOAT, (2, 784)),)
    if found.is_exact:
        assert only(found) == Difference(DataType.FLOAT, (2, 10), 0.0, 0.0, True, True, 60, 60)


@pytest.mark.parametrize("name", sorted(MODELS))
def test_a_fixture_with_its_switches_baked_is_equal_to_itself(name: str) -> None:
    """What is baked into the result is fed to the original."""
    model, outputs = load(FIXTURES / name), [MODELS[name]["output"]]
    fixed = {k: np.asarray(v) for k, v in MODELS[name]["inference_feeds"].items()}
    result = Model(model.path, model.kind, "", model.files, bake(model.graph, fixed), model.meta, model.store)
    found = verify(model, result, outputs, fixed=fixed)
    assert_same(found)
    assert {s.name for s in found.inputs} == {"input:0", *fixed}
    assert [s.name for s in required_inputs(result, outputs)] == ["input:0"]


def test_training_switches_are_off_unless_they_are_fed() -> None:
    """With dropout at work, or batch norm in training, nothing could be compared."""
    for name, feed in (("convnet_slim", ("keep_prob:0", 1.0)), ("batchnorm", ("is_training:0", False))):
        model, outputs = load(FIXTURES / name), [MODELS[name]["output"]]
        switched_off = verify(model, model, outputs)
        fed = verify(model, model, outputs, feeds={feed[0]: np.asarray(feed[1])})
        assert switched_off == fed or not fed.is_exact
        assert_same(switched_off)
        assert feed[0] in {s.name for s in fed.inputs}


def test_a_wrong_weight_is_caught_with_the_right_figures() -> None:
    model = load(FIXTURES / "softmax" / "frozen.pb")
    name, shape = next(
        (n.name, n.tensor().shape) for n in model.graph if n.op == "Const" and n.tensor().elements == 7840
    )
    weights = model.graph[name].tensor().numpy().copy()
    weights[400, 7] += 1e-3
    assert weights.shape == shape
    feeds = {"input:0": np.random.default_rng(5).random((3, 784), np.float32) / 50}
    feeds["input:0"][:, 400] = 1
    outputs = [MODELS["softmax"]["output"]]
    wrong = with_constant(model, name, weights)

    found = verify(load(FIXTURES / "softmax"), wrong, outputs, feeds=feeds, atol=1e-9, rtol=1e-6)
    expected, actual = (run_by_tensorflow(m, outputs[0], feeds).astype(np.float64) for m in (model, wrong))
    apart = np.abs(expected - actual)
    assert apart.max() > 1e-5
    difference = only(found)
    assert difference.max_absolute == apart.max()
    assert difference.max_relative == (apart / np.maximum(expected, actual)).max()
    assert (found.is_within, found.is_equal, found.batches) == (False, False, 1)
    assert not found.outputs[0].is_random

    assert verify(load(FIXTURES / "softmax"), wrong, outputs, feeds=feeds, atol=apart.max() * 1.01).is_within


def run_by_tensorflow(model: Model, output: str, feeds: Mapping[str, NDArray[Any]]) -> NDArray[Any]:
    """Not optimized: Grappler's rewrites change the last bits of a softmax."""
    config = tf1.ConfigProto()
    config.graph_options.rewrite_options.disable_meta_optimizer = True
    data = b"".join(flow(graph_pieces(model.graph)))
    with tf.Graph().as_default(), tf1.Session(config=config) as session:
        tf1.import_graph_def(tf1.GraphDef.FromString(data), name="")
        value: NDArray[Any] = session.run(output, dict(feeds))
        return value


def test_moving_averages_are_compared_with_the_averages() -> None:
    model, outputs = load(FIXTURES / "mlp"), [MODELS["mlp"]["output"]]
    averages = {
        v.name: model.store.payload(f"{v.name}/ExponentialMovingAverage")
        for v in model.variables
        if model.store is not None and f"{v.name}/ExponentialMovingAverage" in model.store.entries
    }
    assert averages
    assert not verify(model, model, outputs, values=averages).is_within
    nodes = {n.name: n for n in model.graph}
    nodes |= {name: constant(name, ArrayPayload(payload.numpy())) for name, payload in averages.items()}
    graph = cut(model.graph.with_nodes(nodes.values()), outputs)
    frozen = Model("averaged", ModelKind.GRAPH, "", (), graph)
    assert_same(verify(model, frozen, outputs, values=averages))


# Inputs


def two_steps(tmp_path: Path) -> Model:
    def build() -> None:
        x = tf1.placeholder(tf.float32, [None, 3], name="x")
        scale = tf1.placeholder_with_default(2.0, [], name="scale")
        middle = tf.multiply(x, scale, name="middle")
        tf.negative(middle, name="out")
        tf.constant(0.0, name="unused")

    return saved(build, tmp_path / "two_steps.pb")


def test_an_input_in_the_middle_is_fed_to_both(tmp_path: Path) -> None:
    model = two_steps(tmp_path)
    result = Model(
        "cut", ModelKind.GRAPH, "", (), cut(open_at(model.graph, ["middle"], ["out"], model.catalog).graph, ["out"])
    )
    found = verify(model, result, ["out"], feeds={"middle": np.ones((1, 3))})
    assert found.is_equal
    assert found.inputs == (TensorSpec("middle:0", DataType.FLOAT, (1, 3)),)
    assert [s.name for s in verify(model, result, ["out"]).inputs] == ["middle:0"]


def test_inputs_that_the_result_lost_are_fed_to_the_original(tmp_path: Path) -> None:
    model = two_steps(tmp_path)
    baked = Model("baked", ModelKind.GRAPH, "", (), bake(model.graph, {"scale": np.array(5.0)}))
    assert verify(model, baked, ["out"], fixed={"scale": np.array(5.0)}).is_equal
    assert not verify(model, baked, ["out"]).is_within
    for wrong in ({"fixed": {"scale": np.array(4.0)}}, {"feeds": {"scale": np.array(4.0)}}):
        assert not verify(model, baked, ["out"], **wrong).is_within
    gone = Model("gone", ModelKind.GRAPH, "", (), cut(model.graph, ["out"]))
    assert verify(model, gone, ["out"], feeds={"unused": np.array(3.0)}).is_equal
    assert verify(model, model, ["out"], feeds={"x": np.ones((4, 3)), "unused": np.array(1)}).batches == 1


def test_feeds_that_do_not_fit_are_errors(tmp_path: Path) -> None:
    model = two_steps(tmp_path)
    with pytest.raises(GraphscopeError, match=r"x:0 has shape \(\?, 3\), the value \(2, 2\)"):
        verify(model, model, ["out"], feeds={"x": np.zeros((2, 2))})
    with pytest.raises(GraphscopeError, match="x:0 takes float32, not complex128"):
        verify(model, model, ["out"], fixed={"x": np.zeros((2, 3), complex)})
    with pytest.raises(UnknownNameError, match="no node is named 'y'"):
        verify(model, model, ["out"], feeds={"y": np.zeros(1)})
    with pytest.raises(UnknownNameError, match="no node is named 'output'; closest: out"):
        verify(model, model, ["output"])


def test_random_inputs_that_do_not_suit_are_shown(tmp_path: Path) -> None:
    def build() -> None:
        sizes = tf.cast(tf.constant([5.0, 5.0]), tf.int32)  # computed: nothing says which shape is wanted
        tf.reshape(tf1.placeholder(tf.float32, name="x"), sizes, name="out")

    model = saved(build, tmp_path / "g.pb")
    with pytest.raises(GraphscopeError, match="a tensor with 2 values") as error:
        verify(model, model, ["out"])
    assert error.value.hint is not None
    assert to_words(error.value.hint).endswith("Fed: x:0 float32 (2), of unknown rank in the file")
    assert verify(model, model, ["out"], feeds={"x": np.zeros(25)}).is_equal


def test_a_node_without_outputs_cannot_be_compared(tmp_path: Path) -> None:
    model = saved(lambda: tf.no_op(name="nothing"), tmp_path / "g.pb")
    with pytest.raises(GraphscopeError, match="nothing has no output that could be compared"):
        verify(model, model, ["nothing"])


def test_a_model_without_its_weights_is_an_error() -> None:
    model, outputs = load(FIXTURES / "softmax"), [MODELS["softmax"]["output"]]
    bare = Model("bare", ModelKind.META_GRAPH, "", (), model.graph, model.meta)
    with pytest.raises(IncompleteModelError, match="bare: no checkpoint holds a value of variable"):
        verify(model, bare, outputs)


# Outputs


def test_several_outputs_of_several_types(tmp_path: Path) -> None:
    def build() -> None:
        x = tf1.placeholder(tf.float32, [None, 4], name="x")
        tf.argmax(x, 1, name="best")
        tf.strings.as_string(x, name="text")
        tf.greater(x, tf.constant(0.0, name="limit"), name="positive")
        tf.split(x, 2, axis=1, name="halves")

    model = saved(build, tmp_path / "g.pb")
    outputs = ["best", "text", "positive", "halves:1"]
    found = verify(model, model, outputs, batches=2)
    assert [o.tensor for o in found.outputs] == ["best:0", "text:0", "positive:0", "halves:1"]
    kinds = [(o.difference.dtype, o.difference.shape) for o in found.outputs]
    assert kinds == [
        (DataType.INT64, (2,)),
        (DataType.STRING, (2, 4)),
        (DataType.BOOL, (2, 4)),
        (DataType.FLOAT, (2, 2)),
    ]
    other = verify(model, with_constant(model, "limit", np.array(0.5, np.float32)), outputs)
    assert [o.difference.is_equal for o in other.outputs] == [True, True, False, True]
    assert other.outputs[2].difference.max_absolute == 1
    assert not other.is_within


def test_nan_equals_nan_and_is_counted(tmp_path: Path) -> None:
    def build() -> None:
        x = tf1.placeholder(tf.float32, [None], name="x")
        tf.math.log(tf.add(x, tf.constant(0.0, name="shift")), name="out")

    model = saved(build, tmp_path / "g.pb")
    feeds = {"x": np.array([-1, 0, 1, 2], np.float32)}
    same = only(verify(model, model, ["out"], feeds=feeds))
    assert (same.is_equal, same.finite, same.elements) == (True, 2, 4)
    other = only(verify(model, with_constant(model, "shift", np.array(1, np.float32)), ["out"], feeds=feeds))
    assert (other.is_within, other.max_absolute, other.finite) == (False, math.inf, 2)


def test_another_shape_is_no_match(tmp_path: Path) -> None:
    def build() -> None:
        tf.reshape(tf1.placeholder(tf.float32, [6], name="x"), tf.constant([2, 3], name="shape"), name="out")

    model = saved(build, tmp_path / "g.pb")
    found = verify(model, with_constant(model, "shape", np.array([3, 2], np.int32)), ["out"])
    assert only(found).mismatch == "float32 (3, 2)"
    assert not found.is_within


def test_each_batch_has_other_inputs(tmp_path: Path) -> None:
    def build() -> None:
        tf.greater(tf1.placeholder(tf.float32, [], name="x"), tf.constant(0.0, name="limit"), name="out")

    model = saved(build, tmp_path / "g.pb")
    assert verify(model, model, ["out"], feeds={"limit": np.array(-2), "x": np.array(-1)}).is_equal  # fed to both
    always = with_constant(model, "limit", np.array(-2, np.float32))
    seed = next(i for i in range(20) if verify(model, always, ["out"], batches=1, seed=i).is_equal)
    assert not verify(model, always, ["out"], batches=8, seed=seed).is_equal


def test_a_handle_cannot_be_compared(tmp_path: Path) -> None:
    model = saved(
        lambda: tf.raw_ops.HashTableV2(key_dtype=tf.string, value_dtype=tf.int64, name="t"), tmp_path / "g.pb"
    )
    with pytest.raises(GraphscopeError, match="t:0 is a resource, which has no NumPy equivalent"):
        verify(model, model, ["t"])


# Random ops


def with_noise(tmp_path: Path, seed: int | None) -> Model:
    def build() -> None:
        x = tf1.placeholder(tf.float32, [None, 3], name="x")
        tf.add(x, tf.random.uniform([3], seed=seed), name="noisy")
        tf.add(x, tf.constant(1.0, name="one"), name="plain")

    return saved(build, tmp_path / "noise.pb")


def test_a_random_output_is_said_to_be_random(tmp_path: Path) -> None:
    model = with_noise(tmp_path, None)
    found = verify(model, model, ["noisy", "plain"])
    assert [o.is_random for o in found.outputs] == [True, False]
    assert not found.outputs[0].difference.is_within
    assert found.is_within
    assert not found.is_equal


def test_a_random_output_does_not_hide_a_wrong_one(tmp_path: Path) -> None:
    model = with_noise(tmp_path, None)
    found = verify(model, with_constant(model, "one", np.array(1.001, np.float32)), ["noisy", "plain"])
    assert [o.is_random for o in found.outputs] == [True, False]
    assert not found.is_within
    assert found.outputs[1].difference.max_absolute == pytest.approx(1e-3, rel=1e-3)


def test_seeded_randomness_is_compared(tmp_path: Path) -> None:
    model = with_noise(tmp_path, 7)
    assert verify(model, model, ["noisy"]).is_equal


# Differences of arrays


def differ(expected: object, actual: object, dtype: Any = np.float32, **tolerance: float) -> Difference:
    return compare(np.asarray(expected, dtype), np.asarray(actual, dtype), **{"atol": 0.0, "rtol": 0.0, **tolerance})


def test_figures() -> None:
    found = differ([1.0, 4.0], [1.5, 4.0])
    assert (found.max_absolute, found.max_relative, found.is_equal, found.is_within) == (0.5, 1 / 3, False, False)
    assert differ([1.0], [1.5], atol=0.5).is_within
    assert differ([1.0], [1.5], rtol=0.5).is_within
    assert not differ([1.0], [1.5], rtol=0.4999).is_within  # relative to what is expected
    assert differ([0.0], [0.0]).max_relative == 0


def test_special_numbers() -> None:
    inf, nan = math.inf, math.nan
    assert differ([inf, -inf, nan], [inf, -inf, nan]).is_equal
    for expected, actual in ((inf, -inf), (inf, 1), (1, inf), (nan, 1), (1, nan), (nan, inf)):
        found = differ([expected], [actual], atol=inf, rtol=0)
        assert (found.is_within, found.max_absolute, found.max_relative) == (False, inf, inf)
    zeros = differ([0.0], [-0.0])
    assert (zeros.is_equal, zeros.is_within, zeros.max_absolute) == (False, True, 0)
    payloads = np.array([0x7FC00000, 0x7FC00001], np.uint32).view(np.float32)
    assert differ(payloads[0], payloads[1]).is_equal


def test_integers_are_exact() -> None:
    assert differ([2**62], [2**62 + 1], np.int64, atol=9, rtol=1).max_absolute == 1
    assert not differ([2**62], [2**62 + 1], np.int64, atol=9, rtol=1).is_within
    assert differ([-(2**63)], [2**63 - 1], np.int64).max_absolute == 2.0**64
    assert differ([0], [2**64 - 1], np.uint64).max_absolute == 2.0**64
    assert differ([-128], [127], np.int8).max_absolute == 255
    assert differ([True], [False], np.bool_).max_absolute == 1
    assert differ([3], [-4], ml_dtypes.int4).max_absolute == 7


def test_other_types() -> None:
    assert differ([1, 2], [1, 2.5], ml_dtypes.bfloat16).max_absolute == 0.5
    assert differ([1, 448], [1, math.nan], ml_dtypes.float8_e4m3fn).max_absolute == math.inf
    assert differ([1 + 1j], [1 + 2j], np.complex64).max_absolute == 1
    assert differ([complex(math.nan, 0)], [complex(math.nan, 0)], np.complex128).is_equal
    text = np.array([b"a", b"b"], object)
    assert compare(text, text.copy(), 0, 0).is_equal
    found = compare(text, np.array([b"a", b"c"], object), 1, 1)
    assert (found.is_within, found.max_absolute) == (False, math.inf)
    assert compare(np.zeros(1, np.float32), np.zeros(1), 0, 0).mismatch == "float64 (1)"
    assert differ([], []).is_equal
    assert differ(1.5, 1.5).is_equal


def test_batches_are_merged_by_the_worst() -> None:
    good, bad = differ([1.0], [1.0]), differ([1.0, math.nan], [3.0, math.nan])
    assert merge_differences([good, bad]) == Difference(DataType.FLOAT, (1,), 2.0, 2 / 3, False, False, 3, 2)
    assert merge_differences([good, good]).is_equal


floats = array_strategies.arrays(np.float32, 4, elements=st.floats(width=32))


@hypothesis.given(floats, floats, st.sampled_from([0, 1e-3, 1.0]), st.sampled_from([0, 1e-3, 1.0]))
def test_within_is_what_numpy_calls_close(a: NDArray[Any], b: NDArray[Any], atol: float, rtol: float) -> None:
    found = compare(a, b, atol, rtol)
    wide = [x.astype(np.float64) for x in (a, b)]
    with np.errstate(all="ignore"):
        assert found.is_within == np.isclose(wide[1], wide[0], rtol, atol, equal_nan=True).all()
        apart = np.abs(wide[0] - wide[1])
    assert found.is_equal == all(x.tobytes() == y.tobytes() or (x != x and y != y) for x, y in zip(a, b))
    if np.isfinite(apart).all():
        assert found.max_absolute == apart.max()


# Models of other people


@needs_zoo
def test_a_whole_detection_pipeline() -> None:
    """While loops, non-maximum suppression and crops, on an image with bright squares."""
    model = load(ZOO / "frozen_pb/blaueck+tf-mtcnn/mtcnn.pb")
    image = np.zeros((90, 120, 3), np.float32)
    image[20:60, 30:70] = 200
    feeds = {
        "input": image,
        "min_size": np.array(40),
        "thresholds": np.array([0.0, 0.0, 0.0]),
        "factor": np.array(0.7),
    }
    found = verify(model, model, ["prob", "landmarks", "box"], feeds=feeds)
    assert_same(found)
    assert found.batches == 1
    assert all(o.difference.elements > 0 for o in found.outputs)
    twin = load(ZOO / "frozen_pb/blaueck+tf-mtcnn/mtcnn_1.12.pb")  # the same weights, saved by another version
    assert verify(model, twin, ["prob", "landmarks", "box"], feeds=feeds, atol=1e-4).is_within


@needs_zoo
def test_two_savings_of_one_model_are_equal() -> None:
    folder = ZOO / "saved_model/tensorflow+serving/tensorflow_serving/servables/tensorflow/testdata"
    folder /= "saved_model_half_plus_two_2_versions"
    feeds = {"x": np.array([[1], [5]], np.float32)}
    found = verify(load(folder / "00000123"), load(folder / "00000124"), ["y"], feeds=feeds)
    assert found.is_equal
    assert [s.name for s in found.inputs] == ["x:0"]


@needs_zoo
def test_an_estimator_with_tables_is_equal_to_itself() -> None:
    path = ZOO / "saved_model/tensorflow+tfx/tfx/components/testdata/trainer/current/Format-Serving/export"
    model = load(path / "chicago-taxi" / "1646034756")
    outputs = [spec.name for specs in model.signatures["predict"].outputs.values() for spec in specs]
    found = verify(model, model, outputs, batches=1)
    assert_same(found)
    assert {o.difference.dtype for o in found.outputs} >= {DataType.FLOAT, DataType.STRING, DataType.INT64}
