"""Whatever a person points at: every spelling of a model opens it, and what cannot be opened says what is near."""

from __future__ import annotations

import os
import shutil
from pathlib import Path
from typing import Any

import pytest
from google.protobuf import text_format

import graphscope
from graphscope.cli.terminal.wording import to_words
from graphscope.core.model import ModelKind
from graphscope.errors import CorruptFileError, FileError, IncompleteModelError, NotTensorFlowError, UnknownNameError
from graphscope.formats.detect.checkpoint_state import read_state
from graphscope.formats.detect.locate import GraphFile, locate
from graphscope.protos import CheckpointState
from tests.support.copies import MEMBERS, NAMES, SOFTMAX, checkpoint, opened, state
from tests.support.fixture_files import FIXTURES
from tests.support.zoo_files import ZOO, needs_zoo

# Checkpoints


@pytest.mark.parametrize("suffix", ["", *MEMBERS])
@pytest.mark.parametrize("prefix", ["model.ckpt-6000", "with space", "a=b.meta.x", "Ж🙂", "x.index.y", "-lead"])
def test_members_of_a_checkpoint(tmp_path: Path, prefix: str, suffix: str) -> None:
    where = checkpoint(tmp_path / prefix)
    assert opened(where + suffix) == (where, ModelKind.META_CHECKPOINT, "V2", NAMES)


@pytest.mark.parametrize("suffix", ["", ".meta", ".index", ".data-00000-of-00002", ".data-00001-of-00002"])
def test_members_of_a_sharded_checkpoint(suffix: str) -> None:
    prefix = str(FIXTURES / "partitioned" / "model.ckpt-6000")
    path, kind, version, names = opened(prefix + suffix)
    assert (path, kind, version) == (prefix, ModelKind.META_CHECKPOINT, "V2")
    assert len(names) == 5
    files = graphscope.load(prefix + suffix).files
    assert [(Path(f.path).name.partition("6000")[2], f.role) for f in files] == [
        (".meta", "graph"),
        (".index", "index"),
        (".data-00000-of-00002", "data"),
        (".data-00001-of-00002", "data"),
    ]


def test_relative_paths(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    checkpoint(tmp_path / "m")
    monkeypatch.chdir(tmp_path)
    for spelling in ("m", "m.meta", "./m.index", ".", "../" + tmp_path.name):
        assert opened(spelling)[1:3] == (ModelKind.META_CHECKPOINT, "V2"), spelling
    assert graphscope.load("m").path == "m"


@pytest.mark.parametrize("kept", [(".meta",), (".index",), (".index", ".data-00000-of-00001"), (".meta", ".index")])
def test_parts_of_a_checkpoint(tmp_path: Path, kept: tuple[str, ...]) -> None:
    prefix = checkpoint(tmp_path / "m", members=kept)
    wanted = {
        (True, True): ModelKind.META_CHECKPOINT,
        (True, False): ModelKind.META_GRAPH,
        (False, True): ModelKind.CHECKPOINT,
    }
    for spelling in (prefix, str(tmp_path), *(prefix + suffix for suffix in kept)):
        model = graphscope.load(spelling)
        assert (model.path, model.kind) == (prefix, wanted[".meta" in kept, ".index" in kept])
        missing = {Path(f.path).name for f in model.files if f.size_bytes is None}
        assert missing == {"m" + s for s in MEMBERS[1:] if s not in kept and (".index" in kept or s == ".index")}
    if ".meta" not in kept:
        with pytest.raises(IncompleteModelError, match=r"without a graph: there is no .*m\.meta"):
            _ = graphscope.load(prefix).graph
    if ".index" not in kept:
        with pytest.raises(IncompleteModelError, match="no checkpoint holds a value of inference/weights"):
            graphscope.load(prefix).value(graphscope.load(prefix).variable(NAMES[1]))


def test_data_without_an_index(tmp_path: Path) -> None:
    prefix = checkpoint(tmp_path / "m", members=(".data-00000-of-00001",))
    for spelling in (prefix, prefix + ".data-00000-of-00001", str(tmp_path)):
        with pytest.raises(IncompleteModelError, match=r"m\.index is missing") as caught:
            graphscope.load(spelling)
        assert to_words(caught.value.hint) == "copy it from where the checkpoint was written"


def test_an_empty_base_name(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    checkpoint(f"{tmp_path}/")
    assert (tmp_path / ".index").is_file()
    expected = (f"{tmp_path}/", ModelKind.META_CHECKPOINT, "V2", NAMES)
    for spelling in (f"{tmp_path}", f"{tmp_path}/", *(f"{tmp_path}/{suffix}" for suffix in MEMBERS)):
        assert opened(spelling) == expected, spelling
    model = graphscope.load(tmp_path)
    assert model.value(model.variable(NAMES[0])).numpy().shape == (10,)
    monkeypatch.chdir(tmp_path)
    for spelling in (".", "./", ".index", ".meta"):
        assert opened(spelling) == ("./", *expected[1:]), spelling
    state(tmp_path, f"/home/else/{tmp_path.name}/")
    assert opened(tmp_path) == expected


def test_a_text_meta_graph(tmp_path: Path) -> None:
    pytest.importorskip("tensorflow", reason="TensorFlow writes the text")
    from google.protobuf import text_format
    from tensorflow.core.protobuf.meta_graph_pb2 import MetaGraphDef

    prefix = checkpoint(tmp_path / "m")
    meta = MetaGraphDef.FromString(Path(prefix + ".meta").read_bytes())
    Path(prefix + ".meta").write_text(text_format.MessageToString(meta))
    (tmp_path / "alone.pbtxt").write_text(text_format.MessageToString(meta))
    for spelling in (prefix, prefix + ".meta", prefix + ".index"):
        assert opened(spelling) == (prefix, ModelKind.META_CHECKPOINT, "V2", NAMES)
        assert graphscope.load(spelling).encoding == "text"
    alone = graphscope.load(tmp_path / "alone.pbtxt")
    assert (alone.kind, alone.encoding) == (ModelKind.META_GRAPH, "text")
    original = graphscope.load(SOFTMAX / "model.ckpt-6000.meta").graph
    assert [(n.name, n.op) for n in alone.graph] == [(n.name, n.op) for n in original]


def test_a_meta_graph_under_another_name(tmp_path: Path) -> None:
    shutil.copyfile(SOFTMAX / "model.ckpt-6000.meta", tmp_path / "graph.bin")
    assert opened(tmp_path / "graph.bin")[:2] == (str(tmp_path / "graph.bin"), ModelKind.META_GRAPH)


# V1


def test_v1_in_one_file(tmp_path: Path) -> None:
    single = str(FIXTURES / "softmax" / "v1" / "model.ckpt-6000")
    for spelling in (single, single + ".meta", str(Path(single).parent), str(Path(single).with_name("checkpoint"))):
        assert opened(spelling) == (single, ModelKind.META_CHECKPOINT, "V1", NAMES)
    for name in ("plain", "slim.ckpt", "odd.pb"):  # without meta graph and state file, as TF-Slim released them
        directory = tmp_path / name
        directory.mkdir()
        shutil.copyfile(single, directory / name)
        for spelling in (directory / name, directory):
            assert opened(spelling) == (str(directory / name), ModelKind.CHECKPOINT, "V1", NAMES)


def test_v1_in_shards(tmp_path: Path) -> None:
    single = FIXTURES / "softmax" / "v1" / "model.ckpt-6000"
    shutil.copyfile(single, tmp_path / "export-00000-of-00001")
    spellings = ["export", "export-00000-of-00001", "export-?????-of-00001", ""]
    expected = (str(tmp_path / "export"), ModelKind.CHECKPOINT, "V1", NAMES)
    for spelling in spellings:
        assert opened(tmp_path / spelling) == expected, spelling
    shutil.copyfile(f"{single}.meta", tmp_path / "export.meta")
    for spelling in (*spellings, "export.meta"):
        assert opened(tmp_path / spelling) == (expected[0], ModelKind.META_CHECKPOINT, *expected[2:]), spelling


def test_sharded_v1_of_a_saver(tmp_path: Path) -> None:
    """The state file names it ``model-3-?????-of-00002``, and so does ``Saver.save``."""
    tf = pytest.importorskip("tensorflow", reason="TensorFlow writes the checkpoint")
    v1 = tf.compat.v1
    with tf.Graph().as_default():
        for number in range(2):
            with tf.device(f"/cpu:{number}"):
                v1.get_variable(f"v{number}", initializer=[1.0 + number])
        saver = v1.train.Saver(sharded=True, write_version=v1.train.SaverDef.V1)
        with v1.Session(config=v1.ConfigProto(device_count={"CPU": 2})) as session:
            session.run(v1.global_variables_initializer())
            saver.save(session, f"{tmp_path}/model", global_step=2)
            named = saver.save(session, f"{tmp_path}/model", global_step=3)
    assert named.endswith("model-3-?????-of-00002")
    prefix = str(tmp_path / "model-3")
    names = ["", "checkpoint", "model-3", "model-3.meta", "model-3-00001-of-00002", "model-3-?????-of-00002"]
    for name in names:
        model = graphscope.load(tmp_path / name)
        assert (model.path, model.store_version, model.notes) == (prefix, "V1", ()), name
        assert [model.value(model.variable(f"v{n}")).numpy().tolist() for n in range(2)] == [[1.0], [2.0]]
    assert read_state(tmp_path / "checkpoint").prefixes == (prefix, str(tmp_path / "model-2"))


# Directories


def test_several_checkpoints_and_no_state_file(tmp_path: Path) -> None:
    """The latest is the one with the highest step, whatever was copied last."""
    for step, name in ((5400, "model.ckpt-999"), (6000, "model.ckpt-12000"), (5700, "model.ckpt-2000")):
        checkpoint(tmp_path / name, step)
        os.utime(tmp_path / f"{name}.index", (2e9 - step, 2e9 - step))
    model = graphscope.load(tmp_path)
    latest = str(tmp_path / "model.ckpt-12000")
    assert model.path == latest
    assert model.notes == (f"3 checkpoints in {tmp_path}: using the latest, {latest}",)


def test_without_step_numbers_the_time_of_change_counts(tmp_path: Path) -> None:
    for age, name in enumerate(("b", "a", "c")):
        checkpoint(tmp_path / name)
        for suffix in MEMBERS:
            os.utime(f"{tmp_path / name}{suffix}", (1e9 - age, 1e9 - age))
    assert graphscope.load(tmp_path).path == str(tmp_path / "b")


def test_what_is_no_file_is_passed_over(tmp_path: Path) -> None:
    checkpoint(tmp_path / "m-1")
    (tmp_path / "m-3.index").symlink_to(tmp_path / "gone")
    (tmp_path / "m-2.meta").mkdir()
    assert graphscope.load(tmp_path).path == str(tmp_path / "m-1")


def test_a_directory_beside_a_prefix_of_its_name(tmp_path: Path) -> None:
    (tmp_path / "model" / "logs").mkdir(parents=True)
    with pytest.raises(FileError, match="no model in this directory"):
        graphscope.load(tmp_path / "model")
    prefix = checkpoint(tmp_path / "model")
    assert opened(prefix)[0] == prefix
    with pytest.raises(FileError, match="no model in this directory"):
        graphscope.load(prefix + "/")
    checkpoint(tmp_path / "model" / "inner")
    assert opened(prefix)[0] == str(tmp_path / "model" / "inner")


def test_a_directory_with_one_graph(tmp_path: Path) -> None:
    shutil.copyfile(SOFTMAX / "frozen.pb", tmp_path / "frozen.pb")
    (tmp_path / "notes.txt").write_text("notes")
    assert opened(tmp_path)[:2] == (str(tmp_path / "frozen.pb"), ModelKind.GRAPH)
    shutil.copyfile(SOFTMAX / "graph.pbtxt", tmp_path / "graph.pbtxt")
    with pytest.raises(FileError, match=r"2 graph files, but no checkpoint: frozen\.pb, graph\.pbtxt") as caught:
        graphscope.load(tmp_path)
    assert to_words(caught.value.hint) == "name one of them"


def test_numbered_saved_models(tmp_path: Path) -> None:
    for number in ("9", "10", "old"):
        shutil.copytree(FIXTURES / "lenet5" / "saved_model", tmp_path / number)
    with pytest.raises(FileError, match="no model here, but 3 below it") as caught:
        graphscope.load(tmp_path)
    assert to_words(caught.value.hint) == f"graphscope info {tmp_path / '10'}"


def test_an_empty_directory(tmp_path: Path) -> None:
    with pytest.raises(FileError, match="no model in this directory: no checkpoint, graph or SavedModel"):
        graphscope.load(tmp_path)


# Graphs


def test_graphs_under_any_name(tmp_path: Path) -> None:
    for source, encoding in (("frozen.pb", "binary"), ("graph.pbtxt", "text")):
        for name in ("graph.pb", "graph.pbtxt", "graph", "graph.data", "graph.ckpt"):
            path = tmp_path / name
            shutil.copyfile(SOFTMAX / source, path)
            model = graphscope.load(path)
            assert (model.path, model.kind, model.encoding) == (str(path), ModelKind.GRAPH, encoding)


@pytest.mark.parametrize("name", ["Ж🙂", "bell\x07", "[red]x[/red]", "a b", "_x", "x" * 900])
def test_graphs_whose_names_no_tensorflow_would_take(tmp_path: Path, name: str) -> None:
    graph = graphscope.load(SOFTMAX / "frozen.pb").graph
    header = type(graph.header)()
    header.node.add(name=name, op="Const")
    (tmp_path / "g.pb").write_bytes(header.SerializeToString())
    assert [n.name for n in graphscope.load(tmp_path / "g.pb").graph] == [name]


# SavedModels


def test_saved_models(tmp_path: Path) -> None:
    directory = tmp_path / "saved"
    shutil.copytree(FIXTURES / "lenet5" / "saved_model", directory)
    expected = opened(directory)
    assert expected[:3] == (str(directory), ModelKind.SAVED_MODEL, "V2")
    assert len(expected[3]) == 10
    assert opened(f"{directory}/") == opened(directory / "saved_model.pb") == expected
    (directory / "saved_model.pb").rename(directory / "renamed.pb")
    assert opened(directory / "renamed.pb") == (str(directory / "renamed.pb"), *expected[1:])
    with pytest.raises(UnknownNameError, match="gpu,serve") as caught:
        graphscope.load(directory / "renamed.pb", tags=["serve", "gpu"])
    assert caught.value.hint is not None
    assert to_words(caught.value.hint).endswith("has: --tags serve")


def test_variables_of_a_saved_model_by_themselves() -> None:
    prefix = FIXTURES / "lenet5" / "saved_model" / "variables" / "variables"
    assert opened(prefix)[:3] == opened(prefix.parent)[:3] == (str(prefix), ModelKind.CHECKPOINT, "V2")


def test_a_frozen_graph_called_saved_model(tmp_path: Path) -> None:
    path = tmp_path / "saved_model.pb"
    shutil.copyfile(SOFTMAX / "frozen.pb", path)
    assert opened(path)[:2] == (str(path), ModelKind.GRAPH)
    with pytest.raises(CorruptFileError, match="a GraphDef, where a SavedModel was expected") as caught:
        graphscope.load(tmp_path)
    assert to_words(caught.value.hint) == f"rename it: mv {path} graph.pb"


@needs_zoo
def test_saved_models_of_the_zoo() -> None:
    files = [p for name in ("saved_model.pb", "saved_model.pbtxt") for p in (ZOO / "saved_model").rglob(name)]
    assert len(files) > 20
    for path in files:
        assert opened(path) == opened(path.parent)
        assert opened(path)[:2] == (str(path.parent), ModelKind.SAVED_MODEL)


# Nothing there


def test_nothing_there(tmp_path: Path) -> None:
    prefix = checkpoint(tmp_path / "model.ckpt-6000")
    with pytest.raises(FileError, match="no such file, directory or checkpoint prefix") as caught:
        graphscope.load(tmp_path / "model.ckpt-600")
    assert caught.value.hint is not None
    assert to_words(caught.value.hint).startswith("closest: ")
    assert f"{prefix}.index" in to_words(caught.value.hint)
    with pytest.raises(FileError, match=f"there is no directory {tmp_path / 'gone'}"):
        graphscope.load(tmp_path / "gone" / "model")
    with pytest.raises(FileError, match="no such file") as caught:
        graphscope.load(tmp_path / "completely different")
    assert to_words(caught.value.hint) == f"ls {tmp_path}"


@pytest.mark.parametrize("path", ["", " ", "\0", "x" * 300, "/dev/null/x", "a\nb"])
def test_paths_that_cannot_be(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, path: str) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(FileError):
        graphscope.load(path)


def test_a_path_below_a_file() -> None:
    with pytest.raises(FileError, match="there is no directory"):
        graphscope.load(SOFTMAX / "frozen.pb" / "x")


def test_the_error_is_one_of_the_file_system(tmp_path: Path) -> None:
    (tmp_path / "loop").symlink_to(tmp_path / "loop")
    with pytest.raises(FileError, match="loop"):
        graphscope.load(tmp_path / "loop")


@pytest.mark.skipif(not hasattr(os, "geteuid") or os.geteuid() == 0, reason="root may read everything")
def test_a_file_that_may_not_be_read(tmp_path: Path) -> None:
    path = tmp_path / "graph.pb"
    shutil.copyfile(SOFTMAX / "frozen.pb", path)
    path.chmod(0)
    with pytest.raises(FileError, match=r"graph\.pb: Permission denied"):
        graphscope.load(path)
    path.chmod(0o600)
    tmp_path.chmod(0)
    try:
        for place in (path, tmp_path, tmp_path / "model"):
            with pytest.raises(FileError, match="Permission denied"):
                graphscope.load(place)
    finally:
        tmp_path.chmod(0o700)


def refused(*_: Any, **__: Any) -> Any:
    raise PermissionError(13, "Permission denied")


def test_a_refusal_of_the_system(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The same for root, who may do everything."""
    shutil.copyfile(SOFTMAX / "frozen.pb", tmp_path / "graph.pb")
    for owner, name in ((os, "stat"), (Path, "iterdir"), (os, "fstat")):
        with monkeypatch.context() as patch:
            patch.setattr(owner, name, refused)
            with pytest.raises(FileError, match="Permission denied"):
                graphscope.load(tmp_path / "graph.pb" if name != "iterdir" else tmp_path)


def test_what_it_is_is_found_without_reading_it_all(tmp_path: Path) -> None:
    """A sparse file of 8 GB, with a node in front."""
    path = tmp_path / "huge.pb"
    shutil.copyfile(SOFTMAX / "frozen.pb", path)
    os.truncate(path, 8 << 30)
    location = locate(path)
    assert isinstance(location, GraphFile)
    with pytest.raises(CorruptFileError, match="not a field tag"):
        graphscope.load(path)


def test_a_text_that_is_no_graph(tmp_path: Path) -> None:
    (tmp_path / "x.pbtxt").write_text("item { id: 1 name: 'person' }")
    with pytest.raises(NotTensorFlowError, match="a label map"):
        graphscope.load(tmp_path / "x.pbtxt")


WRITTEN = [
    'model_checkpoint_path: "m-2"\nall_model_checkpoint_paths: "m-1"\nall_model_checkpoint_paths: "m-2"\n',
    'all_model_checkpoint_paths: "m-1"\nmodel_checkpoint_path: "m-2"',
    'model_checkpoint_path: "m-2"\r\nall_model_checkpoint_paths: "m-1"\r\n',
    'model_checkpoint_path: "m-2" all_model_checkpoint_paths: "m-1"\n',
    "model_checkpoint_path: 'm-2'\n# all_model_checkpoint_paths: \"m-1\"\n",
    'model_checkpoint_path: "a\\"b\\303\\251"\nall_model_checkpoint_paths: "C:\\\\m\\\\m-1"\n',
    'model_checkpoint_path: "é"\n',
    'model_checkpoint_path: "it\'s #1"\n\nall_model_checkpoint_paths: ""\n',
    'model_checkpoint_path: "m-2"\nall_model_checkpoint_timestamps: 1606464853.25\nlast_preserved_timestamp: 16.5e8\n',
    "all_model_checkpoint_timestamps: 1606464853\nlast_preserved_timestamp: 1.5\n",
    'model_checkpoint_path: "m-2"\nwritten_by: "hand"\n',
    'model_checkpoint_path: ""\nall_model_checkpoint_paths: "m-1"\n',
    "",
    "\n",
    'model_checkpoint_path: "m-1"\nmodel_checkpoint_path: "m-2"\n',
    "last_preserved_timestamp: 1\nlast_preserved_timestamp: 2\n",
    'last_preserved_timestamp: "1"\n',
    "model_checkpoint_path: 1\n",
    "all_model_checkpoint_timestamps: 1.2.3\n",
    'model_checkpoint_path: "m-2"\nall_model_checkpoint_paths: "m-1\n',
    'model_checkpoint_path "m-2"\n',
]


@pytest.mark.parametrize("text", WRITTEN)
def test_state_files_are_read_as_protobuf_reads_them(text: str, tmp_path: Path) -> None:
    path = tmp_path / "checkpoint"
    path.write_bytes(text.encode())
    try:
        stated = text_format.Parse(text, CheckpointState(), allow_unknown_field=True)
    except text_format.ParseError:
        with pytest.raises(CorruptFileError, match="not a checkpoint state file"):
            read_state(path)
        return
    latest = [stated.model_checkpoint_path] if stated.model_checkpoint_path else []
    expected = dict.fromkeys([*latest, *reversed(stated.all_model_checkpoint_paths)])
    assert read_state(path).prefixes == tuple(expected)
