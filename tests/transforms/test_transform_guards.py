"""What each guard of the transforms is there for: graphs that TensorFlow runs before and after, and what must be refused."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from graphscope.core.changes.build import make_node, type_attr
from graphscope.core.graph import Function, Graph
from graphscope.core.values.dtypes import DataType
from graphscope.core.values.payload import ArrayPayload
from graphscope.errors import GraphscopeError
from graphscope.protos import AttrValue, FunctionDef
from graphscope.transforms.fold import fold
from graphscope.transforms.freeze import refuse_oversize
from graphscope.transforms.inlining import inline_calls
from graphscope.transforms.prune import constant_predicate, prune_branches
from graphscope.transforms.subgraph import cut
from graphscope.transforms.variables_to_constants import freeze_variables
from tests.support.graphs import FLOAT, const, graph_of, op, placeholder
from tests.support.running import built, run_graph, tf

v1 = tf.compat.v1


def same_values(before: Graph, after: Graph, fetches: list[str], feed: dict[str, Any]) -> None:
    for expected, found in zip(run_graph(before, fetches, feed), run_graph(after, fetches, feed), strict=True):
        np.testing.assert_array_equal(found, expected)


# Calls


def named_outputs() -> None:
    """Of ops with several named outputs and with lists of them, every one but the first."""

    @tf.function
    def pick(a: Any) -> Any:
        indices = tf.raw_ops.TopKV2(input=a, k=2)[1]
        _, where, counts = tf.raw_ops.UniqueWithCounts(x=a)
        parts = tf.raw_ops.Split(axis=0, value=a, num_split=4)
        mean, variance = tf.nn.moments(a, [0])
        return indices, where, counts, parts[3], mean, variance

    x = v1.placeholder(tf.float32, [4], name="x")
    for i, output in enumerate(pick(x)):
        tf.identity(output, name=f"out_{i}")


def test_each_named_output_of_a_body_stays_itself() -> None:
    graph = built(named_outputs)
    flat = inline_calls(graph)
    assert "TopKV2" in flat.ops
    same_values(graph, flat, [f"out_{i}:0" for i in range(6)], {"x:0": np.float32([3, 1, 3, 7])})


# Variables


def shape_of_variable() -> Function:
    """A function of a handle that asks for nothing but the shape, so that the variable may be of any type."""
    proto = FunctionDef()
    proto.signature.name = "shape_of"
    proto.signature.input_arg.add(name="handle", type=int(DataType.RESOURCE))
    proto.signature.output_arg.add(name="result", type=int(DataType.INT32))
    proto.ret["result"] = "s:output:0"
    return Function(proto, [make_node("s", "VariableShape", ["handle"], {"out_type": type_attr(DataType.INT32)})])


def handle(name: str, dtype: DataType) -> Any:
    shape = AttrValue()
    shape.shape.dim.add(size=2)
    return make_node(name, "VarHandleOp", (), {"dtype": type_attr(dtype), "shape": shape})


def call(name: str, *inputs: str) -> Any:
    attrs = {"f": AttrValue(), "Tin": AttrValue(), "Tout": AttrValue()}
    attrs["f"].func.name = "shape_of"
    attrs["Tin"].list.type.append(int(DataType.RESOURCE))
    attrs["Tout"].list.type.append(int(DataType.INT32))
    return make_node(name, "PartitionedCall", inputs, attrs)


def test_a_function_gets_a_copy_for_each_type_of_variable() -> None:
    stored = {"w": np.float32([1, 2]), "n": np.int64([3, 4])}
    graph = graph_of(
        handle("w", DataType.FLOAT),
        handle("n", DataType.INT64),
        call("of_w", "w"),
        call("of_n", "n"),
        call("again", "w"),
    ).with_functions([shape_of_variable()])
    frozen = freeze_variables(graph, lambda name: ArrayPayload(stored[name]))
    called = {n.name: n.attrs["f"].func.name for n in frozen if n.op == "PartitionedCall"}
    assert called["of_w"] == called["again"] != called["of_n"]
    assert len(frozen.functions) == 3
    for name, found in zip(("of_w", "of_n", "again"), run_graph(frozen, ["of_w:0", "of_n:0", "again:0"])):
        assert found.tolist() == [2], name


@pytest.mark.parametrize("between", [None, "RefSwitch", "RefIdentity", "RefEnter", "RefMerge"])
def test_a_writer_is_refused_behind_whatever_passes_a_reference_on(between: str | None) -> None:
    attrs = {"dtype": type_attr(DataType.FLOAT), "shape": AttrValue()}
    nodes = [make_node("v", "VariableV2", (), attrs), const("one", 1.0), const("p", True, bool)]
    source = "v"
    if between is not None:
        extra = {"RefSwitch": ["p"], "RefMerge": ["v"]}.get(between, [])
        nodes.append(make_node("b", between, ["v", *extra], FLOAT))
        source = "b"
    graph = graph_of(*nodes, make_node("write", "AssignAdd", [source, "one"], FLOAT))
    with pytest.raises(GraphscopeError, match=r"node write \(AssignAdd\) writes to variable"):
        freeze_variables(graph, lambda name: ArrayPayload(np.float32(0)))
    reading = graph_of(*nodes, op("read", "Neg", source))
    assert freeze_variables(reading, lambda name: ArrayPayload(np.float32(0)))["v"].op == "Const"


# Cutting


def constants_in_branches() -> None:
    """Constants hang on their branch by a control edge alone; so does a node without data inputs in a loop."""
    x = v1.placeholder(tf.float32, [], name="x")
    chosen = tf.cond(x > 0, lambda: tf.constant(3.0), lambda: tf.constant(-3.0))
    total = tf.while_loop(lambda t: t < 10.0, lambda t: t + tf.constant(4.0), [x])
    tf.identity(chosen, name="chosen")
    tf.identity(total, name="total")
    tf.identity(x * 2.0, name="unrelated")


@pytest.mark.parametrize("value", [-1.0, 2.0])
def test_what_hangs_on_a_branch_by_a_control_edge_stays_in_it(value: float) -> None:
    graph = built(constants_in_branches)
    for output in ("chosen", "total"):
        less = cut(graph, [output])
        assert "unrelated" not in less
        same_values(graph, less, [f"{output}:0"], {"x:0": value})
    held = [n for n in cut(graph, ["chosen"]) if n.op == "Const" and n.control_inputs()]
    assert held, "the branch that a constant belongs to is lost"


# Pruning


@pytest.mark.parametrize(
    ("value", "dtype", "known"),
    [
        (True, bool, True),
        ([[False]], bool, False),
        (1, np.int32, None),
        (0.0, np.float32, None),
        ([True, True], bool, None),
        (np.zeros(0), bool, None),
        (b"x", object, None),
    ],
)
def test_only_one_boolean_decides_a_branch(value: Any, dtype: Any, known: bool | None) -> None:
    graph = graph_of(
        const("p", value, dtype),
        placeholder("x"),
        op("s", "Switch", "x", "p"),
        op("no", "Neg", "s"),
        op("yes", "Abs", "s:1"),
        make_node("m", "Merge", ["no", "yes"], FLOAT),
    )
    assert constant_predicate(graph, "p") is known
    pruned = prune_branches(graph)
    if known is None:
        assert pruned is graph
    else:
        assert [n for n in ("no", "yes") if n in pruned] == ["yes" if known else "no"]
        assert pruned["m"].op == "Identity"


# Limits


def test_no_graph_of_two_gibibytes() -> None:
    refuse_oversize((1 << 31) - 1)
    with pytest.raises(GraphscopeError, match="2,147,483,648 bytes"):
        refuse_oversize(1 << 31)


@pytest.mark.parametrize("numbers", [(0, -1, 1), (0, 1, -1), (0, 0, 1), (0, 1, 1), (2, 0, -1), (5, 0, -2), (0, 5, 2)])
@pytest.mark.parametrize("dtype", [np.int32, np.float32])
def test_a_range_ends_or_is_left_alone(numbers: tuple[int, int, int], dtype: Any) -> None:
    start, limit, delta = (const(name, n, dtype) for name, n in zip("abc", numbers))
    kind = {"Tidx": type_attr(DataType.from_numpy(np.dtype(dtype)))}
    graph = graph_of(start, limit, delta, make_node("r", "Range", ["a", "b", "c"], kind))
    folded = fold(graph, keep=["r"])
    if (numbers[1] - numbers[0]) * numbers[2] < 0:
        assert folded["r"].op == "Range"
    else:
        assert folded["r"].op == "Const"
        same_values(graph, folded, ["r:0"], {})
