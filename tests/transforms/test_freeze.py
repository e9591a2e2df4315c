"""Freezing, compared with the restored session: equal to the bit, folded or not."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import graphscope
from graphscope.analysis.ends.choose_outputs import choose_outputs
from graphscope.cli.terminal.wording import to_words
from graphscope.core.model import Model
from graphscope.errors import GraphscopeError
from graphscope.formats.io.atomic import write_file
from graphscope.formats.lazy.pieces import flow, graph_pieces
from graphscope.transforms.freeze import FreezeOptions, FrozenGraph, freeze
from tests.support.fixture_files import FIXTURES, committed_models
from tests.support.verified import assert_same
from tests.support.zoo_checkpoints import CHECKPOINTS, Checkpoint
from tests.support.zoo_files import ZOO, needs_zoo

tf = pytest.importorskip("tensorflow", reason="optional: TensorFlow is the oracle")

from graphscope.runtime.comparing.verify import Verification, verify  # noqa: E402 - needs TensorFlow to be of use

FORMS = [
    (name, form["path"])
    for name, entry in committed_models().items()
    for form in entry["forms"]
    if form["kind"] in ("meta_checkpoint", "saved_model", "frozen_pb")
]


def frozen_file(model: Model, options: FreezeOptions, path: Path) -> tuple[FrozenGraph, Model]:
    frozen = freeze(model, options)
    write_file(path, flow(graph_pieces(frozen.graph)), overwrite=True)
    return frozen, graphscope.load(path)


def compared(
    model: Model, path: Path, values: Mapping[str, Any] | None = None, **options: Any
) -> tuple[Verification, Model]:
    outputs = options.pop("outputs", None) or choose_outputs(model).outputs
    feeds = options.pop("feeds", None)
    baked = {name: np.asarray(value) for name, value in (values or {}).items()}
    frozen, result = frozen_file(model, FreezeOptions(outputs=outputs, values=baked, **options), path)
    averaged = dict(frozen.averaged)
    found = verify(model, result, outputs, feeds=feeds, fixed=baked, values=averaged, atol=1e-6, rtol=1e-6)
    return found, result


@pytest.mark.parametrize("fold", [False, True], ids=["unfolded", "folded"])
@pytest.mark.parametrize(("name", "form"), FORMS)
def test_every_fixture_is_equal_to_the_bit(name: str, form: str, fold: bool, tmp_path: Path) -> None:
    entry = committed_models()[name]
    model = graphscope.load(FIXTURES / name / form)
    switches = {k: v for k, v in entry["inference_feeds"].items() if k.partition(":")[0] in model.graph}
    found, result = compared(model, tmp_path / "f.pb", switches, outputs=[entry["output"]], fold=fold)
    assert_same(found)
    assert {"VariableV2", "VarHandleOp"}.isdisjoint(result.graph.ops)
    assert not fold or len(result.graph) < len(model.graph) or len(result.graph) < 10


@needs_zoo
@pytest.mark.parametrize("fold", [False, True], ids=["unfolded", "folded"])
@pytest.mark.parametrize("given", CHECKPOINTS, ids=lambda given: given.path)
def test_every_complete_checkpoint_of_the_zoo(given: Checkpoint, fold: bool, tmp_path: Path) -> None:
    model = graphscope.load(ZOO / given.path)
    outputs = [given.output] if given.output else None
    found, _ = compared(model, tmp_path / "f.pb", outputs=outputs, inputs=given.inputs, feeds=given.feeds, fold=fold)
    assert_same(found)


def test_moving_averages_are_taken_and_named(tmp_path: Path) -> None:
    model = graphscope.load(FIXTURES / "mlp")
    frozen, result = frozen_file(
        model, FreezeOptions(outputs=["probabilities"], moving_averages=True), tmp_path / "f.pb"
    )
    assert len(frozen.averaged) == 4
    found = verify(model, result, ["probabilities"], values=dict(frozen.averaged), atol=1e-6, rtol=1e-6)
    assert found.is_within
    assert not verify(model, result, ["probabilities"], atol=1e-6, rtol=1e-6).is_within


def test_an_open_training_switch_is_named() -> None:
    model = graphscope.load(FIXTURES / "batchnorm")
    assert freeze(model, FreezeOptions(outputs=["predictions"])).open_switches == {"is_training": "false"}
    model = graphscope.load(FIXTURES / "convnet_slim")
    assert freeze(model, FreezeOptions(outputs=["prediction"])).open_switches == {"keep_prob": "1"}


def test_dropout_at_keep_prob_one_goes(tmp_path: Path) -> None:
    model = graphscope.load(FIXTURES / "convnet_slim")
    frozen, _ = frozen_file(
        model, FreezeOptions(outputs=["prediction"], values={"keep_prob": np.float32(1)}), tmp_path / "f.pb"
    )
    assert not {"RandomUniform", "Floor", "Placeholder" * 2} & set(frozen.graph.ops)


def test_half_precision_halves_the_file(tmp_path: Path) -> None:
    model = graphscope.load(FIXTURES / "lenet5")
    frozen_file(model, FreezeOptions(outputs=["softmax"]), tmp_path / "full.pb")
    _, result = frozen_file(model, FreezeOptions(outputs=["softmax"], float16=True), tmp_path / "half.pb")
    assert (tmp_path / "half.pb").stat().st_size < 0.55 * (tmp_path / "full.pb").stat().st_size
    found = verify(model, result, ["softmax"], atol=1e-2, rtol=1e-2)
    assert found.is_within
    assert not found.is_equal


@needs_zoo
def test_tables_are_refused_by_name() -> None:
    place = "saved_model/tensorflow+tfx/tfx/benchmarks/datasets/chicago_taxi/model/trained_saved_model"
    model = graphscope.load(ZOO / place)
    with pytest.raises(GraphscopeError, match=r"lookup tables.*hash_table") as caught:
        freeze(model, FreezeOptions(outputs=["head/predictions/probabilities"]))
    assert "convert" in to_words(caught.value.hint)


def test_a_written_variable_is_refused() -> None:
    with tf.Graph().as_default() as graph:
        x = tf.compat.v1.placeholder(tf.float32, [], name="x")
        v = tf.compat.v1.get_variable("v", initializer=1.0, use_resource=False)
        tf.identity(tf.compat.v1.assign_add(v, x), name="total")
    model = in_memory(graph.as_graph_def())
    with pytest.raises(GraphscopeError, match="writes to variable v"):
        freeze(model, FreezeOptions(outputs=["total"]))


def in_memory(graph_def: Any) -> Model:
    import tempfile

    with tempfile.NamedTemporaryFile(suffix=".pb") as file:
        file.write(graph_def.SerializeToString())
        file.flush()
        return graphscope.load(file.name)


def test_a_variable_without_a_value_is_named() -> None:
    model = graphscope.load(FIXTURES / "softmax" / "graph.pbtxt")
    with pytest.raises(GraphscopeError, match="no checkpoint, so no value for variable") as caught:
        freeze(model, FreezeOptions(outputs=["inference/prediction"]))
    assert "--checkpoint" in to_words(caught.value.hint)


def test_graph_text_and_checkpoint_belong_together(tmp_path: Path) -> None:
    model = graphscope.load(FIXTURES / "softmax" / "graph.pbtxt", checkpoint=FIXTURES / "softmax" / "model.ckpt-6000")
    found, _ = compared(model, tmp_path / "f.pb", outputs=["inference/prediction:0"])
    assert_same(found)
