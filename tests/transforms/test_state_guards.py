"""State that carries over: which writes count, how the variable behind them is found, and what is training instead."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import pytest

from graphscope.core.changes.build import make_node, type_attr
from graphscope.core.graph import Function, Graph, Node
from graphscope.core.values.dtypes import DataType
from graphscope.protos import AttrValue, FunctionDef
from graphscope.transforms.findings.read_after_write import origin, reads_after_write, writes
from graphscope.transforms.findings.state import carried_state
from graphscope.transforms.subgraph import cut
from tests.support.graphs import const, graph_of, op, placeholder

HANDLE = {"dtype": type_attr(DataType.FLOAT)}


def variable(name: str, kind: str = "VarHandleOp") -> Node:
    return make_node(name, kind, [], HANDLE)


def read(name: str, *inputs: str) -> Node:
    return make_node(name, "ReadVariableOp", inputs, HANDLE)


def assign(name: str, *inputs: str, kind: str = "AssignVariableOp") -> Node:
    return make_node(name, kind, inputs, HANDLE)


def chain(count: int, source: str, name: str) -> list[Node]:
    names = [f"{name}_{i}" for i in range(count - 1)] + [name]
    return [op(new, "Identity", before) for before, new in zip([source, *names], names)]


def unchanged(graph: Graph) -> Graph:
    return graph


def carried(
    graph: Graph,
    outputs: Sequence[str] = ("out",),
    trainable: Sequence[str] = (),
    settle: Callable[[Graph], Graph] = unchanged,
) -> dict[str, str]:
    return carried_state(graph, cut(graph, outputs), outputs, trainable, settle)


# Writes that nothing runs by itself


MODEL = [
    placeholder("x"),
    placeholder("label"),
    variable("v"),
    variable("w"),
    read("r", "v"),
    op("y", "Mul", "x", "r"),
    op("out", "Add", "y", "x"),
    *(const("c", 0.9), const("d", 1)),
]


@pytest.mark.parametrize(
    ("nodes", "is_state"),
    [
        ([assign("a", "v", "y")], True),
        ([assign("a", "v", "x")], True),
        ([assign("a", "v", "label")], False),
        ([op("n", "Neg", "label"), op("m", "Mul", "n", "x"), assign("a", "v", "m")], False),
        ([assign("a", "w", "y")], False),
        ([assign("a", "v")], False),
        ([assign("a", "v", "nowhere")], False),
        ([assign("a", "v", "c")], False),
        ([assign("a", "v", "r")], True),
        ([op("n", "Neg", "y"), assign("a", "v", "n")], True),
        ([op("gradients/y", "Neg", "y"), assign("a", "v", "gradients/y")], False),
        ([op("opt/gradient_1/y", "Neg", "y"), assign("a", "v", "opt/gradient_1/y")], False),
        ([op("my_gradients/y", "Neg", "y"), assign("a", "v", "my_gradients/y")], True),
        ([op("n", "ApplyAdam", "y"), assign("a", "v", "n")], False),
        ([assign("a", "v", "y", "^label")], False),
        ([op("gradients/y", "Neg", "x"), assign("a", "v", "y", "^gradients/y")], False),
        ([assign("a", "v", "y", "^x")], True),
        # Averages move a part of the way.
        ([op("p", "Mul", "r", "c"), op("q", "Mul", "x", "c"), op("s", "Add", "p", "q"), assign("a", "v", "s")], False),
        ([op("p", "Mul", "r", "c"), op("s", "AddV2", "p", "x"), assign("a", "v", "s")], False),
        ([op("p", "Neg", "r"), op("s", "Add", "p", "x"), assign("a", "v", "s")], True),
        ([op("p", "Mul", "r", "c"), op("s", "Maximum", "p", "x"), assign("a", "v", "s")], True),
        ([op("s", "Sub", "r", "x"), assign("a", "v", "s", kind="AssignSubVariableOp")], False),
        ([op("n", "Neg", "x"), assign("a", "v", "n", kind="AssignAddVariableOp")], True),
        # Without what is fed, a step or a counter.
        ([op("s", "Add", "r", "d"), assign("a", "v", "s")], True),
        ([op("s", "Sub", "d", "r"), assign("a", "v", "s")], True),
        ([assign("a", "v", "d", kind="AssignAddVariableOp")], True),
        ([op("n", "Neg", "d"), assign("a", "v", "n", kind="AssignAddVariableOp")], False),
        ([assign("a", "v", "r", kind="AssignAddVariableOp")], False),
        ([op("p", "Mul", "r", "c"), op("s", "Add", "p", "d"), assign("a", "v", "s")], False),
        ([op("n", "Neg", "r"), assign("a", "v", "n")], True),
        ([assign("a", "v", "d")], False),
        ([assign("a", "v", "i", "y", kind="ResourceScatterUpdate")], False),
        ([assign("a", "v", "d", "y", kind="ResourceScatterUpdate")], True),
        ([assign("a", "v", "y", kind="ResourceApplyGradientDescent")], False),
    ],
)
def test_a_write_of_what_the_forward_computation_gives(nodes: list[Node], is_state: bool) -> None:
    assert carried(graph_of(*MODEL, *nodes)) == ({"v": "a"} if is_state else {})


def test_a_constraint_on_a_weight_is_no_state_but_a_step_is() -> None:
    clipped = graph_of(*MODEL, op("n", "Neg", "r"), assign("a", "v", "n"))
    assert carried(clipped, trainable=["v"]) == {}
    assert carried(clipped, trainable=["w"]) == {"v": "a"}
    step = graph_of(*MODEL, op("n", "Sub", "r", "d"), assign("a", "v", "n"))
    assert carried(step, trainable=["v"]) == {"v": "a"}


def test_an_average_of_what_the_outputs_need_is_state() -> None:
    """``out`` is computed of the old value anyway: what is assigned is a result, not an update."""
    nodes = [variable("v"), placeholder("x"), const("c", 0.9), read("r", "v"), op("p", "Mul", "r", "c")]
    graph = graph_of(*nodes, op("out", "Add", "p", "x"), assign("a", "v", "out"))
    assert carried(graph) == {"v": "a"}


def test_writes_of_branches_that_go_do_not_count() -> None:
    graph = graph_of(*MODEL, assign("a", "v", "y"))
    seen: list[Graph] = []

    def settle(part: Graph) -> Graph:
        seen.append(part)
        return part.with_nodes(n for n in part if n.name != "a")

    assert carried(graph, settle=settle) == {}
    assert [[n.name for n in part] for part in seen] == [["x", "v", "r", "y", "a"]]


def test_variables_are_sorted_and_executed_writes_win() -> None:
    late = [
        assign("a", "v", "y"),
        assign("b", "v", "x"),
        op("z", "Add", "y", "s", "^b"),
        variable("b/v"),
        read("s", "b/v"),
    ]
    graph = graph_of(*MODEL, *late, assign("e", "b/v", "x"))
    assert list(carried(graph, ["z"]).items()) == [("b/v", "e"), ("v", "b")]
    assert carried(graph, ["x"]) == {}


# Writes that the outputs run


def function(name: str, *nodes: Node, arguments: Sequence[str] = ("x", "h")) -> Function:
    proto = FunctionDef()
    proto.signature.name = name
    for argument in arguments:
        proto.signature.input_arg.add(name=argument, type=int(DataType.RESOURCE))
    return Function(proto, nodes)


def call(name: str, called: str, *inputs: str, kind: str = "StatefulPartitionedCall", key: str = "f") -> Node:
    attrs = {key: AttrValue()}
    attrs[key].func.name = called
    return make_node(name, kind, inputs, attrs)


WRITES = function("writes", assign("put", "h", "x"))
PASSES = function(
    "passes", op("i", "Identity", "h"), op("j", "Identity", "i:output:0"), assign("put", "j:output:0", "x")
)
NESTED = function("nested", call("inner", "writes", "b", "a"), arguments=("a", "b"))
ROUND = function("round", call("again", "round", "x", "h"), assign("put", "h", "x"))
READS = function("reads", read("get", "h"))
STRAY = function("stray", assign("put", "elsewhere", "x"), assign("bare"))


@pytest.mark.parametrize(
    ("caller", "writer"),
    [
        (call("c", "writes", "x", "v"), "c/put"),
        (call("c", "writes", "v", "x"), None),
        (call("c", "writes", "x"), None),
        (call("c", "passes", "x", "v"), "c/put"),
        (call("c", "nested", "v", "x"), "c/inner/put"),
        (call("c", "nested", "x", "v"), None),
        (call("c", "reads", "x", "v"), None),
        (call("c", "round", "x", "v"), "c/put"),
        (call("c", "nowhere", "x", "v"), None),
        (make_node("c", "writes", ["x", "v"]), "c/put"),
        (call("c", "writes", "p", "x", "v", kind="If", key="then_branch"), "c/put"),
        *(
            (call("c", "writes", "p", "x", "v", kind=kind, key="branch"), "c/put")
            for kind in ("StatelessIf", "Case", "StatelessCase")
        ),
        (call("c", "writes", "x", "v", "x", kind="If", key="then_branch"), None),
        (call("c", "writes", "x", "v", kind="While", key="body"), "c/put"),
        (assign("c", "v", "x"), "c"),
        (assign("c", "v", "x", kind="ResourceApplyAdam"), "c"),
        (read("c", "v"), None),
    ],
)
def test_a_write_in_a_function_is_one_to_its_argument(caller: Node, writer: str | None) -> None:
    nodes = [
        placeholder("x"),
        const("p", True, bool),
        variable("v"),
        caller,
        read("r", "v"),
        op("out", "Add", "r", "x", "^c"),
    ]
    graph = Graph(graph_of().header, nodes, [WRITES, PASSES, NESTED, ROUND, READS, STRAY])
    assert carried(graph) == ({} if writer is None else {"v": writer})


def test_writes_to_what_is_no_argument_are_nobodys() -> None:
    nodes = [
        placeholder("x"),
        variable("v"),
        call("c", "stray", "x", "v"),
        read("r", "v"),
        op("out", "Add", "r", "x", "^c"),
    ]
    assert carried(Graph(graph_of().header, nodes, [STRAY])) == {}


# Order


@pytest.mark.parametrize(
    ("op_name", "is_write"),
    [
        *(
            (name, True)
            for name in "Assign AssignAdd AssignVariableOp ScatterNdUpdate ResourceScatterAdd ApplyAdam".split()
        ),
        *(
            (name, True)
            for name in "ResourceSparseApplyFtrl SparseApplyFtrl CountUpTo ResourceStridedSliceAssign".split()
        ),
        *((name, False) for name in "ReadVariableOp Identity Reassign VarHandleOp StridedSlice".split()),
    ],
)
def test_what_writes(op_name: str, is_write: bool) -> None:
    assert writes(op_name) is is_write


@pytest.mark.parametrize(
    ("nodes", "text", "expected"),
    [
        ([], "v", "v"),
        ([], "v:0", "v"),
        ([], "nowhere", ""),
        ([op("i", "Neg", "v")], "i", ""),
        ([op("i", "Identity")], "i", ""),
        ([op("s", "Switch", "v", "p")], "s:1", "v"),
        (chain(63, "v", "i"), "i", "v"),
        (chain(64, "v", "i"), "i", ""),
    ],
)
@pytest.mark.parametrize("kind", ["Variable", "VariableV2", "VarHandleOp", "AutoReloadVariable"])
def test_the_variable_behind_a_reference(kind: str, nodes: list[Node], text: str, expected: str) -> None:
    assert origin(graph_of(variable("v", kind), *nodes), text) == expected


@pytest.mark.parametrize(
    ("nodes", "expected"),
    [
        ([assign("a", "v", "x"), read("r", "v", "^a")], {"r": "a"}),
        ([assign("a", "v", "x"), op("n", "NoOp", "^a"), read("r", "v", "^n")], {"r": "a"}),
        ([assign("a", "v", "x"), read("r", "v")], {}),
        ([assign("a", "v", "x"), read("r", "w", "^a")], {}),
        ([assign("a", "v", "x"), read("r", "v", "^x")], {}),
        ([assign("a", "w", "v"), read("r", "v", "^a")], {}),
        ([assign("a", "v", "x"), op("m", "Merge", "x", "v", "^a")], {"m": "a"}),
        ([assign("a", "v", "x"), assign("b", "v", "x", "^a")], {}),
        ([assign("a", "v", "x"), assign("b", "v", "x"), read("r", "v", "^b")], {"r": "b"}),
    ],
)
def test_a_read_that_waits_for_a_write(nodes: list[Node], expected: dict[str, str]) -> None:
    assert reads_after_write(graph_of(placeholder("x"), variable("v"), variable("w"), *nodes)) == expected
