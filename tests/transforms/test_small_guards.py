"""The small transforms, node by node: placement, prefixes, half precision, frames, random numbers, sources of data."""

from __future__ import annotations

import re
from typing import Any

import numpy as np
import pytest

from graphscope.core.changes.build import constant, make_node, type_attr
from graphscope.core.checks.frames import refuse_mixed_frames
from graphscope.core.graph import Function, Graph, Node
from graphscope.core.ops.table import registered_ops
from graphscope.core.values.dtypes import DataType
from graphscope.core.values.payload import ArrayPayload
from graphscope.errors import GraphscopeError, UnknownNameError
from graphscope.protos import AttrValue, FunctionDef, GraphDef
from graphscope.transforms.bake import bake, placeholder_spec
from graphscope.transforms.changes import OpChange, op_changes
from graphscope.transforms.colocate import colocate
from graphscope.transforms.findings.randomness import random_sources
from graphscope.transforms.findings.sources import DataSource, data_sources, refuse_sources
from graphscope.transforms.float16 import store_as_float16
from graphscope.transforms.name_prefix import add_prefix
from graphscope.transforms.subgraph import clear_placement, prune_library
from tests.support.graphs import const, graph_of, names, op, placeholder
from tests.support.running import attr_value


def chain(count: int, source: str, name: str) -> list[Node]:
    between = [f"{name}_{i}" for i in range(count - 1)] + [name]
    return [op(new, "Identity", before) for before, new in zip([source, *between], between)]


def on(device: str, *groups: bytes, name: str) -> Node:
    result = make_node(name, "NoOp")
    result.proto.device = device
    if groups:
        result.proto.attr["_class"].list.s.extend(groups)
    return result


def calling(name: str, **functions: str) -> Node:
    result = make_node(name, "PartitionedCall")
    for key, called in functions.items():
        result.proto.attr[key].func.name = called
    return result


def function(name: str, *nodes: Node) -> Function:
    proto = FunctionDef()
    proto.signature.name = name
    return Function(proto, nodes)


# Baking


def test_only_the_placeholder_that_is_named_becomes_a_constant() -> None:
    graph = graph_of(placeholder("x"), placeholder("y"), op("n", "Neg", "x"))
    baked = bake(graph, {"x:0": np.float32(3)})
    assert baked.ops == ["Const", "Placeholder", "Neg"]
    assert baked["y"] is graph["y"]
    assert bake(graph, {}) is graph


def test_what_is_no_placeholder_is_refused_by_name() -> None:
    graph = graph_of(*(placeholder(f"p{i}") for i in range(10)), op("n", "Neg", "p0"))
    with pytest.raises(UnknownNameError, match="placeholder"):
        bake(graph, {"nowhere": np.float32(1)})
    with pytest.raises(GraphscopeError, match="n is") as error:
        bake(graph, {"n": np.float32(1)})
    assert str(error.value.hint).endswith("p0, p1, p2, p3, p4, p5, p6, p7")


def test_what_a_placeholder_takes() -> None:
    bare = make_node("x", "Placeholder")
    assert (placeholder_spec(bare).dtype, placeholder_spec(bare).shape) == (DataType.INVALID, None)
    for shape, expected in (((), None), ((2, -1), (2, None))):
        stated = {
            "dtype": type_attr(DataType.INT8),
            "shape": attr_value(registered_ops()["Placeholder"], "shape", shape),
        }
        spec = placeholder_spec(make_node("x", "Placeholder", (), stated))
        assert (spec.name, spec.dtype, spec.shape) == ("x", DataType.INT8, expected)


# Changes


def test_the_largest_change_comes_first() -> None:
    before = graph_of(*(op(f"a{i}", kind) for i, kind in enumerate("Neg Neg Neg Abs Add Exp".split())))
    after = graph_of(*(op(f"a{i}", kind) for i, kind in enumerate("Add Sqrt Abs Abs Abs Log".split())))
    expected = [("Neg", 3, 0), ("Abs", 1, 3), ("Exp", 1, 0), ("Log", 0, 1), ("Sqrt", 0, 1)]
    assert op_changes(before, after) == [OpChange(*row) for row in expected]


# Placement


@pytest.mark.parametrize(
    ("nodes", "device"),
    [
        ([on("", b"loc:@b", name="a"), on("/cpu:1", name="b")], "/cpu:1"),
        ([on("/cpu:2", b"loc:@b", name="a"), on("/cpu:1", name="b")], "/cpu:2"),
        ([on("", b"loc:@b", name="a"), on("", name="b")], ""),
        ([on("", b"loc:@nowhere", b"loc:@b", name="a"), on("/cpu:1", name="b")], "/cpu:1"),
        ([on("", b"loc:@b", b"loc:@c", name="a"), on("/cpu:1", name="b"), on("/cpu:2", name="c")], "/cpu:1"),
        ([on("", b"loc:@a", b"loc:@b", name="a"), on("/cpu:1", name="b")], "/cpu:1"),
        ([on("", b"xyz:@b", name="a"), on("/cpu:1", name="b")], ""),
        ([on("", name="a"), on("/cpu:1", name="b")], ""),
        ([on("", b"loc:@b", name="a"), on("", b"loc:@a", name="b")], ""),
    ],
)
def test_a_node_goes_where_the_one_beside_it_is(nodes: list[Node], device: str) -> None:
    assert colocate(graph_of(*nodes))["a"].device == device


@pytest.mark.parametrize(("count", "device"), [(16, "/cpu:1"), (17, "")])
def test_chains_of_colocation_are_followed_so_far(count: int, device: str) -> None:
    nodes = [on("", f"loc:@n{i + 1}".encode(), name=f"n{i}") for i in range(count)]
    assert colocate(graph_of(*nodes, on("/cpu:1", name=f"n{count}")))["n0"].device == device


@pytest.mark.parametrize("keeps", [False, True])
def test_placement_is_cleared_in_functions_too(keeps: bool) -> None:
    nodes = [on("/cpu:1", b"loc:@b", name="a"), on("/cpu:1", name="b"), on("", name="c")]
    graph = Graph(GraphDef(), nodes, [function("f", *nodes)])
    cleared = clear_placement(graph, keep_devices=keeps)
    for body in (cleared, cleared.functions["f"]):
        assert [n.device for n in body] == (["/cpu:1", "/cpu:1", ""] if keeps else ["", "", ""])
        assert not any("_class" in n.attrs for n in body)
        assert body["c"] is nodes[2]
        assert (body["b"] is nodes[1]) is keeps


# Libraries


def library(*gradients: tuple[str, str], called: str = "f") -> Graph:
    header = GraphDef()
    for name, gradient in gradients:
        header.library.gradient.add(function_name=name, gradient_func=gradient)
    functions = [function("f", calling("c", f="g")), function("g"), function("h"), function("gradient")]
    return Graph(header, [calling("c", f=called)], functions)


@pytest.mark.parametrize(
    ("graph", "functions", "gradients"),
    [
        (library(), ["f", "g"], []),
        (library(called="g"), ["g"], []),
        (library(("f", "gradient")), ["f", "g", "gradient"], ["f"]),
        (library(("g", "gradient"), ("h", "f")), ["f", "g", "gradient"], ["g"]),
        (library(("h", "gradient")), ["f", "g"], []),
        (library(("f", "nowhere")), ["f", "g"], ["f"]),
    ],
)
def test_what_nobody_calls_leaves_the_library(graph: Graph, functions: list[str], gradients: list[str]) -> None:
    pruned = prune_library(graph)
    assert list(pruned.functions) == functions
    assert [g.function_name for g in pruned.header.library.gradient] == gradients
    again = prune_library(pruned)
    assert again is pruned


def test_a_library_that_is_needed_as_a_whole_stays() -> None:
    graph = Graph(GraphDef(), [calling("c", f="f")], [function("f")])
    assert prune_library(graph) is graph
    stray = GraphDef()
    stray.library.gradient.add(function_name="nowhere", gradient_func="f")
    assert not prune_library(Graph(stray, graph.nodes, graph.functions.values())).header.library.gradient


# Prefixes


def test_every_name_gets_the_prefix() -> None:
    loop = op("e", "Enter", "x", frame_name=b"loop")
    shared = make_node("v", "VarHandleOp", ["^x"], {"shared_name": AttrValue(s=b"v")})
    unnamed = make_node("w", "VarHandleOp", [], {"shared_name": AttrValue(s=b"")})
    several = calling("c", f="f", g="nowhere")
    several.proto.attr["branches"].list.func.add(name="f")
    direct = make_node("d", "f", ["x:1"], {"_class": AttrValue(list=AttrValue.ListValue(s=[b"loc:@v", b"other"]))})  # type: ignore[attr-defined]
    header = GraphDef()
    header.versions.producer = 9
    header.library.gradient.add(function_name="f", gradient_func="g")
    header.library.gradient.add(function_name="nowhere", gradient_func="SymbolicGradient")
    graph = Graph(header, [loop, shared, unnamed, several, direct], [function("f", calling("c", f="g")), function("g")])
    result = add_prefix(graph, "p")
    assert names(result) == ["p/e", "p/v", "p/w", "p/c", "p/d"]
    assert [list(n.inputs) for n in result] == [["p/x"], ["^p/x"], [], [], ["p/x:1"]]
    assert result["p/e"].attrs["frame_name"].s == b"p/loop"
    assert result["p/v"].attrs["shared_name"].s == b"p/v"
    assert result["p/w"].attrs["shared_name"].s == b""
    assert result["p/d"].op == "p/f"
    assert list(result["p/d"].attrs["_class"].list.s) == [b"loc:@p/v", b"other"]
    called = result["p/c"].attrs
    assert (called["f"].func.name, called["g"].func.name) == ("p/f", "nowhere")
    assert [f.name for f in called["branches"].list.func] == ["p/f"]
    assert list(result.functions) == ["p/f", "p/g"]
    assert result.functions["p/f"]["c"].attrs["f"].func.name == "p/g"
    gradients = [(g.function_name, g.gradient_func) for g in result.header.library.gradient]
    assert gradients == [("p/f", "p/g"), ("nowhere", "SymbolicGradient")]
    assert (result.producer, names(graph), graph.header.library.gradient[0].function_name) == (9, list("evwcd"), "f")


# Half precision


@pytest.mark.parametrize(
    ("values", "is_half"),
    [
        (np.zeros(256, np.float32), True),
        (np.zeros(255, np.float32), False),
        (np.full(300, 65504, np.float32), True),
        (np.full(300, -65504, np.float32), True),
        (np.full(300, 65505, np.float32), False),
        (np.array([0] * 299 + [np.inf], np.float32), False),
        (np.array([0] * 299 + [np.nan], np.float32), False),
        (np.zeros(300, np.float64), False),
        (np.zeros(300, np.int32), False),
    ],
)
def test_what_half_precision_can_hold(values: Any, is_half: bool) -> None:
    graph = graph_of(placeholder("x"), constant("w", values, ["^x"]), op("i", "Identity", "w"))
    stored = store_as_float16(graph)
    assert (stored is not graph) is is_half
    if is_half:
        assert names(stored) == ["x", "w/float16", "w", "i"]
        assert (stored["w"].op, list(stored["w"].inputs), list(stored["w/float16"].inputs)) == (
            "Cast",
            ["w/float16"],
            ["^x"],
        )
        payload = stored["w/float16"].tensor()
        assert payload is not None
        assert b"".join(payload.chunks()) == payload.numpy().tobytes() == values.astype("<f2").tobytes()
        assert (payload.nbytes, payload.shape) == (2 * values.size, values.shape)


def test_a_value_that_does_not_fit_may_stand_anywhere() -> None:
    values = np.zeros((1 << 20) // 4 + 2, np.float32)
    values[-1] = 1e6
    graph = graph_of(constant("w", ArrayPayload(values)))
    assert store_as_float16(graph) is graph


# Frames


def loop(name: str, source: str, frame: bytes) -> Node:
    return op(name, "Enter", source, frame_name=frame)


@pytest.mark.parametrize(
    ("nodes", "message"),
    [
        ([loop("e", "c", b"f"), op("n", "Neg", "e"), op("o", "Exit", "n"), op("y", "Add", "o", "c")], None),
        ([loop("e", "c", b"f"), op("y", "Add", "e", "c")], r"y \(Add\)"),
        ([loop("e", "c", b"f"), op("y", "Add", "c", "e")], r"y \(Add\)"),
        ([loop("e", "c", b"f"), loop("d", "c", b"g"), op("y", "Add", "d", "e")], r"the loop [fg]"),
        ([loop("e", "c", b"f"), loop("d", "c", b"f"), op("y", "Add", "d", "e")], None),
        ([loop("e", "c", b"f"), loop("d", "e", b"g"), op("y", "Exit", "d"), op("z", "Add", "y", "e")], None),
        ([loop("e", "c", b"f"), loop("d", "e", b"g"), op("y", "Exit", "d"), op("z", "Add", "y", "c")], r"z \(Add\)"),
        ([loop("e", "c", b"f"), op("y", "Neg", "c", "^e")], r"y \(Neg\)"),
        ([make_node("e", "Enter", ["c"]), make_node("d", "RefEnter", ["c"]), op("y", "Add", "d", "e")], None),
        ([loop("e", "c", b"f"), op("m", "Merge", "e", "n"), op("n", "NextIteration", "m")], None),
        ([op("y", "Add", "c", "c")], None),
    ],
)
def test_inputs_come_from_one_frame(nodes: list[Node], message: str | None) -> None:
    graph = graph_of(const("c", 1), *nodes)
    if message is None:
        refuse_mixed_frames(graph)
    else:
        with pytest.raises(GraphscopeError, match=message):
            refuse_mixed_frames(graph)


# Random numbers


DRAWS = function("draws", make_node("r", "RandomUniform", []), make_node("s", "Multinomial", []))
OUTER = function("outer", calling("c", f="draws"))
ROUND = function("round", calling("c", f="round"))


@pytest.mark.parametrize(
    ("nodes", "expected"),
    [
        ([op("a", "RandomStandardNormal", "x"), op("y", "Add", "a", "x")], {"a": "RandomStandardNormal"}),
        ([op("a", "RandomStandardNormal", "x"), op("y", "Neg", "x")], {}),
        ([op("a", "StatelessRandomNormal", "x"), op("y", "Neg", "a")], {}),
        ([op("a", "SomeRandomOp"), op("y", "Neg", "a")], {}),
        ([op("a", "VariableV2"), op("y", "Neg", "a")], {}),
        ([calling("y", f="draws")], {"y": "RandomUniform"}),
        ([calling("y", f="outer")], {"y": "RandomUniform"}),
        ([calling("y", f="nowhere", g="draws")], {"y": "RandomUniform"}),
        ([calling("y", f="round")], {}),
        ([make_node("y", "outer")], {"y": "RandomUniform"}),
    ],
)
def test_what_makes_a_tensor_random(nodes: list[Node], expected: dict[str, str]) -> None:
    graph = Graph(GraphDef(), [placeholder("x"), *nodes], [DRAWS, OUTER, ROUND])
    assert random_sources(graph, "y:0") == expected
    if not any("f" in n.attrs for n in nodes) and "outer" not in graph.ops:
        assert random_sources(graph.with_functions([]), "y") == expected


# Data


def test_where_a_graph_takes_data_from() -> None:
    nodes = [
        make_node("it", "IteratorV2"), make_node("next", "IteratorGetNext", ["it"]),
        make_node("one", "OneShotIterator"), make_node("again", "IteratorGetNextSync", ["one"]),
        make_node("handle", "IteratorToStringHandle", ["one"]), make_node("from", "IteratorFromStringHandleV2", ["handle"]),
        make_node("far", "IteratorGetNext", ["from"]), make_node("bare", "IteratorGetNext"),
        make_node("lost", "Identity"), make_node("blind", "IteratorGetNext", ["lost"]),
        make_node("q", "FIFOQueueV2"), make_node("out", "QueueDequeueUpToV2", ["q"]),
        make_node("read", "ReaderReadV2", ["q"]), make_node("stage", "Unstage"), op("plain", "Neg", "next"),
    ]  # fmt: skip
    found = data_sources(graph_of(*nodes))
    rows = [
        ("next", False),
        ("again", True),
        ("far", True),
        ("bare", False),
        ("blind", False),
        ("out", False),
        ("read", False),
        ("stage", False),
    ]
    assert [(s.node, s.runs_alone) for s in found] == rows
    kinds = ["an iterator"] * 5 + ["a queue", "a reader", "a staging area"]
    assert [s.kind for s in found] == kinds
    assert found[0] == DataSource("next", "IteratorGetNext", "an iterator", False, "", ("next",))


@pytest.mark.parametrize(("count", "runs_alone"), [(15, True), (16, True), (17, False)])
def test_an_iterator_is_looked_for_so_far(count: int, runs_alone: bool) -> None:
    graph = graph_of(
        make_node("it", "OneShotIterator"), *chain(count, "it", "i"), make_node("n", "IteratorGetNext", ["i"])
    )
    assert [s.runs_alone for s in data_sources(graph)] == [runs_alone]


@pytest.mark.parametrize("count", [1, 4, 5, 6])
def test_sources_are_refused_and_the_last_ones_named(count: int) -> None:
    queues = [make_node(f"q{i}", "QueueDequeue", [f"q{i - 1}"] if i else []) for i in range(count)]
    with pytest.raises(GraphscopeError) as error:
        refuse_sources(graph_of(*queues), "m.pb")
    text = str(error.value)
    assert text.count("QueueDequeue") == min(count, 4)
    assert (f"and {count - 4} more" in text) is (count > 4)
    assert re.findall(r"\bq\d", str(error.value.hint)) == [f"q{count - 1}"]
    refuse_sources(graph_of(make_node("o", "OneShotIterator"), make_node("n", "IteratorGetNext", ["o"])), "m.pb")
