"""Values that TensorFlow refuses to restore are refused; what it restores is taken."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import graphscope
from graphscope.errors import GraphscopeError, IncompleteModelError
from graphscope.formats.archives.weights import weights_of
from graphscope.formats.checkpoint.upgrade import upgrade_checkpoint
from graphscope.formats.savedmodel.writer import write_saved_model
from graphscope.runtime.run import run
from graphscope.transforms.freeze import FreezeOptions, freeze
from tests.support.invoked import code_of
from tests.support.running import tf

v1 = tf.compat.v1
F = np.float32
Make = Callable[[bool], Any]


def store(values: dict[str, Any], path: Path) -> None:
    with tf.Graph().as_default(), v1.Session() as session:
        variables = {name: v1.Variable(value) for name, value in values.items()}
        session.run(v1.global_variables_initializer())
        v1.train.Saver(variables).save(session, str(path), write_meta_graph=False)


def whole(value: Any, **more: Any) -> Make:
    return lambda resource: v1.Variable(value, name="b", use_resource=resource, **more)


def parted(resource: bool) -> Any:
    with v1.variable_scope("", partitioner=v1.fixed_size_partitioner(2)):
        return v1.get_variable("b", shape=[4, 2], use_resource=resource)


CASES = {
    "[1] for [3]": (whole(np.zeros(3, F)), np.zeros(1, F)),
    "[1, 3] for [3]": (whole(np.zeros(3, F)), np.zeros((1, 3), F)),
    "scalar for [1]": (whole(np.zeros(1, F)), F(0)),
    "int64 for float32": (whole(np.zeros(3, F)), np.zeros(3, np.int64)),
    "float64 for float32": (whole(np.zeros(3, F)), np.zeros(3)),
    "fits": (whole(np.zeros(3, F)), np.ones(3, F)),
    "not validated": (whole(np.zeros(3, F), validate_shape=False), np.ones(5, F)),
    "not validated, int64": (whole(np.zeros(3, F), validate_shape=False), np.ones(5, np.int64)),
    "partitions": (parted, np.ones((4, 2), F)),
    "partitions of [6, 2]": (parted, np.ones((6, 2), F)),
    "partitions of float64": (parted, np.ones((4, 2))),
}


@pytest.fixture(params=CASES)
def case(request: pytest.FixtureRequest, tmp_path: Path) -> tuple[str, Make, Any, Path]:
    return (request.param, *CASES[request.param], tmp_path)


@pytest.mark.parametrize("resource", [False, True])
def test_what_tensorflow_refuses_is_refused(case: tuple[str, Make, Any, Path], resource: bool) -> None:
    name, make, value, directory = case
    store({"b": value}, directory / "m")
    with tf.Graph().as_default(), v1.Session() as session:
        variable = make(resource)
        tf.add(tf.reduce_sum(variable), v1.placeholder(tf.float32, [], name="x"), name="out")
        saver = v1.train.Saver()
        saver.export_meta_graph(str(directory / "m.meta"))
        try:
            saver.restore(session, str(directory / "m"))
            restores = True
        except tf.errors.InvalidArgumentError:
            restores = False
    if resource and name in ("[1] for [3]", "[1, 3] for [3]", "scalar for [1]", "not validated"):
        assert (
            restores
        )  # TensorFlow looks at types alone there: the graph would state shapes that its values do not have
        restores = False
    model = graphscope.load(directory / "m")
    uses: list[Callable[[], object]] = [
        lambda: freeze(model, FreezeOptions(["out"])),
        lambda: write_saved_model(model, directory / "s", inputs=[], outputs=[]),
        lambda: upgrade_checkpoint(model, str(directory / "copy")),
        lambda: weights_of(model),
        lambda: run(model, ["out"], {"x": F(1)}),
    ]
    for use in uses:
        if restores:
            use()
            continue
        with pytest.raises(
            IncompleteModelError, match=r"variable b.* is float32 .* in the graph, but its value is"
        ) as error:
            use()
        assert str(directory / "m") in str(error.value)
    assert any(v.mismatch for v in model.variables) == (not restores)


def test_a_reshaping_saver_reshapes(tmp_path: Path) -> None:
    store({"b": np.arange(6, dtype=F).reshape(2, 3)}, tmp_path / "m")
    with tf.Graph().as_default():
        variable = v1.Variable(np.zeros(6, F), name="b")
        tf.identity(variable, name="out")
        v1.train.Saver({"b": variable}, reshape=True).export_meta_graph(str(tmp_path / "m.meta"))
    frozen = freeze(graphscope.load(tmp_path / "m"), FreezeOptions(["out"])).graph
    tensor = frozen["out"].tensor()
    assert tensor is not None
    np.testing.assert_array_equal(tensor.numpy(), np.arange(6, dtype=F))


def test_object_based_checkpoints_restore_by_name(tmp_path: Path) -> None:
    with tf.Graph().as_default(), v1.Session() as session:
        variable = v1.get_variable("layer/w", initializer=np.array([1, 2], F), use_resource=True)
        tf.multiply(variable, 2.0, name="out")
        session.run(v1.global_variables_initializer())
        prefix = v1.train.Checkpoint(other=variable).save(str(tmp_path / "o"), session=session)
        v1.train.Saver().export_meta_graph(str(tmp_path / "graph.meta"))
    model = graphscope.load(tmp_path / "graph.meta", checkpoint=prefix)
    [found] = [v for v in model.variables if v.in_graph and v.name == "layer/w"]
    assert found.key is not None
    assert found.key.startswith("other/.ATTRIBUTES")
    tensor = freeze(model, FreezeOptions(["out"])).graph["out"].tensor()
    assert tensor is not None
    np.testing.assert_array_equal(tensor.numpy(), [2, 4])


def test_a_missing_value_names_checkpoint_and_closest_keys(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    store({"dense/bias": np.zeros(3, F)}, tmp_path / "other")
    with tf.Graph().as_default() as graph:
        tf.identity(v1.get_variable("model/dense/bias", shape=[3]), name="out")
        (tmp_path / "g.pb").write_bytes(graph.as_graph_def().SerializeToString())
    given = ["--checkpoint", tmp_path / "other"]
    assert code_of("freeze", tmp_path / "g.pb", *given, "-o", tmp_path / "f.pb", "--output", "out") == 1
    message = capsys.readouterr().err
    assert f"checkpoint: {tmp_path / 'other'}" in message
    assert "closest keys: dense/bias" in message
    assert code_of("vars", tmp_path / "g.pb", *given, "--format", "csv") == 0
    assert "dense/bias" in capsys.readouterr().out


@pytest.mark.parametrize("suffix", [".h5", ".meta", ".xyz"])
def test_a_suffix_of_another_format_is_refused(suffix: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with tf.Graph().as_default() as graph:
        tf.identity(v1.placeholder(tf.float32, [], name="x"), name="out")
        (tmp_path / "g.pb").write_bytes(graph.as_graph_def().SerializeToString())
    assert code_of("freeze", tmp_path / "g.pb", "-o", tmp_path / f"f{suffix}", "--output", "out") == 2
    said = capsys.readouterr().err
    assert ".pbtxt" in said
    assert "--to" not in said  # freeze has no such option
    assert not (tmp_path / f"f{suffix}").exists()
    if suffix != ".meta":
        with pytest.raises(GraphscopeError, match="no format with the suffix"):
            graphscope.save(graphscope.load(tmp_path / "g.pb"), tmp_path / f"f{suffix}")
    assert code_of("freeze", tmp_path / "g.pb", "-o", tmp_path / "f.pbtxt", "--output", "out", "--verify") == 0
    assert (tmp_path / "f.pbtxt").read_bytes().startswith(b"node {")


def test_what_is_random_is_not_called_verified(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with tf.Graph().as_default() as graph:
        tf.add(v1.placeholder(tf.float32, [3], name="x"), tf.random.uniform([3], name="noise"), name="out")
        (tmp_path / "g.pb").write_bytes(graph.as_graph_def().SerializeToString())
    command = ["freeze", tmp_path / "g.pb", "-o", tmp_path / "f.pb", "--output", "out"]
    assert code_of(*command, "--verify") == 1
    captured = capsys.readouterr()
    assert "cannot be verified" in captured.err
    assert "noise/RandomUniform (RandomUniform)" in captured.err
    assert "verified on" not in captured.out
    assert not (tmp_path / "f.pb").exists()
    assert code_of(*command, "--input", "noise/RandomUniform", "--feed", "noise/RandomUniform=[1,2,3]", "--verify") == 0
