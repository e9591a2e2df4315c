"""Pictures of real and random graphs: geometry, what is drawn where, the same bytes every time."""

from __future__ import annotations

import os
import random
import subprocess
import sys
import xml.etree.ElementTree as ElementTree
from pathlib import Path

import pytest

import graphscope
from graphscope.core.changes.build import make_node
from graphscope.core.graph import Graph, Node
from graphscope.core.model import Model, ModelKind
from graphscope.drawing.drawing import Drawing
from graphscope.drawing.layered.layout import WIDEST, lay_out
from graphscope.errors import GraphscopeError
from graphscope.protos import GraphDef
from tests.support.fixture_files import FIXTURES, ROOT
from tests.support.pictures import faults
from tests.support.zoo_files import ZOO, needs_zoo, zoo_files, zoo_id

FIXTURE_MODELS = ["batchnorm", "convnet_slim", "lenet5", "mlp", "partitioned", "rnn", "softmax", "towers"]
NPHARD = ZOO / "meta_ckpt" / "isl-org+NPHard" / "model"


def model_of(*nodes: Node) -> Model:
    return Model("made", ModelKind.GRAPH, "binary", (), Graph(GraphDef(), nodes))


def node(name: str, op: str = "Relu", *inputs: str) -> Node:
    return make_node(name, op, inputs, {})


def titles(drawing: Drawing) -> list[str]:
    return [placed.title for placed in drawing.picture.boxes]


def links(drawing: Drawing) -> set[tuple[str, str]]:
    shown = {placed.box.number: placed.title for placed in drawing.picture.boxes}
    return {(shown[edge.source], shown[edge.target]) for edge in drawing.picture.edges}


@pytest.mark.parametrize("depth", [None, 1, 2, 99])
@pytest.mark.parametrize("name", FIXTURE_MODELS)
def test_nothing_overlaps_and_lines_end_at_boxes(name: str, depth: int | None) -> None:
    drawing = graphscope.draw(FIXTURES / name, depth=depth)
    assert faults(drawing.picture) == []
    assert drawing.picture.edges
    ElementTree.fromstring(drawing.svg())


@needs_zoo
@pytest.mark.parametrize("path", zoo_files("*.pb", "*.meta", "*.pbtxt"), ids=zoo_id)
def test_other_peoples_graphs_are_drawn(path: Path) -> None:
    try:
        model = graphscope.load(path)
        model.graph  # noqa: B018 - what has none is no case
    except GraphscopeError:
        return
    drawing = graphscope.draw(model)
    assert faults(drawing.picture) == []
    assert faults(graphscope.draw(model, depth=3).picture) == []
    ElementTree.fromstring(drawing.svg())


@pytest.mark.parametrize("seed", range(30))
def test_random_boxes_do_not_overlap(seed: int) -> None:
    """With cycles, long edges, several parts, boxes of all sizes, and ports."""
    chance = random.Random(seed)
    size = chance.randrange(1, 60)
    sizes = [(chance.uniform(5, 300), chance.uniform(5, 90)) for _ in range(size)]
    edges = {(chance.randrange(size), chance.randrange(size)) for _ in range(chance.randrange(2 * size))}
    first, last = {size, size + 1}, {size + 2}
    ports = {(size, 0), (size + 1, size - 1), (chance.randrange(size), size + 2)}
    layout = lay_out([*sizes, *[(10.0, 0.0)] * 3], sorted({(a, b) for a, b in edges if a != b} | ports), first, last)
    frames = [
        (x - w / 2, x + w / 2, y, y + h) for x, y, (w, h) in zip(layout.xs, layout.ys, [*sizes, *[(10.0, 0.0)] * 3])
    ]
    for place, (left, right, top, bottom) in enumerate(frames):
        assert left >= -0.01
        assert right <= layout.width + 0.01
        assert bottom <= layout.height + 0.01
        assert top == min(f[2] for f in frames) or place not in first
        for other in frames[:place]:
            assert (
                right <= other[0] + 0.01
                or other[1] <= left + 0.01
                or bottom <= other[2] + 0.01
                or other[3] <= top + 0.01
            )


def test_a_wide_row_is_cut() -> None:
    layout = lay_out([(100.0, 30.0)] * 101, [(0, i) for i in range(1, 101)])
    assert layout.width < 1.5 * WIDEST


def test_lenet_is_drawn_as_people_draw_it() -> None:
    drawing = graphscope.draw(FIXTURES / "lenet5", depth=2)
    conv = next(placed for placed in drawing.picture.boxes if placed.box.name == "conv1/conv")
    assert conv.lines == (("weights", "float32 5×5×1×6"),)
    assert {"conv1", "fc1", "softmax", "train", "save"} <= set(titles(drawing))
    assert "weights" not in titles(drawing)
    assert {("input", "Reshape"), ("conv", "BiasAdd"), ("conv1", "pool1"), ("logits", "softmax")} <= links(drawing)
    apart = [placed for placed in drawing.picture.boxes if placed.box.is_outside]
    assert {placed.title for placed in apart} == {"global_step", "learning_rate", "train", "summaries", "save", "init"}
    assert all(placed.x > conv.x + conv.width for placed in apart)
    texts = [text.text for text in drawing.picture.texts]
    assert texts[:3] == ["float32 ?×784", "int64 ?", "float32 ?×28×28×1"]


def test_depth_scope_and_focus() -> None:
    lenet = graphscope.load(FIXTURES / "lenet5")
    assert not any(placed.is_open for placed in graphscope.draw(lenet, depth=1).picture.boxes[1:])
    scope = graphscope.draw(lenet, scope="conv2")
    assert titles(scope) == ["conv2", "conv", "BiasAdd", "relu"]
    near = graphscope.draw(lenet, focus="fc2/relu:0", radius=1)
    assert set(titles(near)[1:]) == {"fc2", "bias_add", "relu", "fc3/MatMul"}
    assert graphscope.draw(lenet, focus="fc2/weights", radius=0).picture.boxes[-1].lines


def test_blocks_in_a_row_are_one() -> None:
    nodes = [node("x", "Placeholder")]
    for i in range(12):
        source = f"block_{i - 1}/b" if i else "x"
        nodes += [node(f"block_{i}/a", "Relu", source), node(f"block_{i}/b", "Tanh", f"block_{i}/a")]
    drawing = graphscope.draw(model_of(*nodes, node("y", "Neg", "block_11/b")))
    assert titles(drawing)[1:] == ["x", "block_0…11", "y"]
    assert drawing.picture.boxes[2].subtitle == "×12  ·  24 nodes"
    assert links(drawing) == {("x", "block_0…11"), ("block_0…11", "y")}


def test_a_loop_leads_back() -> None:
    nodes = [
        node("start", "Enter"),
        node("merge", "Merge", "start", "next"),
        node("body", "Neg", "merge"),
        node("next", "NextIteration", "body"),
    ]
    drawing = graphscope.draw(model_of(*nodes))
    assert [edge.is_back for edge in drawing.picture.edges].count(True) == 1
    assert faults(drawing.picture) == []
    assert 'class="loop"' in drawing.svg()


def test_loops_turn_where_their_next_iteration_begins() -> None:
    drawing = graphscope.draw(FIXTURES / "rnn", depth=9)
    shown = {placed.box.number: placed for placed in drawing.picture.boxes}
    back = [edge for edge in drawing.picture.edges if edge.is_back]
    assert len(back) == 5
    assert all(shown[edge.source].title.startswith("NextIteration") for edge in back)
    assert all(shown[edge.target].title.startswith("Merge") for edge in back)


def test_a_switch_that_feeds_many_is_a_line_in_each() -> None:
    nodes = [node("is_training", "Placeholder")]
    nodes += [node(f"{kind}_{i}", kind, "is_training") for i in range(3) for kind in ("Relu", "Tanh", "Neg", "Abs")]
    drawing = graphscope.draw(model_of(*nodes))
    assert not drawing.picture.edges
    assert all(placed.lines[0][0] == "is_training" for placed in drawing.picture.boxes[2:])


@needs_zoo
def test_a_root_with_1691_children_stays_readable() -> None:
    drawing = graphscope.draw(NPHARD)
    assert len({name.partition("/")[0] for name in drawing.diagram.graph.names}) == 1691
    assert drawing.picture.width < 2000
    assert len(drawing.picture.boxes) < 80
    assert faults(drawing.picture) == []


HOSTILE = 'a"><script>alert(1)</script>&<![CDATA[\x1b\u202eé'


def test_hostile_names_stay_text() -> None:
    drawing = graphscope.draw(model_of(node(HOSTILE, "Placeholder"), node("b/" + "x" * 3000, "Relu", HOSTILE)))
    text = drawing.svg()
    assert "<script" not in text
    assert "\u202e" not in text
    assert "\x1b" not in text
    root = ElementTree.fromstring(text)
    assert any(r"\x1b\u202eé" in "".join(found.itertext()) for found in root.iter())
    assert drawing.picture.width < 600


def test_nodes_that_hold_one_another_end() -> None:
    """Constants with inputs, reads that lie in one another's scopes: no file of TensorFlow's has them."""
    nodes = [node("a", "Const", "b"), node("b", "Const", "a"), node("v1", "VariableV2"), node("v2", "VariableV2")]
    nodes += [node("v1/read", "Identity", "v2/read"), node("v2/read", "Identity", "v1/read"), node("s", "Relu", "s")]
    assert faults(graphscope.draw(model_of(*nodes)).picture) == []
    assert faults(graphscope.draw(model_of()).picture) == []
    assert (
        faults(
            graphscope.draw(model_of(node("/".join("x" * 2000)), node("/".join("x" * 1000), "Neg")), depth=999).picture
        )
        == []
    )


def test_the_same_bytes_every_time() -> None:
    script = "import graphscope, sys; print(graphscope.draw(sys.argv[1]).svg())"
    found = {
        subprocess.run(
            [sys.executable, "-c", script, str(FIXTURES / "rnn")],
            capture_output=True,
            check=True,
            cwd=ROOT,
            env={**os.environ, "PYTHONHASHSEED": seed},
        ).stdout
        for seed in ("1", "2")
    }
    assert len(found) == 1


def test_the_picture_of_the_documentation_is_drawn_so() -> None:
    assert (ROOT / "docs/pictures/lenet5.svg").read_text("utf-8") == graphscope.draw(FIXTURES / "lenet5", depth=1).svg()
