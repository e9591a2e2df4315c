"""Who takes what of whom while a graph, or a function's body, is edited."""

from __future__ import annotations

from typing import Any

import pytest

from graphscope.core.changes.build import make_node, type_attr
from graphscope.core.changes.draft import Draft
from graphscope.core.checks.attributes import LOCATION
from graphscope.core.graph import Function, Graph, Node
from graphscope.core.ops.table import OpCatalog
from graphscope.core.values.dtypes import DataType
from graphscope.errors import GraphscopeError, UnknownNameError
from graphscope.protos import AttrValue, FunctionDef, GraphDef

FLOAT = type_attr(DataType.FLOAT)


def node(name: str, op: str, *inputs: str, **attrs: Any) -> Node:
    return make_node(name, op, inputs, {"T": FLOAT, **attrs})


def near(name: str, holder: str) -> Node:
    """A node that runs where ``holder`` does."""
    return node(name, "Neg", "x", _class=AttrValue(list={"s": [LOCATION + holder.encode(), b"other"]}))


def top(name: str, *inputs: str) -> Node:
    return node(name, "TopKV2", *inputs, Tk=type_attr(DataType.INT32), index_type=type_attr(DataType.INT32))


def graph_draft() -> Draft:
    nodes = [node("x", "Placeholder", dtype=FLOAT), node("k", "Const"), top("top", "x", "k")]
    nodes += [node("a", "Neg", "top"), node("b", "Neg", "top:1"), node("c", "Neg", "a", "^top"), near("d", "a")]
    return Draft(Graph(GraphDef(), nodes), OpCatalog())


def function_draft() -> Draft:
    proto = FunctionDef()
    proto.signature.name = "f"
    proto.signature.input_arg.add(name="x", type=1)
    proto.signature.input_arg.add(name="k", type=3)
    proto.ret.update({"values": "top:values:0", "places": "top:indices:0", "given": "x"})
    nodes = [top("top", "x", "k"), node("a", "Neg", "top:values:0"), node("lone", "Neg", "x")]
    return Draft(Function(proto, nodes), OpCatalog())


def names(nodes: list[Node]) -> list[str]:
    return [one.name for one in nodes]


def test_takers_and_the_outputs_that_they_take() -> None:
    draft = graph_draft()
    assert names(draft.takers("top")) == ["a", "b", "c"]
    assert draft.used_outputs("top") == {0, 1}
    assert (draft.used_outputs("a"), draft.used_outputs("c"), draft.used_outputs("x")) == ({0}, set(), {0})
    inner = function_draft()
    assert inner.used_outputs("top") == {0, 1}  # the indices are a result alone
    assert inner.used_outputs("lone") == set()
    assert (inner.index("top:values:0"), inner.index("top:indices:0"), inner.index("x")) == (0, 1, 0)
    assert [inner.dtype(text) for text in ("x", "k", "top:indices:0", "top:indices:1", "nobody")] == [
        *(DataType.FLOAT, DataType.INT32, DataType.INT32),
        *(DataType.INVALID, DataType.INVALID),
    ]
    assert [draft.dtype(text) for text in ("top", "top:1", "top:2")] == [
        DataType.FLOAT,
        DataType.INT32,
        DataType.INVALID,
    ]
    assert [inner.has_source(text) for text in ("x", "^top", "top:values:0", "values")] == [True, True, True, False]


def test_new_nodes_stand_behind_the_ones_that_they_were_put_after() -> None:
    draft = graph_draft()
    draft.put(node("one", "Neg", "x"), after="x")
    draft.put(node("two", "Neg", "x"), after="x")
    draft.put(node("behind one", "Neg", "one"), after="one")
    draft.put(node("last", "Neg", "x"))
    assert names(draft.nodes)[:4] == ["x", "one", "behind one", "two"]
    assert names(draft.nodes)[-1] == "last"
    draft.put(node("a", "Neg", "one"), after="x")  # it keeps its place
    assert names(draft.nodes).index("a") == names(draft.nodes).index("top") + 1
    assert names(draft.takers("top")) == ["b", "c"]
    assert names(draft.takers("one")) == ["behind one", "a"]
    draft.delete("one")
    assert sorted(names(draft.nodes)) == sorted(["x", "two", "k", "top", "a", "b", "c", "d", "last", "behind one"])
    assert names(draft.nodes)[-2:] == ["last", "behind one"]
    assert names(draft.takers("x")) == ["top", "d", "two", "last"]
    assert "one" not in draft.touched


def test_a_deleted_node_holds_nobody() -> None:
    draft = graph_draft()
    draft.delete("a")
    assert list(draft["d"].attrs["_class"].list.s) == [b"other"]
    draft.put(node("a", "Neg", "x", _class=AttrValue(list={"s": [LOCATION + b"b"]})))
    draft.delete("b")
    assert "_class" not in draft["a"].proto.attr
    assert list(draft["d"].attrs["_class"].list.s) == [b"other"]


def test_an_output_is_replaced_for_nodes_and_results() -> None:
    draft = graph_draft()
    draft.replace_output("top", 1, "x")
    assert (draft["b"].inputs, draft["a"].inputs, draft["c"].inputs) == (["x"], ["top"], ["a", "^top"])
    inner = function_draft()
    inner.replace_output("top", 1, "k")
    assert inner.results == {"values": "top:values:0", "places": "k", "given": "x"}
    inner.replace_output("top", 0, "x")
    assert (inner.results["values"], inner["a"].inputs) == ("x", ["x"])


def test_a_node_that_is_taken_out_leaves_its_source_and_its_waiting() -> None:
    draft = graph_draft()
    draft.put(node("a", "Identity", "top", "^k"))
    draft.put(node("e", "Neg", "x", "^a"))
    draft.splice("a", "top")
    assert list(draft["c"].inputs) == ["top", "^top", "^k"]
    assert list(draft["e"].inputs) == ["x", "^top", "^k"]
    inner = function_draft()
    inner.put(node("waits", "Neg", "top:values:0", "^lone"))
    inner.splice("lone", "x")
    assert list(inner["waits"].inputs) == ["top:values:0"]  # an argument is nothing to wait for


@pytest.mark.parametrize("changes", [{"a": "b"}, {"a": "z", "b": "z"}, {"a": ""}])
def test_two_nodes_are_never_of_one_name(changes: dict[str, str]) -> None:
    with pytest.raises(GraphscopeError, match="would"):
        graph_draft().rename(changes)
    with pytest.raises(GraphscopeError, match="two nodes would be called x"):
        function_draft().rename({"a": "x"})
    with pytest.raises(UnknownNameError):
        graph_draft().rename({"nobody": "y"})


def test_names_follow_wherever_they_stand() -> None:
    draft = graph_draft()
    draft.put(node("v", "VarHandleOp", shared_name=AttrValue(s=b"v")))
    draft.put(node("w", "VarHandleOp", shared_name=AttrValue(s=b"v")))
    draft.rename({"a": "b", "b": "a", "top": "deep/top", "v": "u"})
    assert (draft["b"].inputs, draft["a"].inputs) == (["deep/top"], ["deep/top:1"])
    assert draft["c"].inputs == ["b", "^deep/top"]
    assert list(draft["d"].attrs["_class"].list.s) == [LOCATION + b"b", b"other"]
    assert (draft["u"].attrs["shared_name"].s, draft["w"].attrs["shared_name"].s) == (b"u", b"v")
    assert list(draft.touched) == ["u", "w"]
    assert names(draft.takers("deep/top")) == ["b", "a", "c"]
    assert (draft.free_name("a"), draft.free_name("z")) == ("a_1", "z")
    inner = function_draft()
    inner.rename({"top": "best"})
    assert inner.results == {"values": "best:values:0", "places": "best:indices:0", "given": "x"}
