"""Other people's models as bases: grafted, trained three steps in plain TensorFlow, frozen and compared."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

import graphscope
from graphscope.analysis.ends.outputs import rank_outputs
from graphscope.core.model import Model, ModelKind
from graphscope.errors import GraphscopeError
from graphscope.runtime.comparing.verify import verify
from graphscope.training.recipe import recipe_of
from graphscope.transforms.freeze import FreezeOptions, freeze
from tests.support.board_logs import assert_tensorboard_opens
from tests.support.grafting import CPUS, Case, feeds_of, train
from tests.support.running import tf
from tests.support.zoo_files import ZOO, ZOO2, needs_zoo, needs_zoo2

pytestmark = [pytest.mark.tensorflow, needs_zoo, needs_zoo2]

v1 = tf.compat.v1

DOTNET = "dotnet+machinelearning-testdata/Microsoft.ML.TensorFlow.TestModels"
POETS = "frozen_pb/ssoniya+tensorflow-for-poets-2"
MOBILENET = f"{POETS}/tf_files/models/mobilenet_v1_0.25_128"
SRCNN = "tegg89+SRCNN-Tensorflow"
SPEECH = "frozen_pb/ARM-software+ML-KWS-for-MCU/Pretrained_models"

CASES = [
    Case(f"meta_ckpt/{DOTNET}/cifar_model/model.ckpt", "add_1"),
    Case(f"meta_ckpt/{SRCNN}/pretrained_checkpoints/common SR/SRCNN.model-1500", "Relu_1", "gap,dense:3"),
    Case(f"v1_ckpt/{SRCNN}/checkpoint/srcnn_21/SRCNN.model-2550000", "Relu_1", "gap,dense:3"),
    Case(f"saved_model/{DOTNET}/mnist_conv_model", "Relu_3"),
    Case("saved_model/vespa-engine+vespa/tensorflow/batch_norm/saved", "dnn/batch_normalization_3/batchnorm/add_1"),
    Case("frozen_pb/onnx+tensorflow-onnx/tests/models/lstm/frozen.pb", "model/rnn/basic_lstm_cell/Mul_83"),
    Case(f"{SPEECH}/LSTM/LSTM_L.pb", "Output-Layer/add", batch=1),
    Case(f"{SPEECH}/CNN/CNN_L.pb", "Relu_2", batch=1),
    Case(f"{MOBILENET}/quantized_graph.pb", "MobilenetV1/Logits/AvgPool_1a/AvgPool", "flatten,dense:3", batch=2),
    Case(f"{POETS}/retrained_graph.pb", "MobilenetV1/Logits/AvgPool_1a/AvgPool", "flatten,dense:3", batch=2),
    Case("frozen_pb/uTensor+utensor_cgen/tests/deep_mlp/simple_mnist.pb", "Layer2/Relu"),
]


HOUSING = "GoogleCloudPlatform+cloudml-samples/cloudml-template/examples/regression/babyweight/trained_models"
COLUMNS = {"inputs": ["dnn/input_from_feature_columns/input_layer/concat"]}
TWO_SHARDS = f"{HOUSING}/housing_regressor/export/estimate/1554227547"

SECOND = [
    Case(TWO_SHARDS, "dnn/hiddenlayer_1/Relu", options=COLUMNS),
    Case(TWO_SHARDS, "dnn/hiddenlayer_0/Relu", "dense:8:relu,dense:2", options={**COLUMNS, "multilabel": 2}),
    Case(TWO_SHARDS, "dnn/hiddenlayer_1/Relu", "dense:1", options={**COLUMNS, "regression": True}),
    Case(f"{HOUSING}/housing_regressor/model.ckpt-1000", "dnn/hiddenlayer_0/Relu", options=COLUMNS),
]


@pytest.mark.parametrize("case", SECOND, ids=lambda case: f"{case.path.rpartition('/')[2]} {case.head}")
def test_a_model_of_the_second_zoo(case: Case, tmp_path: Path) -> None:
    assert_trains_and_freezes(graphscope.load(ZOO2 / case.path), case, tmp_path)


def test_a_graph_without_values_that_were_drawn(tmp_path: Path) -> None:
    """Somebody's character CNN, with new weights: it takes integers."""
    meta = ZOO2 / "SciSharp+TensorFlow.NET" / "graph" / "char_cnn_untrained.meta"
    with tf.Graph().as_default(), v1.Session(config=CPUS) as session:
        saver = v1.train.import_meta_graph(str(meta), clear_devices=True)
        session.run(v1.global_variables_initializer())
        saver.save(session, str(tmp_path / "base"))
    case = Case("", "fc-1/dense/BiasAdd", "dense:16:relu,dense:3", batch=2)
    assert_trains_and_freezes(graphscope.load(tmp_path / "base"), case, tmp_path)


def assert_trains_and_freezes(base: Model, case: Case, tmp_path: Path) -> None:
    """Two steps change the head and nothing else; the frozen result computes the same."""
    prefix = str(tmp_path / "model.ckpt")
    grafted = graphscope.graft(base, case.at, case.head, out=prefix, learning_rate=0.01, **case.options, **case.task)
    trained = train(prefix, steps=2, batch=case.batch)
    assert all(map(np.isfinite, trained.losses))
    assert {name.partition("/")[0] for name in trained.trainable} == {"head"}
    assert set(trained.trainable) <= trained.changed
    kept = grafted.report.frozen.keys() & trained.before.keys()
    assert kept
    for name in kept:
        stored = base.value(base.variable(name)).numpy()
        assert trained.before[name].tobytes() == trained.after[name].tobytes() == stored.tobytes(), name
    assert_freezes(graphscope.load(prefix), case)


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.path)
def test_a_model_of_the_zoo(case: Case, tmp_path: Path) -> None:
    prefix = str(tmp_path / "model.ckpt")
    base = graphscope.load(ZOO / case.path)
    grafted = graphscope.graft(base, case.at, case.head, out=prefix, learning_rate=0.01, **case.options, **case.task)
    trained = train(prefix, batch=case.batch)
    assert trained.losses[-1] < trained.losses[0]
    assert set(trained.trainable) == {"head/dense/kernel", "head/dense/bias"}
    kept = grafted.report.frozen.keys() & trained.before.keys()
    assert bool(kept) == (base.store is not None)
    for name in kept:
        stored = base.value(base.variable(name)).numpy()
        assert trained.before[name].tobytes() == trained.after[name].tobytes() == stored.tobytes(), name
    assert_freezes(graphscope.load(prefix), case)
    assert_tensorboard_opens(graphscope.load(prefix), tmp_path / "logs")


def test_a_model_whose_batch_is_fixed_in_its_shapes_is_refused() -> None:
    path = ZOO / "frozen_pb/zaneoliver6+char-rnn-lstm-receipts/frozen_model.pb"
    with pytest.raises(
        GraphscopeError, match=r"built for a batch of 10: Reshape:0 is \(100, 128\), not one row per example"
    ):
        graphscope.graft(graphscope.load(path), "Reshape", "dense:3", classes=3)


def assert_freezes(model: Model, case: Case) -> None:
    recipe = recipe_of(model)
    assert rank_outputs(model)[0].tensor == recipe.predictions
    frozen = freeze(model, FreezeOptions(outputs=[recipe.predictions])).graph
    assert "VarHandleOp" not in frozen.ops
    feeds = feeds_of(model, recipe, case.batch)
    fed = {name: np.asarray(feeds[name]) for name in recipe.inputs.values()}
    result = Model("frozen", ModelKind.GRAPH, "binary", (), frozen)
    assert verify(model, result, [recipe.predictions], feeds=fed, batches=1).is_within


def test_parts_of_a_frozen_mobilenet_train(tmp_path: Path) -> None:
    prefix = str(tmp_path / "model.ckpt")
    at = "MobilenetV1/Logits/AvgPool_1a/AvgPool"
    grafted = graphscope.graft(
        ZOO / MOBILENET / "frozen_graph.pb", at, "flatten,dense:3", classes=3, out=prefix, unfreeze=["Conv2d_13"]
    )
    trained = train(prefix, batch=2)
    of_base = {name for name in trained.trainable if "Conv2d_13" in name}
    assert {name.rpartition("/")[2] for name in of_base} == {"weights", "depthwise_weights", "gamma", "beta"}
    assert set(trained.trainable) - of_base == {"head/dense/kernel", "head/dense/bias"}
    assert of_base <= trained.changed
    for name in of_base:
        constant = graphscope.load(ZOO / MOBILENET / "frozen_graph.pb").graph[name].tensor()
        assert constant is not None
        assert np.array_equal(trained.before[name], constant.numpy())
    assert grafted.report.inputs[0].shape == (None, 128, 128, 3)


def test_a_model_of_objects_is_taken_as_constants(tmp_path: Path) -> None:
    """TensorFlow 2: what its functions are called with."""
    serving = "saved_model/tensorflow+serving/tensorflow_serving/servables/tensorflow/testdata"
    path = ZOO / serving / "saved_model_half_plus_two_tf2_cpu" / "00000123"
    base = graphscope.load(path)
    with pytest.raises(GraphscopeError, match=r"its input is \(\?\)"):
        graphscope.graft(base, "StatefulPartitionedCall_5", "dense:3", classes=3)
    grafted = graphscope.graft(base, "StatefulPartitionedCall_1", "dense:3", classes=3, out=tmp_path / "model.ckpt")
    assert "SavedModel become constants" in grafted.report.notes[0]
    assert not [v.name for v in grafted.model.variables if not v.name.startswith(("head", "train", "global_step"))]


def test_a_cut_that_may_not_be_computed_is_refused() -> None:
    path = ZOO / "frozen_pb/blaueck+tf-mtcnn/mtcnn.pb"
    with pytest.raises(GraphscopeError, match=r"onet/cond/add:0 lies in a branch"):
        graphscope.graft(path, "onet/cond/add", "dense:3", classes=3)


def test_lookup_tables_are_refused() -> None:
    taxi = "saved_model/tensorflow+tfx/tfx/components/testdata/trainer/current/Format-Serving/export/chicago-taxi"
    at = "linear/linear_model/linear/linear_model/linear/linear_model/weighted_sum"
    with pytest.raises(GraphscopeError, match="the cut needs lookup tables"):
        graphscope.graft(ZOO / taxi / "1646034756", at, "dense:3", classes=3)
