"""Bodies of functions as scopes of the nodes that call them: branches, loops, calls in calls, and functions that never end."""

from __future__ import annotations

import pytest

import graphscope
from graphscope.core.changes.build import make_node, type_attr
from graphscope.core.graph import Function, Graph, Node
from graphscope.core.model import Model, ModelKind
from graphscope.core.values.dtypes import DataType
from graphscope.drawing.bodies import MAX_CALLS, with_bodies
from graphscope.drawing.drawing import WRITERS, Drawing
from graphscope.protos import AttrValue, FunctionDef, GraphDef
from tests.support.pictures import faults

FLOAT = type_attr(DataType.FLOAT)


def placeholder(name: str, dtype: DataType = DataType.FLOAT, *sizes: int) -> Node:
    shape = AttrValue()
    shape.shape.SetInParent()
    for size in sizes:
        shape.shape.dim.add(size=size)
    return make_node(name, "Placeholder", (), {"dtype": type_attr(dtype), "shape": shape})


def op(name: str, kind: str, *inputs: str) -> Node:
    return make_node(name, kind, inputs, {"T": FLOAT})


def calling(name: str, kind: str, *inputs: str, **functions: str) -> Node:
    attrs = {"Tout": AttrValue(), "T": AttrValue()}
    for value in attrs.values():
        value.list.type.append(int(DataType.FLOAT))
    for key, function in functions.items():
        attrs[key] = AttrValue()
        attrs[key].func.name = function
    return make_node(name, kind, inputs, attrs)


def function(name: str, result: str, *nodes: Node, dtype: DataType = DataType.FLOAT) -> Function:
    """Of one argument, ``a``."""
    proto = FunctionDef()
    proto.signature.name = name
    proto.signature.input_arg.add(name="a", type=int(DataType.FLOAT))
    proto.signature.output_arg.add(name="b", type=int(dtype))
    proto.ret["b"] = result
    return Function(proto, nodes)


LAYER = function("layer", "r:activations:0", op("r", "Relu", "a"))
SMALL = function("is_small", "less:z:0", op("less", "Less", "a", "a"), dtype=DataType.BOOL)
TWICE = function(
    "twice", "two:b:0", calling("one", "PartitionedCall", "a", f="layer"), calling("two", "layer", "one:output:0")
)
NEGATIVE = function("negative", "n:y:0", op("n", "Neg", "a"))


def model_of(*nodes: Node, library: tuple[Function, ...]) -> Model:
    header = GraphDef()
    header.versions.producer = 1395
    return Model("made", ModelKind.GRAPH, "binary", (), Graph(header, nodes, library))


def branches_and_loops() -> Model:
    return model_of(
        placeholder("x", DataType.FLOAT, 4, 8),
        placeholder("flag", DataType.BOOL),
        calling("net/choose", "If", "flag", "x", then_branch="twice", else_branch="negative"),
        calling("net/loop", "While", "net/choose", cond="is_small", body="layer"),
        op("y", "Softmax", "net/loop"),
        library=(LAYER, SMALL, TWICE, NEGATIVE),
    )


def fed_by(drawing: Drawing) -> dict[str, list[str]]:
    """Name of a node -> the names of what feeds it, as drawn."""
    names = [drawing.diagram.graph.names[number] for number in drawing.diagram.nodes]
    return {name: [names[p] for p, _ in found] for name, found in zip(names, drawing.diagram.inputs)}


def test_branches_loops_and_calls_in_calls_are_scopes() -> None:
    drawing = graphscope.draw(branches_and_loops(), depth=9)
    assert fed_by(drawing) == {
        "x": [],
        "flag": [],
        "net/choose/then_branch/one/r": ["x"],
        "net/choose/then_branch/one": ["net/choose/then_branch/one/r"],
        "net/choose/then_branch/two/r": ["net/choose/then_branch/one"],
        "net/choose/then_branch/two": ["net/choose/then_branch/two/r"],
        "net/choose/else_branch/n": ["x"],
        "net/choose": ["flag", "net/choose/then_branch/two", "net/choose/else_branch/n"],
        "net/loop/cond/less": ["net/choose", "net/choose"],
        "net/loop/body/r": ["net/choose"],
        "net/loop": ["net/loop/cond/less", "net/loop/body/r"],
        "y": ["net/loop"],
    }
    shown = {placed.box.name: placed for placed in drawing.picture.boxes}
    assert shown["net/choose"].lines == (("then_branch", "twice"), ("else_branch", "negative"))
    place = shown["net/choose/then_branch/one/r"].box.first
    assert drawing.diagram.outputs[place] == ("float32 4×8",)
    assert faults(drawing.picture) == []


@pytest.mark.parametrize("format", sorted(WRITERS.keys() - {"png"}))
def test_every_format_has_them(format: str) -> None:
    text = WRITERS[format](graphscope.draw(branches_and_loops(), depth=9)).decode()
    assert all(found in text for found in ("then_branch", "else_branch", "twice", "is_small"))


def test_bodies_open_like_scopes() -> None:
    titles = [placed.title for placed in graphscope.draw(branches_and_loops(), depth=2).picture.boxes]
    assert titles == ["made", "x", "flag", "net", "choose", "loop", "y"]
    inside = graphscope.draw(branches_and_loops(), scope="net/choose/then_branch", depth=1)
    assert [placed.title for placed in inside.picture.boxes] == ["then_branch", "one", "two"]
    near = graphscope.draw(branches_and_loops(), focus="net/loop/body/r", radius=0)
    assert [placed.box.name for placed in near.picture.boxes][1:] == ["net/loop/body/r"]


def test_each_call_is_drawn_up_to_a_bound_and_the_rest_named() -> None:
    calls = [calling(f"c{i}", "PartitionedCall", "x", f="layer") for i in range(MAX_CALLS + 3)]
    bodies = with_bodies(model_of(placeholder("x"), *calls, library=(LAYER,)))
    assert len(bodies.origins) == MAX_CALLS
    assert bodies.called["c0"] == bodies.called[f"c{MAX_CALLS + 2}"] == [("calls", "layer")]
    assert list(bodies.model.graph[f"c{MAX_CALLS}"].inputs) == ["x:0"]


def test_what_never_ends_stays_closed() -> None:
    """A function that calls itself, two that call each other, and forty that each call the next one twice."""
    own = function("own", "r:output:0", calling("r", "PartitionedCall", "a", f="own"))
    ping = function("ping", "r:output:0", calling("r", "PartitionedCall", "a", f="pong"))
    pong = function("pong", "r:output:0", calling("r", "PartitionedCall", "a", f="ping"))
    bombs = [
        function(
            f"bomb_{i}",
            "s:output:0",
            calling("r", "PartitionedCall", "a", f=f"bomb_{i + 1}"),
            calling("s", "PartitionedCall", "r:output:0", f=f"bomb_{i + 1}"),
        )
        for i in range(40)
    ]
    starts = [calling(name, "PartitionedCall", "x", f=name) for name in ("own", "ping", "bomb_0", "absent")]
    model = model_of(placeholder("x"), *starts, library=(own, ping, pong, *bombs))
    bodies = with_bodies(model)
    assert [name for name in bodies.origins if not name.startswith("bomb")] == ["own/r", "ping/r/r", "ping/r"]
    assert bodies.called["own/r"] == [("calls", "own")]
    assert len(bodies.origins) < 40 * 2 * MAX_CALLS
    assert "absent" in graphscope.draw(model, depth=2).svg()


def test_names_that_are_taken_stay_apart() -> None:
    nodes = [placeholder("x"), op("c/r", "Neg", "x"), calling("c", "PartitionedCall", "x", f="layer")]
    bodies = with_bodies(model_of(*nodes, library=(LAYER,)))
    assert bodies.origins == {"c_1/r": ("layer", "r")}
    assert bodies.model.graph["c/r"].op == "Neg"


def test_what_saves_is_apart_with_all_that_it_runs_and_the_rest_is_not() -> None:
    """The result of a function waits for what the function reads: that is no training part."""
    done = make_node("done", "NoOp", ["^r"])
    layer = function(
        "waiting", "i:output:0", op("r", "Relu", "a"), done, op("i", "Identity", "r:activations:0", "^done")
    )
    saver = function("saver", "k:output:0", op("k", "Identity", "a"), make_node("s", "SaveV2", ["a", "a", "a"]))
    calls = [calling(name, "PartitionedCall", "x", f=f) for name, f in (("c", "waiting"), ("save", "saver"))]
    drawing = graphscope.draw(model_of(placeholder("x"), *calls, library=(layer, saver)), depth=9)
    outside = {placed.box.name for placed in drawing.picture.boxes if placed.box.is_outside}
    assert {name.partition("/")[0] for name in outside} == {"save"}
    assert fed_by(drawing)["c"] == ["c/i"]


def test_flops_of_bodies_are_shared_by_their_calls() -> None:
    calls = [calling(f"c{i}", "PartitionedCall", "x", f="layer") for i in range(3)]
    model = model_of(placeholder("x", DataType.FLOAT, 4, 8), *calls, library=(LAYER,))
    drawing = graphscope.draw(model, color="flops")
    names = [drawing.diagram.graph.names[number] for number in drawing.diagram.nodes]
    assert {names[place]: text for place, text in drawing.colorings[0].amounts.items()} == {
        f"c{i}/r": "32 FLOPs" for i in range(3)
    }
