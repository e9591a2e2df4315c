"""Whole models in TF.js beside TensorFlow: fixtures, other people's models, loops and branches of both kinds, single ops."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from pathlib import Path
from random import Random
from typing import Any

import numpy as np
import pytest

import graphscope
from graphscope.api.save import graph_model
from graphscope.core.graph import Graph
from graphscope.errors import GraphscopeError
from graphscope.export.refusal import NotExportableError
from graphscope.export.tfjs.convert import convert
from graphscope.export.tfjs.ops import op_table
from graphscope.feeding.default_feeds import fill_feeds
from tests.export.test_onnx_models import BUILDS, MODELS, graph_of, placeholder, random_inputs
from tests.support.fixture_files import FIXTURES
from tests.support.onnx_cases import DRAWS
from tests.support.running import Array, built, run_graph, tf
from tests.support.tfjs_running import computed, installed_ops
from tests.support.zoo_files import ZOO, needs_zoo

onnx_running = pytest.importorskip("tests.support.onnx_running", reason="optional: has the random cases")


def compare(graph: Graph, outputs: list[str], feeds: Mapping[str, Any], directory: Path) -> None:
    expected = run_graph(graph, outputs, feeds)
    for mine, theirs in zip(computed(graph, outputs, feeds, directory), expected, strict=True):
        assert_close(mine, theirs, str(outputs))


def assert_close(mine: Array, theirs: Array, what: str) -> None:
    assert (mine.dtype, mine.shape) == (theirs.dtype, theirs.shape), what
    if theirs.dtype.kind in "fc":
        scale = float(np.abs(theirs[np.isfinite(theirs)]).max(initial=1))
        tolerance = 2e-3 if theirs.dtype == np.float16 else 1e-4
        np.testing.assert_allclose(mine, theirs, rtol=tolerance, atol=tolerance * scale, err_msg=what)
    else:
        np.testing.assert_array_equal(mine, theirs, what)


def test_the_table_is_what_the_installed_package_says() -> None:
    installed = installed_ops()
    table = op_table()
    assert table.version == installed["version"]
    listed = {op: tuple(names) for ops in installed["ops"].values() for op, names in ops.items()}
    assert table.attributes == listed
    assert listed.keys() <= set(installed["run"])
    awaited = {op for category in ("control", "dynamic", "hash_table") for op in installed["ops"][category]}
    assert table.awaited == awaited


@pytest.mark.parametrize("name", MODELS)
def test_fixtures(name: str, tmp_path: Path) -> None:
    frozen = graphscope.freeze(FIXTURES / name, set=MODELS[name])
    compare(frozen.model.graph, list(frozen.outputs), random_inputs(frozen.model.graph), tmp_path)


@pytest.mark.parametrize("sign", [1, -1])
@pytest.mark.parametrize("make", [built, graph_of], ids=["frames", "functions"])
@pytest.mark.parametrize("build", BUILDS)
def test_control_flow(build: Callable[[], object], make: Callable[..., Graph], sign: int, tmp_path: Path) -> None:
    graph = make(build)
    feeds = {name: value * sign for name, value in random_inputs(graph).items()}
    compare(graph, ["y:0"], feeds, tmp_path)


@pytest.mark.parametrize("make", [built, graph_of], ids=["frames", "functions"])
def test_constants_on_both_sides_and_as_the_next_state(make: Callable[..., Graph], tmp_path: Path) -> None:
    """What depends on a branch or a turn by control inputs alone."""

    def build() -> None:
        x = placeholder(3)
        chosen = tf.cond(tf.reduce_sum(x) > 0, lambda: tf.constant(1.0), lambda: tf.constant(2.0))
        _, y, z = tf.while_loop(lambda i, *_: i < 3, lambda i, y, z: (i + 1, y + z, tf.constant(5.0)), (0, x, chosen))
        tf.identity(y + z, "y")

    for sign in (1, -1):
        compare(make(build), ["y:0"], {"x:0": np.full(3, sign, np.float32)}, tmp_path)


CUT = "ARM-software+ML-KWS-for-MCU/Pretrained_models"
FROZEN: Mapping[str, Mapping[str, Any]] = {
    "blaueck+tf-mtcnn/mtcnn_1.12.pb": {"input": (30, 30, 3), "min_size": 20, "factor": 0.7, "thresholds": [0.1] * 3},
    "fannymonori+TF-LapSRN/export/LapSRN_x2.pb": {"IteratorGetNext": (1, 6, 7, 1)},
    "onnx+tensorflow-onnx/tests/models/lstm/frozen.pb": {},
    "ssoniya+tensorflow-for-poets-2/retrained_graph.pb": {"input": (1, 128, 128, 3)},
    "ssoniya+tensorflow-for-poets-2/tf_files/models/mobilenet_v1_0.25_128/quantized_graph.pb": {
        "input": (1, 128, 128, 3)
    },
    f"{CUT}/GRU/GRU_M.pb": {},
    f"{CUT}/DS_CNN/DS_CNN_L.pb": {},
}
"""Model -> what is fed: a shape of random numbers, or a value."""


@needs_zoo
@pytest.mark.parametrize("path", FROZEN)
def test_models_by_other_people(path: str, tmp_path: Path) -> None:
    """Detection with loops, recurrent networks cut behind what decodes sound, weights of bytes."""
    file = ZOO / "frozen_pb" / path
    frozen = graphscope.freeze(file)
    outputs = list(frozen.outputs)
    if CUT in path:
        with pytest.raises(NotExportableError) as error:
            convert(frozen.model.graph, outputs)
        frozen = graphscope.freeze(file, outputs=outputs, inputs=error.value.cuts)
    graph = frozen.model.graph
    rng = np.random.default_rng(3)
    given = {
        f"{name}:0": rng.random(value, np.float32) if isinstance(value, tuple) else np.array(value, np.float32)
        for name, value in FROZEN[path].items()
    }
    off, random = fill_feeds(graph_model(graph), outputs, [], unknown=1)
    compare(graph, outputs, {**random, **off, **given}, tmp_path)


ROUNDS = int(os.environ.get("GRAPHSCOPE_EXAMPLES", "1"))
UNFIT = ("Negative size values", "depth must be >=2")
"""TF.js itself says so where a slice is empty, or one of several classes is asked for."""
OLD = "BatchNormWithGlobalNormalization"
"""TensorFlow runs it in graphs of its own time only."""


def test_single_ops(tmp_path: Path) -> None:
    """Each op of which there are random cases, in one session of TensorFlow: equal, or refused."""
    random = Random(11)
    cases = [draw(random) for op, drawn in DRAWS.items() if op != OLD for draw in drawn for _ in range(ROUNDS)]
    kept = set()
    for case, wanted in zip(cases, onnx_running.expected(cases), strict=True):
        graph, feeds = onnx_running.op_graph(case)
        try:
            found = computed(graph, [f"n:{k}" for k in range(case.outputs)], feeds, tmp_path)
        except NotExportableError:
            continue
        except GraphscopeError as error:
            if not any(text in str(error) for text in UNFIT):
                raise
            continue
        kept.add(case.op)
        for mine, theirs in zip(found, wanted, strict=True):
            assert_close(mine, theirs, str(case))
    assert len(kept) > 120, sorted(DRAWS.keys() - kept)
