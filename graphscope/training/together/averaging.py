"""What a training step writes that depends on its examples: gradients, and the statistics of batch norms.

Averaged over the parts of a batch, each counted by its examples, these are what the whole batch gives: a loss is a mean over
examples, and a regularization is the same in every part. Everything else that a step writes (moving averages of weights, powers
of Adam, the step) follows from them.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from graphscope.core.build import with_inputs
from graphscope.core.dtypes import DataType
from graphscope.core.graph import Graph, Node
from graphscope.core.model import Model
from graphscope.core.op_sets import VARIABLE_OPS
from graphscope.core.ops import registered_ops
from graphscope.core.tensors import TensorName, TensorSpec, node_of
from graphscope.core.variables import Variable
from graphscope.errors import UnsupportedError
from graphscope.feeding.dependencies import need
from graphscope.training.recipe import Recipe

SCOPE = "graphscope_average"
"""Of the nodes that are added."""

LOSS, METRIC = f"{SCOPE}/loss:0", f"{SCOPE}/metric:0"
"""Means over all examples of the step."""

_WRITTEN = ("grad", "delta", "value")
"""What the argument with the new content is called in ops that write a whole variable."""

_WHOLE = ("Apply", "ResourceApply", "Assign")
"""What the names of these ops begin with; others write some rows only."""

_RANDOM = ("Random", "Stateless", "Multinomial", "TruncatedNormal", "ParameterizedTruncatedNormal")


@dataclass(frozen=True, slots=True)
class Averaged:
    """A value of a step that is to be averaged.

    Attributes:
        tensor: ``node:0``.
        shape: known in full; float32.
        takers: which input of which nodes takes the average in its place; empty for what is only looked at.
    """

    tensor: str
    shape: tuple[int, ...]
    takers: tuple[tuple[str, int], ...] = ()


def averaged_values(model: Model, recipe: Recipe, given: Sequence[TensorSpec]) -> list[Averaged]:
    """What to average, the loss and the metric of the step last.

    Args:
        given: features that every run is fed; empty where the base runs in each step.

    Raises:
        UnsupportedError: a step writes something that has no average: rows of a variable, or another type than float32.
    """
    graph = model.graph
    names = need(graph, [recipe.train_op], given).names
    depending = depending_on_examples(graph, names, recipe)
    variables = {variable.name: variable for variable in model.variables}
    written = [_write(model, n, variables) for n in graph if n.name in names and _writes(graph, n, depending)]
    return [*written, Averaged(_full(recipe.loss), ()), Averaged(_full(recipe.metric), ())]


def depending_on_examples(graph: Graph, names: frozenset[str], recipe: Recipe) -> set[str]:
    """The nodes of ``names`` whose tensors depend on examples, or on chance."""
    fed = {node_of(name) for name in (recipe.labels, *recipe.features, *recipe.inputs.values())}

    def takers(node: Node) -> Iterator[Node]:
        return (n for n in graph.consumers(node.name) if n.name in names and node.name in map(node_of, n.data_inputs()))

    chance = {n.name for n in graph if n.name in names and n.op.startswith(_RANDOM) and n.op != "StatelessIf"}
    return set(graph.reach((fed | chance) & names, takers))


def _writes(graph: Graph, node: Node, depending: set[str]) -> bool:
    """Whether ``node`` writes what depends on examples to a variable."""
    if not node.inputs or node.name not in depending:
        return False
    first = graph.get(node_of(node.inputs[0]))
    return first is not None and first.op in VARIABLE_OPS


def _write(model: Model, node: Node, variables: Mapping[str, Variable]) -> Averaged:
    variable = variables[node_of(node.inputs[0])]
    arguments = (
        [argument.name for argument in registered_ops()[node.op].input_arg] if node.op in registered_ops() else []
    )
    position = next((arguments.index(name) for name in _WRITTEN if name in arguments), None)
    is_known = variable.shape is not None and None not in variable.shape and variable.dtype is DataType.FLOAT
    if position is None or not node.op.startswith(_WHOLE) or not is_known:
        raise UnsupportedError(
            f"node {node.name} ({node.op}) writes to {variable.name} what cannot be averaged: only whole variables of"
            " float32 and a known shape can",
            path=model.path,
            hint="train it in one process on one device",
        )
    assert variable.shape is not None
    shape = tuple(size for size in variable.shape if size is not None)
    return Averaged(_full(node.inputs[position]), shape, ((node.name, position),))


def _full(tensor: str) -> str:
    name = TensorName.parse(tensor)
    return f"{name.node}:{name.index}"


def rewire(graph: Graph, averages: Mapping[str, Averaged]) -> Graph:
    """``graph``, in which ``averages`` (new tensor -> what it is the average of) are taken in place of the values."""
    moved = {taker: tensor for tensor, value in averages.items() for taker in value.takers}
    nodes = {name for name, _ in moved}

    def taking(node: Node) -> Node:
        if node.name not in nodes:
            return node
        return with_inputs(node, [moved.get((node.name, i), text) for i, text in enumerate(node.inputs)])

    return graph.with_nodes(map(taking, graph.nodes))


def part_of(count: int, rank: int, parts: int) -> slice:
    """Which of ``count`` examples belong to part ``rank``: every ``parts``-th; the first, where there is none for it."""
    return slice(rank, None, parts) if rank < count else slice(0, 1)


def weight_of(count: int, rank: int, parts: int) -> float:
    """The share of ``count`` examples that part ``rank`` has, 0 to 1."""
    return len(range(rank, count, parts)) / count
