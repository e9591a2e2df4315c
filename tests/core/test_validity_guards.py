"""What makes a graph invalid, case by case: where it is reported, how often, and what is none of it."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pytest

from graphscope.core.changes.build import constant, make_node, type_attr
from graphscope.core.checks.validity import find_problems, find_rings, refuse_invalid
from graphscope.core.graph import Function, Graph, Node
from graphscope.core.values.dtypes import DataType
from graphscope.core.values.payload import ArrayPayload
from graphscope.errors import CorruptFileError, GraphscopeError
from graphscope.protos import FunctionDef, GraphDef
from tests.support.graphs import FLOAT, graph_of, op, placeholder


def found(*nodes: Node, functions: Sequence[Function] = ()) -> list[tuple[str, str]]:
    graph = Graph(GraphDef(), nodes, functions)
    return [(p.kind, p.node) for p in find_problems(graph, graph.catalog())]


def merge(name: str, *sources: str, count: int | None = None) -> Node:
    result = make_node(name, "Merge", sources, FLOAT)
    result.proto.attr["N"].i = len(sources) if count is None else count
    return result


X = placeholder("x")


@pytest.mark.parametrize(
    ("nodes", "problems"),
    [
        ([X, op("y", "Neg", "x")], []),
        ([op("y", "Neg", "x"), X], []),
        ([X, op("y", "Neg", "x:0")], []),
        ([X, op("y", "Neg", "x:1")], [("output", "x")]),
        ([X, op("y", "Neg", "x:y")], [("output", "x")]),
        ([X, op("y", "Neg", "x:y:0")], [("output", "x")]),
        ([X, op("y", "Neg", "x:1"), op("z", "Neg", "x:1")], [("output", "x")]),
        ([X, op("y", "Neg", "x:1"), op("z", "Neg", "x:2")], [("output", "x"), ("output", "x")]),
        ([X, op("s", "Split", "x", "x", num_split=2), op("y", "Neg", "s:1")], []),
        ([X, op("s", "Split", "x", "x", num_split=2), op("y", "Neg", "s:2")], [("output", "s")]),
        ([X, make_node("n", "NoOp", ["^x"]), op("y", "Neg", "n")], [("output", "n")]),
        ([X, make_node("n", "NoOp", ["^x"]), op("y", "Neg", "x", "^n")], []),
        ([X, make_node("n", "NoOp", ["x"])], [("inputs", "n")]),
        # Inputs: names, order, number.
        ([X, op("y", "Add", "x", "nowhere")], [("input", "y")]),
        ([X, op("y", "Add", "nowhere", "nothing")], [("input", "y"), ("input", "y")]),
        ([X, op("y", "Neg", "x", "^nowhere")], [("input", "y")]),
        ([X, op("y", "Neg", "x", "^ax")], [("input", "y")]),
        ([X, op("y", "Neg", "^x", "x")], [("input", "y")]),
        ([X, op("y", "Add", "x", "^x", "x")], [("input", "y")]),
        ([X, op("y", "Add", "x", "x", "^x")], []),
        ([X, op("y", "Add", "x")], [("inputs", "y")]),
        ([X, op("y", "Neg")], [("inputs", "y")]),
        ([X, op("y", "Neg", "x", "x", "^x")], [("inputs", "y")]),
        ([X, merge("m", "x", "x")], []),
        ([X, merge("m", "x", "x", count=3)], [("inputs", "m")]),
        ([X, merge("m", "x", count=3)], [("inputs", "m")]),
        ([X, merge("m", "x", count=1)], []),
        ([X, make_node("m", "Merge", ["x", "x"], FLOAT)], []),
        ([X, make_node("y", "SomebodysOp", ["x", "x"]), op("z", "Neg", "y")], []),
        ([X, make_node("y", "SomebodysOp"), op("z", "Neg", "y:7")], []),
        # Names.
        ([X, X], [("name", "x")]),
        ([X, X, X], [("name", "x"), ("name", "x")]),
        # Cycles.
        ([op("y", "Neg", "y")], [("cycle", "y")]),
        ([op("y", "Neg", "z"), op("z", "Neg", "x"), X], []),
        ([X, op("y", "Add", "x", "z"), op("z", "Neg", "y")], [("cycle", "y")]),
        ([X, op("y", "Neg", "x", "^z"), op("z", "Neg", "y")], [("cycle", "y")]),
        ([X, merge("m", "x", "n"), op("n", "NextIteration", "m")], []),
        ([X, make_node("m", "RefMerge", ["x", "n"], FLOAT), op("n", "RefNextIteration", "m")], []),
        ([X, merge("m", "x", "n"), op("n", "Neg", "m")], [("cycle", "m")]),
        ([X, op("m", "Add", "x", "n"), op("n", "NextIteration", "m")], [("cycle", "m")]),
        ([X, op("y", "Neg", "w"), op("w", "Neg", "x"), merge("m", "x", "n"), op("n", "NextIteration", "m")], []),
        ([X, merge("m", "n", "z"), op("n", "NextIteration", "m"), op("z", "Neg", "m")], [("cycle", "m")]),
    ],
)  # fmt: skip
def test_what_is_invalid(nodes: list[Node], problems: list[tuple[str, str]]) -> None:
    assert found(*nodes) == problems


def test_a_long_ring_is_shown_in_part() -> None:
    def text(count: int) -> str:
        graph = graph_of(*(op(f"n{i}", "Neg", f"n{(i + 1) % count}") for i in range(count)))
        [problem] = find_problems(graph, graph.catalog())
        return problem.text

    assert text(2) == "nodes in a cycle: n0 <- n1 <- n0"
    assert text(8).endswith("n6 <- n7 <- n0")
    assert text(9).endswith("n6 <- n7 <- ... <- n0")


def test_rings_are_found_wherever_a_walk_runs_into_itself() -> None:
    steps = {"a": ["b", "c"], "b": ["d"], "c": ["a"], "d": [], "e": ["f"], "f": ["e", "d", "f"]}
    assert list(find_rings("ae", steps.__getitem__)) == [["a", "c"], ["e", "f"], ["f"]]
    assert list(find_rings("db", steps.__getitem__)) == []


def test_eight_problems_are_listed_and_the_rest_is_counted() -> None:
    for count, more in ((8, ""), (9, "and 1 more"), (1200, "and 1,192 more")):
        graph = graph_of(*(op(f"y{i}", "Neg", "nowhere") for i in range(count)))
        with pytest.raises(GraphscopeError, match=r"m\.pb: not a valid graph") as error:
            refuse_invalid(graph, graph.catalog(), "m.pb")
        lines = str(error.value).splitlines()
        assert len(lines) == 1 + 8 + bool(more)
        assert not more or lines[-1] == more
    refuse_invalid(graph_of(X), graph_of(X).catalog(), "m.pb")


# Constants


class Scanned(ArrayPayload):
    def check_size(self, *, scan: bool = False) -> None:
        if scan:
            raise CorruptFileError("too short", path="")


def test_content_is_scanned_only_where_that_is_asked_for() -> None:
    graph = graph_of(constant("c", Scanned(np.zeros(300, np.float32))))
    assert find_problems(graph, graph.catalog()) == []
    [problem] = find_problems(graph, graph.catalog(), scan=True)
    assert (problem.kind, problem.text) == ("constant", "constant c: too short")
    with pytest.raises(GraphscopeError, match="constant c: too short"):
        refuse_invalid(graph, graph.catalog(), "m")


def stating(*sizes: int, dtype: DataType = DataType.FLOAT, content: bytes = b"", values: Sequence[float] = ()) -> Node:
    result = make_node("c", "Const", (), {"dtype": type_attr(dtype)})
    tensor = result.proto.attr["value"].tensor
    tensor.dtype, tensor.tensor_content = int(dtype), content
    tensor.float_val.extend(values if dtype is DataType.FLOAT else ())
    tensor.scomplex_val.extend(values if dtype is DataType.COMPLEX64 else ())
    for size in sizes:
        tensor.tensor_shape.dim.add(size=size)
    return result


@pytest.mark.parametrize(
    ("node", "is_valid"),
    [
        (make_node("c", "Const"), True),
        (stating(2, content=bytes(8)), True),
        (stating(2, content=bytes(7)), False),
        (stating(2, content=bytes(9)), False),
        (stating(2), True),
        (stating(2, values=[1]), True),
        (stating(2, values=[1, 2]), True),
        (stating(2, values=[1, 2, 3]), False),
        (stating(2, dtype=DataType.COMPLEX64, values=[1, 2, 3, 4]), True),
        (stating(2, dtype=DataType.COMPLEX64, values=[1, 2, 3, 4, 5, 6]), False),
        (stating(2, dtype=DataType.COMPLEX64, values=[1, 2, 3, 4, 5]), True),
        (stating(2, dtype=DataType.STRING, content=b"x"), True),
        (stating(2, dtype=DataType.RESOURCE), True),
        (stating(-1), False),
        (stating(-1, -1), True),
        (stating(0, -1), False),
        (stating(0, 2), True),
        (stating(0), True),
        (stating(1 << 31, 1 << 31), True),
        (stating(1 << 32, 1 << 31), False),
        (stating(0, values=[1]), False),
    ],
)
def test_a_constant_holds_what_it_states(node: Node, is_valid: bool) -> None:
    assert found(node) == ([] if is_valid else [("constant", "c")])


# Functions


def function(name: str, *nodes: Node, arguments: str = "a", **results: str) -> Function:
    proto = FunctionDef()
    proto.signature.name = name
    for argument in arguments:
        proto.signature.input_arg.add(name=argument, type=1)
    for result, source in results.items():
        proto.signature.output_arg.add(name=result, type=1)
        proto.ret[result] = source
    return Function(proto, nodes)


def call(name: str, called: str, *inputs: str) -> Node:
    result = make_node(name, "PartitionedCall", inputs)
    result.proto.attr["f"].func.name = called
    result.proto.attr["Tin"].list.type.extend([1] * len(inputs))
    result.proto.attr["Tout"].list.type.append(1)
    return result


SPLIT = op("s", "Split", "a", "a", num_split=2)


@pytest.mark.parametrize(
    ("body", "problems"),
    [
        (function("f", op("n", "Neg", "a"), y="n:y:0"), []),
        (function("f", y="a"), []),
        (function("f", op("n", "Neg", "a"), y="n:z:0"), [("output", "f/n")]),
        (function("f", op("n", "Neg", "a"), y="n:y:1"), [("output", "f/n")]),
        (function("f", op("n", "Neg", "a"), y="nowhere:y:0"), [("input", "f/y")]),
        (function("f", op("n", "Neg", "b"), y="n:y:0"), [("input", "f/n")]),
        (function("f", op("a", "Neg", "a"), y="a:y:0"), [("name", "f/a")]),
        (function("f", SPLIT, op("n", "Neg", "s:output:1"), y="n:y:0"), []),
        (function("f", SPLIT, op("n", "Neg", "s:output:2"), y="n:y:0"), [("output", "f/s")]),
        (function("f", SPLIT, op("n", "Neg", "s:output"), y="n:y:0"), []),
        (function("f", SPLIT, op("n", "Neg", "s:1"), y="n:y:0"), [("output", "f/s")]),
        (function("f", SPLIT, op("n", "Neg", "s:wrong"), y="n:y:0"), [("output", "f/s")]),
        (function("f", op("n", "Neg", "n:y:0"), y="n:y:0"), [("cycle", "f/n")]),
        (function("f", make_node("u", "SomebodysOp"), y="u:whatever:9"), []),
    ],
)
def test_bodies_of_functions_that_are_called(body: Function, problems: list[tuple[str, str]]) -> None:
    assert found(X, call("c", "f", "x"), functions=[body]) == problems
    assert found(X, make_node("c", "f", ["x"]), functions=[body]) == problems
    assert found(X, functions=[body]) == [], "nobody calls it"


def test_the_text_names_the_function_and_an_argument() -> None:
    graph = Graph(GraphDef(), [X, call("c", "f", "x")], [function("f", op("a", "Neg", "a"), y="a:y:0")])
    assert [p.text for p in find_problems(graph, graph.catalog())] == [
        "library function f: more than one argument or node is called a"
    ]
    graph = graph_of(X, X)
    assert [p.text for p in find_problems(graph, graph.catalog())] == ["more than one node is called x"]


def test_control_results_are_nodes() -> None:
    body = function("f", op("n", "Neg", "a"), y="n:y:0")
    body.proto.control_ret["w"] = "n"
    assert found(X, call("c", "f", "x"), functions=[body]) == []
    body.proto.control_ret["w"] = "nowhere"
    assert found(X, call("c", "f", "x"), functions=[body]) == [("input", "f/w")]


def test_functions_that_only_functions_call_are_looked_at() -> None:
    inner = function("g", op("n", "Neg", "nowhere"), y="n:y:0")
    outer = function("f", call("c", "g", "a"), y="c:output:0")
    other = function("h", op("n", "Neg", "nowhere"), y="n:y:0")
    assert found(X, call("c", "f", "x"), functions=[outer, inner, other]) == [("input", "g/n")]


def test_calls_must_not_recurse() -> None:
    first, second = (function(a, call("c", b, "a"), y="c:output:0") for a, b in ("fg", "gf"))
    graph = Graph(GraphDef(), [X, call("c", "f", "x")], [first, second])
    [problem] = find_problems(graph, graph.catalog())
    assert (problem.kind, problem.node) == ("recursion", "f")
    assert "f calls g calls f" in problem.text


def test_two_functions_of_one_name_must_be_equal() -> None:
    one, same, other = (function("f", op(n, "Neg", "a"), y=f"{n}:y:0") for n in "nnm")
    longer = function("f", op("n", "Neg", "a"), op("k", "Neg", "a"), y="n:y:0")
    assert found(X, functions=[one, same]) == []
    assert found(X, functions=[one, other]) == found(X, functions=[one, longer]) == [("function", "f")]
    graph = Graph(GraphDef(), [X], [one, other])
    assert graph.functions["f"] is one
