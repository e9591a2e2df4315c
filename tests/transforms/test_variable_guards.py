"""Variables to constants, node by node: how far handles flow, what functions take instead, what is refused."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest

from graphscope.core.changes.build import make_node, type_attr
from graphscope.core.graph import Function, Graph, Node
from graphscope.core.values.dtypes import DataType
from graphscope.core.values.payload import ArrayPayload, Payload
from graphscope.errors import GraphscopeError
from graphscope.protos import AttrValue, FunctionDef, GraphDef
from graphscope.transforms.variables_to_constants import freeze_variables
from tests.support.graphs import FLOAT, const, graph_of, names, op, placeholder, value

RESOURCE = {"T": type_attr(DataType.RESOURCE)}
DTYPE = {"dtype": type_attr(DataType.FLOAT)}


def types(*dtypes: DataType) -> AttrValue:
    result = AttrValue()
    result.list.type.extend(map(int, dtypes))
    return result


def variable(name: str = "v", dtype: DataType = DataType.FLOAT) -> Node:
    return make_node(name, "VarHandleOp", (), {"dtype": type_attr(dtype)})


def read(name: str, *inputs: str) -> Node:
    return make_node(name, "ReadVariableOp", inputs, DTYPE)


def stored(name: str) -> Payload:
    return ArrayPayload(np.array({"v": [1, 2], "w": [3, 4]}[name], np.int64 if name == "w" else np.float32))


def frozen(*nodes: Node, functions: tuple[Function, ...] = ()) -> Graph:
    return freeze_variables(Graph(GraphDef(), nodes, functions), stored)


def test_a_graph_without_variables_is_the_same_graph() -> None:
    graph = graph_of(placeholder("x"), op("y", "Neg", "x"))
    assert freeze_variables(graph, stored) is graph


@pytest.mark.parametrize("kind", ["Variable", "VariableV2", "AutoReloadVariable", "VarHandleOp"])
def test_a_variable_becomes_a_constant_that_waits_for_the_same(kind: str) -> None:
    plain = op("y", "Neg", "x")
    graph = frozen(placeholder("x"), make_node("v", kind, ["^x"], DTYPE), plain)
    assert (value(graph, "v").tolist(), list(graph["v"].inputs)) == ([1, 2], ["^x"])
    assert graph["y"] is plain


# Reading


def asking(name: str, kind: str, *inputs: str, **attrs: AttrValue) -> Node:
    return make_node(name, kind, inputs, {**DTYPE, **attrs})


@pytest.mark.parametrize(
    ("reader", "kind", "attrs"),
    [
        (read("r", "v", "^x"), "Identity", {"T": DataType.FLOAT}),
        (asking("r", "VariableShape", "v", "^x"), "Shape", {"T": DataType.FLOAT, "out_type": DataType.INT32}),
        (
            asking("r", "VariableShape", "v", "^x", out_type=type_attr(DataType.INT64)),
            "Shape",
            {"T": DataType.FLOAT, "out_type": DataType.INT64},
        ),
        (
            asking("r", "ResourceGather", "v", "i", "^x"),
            "Gather",
            {"Tparams": DataType.FLOAT, "Tindices": DataType.INT32},
        ),
        (
            asking(
                "r", "ResourceGather", "v", "i", "^x", Tindices=type_attr(DataType.INT64), batch_dims=AttrValue(i=0)
            ),
            "Gather",
            {"Tparams": DataType.FLOAT, "Tindices": DataType.INT64},
        ),
        (
            asking("r", "ResourceGatherNd", "v", "i", "^x"),
            "GatherNd",
            {"Tparams": DataType.FLOAT, "Tindices": DataType.INT32},
        ),
    ],
)
def test_what_reads_a_handle_reads_the_value(reader: Node, kind: str, attrs: dict[str, DataType]) -> None:
    found = frozen(placeholder("x"), const("i", [0], np.int32), variable(), reader)["r"]
    assert (found.op, list(found.inputs)) == (kind, list(reader.inputs))
    assert {key: DataType.of(attr.type) for key, attr in found.attrs.items()} == attrs


@pytest.mark.parametrize("taken", [False, True])
def test_a_gather_with_batches_gets_its_axis(taken: bool) -> None:
    gather = asking("g", "ResourceGather", "v", "i:0", "^x", batch_dims=AttrValue(i=1))
    graph = frozen(
        placeholder("x"), const("i", [0], np.int32), variable(), gather, *([const("g/axis", 5)] if taken else [])
    )
    axis = "g/axis_1" if taken else "g/axis"
    assert (graph["g"].op, list(graph["g"].inputs)) == ("GatherV2", ["v", "i:0", axis, "^x"])
    assert (value(graph, axis).tolist(), list(graph[axis].inputs)) == (1, ["^i"])
    assert (graph["g"].attrs["batch_dims"].i, graph["g"].attrs["Taxis"].type) == (1, DataType.INT32)


@pytest.mark.parametrize("kind", ["VarIsInitializedOp", "IsVariableInitialized"])
def test_a_constant_is_initialized(kind: str) -> None:
    held = variable() if kind == "VarIsInitializedOp" else make_node("v", "VariableV2", (), DTYPE)
    graph = frozen(placeholder("x"), held, make_node("q", kind, ["v", "^x"]))
    assert (value(graph, "q").tolist(), list(graph["q"].inputs)) == (True, ["^x"])


# Flow


def passing(kind: str, name: str, *inputs: str) -> Node:
    attrs = {"T": types(DataType.FLOAT, DataType.RESOURCE)} if kind == "IdentityN" else RESOURCE
    result = make_node(name, kind, inputs, attrs)
    for stated in ("_output_shapes", "_handle_dtypes", "_handle_shapes", "_read_only_resource_inputs"):
        result.proto.attr[stated].list.SetInParent()
    return result


@pytest.mark.parametrize(
    ("kind", "inputs", "port"),
    [
        ("Identity", ["v"], ""),
        ("StopGradient", ["v"], ""),
        ("Enter", ["v"], ":0"),
        ("Exit", ["v"], ""),
        ("NextIteration", ["v"], ""),
        ("Switch", ["v", "p"], ""),
        ("Switch", ["v", "p"], ":1"),
        ("Merge", ["v", "v"], ""),
        ("Merge", ["x", "v"], ""),
        ("IdentityN", ["x", "v"], ":1"),
    ],
)
@pytest.mark.parametrize("late", [False, True])
def test_a_handle_flows_through(kind: str, inputs: list[str], port: str, late: bool) -> None:
    """Also where what it flows through comes first in the file."""
    nodes = [placeholder("x"), const("p", True, bool), variable(), passing(kind, "a", *inputs)]
    nodes += [passing("Identity", "b", f"a{port}"), read("r", "b")]
    graph = frozen(*(reversed(nodes) if late else nodes))
    assert (graph["r"].op, list(graph["r"].inputs)) == ("Identity", ["b"])
    assert set(graph["a"].attrs) == {"T"}
    stated = graph["a"].attrs["T"]
    assert (list(stated.list.type) or [stated.type]) == ([1, 1] if kind == "IdentityN" else [1])


@pytest.mark.parametrize(
    "nodes",
    [
        [passing("IdentityN", "a", "x", "v"), read("r", "a")],
        [passing("Merge", "a", "v", "v"), read("r", "a:1")],
        [op("a", "Neg", "x"), read("r", "a")],
        [op("a", "Identity", "x", "^v"), read("r", "a")],
    ],
)
def test_another_output_is_no_handle(nodes: list[Node]) -> None:
    assert frozen(placeholder("x"), variable(), *nodes)["r"].op == "ReadVariableOp"


@pytest.mark.parametrize("kind", ["AssignVariableOp", "AssignSubVariableOp", "ResourceApplyAdam", "Neg", "SomebodysOp"])
def test_a_handle_that_is_more_than_a_value_is_refused(kind: str) -> None:
    does = "writes to" if kind.startswith("Assign") else "uses"

    def unread(name: str) -> Payload:
        raise AssertionError(name)

    graph = graph_of(placeholder("x"), variable(), make_node("a", kind, ["x", "v"]))
    with pytest.raises(GraphscopeError, match=rf"node a \({kind}\) {does} variable v "):
        freeze_variables(graph, unread)


REFERENCES = {
    "Switch": "RefSwitch",
    "Merge": "RefMerge",
    "Enter": "RefEnter",
    "Exit": "RefExit",
    "Identity": "RefIdentity",
}


@pytest.mark.parametrize(("plain", "kind"), [*REFERENCES.items(), ("NextIteration", "RefNextIteration")])
def test_an_op_on_references_becomes_one_on_values(plain: str, kind: str) -> None:
    held = make_node("v", "VariableV2", (), DTYPE)
    found = frozen(placeholder("x"), held, make_node("a", kind, ["v", "x", "^x"], {"T": type_attr(DataType.FLOAT)}))[
        "a"
    ]
    assert (found.op, list(found.inputs), found.attrs["T"].type) == (plain, ["v", "x", "^x"], 1)


@pytest.mark.parametrize(
    ("nodes", "is_refused"),
    [
        ([op("a", "Assign", "v", "x")], True),
        ([op("a", "Assign", "x", "v")], True),
        ([op("a", "Neg", "v")], False),
        ([make_node("a", "SomebodysOp", ["v"])], False),
        ([op("n", "Neg", "v"), op("a", "Assign", "n", "x")], False),
        ([make_node("a", "IsVariableInitialized", ["v"])], False),
        ([op("n", "RefIdentity", "v"), op("a", "ScatterAdd", "n", "x", "x")], True),
    ],
)
def test_who_writes_to_a_reference(nodes: list[Node], is_refused: bool) -> None:
    held = [placeholder("x"), make_node("v", "VariableV2", (), DTYPE)]
    if is_refused:
        with pytest.raises(GraphscopeError, match=r"node a \(\w+\) writes to variable [nv] "):
            frozen(*held, *nodes)
    else:
        assert "a" in frozen(*held, *nodes)


# Functions


def function(name: str, *nodes: Node, result: str = "", arguments: str = "xh", stated: bool = False) -> Function:
    """``name(x, h)``: a number and a handle, in the order of ``arguments``."""
    proto = FunctionDef()
    proto.signature.name = name
    for i, argument in enumerate(arguments):
        made = proto.signature.input_arg.add(name=argument, type=1 if argument == "x" else int(DataType.RESOURCE))
        if argument != "x" and stated:
            made.handle_data.add(dtype=1)
            proto.arg_attr[i].attr["_output_shapes"].list.SetInParent()
            proto.arg_attr[i].attr["_user_specified_name"].s = b"h"
    if result:
        proto.signature.output_arg.add(name="y", type=1)
        proto.ret["y"] = result
    return Function(proto, nodes)


READS = function("reads", read("r", "h"), op("n", "Neg", "r:value:0"), result="r:value:0", stated=True)


def call(kind: str, *inputs: str, key: str = "Tin", **functions: str) -> Node:
    dtypes = [DataType.RESOURCE if i in ("v", "w") else DataType.BOOL if i == "p" else DataType.FLOAT for i in inputs]
    result = make_node("c", kind, inputs, {key: types(*dtypes[kind in ("If", "Case") :])})
    for name, called in functions.items():
        result.proto.attr[name].func.name = called
    result.proto.attr["config_proto"].s = b"c"
    result.proto.attr["_output_shapes"].list.SetInParent()
    return result


def test_a_copy_takes_the_value_and_the_function_stays() -> None:
    graph = frozen(placeholder("x"), variable(), call("PartitionedCall", "x", "v", f="reads"), functions=(READS,))
    assert list(graph.functions) == ["reads", "reads_frozen_1float32"]
    copy = graph.functions["reads_frozen_1float32"]
    assert [a.type for a in copy.signature.input_arg] == [1, 1]
    assert not any(a.handle_data for a in copy.signature.input_arg)
    assert set(copy.proto.arg_attr[1].attr) == {"_user_specified_name"}
    assert [(n.op, list(n.inputs)) for n in copy] == [("Identity", ["h"]), ("Neg", ["r:output:0"])]
    assert copy.proto.ret["y"] == "r:output:0"
    assert READS.proto.signature.input_arg[1].type == DataType.RESOURCE
    made = graph["c"]
    assert (made.attrs["f"].func.name, list(made.attrs["Tin"].list.type)) == ("reads_frozen_1float32", [1, 1])
    assert set(made.attrs) == {"f", "Tin"}


@pytest.mark.parametrize("kind", ["If", "StatelessIf"])
def test_branches_take_values_behind_the_condition(kind: str) -> None:
    other = function("other", result="x")
    node = call(kind, "p", "x", "v", then_branch="reads", else_branch="other")
    node.proto.attr["Tin"].CopyFrom(types(DataType.FLOAT, DataType.RESOURCE))
    made = frozen(placeholder("x"), const("p", True, bool), variable(), node, functions=(READS, other))["c"]
    assert [made.attrs[k].func.name for k in ("then_branch", "else_branch")] == [
        "reads_frozen_1float32",
        "other_frozen_1float32",
    ]
    assert list(made.attrs["Tin"].list.type) == [1, 1]


@pytest.mark.parametrize("kind", ["Case", "StatelessCase"])
def test_every_branch_of_a_case_is_copied(kind: str) -> None:
    node = make_node("c", kind, ["p", "x", "v"], {"Tin": types(DataType.FLOAT, DataType.RESOURCE)})
    for name in ("reads", "reads", "other"):
        node.proto.attr["branches"].list.func.add(name=name)
    made = frozen(
        placeholder("x"), const("p", 0, np.int32), variable(), node, functions=(READS, function("other", result="x"))
    )
    called = [f.name for f in made["c"].attrs["branches"].list.func]
    assert called == ["reads_frozen_1float32"] * 2 + ["other_frozen_1float32"]
    assert len(made.functions) == 4


def test_a_loop_gives_the_value_back() -> None:
    """The variable's slot is a result of the body too, and the loop's output behind it is a handle."""
    body = function("body", result="x")
    body.proto.signature.output_arg.add(name="z", type=int(DataType.RESOURCE))
    body.proto.ret["z"] = "h"
    test = function("test", read("r", "h"), result="r:value:0")
    loop = call("While", "x", "v", key="T", body="body", cond="test")
    loop.proto.attr["output_shapes"].list.SetInParent()
    graph = frozen(placeholder("x"), variable(), loop, read("r", "c:1"), read("s", "c"), functions=(body, test))
    assert [a.type for a in graph.functions["body_frozen_1float32"].signature.output_arg] == [1, 1]
    assert [a.type for a in graph.functions["test_frozen_1float32"].signature.output_arg] == [1]
    assert (graph["r"].op, graph["s"].op, list(graph["c"].attrs["T"].list.type)) == (
        "Identity",
        "ReadVariableOp",
        [1, 1],
    )
    assert "output_shapes" not in graph["c"].attrs


def test_two_handles_of_two_types() -> None:
    both = function("both", read("r", "h"), read("s", "k"), result="r:value:0", arguments="hxk")
    nodes = [
        placeholder("x"),
        variable(),
        variable("w", DataType.INT64),
        call("StatefulPartitionedCall", "w", "x", "v", f="both"),
    ]
    graph = frozen(*nodes, functions=(both,))
    assert list(graph.functions) == ["both", "both_frozen_0int64_2float32"]
    assert list(graph["c"].attrs["Tin"].list.type) == [9, 1, 1]


BODIES: dict[str, tuple[list[Node], Callable[[Function], bool]]] = {
    "nested": (
        [call("PartitionedCall", "x", "h", f="reads")],
        lambda f: f["c"].attrs["f"].func.name == "reads_frozen_1float32",
    ),
    "gather": (
        [asking("g", "ResourceGather", "h", "x", batch_dims=AttrValue(i=1))],
        lambda f: list(f["g"].inputs) == ["h", "x", "g/axis:output:0"] and not f["g/axis"].inputs,
    ),
    "switch": (
        [passing("Switch", "s", "h", "x"), read("r", "s:output_true:0"), read("q", "s:output_false:0")],
        lambda f: (f["r"].op, f["q"].op) == ("Identity", "Identity"),
    ),
    "merge": (
        [passing("Merge", "m", "h", "h"), read("r", "m:output:0"), read("q", "m:value_index:0")],
        lambda f: (f["r"].op, f["q"].op) == ("Identity", "ReadVariableOp"),
    ),
    "asked": (
        [make_node("i", "VarIsInitializedOp", ["h"]), op("n", "Neg", "i:is_initialized:0", "^i")],
        lambda f: list(f["n"].inputs) == ["i:output:0", "^i"],
    ),
    "other": (
        [read("r", "x"), op("n", "Neg", "r:value:0", "x")],
        lambda f: list(f["n"].inputs) == ["r:value:0", "x"],
    ),
}


@pytest.mark.parametrize("kind", BODIES)
def test_handles_in_a_body(kind: str) -> None:
    nodes, holds = BODIES[kind]
    graph = frozen(
        placeholder("x"),
        variable(),
        call("PartitionedCall", "x", "v", f="outer"),
        functions=(READS, function("outer", *nodes)),
    )
    if kind == "nested":
        assert list(graph.functions)[2:] == ["reads_frozen_1float32", "outer_frozen_1float32"]
    assert holds(graph.functions["outer_frozen_1float32"])


def test_what_a_function_lacks_is_refused() -> None:
    with pytest.raises(GraphscopeError, match="function nowhere"):
        frozen(placeholder("x"), variable(), call("PartitionedCall", "x", "v", f="nowhere"))
    made = function("makes", variable("inner"))
    with pytest.raises(GraphscopeError, match="variable inner"):
        frozen(placeholder("x"), variable(), call("PartitionedCall", "x", "v", f="makes"), functions=(made,))


def test_other_nodes_keep_their_payloads() -> None:
    large = const("k", np.arange(300))
    graph = frozen(variable(), large, make_node("a", "RefIdentity", ["k"], FLOAT))
    assert graph["k"] is large
    assert names(graph) == ["v", "k", "a"]
