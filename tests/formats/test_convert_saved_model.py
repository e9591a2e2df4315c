"""Writing SavedModels: TensorFlow loads them, by sessions and by signatures, and they compute what the original computes."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from graphscope import convert
from graphscope.cli.terminal.wording import to_words
from graphscope.core.changes.build import constant, make_node, type_attr
from graphscope.core.graph import Graph
from graphscope.core.model import Model, ModelKind
from graphscope.core.tensors import TensorSpec
from graphscope.core.values.dtypes import DataType
from graphscope.core.values.payload import ArrayPayload, Payload
from graphscope.errors import CorruptFileError, FileError, IncompleteModelError, UnknownNameError, UnsupportedError
from graphscope.formats import load
from graphscope.formats.savedmodel import writer
from graphscope.formats.savedmodel.initializers import with_main_op
from graphscope.formats.savedmodel.writer import argument_names, signature, tensor_info, write_saved_model
from graphscope.protos import AssetFileDef, GraphDef, MetaGraphDef
from tests.support.converting import MODELS, Fixture, by_tf1, by_tf2, restored, session, tf1, variable_values
from tests.support.fixture_files import FIXTURES
from tests.support.payloads import MemoryStore, contents, variables_model
from tests.support.saving import Array, assert_equal, tf
from tests.support.zoo_files import ZOO, needs_zoo

FLOATS = np.array([1, 2], np.float32)


def written(model: Model, directory: Path, inputs: list[TensorSpec], outputs: list[TensorSpec], **options: Any) -> Path:
    """``directory``, now a SavedModel; what the writer says of its size is so."""
    size = write_saved_model(model, directory, inputs=inputs, outputs=outputs, **options)
    assert size == sum(map(len, contents(directory).values()))
    return directory


def assert_computes(directory: Path, fixture: Fixture, expected: Array) -> None:
    """By a session and by the signature, to the bit."""
    assert_equal(by_tf1(directory, fixture.output, fixture.feeds), expected, "session")
    arguments = {name[:-2]: value for name, value in fixture.feeds.items()}
    [found] = by_tf2(directory, arguments).values()
    assert_equal(found, expected, "signature")


@pytest.mark.parametrize("name", MODELS)
def test_fixtures(tmp_path: Path, name: str) -> None:
    fixture = Fixture(name)
    model = load(fixture.prefix)
    directory = written(model, tmp_path / "saved", *fixture.specs(model))
    expected = restored(fixture.prefix + ".meta", fixture.prefix, fixture.output, fixture.feeds)
    assert_computes(directory, fixture, expected)
    assert variable_values(str(directory / "variables/variables")).keys() == variable_values(fixture.prefix).keys()
    assert load(directory).tag_sets == (frozenset({"serve"}),)


@pytest.mark.parametrize("name", ["lenet5", "partitioned", "batchnorm", "batchnorm_resource"])
def test_a_saver_is_added_where_there_is_none(tmp_path: Path, name: str) -> None:
    """Also under the name that the one taken away still occupies; it saves, too."""
    fixture = Fixture(name)
    model = load(fixture.prefix)
    meta = MetaGraphDef()
    meta.CopyFrom(model.meta)
    meta.ClearField("saver_def")
    bare = model.replace(meta=meta)
    directory = written(bare, tmp_path / "saved", *fixture.specs(model))
    expected = restored(fixture.prefix + ".meta", fixture.prefix, fixture.output, fixture.feeds)
    assert_computes(directory, fixture, expected)
    with session() as running:
        loaded = tf1.saved_model.load(running, ["serve"], str(directory))
        saver = tf1.train.Saver(saver_def=loaded.saver_def)
        saver.save(running, str(tmp_path / "again"), write_meta_graph=False)
    before, after = variable_values(fixture.prefix), variable_values(str(tmp_path / "again"))
    assert after.keys() <= before.keys()
    if name != "partitioned":  # TensorFlow joins what was saved in slices
        assert after.keys() == before.keys()
    for key, value in after.items():
        assert_equal(value, before[key], key)


def test_a_text_graph_with_a_checkpoint(tmp_path: Path) -> None:
    """It has neither collections nor a saver."""
    fixture = Fixture("softmax")
    values = load(fixture.prefix)
    model = load(FIXTURES / "softmax" / "graph.pbtxt").replace(store=values.store, store_version="V2")
    directory = written(model, tmp_path / "saved", *fixture.specs(values))
    expected = restored(fixture.prefix + ".meta", fixture.prefix, fixture.output, fixture.feeds)
    assert_computes(directory, fixture, expected)


def test_a_frozen_graph(tmp_path: Path) -> None:
    fixture = Fixture("lenet5")
    model = load(FIXTURES / "lenet5" / "frozen.pb")
    directory = written(model, tmp_path / "saved", *fixture.specs(model), tags=["serve", "gpu"])
    assert contents(directory).keys() == {"saved_model.pb"}
    with session() as running:
        graph = tf1.GraphDef.FromString((FIXTURES / "lenet5" / "frozen.pb").read_bytes())
        tf1.import_graph_def(graph, name="")
        expected = running.run(fixture.output, fixture.feeds)
    with session() as running:
        tf1.saved_model.load(running, ["gpu", "serve"], str(directory))
        assert_equal(running.run(fixture.output, fixture.feeds), expected, "session")


def test_a_v1_checkpoint(tmp_path: Path) -> None:
    fixture = Fixture("softmax")
    model = load(FIXTURES / "softmax" / "v1")
    directory = written(model, tmp_path / "saved", *fixture.specs(model))
    assert_computes(
        directory, fixture, restored(fixture.prefix + ".meta", fixture.prefix, fixture.output, fixture.feeds)
    )


@needs_zoo
def test_a_v1_checkpoint_with_old_restore_ops(tmp_path: Path) -> None:
    path = ZOO / "v1_ckpt/tegg89+SRCNN-Tensorflow/checkpoint/srcnn_21/SRCNN.model-2550000"
    model = load(path)
    assert "RestoreSlice" in model.graph.ops
    directory = written(model, tmp_path / "saved", [], [])
    names = [f"{v.name}:0" for v in model.variables]
    for name, old, new in zip(names, restored(f"{path}.meta", str(path), names), by_tf1(directory, names), strict=True):
        assert_equal(new, old, name)


# Signatures


def test_a_saved_model_stays_what_it_is(tmp_path: Path) -> None:
    """The author's names for arguments stay; another signature under the same name takes their place."""
    fixture = Fixture("lenet5")
    source = FIXTURES / "lenet5" / "saved_model"
    model = load(source)
    [before] = [s for n, s in model.signatures.items() if n == "serving_default"]
    inputs = [spec for specs in before.inputs.values() for spec in specs]
    outputs = [spec for specs in before.outputs.values() for spec in specs]
    kept = load(written(model, tmp_path / "kept", inputs, outputs))
    assert kept.signatures == model.signatures
    none = load(written(model, tmp_path / "none", [], []))
    assert none.signatures == model.signatures
    logits = TensorSpec("logits:0", DataType.FLOAT, (None, 10))
    other = load(written(model, tmp_path / "other", inputs, [logits]))
    assert [*other.signatures["serving_default"].outputs] == ["logits"]
    arguments = {name: fixture.feeds[specs[0].name] for name, specs in before.inputs.items()}
    expected = by_tf2(source, arguments)
    assert by_tf2(tmp_path / "kept", arguments).keys() == expected.keys()


def test_names_of_arguments() -> None:
    names = ["a/x:0", "b/x:0", "c/y:0", "split:1", "z"]
    specs = [TensorSpec(name, DataType.FLOAT) for name in names]
    assert argument_names(specs) == ["a/x", "b/x", "y", "split_1", "z"]


def test_unknown_output(tmp_path: Path) -> None:
    model = load(Fixture("softmax").prefix)
    with pytest.raises(UnknownNameError, match="inference/prediction"):
        write_saved_model(model, tmp_path / "saved", inputs=[], outputs=[TensorSpec("prediction:0", DataType.FLOAT)])
    assert not list(tmp_path.iterdir())


# Tables and assets


@pytest.fixture
def with_tables(tmp_path: Path) -> Iterator[Path]:
    """A checkpoint whose graph looks words up: in a table from a file, and in one from constants."""
    directory = tmp_path / "trained"
    directory.mkdir()
    vocabulary = directory / "words.txt"
    vocabulary.write_text("zero\none\ntwo\n")
    with session() as running:
        words = tf1.placeholder(tf.string, [None], "words")
        lookup = tf.lookup
        initializer = lookup.TextFileInitializer(
            str(vocabulary), tf.string, lookup.TextFileIndex.WHOLE_LINE, tf.int64, lookup.TextFileIndex.LINE_NUMBER
        )
        numbers = lookup.StaticHashTable(initializer, -1).lookup(words)
        pairs = lookup.KeyValueTensorInitializer(tf.constant([0, 1, 2], tf.int64), tf.constant(["a", "b", "c"]))
        letters = lookup.StaticHashTable(pairs, "?").lookup(numbers)
        weights = tf1.get_variable("weights", initializer=[10.0, 20.0, 30.0], use_resource=True)
        tf.identity(letters, "letters")
        tf.gather(weights, tf.maximum(numbers, 0), name="weighted")
        running.run(tf1.global_variables_initializer())
        tf1.train.Saver().save(running, str(directory / "model"))
    yield directory
    vocabulary.unlink(missing_ok=True)


WORDS = TensorSpec("words:0", DataType.STRING, (None,))
LOOKED_UP = [TensorSpec("letters:0", DataType.STRING, (None,)), TensorSpec("weighted:0", DataType.FLOAT, (None,))]


def assert_looks_up(directory: Path) -> None:
    words = np.array([b"two", b"none", b"one"], object)
    letters, weighted = by_tf1(directory, ["letters:0", "weighted:0"], {"words:0": words})
    assert (letters.tolist(), weighted.tolist()) == ([b"c", b"?", b"b"], [30, 10, 20])
    by_signature = by_tf2(directory, {"words": words})
    assert by_signature["letters"].tolist() == letters.tolist()
    assert by_signature["weighted"].tolist() == weighted.tolist()


def test_tables_and_assets(with_tables: Path, tmp_path: Path) -> None:
    """From a checkpoint, and again from the SavedModel that it became, with the file from which it came gone."""
    first = written(load(with_tables / "model"), tmp_path / "first", [WORDS], LOOKED_UP)
    assert (first / "assets" / "words.txt").read_text() == "zero\none\ntwo\n"
    (with_tables / "words.txt").unlink()
    assert_looks_up(first)
    second = written(load(first), tmp_path / "second", [], [])
    for path in first.rglob("*"):
        if path.is_file():
            path.unlink()
    assert_looks_up(second)


def test_a_table_that_the_checkpoint_fills(tmp_path: Path) -> None:
    """The saver restores it; what it takes for that is no initializer, which would look for a file called ``model``."""
    with session() as running:
        words = tf1.placeholder(tf.string, [None], "words")
        table = tf.lookup.experimental.MutableHashTable(tf.string, tf.float32, 0.0)
        seen = tf.identity(table.lookup(words), "seen")
        tf1.get_variable("weights", [])
        running.run(tf1.global_variables_initializer())
        running.run(table.insert(words, seen + 1), {words: [b"one", b"two"]})
        tf1.train.Saver().save(running, str(tmp_path / "model"))
    fed = np.array([b"two", b"none"], object)
    saved = written(
        load(tmp_path / "model"), tmp_path / "saved", [WORDS], [TensorSpec("seen:0", DataType.FLOAT, (None,))]
    )
    [found] = by_tf1(saved, ["seen:0"], {"words:0": fed})
    assert found.tolist() == [1, 0]


def test_an_asset_beside_the_model(with_tables: Path, tmp_path: Path) -> None:
    """A model that was moved: the path in its graph leads nowhere."""
    moved = with_tables.rename(tmp_path / "moved")
    assert_looks_up(written(load(moved / "model"), tmp_path / "saved", [WORDS], LOOKED_UP))


def test_a_missing_asset(with_tables: Path, tmp_path: Path) -> None:
    (with_tables / "words.txt").unlink()
    with pytest.raises(IncompleteModelError, match=r"words\.txt.*is missing") as error:
        write_saved_model(load(with_tables / "model"), tmp_path / "saved", inputs=[], outputs=[])
    assert to_words(error.value.hint) == f"copy it to {with_tables / 'words.txt'}"
    assert not (tmp_path / "saved").exists()


@pytest.mark.parametrize("name", ["../words.txt", "/etc/hosts", "a/../../b", "..\\words.txt", ""])
def test_an_asset_that_leads_away(with_tables: Path, tmp_path: Path, name: str) -> None:
    first = written(load(with_tables / "model"), tmp_path / "first", [], [])
    model = load(first)
    model.meta.asset_file_def[0].CopyFrom(AssetFileDef(filename=name))
    with pytest.raises(CorruptFileError, match="not a name for an asset"):
        write_saved_model(model, tmp_path / "second", inputs=[], outputs=[])


@needs_zoo
def test_assets_of_old_saved_models(tmp_path: Path) -> None:
    """Two vocabularies, declared in a collection; nothing fills the tables on opening, nor does it now."""
    top = ZOO / "saved_model/tensorflow+tfx/tfx/components/testdata/transform/transform_graph/transform_fn"
    model = load(top)
    directory = written(model, tmp_path / "saved", [], [])
    found = {name: data for name, data in contents(directory).items() if name != "saved_model.pb"}
    assert found == {f"assets/{path.name}": path.read_bytes() for path in (top / "assets").iterdir()}
    finds = [n for n in model.graph if n.op == "LookupTableFindV2"]
    fetches = [f"{n.name}:0" for n in finds]
    feeds = {f"{n.inputs[1]}:0": np.array([[b"Cash"], [b"Flash Cab"], [b"no such"]], object) for n in finds}
    results = [looked_up(place, tag, fetches, feeds) for place, tag in ((top, TRANSFORM), (directory, "serve"))]
    for name, old, new in zip(fetches, *results, strict=True):
        assert_equal(new, old, name)
    assert np.max(results[0]) >= 0


TRANSFORM = "transform"


def looked_up(directory: Path, tag: str, fetches: list[str], feeds: dict[str, Array]) -> list[Array]:
    from tensorflow.python.saved_model.loader_impl import get_asset_tensors

    with session() as running:
        meta = tf1.saved_model.load(running, [tag], str(directory))
        running.run(tf1.tables_initializer(), get_asset_tensors(str(directory), meta))
        found: list[Array] = running.run(fetches, feeds)
        return found


@needs_zoo
def test_extra_assets(tmp_path: Path) -> None:
    top = ZOO / "saved_model/tensorflow+serving/tensorflow_serving/servables/tensorflow/testdata"
    source = top / "saved_model_half_plus_two_mlmd" / "00000123"
    directory = written(load(source), tmp_path / "saved", [], [])
    assert contents(directory)["assets.extra/mlmd_uuid"] == (source / "assets.extra" / "mlmd_uuid").read_bytes()
    assert by_tf1(directory, "y:0", {"x:0": [[1.0], [4.0]]}).tolist() == [[2.5], [4.0]]


# What is refused


def test_more_than_a_message_can_be(tmp_path: Path) -> None:
    class Huge(Payload):
        """Two GiB that nobody may ask for."""

        def chunks(self) -> Iterator[bytes]:
            raise AssertionError("read")

    model = Model("m", ModelKind.GRAPH, "", (), Graph(GraphDef(), [constant("w", Huge(DataType.FLOAT, (1 << 29,)))]))
    with pytest.raises(UnsupportedError, match=r"2,147,48\d,\d{3} bytes") as error:
        write_saved_model(model, tmp_path / "saved", inputs=[], outputs=[])
    assert "checkpoint" in to_words(error.value.hint)
    assert not list(tmp_path.iterdir())


def test_variables_without_values(tmp_path: Path) -> None:
    model = load(Fixture("softmax").prefix)
    some = MemoryStore([("inference/weights", ArrayPayload(np.zeros([784, 10], np.float32)))])
    for store, names in ((None, "inference/weights, inference/biases"), (some, "inference/biases")):
        with pytest.raises(IncompleteModelError, match=f"no checkpoint holds a value of {names}$"):
            write_saved_model(model.replace(store=store), tmp_path / "saved", inputs=[], outputs=[])
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("count", [1, 8, 9])
def test_eight_variables_without_values_are_named(count: int, tmp_path: Path) -> None:
    model = variables_model([(f"v{i}", ArrayPayload(FLOATS)) for i in range(count)])
    names = ", ".join(f"v{i}" for i in range(min(count, 8))) + (", ..." if count == 9 else "")
    with pytest.raises(IncompleteModelError) as error:
        write_saved_model(model.replace(store=None), tmp_path / "saved", inputs=[], outputs=[])
    assert error.value.message == f"m: no checkpoint holds a value of {names}"


def test_a_message_of_exactly_the_largest_size(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    model = Model("m", ModelKind.GRAPH, "", (), Graph(GraphDef(), [constant("w", ArrayPayload(FLOATS))]))
    size = write_saved_model(model, tmp_path / "first", inputs=[], outputs=[])
    for limit, is_refused in ((size, False), (size - 1, True)):
        monkeypatch.setattr(writer, "MAX_MESSAGE_BYTES", limit)
        if is_refused:
            with pytest.raises(UnsupportedError, match=rf"would take {size:,} bytes"):
                write_saved_model(model, tmp_path / "third", inputs=[], outputs=[])
        else:
            assert write_saved_model(model, tmp_path / "second", inputs=[], outputs=[]) == size


def test_what_a_signature_states() -> None:
    graph = Graph(GraphDef(), [make_node("scope/x", "Placeholder"), make_node("y", "Split")])
    specs = [TensorSpec("scope/x:0", DataType.FLOAT, (None, 3)), TensorSpec("y:1", DataType.INT8, None)]
    made = signature(graph, specs, [TensorSpec("y:0", DataType.HALF, ())])
    assert (sorted(made.inputs), sorted(made.outputs)) == (["x", "y_1"], ["y"])
    x, other, out = made.inputs["x"], made.inputs["y_1"], made.outputs["y"]
    assert (x.name, x.dtype, [d.size for d in x.tensor_shape.dim], x.tensor_shape.unknown_rank) == (
        "scope/x:0",
        DataType.FLOAT,
        [-1, 3],
        False,
    )
    assert (other.name, other.dtype, other.tensor_shape.unknown_rank) == ("y:1", DataType.INT8, True)
    assert (out.name, out.tensor_shape.unknown_rank, len(out.tensor_shape.dim)) == ("y:0", False, 0)
    with pytest.raises(UnknownNameError, match="z"):
        tensor_info(graph, TensorSpec("z:0", DataType.FLOAT, None))


def test_an_output_that_needs_a_variable_without_a_value(tmp_path: Path) -> None:
    """A variable that nothing needs may be left without one."""
    model = variables_model([("a", ArrayPayload(FLOATS)), ("b", ArrayPayload(FLOATS))])
    nodes = [*model.graph, *(make_node(f"{n}/read", "Identity", [n], {"T": type_attr(DataType.FLOAT)}) for n in "ab")]
    model = model.replace(loaded_graph=model.graph.with_nodes(nodes), store=MemoryStore([("a", ArrayPayload(FLOATS))]))
    outputs = {n: [TensorSpec(f"{n}/read:0", DataType.FLOAT, (2,))] for n in "ab"}
    with pytest.raises(IncompleteModelError, match="holds a value of b"):
        write_saved_model(model, tmp_path / "saved", inputs=[], outputs=outputs["b"])
    directory = written(model, tmp_path / "saved", [], outputs["a"])
    assert by_tf1(directory, "a/read:0").tolist() == [1, 2]


def test_what_is_replaced(tmp_path: Path) -> None:
    model, target = variables_model([("w", ArrayPayload(FLOATS))]), tmp_path / "saved"

    def write(overwrite: bool = True) -> None:
        written(model, target, [], [], overwrite=overwrite)

    target.mkdir()
    write(overwrite=False)  # an empty directory
    write()
    before = contents(target)
    (target / "notes.txt").write_text("mine")
    with pytest.raises(FileError, match=r"holds notes\.txt, which is not part of a SavedModel"):
        write()
    (target / "saved_model.pb").unlink()
    with pytest.raises(FileError, match="holds no SavedModel"):
        write()
    assert contents(target).keys() == {"notes.txt", *before} - {"saved_model.pb"}
    with pytest.raises(FileError, match="a file, but a directory"):
        written(model, target / "notes.txt", [], [], overwrite=True)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["saved"]


def test_over_itself(tmp_path: Path) -> None:
    """The source is read before it is replaced; a symbolic link stays one."""
    fixture = Fixture("softmax")
    model = load(fixture.prefix)
    written(model, tmp_path / "saved", *fixture.specs(model))
    before = contents(tmp_path / "saved")
    (tmp_path / "link").symlink_to("saved")
    write_saved_model(load(tmp_path / "link"), tmp_path / "link", inputs=[], outputs=[], overwrite=True)
    assert (tmp_path / "link").is_symlink()
    after = contents(tmp_path / "saved")
    assert after.keys() == before.keys()
    assert all(after[name] == before[name] for name in before if name != "saved_model.pb")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["link", "saved"]


def test_what_fills_the_tables() -> None:
    """What the collection lists, which may be calls of functions; without one, every op that fills a table."""
    nodes = [
        make_node("call", "PartitionedCall"),
        make_node("fill", "InitializeTableV2"),
        make_node("init_all_tables", "NoOp"),
    ]
    model = Model("m", ModelKind.META_GRAPH, "", (), Graph(GraphDef(), nodes))
    for listed, expected in ((["call"], ["^call"]), ([], ["^fill"])):
        model.meta.collection_def["table_initializer"].node_list.value[:] = listed
        meta = MetaGraphDef()
        graph = with_main_op(model.replace(), model.graph, meta)
        [name] = meta.collection_def["saved_model_main_op"].node_list.value
        assert (name, list(graph[name].inputs)) == ("init_all_tables_1", expected)
        assert with_main_op(model, graph, meta) is graph


def test_a_variable_without_a_value_is_refused_where_the_outputs_need_it(tmp_path: Path) -> None:
    """A local variable is in no checkpoint, and nothing runs its initializer when a SavedModel is loaded."""
    with tf.Graph().as_default(), tf.compat.v1.Session() as session:
        x = tf.compat.v1.placeholder(tf.float32, [None, 3], "x")
        weight = tf.compat.v1.get_variable("w", [3])
        local = tf.compat.v1.get_variable("local", [3], collections=[tf.compat.v1.GraphKeys.LOCAL_VARIABLES])
        tf.multiply(x, weight, name="good")
        tf.multiply(x, local, name="bad")
        session.run(tf.compat.v1.global_variables_initializer())
        tf.compat.v1.train.Saver().save(session, str(tmp_path / "m"))
    convert(tmp_path / "m", f"{tmp_path}/good/", outputs=["good"])
    with pytest.raises(IncompleteModelError, match=r"no value for variable local \(local\)"):
        convert(tmp_path / "m", f"{tmp_path}/bad/", outputs=["bad"])
    assert not (tmp_path / "bad").exists()


def test_a_local_variable_that_the_model_initializes_itself_is_none_of_these(tmp_path: Path) -> None:
    v1 = tf.compat.v1
    with tf.Graph().as_default(), v1.Session() as session:
        x = v1.placeholder(tf.float32, [None, 3], "x")
        local = v1.get_variable(
            "local", [3], initializer=v1.ones_initializer(), collections=[v1.GraphKeys.LOCAL_VARIABLES]
        )
        tf.multiply(x, local * v1.get_variable("w", [3], initializer=v1.ones_initializer()), name="out")
        session.run([v1.global_variables_initializer(), v1.local_variables_initializer()])
        builder = v1.saved_model.Builder(str(tmp_path / "author"))
        builder.add_meta_graph_and_variables(session, ["serve"], main_op=v1.local_variables_initializer())
        builder.save()
    convert(tmp_path / "author", f"{tmp_path}/mine/", outputs=["out"])
    with tf.Graph().as_default(), v1.Session() as session:
        v1.saved_model.load(session, ["serve"], str(tmp_path / "mine"))
        assert session.run("out:0", {"x:0": [[1.0, 2.0, 3.0]]}).tolist() == [[1.0, 2.0, 3.0]]
