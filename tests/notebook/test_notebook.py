"""What a notebook shows: HTML with everything in it, and nothing that a name in a file could inject."""

from __future__ import annotations

import re
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import graphscope
from graphscope.core.changes.build import constant
from graphscope.core.model import Model
from graphscope.core.shown import Shown
from graphscope.errors import GraphscopeError
from graphscope.notebook.markup import table
from graphscope.protos import FunctionDef
from tests.support.fixture_files import FIXTURES
from tests.support.graphs import graph_of, op, placeholder
from tests.support.written import model_of

LENET = FIXTURES / "lenet5"

HOSTILE = "x<script>alert(1)</script>\"'&<img src=x onerror=alert(1)>\u202e\x1b[31m"
PLAIN = {"table", "tr", "td", "th", "div", "b", "pre"}
DRAWN = {"svg", "g", "rect", "text", "tspan", "path", "title", "style", "defs", "marker", "polygon", "line", "circle"}
DRAWN |= {"ellipse", "polyline", "use", "clippath"}


class Tags(HTMLParser):
    """Collects tags, attributes and text."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.tags: set[str] = set()
        self.attributes: set[str] = set()
        self.text = ""
        self.feed(html)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.add(tag)
        self.attributes.update(name for name, _ in attrs)

    def handle_data(self, data: str) -> None:
        self.text += data


def shown(thing: Shown) -> Tags:
    return Tags(thing._repr_html_())


def hostile_model() -> Model:
    weights = constant(f"{HOSTILE}/w", np.ones((4, 4), np.float32))
    product = op(f"{HOSTILE}/y", "MatMul", "in", f"{HOSTILE}/w")
    model = model_of(graph_of(placeholder("in"), weights, product, op(f"{HOSTILE}/z", "Neg", f"{HOSTILE}/y")))
    model.path = HOSTILE
    return model


@pytest.mark.parametrize("kind", ["model", "graph", "node", "summary", "cost", "diff"])
def test_names_are_no_markup(kind: str) -> None:
    model = hostile_model()
    thing: Any = {
        "model": lambda: model,
        "graph": lambda: model.graph,
        "node": lambda: model.graph[f"{HOSTILE}/y"],
        "summary": lambda: graphscope.summarize(model),
        "cost": lambda: graphscope.cost(model, outputs=f"{HOSTILE}/z"),
        "diff": lambda: graphscope.diff(model, LENET / "frozen.pb"),
    }[kind]()
    found = shown(thing)
    assert found.tags <= (PLAIN | DRAWN if kind == "graph" else PLAIN)
    assert "style" in found.attributes
    assert not any(name.startswith("on") or name in ("href", "src") for name in found.attributes)
    assert "\u202e" not in thing._repr_html_()
    assert "\x1b" not in thing._repr_html_()
    assert "\n" not in repr(thing)
    assert "\x1b" not in repr(thing)
    if kind != "graph":
        assert "<script>alert(1)</script>" in found.text


def test_a_model_shows_what_info_does() -> None:
    found = shown(graphscope.load(LENET))
    for text in ("meta checkpoint", "61,706 (247 kB float32)", "input:0", "softmax:0", "Adam"):
        assert text in found.text
    assert shown(graphscope.summarize(LENET)).text == found.text


def test_short_rows_take_the_whole_width() -> None:
    made = table([("a", "1", "2"), ("b", "long")], right=[False, True])
    assert re.findall(r"<td([^>]*)>b|<td colspan=.(\d).", made)[-1][1] == "2"
    assert made.count("text-align:right") == 2


def test_a_graph_is_drawn_and_a_function_is_not() -> None:
    model = graphscope.load(LENET)
    assert {"svg", "text"} <= shown(model.graph).tags
    assert "conv1" in shown(model.graph).text
    function = graphscope.Function(FunctionDef(), model.graph.nodes)
    assert (repr(function), "svg" in shown(function).tags) == ("<Function '': 388 nodes>", False)
    assert "VariableV2" in shown(function).text


def test_large_graphs_are_counted(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("graphscope.notebook.views.DRAWN_NODES", 3)
    found = shown(graphscope.load(LENET).graph)
    assert "svg" not in found.tags
    assert "VariableV2" in found.text
    assert "more" in found.text


def test_reports_in_one_line_and_in_full() -> None:
    report = graphscope.cost(LENET)
    assert repr(report) == f"<CostReport {report.path!r}: 61,706 parameters, 416,520 MACs for each example>"
    assert "48,120" in shown(report).text
    difference = graphscope.diff(LENET, LENET / "frozen.pb")
    assert repr(difference).endswith("frozen.pb': 0 differences>")
    assert "10 variables that became constants" in shown(difference).text
    judged = graphscope.audit(LENET)
    assert repr(judged) == f"<AuditReport: {len(judged.models)} files, {len(judged.findings)} findings>"
    assert "writes-file" in shown(judged).text
    assert repr(graphscope.summarize(LENET)).endswith(": meta checkpoint, 61,706 parameters>")


def test_a_checkpoint_alone_and_a_node(tmp_path: Path) -> None:
    for file in LENET.glob("model.ckpt-4690.[di]*"):
        (tmp_path / file.name).write_bytes(file.read_bytes())
    assert "checkpoint" in shown(graphscope.load(tmp_path / "model.ckpt-4690")).text
    node = graphscope.load(LENET).graph["conv1/conv"]
    assert repr(node) == "Node('conv1/conv', 'Conv2D')"
    assert "padding" in shown(node).text


def test_what_cannot_be_summarized_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(_: Model) -> None:
        raise GraphscopeError("a constant is damaged")

    monkeypatch.setattr("graphscope.notebook.views.summarize", refuse)
    found = shown(graphscope.load(LENET))
    assert "a constant is damaged" in found.text
