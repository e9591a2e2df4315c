"""Shapes of real models without TensorFlow: never another shape than TensorFlow infers, and hardly ever less."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from graphscope import load
from graphscope.analysis.shapes import infer
from tests.support.fixture_files import FIXTURES
from tests.support.saving import tf
from tests.support.shape_oracle import by_tensorflow, compare
from tests.support.zoo_files import ZOO, ZOO2, needs_zoo, needs_zoo2

FIXTURE_FILES = (
    *("softmax/frozen.pb", "lenet5/frozen.pb", "lenet5/saved_model/saved_model.pb", "rnn/model.ckpt-3000.meta"),
    *("batchnorm/model.ckpt-4800.meta", "batchnorm_resource/model.ckpt-4800.meta", "towers/model.ckpt-6000.meta"),
    "partitioned/model.ckpt-6000.meta",
)
ZOO_FILES = (
    "frozen_pb/blaueck+tf-mtcnn/mtcnn.pb",
    "frozen_pb/onnx+tensorflow-onnx/tests/models/lstm/frozen.pb",
    "frozen_pb/ssoniya+tensorflow-for-poets-2/tf_files/models/mobilenet_v1_0.25_128/quantized_graph.pb",
    "frozen_pb/ARM-software+ML-KWS-for-MCU/Pretrained_models/CNN/CNN_M.pb",
    "frozen_pb/ARM-software+ML-KWS-for-MCU/Pretrained_models/Basic_LSTM/Basic_LSTM_L.pb",
    "meta_ckpt/dotnet+machinelearning-testdata/Microsoft.ML.TensorFlow.TestModels/cifar_model/model.ckpt.meta",
    "pbtxt/steffenvan+scalable_agent/graph.pbtxt",
    "saved_model/tensorflow+tfx/tfx/components/testdata/trainer/keras/Format-Serving/saved_model.pb",
    "saved_model/tensorflow+tfx/tfx/components/testdata/transform/transform_graph/transform_fn/saved_model.pb",
)
ZOO2_FILES = (
    "SciSharp+TensorFlow.NET/graph/lstm_crf_ner.meta",
    "SciSharp+TensorFlow.NET/graph/rcnn_untrained.meta",
    "SciSharp+TensorFlow.NET/graph/vd_cnn.meta",
)


def assert_as_tensorflow(path: Path) -> None:
    model, expected = by_tensorflow(path)
    found = infer(model)
    result = compare(found, expected, model)
    assert result.contradictions == {}
    assert result.tensors > 5
    assert result.share >= 0.999, result.less
    assert found.errors == {}
    assert found.without_rule == {}


@pytest.mark.parametrize("name", FIXTURE_FILES)
def test_fixtures(name: str) -> None:
    assert_as_tensorflow(FIXTURES / name)


@needs_zoo
@pytest.mark.parametrize("name", ZOO_FILES)
def test_zoo(name: str) -> None:
    assert_as_tensorflow(ZOO / name)


@needs_zoo2
@pytest.mark.parametrize("name", ZOO2_FILES)
def test_second_zoo(name: str) -> None:
    assert_as_tensorflow(ZOO2 / name)


@needs_zoo
def test_ops_that_nobody_knows_are_counted() -> None:
    directory = ZOO / "saved_model/tensorflow+serving/390732ac/tensorflow_serving/servables/tensorflow/testdata"
    found = infer(load(directory / "tf_text_regression" / "01"))
    assert found.without_rule
    assert not any(op in tf.raw_ops.__dict__ for op in found.without_rule)


def test_results_are_plain_python() -> None:
    found = infer(load(FIXTURES / "rnn" / "model.ckpt-3000.meta"))
    assert found.by_name == {name: None if s is None else tuple(s) for name, s in found.by_name.items()}
    assert json.loads(json.dumps(found.by_name)).keys() == found.by_name.keys()
    assert {type(size) for shape in found.by_name.values() for size in shape or ()} == {int, type(None)}
