"""Cutting, pruning and inlining, node by node: which edges count, which branches are dead, which calls stay."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from graphscope.core.changes.build import constant, make_node, type_attr
from graphscope.core.graph import Function, Graph, Node
from graphscope.core.values.dtypes import DataType
from graphscope.errors import GraphscopeError, UnknownNameError
from graphscope.protos import AttrValue, FunctionDef, GraphDef
from graphscope.transforms import inlining
from graphscope.transforms.inlining import inline_calls
from graphscope.transforms.prune import constant_predicate, predicates, prune_branches
from graphscope.transforms.subgraph import cut
from tests.support.graphs import FLOAT, const, graph_of, names, op, placeholder, value

X = placeholder("x")
YES, NO = const("yes", True, bool), const("no", False, bool)


def inputs(graph: Graph) -> dict[str, list[str]]:
    return {n.name: list(n.inputs) for n in graph}


def chain(count: int, source: str, name: str, kind: str = "Identity") -> list[Node]:
    between = [f"{name}_{i}" for i in range(count - 1)] + [name]
    return [op(new, kind, before) for before, new in zip([source, *between], between)]


# Cutting


def test_what_a_plain_control_edge_names_goes() -> None:
    graph = graph_of(X, op("a", "Neg", "x"), op("y", "Abs", "x", "^a"), op("z", "Neg", "y"))
    assert inputs(cut(graph, ["y:0"])) == {"x": [], "y": ["x"]}
    assert inputs(cut(graph, ["z", "a"])) == {"x": [], "a": ["x"], "y": ["x"], "z": ["y"]}
    whole = graph_of(X, op("y", "Abs", "x"))
    assert cut(whole, ["y"]) is whole
    with pytest.raises(UnknownNameError):
        cut(graph, ["nowhere"])
    with pytest.raises(UnknownNameError):
        cut(graph_of(op("y", "Neg", "nowhere")), ["y"])


SWITCH = [X, placeholder("p"), op("s", "Switch", "x", "p"), op("t", "Identity", "s:1"), op("n", "Neg", "x")]


@pytest.mark.parametrize(
    ("nodes", "expected"),
    [
        # What stands for a branch stays an edge, whatever else a node takes.
        ([op("y", "Neg", "x", "^t", "^n")], ["x", "^t"]),
        ([op("y", "Neg", "x", "^s")], ["x", "^s"]),
        ([const("y", 1, controls=["^t"])], ["^t"]),
        # A node without data is anchored through what it waits for.
        ([op("m", "Neg", "t"), const("y", 1, controls=["^m"])], ["^t"]),
        ([op("m", "Neg", "n", "^t"), const("y", 1, controls=["^m"])], ["^t"]),
        ([op("m", "Neg", "s:1"), const("y", 1, controls=["^m"])], ["^m"]),
        ([op("m", "Neg", "s:1"), op("k", "Neg", "m"), const("y", 1, controls=["^k"])], ["^m"]),
        ([const("y", 1, controls=["^n"])], []),
        ([const("y", 1, controls=["^nowhere"])], []),
        ([op("r", "Neg", "r"), const("y", 1, controls=["^r"])], []),
        ([op("m", "Neg", "t"), op("k", "Neg", "t"), const("y", 1, controls=["^m", "^k"])], ["^t"]),
        ([op("m", "Neg", "t"), op("y", "Neg", "x", "^m")], ["x"]),
        # An identity of anything else stands for nothing.
        ([op("i", "Identity", "n"), op("y", "Neg", "x", "^i")], ["x"]),
        ([op("i", "Identity"), op("y", "Neg", "x", "^i")], ["x"]),
        ([op("i", "Identity", "nowhere"), op("y", "Neg", "x", "^i")], ["x"]),
        ([op("i", "RefIdentity", "s"), op("y", "Neg", "x", "^i")], ["x", "^i"]),
        ([op("i", "Neg", "s"), op("y", "Neg", "x", "^i")], ["x"]),
        ([op("y", "Neg", "x", "^t", "^t")], ["x", "^t", "^t"]),
    ],
)
def test_an_edge_to_a_branch_counts(nodes: list[Node], expected: list[str]) -> None:
    assert list(cut(graph_of(*SWITCH, *nodes), ["y"])["y"].inputs) == expected


def test_anchors_come_once_and_in_order() -> None:
    more = [op("s2", "Switch", "x", "p"), op("t2", "Identity", "s2:1"), op("m", "Add", "t2", "t")]
    found = cut(graph_of(*SWITCH, *more, const("y", 1, controls=["^m", "^t2"])), ["y"])
    assert list(found["y"].inputs) == ["^t2", "^t"]


# Predicates


@pytest.mark.parametrize(
    ("nodes", "text", "expected"),
    [
        ([], "yes", True),
        ([], "no:0", False),
        ([], "nowhere", None),
        ([], "x", None),
        ([op("i", "Identity")], "i", None),
        ([op("i", "Neg", "yes")], "i", None),
        (chain(63, "yes", "i"), "i", True),
        (chain(64, "yes", "i"), "i", None),
        ([*(op(f"e{i}", kind, "yes") for i, kind in enumerate(["Enter", "RefEnter"]))], "e0", True),
        ([op("i", "StopGradient", "no")], "i", False),
        ([op("i", "Switch", "no", "yes")], "i:1", False),
    ],
)
def test_the_value_of_a_predicate(nodes: list[Node], text: str, expected: bool | None) -> None:
    assert constant_predicate(graph_of(X, YES, NO, *nodes), text) is expected


def test_what_decides_branches() -> None:
    switches = [
        op("s", "Switch", "x", "a:0"),
        op("r", "RefSwitch", "x", "b"),
        op("k", "Switch", "x"),
        op("e", "Switch"),
    ]
    nodes = [
        *switches,
        make_node("i", "If", ["c", "x"]),
        make_node("j", "StatelessIf", ["a"]),
        op("m", "Merge", "x", "d"),
    ]
    assert predicates(graph_of(*nodes)) == ["a", "b", "c"]


# Dead branches


def merge(name: str, *sources: str) -> Node:
    made = op(name, "Merge", *sources)
    made.proto.attr["N"].i = len(sources)
    return made


def pruned(*nodes: Node) -> dict[str, list[str]]:
    return inputs(prune_branches(graph_of(X, YES, NO, *nodes)))


def test_the_branch_that_is_taken_is_wired_straight() -> None:
    nodes = [
        op("s", "Switch", "x", "yes"),
        op("f", "Neg", "s"),
        op("g", "Neg", "f"),
        op("t", "Abs", "s:1"),
        merge("m", "g", "t"),
        op("y", "Neg", "m"),
    ]
    rest = {"x": [], "yes": [], "no": [], "s": ["x"]}
    assert pruned(*nodes) == {**rest, "t": ["x"], "m": ["t"], "m/value_index": ["^m"], "y": ["m"]}
    graph = prune_branches(graph_of(X, YES, NO, *nodes))
    assert (graph["m"].op, graph["s"].op, value(graph, "m/value_index").tolist()) == ("Identity", "Identity", 1)
    assert graph["m/value_index"].attrs["dtype"].type == DataType.INT32
    assert graph["y"] is nodes[-1]
    assert prune_branches(graph) is graph


def test_which_input_was_alive_can_be_asked_for() -> None:
    nodes = [
        op("s", "Switch", "x", "no"),
        op("t", "Abs", "s:1"),
        merge("m", "s", "t"),
        op("i", "Cast", "m:1"),
        op("w", "Neg", "x", "^m"),
    ]
    found = prune_branches(graph_of(X, YES, NO, *nodes))
    assert list(found["i"].inputs) == ["m/value_index"]
    assert list(found["w"].inputs) == ["x", "^m"]
    assert list(found["m"].inputs) == ["x"]
    assert value(found, "m/value_index").tolist() == 0


def test_a_merge_of_three_with_two_left_stays_one() -> None:
    nodes = [
        placeholder("p"),
        op("s", "Switch", "x", "yes"),
        op("o", "Switch", "x", "p"),
        merge("m", "s", "o", "o:1"),
        op("i", "Cast", "m:1"),
    ]
    found = prune_branches(graph_of(X, YES, NO, *nodes))
    assert (found["m"].op, list(found["m"].inputs), found["m"].attrs["N"].i) == ("Merge", ["o", "o:1"], 2)
    assert list(found["i"].inputs) == ["m:1"]
    assert list(found["o"].inputs) == ["x", "p"]


def test_deadness_goes_along_every_edge() -> None:
    nodes = [op("s", "Switch", "x", "yes"), op("i", "Identity", "s"), op("w", "Neg", "x", "^i"), op("v", "Add", "x", "w"),
             merge("m", "v", "i"), op("u", "Neg", "m"), op("alive", "Neg", "x", "^s")]  # fmt: skip
    assert pruned(*nodes) == {"x": [], "yes": [], "no": [], "s": ["x"], "alive": ["x", "^s"]}


def test_switches_that_are_decided_in_a_row() -> None:
    nodes = [
        op("a", "Switch", "x", "yes"),
        op("b", "Switch", "a:1", "no"),
        op("y", "Neg", "b"),
        op("z", "Neg", "b:1"),
        op("l", "Neg", "a"),
    ]
    assert pruned(*nodes) == {"x": [], "yes": [], "no": [], "a": ["x"], "b": ["x"], "y": ["x"]}
    assert list(pruned(op("a", "Switch", "x"), op("y", "Neg", "a"))) == ["x", "yes", "no", "a", "y"]


def test_a_merge_of_one_input_is_left_alone() -> None:
    found = pruned(
        op("s", "Switch", "x", "yes"), merge("m", "s:1"), merge("d", "s"), merge("o", "x"), op("y", "Neg", "m")
    )
    assert found == {"x": [], "yes": [], "no": [], "s": ["x"], "m": ["x"], "o": ["x"], "y": ["m"]}


def test_a_merge_whose_inputs_are_all_alive_is_left_alone() -> None:
    alive = merge("m", "x", "x", "^x")
    graph = prune_branches(graph_of(X, YES, op("s", "Switch", "x", "yes"), op("y", "Neg", "s:1"), alive))
    assert graph["m"] is alive


def body(name: str, *nodes: Node, result: str = "a") -> Function:
    proto = FunctionDef()
    proto.signature.name = name
    proto.signature.input_arg.add(name="a", type=1)
    proto.signature.output_arg.add(name="b", type=1)
    proto.ret["b"] = result
    return Function(proto, nodes)


def choice(predicate: str, kind: str = "If", then: str = "then", other: str = "else") -> Node:
    attrs = {"then_branch": AttrValue(), "else_branch": AttrValue(), "Tin": AttrValue(), "Tout": AttrValue()}
    attrs["then_branch"].func.name, attrs["else_branch"].func.name = then, other
    for key in ("Tin", "Tout"):
        attrs[key].list.type.append(1)
    return make_node("c", kind, [predicate, "x"], attrs)


LIBRARY = [body("then", op("n", "Neg", "a"), result="n:y:0"), body("else", op("m", "Abs", "a"), result="m:y:0")]


@pytest.mark.parametrize(
    ("predicate", "added"),
    [("yes", {"c/n": ["x"], "c": ["c/n"]}), ("no", {"c/m": ["x"], "c": ["c/m"]}), ("x", {"c": ["x", "x"]})],
)
def test_a_branch_that_is_a_function_takes_the_place(predicate: str, added: dict[str, list[str]]) -> None:
    found = prune_branches(Graph(GraphDef(), [X, YES, NO, choice(predicate)], LIBRARY))
    assert inputs(found) == {"x": [], "yes": [], "no": [], **added}


@pytest.mark.parametrize(("kind", "call"), [("If", "StatefulPartitionedCall"), ("StatelessIf", "PartitionedCall")])
@pytest.mark.parametrize("in_loop", [False, True])
def test_a_branch_that_has_to_stay_a_function_is_called(kind: str, call: str, in_loop: bool) -> None:
    functions = LIBRARY if in_loop else []
    nodes = [X, YES, choice("yes", kind), *([op("e", "Enter", "x", frame_name=b"f")] if in_loop else [])]
    found = prune_branches(Graph(GraphDef(), nodes, functions))["c"]
    assert (found.op, list(found.inputs), found.attrs["f"].func.name) == (call, ["x"], "then")
    assert [list(found.attrs[key].list.type) for key in ("Tin", "Tout")] == [[1], [1]]


def test_predicates_may_be_known_elsewhere() -> None:
    graph = graph_of(
        X, op("p", "LogicalNot", "x"), op("s", "Switch", "x", "p"), op("y", "Neg", "s"), op("z", "Neg", "s:1")
    )
    known = graph_of(const("p", False, bool))
    assert names(prune_branches(graph, known)) == ["x", "p", "s", "y"]
    assert prune_branches(graph) is graph


# Inlining


def called(name: str, function: str, *given: str, kind: str = "PartitionedCall") -> Node:
    result = make_node(name, kind, given)
    result.proto.attr["f"].func.name = function
    return result


def flat(*nodes: Node, library: list[Function]) -> Graph:
    return inline_calls(Graph(GraphDef(), [X, *nodes], library))


@pytest.mark.parametrize("kind", ["PartitionedCall", "StatefulPartitionedCall"])
def test_a_body_gets_the_scope_of_its_call(kind: str) -> None:
    inner = body("f", op("n", "Neg", "a", "^a"), op("k", "Abs", "n:y:0", "^n"), result="k:y:0")
    found = flat(called("c", "f", "x:1", kind=kind), op("y", "Neg", "c"), library=[inner])
    assert inputs(found) == {"x": [], "c/n": ["x:1", "^x"], "c/k": ["c/n", "^c/n"], "c": ["c/k"], "y": ["c"]}
    assert (found["c"].op, found["c"].attrs["T"].type) == ("Identity", DataType.FLOAT)


@pytest.mark.parametrize(("count", "calls"), [(64, 0), (65, 1)])
def test_calls_are_followed_to_a_depth_of_sixty_four(count: int, calls: int) -> None:
    library = [body(f"f{i}", called("c", f"f{i + 1}", "a"), result="c:output:0") for i in range(count - 1)]
    found = flat(called("c", "f0", "x"), library=[*library, body(f"f{count - 1}")])
    assert found.ops.count("PartitionedCall") == calls


def test_scopes_are_numbered_until_they_are_free() -> None:
    taken = [op("c/n", "Neg", "x"), op("c/inlined_1/n", "Neg", "x")]
    found = flat(*taken, called("c", "f", "x"), library=[body("f", op("n", "Neg", "a"), result="n:y:0")])
    assert names(found) == ["x", "c/n", "c/inlined_1/n", "c/inlined_2/n", "c"]


def test_outputs_are_counted_across_arguments() -> None:
    function = body(
        "f", make_node("t", "TopKV2", ["a", "a"], FLOAT), op("u", "Unpack", "a", num=3), result="t:indices:0"
    )
    for name, source in (("c", "u:output:2"), ("d", "t:values:0")):
        function.proto.signature.output_arg.add(name=name, type=1)
        function.proto.ret[name] = source
    found = flat(called("c", "f", "x"), library=[function])
    assert (found["c"].op, list(found["c"].inputs)) == ("IdentityN", ["c/t:1", "c/u:2", "c/t"])
    assert list(found["c"].attrs["T"].list.type) == [1, 1, 1]


def test_a_function_without_results_becomes_a_node_to_wait_for() -> None:
    function = body("f", op("n", "Neg", "a"))
    del function.proto.signature.output_arg[:]
    found = flat(called("c", "f", "x"), library=[function])
    assert (found["c"].op, list(found["c"].inputs)) == ("NoOp", [])


def compiled(stated: bool) -> Node:
    result = called("c", "f", "x")
    result.proto.attr["_XlaMustCompile"].b = stated
    return result


def typed(**fields: Any) -> Function:
    function = body("f", op("n", "Neg", "a"), result="n:y:0")
    for key, content in fields.items():
        setattr(function.proto.signature.input_arg[0], key, content)
    return function


@pytest.mark.parametrize(
    ("call", "library", "is_inlined"),
    [
        (compiled(True), [typed()], False),
        (compiled(False), [typed()], True),
        (called("c", "nowhere", "x"), [typed()], False),
        (called("c", "f", "x", kind="SymbolicGradient"), [typed()], False),
        (called("c", "f", "x"), [typed(number_attr="N")], False),
        (called("c", "f", "x"), [typed(type_list_attr="T")], False),
        (called("c", "f", "x"), [typed(type_attr="T")], False),
        (called("c", "f", "x"), [body("f", make_node("n", "SomebodysOp", ["a"]), result="n:y:0")], False),
        (called("c", "f", "x"), [body("f", make_node("n", "g", ["a"]), result="n:b:0"), body("g")], True),
    ],
)
def test_which_calls_stay(call: Node, library: list[Function], is_inlined: bool) -> None:
    found = flat(call, library=library)
    assert (found["c"].op == "Identity") is is_inlined


def test_two_calls_are_two_loops() -> None:
    function = body("f", op("e", "Enter", "a", frame_name=b"loop"), op("o", "Exit", "e:output:0"), result="o:output:0")
    bare = body("g", make_node("e", "Enter", ["a"]), result="e:output:0")
    found = flat(called("c", "f", "x"), called("d", "f", "x"), called("g", "g", "x"), library=[function, bare])
    assert [found[name].attrs["frame_name"].s for name in ("c/e", "d/e")] == [b"c/loop", b"d/loop"]
    assert "frame_name" not in found["g/e"].attrs


@pytest.mark.parametrize("excess", [0, 1])
def test_the_nodes_that_calls_add_are_counted_first(excess: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """Twice the outer body of two nodes, one of them a call of three: 10 nodes."""
    inner = body("g", *(op(f"n{i}", "Neg", "a") for i in range(3)), result="n0:y:0")
    outer = body("f", op("m", "Neg", "a"), called("i", "g", "m:y:0"), result="i:output:0")
    monkeypatch.setattr(inlining, "MAX_NODES", 10 - excess)
    calls = [called("c", "f", "x"), called("d", "f", "x")]
    if excess:
        with pytest.raises(GraphscopeError, match="more than 9 nodes"):
            flat(*calls, library=[inner, outer])
    else:
        assert len(flat(*calls, library=[inner, outer])) == 1 + 2 + 10


def test_no_more_than_a_quarter_of_a_million_nodes() -> None:
    half = body("g", *(op(f"n{i}", "Neg", "a") for i in range(1 << 9)))
    outer = body("f", *(called(f"c{i}", "g", "a") for i in range(1 << 9)))
    with pytest.raises(GraphscopeError, match="more than 262,144 nodes"):
        flat(called("c", "f", "x"), library=[half, outer])


def test_a_constant_keeps_its_content_in_a_body() -> None:
    function = body("f", constant("k", np.arange(300, dtype=np.float32)), result="k:output:0")
    found = flat(called("c", "f", "x"), library=[function])
    tensor = found["c/k"].tensor()
    assert tensor is not None
    assert tensor.numpy().tolist() == list(range(300))
    assert type_attr(DataType.FLOAT) == found["c/k"].attrs["dtype"]
