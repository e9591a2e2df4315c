"""The second zoo's models with values: every variable is bound, and what is frozen computes the same bits."""

from __future__ import annotations

from pathlib import Path

import pytest

import graphscope
from graphscope.analysis.ends.outputs import rank_outputs
from graphscope.core.model import Model, ModelKind
from graphscope.core.signatures import BOOKKEEPING
from graphscope.errors import GraphscopeError
from graphscope.runtime.comparing.verify import verify
from graphscope.transforms.freeze import FreezeOptions, freeze
from tests.support.running import tf
from tests.support.zoo_files import ZOO2, needs_zoo2, second_models, zoo_id

pytestmark = [pytest.mark.tensorflow, needs_zoo2]


BABYWEIGHT = "GoogleCloudPlatform+cloudml-samples/cloudml-template/examples/regression/babyweight/trained_models"
ESTIMATE = f"{BABYWEIGHT}/housing_regressor/export/estimate/1554227547"
SEGMENTER = "tensorflow+text/tensorflow_text/python/ops/test_data/segmenter_hub_module"
REFUSED = {
    "housing_regressor/export": "the outputs need lookup tables",
    "housing_regressor/model.ckpt-1000.meta": "take their data from IteratorGetNext",
    "saved_model_adult_rf": "the outputs need lookup tables",
    "segmenter_hub_module": "the outputs need lookup tables",
    "rust/examples/regression/": "no value for variable w",
    "rust/examples/regression_checkpoint/": "no value for variable w",
}
"""Part of a path -> why no frozen graph can be made of the whole model."""


def predicted(model: Model) -> list[str]:
    """The first signature's outputs, or the likeliest one."""
    for name, signature in model.signatures.items():
        if name not in BOOKKEEPING:
            return [spec.name for specs in signature.outputs.values() for spec in specs]
    return [rank_outputs(model)[0].tensor]


def assert_frozen(model: Model, options: FreezeOptions) -> None:
    frozen = freeze(model, options).graph
    assert not [op for op in frozen.ops if op.startswith(("VarHandle", "Variable", "HashTable"))]
    result = Model("frozen", ModelKind.GRAPH, "binary", (), frozen)
    assert verify(model, result, list(options.outputs or ()), batches=1).is_within


@pytest.mark.parametrize("path", second_models(), ids=zoo_id)
def test_frozen_and_verified_or_refused(path: Path) -> None:
    assert tf is not None
    model = graphscope.load(path)
    reason = next((reason for part, reason in REFUSED.items() if part in str(path)), "")
    if reason:
        with pytest.raises(GraphscopeError, match=reason):
            freeze(model, FreezeOptions(outputs=predicted(model)))
    else:
        assert_frozen(model, FreezeOptions(outputs=predicted(model)))


@pytest.mark.parametrize(
    ("name", "opened", "output"),
    [
        (ESTIMATE, "dnn/input_from_feature_columns/input_layer/concat", "dnn/logits/BiasAdd:0"),
        (SEGMENTER, "feedforward_model/conv1d/conv1d/ExpandDims", "feedforward_model/conv1d/Relu:0"),
    ],
)
def test_behind_its_tables_a_model_freezes(name: str, opened: str, output: str) -> None:
    """A shard of its own for part of the values; an op that TensorFlow does not know behind the cut."""
    assert_frozen(graphscope.load(ZOO2 / name), FreezeOptions(outputs=[output], inputs=[opened]))


def test_every_variable_has_its_value() -> None:
    lacking = {}
    for path in second_models():
        model = graphscope.load(path)
        if missing := sum(v.is_missing for v in model.variables):
            lacking[path.parent.name] = missing
    assert lacking == {"regression": 2, "regression_checkpoint": 2}


def test_lookup_tables_below_a_head_are_refused() -> None:
    with pytest.raises(GraphscopeError, match="the cut needs lookup tables"):
        graphscope.graft(ZOO2 / ESTIMATE, "dnn/hiddenlayer_2/Relu", "dense:3", classes=3)
