"""Runs that ``dump`` writes, read back by TensorBoard's own accumulator; what is replaced, and what is left alone."""

from __future__ import annotations

import io
from pathlib import Path

import numpy as np
import pytest
from google.protobuf import text_format
from PIL import Image
from tensorboard.plugins.projector.projector_config_pb2 import ProjectorConfig
from tensorboard.plugins.projector.projector_plugin import _read_tensor_tsv_file

import graphscope
from graphscope.board.dump import DumpOptions, dump, model_step, read_bytes, run_name, weights_to_chart
from graphscope.board.filters import GAP_PIXELS, first_convolutions, first_filters, grid
from graphscope.board.projector import Embedding
from graphscope.board.run_directory import LogRun, earlier_files
from graphscope.core.graph import Function, Graph
from graphscope.core.model import Model, ModelKind
from graphscope.core.values.payload import ArrayPayload, Payload
from graphscope.errors import FileError, GraphscopeError, IncompleteModelError
from graphscope.protos import FunctionDef, GraphDef
from tests.support.board_logs import accumulated, plugin, tensors
from tests.support.fixture_files import FIXTURES
from tests.support.graphs import const, graph_of, op, placeholder
from tests.support.running import serialized


def fixture(name: str) -> Model:
    return graphscope.load(FIXTURES / name)


def model_of(graph: Graph, path: str = "x.pb") -> Model:
    return Model(path, ModelKind.GRAPH, "binary", (), graph)


def names(run: LogRun) -> list[str]:
    return [file.path.name for file in run.files]


def files_in(directory: Path) -> dict[str, bytes]:
    return {p.name: p.read_bytes() for p in directory.iterdir()}


# Graph, histograms, images


def test_a_checkpoint(tmp_path: Path) -> None:
    model = fixture("lenet5")
    run = dump(model, tmp_path, "lenet5", DumpOptions(histograms=True, filters=True))
    assert run.directory == tmp_path / "lenet5"
    [file] = run.files
    assert file.holds == ("graph and meta graph", "10 histograms", "1 image")
    assert file.size_bytes == file.path.stat().st_size < 300_000
    log = accumulated(run.directory)
    assert [n.name for n in log.Graph().node] == [n.name for n in model.graph]
    assert log.MetaGraph().collection_def.keys() == model.meta.collection_def.keys()
    own = dict(weights_to_chart(model))
    assert len(own) == 10
    for name, payload in own.items():
        [(step, table)] = tensors(log, name)
        assert step == 4690
        assert plugin(log, name)[0] == "histograms"
        assert (table[0, 0], table[-1, 1]) == (payload.numpy().min(), payload.numpy().max())
        assert table[:, 2].sum() == payload.elements
    [(_, (width, height, png))] = tensors(log, "conv1/weights (filters)")
    assert Image.open(io.BytesIO(png)).size == (int(width), int(height))


def test_no_tag_belongs_to_two_pages(tmp_path: Path) -> None:
    """TensorBoard's reader puts what has one tag into one series, whatever it is."""
    run = dump(fixture("convnet_slim"), tmp_path, "x", DumpOptions(histograms=True, filters=True))
    log = accumulated(run.directory)
    assert all(len(log.Tensors(tag)) == 1 for tag in log.Tags()["tensors"])


def test_a_frozen_graph(tmp_path: Path) -> None:
    model = fixture("lenet5/frozen.pb")
    run = dump(model, tmp_path, "x", DumpOptions(histograms=True))
    assert run.files[0].holds == ("graph", "10 histograms")
    assert not accumulated(run.directory).Tags()["meta_graph"]


def test_a_checkpoint_without_a_graph(tmp_path: Path) -> None:
    store = fixture("lenet5").store
    with pytest.raises(IncompleteModelError, match="without a graph"):
        dump(Model("x", ModelKind.CHECKPOINT, "", (), store=store), tmp_path / "logs", "x")
    assert not (tmp_path / "logs").exists()


ODD = ("a/b.c-d_e\\f", "Ünïcode/名", "<script>/x", "a b/(c)", "x" * 500)


def test_odd_names_and_functions(tmp_path: Path) -> None:
    body = Function(FunctionDef(signature={"name": "f"}), [const("w", np.ones(1000)), const("b", 1)])
    graph = Graph(GraphDef(), [const(name, np.ones(1000)) for name in ODD], [body])
    run = dump(model_of(graph), tmp_path, "x", DumpOptions(histograms=True))
    log = accumulated(run.directory)
    assert [n.name for n in log.Graph().node] == list(ODD)
    assert [n.name for n in log.Graph().library.function[0].node_def] == ["w", "b"]
    assert set(ODD) | {"f/w"} <= set(log.Tags()["tensors"])
    assert run.files[0].size_bytes < 20_000


def test_many_nodes(tmp_path: Path) -> None:
    graph = graph_of(placeholder("x"), *(op(f"s{i // 1000}/n{i}", "Neg", "x") for i in range(30_000)))
    run = dump(model_of(graph), tmp_path, "x")
    assert accumulated(run.directory).Graph().SerializeToString(deterministic=True) == serialized(graph)


def test_shapes_are_on_the_nodes(tmp_path: Path) -> None:
    from graphscope.runtime.shapes import infer_shapes

    model = fixture("softmax/frozen.pb")
    assert not any("_output_shapes" in node.attrs for node in model.graph)
    run = dump(model, tmp_path, "x", DumpOptions(shapes=infer_shapes(model).shapes))
    read = graphscope.load(run.directory)
    stated = {n.name: [[d.size for d in s.dim] for s in n.attrs["_output_shapes"].list.shape] for n in read.graph}
    assert stated["input"] == [[-1, 784]]
    assert stated["inference/weights/read"] == [[784, 10]]
    assert stated["inference/prediction"] == [[-1, 10]]
    assert not any("_output_shapes" in node.attrs for node in model.graph)


# Which run


@pytest.mark.parametrize(
    ("path", "name"),
    [
        ("lenet5", "lenet5"),
        ("lenet5/saved_model", "lenet5"),
        ("lenet5/frozen.pb", "lenet5-frozen"),
        ("softmax/graph.pbtxt", "softmax-graph"),
        ("softmax/model.ckpt-5400", "softmax"),
    ],
)
def test_the_models_name(path: str, name: str) -> None:
    assert run_name(fixture(path)) == name


@pytest.mark.parametrize(
    ("path", "name"),
    [
        ("/m/net.pb", "net"),
        ("/m/v1.0.pb", "v1.0"),
        ("/m/net.ckpt-10", "net"),
        ("/m/export/17", "export"),
        ("/model.pb", "model"),
    ],
)
def test_the_names_of_files(path: str, name: str) -> None:
    assert run_name(model_of(graph_of(), path)) == name


def test_runs_within_runs(tmp_path: Path) -> None:
    assert dump(fixture("softmax"), tmp_path, "a/b").directory == tmp_path / "a" / "b"
    assert dump(fixture("softmax"), tmp_path, ".").directory == tmp_path


@pytest.mark.parametrize("name", ["", "/abs", "..", "a/../../b", "a\0b"])
def test_no_names_for_runs(tmp_path: Path, name: str) -> None:
    with pytest.raises(GraphscopeError, match="is not a name for a run"):
        dump(fixture("softmax"), tmp_path, name)


# Again


def test_a_dump_replaces_what_a_dump_wrote(tmp_path: Path) -> None:
    directory = tmp_path / "run"
    directory.mkdir()
    foreign = {"events.out.tfevents.1.host": b"theirs", "notes.txt": b"mine", "x.tsv": b"1\n"}
    for name, content in foreign.items():
        (directory / name).write_bytes(content)
    model = fixture("lenet5")
    embedding = Embedding("fc3/weights", value(model, "fc3/weights"))
    first = dump(model, tmp_path, "run", DumpOptions(embeddings=(embedding,)))
    assert (len(first.files), first.replaced) == (3, 0)
    second = dump(model, tmp_path, "run")
    assert second.replaced == 3
    third = dump(model, tmp_path, "run", DumpOptions(histograms=True))
    assert third.replaced == 1
    assert {name for name in files_in(directory) if name not in foreign} == set(names(third))
    assert {name: files_in(directory)[name] for name in foreign} == foreign
    assert earlier_files(directory) == [third.files[0].path]


def test_another_run_stays(tmp_path: Path) -> None:
    first = dump(fixture("softmax"), tmp_path, "a")
    dump(fixture("lenet5"), tmp_path, "b")
    assert first.files[0].path.exists()


def test_somebody_elses_projector_configuration(tmp_path: Path) -> None:
    model = fixture("lenet5")
    old = dump(model, tmp_path, "run")
    config = old.directory / "projector_config.pbtxt"
    config.write_text('embeddings { tensor_name: "w" }\n')
    before = files_in(old.directory)
    with pytest.raises(FileError, match="the projector configuration was not written by dump"):
        dump(model, tmp_path, "run", DumpOptions(embeddings=(Embedding("fc3/weights", value(model, "fc3/weights")),)))
    assert files_in(old.directory) == before
    dump(model, tmp_path, "run")
    assert config.read_text() == 'embeddings { tensor_name: "w" }\n'


class Failing(ArrayPayload):
    """A weight that cannot be read to its end."""

    __slots__ = ()

    def chunks(self):  # type: ignore[no-untyped-def]
        yield next(super().chunks())
        raise IncompleteModelError("gone")


def test_a_dump_that_fails_leaves_the_old_one(tmp_path: Path) -> None:
    model = fixture("lenet5")
    options = DumpOptions(embeddings=(Embedding("w", Failing(np.ones((3, 4), np.float32))),))
    with pytest.raises(IncompleteModelError, match="gone"):
        dump(model, tmp_path / "new" / "logs", "run", options)
    assert list(tmp_path.iterdir()) == []
    old = dump(model, tmp_path, "run")
    before = files_in(old.directory)
    with pytest.raises(IncompleteModelError, match="gone"):
        dump(model, tmp_path, "run", options)
    assert files_in(old.directory) == before


def test_a_file_in_the_place_of_a_directory(tmp_path: Path) -> None:
    (tmp_path / "logs").touch()
    with pytest.raises(FileError, match="logs"):
        dump(fixture("softmax"), tmp_path / "logs", "run")


# The projector


def value(model: Model, name: str) -> Payload:
    return model.value(model.variable(name))


def config_of(run: LogRun) -> ProjectorConfig:
    return text_format.Parse((run.directory / "projector_config.pbtxt").read_text(), ProjectorConfig())


def test_an_embedding_is_what_the_projector_reads(tmp_path: Path) -> None:
    model = fixture("lenet5")
    labels = tmp_path / "labels.txt"
    labels.write_text("".join(f"wörd {i}\n" for i in range(84)))
    payload = value(model, "fc3/weights")
    run = dump(model, tmp_path, "run", DumpOptions(embeddings=(Embedding("fc3/weights", payload, labels),)))
    [info] = config_of(run).embeddings
    assert (info.tensor_name, list(info.tensor_shape)) == ("fc3/weights", [84, 10])
    read = _read_tensor_tsv_file(str(run.directory / info.tensor_path))
    np.testing.assert_array_equal(read, payload.numpy())
    assert (run.directory / info.metadata_path).read_bytes() == labels.read_bytes()
    assert run.files[1].holds == ("84 points of 10 dimensions: fc3/weights",)


def test_rows_across_pieces(tmp_path: Path) -> None:
    """Rows of a width that no piece is a multiple of, in other types too."""
    wide = np.random.default_rng(0).standard_normal((50_000, 7)).astype(np.float64)
    odd = 'a "quoted"\\ name\n/é'
    given = (Embedding(odd, ArrayPayload(wide)), Embedding(odd, ArrayPayload(np.arange(6).reshape(2, 3))))
    told: list[int] = []
    options = DumpOptions(embeddings=given)
    model = fixture("softmax")
    run = dump(model, tmp_path, "run", options, told.append)
    first, second = config_of(run).embeddings
    assert first.tensor_name == second.tensor_name == odd
    np.testing.assert_array_equal(
        _read_tensor_tsv_file(str(run.directory / first.tensor_path)), wide.astype(np.float32)
    )
    np.testing.assert_array_equal(
        _read_tensor_tsv_file(str(run.directory / second.tensor_path)), [[0, 1, 2], [3, 4, 5]]
    )
    assert sum(told) == read_bytes(model, options) == wide.nbytes + 48


@pytest.mark.parametrize("array", [np.ones(3), np.ones((2, 2, 2)), np.ones((0, 3)), np.ones((2, 2), np.complex64)])
def test_what_is_no_embedding(tmp_path: Path, array: np.ndarray) -> None:
    with pytest.raises(GraphscopeError, match="an embedding is a matrix of numbers, but this is"):
        dump(fixture("softmax"), tmp_path, "run", DumpOptions(embeddings=(Embedding("w", ArrayPayload(array)),)))
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (b"a\nb\n", "2 labels, and w has 3 points"),
        (b"word\tcount\na\t1\nb\t2\n", "2 labels, and w has 3 points"),
        (b"\xff\n\n\n", "labels are text in UTF-8"),
        (None, "No such file"),
    ],
)
def test_labels_that_do_not_fit(tmp_path: Path, text: bytes | None, message: str) -> None:
    labels = tmp_path / "labels"
    if text is not None:
        labels.write_bytes(text)
    embedding = Embedding("w", ArrayPayload(np.ones((3, 2))), labels)
    with pytest.raises(GraphscopeError, match=message):
        dump(fixture("softmax"), tmp_path / "logs", "run", DumpOptions(embeddings=(embedding,)))
    assert not (tmp_path / "logs").exists()


def test_labels_with_a_heading(tmp_path: Path) -> None:
    labels = tmp_path / "labels"
    labels.write_text("word\tcount\na\t1\nb\t2\nc\t3")
    embedding = Embedding("w", ArrayPayload(np.ones((3, 2))), labels)
    assert len(dump(fixture("softmax"), tmp_path, "run", DumpOptions(embeddings=(embedding,))).files) == 4


# Filters


def test_the_first_filters_of_the_fixtures() -> None:
    for name in ("lenet5", "lenet5/frozen.pb", "convnet_slim", "batchnorm_resource", "towers"):
        found = list(first_filters(fixture(name)))
        assert [payload.shape[2] for _, payload in found] == [1], name
        assert all("conv1" in name or "conv" in name for name, _ in found)
    assert list(first_filters(fixture("softmax"))) == []


def test_first_convolutions_come_after_no_other() -> None:
    graph = graph_of(
        *(placeholder(name) for name in ("x", "y", "w")),
        op("c2", "Conv2D", "r1", "w", strides=[1, 1, 1, 1], padding=b"SAME"),
        op("c1", "Conv2D", "x", "w", strides=[1, 1, 1, 1], padding=b"SAME"),
        op("other", "Conv2D", "y", "w", strides=[1, 1, 1, 1], padding=b"SAME"),
        op("r1", "Relu", "c1"),
    )
    assert [node.name for node in first_convolutions(graph)] == ["c1", "other"]
    assert first_convolutions(graph_of(placeholder("x"))) == []


def test_a_tile_for_each_filter() -> None:
    """Each from black to white by itself, pixels enlarged."""
    filters = np.random.default_rng(0).standard_normal((4, 8, 1, 5))
    filters[..., 4] = 7
    picture = grid(filters)
    assert picture.shape == (2 * (16 + GAP_PIXELS) + GAP_PIXELS, 3 * (32 + GAP_PIXELS) + GAP_PIXELS, 1)
    tile = picture[GAP_PIXELS : GAP_PIXELS + 16 : 4, GAP_PIXELS : GAP_PIXELS + 32 : 4, 0]
    first = filters[..., 0, 0]
    np.testing.assert_allclose(tile, (first - first.min()) / (first.max() - first.min()) * 255, atol=0.51)
    y, x = 16 + 2 * GAP_PIXELS, 32 + 2 * GAP_PIXELS
    assert set(picture[y : y + 16, x : x + 32].flat) == {128}
    assert set(picture[y : y + 16, x + 32 + GAP_PIXELS :].flat) == {255}  # no sixth filter


def test_three_channels_are_colours() -> None:
    filters = np.zeros((2, 2, 3, 1))
    filters[0, 0, 0], filters[0, 1, 1], filters[1, 0, 2] = 1, 1, 1
    picture = grid(filters)[GAP_PIXELS:-GAP_PIXELS:16, GAP_PIXELS:-GAP_PIXELS:16]
    np.testing.assert_array_equal(picture, filters[..., 0] * 255)


def test_other_channels_are_grey_tiles() -> None:
    picture = grid(np.random.default_rng(0).standard_normal((3, 3, 2, 4)))
    assert picture.shape[2] == 1
    assert grid(np.ones((1, 1, 100, 100))).shape[0] == 16 * (32 + GAP_PIXELS) + GAP_PIXELS  # 256 tiles at most


def test_what_is_not_finite_is_grey() -> None:
    filters = np.array([np.nan, np.inf, 0.0, 1.0]).reshape(2, 2, 1, 1)
    assert grid(filters)[GAP_PIXELS:-GAP_PIXELS:16, GAP_PIXELS:-GAP_PIXELS:16].ravel().tolist() == [128, 128, 0, 255]


def test_steps() -> None:
    assert model_step(fixture("lenet5")) == 4690
    assert model_step(fixture("lenet5/frozen.pb")) == 0
