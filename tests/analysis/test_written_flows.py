"""What is found out of graphs written as text: of each node its sources and its part, then inputs and candidates."""

from __future__ import annotations

from pathlib import Path

import pytest

from graphscope.analysis.ends.flow import BATCHED, COMPARED, NOISE, VARIES, Flow
from graphscope.analysis.ends.inputs import find_inputs
from graphscope.analysis.ends.losses import trace
from graphscope.analysis.ends.networks import last_layers, passed_results
from graphscope.analysis.ends.outputs import rank_outputs
from graphscope.analysis.ends.savers import saver_nodes
from graphscope.core.graph import Graph
from tests.support.written import graph_of, model_of, sections

TRUTH = Path(__file__).parents[1] / "truth" / "flows.txt"
FLOWS = dict(sections(TRUTH))


def told(graph: Graph, flow: Flow, i: int) -> str:
    """The sources of a node, how many weights lie before it, and one letter for each thing that it is."""
    bits = {bit: flow.nodes[n].name + (f":{k}" if k >= 0 else "") for (n, k), bit in flow.bits.items()}
    sources = sorted(name for bit, name in bits.items() if flow.sources[i] & bit)
    marks = {
        "o": flow.outside[i],
        "w": flow.is_weight[i],
        "L": i in flow.layers,
        "f": flow.forward()[i],
        "m": i in flow.meeting_labels(),
        "a": flow.lives[i],
        "r": i in flow.framed,
        "g": i in flow.gradients,
        "s": flow.nodes[i].name in saver_nodes(graph),
        "H": i in passed_results(flow),
        "E": i in last_layers(flow),
        **{letter: bool(flow.sources[i] & bit) for letter, bit in zip("BCNV", (BATCHED, COMPARED, NOISE, VARIES))},
    }
    words = [",".join(sources), str(flow.depth[i]) if flow.depth[i] else "", "".join(k for k, v in marks.items() if v)]
    return " ".join(filter(None, words))


def written(lines: list[str], *, reverse: bool = False) -> list[str]:
    """The lines with what is found of each node, and the candidates below them."""
    nodes = [line.partition("|")[0].rstrip() for line in lines if not line.startswith((">", "<"))]
    graph = graph_of(nodes, reverse=reverse)
    flow = trace(graph)
    number = {node.name: i for i, node in enumerate(flow.nodes)}
    width = max(map(len, nodes))
    found = [f"{line:{width}} | {told(graph, flow, number[line.split()[0]])}".rstrip() for line in nodes]
    model = model_of(graph)
    inputs = [f"{row.tensor} {row.default}" for row in find_inputs(model)]
    rows = [
        f"{c.tensor} {c.score:.2f}{' detection' * c.is_detection} {'; '.join(c.reasons)}".rstrip()
        for c in rank_outputs(model)
    ]
    return [*found, *(f"< {row}" for row in inputs), *(f"> {row}" for row in rows)]


@pytest.mark.parametrize("title", FLOWS)
def test_of_each_node(title: str) -> None:
    assert written(FLOWS[title]) == FLOWS[title]


@pytest.mark.parametrize("title", FLOWS)
def test_the_order_of_nodes_in_the_file_does_not_matter(title: str) -> None:
    nodes = [line for line in FLOWS[title] if not line.startswith((">", "<"))]
    assert [line for line in written(FLOWS[title], reverse=True) if not line.startswith((">", "<"))] == nodes


if __name__ == "__main__":  # what is found in place of what was expected, to read the difference
    parts = (f"# {title}\n" + "\n".join(written(lines)) + "\n" for title, lines in FLOWS.items())
    TRUTH.write_text("\n".join(parts), encoding="utf-8")
