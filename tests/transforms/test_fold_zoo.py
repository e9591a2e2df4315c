"""Folding the single-op graphs of the zoo changes no output, with the inputs that were recorded."""

from __future__ import annotations

from pathlib import Path

import pytest

import graphscope
from graphscope.core.graph import Graph
from graphscope.core.ops.table import registered_ops
from graphscope.core.tensors import node_of
from graphscope.runtime.evaluate import TensorFlowKernels
from graphscope.transforms.fold import fold
from graphscope.transforms.identities import remove_pass_through
from tests.support.op_tests import OP_TESTS, folder, recorded_inputs, recorded_outputs
from tests.support.running import Array, assert_same_values, run_graph, serialized, tf
from tests.support.zoo_files import ZOO, needs_zoo

NO_OUTPUT = frozenset({"Const", "NoOp", "Placeholder", "Assert"})
UNDEFINED = frozenset({"Empty"})
"""Ops that give memory as it is."""


def outputs(path: Path, graph: Graph) -> list[str]:
    """The recorded outputs, and whatever nobody takes."""
    found = [name for name in recorded_outputs(path) if graph[node_of(name)].op not in UNDEFINED]
    catalog = graph.catalog()
    for end in graph:
        if not graph.consumers(end.name) and end.op not in NO_OUTPUT | UNDEFINED:
            found += [f"{end.name}:{k}" for k in range(len(catalog.outputs(end.op, end.attrs) or ()))]
    return list(dict.fromkeys(name if ":" in name else f"{name}:0" for name in found))


@needs_zoo
@pytest.mark.parametrize("path", OP_TESTS, ids=folder)
def test_folding_changes_no_output(path: Path) -> None:
    graph = graphscope.load(path).graph
    fetches, fed = outputs(path, graph), recorded_inputs(path, graph)
    keep = [node_of(name) for name in fetches]
    try:
        expected = run_graph(graph, fetches, fed)
    except (ValueError, tf.errors.OpError) as error:
        pytest.skip(f"optional: this TensorFlow cannot run the original: {str(error).splitlines()[0]}")
    folded = fold(graph, keep=keep)
    assert fold(folded, keep=keep) is folded
    assert_same(folded, fetches, fed, expected)
    lent = fold(graph, keep=keep, evaluate=TensorFlowKernels(graph.versions))
    assert len([op for op in lent.ops if op != "Const"]) <= len([op for op in folded.ops if op != "Const"])
    assert_same(remove_pass_through(lent, keep), fetches, fed, expected)


def assert_same(graph: Graph, fetches: list[str], fed: dict[str, Array], expected: list[Array]) -> None:
    for mine, theirs, name in zip(run_graph(graph, fetches, fed), expected, fetches):
        assert (mine.dtype, mine.shape) == (theirs.dtype, theirs.shape), name
        assert_same_values(mine, theirs, name)


@needs_zoo
def test_most_of_what_could_fold_does() -> None:
    graphs = [graphscope.load(path).graph for path in OP_TESTS]
    computing = sum(op not in NO_OUTPUT for graph in graphs for op in graph.ops)
    left = sum(op not in NO_OUTPUT for graph in graphs for op in fold(graph).ops)
    assert computing > 1400
    assert left < 0.6 * computing


SMALL_BYTES = 20_000_000
GRAPHS = [p for kind in ("frozen_pb", "meta_ckpt", "partial_ckpt") for p in sorted((ZOO / kind).rglob("*.*"))]
GRAPHS = [p for p in GRAPHS if p.suffix in (".pb", ".meta") and p.stat().st_size < SMALL_BYTES]


@needs_zoo
@pytest.mark.parametrize("path", GRAPHS, ids=lambda path: str(path.relative_to(ZOO)))
def test_tensorflow_imports_what_is_left(path: Path) -> None:
    graph = graphscope.load(path).graph
    folded = remove_pass_through(fold(graph))
    if not set(folded.ops) <= registered_ops().keys() | graph.functions.keys():
        pytest.skip("optional: ops that TensorFlow does not know")
    imported(folded)


def imported(graph: Graph) -> None:
    with tf.Graph().as_default():
        tf.import_graph_def(tf.compat.v1.GraphDef.FromString(serialized(graph)), name="")
