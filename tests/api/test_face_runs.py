"""The public functions that execute a graph: NumPy in, NumPy out, as TensorFlow computes it."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

import graphscope
from graphscope.core.units import duration
from graphscope.errors import ArgumentError, GraphscopeError, UnknownNameError
from tests.support.fixture_files import FIXTURES
from tests.support.running import tf
from tests.support.verified import assert_same

LENET = FIXTURES / "lenet5"
PICTURES = np.random.default_rng(0).random((3, 784), np.float32)


def expected(name: str) -> np.ndarray:
    with tf.Graph().as_default(), tf.compat.v1.Session() as session:
        prefix = graphscope.load(LENET).path
        saver = tf.compat.v1.train.import_meta_graph(f"{prefix}.meta")
        saver.restore(session, prefix)
        return np.asarray(session.run(name, {"input:0": PICTURES}))


def test_run_takes_and_gives_arrays(tmp_path: Path) -> None:
    found = graphscope.run(LENET, {"input": PICTURES}, outputs=["softmax", "logits"])
    assert list(found) == ["softmax:0", "logits:0"]
    assert (found["softmax:0"] == found["softmax"]).all()
    np.testing.assert_allclose(found["softmax"], expected("softmax:0"), atol=1e-6)
    with pytest.raises(UnknownNameError, match="closest: softmax:0"):
        found["sotfmax"]
    assert [len(example.guesses) for example in found.top(2)] == [2] * 6
    assert found.save(tmp_path / "x.npz") == (tmp_path / "x.npz").stat().st_size
    with np.load(tmp_path / "x.npz") as saved:
        assert (saved["logits"] == found["logits"]).all()


def test_run_takes_lists_and_texts_as_well() -> None:
    model = graphscope.load(LENET)
    by_list = graphscope.run(model, {"input": PICTURES.tolist()}, outputs="softmax")
    np.testing.assert_allclose(by_list["softmax:0"], expected("softmax:0"), atol=1e-6)
    assert graphscope.run(model, {"input": "random"}, outputs="softmax", batch=5)["softmax"].shape == (5, 10)
    assert graphscope.run(model, ["input=zeros"], outputs="softmax")["softmax"].shape == (1, 10)
    with pytest.raises(GraphscopeError, match=r"input:0 has shape \(\?, 784\)"):
        graphscope.run(model, {"input": [[1.0]]}, outputs="softmax")
    with pytest.raises(GraphscopeError, match="not an array"):
        graphscope.run(model, {"input": [[1.0], [1.0, 2.0]]}, outputs="softmax")


def test_labels_that_fit_no_output_are_refused_before_anything_runs(tmp_path: Path) -> None:
    (tmp_path / "labels.txt").write_text("a\nb\n")
    with pytest.raises(GraphscopeError, match="2 labels, but softmax has 10 classes"):
        graphscope.run(LENET, {"input": PICTURES}, outputs="softmax", labels=tmp_path / "labels.txt")


def test_freeze_and_verify(tmp_path: Path) -> None:
    model = graphscope.load(LENET)
    frozen = graphscope.freeze(model, outputs=["softmax"])
    found = graphscope.verify(model, frozen.model)
    assert_same(found)
    assert (found.max_abs == 0) == found.is_equal
    saved = frozen.save(tmp_path / "m.pb", verify=True)
    assert saved.verification is not None
    assert_same(saved.verification)
    other = (
        graphscope.freeze(FIXTURES / "lenet5_0to4", outputs=["softmax"])
        if (FIXTURES / "lenet5_0to4").exists()
        else None
    )
    if other is not None:
        assert not graphscope.verify(model, other.model, outputs="softmax").is_within


def test_profile_reports_and_writes(tmp_path: Path) -> None:
    found = graphscope.profile(LENET, {"input": PICTURES}, outputs="softmax", steps=2, warmup=1)
    assert found.report.outputs == ("softmax:0",)
    assert found.save_timeline(tmp_path / "t.json") > 0
    run = found.log(tmp_path / "logs")
    again = graphscope.read_profile(run.directory)
    assert again.report.nodes
    by_logs, by_timeline = (
        graphscope.draw(LENET, color="time", profile=p) for p in (tmp_path / "logs", tmp_path / "t.json")
    )
    places = {box.name: box.first for box in by_timeline.diagram.boxes if box.node >= 0}
    times = {cost.name: cost.times.wall_us for cost in found.report.nodes}
    assert by_timeline.colorings[0].amounts[places["conv2/relu"]] == duration(times["conv2/relu"])
    assert by_logs.colorings[0].amounts.keys() == by_timeline.colorings[0].amounts.keys()


@pytest.mark.parametrize("clear", [False, True])
def test_a_profile_logs_the_devices_that_were_asked_for(clear: bool) -> None:
    model = graphscope.load(FIXTURES / "towers")
    named = {n.device for n in model.graph if n.device}
    assert named
    placing = graphscope.Placing(clear_devices=clear)
    session = graphscope.SessionOptions(devices={"CPU": 2})
    found = graphscope.profile(model, outputs="prediction", placing=placing, session=session, steps=1, warmup=1)
    assert found.trace.graph is not None
    devices = {n.device for n in found.trace.graph if n.device}
    assert devices == (set() if clear else named)


def test_graft_features_tune(tmp_path: Path) -> None:
    rng = np.random.default_rng(1)
    labels = np.arange(40) % 2
    data = tmp_path / "data.npz"
    np.savez(data, x=(rng.random((40, 784)) * 0.1 + labels[:, None] * 0.5).astype(np.float32), y=labels)
    grafted = graphscope.graft(LENET, "fc2/relu", out=tmp_path / "g.ckpt", head="dense:2", classes=2)
    assert grafted.recipe is not None
    assert grafted.report.width == 2
    reading = graphscope.DataOptions(cache=tmp_path / "cache")
    found = graphscope.features(tmp_path / "g.ckpt", str(data), out=tmp_path / "f.npz", reading=reading)
    assert found.arrays()["x"].shape == (40, 84)
    assert (found.labels == labels).all()
    report = graphscope.tune(tmp_path / "g.ckpt", str(data), epochs=2, reading=reading, validation=0.25)
    assert len(report.epochs) == 2
    assert report.metric > 0.5
    with pytest.raises(ArgumentError, match="one task"):
        graphscope.graft(LENET, "fc2/relu", "dense:2", classes=2, regression=True)


def test_dump(tmp_path: Path) -> None:
    run = graphscope.dump(LENET, tmp_path, histograms=True, embeddings={"fc3/weights": None})
    assert run.directory.parent == tmp_path
    assert any("histograms" in text for file in run.files for text in file.holds)
