"""Listing nodes: the filters, and what names that are not there cost."""

from __future__ import annotations

from typing import Any

import pytest

import graphscope
from graphscope.analysis.listing import Listing, compile_patterns, list_nodes
from graphscope.cli.terminal.wording import to_words
from graphscope.core.model import Model
from graphscope.core.tensors import TensorSpec, node_of
from graphscope.core.values.dtypes import DataType
from graphscope.errors import GraphscopeError, IncompleteModelError, UnknownNameError
from tests.support.fixture_files import FIXTURES
from tests.support.listed import names, opened, rows
from tests.support.saving import tf

v1 = tf.compat.v1
GraphDef = v1.GraphDef


@pytest.fixture(scope="module")
def net(tmp_path_factory: pytest.TempPathFactory) -> Model:
    """``a/x`` -> ``a/y`` -> ``b/z`` -> ``b/out``, ``a/y`` -> ``c``; ``c`` waits for ``b/z``; a function with two nodes."""
    graph = GraphDef()
    graph.versions.producer = 1000
    nodes = [
        ("a/x", "Placeholder", []),
        ("a/y", "Tanh", ["a/x"]),
        ("b/z", "Square", ["a/y:0"]),
        ("b/out", "Add", ["b/z", "a/x"]),
        ("c", "Neg", ["a/y", "^b/z"]),
        ("ab", "NoOp", ["^c"]),
    ]
    for name, op, inputs in nodes:
        node = graph.node.add(name=name, op=op, input=inputs)
        if op not in ("Placeholder", "NoOp"):
            node.attr["T"].type = 1
    graph.node[1].device = "/gpu:0"
    graph.node[0].attr["dtype"].type = 1
    function = graph.library.function.add()
    function.signature.name = "f"
    function.signature.input_arg.add(name="arg", type=1)
    function.node_def.add(name="a/inner", op="Tanh", input=["arg"]).attr["T"].type = 1
    function.node_def.add(name="second", op="Exp", input=["a/inner:y:0"]).attr["T"].type = 1
    return opened(graph, tmp_path_factory.mktemp("net"))


# Filters


def test_everything(net: Model) -> None:
    found = rows(net)
    assert names(found) == ["a/x", "a/y", "b/z", "b/out", "c", "ab"]
    assert [row.op for row in found] == ["Placeholder", "Tanh", "Square", "Add", "Neg", "NoOp"]
    assert found[4].inputs == ("a/y", "^b/z")
    assert [row.device for row in found if row.device] == ["/gpu:0"]
    assert {row.function for row in found} == {""}
    assert {row.distance for row in found} == {None}
    assert [len(row.outputs) for row in found] == [1, 1, 1, 1, 1, 0]


def test_functions(net: Model) -> None:
    found = rows(net, functions=True)
    assert [(r.function, r.name) for r in found[6:]] == [("f", "a/inner"), ("f", "second")]
    assert found[-1].outputs == (TensorSpec("second:0", DataType.FLOAT),)


def test_by_op(net: Model) -> None:
    assert names(rows(net, ops=["Tanh"])) == ["a/y"]
    assert names(rows(net, ops=["Neg", "Square"])) == ["b/z", "c"]
    assert names(rows(net, functions=True, ops=["Tanh"])) == ["a/y", "a/inner"]
    assert names(rows(net, functions=True, ops=["Exp"])) == ["second"]
    for op, closest in (("tanh", ["Tanh"]), ("Placeholdr", ["Placeholder"]), ("Exp", []), ("", [])):
        with pytest.raises(UnknownNameError, match=f"no op of this graph is named {op!r}") as caught:
            rows(net, ops=["Neg", op])
        assert caught.value.closest == closest


def test_by_name(net: Model) -> None:
    def matching(*texts: str, **others: Any) -> list[str]:
        return names(rows(net, names=compile_patterns(texts), **others))

    assert matching("^a/") == ["a/x", "a/y"]
    assert matching("z$", "^c$") == ["b/z", "c"]
    assert matching("B", "(?i)Z") == ["b/z"]
    assert matching("nothing") == []
    assert matching("") == ["a/x", "a/y", "b/z", "b/out", "c", "ab"]
    assert matching("a/", functions=True) == ["a/x", "a/y", "a/inner"]


@pytest.mark.parametrize("text", ["(", "a[", "*", "a{2,1}", r"\1", "(?P<a>.)(?P<a>.)", "a{99999999999999}", "(" * 5000])
def test_what_is_no_regular_expression(text: str) -> None:
    with pytest.raises(GraphscopeError, match="is not a valid regular expression: ") as caught:
        compile_patterns(["fine", text])
    assert repr(text) in caught.value.message
    assert to_words(caught.value.hint) == "escape special characters with \\"


def test_by_scope(net: Model) -> None:
    assert names(rows(net, scope="a")) == names(rows(net, scope="a/")) == ["a/x", "a/y"]
    assert names(rows(net, scope="c")) == ["c"]
    assert names(rows(net, functions=True, scope="a")) == ["a/x", "a/y", "a/inner"]
    with pytest.raises(UnknownNameError, match="no name scope is named 'A'; closest: a"):
        rows(net, scope="A")
    with pytest.raises(UnknownNameError, match="no name scope is named 'a/xx'"):
        rows(net, scope="a/xx")


@pytest.mark.parametrize(
    ("start", "depth", "expected"),
    [
        ("b/out", 1, {"b/z": 1, "a/x": 1}),
        ("b/out", 2, {"b/z": 1, "a/x": 1, "a/y": 2}),
        ("b/out:0", None, {"b/z": 1, "a/x": 1, "a/y": 2}),
        ("c", 1, {"a/y": 1, "b/z": 1}),
        ("^ab", None, {"c": 1, "a/y": 2, "b/z": 2, "a/x": 3}),
        ("a/x", None, {}),
        ("b/out", 0, {}),
    ],
)
def test_inputs_of(net: Model, start: str, depth: int | None, expected: dict[str, int]) -> None:
    found = rows(net, inputs_of=start, depth=depth)
    assert {row.name: row.distance for row in found} == expected
    assert names(found) == [name for name in names(rows(net)) if name in expected]
    assert names(rows(net, functions=True, inputs_of=start, depth=depth)) == names(found)


@pytest.mark.parametrize(
    ("start", "depth", "expected"),
    [
        ("a/x", 1, {"a/y": 1, "b/out": 1}),
        ("a/x", 2, {"a/y": 1, "b/out": 1, "b/z": 2, "c": 2}),
        ("a/x", None, {"a/y": 1, "b/out": 1, "b/z": 2, "c": 2, "ab": 3}),
        ("b/z", 1, {"b/out": 1, "c": 1}),
        ("ab", None, {}),
    ],
)
def test_consumers_of(net: Model, start: str, depth: int | None, expected: dict[str, int]) -> None:
    assert {row.name: row.distance for row in rows(net, consumers_of=start, depth=depth)} == expected


def test_both_ways_and_with_others(net: Model) -> None:
    assert names(rows(net, inputs_of="b/z", consumers_of="b/z")) == ["a/y", "b/out", "c"]
    assert names(rows(net, inputs_of="b/z", consumers_of="c", depth=None)) == ["a/x", "a/y", "ab"]
    assert names(rows(net, consumers_of="a/x", depth=None, ops=["Neg", "Add"], scope="b")) == ["b/out"]


@pytest.mark.parametrize("which", ["inputs_of", "consumers_of"])
def test_a_neighbour_of_nothing(net: Model, which: str) -> None:
    with pytest.raises(UnknownNameError, match="no node is named 'b/oot'; closest: b/out"):
        rows(net, **{which: "b/oot:0"})


def test_neighbours_in_a_loop() -> None:
    model = graphscope.load(FIXTURES / "rnn")
    [merge] = [n.name for n in model.graph if n.op == "Merge"][:1]
    back = {row.name: row.distance for row in rows(model, inputs_of=merge, depth=None)}
    forth = {row.name for row in rows(model, consumers_of=merge, depth=None)}
    assert merge not in back
    assert merge not in forth
    assert set(back) & forth, "what is in the loop is before and after"
    assert back == {n: d for n, d in distances(model, merge).items() if n != merge}


def distances(model: Model, start: str) -> dict[str, int]:
    """Breadth first, written out."""
    inputs = {n.name: [node_of(i) for i in n.inputs] for n in model.graph}
    found = {start: 0}
    queue = [start]
    for name in queue:
        for producer in inputs[name]:
            if producer not in found:
                found[producer] = found[name] + 1
                queue.append(producer)
    return found


def test_no_graph() -> None:
    model = graphscope.load(FIXTURES / "softmax" / "model.ckpt-6000.index")
    assert model.has_graph
    bare = graphscope.load(FIXTURES / "lenet5" / "saved_model" / "variables" / "variables")
    with pytest.raises(IncompleteModelError, match="a checkpoint without a graph"):
        rows(bare)


def test_inferred_shapes_win(net: Model) -> None:
    found = list(list_nodes(net, Listing(inferred={"a/x:0": (3, 4), "c:0": ()})))
    shapes = {spec.name: spec.shape for row in found for spec in row.outputs}
    assert shapes == {"a/x:0": (3, 4), "a/y:0": None, "b/z:0": None, "b/out:0": None, "c:0": ()}
