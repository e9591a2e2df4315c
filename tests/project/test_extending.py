"""The examples of `docs/extending.md`, run as they stand there: toy plug-ins of each kind."""

from __future__ import annotations

import importlib
import json
import re
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import graphscope
from graphscope.cli import app as app_module
from graphscope.cli.app import CommandRow  # type: ignore[attr-defined]
from graphscope.core.changes.build import constant, make_node, type_attr
from graphscope.core.graph import Graph
from graphscope.core.values.dtypes import DataType
from graphscope.errors import ArgumentError, GraphscopeError
from graphscope.formats import registry
from graphscope.protos import GraphDef
from graphscope.training.heads import chain
from tests.support.fixture_files import FIXTURES, ROOT
from tests.support.invoked import code_of

BLOCKS = dict(
    re.findall(r"^```python\n# (\w+)\.py\n(.*?)^```", (ROOT / "docs" / "extending.md").read_text("utf-8"), re.M | re.S)
)


def plugin(name: str, place: Path, monkeypatch: pytest.MonkeyPatch) -> Any:
    """The block that is called ``name`` as a module."""
    target = place / f"{name}.py"
    target.write_text(BLOCKS[name], "utf-8")
    monkeypatch.syspath_prepend(str(place))
    monkeypatch.delitem(sys.modules, name, raising=False)
    found = importlib.import_module(name)
    monkeypatch.setitem(sys.modules, name, found)
    return found


def test_the_page_has_all_kinds() -> None:
    assert set(BLOCKS) == {"dotfile", "unprint", "scale", "opcount", "count"}


def test_a_format(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    row = plugin("dotfile", tmp_path, monkeypatch).ROW
    monkeypatch.setattr(registry, "FORMATS", (*registry.FORMATS, row))
    saved = graphscope.convert(FIXTURES / "lenet5" / "frozen.pb", tmp_path / "m.dot")
    assert saved.format == "dot"
    assert '"input" -> "Reshape"' in (tmp_path / "m.dot").read_text()
    assert registry.format_by_name("dot") is row
    assert row.recognizes(b"digraph {", 10)
    with pytest.raises(ArgumentError) as error:
        graphscope.convert(FIXTURES / "lenet5", tmp_path / "m.unknown")
    assert "*.dot (GraphViz drawing)" in str(error.value.hint)


def test_a_transform(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    clean = plugin("unprint", tmp_path, monkeypatch).clean
    nodes = [constant("a", np.float32(1)), make_node("p", "Print", ["a", "a"], {}), make_node("b", "Neg", ["p"], {})]
    graph = Graph(GraphDef(), nodes)
    result, is_changed, counts = clean(graph)
    assert [(n.name, list(n.inputs)) for n in result] == [("a", []), ("b", ["a"])]
    assert (is_changed, counts) == (True, {"Print": -1})
    again, is_changed, counts = clean(result)
    assert again is result
    assert (is_changed, counts) == (False, {})


def test_a_head_layer(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(chain, "LAYERS", {**chain.LAYERS, "scale": plugin("scale", tmp_path, monkeypatch).ROW})
    [layer] = chain.parse_chain("scale:0.5")
    assert chain.LAYERS["scale"].build(layer, np.float32(4), None) == 2
    with pytest.raises(GraphscopeError, match="scale takes one number"):
        chain.parse_chain("scale:x")


def test_an_exporter(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(registry, "FORMATS", (*registry.FORMATS, plugin("opcount", tmp_path, monkeypatch).ROW))
    dtype = {"dtype": type_attr(DataType.FLOAT), "T": type_attr(DataType.FLOAT)}
    graph = Graph(GraphDef(), [make_node("a", "Placeholder", [], dtype), make_node("b", "Relu", ["a"], dtype)])
    graphscope.save(graph, tmp_path / "m.layers")
    kinds = [layer["kind"] for layer in json.loads((tmp_path / "m.layers").read_text())]
    assert kinds == ["input", "relu"]
    with pytest.raises(GraphscopeError, match=r"Conv2D \(conv1/conv and 1 more\): there is no rule"):
        graphscope.convert(FIXTURES / "lenet5" / "frozen.pb", tmp_path / "x.layers")
    for options, said in (({"verify": True}, "nothing runs"), ({"opset": 18}, "does not support")):
        with pytest.raises(ArgumentError, match=said):
            graphscope.export_model(graphscope.load(FIXTURES / "lenet5"), tmp_path / "x.layers", **options)
    assert not (tmp_path / "x.layers").exists()


def test_a_command(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    found = plugin("count", tmp_path, monkeypatch)
    monkeypatch.setitem(sys.modules, "graphscope.cli.commands.count", found)
    row = CommandRow("Look", "Count the nodes of a graph.", "count", "count")
    monkeypatch.setattr(app_module, "COMMANDS", {**app_module.COMMANDS, "count": row})  # type: ignore[attr-defined]
    assert code_of("count", FIXTURES / "lenet5") == 0
    assert capsys.readouterr().out == "388\n"
    assert code_of("count", "--help") == 0
    assert "graphscope count frozen.pb" in capsys.readouterr().out
