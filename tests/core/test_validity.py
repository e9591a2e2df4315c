"""Invalid graphs are found, and not written on."""

from __future__ import annotations

from pathlib import Path

import pytest

from graphscope import save
from graphscope.core.changes.build import make_node
from graphscope.core.checks.validity import find_problems
from graphscope.core.graph import Graph, Node
from graphscope.core.model import Model, ModelKind
from graphscope.errors import GraphscopeError
from tests.support.graphs import FLOAT, const, graph_of, op


def broken(content: bytes, *sizes: int) -> Node:
    result = const("c", [1.0])
    tensor = result.proto.attr["value"].tensor
    tensor.ClearField("tensor_shape")
    for size in sizes:
        tensor.tensor_shape.dim.add(size=size)
    tensor.tensor_content = content
    return result


INVALID = {
    "name": graph_of(const("a", 1.0), const("a", 2.0)),
    "input": graph_of(op("y", "Identity", "nowhere")),
    "input, control": graph_of(const("a", 1.0), op("y", "Identity", "a", "^nowhere")),
    "input, order": graph_of(const("a", 1.0), op("y", "Identity", "^a", "a")),
    "output": graph_of(const("a", 1.0), op("y", "Identity", "a:1")),
    "output of a group": graph_of(make_node("n", "NoOp"), op("y", "Identity", "n")),
    "inputs": graph_of(const("a", 1.0), op("y", "Identity", "a", "a")),
    "cycle": graph_of(op("y", "Identity", "z"), op("z", "Identity", "y")),
    "cycle, control": graph_of(const("a", 1.0), op("y", "Identity", "a", "^z"), op("z", "Identity", "y")),
    "constant": graph_of(broken(b"abcd", 3)),
    "constant, long": graph_of(broken(b"abcdabcd", 1)),
    "constant, negative": graph_of(broken(b"", -1)),
}


@pytest.mark.parametrize("kind", INVALID)
def test_what_is_invalid_is_found_and_not_written(kind: str, tmp_path: Path) -> None:
    model = Model("m", ModelKind.GRAPH, "", (), INVALID[kind])
    [problem] = model.problems
    assert problem.kind == kind.partition(",")[0].partition(" ")[0]
    for name in ("out.pb", "out.pbtxt"):
        with pytest.raises(GraphscopeError, match="not a valid graph"):
            save(model, tmp_path / name)
    assert list(tmp_path.iterdir()) == []


def test_unknown_ops_and_loops_are_valid() -> None:
    merge = make_node("merge", "Merge", ["a", "next"], FLOAT)
    merge.proto.attr["N"].i = 2
    graph: Graph = graph_of(
        const("a", 1.0), merge, op("next", "NextIteration", "merge"), make_node("strange", "NobodyKnows", ["a:3", "a"])
    )
    assert [p.kind for p in find_problems(graph, graph.catalog())] == ["output"]
    assert find_problems(graph_of(*graph.nodes[:3], make_node("s", "NobodyKnows", ["a"])), graph.catalog()) == []
