"""``graph.edit()``: changes count together, and what is wrong with them names the node."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from graphscope.core.changes.build import make_node
from graphscope.core.changes.editor import GraphEditor
from graphscope.core.graph import Graph
from graphscope.errors import GraphscopeError, UnknownNameError
from tests.support.running import built, run_graph, tf

t = tf.compat.v1
X = np.array([[1.0, -2.0], [3.0, 4.0]], np.float32)


def simple() -> None:
    x = t.placeholder(t.float32, [None, 2], "x")
    guard = t.assert_non_negative(t.shape(x)[0], name="guard")
    with t.control_dependencies([guard]):
        passed = t.identity(x, "passed")
    doubled = t.multiply(passed, 2.0, "doubled")
    with t.control_dependencies([passed]):
        aside = t.constant(5.0, name="aside")
    t.add(doubled, aside, name="y")
    t.split(doubled, 2, axis=1, name="halves")


def calling() -> None:
    x = t.placeholder(t.float32, [None, 2], "x")

    @tf.function
    def body(a: Any) -> Any:
        return tf.nn.relu(tf.identity(a, "inner"), "relu") + 1.0

    t.identity(body(x), "y")


def value(graph: Graph, name: str = "y:0") -> Any:
    return run_graph(graph, [name], {"x:0": X})[0]


def function_of(graph: Graph) -> str:
    [name] = [name for name, f in graph.functions.items() if "relu" in f]
    return name


def test_a_bypassed_node_leaves_its_input_and_its_waiting_behind() -> None:
    graph = built(simple)
    with graph.edit() as e:
        e.bypass("passed")
    assert "passed" not in e.graph
    assert e.graph["doubled"].inputs[0] == "x"
    guards = graph["passed"].control_inputs()
    assert e.graph["doubled"].control_inputs() == guards
    assert set(e.graph["aside"].control_inputs()) == {"x", *guards}
    np.testing.assert_array_equal(value(e.graph), X * 2 + 5)


def test_an_input_of_the_type_of_the_output_stands_for_a_bypassed_node() -> None:
    def build() -> None:
        x = t.placeholder(t.float32, [None, 2], "x")
        t.add(t.where_v2(t.greater(x, 0.0), t.multiply(x, 3.0), t.constant(7.0), name="choice"), 1.0, name="y")

    graph = built(build)
    assert graph["choice"].op == "SelectV2"
    with graph.edit() as e:
        e.bypass("choice")
    np.testing.assert_array_equal(value(e.graph), X * 3 + 1)


def test_all_changes_or_none() -> None:
    graph = built(simple)

    def spoil(editor: GraphEditor) -> None:
        editor.bypass("passed")
        editor.remove("doubled")

    def interrupt(editor: GraphEditor) -> None:
        editor.bypass("passed")
        raise ZeroDivisionError

    for change, error, message in (
        (spoil, GraphscopeError, "there is no node doubled for its input doubled"),
        (interrupt, ZeroDivisionError, None),
    ):
        editor = graph.edit()
        with pytest.raises(error, match=message), editor:
            change(editor)
        assert editor.graph is graph


def test_rewired_inputs_and_their_types() -> None:
    graph = built(simple)
    with graph.edit() as e:
        e.rewire("y", 0, "halves:1")
    np.testing.assert_array_equal(value(e.graph), X[:, 1:] * 2 + 5)
    with (
        pytest.raises(GraphscopeError, match=r"node y \(AddV2\) takes float32, and guard.* is (int32|bool)"),
        graph.edit() as e,
    ):
        e.rewire("y", 0, next(n.name for n in graph if n.op in ("Const",) and n.name.startswith("guard/")))
    with pytest.raises(GraphscopeError, match="has 2 data inputs, no input 2"), graph.edit() as e:
        e.rewire("y", 2, "x")
    with pytest.raises(UnknownNameError, match="nowhere"), graph.edit() as e:
        e.rewire("y", 0, "nowhere")


def test_a_node_is_put_behind_a_tensor_for_all_that_take_it() -> None:
    graph = built(simple)
    with graph.edit() as e:
        name = e.insert_after("doubled", "Relu")
    assert name == "doubled/Relu"
    np.testing.assert_array_equal(value(e.graph), np.maximum(X * 2, 0) + 5)
    assert e.graph["halves"].inputs[1] == "doubled/Relu"
    assert [n.name for n in e.graph].index(name) == [n.name for n in e.graph].index("doubled") + 1
    with graph.edit() as e:
        e.insert_after("halves:1", "LeakyRelu", alpha="0.5", name="leaky")
    assert e.graph["leaky"].attrs["alpha"].f == 0.5
    assert list(e.graph["leaky"].inputs) == ["halves:1"]


@pytest.mark.parametrize(
    ("op", "attrs", "message"),
    [
        ("Relv", {}, "Relv"),
        ("Add", {}, "does not take a single input"),
        ("Cast", {}, "Cast needs its attribute DstT"),
        ("LeakyRelu", {"alpha": "much"}, "'much' is no float for the attribute alpha"),
        ("Relu", {"beta": 1}, "beta"),
    ],
)
def test_what_cannot_be_inserted(op: str, attrs: dict[str, Any], message: str) -> None:
    with pytest.raises(GraphscopeError, match=message), built(simple).edit() as e:
        e.insert_after("doubled", op, **attrs)


def test_a_node_becomes_a_constant() -> None:
    graph = built(simple)
    with graph.edit() as e:
        e.replace("doubled", np.ones((2, 2), np.float32))
    np.testing.assert_array_equal(value(e.graph), np.full((2, 2), 6))
    with pytest.raises(GraphscopeError, match=r"takes float32, and doubled is int64"), graph.edit() as e:
        e.replace("doubled", np.ones((2, 2), np.int64))


def test_several_outputs_have_no_stand_in() -> None:
    def build() -> None:
        x = t.placeholder(t.float32, [None, 2], "x")
        one, two = t.split(x, 2, axis=1, name="halves")
        t.add(one, two, name="y")

    for change in ("bypass", "replace"):
        with (
            pytest.raises(GraphscopeError, match=r"node halves \(Split\) gives several tensors"),
            built(build).edit() as e,
        ):
            getattr(e, change)("halves", *([X] if change == "replace" else []))


def test_names_may_change_places() -> None:
    graph = built(simple)
    with graph.edit() as e:
        e.rename({"doubled": "aside", "aside": "doubled", "x": "images"})
    np.testing.assert_array_equal(run_graph(e.graph, ["y:0"], {"images:0": X})[0], X * 2 + 5)
    with pytest.raises(GraphscopeError, match="two nodes would be called y"), graph.edit() as e:
        e.rename({"doubled": "y"})


def test_colocation_and_shared_names_follow() -> None:
    def build() -> None:
        v = t.get_variable("v", [2], use_resource=True)
        with t.colocate_with(v.handle):
            t.constant(1.0, name="near")

    graph = built(build)
    with graph.edit() as e:
        e.rename({"v": "w"})
    assert e.graph["w"].attrs["shared_name"].s == b"w"
    assert list(e.graph["near"].attrs["_class"].list.s) == [b"loc:@w"]
    with e.graph.edit() as again:
        again.remove("near")
    with e.graph.edit() as gone:
        gone.put(make_node("free", "NoOp"))
        for name in [n.name for n in e.graph if n.name != "near"]:
            gone.remove(name)
    assert "_class" not in gone.graph["near"].attrs


def test_nodes_of_library_functions_are_edited_alike() -> None:
    graph = built(calling)
    function = function_of(graph)
    with graph.edit() as e:
        e.bypass(f"{function}/relu")
    np.testing.assert_array_equal(value(e.graph), X + 1)
    with graph.edit() as e:
        e.insert_after(f"{function}/relu:activations:0", "Neg")
    np.testing.assert_array_equal(value(e.graph), -np.maximum(X, 0) + 1)
    with graph.edit() as e:
        e.replace(f"{function}/relu", np.full((2, 2), 3, np.float32))
    np.testing.assert_array_equal(value(e.graph), np.full((2, 2), 4))
    with graph.edit() as e:
        e.rename({f"{function}/relu": f"{function}/activation"})
        e.rewire(f"{function}/activation", 0, next(a.name for a in graph.functions[function].signature.input_arg))
    np.testing.assert_array_equal(value(e.graph), np.maximum(X, 0) + 1)
    assert "activation" in e.graph.functions[function]
    assert f"{function}/relu" in graph.edit().names()


def test_a_result_in_two_loops_at_once_is_refused() -> None:
    def build() -> None:
        x = t.placeholder(t.float32, [None, 2], "x")
        t.while_loop(lambda i, _: i < 2, lambda i, v: (i + 1, v + 1), (0, x), name="loop")
        t.identity(x, "y")

    graph = built(build)
    inside = next(n.name for n in graph if n.op == "Identity" and n.name.startswith("loop/") and n.attrs["T"].type == 1)
    with pytest.raises(GraphscopeError, match=r"node y \(Add\) would take inputs from"), graph.edit() as e:
        e.put(make_node("y", "Add", ["x", inside], {"T": graph["y"].attrs["T"]}))
