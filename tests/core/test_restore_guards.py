"""Which key belongs to which variable, node by node: restore ops, functions that restore, object graphs, slices."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from graphscope.core.changes.build import make_node, type_attr
from graphscope.core.graph import Function, Graph, Node
from graphscope.core.values.dtypes import DataType
from graphscope.core.values.payload import ArrayPayload
from graphscope.core.values.slices import SlicePayload, parse_slice, whole_shape
from graphscope.core.variables.object_graph import TrackedName, keys_by_name, saved_variables, tracked_names
from graphscope.core.variables.restore import RestoreSource, restore_sources
from graphscope.core.variables.roles import slots_in_graph
from graphscope.errors import IncompleteModelError
from graphscope.protos import AttrValue, FunctionDef, GraphDef, SavedObjectGraph, TrackableObjectGraph
from tests.support.graphs import FLOAT, const, graph_of, op

HANDLE = {"dtype": type_attr(DataType.FLOAT)}


def texts(name: str, *values: str) -> Node:
    return const(name, [v.encode() for v in values], object)


def assign(*inputs: str, kind: str = "AssignVariableOp", name: str = "a", validate: bool | None = None) -> Node:
    attrs = dict(HANDLE)
    if validate is not None:
        attrs["validate_shape"] = AttrValue(b=validate)
    return make_node(name, kind, inputs, attrs)


def chain(count: int, source: str, name: str, kind: str = "Identity") -> list[Node]:
    between = [f"{name}_{i}" for i in range(count - 1)] + [name]
    return [op(new, kind, before) for before, new in zip([source, *between], between)]


RESTORE = [
    texts("file", "ckpt"),
    texts("keys", "k0", "k1", "k2"),
    texts("parts", "", "4 0,2"),
    make_node("v", "VarHandleOp", (), HANDLE),
    make_node("r", "RestoreV2", ["file", "keys", "parts"]),
]


@pytest.mark.parametrize(
    ("nodes", "expected"),
    [
        ([assign("v", "r")], RestoreSource("k0")),
        ([assign("v", "r:1")], RestoreSource("k1", "4 0,2")),
        ([assign("v", "r:2")], RestoreSource("k2")),
        ([assign("v", "r:3")], None),
        ([assign("v")], None),
        ([assign("v", "nowhere")], None),
        ([assign("v", "file")], None),
        ([assign("v", "^r")], None),
        ([assign("v:0", "r")], RestoreSource("k0")),
        ([assign("v", "r", kind="Assign")], RestoreSource("k0")),
        ([assign("v", "r", kind="Assign", validate=True)], RestoreSource("k0")),
        ([assign("v", "r", kind="Assign", validate=False)], RestoreSource("k0", validates=False)),
        ([assign("v", "r", kind="AssignVariableOp", validate=False)], RestoreSource("k0")),
        ([assign("v", "r", kind="AssignAdd")], None),
        ([op("i", "Identity", "r:1"), assign("v", "i")], RestoreSource("k1", "4 0,2")),
        ([op("i", "Reshape", "r:1", "file"), assign("v", "i")], RestoreSource("k1", "4 0,2", converts=True)),
        ([op("i", "Cast", "r"), op("j", "Identity", "i"), assign("v", "j")], RestoreSource("k0", converts=True)),
        ([op("i", "Identity", "r"), op("j", "Cast", "i"), assign("v", "j")], RestoreSource("k0", converts=True)),
        ([op("i", "Neg", "r"), assign("v", "i")], None),
        ([op("i", "Identity"), assign("v", "i")], None),
        ([*chain(7, "r", "i"), assign("v", "i")], RestoreSource("k0")),
        ([*chain(8, "r", "i"), assign("v", "i")], None),
        ([make_node("s", "RestoreV2", ["file"]), assign("v", "s")], None),
        ([make_node("s", "RestoreV2", ["file", "keys"]), assign("v", "s:1")], RestoreSource("k1")),
        ([make_node("s", "Restore", ["file", "keys"]), assign("v", "s")], RestoreSource("k0")),
        ([make_node("s", "RestoreSlice", ["file", "keys", "parts"]), assign("v", "s")], RestoreSource("k0")),
        ([make_node("s", "RestoreV2", ["file", "r", "parts"]), assign("v", "s")], None),
        ([make_node("s", "RestoreV2", ["file", "nowhere", "parts"]), assign("v", "s")], None),
        ([const("n", [1, 2]), make_node("s", "RestoreV2", ["file", "n", "parts"]), assign("v", "s")], None),
        ([make_node("e", "Const"), make_node("s", "RestoreV2", ["file", "e", "parts"]), assign("v", "s")], None),
        ([assign("v", "r:1"), assign("v", "r", name="b")], RestoreSource("k1", "4 0,2")),
    ],
)
def test_the_key_behind_an_assign(nodes: list[Node], expected: RestoreSource | None) -> None:
    assert restore_sources(graph_of(*RESTORE, *nodes)) == ({} if expected is None else {"v": expected})


def group(name: str, *waits: str, kind: str = "NoOp") -> Node:
    return make_node(name, kind, [f"^{w}" for w in waits])


@pytest.mark.parametrize(
    ("nodes", "restore_op", "key"),
    [
        ([group("g", "b")], "g", "k1"),
        ([group("h", "b"), group("g", "h")], "g", "k1"),
        ([group("h", "b", kind="SomebodysOp"), group("g", "h")], "g", "k0"),
        ([group("g", "b")], "", "k0"),
        ([group("g", "b")], "nowhere", "k0"),
        ([], "b", "k1"),
    ],
)
def test_what_the_savers_own_op_runs_comes_first(nodes: list[Node], restore_op: str, key: str) -> None:
    graph = graph_of(*RESTORE, assign("v", "r"), assign("v", "r:1", name="b"), *nodes)
    assert restore_sources(graph, restore_op)["v"].key == key


def restoring(**results: str) -> Function:
    proto = FunctionDef()
    proto.signature.name = "restore"
    for argument in ("file", "h"):
        proto.signature.input_arg.add(name=argument)
    body = [
        texts("keys", "new"),
        texts("parts", ""),
        make_node("r", "RestoreV2", ["file", "keys:output:0", "parts:output:0"]),
    ]
    return Function(
        proto,
        [
            *body,
            assign("h", "r:tensors:0"),
            make_node("w", "VarHandleOp", (), HANDLE),
            assign("w", "r:tensors:0", name="b"),
        ],
    )


def call(kind: str, called: str, *inputs: str) -> Node:
    result = make_node("c", kind, inputs)
    if called:
        result.proto.attr["f"].func.name = called
    return result


@pytest.mark.parametrize(
    ("caller", "expected"),
    [
        (call("StatefulPartitionedCall", "restore", "file", "v"), {"v": RestoreSource("new")}),
        (call("PartitionedCall", "restore", "file", "^r", "v:0"), {"v": RestoreSource("new")}),
        (call("PartitionedCall", "restore", "file"), {}),
        (call("SomebodysCall", "restore", "file", "v"), {}),
        (call("PartitionedCall", "nowhere", "file", "v"), {}),
        (call("PartitionedCall", "", "file", "v"), {}),
    ],
)
def test_a_function_restores_its_arguments(caller: Node, expected: dict[str, RestoreSource]) -> None:
    graph = Graph(GraphDef(), [*RESTORE, caller], [restoring()])
    assert restore_sources(graph, "c") == expected
    assert restore_sources(graph, "") == {}


# Slots


@pytest.mark.parametrize(
    ("nodes", "slots"),
    [
        ([make_node("a", "ApplyMomentum", ["v", "m", "lr", "g", "mu"], FLOAT)], {"m"}),
        ([make_node("a", "ResourceApplyAdam", ["v", "m", "u", *"abcdefg"], FLOAT)], {"m", "u"}),
        ([make_node("a", "ResourceApplyAdam", ["v:0", "m:0", "u:0", *"abcdefg", "^w"], FLOAT)], {"m", "u"}),
        ([make_node("a", "ResourceApplyAdam", ["v", "m", "u"], FLOAT)], set()),
        ([make_node("a", "ApplyGradientDescent", ["v", "lr", "g"], FLOAT)], set()),
        ([make_node("a", "ApplyNothing", ["v", "m"], FLOAT)], set()),
        ([make_node("a", "Assign", ["v", "m"], FLOAT)], set()),
    ],
)
def test_what_training_ops_keep_state_in(nodes: list[Node], slots: set[str]) -> None:
    assert slots_in_graph(graph_of(*nodes)) == slots


# Object graphs

VALUE = "/.ATTRIBUTES/VARIABLE_VALUE"


def objects(*nodes: dict[str, Any]) -> TrackableObjectGraph:
    """Each node: ``name`` and ``key`` of its variable, ``children`` and ``slots`` by name -> number."""
    graph = TrackableObjectGraph()
    for stated in nodes:
        node = graph.nodes.add()
        if "key" in stated:
            node.attributes.add(full_name=stated.get("name", ""), checkpoint_key=stated["key"])
        for name, number in stated.get("children", {}).items():
            node.children.add(local_name=name, node_id=number)
        for original, (name, number) in stated.get("slots", {}).items():
            node.slot_variables.add(original_variable_node_id=original, slot_name=name, slot_variable_node_id=number)
    return graph


def test_names_of_keys() -> None:
    graph = objects(
        {},
        {"name": "w", "key": f"a/w{VALUE}"},
        {"name": "w", "key": f"b/w{VALUE}"},
        {"name": "v", "key": "v"},
        {"key": f"u{VALUE}"},
    )
    assert tracked_names(graph) == {
        f"a/w{VALUE}": TrackedName("a/w", False),
        f"b/w{VALUE}": TrackedName("b/w", False),
        "v": TrackedName("v", False),
        f"u{VALUE}": TrackedName("u", False),
    }
    assert keys_by_name(graph) == {"w": f"b/w{VALUE}", "v": "v"}


LEAVES = [{"name": f"v{i}", "key": f"k{i}"} for i in range(4)]


@pytest.mark.parametrize(
    ("optimizer", "slots"),
    [
        ({}, set()),
        ({"slots": {1: ("m", 2)}}, {"v2"}),
        ({"slots": {1: ("m", 2)}, "children": {"beta": 3}}, {"v2", "v3"}),
        ({"children": {"_iterations": 1, "_learning_rate": 2}}, {"v1", "v2"}),
        ({"children": {"_iterations": 1, "_learning_rate": 2, "m": 3}}, {"v1", "v2", "v3"}),
        ({"children": {"_iterations": 1, "other": 2}}, set()),
        ({"children": {"_iterations": 1, "_learning_rate": 2, "_trainable_variables": 3}}, {"v1", "v2"}),
        ({"children": {"_iterations": 1, "_learning_rate": 2, "list": 5}}, {"v1", "v2", "v3"}),
        ({"children": {"_iterations": -1, "_learning_rate": 6}}, set()),
        ({"children": {"_iterations": 0, "_learning_rate": 2}}, {"v0", "v2"}),
    ],
)
def test_what_an_optimizer_keeps(optimizer: dict[str, Any], slots: set[str]) -> None:
    graph = objects(*LEAVES, optimizer, {"children": {"0": 3}})
    assert {tracked.name for tracked in tracked_names(graph).values() if tracked.is_slot} == slots


def saved(*nodes: dict[str, Any]) -> SavedObjectGraph:
    graph = SavedObjectGraph()
    for stated in nodes:
        node = graph.nodes.add()
        if "variable" in stated:
            node.variable.name = stated["variable"]
            node.variable.dtype = 1
        for name, number in stated.get("children", {}).items():
            node.children.add(local_name=name, node_id=number)
        for original, (name, number) in stated.get("slots", {}).items():
            node.slot_variables.add(original_variable_node_id=original, slot_name=name, slot_variable_node_id=number)
    return graph


@pytest.mark.parametrize(
    ("theirs", "keys"),
    [
        (objects({"children": {"o": 1, "w": 2}}, {"slots": {2: ("m", 3)}}, {"key": "kw"}, {"key": "km"}), ["kw", "km"]),
        (objects({"children": {"o": 1, "w": 2}}, {"slots": {2: ("n", 3)}}, {"key": "kw"}, {"key": "km"}), ["kw", None]),
        (objects({"children": {"o": 1, "w": 2}}, {"slots": {3: ("m", 3)}}, {"key": "kw"}, {"key": "km"}), ["kw", None]),
        (objects({"children": {"o": 1, "w": 2}}, {"slots": {2: ("m", 9)}}, {"key": "kw"}, {"key": "km"}), ["kw", None]),
        (objects({"children": {"o": 1}}, {"slots": {2: ("m", 3)}}, {"key": "kw"}, {"key": "km"}), [None, None]),
        (objects({"children": {"o": 1, "w": 4}}, {}, {"key": "kw"}, {"key": "km"}), [None, None]),
        (objects(), [None, None]),
    ],
)
def test_slots_are_found_by_the_variable_that_they_belong_to(
    theirs: TrackableObjectGraph, keys: list[str | None]
) -> None:
    ours = saved({"children": {"o": 1, "w": 2}}, {"slots": {2: ("m", 3)}}, {"variable": "w"}, {"variable": ""})
    found = saved_variables(ours, theirs)
    assert [v.key for v in found] == keys
    assert [v.name for v in found] == ["w", "variable_3"]


# Slices


@pytest.mark.parametrize(
    ("text", "part", "shape"),
    [
        ("784 10 0,196:0,10", ((0, 196), (0, 10)), (784, 10)),
        ("784 10 3,4:-", ((3, 4), (0, 10)), (784, 10)),
        ("784 10 -:-", ((0, 784), (0, 10)), (784, 10)),
        ("784 10 0,196", None, None),
        ("784 x -:-", None, None),
        ("784 -", ((0, 784),), (784,)),
        ("784 1", None, None),
        ("784 1,", None, None),
        ("784 ,1", None, None),
        ("784 a,1", None, None),
        ("784 1,b", None, None),
        ("784 -1,2", None, None),
        (f"{'9' * 19} -", ((0, int("9" * 19)),), (int("9" * 19),)),
        (f"{'9' * 20} -", None, None),
        ("\u00b2 -", None, None),
        ("\u0662 -", None, None),
        ("", None, None),
    ],
)
def test_the_text_of_a_part(text: str, part: Any, shape: tuple[int, ...] | None) -> None:
    assert parse_slice(text) == part
    assert whole_shape(text) == shape


def test_a_part_of_a_tensor() -> None:
    whole = np.arange(12, dtype=np.int32).reshape(3, 4)
    part = SlicePayload(ArrayPayload(whole), ((1, 2), (0, 3)))
    assert (part.shape, part.dtype, part.nbytes) == ((2, 3), DataType.INT32, 24)
    assert part.numpy().tolist() == whole[1:3, :3].tolist()
    assert b"".join(part.chunks()) == whole[1:3, :3].tobytes()
    for outside in (((2, 2), (0, 3)), ((0, 3), (2, 3)), ((0, 3),), ((0, 1), (0, 1), (0, 1))):
        with pytest.raises(IncompleteModelError, match="a part of"):
            SlicePayload(ArrayPayload(whole), outside).numpy()
