"""Matches the tensors of two models: variables and constants, or one of each if a model was frozen."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping

from graphscope.analysis.diff.report import Change, Difference, Section
from graphscope.analysis.diff.sides import Matching
from graphscope.analysis.diff.weights import Pair
from graphscope.core.graph import Node
from graphscope.core.model import Model
from graphscope.core.tensors import shape_text
from graphscope.core.values.payload import Payload
from graphscope.core.variables.variables import Variable


def weight_pairs(a: Model, b: Model, function: str, matching: Matching | None) -> Iterator[Pair]:
    """The tensors to compare: those of a pair of bodies, and with the graph itself all variables.

    Args:
        matching: which node is which; ``None`` if one of the models has no graph.
    """
    if matching is not None:
        yield from _constants(a, b, function, matching)
    if not function:
        names = matching.forward if matching is not None else None
        yield from _variables(
            _stored_variables(a, is_whole=names is None),
            _stored_variables(b, is_whole=names is None),
            a,
            b,
            names or {},
        )


def _constants(a: Model, b: Model, function: str, matching: Matching) -> Iterator[Pair]:
    ones, others = _stored_variables(a), _stored_variables(b)
    for node, other in matching.pairs:
        if not _may_differ(node, other):
            continue
        if node.op == other.op:
            yield from _tensors(node, other, function)
        elif node.name in ones and other.op == "Const":
            yield _pair(node.name, other.name, function, _value(a, ones[node.name]), _constant(other))
        elif other.name in others and node.op == "Const":
            yield _pair(node.name, other.name, function, _constant(node), _value(b, others[other.name]))


def _may_differ(a: Node, b: Node) -> bool:
    """Whether two nodes hold tensors that are not equal already as messages."""
    if a.payloads or b.payloads:
        return True
    return "Const" in (a.proto.op, b.proto.op) and a.proto != b.proto


def _tensors(a: Node, b: Node, function: str) -> Iterator[Pair]:
    for name in sorted({*a.attrs} & {*b.attrs}):
        if a.attrs[name].WhichOneof("value") == "tensor" == b.attrs[name].WhichOneof("value"):
            yield _pair(a.name, b.name, function, _constant(a, name), _constant(b, name))


def _constant(node: Node, attribute: str = "value") -> Callable[[], Payload]:
    tensor = node.tensor(attribute)
    assert tensor is not None  # the caller has looked
    return lambda: tensor


def _variables(
    ones: Mapping[str, Variable], others: Mapping[str, Variable], a: Model, b: Model, names: Mapping[str, str]
) -> Iterator[Pair]:
    """Variables that both have a value for, by the graph's pairs of nodes, then by name."""
    for name, variable in ones.items():
        other = others.get(names.get(name, name))
        if other is not None:
            yield _pair(name, other.name, "", _value(a, variable), _value(b, other))


def _stored_variables(model: Model, *, is_whole: bool = False) -> dict[str, Variable]:
    """Variables that have a value, by name.

    Args:
        is_whole: partitions are one variable, as files without a graph know them.
    """
    stored = (variable for variable in model.variables if variable.entry is not None)
    return {v.name: v for v in (map(_whole, stored) if is_whole else stored)}


def _whole(variable: Variable) -> Variable:
    if variable.slice is None or variable.key is None or variable.entry is None:
        return variable
    return variable._replace(name=variable.key, slice=None, shape=variable.entry.shape)


def _value(model: Model, variable: Variable) -> Callable[[], Payload]:
    return lambda: model.value(variable)


def _pair(name: str, other: str, function: str, a: Callable[[], Payload], b: Callable[[], Payload]) -> Pair:
    return Pair(name, other if other != name else "", function, a, b)


def missing_values(a: Model, b: Model, names: Mapping[str, str] | None) -> Iterator[Difference]:
    """Values of checkpoints that only one of two models has; nothing is reported if a model has no checkpoint at all.

    Args:
        names: node -> node; ``None`` if one of the models has no graph.
    """
    if a.store is None or b.store is None:
        return
    ones, others = _stored_variables(a, is_whole=names is None), _stored_variables(b, is_whole=names is None)
    names = names or {}
    moved = {names.get(name, name) for name in ones}
    yield from (_lone(Change.REMOVED, v) for name, v in ones.items() if names.get(name, name) not in others)
    yield from (_lone(Change.ADDED, v) for name, v in others.items() if name not in moved)


def _lone(change: Change, variable: Variable) -> Difference:
    return Difference(Section.WEIGHTS, change, variable.name, f"{variable.dtype.label} {shape_text(variable.shape)}")
