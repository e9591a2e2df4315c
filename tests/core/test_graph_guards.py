"""Graphs, ops and what a file states: who takes what, of which type and shape."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from graphscope.core.changes.build import make_node, type_attr
from graphscope.core.collections import Collection, collections_of, variable_names
from graphscope.core.graph import Function, Graph, Node, called_functions
from graphscope.core.ops.table import ArgumentType, OpCatalog, input_count, input_types, output_types, registered_ops
from graphscope.core.patterns import NamePattern
from graphscope.core.stated_shapes import stated_shape
from graphscope.core.tensors import TensorName, is_known, node_of
from graphscope.core.values.dtypes import REF, DataType
from graphscope.errors import UnknownNameError
from graphscope.protos import AttrValue, FunctionDef, GraphDef, MetaGraphDef, OpDef
from tests.support.graphs import FLOAT, const, graph_of, op, placeholder
from tests.support.running import attr_value

# Ops


def test_attributes_decide_inputs_and_outputs() -> None:
    ops = registered_ops()
    three = {"num_split": AttrValue(i=3), "T": type_attr(DataType.INT8)}
    assert output_types(ops["Split"], three) == [ArgumentType(DataType.INT8, False, "output")] * 3
    assert input_types(ops["Split"], three) == [DataType.INT32, DataType.INT8]
    assert output_types(ops["Neg"], {}) == [ArgumentType(DataType.INVALID, False, "y")]
    assert output_types(ops["VariableV2"], {"dtype": type_attr(DataType.HALF)}) == [
        ArgumentType(DataType.HALF, True, "ref")
    ]
    referring = {"T": AttrValue(type=int(DataType.HALF) + REF)}
    assert output_types(ops["Neg"], referring) == [ArgumentType(DataType.HALF, True, "y")]
    assert output_types(ops["Neg"], {"T": AttrValue(type=REF)}) == [ArgumentType(DataType.INVALID, False, "y")]
    assert output_types(ops["ArgMax"], {}) == [ArgumentType(DataType.INT64, False, "output")]
    listed = AttrValue()
    listed.list.type.extend([1, 7])
    assert [o.dtype for o in output_types(ops["IdentityN"], {"T": listed})] == [DataType.FLOAT, DataType.STRING]
    assert (output_types(ops["IdentityN"], {}), input_types(ops["IdentityN"], {})) == ([], [])


@pytest.mark.parametrize(
    ("kind", "attrs", "count"),
    [
        ("Neg", {}, 1),
        ("Add", {}, 2),
        ("NoOp", {}, 0),
        ("Merge", {"N": AttrValue(i=4)}, 4),
        ("Merge", {}, None),
        ("ConcatV2", {"N": AttrValue(i=3)}, 4),
        ("PartitionedCall", {"Tin": AttrValue(list=AttrValue.ListValue(type=[1, 1, 3]))}, 3),  # type: ignore[attr-defined]
        ("PartitionedCall", {}, None),
    ],
)
def test_how_many_inputs_an_op_takes(kind: str, attrs: dict[str, AttrValue], count: int | None) -> None:
    assert input_count(registered_ops()[kind], attrs) == count


def test_a_catalog_prefers_its_own_and_tells_types_apart() -> None:
    own = OpDef(name="Neg")
    own.output_arg.add(name="z", type=3)
    assert OpCatalog([own]).outputs("Neg", {}) == (ArgumentType(DataType.INT32, False, "z"),)
    catalog = OpCatalog()
    assert (catalog.outputs("SomebodysOp", {}), catalog.get("SomebodysOp")) == (None, None)
    for dtype in (DataType.FLOAT, DataType.HALF, DataType.FLOAT):
        assert catalog.outputs("Neg", {"T": type_attr(dtype)}) == (ArgumentType(dtype, False, "y"),)
    for count in (2, 3, 2):
        attrs = {"num_split": AttrValue(i=count), **FLOAT}
        assert len(catalog.outputs("Split", attrs) or ()) == count
        listed = AttrValue()
        listed.list.type.extend([1] * count)
        assert len(catalog.outputs("IdentityN", {"T": listed}) or ()) == count
    assert catalog.outputs("NoOp", {}) == ()


# Graphs


def line(count: int) -> Graph:
    return graph_of(placeholder("n0"), *(op(f"n{i}", "Neg", f"n{i - 1}", "^n0", "nowhere") for i in range(1, count)))


def test_how_far_nodes_lie_apart() -> None:
    graph = graph_of(placeholder("a"), *(op(f"n{i}", "Neg", f"n{i - 1}" if i else "a") for i in range(4)))
    assert graph.ancestors(["n3"]) == {"n3": 0, "n2": 1, "n1": 2, "n0": 3, "a": 4}
    assert graph.ancestors(["n3"], 2) == {"n3": 0, "n2": 1, "n1": 2}
    assert graph.ancestors(["n3"], 0) == {"n3": 0}
    assert graph.descendants(["a"], 1) == {"a": 0, "n0": 1}
    assert graph.descendants(["n2", "n2"]) == {"n2": 0, "n3": 1}
    with pytest.raises(UnknownNameError):
        graph.ancestors(["nowhere"])


def test_who_takes_what_and_waits_for_whom() -> None:
    graph = line(3)
    assert [n.name for n in graph.producers(graph["n2"])] == ["n1", "n0"]
    assert [n.name for n in graph.consumers("n0")] == ["n1", "n2"]
    assert graph.consumers("n2") == []
    assert (graph["n2"].data_inputs(), graph["n2"].control_inputs()) == (["n1", "nowhere"], ["n0"])
    assert ("n1" in graph, "nowhere" in graph, graph.get("nowhere"), len(graph)) == (True, False, None, 3)
    twice = graph_of(placeholder("a"), op("y", "Add", "a", "a:1", "^a"))
    assert [n.name for n in twice.consumers("a")] == ["y"]


def test_what_nodes_call() -> None:
    several = AttrValue()
    for name in ("f", "g"):
        several.list.func.add(name=name)
    one = AttrValue()
    one.func.name = "h"
    nodes = [
        make_node("a", "Case", (), {"branches": several}),
        make_node("b", "own", (), {"f": one, "i": AttrValue(i=1)}),
    ]
    assert list(called_functions(nodes)) == ["Case", "f", "g", "own", "h"]


def test_the_producer_is_what_the_file_states() -> None:
    header = GraphDef(version=7)
    assert Graph(header, []).producer == 7
    header.versions.producer = 21
    assert Graph(header, []).producer == 21
    function = Function(FunctionDef(), [placeholder("a")])
    assert [name for name, _ in Graph(header, [], [function]).bodies] == ["", ""]


@pytest.mark.parametrize(
    ("text", "node"), [("a", "a"), ("^a", "a"), ("a:1", "a"), ("a:out:1", "a"), ("^a:1", "a"), ("", ""), ("a^b", "a^b")]
)
def test_the_node_in_a_text(text: str, node: str) -> None:
    assert node_of(text) == node


@pytest.mark.parametrize(("digits", "index"), [("9" * 9, 999_999_999), ("9" * 10, 0)])
def test_an_index_has_nine_digits(digits: str, index: int) -> None:
    assert TensorName.parse(f"a:{digits}").index == index
    assert str(TensorName("a", 2, "out")) == "a:out:2"
    assert str(TensorName("a", -1, None, True)) == "^a"
    assert [is_known(shape) for shape in ((), (1,), (None,), None)] == [True, True, False, False]


def test_names_are_matched_up_to_a_thousand_characters() -> None:
    pattern = NamePattern("a+")
    for find in (pattern.fullmatch, pattern.search):
        assert find("a" * 1000) is not None
        assert find("a" * 1001) is None
        assert find("b") is None
    assert (pattern.search("ba") is not None, pattern.fullmatch("ba")) == (True, None)


# Stated shapes


def states(name: str, kind: str, *inputs: str, shapes: dict[str, Any] | None = None, **attrs: AttrValue) -> Node:
    for key, rows in (shapes or {}).items():
        attrs[key] = AttrValue()
        for row in rows:
            made = attrs[key].list.shape.add(unknown_rank=row is None)
            for size in row or ():
                made.dim.add(size=size)
    return make_node(name, kind, inputs, attrs)


SHAPE = attr_value(registered_ops()["Placeholder"], "shape", (2, -1))
SCALAR = attr_value(registered_ops()["Placeholder"], "shape", ())
QUEUE = states("q", "FIFOQueueV2", shapes={"shapes": [(3,), None, (4, 5)]})


@pytest.mark.parametrize(
    ("node", "index", "expected"),
    [
        (states("n", "Neg"), 0, None),
        (states("n", "Neg", shapes={"_output_shapes": [(1,), (2, 3)]}), 0, (1,)),
        (states("n", "Neg", shapes={"_output_shapes": [(1,), (2, 3)]}), 1, (2, 3)),
        (states("n", "Neg", shapes={"_output_shapes": [(1,), (2, 3)]}), 2, None),
        (states("n", "Neg", shapes={"output_shapes": [(1,)]}), 0, None),
        (states("n", "IteratorGetNext", shapes={"output_shapes": [(1,), (-1, 2)]}), 1, (None, 2)),
        (states("n", "IteratorGetNext", shapes={"output_shapes": [(1,)], "_output_shapes": [(7,)]}), 0, (7,)),
        (states("n", "Placeholder", shape=SHAPE), 0, (2, None)),
        (states("n", "Placeholder", shape=SHAPE), 1, None),
        (states("n", "Placeholder"), 0, None),
        (states("n", "PlaceholderV2", shape=SCALAR), 0, ()),
        (states("n", "Variable", shape=SCALAR), 0, None),
        (states("n", "Variable", shape=SHAPE), 0, (2, None)),
        (states("n", "VariableV2", shape=SCALAR), 0, ()),
        (states("n", "VariableV2"), 0, None),
        (states("n", "VarHandleOp", shape=SHAPE), 0, ()),
        (const("n", [1, 2]), 0, (2,)),
        (const("n", [1, 2]), 1, None),
        (make_node("n", "Const"), 0, None),
        (states("n", "QueueDequeueV2", "q"), 0, (3,)),
        (states("n", "QueueDequeueV2", "q"), 1, None),
        (states("n", "QueueDequeueV2", "q"), 2, (4, 5)),
        (states("n", "QueueDequeueV2", "q"), 3, None),
        (states("n", "QueueDequeueV2", "i"), 0, (3,)),
        (states("n", "QueueDequeueV2", "nowhere"), 0, None),
        (states("n", "QueueDequeueV2"), 0, None),
        (states("n", "QueueDequeueV2", "x"), 0, None),
        (states("n", "QueueDequeueV2", "bare"), 0, None),
        (states("n", "QueueDequeueManyV2", "q", "eight"), 0, (8, 3)),
        (states("n", "QueueDequeueMany", "q", "eight"), 2, (8, 4, 5)),
        (states("n", "QueueDequeueManyV2", "q", "eight"), 1, None),
        (states("n", "QueueDequeueManyV2", "q", "same"), 0, (8, 3)),
        (states("n", "QueueDequeueManyV2", "q", "x"), 0, (None, 3)),
        (states("n", "QueueDequeueManyV2", "q", "several"), 0, (None, 3)),
        (states("n", "QueueDequeueManyV2", "q"), 0, (None, 3)),
        (states("n", "QueueDequeueUpToV2", "q", "eight"), 0, (None, 3)),
        (states("n", "QueueDequeueV2", "chain16"), 0, (3,)),
        (states("n", "QueueDequeueV2", "chain17"), 0, None),
    ],
)
def test_the_shape_that_a_file_states(node: Node, index: int, expected: Any) -> None:
    numbers = [
        const("eight", 8, np.int32),
        const("several", [8], np.int32),
        op("same", "Identity", "eight"),
        placeholder("x"),
    ]
    chain = [op(f"chain{i}", "Identity", f"chain{i - 1}" if i > 1 else "q") for i in range(1, 18)]
    body = graph_of(QUEUE, op("i", "RefIdentity", "q"), op("bare", "Identity"), *numbers, *chain, node)
    assert stated_shape(node, index, 24, body) == expected


@pytest.mark.parametrize(("producer", "expected"), [(23, None), (24, ())])
def test_an_empty_shape_was_once_an_unknown_one(producer: int, expected: Any) -> None:
    assert stated_shape(states("n", "Placeholder", shape=SCALAR), 0, producer, graph_of()) == expected
    assert stated_shape(states("n", "Placeholder", shape=SHAPE), 0, producer, graph_of()) == (2, None)


# Collections


def test_collections_hold_what_their_names_say() -> None:
    meta = MetaGraphDef()
    meta.collection_def["nodes"].node_list.value.extend(["a:0", "", "b"])
    meta.collection_def["floats"].float_list.value.append(1.5)
    meta.collection_def["empty"].SetInParent()
    meta.collection_def["mine"].bytes_list.value.append(b"\x0a\x03v:0")
    meta.collection_def["variables"].bytes_list.value.append(b"\x0a\x03v:0")
    meta.collection_def["local_variables"].bytes_list.value.append(b"\xff\xff")
    meta.collection_def["queue_runners"].bytes_list.value.append(b"\x0a\x01q")
    meta.collection_def["cond_context"].bytes_list.value.append(b"\x0a\x01c")
    found = collections_of(meta)
    assert list(found) == sorted(found)
    kinds = {name: collection.kind for name, collection in found.items()}
    assert kinds == {
        "nodes": "node", "floats": "float", "empty": "empty", "mine": "bytes", "variables": "VariableDef",
        "local_variables": "bytes", "queue_runners": "QueueRunnerDef", "cond_context": "CondContextDef",
    }  # fmt: skip
    assert found["nodes"].names == ("a:0", "b")
    assert [found[name].names for name in ("variables", "queue_runners", "cond_context")] == [("v:0",), ("q",), ("c",)]
    assert found["floats"] == Collection("floats", "float", (1.5,))
    assert variable_names(found, "variables") == {"v"}
    assert variable_names(found, "nothing") == frozenset()
