"""What a training step writes that depends on its examples: gradients, and the statistics of batch norms.

Averaged over the parts of a batch, each counted by its examples, these are what the whole batch gives: a loss is a mean over
examples, and a regularization is the same in every part. Everything else that a step writes (moving averages of weights, powers
of Adam, the step) follows from them.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from graphscope.core.changes.build import with_inputs
from graphscope.core.graph import Graph, Node
from graphscope.core.model import Model
from graphscope.core.ops.sets import VARIABLE_OPS
from graphscope.core.ops.table import registered_ops
from graphscope.core.tensors import TensorSpec, node_of
from graphscope.core.values.dtypes import DataType
from graphscope.core.variables.variables import Variable
from graphscope.errors import UnsupportedError
from graphscope.feeding.dependencies import need
from graphscope.training.recipe import Recipe
from graphscope.training.together.averaged import SCOPE, Averaged, full_name
from graphscope.training.together.row_gradients import with_dense_gradients
from graphscope.training.tune.trained_variables import may_write

LOSS, METRIC = f"{SCOPE}/loss:0", f"{SCOPE}/metric:0"
"""Means over all examples of the step."""

_WRITTEN = ("grad", "delta", "value")
"""What the argument with the new content is called in ops that write a whole variable."""

_WHOLE = ("Apply", "ResourceApply", "Assign")
"""What the names of these ops begin with."""

_RANDOM = ("Random", "Stateless", "Multinomial", "TruncatedNormal", "ParameterizedTruncatedNormal")


def averaged_values(model: Model, recipe: Recipe, given: Sequence[TensorSpec]) -> tuple[Graph, list[Averaged]]:
    """The graph, in which gradients of rows are dense, and what to average in it, the loss and the metric of the step last.

    Args:
        given: features that every run is fed; empty if the base runs in each step.

    Raises:
        UnsupportedError: a step writes something that has no average, such as another type than float32.
    """
    variables = {variable.name: variable for variable in model.variables}
    graph, rows = with_dense_gradients(model.graph, _writes(model.graph, recipe, given), variables)
    written = [_write(model, node, variables) for node in _writes(graph, recipe, given, rows)]
    values = [*rows, *written, Averaged(full_name(recipe.loss), ()), Averaged(full_name(recipe.metric), ())]
    return graph, values


def _writes(graph: Graph, recipe: Recipe, given: Sequence[TensorSpec], averaged: Sequence[Averaged] = ()) -> list[Node]:
    """The nodes that write what depends on examples to a variable, other than what is ``averaged`` already."""
    names = need(graph, [recipe.train_op], given).names
    equal = {name for value in averaged for name, _ in value.takers}
    depending = depending_on_examples(graph, names - equal, recipe)
    return [node for node in graph if node.name in depending and _is_write(graph, node)]


def depending_on_examples(graph: Graph, names: frozenset[str], recipe: Recipe) -> set[str]:
    """The nodes of ``names`` whose tensors depend on examples, or on chance."""
    fed = {node_of(name) for name in (recipe.labels, *recipe.features, *recipe.inputs.values())}

    def takers(node: Node) -> Iterator[Node]:
        return (n for n in graph.consumers(node.name) if n.name in names and node.name in map(node_of, n.data_inputs()))

    chance = {n.name for n in graph if n.name in names and n.op.startswith(_RANDOM) and n.op != "StatelessIf"}
    return set(graph.reach((fed | chance) & names, takers))


def _is_write(graph: Graph, node: Node) -> bool:
    """Whether ``node`` writes what it is given to a variable."""
    first = graph.get(node_of(node.inputs[0])) if node.inputs else None
    return first is not None and first.op in VARIABLE_OPS and may_write(node.op, first.op)


def _write(model: Model, node: Node, variables: Mapping[str, Variable]) -> Averaged:
    variable = variables[node_of(node.inputs[0])]
    arguments = (
        [argument.name for argument in registered_ops()[node.op].input_arg] if node.op in registered_ops() else []
    )
    position = next((arguments.index(name) for name in _WRITTEN if name in arguments), None)
    is_known = variable.shape is not None and None not in variable.shape and variable.dtype is DataType.FLOAT
    if position is None or not node.op.startswith(_WHOLE) or not is_known:
        raise UnsupportedError(
            f"node {node.name} ({node.op}) writes to {variable.name} a value that cannot be averaged: only whole variables of"
            " float32 and a known shape can",
            path=model.path,
            hint="train it in one process on one device",
        )
    assert variable.shape is not None
    shape = tuple(size for size in variable.shape if size is not None)
    return Averaged(full_name(node.inputs[position]), shape, ((node.name, position),))


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
    """Which of ``count`` examples belong to part ``rank``: every ``parts``-th; the first, if there is none for it."""
    return slice(rank, None, parts) if rank < count else slice(0, 1)


def weight_of(count: int, rank: int, parts: int) -> float:
    """The share of ``count`` examples that part ``rank`` has, 0 to 1."""
    return len(range(rank, count, parts)) / count
