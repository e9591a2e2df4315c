"""``nodes --tree``: the name scopes of a graph with node counts and parameter sizes."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

from graphscope.core.graph import Body, Node
from graphscope.core.model import Model
from graphscope.core.ops.sets import VARIABLE_OPS
from graphscope.core.tensors import elements, shape_of
from graphscope.core.values.dtypes import DataType, is_weight_type
from graphscope.core.variables.variables import Role


@dataclass(frozen=True, slots=True)
class ScopeRow:
    """A name scope, or a node that is not a scope.

    Attributes:
        depth: 0 for the outermost.
        label: the last part of the name.
        name: the whole name.
        op: the op of the node of this name; empty if there is only a scope.
        nodes: nodes in it, the one of its own name included; 1 for a leaf.
        parameters: elements of the variables and constants in it.
        parameter_bytes: their size in memory; strings do not count.
        is_last: for each ancestor and itself, whether it is the last child (for drawing).
    """

    depth: int
    label: str
    name: str
    op: str
    nodes: int
    parameters: int
    parameter_bytes: int
    is_last: tuple[bool, ...]


class _Scope:
    """A name, what lies directly under it, and sums: its own at first, then with all that is below."""

    __slots__ = ("children", "label", "name", "nodes", "op", "parameter_bytes", "parameters", "parent")

    def __init__(self, name: str, label: str, parent: _Scope | None) -> None:
        self.name = name
        self.label = label
        self.parent = parent
        self.children: list[_Scope] = []
        self.op = ""
        self.nodes = self.parameters = self.parameter_bytes = 0


MAX_LEVELS = 256
"""Of a tree: a name with more parts has the rest in one; each level repeats all above it, so that time is quadratic in them."""

_HOLDERS = VARIABLE_OPS | {"Const"}


def weight_holders(model: Model) -> Callable[[Node], bool]:
    """Which nodes hold the model's own weights: variables that are no optimizer slots or steps; in a graph without variables
    its constants, see :func:`graphscope.core.variables.roles.is_weight_type`."""
    own = {v.name for v in model.variables if v.role is Role.MODEL and v.in_graph}
    if any(v.in_graph for v in model.variables):
        return lambda node: node.name in own
    return _is_weight


def _is_weight(node: Node) -> bool:
    tensor = node.tensor() if node.op == "Const" else None
    return tensor is not None and bool(tensor.shape) and is_weight_type(tensor.dtype)


def scope_tree(
    body: Body, depth: int | None = None, is_counted: Callable[[Node], bool] = lambda _: True
) -> Iterator[ScopeRow]:
    """The scopes of ``body`` in the order of first appearance, each before what is in it, ``depth`` levels at most.

    Args:
        is_counted: whether what a variable or constant holds counts as parameters.
    """
    scopes = {"": _Scope("", "", None)}
    for op, node in zip(body.ops, body.nodes):
        name = node.proto.name
        scope = scopes.get(name) or _scope(scopes, name)
        scope.op = op
        scope.nodes += 1
        if op in _HOLDERS and is_counted(node):
            parameters, size = parameters_of(node)
            scope.parameters += parameters
            scope.parameter_bytes += size
    for scope in reversed(scopes.values()):  # children come after their parents
        if scope.parent is not None:
            scope.parent.nodes += scope.nodes
            scope.parent.parameters += scope.parameters
            scope.parent.parameter_bytes += scope.parameter_bytes
    yield from _rows(scopes[""], depth)


def _scope(scopes: dict[str, _Scope], name: str) -> _Scope:
    """The scope called ``name``, made with those around it if necessary. No recursion: a hostile name has many slashes."""
    missing = []
    outer = name
    if name.count("/") >= MAX_LEVELS:  # the rest is one label
        outer = name[: len(name) - len(name.split("/", MAX_LEVELS)[-1]) - 1]
        missing.append(name)
    while outer not in scopes:
        missing.append(outer)
        outer = outer.rpartition("/")[0]
    parent = scopes[outer]
    for inner in reversed(missing):
        child = scopes[inner] = _Scope(
            inner, inner[len(parent.name) + 1 :] if parent.name else inner.rpartition("/")[2], parent
        )
        parent.children.append(child)
        parent = child
    return parent


def parameters_of(node: Node) -> tuple[int, int]:
    """Elements and bytes that a variable or constant holds; (0, 0) for other nodes and for strings."""
    if node.op == "Const":
        tensor = node.tensor()
        return (tensor.elements, tensor.nbytes) if tensor is not None and tensor.nbytes is not None else (0, 0)
    if node.op not in VARIABLE_OPS:
        return 0, 0
    shape, dtype = node.attr("shape"), node.attr("dtype")
    count = elements(shape_of(shape.shape)) if shape is not None else None
    itemsize = DataType.of(dtype.type).itemsize if dtype is not None else None
    return (count or 0, (count or 0) * itemsize) if itemsize is not None else (0, 0)


def _rows(root: _Scope, limit: int | None) -> Iterator[ScopeRow]:
    stack = _stack(root, ())
    while stack:
        scope, is_last = stack.pop()
        yield ScopeRow(
            len(is_last) - 1,
            scope.label,
            scope.name,
            scope.op,
            scope.nodes,
            scope.parameters,
            scope.parameter_bytes,
            is_last,
        )
        if scope.children and (limit is None or len(is_last) < limit):
            stack += _stack(scope, is_last)


def _stack(scope: _Scope, above: tuple[bool, ...]) -> list[tuple[_Scope, tuple[bool, ...]]]:
    """The children, the first on top."""
    if not scope.children:
        return []
    *others, last = scope.children
    inner, outer = (*above, False), (*above, True)
    return [(last, outer), *((child, inner) for child in reversed(others))]
