"""Cuts a graph down to what some tensors need."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator

from graphscope.core.changes.build import with_inputs, without_attrs
from graphscope.core.graph import Graph, Node, reached_functions
from graphscope.core.ops.sets import SWITCHES
from graphscope.core.tensors import node_of
from graphscope.protos import GraphDef

CONTROL_FLOW = frozenset(
    "Switch RefSwitch Merge RefMerge Enter RefEnter Exit RefExit NextIteration RefNextIteration LoopCond".split()
)


def cut(graph: Graph, outputs: Collection[str]) -> Graph:
    """Only what ``outputs`` need, in the old order.

    A control edge counts only where it says in which branch or loop a node runs: what else it names (assertions, updates of
    moving averages, summaries) has no part in a result.

    Args:
        outputs: node or tensor names.

    Raises:
        UnknownNameError: an output is not in the graph.
    """
    pivots = _Pivots(graph)
    needed = graph.reach((node_of(name) for name in outputs), lambda n: _producers(graph, n, pivots))
    nodes = [_keep(n, pivots) for n in graph.nodes if n.name in needed]
    return graph if len(nodes) == len(graph) and all(map(_is, nodes, graph.nodes)) else graph.with_nodes(nodes)


def _is(a: Node, b: Node) -> bool:
    return a is b


class _Pivots:
    """The nodes that represent a branch or a loop iteration in control edges."""

    def __init__(self, graph: Graph) -> None:
        self.graph = graph
        self.known: dict[str, bool] = {}
        self.has_any = not CONTROL_FLOW.isdisjoint(graph.ops)

    def inputs(self, node: Node) -> list[str]:
        """The inputs of ``node`` that count."""
        if all(not text.startswith("^") or text[1:] in self for text in node.inputs):
            return list(node.inputs)
        data = node.data_inputs()
        kept = dict.fromkeys(text for text in node.inputs if text.startswith("^") and text[1:] in self)
        if not data and self.has_any:
            for name in node.control_inputs():
                kept |= dict.fromkeys(f"^{anchor}" for anchor in self.anchors(name))
        return [*data, *kept]

    def anchors(self, name: str) -> Iterator[str]:
        """The nodes that say in which branch or loop the node ``name`` runs."""
        seen = {name}
        pending = [name]
        while pending:
            found = self.graph.get(pending.pop())
            if found is None:
                continue
            if found.name in self or any(producer.op in SWITCHES for producer in self.graph.producers(found)):
                yield found.name  # an edge to a switch itself would not say which side of it
                continue
            new = {producer.name for producer in self.graph.producers(found)} - seen
            seen |= new
            pending += sorted(new)

    def __contains__(self, name: str) -> bool:
        if name not in self.known:
            found = self.graph.get(name)
            self.known[name] = found is not None and (found.op in CONTROL_FLOW or self._reads_control_flow(found))
        return self.known[name]

    def _reads_control_flow(self, found: Node) -> bool:
        if found.op not in ("Identity", "RefIdentity") or not found.data_inputs():
            return False
        source = self.graph.get(node_of(found.inputs[0]))
        return source is not None and source.op in CONTROL_FLOW


def _producers(graph: Graph, consumer: Node, pivots: _Pivots) -> Iterator[Node]:
    for text in pivots.inputs(consumer):
        yield graph[node_of(text)]


def _keep(original: Node, pivots: _Pivots) -> Node:
    inputs = pivots.inputs(original)
    return with_inputs(original, inputs) if inputs != list(original.inputs) else original


def prune_library(graph: Graph) -> Graph:
    """Only the library functions that nodes call, directly or through one another, and their gradients.

    TensorFlow refuses a library that states gradients of functions that it lacks.
    """
    gradients = {g.function_name: g.gradient_func for g in graph.header.library.gradient}
    needed = {function.name for function in reached_functions(graph, graph, gradients)}
    if len(needed) == len(graph.functions) and gradients.keys() <= needed:
        return graph
    header = GraphDef()
    header.CopyFrom(graph.header)
    del header.library.gradient[:]
    header.library.gradient.extend(g for g in graph.header.library.gradient if g.function_name in needed)
    return Graph(header, graph.nodes, (f for f in graph.functions.values() if f.name in needed))


def clear_placement(graph: Graph, *, keep_devices: bool = False) -> Graph:
    """Colocation groups (``_class``) and names of TPU programs go, and devices unless they are kept, in functions too."""

    def clear(nodes: Iterable[Node]) -> list[Node]:
        return [_clear(n, keep_devices) for n in nodes]

    nodes = clear(graph.nodes)
    functions = [f.with_nodes(clear(f.nodes)) for f in graph.functions.values()]
    return graph.with_nodes(nodes).with_functions(functions)


def _clear(original: Node, keep_devices: bool) -> Node:
    if _PLACING.isdisjoint(original.attrs) and (keep_devices or not original.device):
        return original
    return without_attrs(original, _PLACING, device=None if keep_devices else "")


_PLACING = frozenset({"_class", "_tpu_replicate", "_xla_outside_compilation"})
"""Attributes that say with what, or in which program, a node runs."""
