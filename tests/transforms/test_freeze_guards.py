"""Freezing small models made by hand: the order of its steps, what each option does, and what is refused."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pytest

from graphscope.core.changes.build import make_node, type_attr, without_attrs
from graphscope.core.graph import Function, Graph, Node
from graphscope.core.model import Model, ModelKind
from graphscope.core.ops.table import registered_ops
from graphscope.core.values.dtypes import DataType
from graphscope.core.values.payload import ArrayPayload, Payload
from graphscope.core.variables.variables import Entry
from graphscope.errors import GraphscopeError, IncompleteModelError, UnknownNameError
from graphscope.protos import AttrValue, FunctionDef, GraphDef, MetaGraphDef, VariableDef
from graphscope.transforms.freeze import (
    FreezeOptions,
    FrozenGraph,
    freeze,
    needed_part,
    new_inputs,
    refuse_tables,
    tables_of,
)
from tests.support.graphs import const, graph_of, names, op, placeholder, value
from tests.support.running import attr_value

X = placeholder("x")


class Store:
    """A checkpoint in memory."""

    def __init__(self, values: Mapping[str, Any]) -> None:
        self.values = {key: np.asarray(v) for key, v in values.items()}
        self.entries = {k: Entry(k, DataType.from_numpy(v.dtype), v.shape) for k, v in self.values.items()}

    def payload(self, key: str) -> Payload:
        return ArrayPayload(self.values[key])


def variable(name: str, shape: tuple[int, ...] = (2,)) -> Node:
    attrs = {"dtype": type_attr(DataType.FLOAT), "shape": attr_value(registered_ops()["Placeholder"], "shape", shape)}
    return make_node(name, "VariableV2", (), attrs)


def model(
    *nodes: Node,
    stored: Mapping[str, Any] | None = None,
    meta: MetaGraphDef | None = None,
    functions: Sequence[Function] = (),
) -> Model:
    graph = Graph(GraphDef(), nodes, functions)
    store = None if stored is None else Store({k: np.asarray(v, np.float32) for k, v in stored.items()})
    return Model("m", ModelKind.META_CHECKPOINT, "binary", (), graph, meta or MetaGraphDef(), store)


def frozen(given: Model, *outputs: str, **options: Any) -> FrozenGraph:
    return freeze(given, FreezeOptions(outputs, **options))


# Values


WEIGHT = [X, variable("v"), op("y", "Mul", "x", "v")]


def test_a_variable_gets_its_value_or_its_average() -> None:
    stored = {"v": [1, 2], "v/ExponentialMovingAverage": [3, 4]}
    plain, averaged = (frozen(model(*WEIGHT, stored=stored), "y", moving_averages=taken) for taken in (False, True))
    assert (value(plain.graph, "v").tolist(), dict(plain.averaged)) == ([1, 2], {})
    assert (value(averaged.graph, "v").tolist(), list(averaged.averaged)) == ([3, 4], ["v"])
    without = frozen(model(*WEIGHT, stored={"v": [1, 2]}), "y", moving_averages=True)
    assert (value(without.graph, "v").tolist(), dict(without.averaged)) == ([1, 2], {})


def test_an_average_goes_by_the_name_or_by_the_key() -> None:
    restore = [const("f", b"c", object), const("k", [b"key"], object), const("s", [b""], object)]
    restore += [make_node("r", "RestoreV2", ["f", "k", "s"]), make_node("a", "Assign", ["v", "r"])]
    for key in ("v/ExponentialMovingAverage", "key/ExponentialMovingAverage"):
        given = model(*WEIGHT, *restore, stored={"key": [1, 2], key: [3, 4]})
        assert value(frozen(given, "y", moving_averages=True).graph, "v").tolist() == [3, 4]
    only = model(*WEIGHT, stored={"v/ExponentialMovingAverage": [3, 4]})
    assert value(frozen(only, "y", moving_averages=True).graph, "v").tolist() == [3, 4]


def test_a_value_that_is_not_there() -> None:
    with pytest.raises(IncompleteModelError, match="m: no checkpoint, so no value for variable v"):
        frozen(model(*WEIGHT), "y")
    with pytest.raises(IncompleteModelError, match=r"no value for variable v \(model\), which the outputs need"):
        frozen(model(*WEIGHT, stored={"w": [1]}), "y")
    with pytest.raises(IncompleteModelError, match=r"float32 \(2\) in the graph, but its value is float32 \(3\)"):
        frozen(model(*WEIGHT, stored={"v": [1, 2, 3]}), "y")
    with pytest.raises(IncompleteModelError, match="its value is"):
        frozen(model(*WEIGHT, stored={"v": [1, 2], "v/ExponentialMovingAverage": [1]}), "y", moving_averages=True)


# Steps


def test_only_what_the_outputs_need_is_left_and_it_is_simple() -> None:
    nodes = [*WEIGHT, op("i", "Identity", "y"), op("one", "Neg", "minus"), const("minus", -1), op("z", "Mul", "i", "one"),
             op("other", "Neg", "y"), op("out", "Neg", "z")]  # fmt: skip
    nodes[2] = without_attrs(nodes[2], (), device="/cpu:1")
    result = frozen(model(*nodes, stored={"v": [1, 2]}), "out:0")
    assert names(result.graph) == ["x", "v", "y", "out"]
    assert not any(n.device for n in result.graph)
    kept = frozen(model(*nodes, stored={"v": [1, 2]}), "out", keep_devices=True, fold=False)
    assert kept.graph["y"].device == "/cpu:1"
    assert {"one", "minus", "z"} <= set(names(kept.graph))
    changes = {c.op: (c.before, c.after) for c in result.changes}
    assert changes["VariableV2"] == (1, 0)
    assert changes["Neg"][0] == 3


BRANCH = [X, placeholder("train"), op("not", "LogicalNot", "train"), op("s", "Switch", "x", "not"), op("a", "Neg", "s"),
          op("b", "Abs", "s:1"), make_node("m", "Merge", ["a", "b"], {"T": type_attr(DataType.FLOAT), "N": AttrValue(i=2)}),
          op("out", "Neg", "m")]  # fmt: skip


@pytest.mark.parametrize("fold", [True, False])
@pytest.mark.parametrize(("train", "left"), [(False, "b"), (True, "a")])
def test_a_switch_that_is_set_closes_its_branch(train: bool, left: str, fold: bool) -> None:
    nodes = [
        n if n.name != "train" else make_node("train", "Placeholder", (), {"dtype": type_attr(DataType.BOOL)})
        for n in BRANCH
    ]
    result = frozen(model(*nodes), "out", values={"train": np.array(train)}, fold=fold)
    assert [n for n in ("a", "b") if n in result.graph] == [left]
    assert "Switch" not in result.graph.ops
    open_one = frozen(model(*nodes), "out")
    assert "Switch" in open_one.graph.ops


def test_switches_that_are_left_open_are_named() -> None:
    nodes = [
        X,
        make_node("is_training", "Placeholder", (), {"dtype": type_attr(DataType.BOOL)}),
        op("c", "Cast", "is_training"),
        op("out", "Mul", "x", "c"),
    ]
    assert dict(frozen(model(*nodes), "out").open_switches) == {"is_training": "false"}
    assert dict(frozen(model(*nodes), "out", values={"is_training": np.array(False)}).open_switches) == {}


def test_where_a_person_opens_the_graph_is_no_switch() -> None:
    source = make_node("is_training", "Identity", ["flag"], {"T": type_attr(DataType.BOOL)})
    nodes = [
        X,
        make_node("flag", "Placeholder", (), {"dtype": type_attr(DataType.BOOL)}),
        source,
        op("c", "Cast", "is_training"),
        op("out", "Mul", "x", "c"),
    ]
    result = frozen(model(*nodes), "out", inputs=["is_training"])
    assert (dict(result.open_switches), result.graph["is_training"].op, "flag" in result.graph) == (
        {},
        "Placeholder",
        False,
    )
    assert new_inputs(model(*nodes), result.graph) == ["is_training"]


def test_inputs_of_signatures_stay_to_be_fed() -> None:
    meta = MetaGraphDef()
    meta.signature_def["serve"].inputs["i"].name = "i:0"
    nodes = [X, op("i", "Identity", "x"), op("out", "Neg", "i")]
    assert names(frozen(model(*nodes, meta=meta), "out").graph) == ["x", "i", "out"]
    assert names(frozen(model(*nodes), "out").graph) == ["x", "out"]
    assert names(frozen(model(*nodes), "out", inputs=["i"]).graph) == ["i", "out"]


def test_half_precision_and_batch_norms_are_asked_for() -> None:
    nodes = [
        X,
        const("w", np.ones((20, 20))),
        op("l", "MatMul", "x", "w"),
        const("c", np.full(20, 2)),
        op("s", "Mul", "l", "c"),
        op("out", "Add", "s", "c"),
    ]
    plain = frozen(model(*nodes), "out").graph
    assert ("Cast" in plain.ops, "BiasAdd" in plain.ops) == (False, False)
    half = frozen(model(*nodes), "out", float16=True).graph
    assert (half["w"].op, half["w/float16"].op, half["c"].op) == ("Cast", "Const", "Const")
    folded = frozen(model(*nodes), "out", batch_norms=True).graph
    assert (folded.ops.count("BiasAdd"), "c" in folded, value(folded, "out/bias").tolist()) == (1, False, [2] * 20)
    kept = frozen(model(*nodes), "out", "s", batch_norms=True).graph
    assert {"s", "out"} <= set(names(kept))
    assert "BiasAdd" not in kept.ops


def test_constants_are_folded_round_by_round() -> None:
    """Each predicate is computed in the branch that the one before it decides."""
    count = 7
    nodes = [X, const("p0", True, bool)]
    for i in range(count):
        kinds = {"T": type_attr(DataType.BOOL)}
        nodes += [make_node(f"s{i}", "Switch", [f"p{i}", f"p{i}"], kinds), make_node(f"n{i}", "LogicalNot", [f"s{i}:1"]),
                  make_node(f"f{i}", "LogicalNot", [f"s{i}"]),
                  make_node(f"m{i}", "Merge", [f"f{i}", f"n{i}"], {**kinds, "N": AttrValue(i=2)}),
                  make_node(f"p{i + 1}", "LogicalNot", [f"m{i}"])]  # fmt: skip
    nodes += [op("s", "Switch", "x", f"p{count}"), op("out", "Neg", "s:1")]
    assert names(frozen(model(*nodes), "out").graph) == ["x", "out"]


# Refusals


def test_what_is_invalid_or_unknown_is_refused() -> None:
    with pytest.raises(GraphscopeError, match="not a valid graph"):
        frozen(model(X, op("y", "Neg", "nowhere")), "y")
    with pytest.raises(UnknownNameError):
        frozen(model(X, op("y", "Neg", "x")), "z")


def test_a_read_behind_a_write_is_refused_where_it_is_needed() -> None:
    handle = make_node("v", "VarHandleOp", (), {"dtype": type_attr(DataType.FLOAT)})
    dtype = {"dtype": type_attr(DataType.FLOAT)}
    nodes = [
        X,
        handle,
        make_node("w", "AssignVariableOp", ["v", "x"], dtype),
        make_node("r", "ReadVariableOp", ["v", "^w"], dtype),
        op("late", "Neg", "r"),
        make_node("q", "ReadVariableOp", ["v"], dtype),
        op("early", "Neg", "q"),
    ]
    given = model(*nodes, stored={"v": [1, 2]})
    with pytest.raises(GraphscopeError, match="node r reads a variable after node w writes to it"):
        frozen(given, "late")
    assert value(frozen(given, "early").graph, "early").tolist() == [-1, -2]


def test_sources_of_data_are_refused_and_opened() -> None:
    nodes = [make_node("q", "FIFOQueueV2", (), {"component_types": AttrValue(list=AttrValue.ListValue(type=[1]))}),  # type: ignore[attr-defined]
             make_node("d", "QueueDequeueV2", ["q"], {"component_types": AttrValue(list=AttrValue.ListValue(type=[1]))}),  # type: ignore[attr-defined]
             op("out", "Neg", "d")]  # fmt: skip
    with pytest.raises(GraphscopeError, match=r"m: the outputs take their data from d \(QueueDequeueV2, a queue\)"):
        needed_part(model(*nodes), FreezeOptions(["out"]))
    assert names(frozen(model(*nodes), "out", inputs=["d"]).graph) == ["d", "out"]


def function(name: str, *nodes: Node) -> Function:
    proto = FunctionDef()
    proto.signature.name = name
    return Function(proto, nodes)


def test_tables_are_named_wherever_they_are() -> None:
    call = make_node("c", "PartitionedCall")
    call.proto.attr["f"].func.name = "f"
    inner, idle = function("f", make_node("t", "HashTableV2")), function("g", make_node("u", "HashTableV2"))
    nodes = [
        *(make_node(f"t{i}", "MutableHashTable") for i in range(5)),
        make_node("find", "LookupTableFindV2"),
        make_node("x", "Neg"),
    ]
    graph = Graph(GraphDef(), [*nodes, call], [inner, idle])
    assert tables_of(graph) == ["t0", "t1", "t2", "t3", "t4", "find", "t"]
    with pytest.raises(GraphscopeError, match=r"cannot carry: t0, t1, t2, t3, t4$"):
        refuse_tables(graph, False)
    refuse_tables(graph_of(X), False)


def test_a_variable_in_a_function_has_no_value() -> None:
    made = function("f", make_node("inner", "VarHandleOp", (), {"dtype": type_attr(DataType.FLOAT)}))
    call = make_node("c", "StatefulPartitionedCall")
    call.proto.attr["f"].func.name = "f"
    call.proto.attr["_XlaMustCompile"].b = True
    for key in ("Tin", "Tout"):
        call.proto.attr[key].list.SetInParent()
    with pytest.raises(GraphscopeError, match="variable inner is made inside the library function f"):
        frozen(model(X, call, op("out", "Neg", "x"), functions=[made]), "out", "c")


# State


def test_state_is_reported_unless_an_open_switch_decides_it() -> None:
    handle = variable("v")
    nodes = [
        X,
        handle,
        op("y", "Add", "x", "v"),
        make_node("a", "Assign", ["v", "y"], {"T": type_attr(DataType.FLOAT)}),
    ]
    assert dict(frozen(model(*nodes, stored={"v": [1, 2]}), "y").carried) == {"v": "a"}
    meta = MetaGraphDef()
    meta.collection_def["trainable_variables"].bytes_list.value.append(
        VariableDef(variable_name="v:0").SerializeToString()
    )
    shrink = [
        X,
        handle,
        op("y", "Add", "x", "v"),
        op("n", "Neg", "v"),
        make_node("a", "Assign", ["v", "n"], {"T": type_attr(DataType.FLOAT)}),
    ]
    assert dict(frozen(model(*shrink, stored={"v": [1, 2]}), "y").carried) == {"v": "a"}
    assert dict(frozen(model(*shrink, stored={"v": [1, 2]}, meta=meta), "y").carried) == {}
