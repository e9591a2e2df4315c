"""Opening a graph, node by node: which tensors become placeholders, what they are called, of which type and shape."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import pytest

from graphscope.core.changes.build import make_node, type_attr
from graphscope.core.graph import Graph, Node
from graphscope.core.tensors import Shape
from graphscope.core.values.dtypes import DataType
from graphscope.errors import GraphscopeError, UnknownNameError
from graphscope.transforms.opening import Opened, open_at
from tests.support.graphs import const, graph_of, op, placeholder


def opened(
    nodes: Sequence[Node], inputs: Sequence[str], outputs: Sequence[str], shapes: Mapping[str, Shape] | None = None
) -> Opened:
    graph = graph_of(*nodes)
    return open_at(graph, inputs, outputs, graph.catalog(), None if shapes is None else shapes.get)


def rows(graph: Graph) -> list[tuple[str, str, list[str]]]:
    return [(n.name, n.op, list(n.inputs)) for n in graph]


def stating(original: Node, *shapes: tuple[int, ...]) -> Node:
    for shape in shapes:
        proto = original.proto.attr["_output_shapes"].list.shape.add()
        for size in shape:
            proto.dim.add(size=size)
    return original


def parts(*used: str) -> list[Node]:
    """``x`` in three parts, of which those in ``used`` are taken."""
    split = op("s", "Split", "axis", "x", num_split=3)
    return [
        const("axis", 0, np.int32),
        placeholder("x"),
        split,
        *(op(f"u{i}", "Neg", text) for i, text in enumerate(used)),
    ]


def test_without_inputs_the_graph_stays() -> None:
    graph = graph_of(placeholder("x"), op("y", "Neg", "x"))
    assert open_at(graph, [], ["y"], graph.catalog()).graph is graph
    assert open_at(graph, ["x"], ["y"], graph.catalog()).graph is graph
    with pytest.raises(UnknownNameError):
        open_at(graph, ["nowhere"], ["y"], graph.catalog())


@pytest.mark.parametrize("name", ["n", "n:0"])
def test_a_node_of_one_tensor_keeps_its_name(name: str) -> None:
    result = opened([placeholder("x"), op("n", "Neg", "x"), op("y", "Add", "n:0", "n", "^n")], [name], ["y"])
    assert rows(result.graph) == [("x", "Placeholder", []), ("n", "Placeholder", []), ("y", "Add", ["n", "n", "^n"])]
    assert result.originals == {}
    assert result.graph["n"].attrs["dtype"].type == DataType.FLOAT
    assert result.graph["n"].attrs["shape"].shape.unknown_rank


def test_a_placeholder_with_a_default_loses_it_and_others_stay() -> None:
    nodes = [
        const("c", 1),
        make_node("d", "PlaceholderWithDefault", ["c"], {"dtype": type_attr(DataType.FLOAT)}),
        op("y", "Neg", "d"),
    ]
    assert rows(opened(nodes, ["d"], ["y"]).graph)[1] == ("d", "Placeholder", [])


@pytest.mark.parametrize(
    ("inputs", "outputs", "used", "made", "texts"),
    [
        (["s"], ["u0"], ["s"], {"s": ""}, ["s"]),
        (["s:0"], ["u0"], ["s"], {"s": ""}, ["s"]),
        (["s"], ["u0", "u1"], ["s", "s:2"], {"s_0": "s:0", "s_2": "s:2"}, ["s_0", "s_2"]),
        (["s"], ["u0"], ["s", "s:2"], {"s": ""}, ["s", "s:2"]),
        (["s:2"], ["u0", "u1"], ["s", "s:2"], {"s_2": "s:2"}, ["s", "s_2"]),
        (["s:0", "s:2"], ["u0", "u1"], ["s", "s:2"], {"s_0": "s:0", "s_2": "s:2"}, ["s_0", "s_2"]),
        (["s"], ["s:1", "u0"], ["s:1"], {"s_1": "s:1"}, ["s_1"]),
        (["s"], ["x"], [], {"s": ""}, []),
    ],
)
def test_each_tensor_that_is_needed_is_an_input(
    inputs: list[str], outputs: list[str], used: list[str], made: dict[str, str], texts: list[str]
) -> None:
    result = opened(parts(*used), inputs, outputs)
    placeholders = [n.name for n in result.graph if n.op == "Placeholder" and n.name != "x"]
    assert placeholders == list(made)
    assert result.originals == {f"{name}:0": old for name, old in made.items() if old}
    assert [n.inputs[0] for n in result.graph if n.name.startswith("u")] == texts


def test_an_identity_that_alone_takes_a_tensor_gives_its_name() -> None:
    nodes = [*parts("s"), op("image", "Identity", "s:1"), op("y", "Add", "u0", "image")]
    result = opened(nodes, ["s"], ["y"])
    assert [r for r in rows(result.graph) if r[1] == "Placeholder"] == [
        ("x", "Placeholder", []),
        ("s_0", "Placeholder", []),
        ("image", "Placeholder", []),
    ]
    assert result.originals == {"s_0:0": "s:0"}
    shared = opened([*nodes, op("z", "Neg", "s:1")], ["s"], ["y", "z"])
    assert {"s_0", "s_1"} < set(shared.graph.by_name)
    unneeded = opened([*nodes, op("z", "Neg", "s:1")], ["s"], ["y"])
    assert unneeded.graph["image"].op == "Placeholder"


def test_names_that_are_taken_are_passed_over() -> None:
    nodes = [*parts("s", "s:1"), op("s_1", "Neg", "x"), op("s_1_1", "Neg", "x")]
    result = opened(nodes, ["s"], ["u0", "u1"])
    assert list(result.originals) == ["s_0:0", "s_1_2:0"]


def test_new_placeholders_stand_where_their_node_stood() -> None:
    result = opened([*parts("s", "s:1"), op("y", "Add", "u0", "u1")], ["s"], ["y"])
    assert [n.name for n in result.graph] == ["axis", "x", "s", "s_0", "s_1", "u0", "u1", "y"]


def test_inputs_before_inputs_need_nothing() -> None:
    """What lies before an input that is open as a whole is not needed, and so its other tensors are not either."""
    nodes = [*parts("s", "s:1"), op("n", "Neg", "u1"), op("y", "Add", "u0", "n")]
    result = opened(nodes, ["s", "n"], ["y"])
    assert (result.graph["s"].op, result.graph["n"].op) == ("Placeholder", "Placeholder")
    assert result.originals == {}


# Types and shapes


@pytest.mark.parametrize(
    ("shapes", "inferred", "expected"),
    [
        ([(2, 3)], None, [2, 3]),
        ([(2, -1)], None, [2, -1]),
        ([], {"n:0": (4, None)}, [4, -1]),
        ([], {"n:0": ()}, []),
        ([(2, 3)], {"n:0": (4,)}, [2, 3]),
        ([], {"n:0": None}, None),
        ([], {}, None),
        ([], None, None),
    ],
)
def test_the_shape_that_is_known(
    shapes: list[tuple[int, ...]], inferred: Mapping[str, Shape] | None, expected: list[int] | None
) -> None:
    result = opened(
        [placeholder("x"), stating(op("n", "Neg", "x"), *shapes), op("y", "Neg", "n")], ["n"], ["y"], inferred
    )
    shape = result.graph["n"].attrs["shape"].shape
    assert (None if shape.unknown_rank else [d.size for d in shape.dim]) == expected


def test_each_tensor_has_its_own_type_and_shape() -> None:
    top = stating(op("s", "TopKV2", "x", "k"), (2, 3), (2, 5))
    nodes = [placeholder("x"), const("k", 1, np.int32), top, op("a", "Neg", "s"), op("b", "Cast", "s:1")]
    graph = opened(nodes, ["s"], ["a", "b"]).graph
    assert [graph[name].attrs["dtype"].type for name in ("s_0", "s_1")] == [DataType.FLOAT, DataType.INT32]
    assert [d.size for d in graph["s_1"].attrs["shape"].shape.dim] == [2, 5]


def test_an_unknown_op_is_of_the_type_that_its_consumers_take() -> None:
    first = make_node("d", "AlsoUnknown", ["u:1"])
    untyped = make_node("e", "Neg", ["u:1"])
    taker = make_node("c", "Add", ["x", "u:1"], {"T": type_attr(DataType.DOUBLE)})
    result = opened([placeholder("x"), make_node("u", "SomebodysOp"), first, untyped, taker], ["u:1"], ["c", "d", "e"])
    assert result.graph["u_1"].attrs["dtype"].type == DataType.DOUBLE
    with pytest.raises(GraphscopeError, match=r"u:0 \(SomebodysOp\)"):
        opened([make_node("u", "SomebodysOp"), first], ["u"], ["u"])


def test_an_output_beyond_the_last_is_of_the_type_that_is_expected() -> None:
    taker = make_node("y", "Cast", ["n:3"], {"SrcT": type_attr(DataType.HALF), "DstT": type_attr(DataType.FLOAT)})
    result = opened([placeholder("x"), op("n", "Neg", "x"), taker], ["n:3"], ["y"])
    assert result.graph["n"].attrs["dtype"].type == DataType.HALF
