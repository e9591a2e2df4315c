"""A TensorFlow 2 SavedModel and its frozen graph: inlined calls and specialized functions are explained, edits are not."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import graphscope
from graphscope.analysis.diff.report import Change
from graphscope.api.opening import without_calls
from graphscope.core.changes.build import constant, make_node, type_attr
from graphscope.core.graph import Graph
from graphscope.core.model import Model, ModelKind
from graphscope.core.values.dtypes import DataType
from graphscope.protos import FunctionDef, GraphDef, NodeDef
from graphscope.transforms.freeze import FreezeOptions, freeze
from tests.support.fixture_files import FIXTURES
from tests.support.running import tf
from tests.transforms.test_freeze_saved_model import Layers, Served


@pytest.fixture(scope="module")
def saved(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Model]:
    """Functions that call one another, loops and branches; layers whose results are several."""
    place = tmp_path_factory.mktemp("saved")
    served, layers = Served(), Layers()
    signatures = {"serving_default": served.serve, "branch": served.branch}
    tf.saved_model.save(served, str(place / "served"), signatures=signatures)
    tf.saved_model.save(layers, str(place / "layers"), signatures=layers.serve)
    return {name: graphscope.load(place / name) for name in ("served", "layers")}


SIGNATURES = [("served", "serving_default"), ("served", "branch"), ("layers", "serving_default")]


def frozen(model: Model, signature: str, *, fold: bool = False) -> Graph:
    outputs = [spec.name for specs in model.signatures[signature].outputs.values() for spec in specs]
    return freeze(model, FreezeOptions(outputs, fold=fold)).graph


def as_model(graph: Graph) -> Model:
    return Model("m.pb", ModelKind.GRAPH, "binary", (), graph)


@pytest.mark.parametrize("fold", [False, True], ids=["whole", "folded"])
@pytest.mark.parametrize(("name", "signature"), SIGNATURES)
def test_a_frozen_saved_model_is_explained(name: str, signature: str, fold: bool, saved: dict[str, Model]) -> None:
    report = graphscope.diff(saved[name], as_model(frozen(saved[name], signature, fold=fold)))
    assert report.differences == ()
    kinds = {explanation.kind for explanation in report.explanations}
    assert {"inlined", "frozen", "unused", "cut"} <= kinds
    assert ("specialized" in kinds) is (name == "served")


def test_inlined_calls_alone(saved: dict[str, Model]) -> None:
    """The same from both sides; asked for single differences, the calls are told as such."""
    inlined = without_calls(saved["layers"])
    for pair in ((saved["layers"], inlined), (inlined, saved["layers"])):
        report = graphscope.diff(*pair)
        assert report.differences == ()
        assert [explanation.kind for explanation in report.explanations] == ["inlined"]
    assert graphscope.diff(saved["layers"], inlined, explain=False).differences != ()


def function(graph: GraphDef, start: str) -> FunctionDef:
    [found] = [each for each in graph.library.function if each.signature.name.startswith(start)]
    return found


def node(graph: GraphDef | FunctionDef, op: str) -> NodeDef:
    return next(each for each in (graph.node if isinstance(graph, GraphDef) else graph.node_def) if each.op == op)


def swapped_results(graph: GraphDef) -> None:
    ret = function(graph, "while_body").ret
    keys = sorted(ret)
    ret[keys[0]], ret[keys[1]] = ret[keys[1]], ret[keys[0]]


def swapped_outputs(graph: GraphDef) -> None:
    """Of the node in place of the call: of two tensors of one type."""
    taken = node(graph, "IdentityN").input
    taken[0], taken[1] = taken[1], taken[0]


def other_op(graph: GraphDef) -> None:
    node(function(graph, "while_cond_false"), "Sub").op = "Add"


def other_input(graph: GraphDef) -> None:
    taken = node(function(graph, "while_cond_false"), "Sub").input
    taken[0], taken[1] = taken[1], taken[0]


def other_attribute(graph: GraphDef) -> None:
    node(graph, "While").attr["parallel_iterations"].i = 1


def other_weight(graph: GraphDef) -> None:
    [v] = [each for each in graph.node if each.name == "v"]
    v.attr["value"].tensor.float_val[:] = [1.0, 2.0, 3.0]
    v.attr["value"].tensor.tensor_content = b""


EDITS: dict[str, tuple[Callable[[GraphDef], None], set[tuple[str, str, str]]]] = {
    "results": (swapped_results, {("functions", "", "while_body")}),
    "outputs": (swapped_outputs, {("wiring", "", "StatefulPartitionedCall")}),
    "op": (other_op, {("nodes", "while_cond_false", "while/cond/sub")}),
    "input": (other_input, {("wiring", "while_cond_false", "while/cond/sub")}),
    "attribute": (other_attribute, {("attributes", "", "StatefulPartitionedCall")}),
    "weight": (other_weight, {("weights", "", "v")}),
}


@pytest.mark.parametrize("name", EDITS)
def test_an_edit_of_the_frozen_graph_is_told_alone(name: str, saved: dict[str, Model], tmp_path: Path) -> None:
    edit, expected = EDITS[name]
    graphscope.save(as_model(frozen(saved["served"], "serving_default")), tmp_path / "m.pb")
    proto = GraphDef.FromString((tmp_path / "m.pb").read_bytes())
    edit(proto)
    (tmp_path / "edited.pb").write_bytes(proto.SerializeToString())
    report = graphscope.diff(saved["served"], tmp_path / "edited.pb")
    there = (
        d for d in report.differences if d.change is Change.CHANGED
    )  # identities no longer lead to swapped outputs
    told = {(d.section.value, d.function, d.name) for d in there}
    assert len(told) == len(expected)
    for section, body, place in expected:
        assert any(row[0] == section and row[1].startswith(body) and row[2].startswith(place) for row in told)


def folded(edit: Callable[[np.ndarray[Any, Any]], object]) -> graphscope.DiffReport:
    """A product of two weights, against a graph that has an edited constant in its place."""
    x, y = (np.array(v, np.float32) for v in ([1.5, -2.0], [3.0, 0.1]))
    z = x * y
    edit(z)
    graph = graphscope.load(FIXTURES / "lenet5" / "frozen.pb").graph
    one = graph.with_nodes([constant("x", x), constant("y", y), make_node("z", "Mul", ["x", "y"], TYPE)])
    return graphscope.diff(as_model(one), as_model(graph.with_nodes([constant("z", z)])))


TYPE = {"T": type_attr(DataType.FLOAT)}


def test_a_constant_that_was_folded_wrongly_is_not_explained() -> None:
    right = folded(lambda z: None)
    assert [e.kind for e in right.explanations] == ["folded"]
    rounded = folded(lambda z: z.__setitem__(0, np.nextafter(z[0], np.float32(9))))
    assert rounded.explanations == right.explanations
    wrong = folded(lambda z: z.__setitem__(1, z[1] + np.float32(1e-3)))
    assert [(d.section.value, d.name) for d in wrong.differences if d.section.value == "weights"] == [("weights", "z")]
    assert [e.kind for e in wrong.explanations] == []
