"""Files that a graph names are copied only from the model's own directory."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from typer.testing import CliRunner

import graphscope
from graphscope.cli.app import app
from graphscope.core.changes.build import constant, make_node, type_attr
from graphscope.core.values.dtypes import DataType
from graphscope.formats.savedmodel.assets import assets_of
from graphscope.protos import AssetFileDef, AttrValue, GraphDef, MetaGraphDef, SavedModel

SECRET = "this is nobody's business\n"


@pytest.fixture
def place(tmp_path: Path) -> Path:
    """A directory for a model, beside a file that is not the model's."""
    (tmp_path / "secret.txt").write_text(SECRET)
    (tmp_path / "model").mkdir()
    return tmp_path / "model"


def graph_naming(path: str) -> GraphDef:
    """A graph with a table that is filled from ``path``."""
    types = {"key_dtype": type_attr(DataType.STRING), "value_dtype": type_attr(DataType.INT64)}
    columns = {"key_index": AttrValue(i=-2), "value_index": AttrValue(i=-1)}
    nodes = [
        constant("path", np.array(path.encode(errors="surrogateescape"), object)),
        make_node("table", "HashTableV2", attrs=types),
        make_node("fill", "InitializeTableFromTextFileV2", ["table", "path"], columns),
        make_node("out", "LookupTableSizeV2", ["table"]),
    ]
    return GraphDef(node=[n.proto for n in nodes])


def convert(model: Path, out: Path, *words: str) -> tuple[int, str]:
    done = CliRunner().invoke(app, ["convert", str(model), f"{out}/", "--output", "out", *words])
    assert done.exception is None or isinstance(done.exception, SystemExit)
    return done.exit_code, done.output


@pytest.mark.parametrize("name", ["{top}/secret.txt", "{top}/model/../secret.txt", "{top}/model/link", "/no/such/file"])
def test_a_table_file_elsewhere_is_refused(place: Path, name: str) -> None:
    (place / "link").symlink_to(place.parent / "secret.txt")
    path = name.format(top=place.parent)
    (place / "x.pb").write_bytes(graph_naming(path).SerializeToString())
    code, output = convert(place / "x.pb", place.parent / "out")
    assert code == 1
    assert "path:0 names" in output
    assert path in output
    assert "--allow-outside" in output
    assert not (place.parent / "out").exists()
    if "no/such" not in name:
        assert convert(place / "x.pb", place.parent / "out", "--allow-outside")[0] == 0
        assert (place.parent / "out" / "assets" / Path(path).name).read_text() == SECRET


def test_what_is_there_and_what_is_not_read_the_same(place: Path) -> None:
    """The refusal does not tell whether the file exists."""
    found = []
    for name in ("secret.txt", "absent.txt"):
        (place / "x.pb").write_bytes(graph_naming(str(place.parent / name)).SerializeToString())
        found.append(convert(place / "x.pb", place.parent / "out")[1].replace(name, "NAME"))
    assert found[0] == found[1]


def test_a_namesake_beside_the_model_is_taken(place: Path) -> None:
    (place / "secret.txt").write_text("ours\n")
    (place / "x.pb").write_bytes(graph_naming(str(place.parent / "secret.txt")).SerializeToString())
    assert convert(place / "x.pb", place.parent / "out")[0] == 0
    assert (place.parent / "out" / "assets" / "secret.txt").read_text() == "ours\n"


def test_what_names_no_file_does_not_hide_what_does(place: Path) -> None:
    """Paths of several files, and no text at all: such constants are left out, and what comes after them is not."""
    (place / "words.txt").write_text("ours\n")
    graph = graph_naming(str(place / "words.txt"))
    others = (np.array([b"a.txt", b"b.txt"], object), np.float32(1))
    fills = [
        node
        for i, value in enumerate(others)
        for node in (
            constant(f"odd_{i}", value),
            make_node(f"fill_{i}", "InitializeTableFromTextFileV2", ["table", f"odd_{i}"]),
        )
    ]
    (place / "x.pb").write_bytes(GraphDef(node=[*(n.proto for n in fills), *graph.node]).SerializeToString())
    assert [asset.filename for asset in assets_of(graphscope.load(place / "x.pb"))] == ["words.txt"]


@pytest.mark.parametrize("name", ["..", "a\0b", "/", ""])
def test_names_of_no_file(place: Path, name: str) -> None:
    (place / "x.pb").write_bytes(graph_naming(name).SerializeToString())
    for words in ([], ["--allow-outside"]):
        code, output = convert(place / "x.pb", place.parent / "out", *words)
        assert (code, "is not the name of a file" in output) == (1, True)


def saved_model(place: Path, asset: str) -> Path:
    meta = MetaGraphDef(graph_def=graph_naming("x"))
    meta.meta_info_def.tags.append("serve")
    declared = AssetFileDef(filename=asset)
    declared.tensor_info.name = "path:0"
    meta.asset_file_def.append(declared)
    (place / "saved_model.pb").write_bytes(
        SavedModel(saved_model_schema_version=1, meta_graphs=[meta]).SerializeToString()
    )
    (place / "assets").mkdir(exist_ok=True)
    return place


@pytest.mark.parametrize("name", ["../../secret.txt", "{top}/secret.txt", "a\0b", "..\\..\\secret.txt"])
def test_declared_names_that_lead_away(place: Path, name: str) -> None:
    model = graphscope.load(saved_model(place, name.format(top=place.parent)))
    [asset] = [file for file in model.files if file.role == "asset"]
    assert asset.size_bytes is None
    done = CliRunner().invoke(app, ["info", str(place)])
    assert done.exit_code == 0
    assert str(len(SECRET)) + " B" not in done.output
    code, output = convert(place, place.parent / "out", "--allow-outside")
    assert code == 1
    assert "not a name for an asset" in output


@pytest.mark.parametrize("directory", ["assets", "assets.extra"])
def test_links_of_a_saved_model_that_lead_away(place: Path, directory: str) -> None:
    saved_model(place, "words.txt")
    (place / "assets" / "words.txt").write_text("ours\n")
    (place / "assets.extra").mkdir()
    link = place / directory / "words.txt"
    link.unlink(missing_ok=True)
    link.symlink_to(place.parent / "secret.txt")
    code, output = convert(place, place.parent / "out")
    assert code == 1
    assert "--allow-outside" in output
    assert convert(place, place.parent / "out", "--allow-outside")[0] == 0
    assert (place.parent / "out" / directory / "words.txt").read_text() == SECRET
