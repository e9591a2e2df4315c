"""Files that TensorFlow reads are read, however they are written; parts of models and other messages are named."""

from __future__ import annotations

import shutil
from pathlib import Path

import numpy as np
import pytest

import graphscope
from graphscope.cli.terminal.wording import to_words
from graphscope.core.model import ModelKind
from graphscope.errors import FormatError, GraphscopeError, IncompleteModelError, NotTensorFlowError
from graphscope.formats.archives.npz import NpzStore
from graphscope.formats.checkpoint.weight_exchange import weights_into_checkpoint
from graphscope.formats.detect.neighbours import TEXTS
from graphscope.protos import GraphDef, MetaGraphDef, SavedModel
from tests.support.copies import MEMBERS, NAMES, checkpoint, state
from tests.support.fixture_files import FIXTURES
from tests.support.invoked import code_of
from tests.support.zoo_files import ZOO2, needs_zoo2

GRAPH = "node { name: 'a' op: 'NoOp' }\n"


def meta_graph(node: str, *tags: str) -> MetaGraphDef:
    meta = MetaGraphDef()
    meta.meta_info_def.tags.extend(tags)
    meta.graph_def.node.add(name=node, op="NoOp")
    return meta


# A SavedModel without a schema version


@pytest.mark.parametrize("is_text", [False, True])
@pytest.mark.parametrize("version", [0, 1])
@pytest.mark.parametrize(
    ("given", "wanted", "expected"),
    [
        ([()], (), "n0"),
        ([(), ("train",)], (), "n0"),
        ([("train",), ()], (), "n1"),
        ([(), ("serve",)], (), "n1"),
        ([(), ("train",)], ("train",), "n1"),
    ],
)
def test_hub_modules(
    tmp_path: Path,
    is_text: bool,
    version: int,
    given: list[tuple[str, ...]],
    wanted: tuple[str, ...],
    expected: str,
) -> None:
    message = SavedModel(saved_model_schema_version=version)
    message.meta_graphs.extend(meta_graph(f"n{i}", *tags) for i, tags in enumerate(given))
    if is_text:
        (tmp_path / "saved_model.pbtxt").write_text(str(message))
    else:
        (tmp_path / "saved_model.pb").write_bytes(message.SerializeToString())
    model = graphscope.load(tmp_path, tags=wanted)
    assert (model.kind, [n.name for n in model.graph.nodes]) == (ModelKind.SAVED_MODEL, [expected])


@pytest.mark.parametrize("message", [GraphDef, MetaGraphDef])
def test_a_graph_that_begins_with_its_second_field_is_no_saved_model(tmp_path: Path, message: type) -> None:
    made = message()
    graph = made.graph_def if message is MetaGraphDef else made
    function = graph.library.function.add()
    function.signature.name = "f"
    (tmp_path / "x.pb").write_bytes(made.SerializeToString())
    assert graphscope.load(tmp_path / "x.pb").kind is (
        ModelKind.META_GRAPH if message is MetaGraphDef else ModelKind.GRAPH
    )


# Long names, long comments


@pytest.mark.parametrize("size", [1, (1 << 16) - 1, 1 << 16, (1 << 16) + 1, 200_000])
@pytest.mark.parametrize("kind", ["graph", "meta", "saved"])
def test_long_names(tmp_path: Path, size: int, kind: str) -> None:
    meta = meta_graph("n" * size)
    message = {"graph": meta.graph_def, "meta": meta, "saved": SavedModel(meta_graphs=[meta])}[kind]
    (tmp_path / "x.pb").write_bytes(message.SerializeToString())
    assert [len(n.name) for n in graphscope.load(tmp_path / "x.pb").graph.nodes] == [size]


LEADING = {
    "one long comment": "#" + "x" * 200_000 + "\n",
    "many comments": "# a licence: { } node {\n" * 20_000,
    "carriage returns": "# a line\r\n\r\n" * 20_000,
    "blank lines": "\n" * 200_000,
    "spaces": " " * 200_000,
    "a comment to the edge of a block": "#" + "x" * ((1 << 16) - 2) + "\n",
    "a comment over the edge of a block": "#" + "x" * ((1 << 16) - 1) + "\n",
    "a comment up to the edge of a block": "#" + "x" * ((1 << 16) - 1),
}


@pytest.mark.parametrize("mark", ["", "\ufeff"])
@pytest.mark.parametrize("name", LEADING)
def test_what_comes_before_the_first_field(tmp_path: Path, name: str, mark: str) -> None:
    path = tmp_path / "x.pbtxt"
    path.write_bytes((mark + LEADING[name] + "\n" + GRAPH).encode())
    assert [n.name for n in graphscope.load(path).graph.nodes] == ["a"]


def test_a_comment_without_anything_else(tmp_path: Path) -> None:
    (tmp_path / "x.pbtxt").write_text("# nothing" * 20_000)
    with pytest.raises(NotTensorFlowError):
        graphscope.load(tmp_path / "x.pbtxt")


# Parts of a SavedModel

PARTS = ("keras_metadata.pb", "fingerprint.pb", "tfhub_module.pb")


@pytest.mark.parametrize("name", [*PARTS, "assets/vocab.txt", "assets.extra/a/b.bin"])
@pytest.mark.parametrize("content", [b"\x08\x01", b"\x0a\x06\x0a\x00\x12\x00\x1a\x00"])
def test_parts_of_a_saved_model(tmp_path: Path, name: str, content: bytes) -> None:
    (tmp_path / "saved_model.pb").write_bytes(SavedModel(meta_graphs=[meta_graph("a")]).SerializeToString())
    path = tmp_path / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content)
    with pytest.raises(NotTensorFlowError, match="not a model by itself") as caught:
        graphscope.load(path)
    assert to_words(caught.value.hint) == f"name the directory: graphscope info {tmp_path}"


def test_a_graph_among_the_assets_opens(tmp_path: Path) -> None:
    (tmp_path / "saved_model.pb").write_bytes(SavedModel(meta_graphs=[meta_graph("a")]).SerializeToString())
    (tmp_path / "assets").mkdir()
    (tmp_path / "assets" / "other.pb").write_bytes(meta_graph("b").graph_def.SerializeToString())
    assert [n.name for n in graphscope.load(tmp_path / "assets" / "other.pb").graph.nodes] == ["b"]


def test_variables_of_a_saved_model_say_where_the_graph_is(tmp_path: Path) -> None:
    (tmp_path / "saved_model.pb").write_bytes(SavedModel(meta_graphs=[meta_graph("a")]).SerializeToString())
    (tmp_path / "variables").mkdir()
    checkpoint(tmp_path / "variables" / "variables", members=MEMBERS[1:])
    [note] = graphscope.load(tmp_path / "variables" / "variables.index").notes
    assert note == f"these are the variables of the SavedModel {tmp_path}; name that directory to see its graph"


@pytest.mark.parametrize("field", TEXTS)
def test_other_messages_in_text_are_named(tmp_path: Path, field: str) -> None:
    path = tmp_path / "x.pbtxt"
    path.write_text(f"# a comment\n{field} {{ id: 1 }}\n")
    with pytest.raises(NotTensorFlowError, match=f"this is {TEXTS[field][0].split('(')[0]}") as caught:
        graphscope.load(path)
    assert to_words(caught.value.hint) == to_words(TEXTS[field][1])


# Absent data


@needs_zoo2
@pytest.mark.parametrize("name", ["times_three_float", "model_multi_output"])
@pytest.mark.parametrize("absent", ["data-00000-of-00001", "index"])
def test_a_saved_model_of_objects_without_its_values(tmp_path: Path, name: str, absent: str) -> None:
    whole = ZOO2 / "tensorflow+tfjs" / "tfjs-node" / "test_objects" / "saved_model" / name
    place = Path(shutil.copytree(whole, tmp_path / "model", copy_function=shutil.copyfile))
    (place / "variables" / f"variables.{absent}").unlink()
    model, expected = graphscope.load(place), graphscope.load(whole)
    assert [Path(f.path).name for f in model.files if f.size_bytes is None] == [f"variables.{absent}"]
    assert {v.name for v in expected.variables if v.in_graph} == {v.name for v in model.variables if v.in_graph}
    if absent != "index":
        keys = {v.name: v.key for v in expected.variables if v.in_graph}
        assert {v.name: v.key for v in model.variables if v.in_graph} == keys
        [variable] = [v for v in model.variables if v.in_graph][:1]
        with pytest.raises(IncompleteModelError, match=r"variables\.data-00000-of-00001, which is missing"):
            model.fitting_value(variable).numpy()
    for command in ("info", "nodes", "vars"):
        assert code_of(command, place) == 0
    assert code_of("freeze", place, "-o", tmp_path / "x.pb") == 1
    assert not (tmp_path / "x.pb").exists()


# Archives


def archive(path: Path, names: list[str]) -> NpzStore:
    arrays = {v.name: v for v in graphscope.load(FIXTURES / "softmax").variables}
    np.savez(path, **{n: np.ones(arrays[b].shape, "f4") for n, b in zip(names, NAMES, strict=True)})
    return NpzStore(path)


@pytest.mark.parametrize("suffix", ["", ":0", ".npy", ":0.npy"])
def test_names_of_an_archive(tmp_path: Path, suffix: str) -> None:
    given = archive(tmp_path / "w.npz", [name + suffix for name in NAMES])
    weights_into_checkpoint(graphscope.load(FIXTURES / "softmax"), given, str(tmp_path / "m"))
    model = graphscope.load(tmp_path / "m")
    assert all(np.all(model.value(model.variable(name)).numpy() == 1) for name in NAMES)


def test_names_of_an_archive_that_fit_twice(tmp_path: Path) -> None:
    """The one that is spelled as in the graph counts, and the other is unknown."""
    arrays = {
        v.name: np.ones(v.shape, "f4") for v in graphscope.load(FIXTURES / "softmax").variables if v.name in NAMES
    }
    np.savez(tmp_path / "w.npz", **arrays, **{f"{name}:0": array for name, array in arrays.items()})
    with pytest.raises(FormatError, match=f"not in the graph: {NAMES[0]}:0"):
        weights_into_checkpoint(
            graphscope.load(FIXTURES / "softmax"), NpzStore(tmp_path / "w.npz"), str(tmp_path / "m")
        )


# Which files a state file may lead to


@pytest.mark.parametrize("spelled", ["absolute", "relative", "of a link", "in the list"])
def test_the_copy_is_opened_and_not_the_original(tmp_path: Path, spelled: str) -> None:
    original, copy = tmp_path / "original", tmp_path / "copy"
    for directory in (original, copy):
        directory.mkdir()
    checkpoint(original / "model.ckpt-6000", 6000)
    checkpoint(copy / "model.ckpt-6000", 5700)
    (tmp_path / "link").symlink_to(original)
    named = {
        "absolute": [f"{original}/model.ckpt-6000"],
        "relative": ["../original/model.ckpt-6000"],
        "of a link": [f"{tmp_path}/link/model.ckpt-6000"],
        "in the list": ["gone", f"{original}/model.ckpt-6000"],
    }[spelled]
    model = graphscope.load(state(copy, *named).parent)
    assert (model.path, model.warnings) == (str(copy / "model.ckpt-6000"), ())


@pytest.mark.parametrize("spelled", ["absolute", "relative", "a link within"])
def test_what_is_opened_elsewhere_is_said(tmp_path: Path, spelled: str, capsys: pytest.CaptureFixture[str]) -> None:
    original, here = tmp_path / "original", tmp_path / "here"
    original.mkdir()
    here.mkdir()
    checkpoint(original / "m", 6000)
    named = {"absolute": f"{original}/m", "relative": "../original/m", "a link within": "below/m"}[spelled]
    (here / "below").symlink_to(original)
    state(here, named)
    [warning] = graphscope.load(here).warnings
    assert warning == f"{here}/checkpoint leads outside its directory: {original.resolve()}/m.meta and 2 more opened"
    for words in (["info", here], ["vars", here], ["nodes", here], ["info", original / "m.meta", "--checkpoint", here]):
        assert code_of(*words) == 0
        assert f"warning: {warning}" in capsys.readouterr().err


def test_paths_that_cannot_be_are_nowhere(tmp_path: Path) -> None:
    (tmp_path / "checkpoint").write_text('model_checkpoint_path: "/a\\000b"')
    with pytest.raises(GraphscopeError, match="none of the checkpoints"):
        graphscope.load(tmp_path)


@needs_zoo2
def test_every_file_of_the_second_zoo() -> None:
    """Opens, or is a part of a SavedModel: nothing else is among them."""
    files = sorted(p for p in ZOO2.rglob("*") if p.is_file() and p.name not in ("README.md", "MANIFEST.tsv"))
    parts = [
        p
        for p in files
        if p.name in PARTS or ((p.parent.parent / "saved_model.pb").is_file() and p.parent.name == "assets")
    ]
    for path in parts:
        with pytest.raises(NotTensorFlowError, match="not a model by itself"):
            graphscope.load(path)
    for path in sorted({*files} - {*parts}):
        if path.suffix != ".md":
            model = graphscope.load(path)
            assert model.has_graph or model.notes, path
