"""DOT, Mermaid and PNG of the same picture; what each cannot take."""

from __future__ import annotations

import builtins
import re
import sys
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

import graphscope
from graphscope.errors import GraphscopeError, MissingDependencyError
from tests.drawing.test_pictures import HOSTILE, model_of, node
from tests.support.fixture_files import FIXTURES


def text_of(name: str, tmp_path: Path, *, model: Any = FIXTURES / "lenet5") -> str:
    target = tmp_path / name
    graphscope.draw(model, depth=2).save(target)
    return target.read_text("utf-8")


def test_dot_has_clusters_and_edges_between_boxes(tmp_path: Path) -> None:
    text = text_of("a.dot", tmp_path)
    numbers = dict(re.findall(r'^ *(b\d+) \[label="(\w+)', text, re.MULTILINE))
    edges = {(numbers[a], numbers[b], label) for a, b, label in re.findall(r'(b\d+) -> (b\d+) \[label="(.*?)"', text)}
    assert ("Reshape", "conv", "float32 ?×28×28×1") in edges
    assert ("relu", "pool1", "float32 ?×28×28×6") in edges
    assert text.count("{") == text.count("}")
    assert "subgraph cluster_" in text


def test_mermaid_has_subgraphs_and_edges_between_boxes(tmp_path: Path) -> None:
    text = text_of("a.mmd", tmp_path)
    numbers = dict(re.findall(r'(b\d+)\("(\w+)', text))
    edges = {(numbers[a], numbers[b]) for a, b in re.findall(r"(b\d+) -->\S* ?.*?(b\d+)$", text, re.MULTILINE)}
    assert {("Reshape", "conv"), ("relu", "pool1"), ("labels", "correct_prediction")} <= edges
    assert text.count("subgraph") == len(re.findall(r"^ *end$", text, re.MULTILINE))


def test_hostile_names_end_nothing(tmp_path: Path) -> None:
    name = HOSTILE + "\\"
    model = model_of(node(name, "Placeholder"), node("b", "Relu", name))
    dot, mermaid = (text_of(f"a.{format}", tmp_path, model=model) for format in ("dot", "mmd"))
    labels = re.findall(r'label="((?:[^"\\]|\\.)*)"', dot)
    assert any("script" in label for label in labels)
    assert "<script" not in mermaid
    assert len(mermaid.splitlines()) == 6


def test_png_is_the_picture_twice_as_large(tmp_path: Path) -> None:
    drawing = graphscope.draw(FIXTURES / "lenet5", depth=1)
    drawing.save(tmp_path / "a.png")
    with Image.open(tmp_path / "a.png") as picture:
        assert picture.width >= 2 * drawing.picture.width
        assert len(picture.convert("RGB").getcolors(1 << 20) or ()) > 20


def test_png_says_what_it_lacks(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    real = builtins.__import__

    def without(name: str, *rest: Any, **named: Any) -> Any:
        if name == "resvg_py":
            raise ImportError(name)
        return real(name, *rest, **named)

    monkeypatch.delitem(sys.modules, "resvg_py", raising=False)
    monkeypatch.setattr(builtins, "__import__", without)
    with pytest.raises(MissingDependencyError, match="PNG needs resvg"):
        graphscope.draw(FIXTURES / "softmax").save(tmp_path / "a.png")
    assert not list(tmp_path.iterdir())


def test_a_picture_that_is_too_large_is_no_png(tmp_path: Path) -> None:
    nodes = [node("x_0", "Placeholder")]
    for i in range(1, 300):  # no numbers that make a series
        nodes.append(node(f"n{'abc'[i % 3] * i}", "Relu" if i % 2 else "Tanh", nodes[-1].name))
    drawing = graphscope.draw(model_of(*nodes))
    drawing.picture.height = 40_000
    drawing.picture.width = 4_000
    with pytest.raises(GraphscopeError, match="too many for a PNG"):
        drawing.save(tmp_path / "a.png")


def test_flops_and_times_are_colors(tmp_path: Path) -> None:
    drawing = graphscope.draw(FIXTURES / "lenet5", depth=1, color="flops")
    [flops, *others] = drawing.colorings
    assert flops.name == "flops"
    assert [coloring.name for coloring in others] == ["op", "device", "bytes"]
    conv = next(box for box in drawing.diagram.boxes if box.name == "conv2")
    pool = next(box for box in drawing.diagram.boxes if box.name == "pool2")
    assert flops.of(conv) > flops.of(pool)
    place = next(box for box in drawing.diagram.boxes if box.name == "conv1/conv").first
    assert flops.amounts[place] == "235k FLOPs"  # 2 * 28 * 28 * 6 * 5 * 5
    assert others[2].amounts[place] == "18.8 kB"  # 28 * 28 * 6 * 4
