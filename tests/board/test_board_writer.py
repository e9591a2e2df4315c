"""Event files and summaries, read back by TensorBoard's own accumulator."""

from __future__ import annotations

import io
import itertools
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from tensorboard.compat.proto import summary_pb2
from tensorboard.plugins.histogram import summary_v2

import graphscope
from graphscope.board import summaries
from graphscope.board.blank import blank_weights
from graphscope.board.writer import EventWriter, event_file_name
from graphscope.core.values.dtypes import DataType
from graphscope.core.values.payload import CHUNK_BYTES, ArrayPayload
from graphscope.errors import FileError
from graphscope.formats.events.logged_graph import TOO_LARGE
from graphscope.protos import RunMetadata
from tests.support.board_logs import accumulated, plugin, tensors
from tests.support.fixture_files import FIXTURES
from tests.support.graphs import const, graph_of
from tests.support.running import serialized


def test_a_graph_and_its_meta_graph(tmp_path: Path) -> None:
    model = graphscope.load(FIXTURES / "lenet5")
    with EventWriter(tmp_path) as writer:
        writer.graph(model.graph, model.meta)
    log = accumulated(tmp_path)
    assert log.Tags()["graph"]
    assert log.Tags()["meta_graph"]
    assert log.Graph().SerializeToString(deterministic=True) == serialized(blank_weights(model.graph))
    meta = log.MetaGraph()
    assert meta.graph_def == log.Graph()
    meta.ClearField("graph_def")
    assert meta.SerializeToString(deterministic=True) == model.meta.SerializeToString(deterministic=True)


def test_weights_are_blanked() -> None:
    model = graphscope.load(FIXTURES / "lenet5" / "frozen.pb")
    before = serialized(model.graph)
    without = blank_weights(model.graph)
    assert len(before) > 200_000
    assert len(serialized(without)) < 20_000
    lost = [node for node in without if TOO_LARGE in node.attrs]
    assert {node.name for node in lost} == {node.name for node in model.graph if node.payloads}
    for node in lost:
        stated = node.attrs["value"].tensor
        assert not stated.tensor_content
        assert stated.tensor_shape == model.graph[node.name].attrs["value"].tensor.tensor_shape
        assert list(node.attrs[TOO_LARGE].list.s) == [b"value"]
    assert serialized(model.graph) == before


def test_weights_in_memory_are_blanked() -> None:
    graph = graph_of(const("large", np.ones(2000)), const("small", np.ones(100)))
    large, small = blank_weights(graph).nodes
    assert not large.attrs["value"].tensor.ByteSize() > 100
    assert small.proto == graph["small"].proto


def test_run_metadata(tmp_path: Path) -> None:
    metadata = RunMetadata()
    metadata.step_stats.dev_stats.add(device="/cpu:0").node_stats.add(node_name="a", all_end_rel_micros=7)
    with EventWriter(tmp_path) as writer:
        writer.run_metadata("step 3", metadata, 3)
    log = accumulated(tmp_path)
    assert tensors(log, "step 3") == [(3, [metadata.SerializeToString()])]
    assert plugin(log, "step 3") == ("graph_tagged_run_metadata", summary_pb2.DATA_CLASS_BLOB_SEQUENCE)


def test_scalars_and_text(tmp_path: Path) -> None:
    with EventWriter(tmp_path) as writer:
        for step in range(3):
            writer.summary([summaries.scalar("loss", 0.5 * step), summaries.text("words", f"**{step}** é")], step)
    log = accumulated(tmp_path)
    assert tensors(log, "loss") == [(0, 0.0), (1, 0.5), (2, 1.0)]
    assert plugin(log, "loss") == ("scalars", summary_pb2.DATA_CLASS_SCALAR)
    assert tensors(log, "words")[2] == (2, "**2** é".encode())
    assert plugin(log, "words") == ("text", summary_pb2.DATA_CLASS_TENSOR)


@pytest.mark.parametrize("channels", [1, 3, 4])
def test_images(tmp_path: Path, channels: int) -> None:
    pixels = np.random.default_rng(0).integers(0, 256, (5, 7, channels), np.uint8)
    with EventWriter(tmp_path) as writer:
        writer.summary([summaries.image("picture", pixels)], 0)
    log = accumulated(tmp_path)
    [(_, (width, height, data))] = tensors(log, "picture")
    assert (width, height) == (b"7", b"5")
    read = np.asarray(Image.open(io.BytesIO(data)))
    np.testing.assert_array_equal(read.reshape(pixels.shape), pixels)
    assert plugin(log, "picture") == ("images", summary_pb2.DATA_CLASS_BLOB_SEQUENCE)


HISTOGRAMS = {
    "normal": np.random.default_rng(1).standard_normal((100, 50)).astype(np.float32),
    "long": np.random.default_rng(2).standard_normal(CHUNK_BYTES).astype(np.float32),  # several pieces
    "integers": np.arange(-20, 1000, dtype=np.int64),
    "equal": np.full((3, 4), 2.5),
    "empty": np.zeros(0, np.float32),
    "bool": np.array([True, False, True]),
    "half": np.linspace(-1, 1, 500).astype(np.float16),
    "bytes": np.arange(256, dtype=np.uint8),
}


@pytest.mark.parametrize("name", HISTOGRAMS)
def test_histograms_are_tensorboards(name: str) -> None:
    values = HISTOGRAMS[name]
    ours = summaries.histogram("w", values)
    [theirs] = summary_v2.histogram_pb("w", values).value
    mine, other = (np.frombuffer(s.tensor.tensor_content).reshape(-1, 3) for s in (ours, theirs))
    np.testing.assert_allclose(mine[:, :2], other[:, :2], rtol=1e-12, atol=1e-12)
    assert np.abs(mine[:, 2] - other[:, 2]).max() <= 1  # a value on the line between two buckets
    assert mine[:, 2].sum() == values.size  # type: ignore[attr-defined]
    assert ours.metadata.plugin_data.plugin_name == theirs.metadata.plugin_data.plugin_name
    assert ours.metadata.data_class == summary_pb2.DATA_CLASS_TENSOR
    assert ours.tensor.tensor_shape == theirs.tensor.tensor_shape


def test_a_histogram_leaves_out_what_is_not_finite() -> None:
    values = np.array([np.nan, 1, 2, np.inf, -np.inf, 3], np.float32)
    found = np.frombuffer(summaries.histogram("w", values).tensor.tensor_content).reshape(-1, 3)
    assert (found[0, 0], found[-1, 1], found[:, 2].sum()) == (1, 3, 3)


@pytest.mark.parametrize(
    "values", [[-1.7e308, 0, 1.7e308], [0, 1e-320], [1e-300, 2e-300, 3e-300], [1 << 62, (1 << 62) + 4096]]
)
def test_a_histogram_of_extremes(values: list[float]) -> None:
    found = np.frombuffer(summaries.histogram("w", np.array(values)).tensor.tensor_content).reshape(-1, 3)
    assert np.isfinite(found).all()
    assert (found[0, 0], found[-1, 1], found[:, 2].sum()) == (values[0], values[-1], len(values))
    assert found[0, 2] == found[-1, 2] == 1


def test_progress_of_a_histogram_counts_both_readings() -> None:
    told: list[int] = []
    summaries.payload_histogram("w", ArrayPayload(HISTOGRAMS["long"]), told.append)
    assert sum(told) == 2 * HISTOGRAMS["long"].nbytes  # type: ignore[attr-defined]


@pytest.mark.parametrize("dtype", [DataType.STRING, DataType.COMPLEX64])
def test_what_has_no_histogram(dtype: DataType) -> None:
    values = np.array([b"x"], object) if dtype is DataType.STRING else np.ones(3, np.complex64)
    with pytest.raises(TypeError, match=f"{dtype.label} has no histogram"):
        summaries.histogram("w", values)


def test_several_files_make_one_run(tmp_path: Path) -> None:
    for step in range(2):
        with EventWriter(tmp_path, suffix=".mine") as writer:
            writer.summary([summaries.scalar("loss", step)], step)
    assert len(list(tmp_path.glob("events.out.tfevents.*.mine"))) == 2
    assert len(tensors(accumulated(tmp_path), "loss")) == 2


def test_what_was_flushed_is_there(tmp_path: Path) -> None:
    with EventWriter(tmp_path / "deep" / "run") as writer:
        writer.summary([summaries.scalar("loss", 1)], 0)
        writer.flush()
        assert tensors(accumulated(tmp_path / "deep" / "run"), "loss") == [(0, 1.0)]


def test_no_place_to_write(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(FileError, match="file"):
        EventWriter(tmp_path / "file" / "run")


def test_files_of_one_second_have_names_in_the_order_in_which_they_were_made(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("graphscope.board.writer.time.time", lambda: 1_700_000_000.0)
    monkeypatch.setattr("graphscope.board.writer._numbers", itertools.count(98))
    names = [event_file_name() for _ in range(4)]
    assert names == sorted(names)
