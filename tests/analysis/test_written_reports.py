"""Reports on graphs written as text, to the last field: nodes, attributes, scopes, sums, classes."""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from graphscope.analysis.classes import Naming, top_classes
from graphscope.analysis.detail import PREVIEW_BYTES, Attribute, show, type_text, value_text
from graphscope.analysis.ends.outputs import MAX_OUTPUTS
from graphscope.analysis.listing import Listing, NodeFilter, list_nodes
from graphscope.analysis.scopes import MAX_LEVELS, ScopeRow, scope_tree, weight_holders
from graphscope.analysis.summary import Amount, kind_text, summarize
from graphscope.analysis.tensors import TensorLister
from graphscope.analysis.variable_rows import find_weight, list_weights, weights, with_statistics
from graphscope.core.changes.build import constant
from graphscope.core.graph import Function, Graph
from graphscope.core.model import Model, ModelKind
from graphscope.core.ops.table import OpCatalog
from graphscope.core.tensors import TensorSpec
from graphscope.core.values.dtypes import DataType
from graphscope.core.values.payload import AbsentPayload, ArrayPayload, Payload
from graphscope.errors import GraphscopeError, UnknownNameError
from graphscope.protos import AttrValue, FunctionDef, GraphDef
from tests.support.payloads import MemoryStore
from tests.support.written import graph_of, model_of

FLOAT, INT32 = DataType.FLOAT, DataType.INT32
NET = ["x Placeholder(?,4)", "w Variable(4,3)", "h MatMul x w", "out Foo h ^x", "out:1 Bar out:2"]


def with_function(lines: list[str], body: list[str]) -> Graph:
    """A graph with the library function ``f``."""
    proto = FunctionDef()
    proto.signature.name = "f"
    return Graph(GraphDef(), graph_of(lines).nodes, [Function(proto, graph_of(body).nodes)])


class Sized(Payload):
    """A tensor of a stated size, all of it one number."""

    __slots__ = ()

    def chunks(self) -> Iterator[bytes]:
        raise NotImplementedError

    def numpy(self) -> NDArray[Any]:
        return np.broadcast_to(np.float32(7), self.shape)


# Classes


def test_highest_classes_come_first_of_equal_ones_the_lower_and_nan_last() -> None:
    rows = np.array([[0.1, 0.5, math.nan, 0.5], [0.0, 0.25, 0.5, 0.25]], np.float32)
    naming = Naming(["a.png", "b.png"], ["w", "x", "y", "z"], {"a.png": "x", "b.png": "x"})
    first, second = top_classes("out:0", rows, 3, naming)
    assert [(g.index, g.label, g.score) for g in first.guesses[:2]] == [(1, "x", 0.5), (3, "z", 0.5)]
    assert [g.label for g in first.guesses] == ["x", "z", "w"]
    assert (first.output, first.name, first.truth, first.is_right) == ("out:0", "a.png", "x", True)
    assert (second.name, second.is_right, [g.label for g in second.guesses]) == ("b.png", False, ["y", "x", "z"])


def test_examples_and_classes_without_names_are_numbered() -> None:
    found = top_classes("o", np.eye(3, 2, dtype=np.float32), 9, Naming(["only one"]))
    assert [(e.name, [g.label for g in e.guesses], e.is_right) for e in found] == [
        ("0", ["0", "1"], None),
        ("1", ["1", "0"], None),
        ("2", ["0", "1"], None),
    ]
    with pytest.raises(GraphscopeError, match="3 labels, but o has 2 classes"):
        top_classes("o", np.eye(3, 2, dtype=np.float32), 1, Naming(classes=["a", "b", "c"]))


def test_no_examples_have_no_classes() -> None:
    assert top_classes("o", np.zeros((0, 5), np.float32), 3, Naming()) == []


# Nodes


def test_a_node_with_its_surroundings() -> None:
    made = model_of(graph_of(NET))
    detail = show(made, "out")
    assert (detail.weight, detail.values) == (None, None)
    node = detail.node
    assert node is not None
    assert (node.function, node.name, node.op, node.device, node.is_registered) == ("", "out", "Foo", "", False)
    assert node.inputs == (("h", "MatMul"), ("^x", "Placeholder"))
    assert node.consumers == (("out:1", "Bar"),)
    assert [(t.name, t.dtype) for t in node.outputs] == [("out:0", FLOAT), ("out:1", FLOAT), ("out:2", FLOAT)]
    assert [a.name for a in node.attributes] == ["T", "dtype"]
    exact = show(made, "out:1").node
    assert exact is not None
    assert exact.name == "out:1"
    lost = show(model_of(graph_of(["a Neg lost"])), "a").node
    assert lost is not None
    assert lost.is_registered
    assert lost.inputs == (("lost", ""),)


def test_a_node_of_a_function_and_names_that_are_close() -> None:
    made = model_of(with_function(["a Neg b"], ["inside Neg a", "a Const=3"]))
    node = show(made, "f/inside:0").node
    assert node is not None
    assert (node.function, node.name) == ("f", "inside")
    found = show(made, "f/a")
    assert found.weight is not None
    assert (found.weight.name, found.weight.kind, found.weight.elements, found.weight.size_bytes) == (
        "f/a",
        "constant",
        1,
        4,
    )
    assert found.values is not None
    assert found.values.tolist() == 3
    for name in ("inside", "g/inside", "f/insid", "finside"):
        with pytest.raises(UnknownNameError):
            show(made, name)
    with pytest.raises(UnknownNameError, match="closest: insid"):
        show(model_of(graph_of(["insid Neg b"])), "insi")


def test_a_checkpoint_without_a_graph() -> None:
    values = [("v", ArrayPayload(np.arange(3, dtype=np.float32)))]
    made = Model("m", ModelKind.CHECKPOINT, "", (), store=MemoryStore(values))
    detail = show(made, "v")
    assert detail.node is None
    assert detail.values is not None
    assert detail.values.tolist() == [0, 1, 2]
    with pytest.raises(UnknownNameError, match="closest: v"):
        show(made, "vv")


@pytest.mark.parametrize(("size", "is_read"), [(PREVIEW_BYTES, True), (PREVIEW_BYTES + 4, False)])
def test_values_up_to_a_size_are_read(size: int, is_read: bool) -> None:
    made = Model("m", ModelKind.GRAPH, "", (), Graph(GraphDef(), [constant("c", Sized(FLOAT, (size // 4,)))]))
    assert (show(made, "c").values is not None) is is_read


def test_attributes_as_text() -> None:
    several = AttrValue(list={})
    several = type(several.list)(
        s=[b"a", b"\xff"],
        i=[1, 2],
        f=[0.5],
        b=[True],
        type=[1, 101],
        shape=[{"dim": [{"size": 2}]}],
        func=[{"name": "f"}],
    )
    several.tensor.add(dtype=3).tensor_shape.dim.add(size=4)  # type: ignore[attr-defined]
    unknown = AttrValue()
    unknown.shape.unknown_rank = True
    rows = {
        "b'\\xff'": AttrValue(s=b"\xff"),
        "text": AttrValue(s=b"text"),
        "-3": AttrValue(i=-3),
        "0.25": AttrValue(f=0.25),
        "false": AttrValue(b=False),
        "float32_ref": AttrValue(type=101),
        "unknown rank": unknown,
        "int32 (4)": AttrValue(tensor=several.tensor[0]),
        "[a, b'\\xff', 1, 2, 0.5, true, float32, float32_ref, (2), int32 (4), f]": AttrValue(list=several),
        "g": AttrValue(func={"name": "g"}),
        "p": AttrValue(placeholder="p"),
        "": AttrValue(),
    }
    assert {value_text(value) for value in rows.values()} == set(rows)
    for text, value in rows.items():
        assert value_text(value) == text
    assert [type_text(n) for n in (0, 1, 100, 101, 199, 999)] == [
        DataType.INVALID.label,
        "float32",
        "dtype 100",
        "float32_ref",
        "dtype 199",
        "dtype 999",
    ]


def test_tensors_as_text() -> None:
    graph = Graph(GraphDef(), [constant("big", ArrayPayload(np.zeros((2, 600), np.float32))), *graph_of(["c Const=3"])])
    node = show(model_of(graph), "big").node
    assert node is not None
    whole = {"dtype": "float32", "shape": [2, 600]}
    assert Attribute("value", "tensor", "float32 (2, 600), 4,800 bytes", whole) in node.attributes
    node = show(model_of(graph), "c").node
    assert node is not None
    assert Attribute("value", "tensor", "float32 ()", {"dtype": "float32", "shape": []}) in node.attributes
    empty = graph_of(["e Neg"])
    empty["e"].proto.attr["empty"].SetInParent()
    node = show(model_of(empty), "e").node
    assert node is not None
    assert Attribute("empty", "empty", "") in node.attributes


@pytest.mark.parametrize(
    ("lines", "expected"),
    [
        (["n Foo", "a Neg n", "b Neg n:3"], ["float32"] * 4),
        (["n Foo", "a Neg ^n"], ["float32"]),
        (["n Foo"], ["float32"]),
        (["n Foo:int32", "a Neg n:1"], ["int32"] * 2),
        (["n NoOp", "a Neg n:5"], []),
        (["n Switch", "a Neg m:5 n"], ["float32"] * 2),
    ],
)
def test_outputs_of_ops_that_nobody_knows_are_those_that_are_taken(lines: list[str], expected: list[str]) -> None:
    graph = graph_of(lines)
    found = TensorLister(OpCatalog(), 0).outputs(graph["n"], graph)
    assert [t.name for t in found] == [f"n:{k}" for k in range(len(expected))]
    assert [t.dtype.label for t in found] == expected


@pytest.mark.parametrize(
    ("number", "dtype", "is_ref"), [(1, FLOAT, False), (101, FLOAT, True), (100, DataType.INVALID, False)]
)
def test_references_among_outputs_that_nobody_knows(number: int, dtype: DataType, is_ref: bool) -> None:
    graph = graph_of(["n Foo"])
    graph["n"].proto.attr["T"].type = number
    assert TensorLister(OpCatalog(), 0).outputs(graph["n"], graph) == [TensorSpec("n:0", dtype, None, is_ref)]
    del graph["n"].proto.attr["T"]
    graph["n"].proto.attr["dtype"].i = 3
    [found] = TensorLister(OpCatalog(), 0).outputs(graph["n"], graph)
    assert (found.dtype, found.is_ref) == (DataType.INVALID, False)


def test_inferred_shapes_go_before_stated_ones() -> None:
    graph = graph_of(["x Placeholder(?,4)", "y Placeholder(3)"])
    lister = TensorLister(OpCatalog(), 30, {"x:0": (2, None), "z:0": (1,)})
    assert [lister.outputs(n, graph)[0].shape for n in graph] == [(2, 4), (3,)]
    other = TensorLister(OpCatalog(), 30, {"x:0": (2, 5), "y:0": (1, None)})
    assert [other.outputs(n, graph)[0].shape for n in graph] == [(2, 5), (1, None)]


def test_filters_hold_together() -> None:
    made = model_of(with_function(["a/b Neg", "a Exp a/b", "ab Neg a", "c Neg ab"], ["a/f Neg", "g Exp a/f"]))

    def found(functions: bool = False, **chosen: object) -> list[tuple[str, str, int | None]]:
        listing = Listing(NodeFilter(**chosen), functions)  # type: ignore[arg-type]
        return [(row.function, row.name, row.distance) for row in list_nodes(made, listing)]

    assert found(scope="a/") == [("", "a/b", None), ("", "a", None)]
    assert found(scope="a", ops=["Neg"]) == [("", "a/b", None)]
    assert found(functions=True, scope="a", ops=["Neg"]) == [("", "a/b", None), ("f", "a/f", None)]
    assert found(inputs_of="c", depth=2) == [("", "a", 2), ("", "ab", 1)]
    assert found(functions=True, inputs_of="c", depth=1) == [("", "ab", 1)]
    assert found(functions=True, ops=["Exp"]) == [("", "a", None), ("f", "g", None)]
    for wrong in ({"scope": "g"}, {"scope": "b"}, {"ops": ["Neg", "Add"]}):
        with pytest.raises(UnknownNameError):
            found(**wrong)
    assert found(functions=True, scope="g") == [("f", "g", None)]


# Scopes


def test_scopes_to_the_last_number() -> None:
    lines = [
        "a/w Variable(2,3)",
        "a/c Const=[1,2,3]",
        "a NoOp",
        "b/x/y Neg",
        'b/t Const:string="ab"',
        "b/open Variable(?,3)",
    ]
    rows = list(
        scope_tree(
            graph_of([*lines, "/d Neg", "b/none VariableV2", "e/v Variable:int64(5)", "e/r Variable:resource(5)"])
        )
    )
    assert rows[:3] == [
        ScopeRow(0, "a", "a", "NoOp", 3, 9, 36, (False,)),
        ScopeRow(1, "w", "a/w", "Variable", 1, 6, 24, (False, False)),
        ScopeRow(1, "c", "a/c", "Const", 1, 3, 12, (False, True)),
    ]
    assert [(r.depth, r.label, r.name, r.op, r.nodes, r.parameters, r.parameter_bytes) for r in rows[3:]] == [
        (0, "b", "b", "", 4, 0, 0),
        (1, "x", "b/x", "", 1, 0, 0),
        (2, "y", "b/x/y", "Neg", 1, 0, 0),
        (1, "t", "b/t", "Const", 1, 0, 0),
        (1, "open", "b/open", "Variable", 1, 0, 0),
        (1, "none", "b/none", "VariableV2", 1, 0, 0),
        (0, "d", "/d", "Neg", 1, 0, 0),
        (0, "e", "e", "", 2, 5, 40),
        (1, "v", "e/v", "Variable", 1, 5, 40),
        (1, "r", "e/r", "Variable", 1, 0, 0),
    ]
    assert [r.is_last for r in rows[-3:]] == [(True,), (True, False), (True, True)]


def test_only_the_models_own_weights_count_where_that_is_asked_for() -> None:
    lines = ["w Const=[1,2,3]", "s Const=1", "i Const:int32=[1,2]", "v Variable(5)", "global_step Variable:int64()"]
    for chosen, expected in ((lines[:3], [3, 0, 0]), (lines, [0, 0, 0, 5, 0])):
        graph = graph_of(chosen)
        found = scope_tree(graph, None, weight_holders(model_of(graph)))
        assert [row.parameters for row in found] == expected


@pytest.mark.parametrize(
    ("depth", "names"), [(1, ["a"]), (2, ["a", "a/b"]), (3, ["a", "a/b", "a/b/c"]), (None, ["a", "a/b", "a/b/c"])]
)
def test_scopes_to_a_depth(depth: int | None, names: list[str]) -> None:
    assert [row.name for row in scope_tree(graph_of(["a/b/c Neg"]), depth)] == names


@pytest.mark.parametrize("parts", [MAX_LEVELS, MAX_LEVELS + 1, MAX_LEVELS + 2])
def test_a_name_of_many_parts_has_the_rest_in_one(parts: int) -> None:
    name = "/".join(f"p{k}" for k in range(parts))
    rows = list(scope_tree(graph_of([f"{name} Neg", f"{name}x Neg"])))
    levels = min(parts, MAX_LEVELS + 1)
    assert [row.depth for row in rows] == [*range(levels), levels - 1]
    assert rows[levels - 1].label == "/".join(name.split("/", MAX_LEVELS)[MAX_LEVELS:] or [f"p{parts - 1}"])
    assert rows[0].nodes == 2


# Sums


def test_a_summary_to_the_last_number() -> None:
    lines = ["x Placeholder(?,4)", "w Const=[[1,2],[3,4]]", "s Const=1", "i Const:int32=[1,2]", "q Const:uint8=[1,2,3]"]
    lines += ["h MatMul x w", "t HashTableV2", "m MutableDenseHashTable", "c Strange", "d Strange", "e f"]
    graph = with_function(lines, ["v Const=[1,2]", "z Other"])
    graph["h"].proto.device = "/gpu:0"
    graph.header.versions.producer, graph.header.versions.min_consumer = 12, 3
    found = summarize(model_of(graph))
    assert found.kind == "frozen graph"
    assert found.parameters == Amount(3, 9, 27, {"float32": 6, "uint8": 3})
    assert found.slots == found.others == Amount(0, 0, 0, {})
    assert (found.missing, found.extra, found.shards, found.signatures) == ((), (), 0, ())
    whole = found.graph
    assert whole is not None
    assert (whole.nodes, whole.functions, whole.function_nodes) == (11, 1, 2)
    assert list(whole.ops.items())[:2] == [("Const", 4), ("Strange", 2)]
    assert (whole.producer, whole.min_consumer, dict(whole.devices)) == (12, 3, {"/gpu:0": 1})
    assert dict(whole.unregistered) == {"Strange": 2, "Other": 1}
    assert [(t.name, t.op) for t in whole.tables] == [("t", "HashTableV2"), ("m", "MutableDenseHashTable")]


def test_variables_and_values_that_do_not_meet() -> None:
    values = [(n, ArrayPayload(np.zeros(s, np.float32))) for n, s in (("w", (4, 3)), ("extra", (2,)), ("wrong", (5,)))]
    graph = graph_of(["x Placeholder(?,4)", "w Variable(4,3)", "gone Variable(7)", "wrong Variable(6)", "h MatMul x w"])
    made = Model("m", ModelKind.META_CHECKPOINT, "", (), graph, store=MemoryStore(values))
    found = summarize(made)
    assert found.kind == "meta checkpoint"
    assert (found.missing, found.extra) == (("gone",), ("extra",))
    assert [text.split()[0] for text in found.mismatched] == ["wrong"]
    assert {(r.name, r.is_missing, r.is_extra) for r in list_weights(made)} == {
        ("w", False, False),
        ("gone", True, False),
        ("wrong", False, False),
        ("extra", False, True),
    }
    assert {row.key for row in list_weights(made)} == {None}
    assert [row.stored != "" for row in list_weights(made) if row.name == "wrong"] == [True]
    assert {row.name: row.statistics is not None for row in with_statistics(weights(made)) if row.name != "wrong"} == {
        "w": True,
        "gone": False,
        "extra": True,
    }
    assert find_weight(made, "extra")[0].name == "extra"
    with pytest.raises(UnknownNameError):
        find_weight(made, "nothing")
    alone = summarize(Model("m", ModelKind.CHECKPOINT, "", (), store=MemoryStore(values)))
    assert (alone.parameters.tensors, alone.extra, alone.graph, alone.problems) == (3, (), None, ())
    assert summarize(model_of(graph)).kind == "graph with variables, no values"
    assert summarize(model_of(graph)).missing == ()


def test_a_variable_within_a_function_makes_no_frozen_graph() -> None:
    assert kind_text(model_of(with_function(["a Neg"], ["v VarHandleOp(2)"]))) == "graph with variables, no values"


def test_constants_without_content_have_no_statistics() -> None:
    absent = Graph(GraphDef(), [constant("big", ArrayPayload(np.zeros(600, np.float32)))])
    absent["big"].payloads = {"value": AbsentPayload(FLOAT, (600,), "somewhere")}
    [row] = with_statistics(weights(model_of(absent)))
    assert (row.name, row.elements, row.statistics) == ("big", 600, None)


def test_the_best_few_outputs_are_shown() -> None:
    ends = [f"o{k} Exp h" for k in range(MAX_OUTPUTS + 1)]
    graph = summarize(model_of(graph_of(["x Placeholder(?,4)", "w Variable(4,3)", "h MatMul x w", *ends]))).graph
    assert graph is not None
    assert [c.tensor for c in graph.outputs] == [f"o{k}:0" for k in range(MAX_OUTPUTS)]
    far = graph_of(
        ["x Placeholder(?,4)", "t Placeholder(?)", "w Variable(4,3)", "h MatMul x w", "o RealDiv h t", "p Exp h"]
    )
    graph = summarize(model_of(far)).graph
    assert graph is not None
    assert [(c.tensor, c.score) for c in graph.outputs] == [("o:0", 115), ("p:0", 55)]
    weak = graph_of(
        ["x Placeholder(?,4)", "t Placeholder(?)", "w Variable(4,3)", "h MatMul x w", "o RealDiv h t", "p Sum h"]
    )
    graph = summarize(model_of(weak)).graph
    assert graph is not None
    assert [c.tensor for c in graph.outputs] == ["o:0"]
