"""``nodes --tree``: the name scopes of a graph with node counts and parameter sizes."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field

from graphscope.core.binding import VARIABLE_OPS
from graphscope.core.dtypes import DataType
from graphscope.core.graph import Body, Node
from graphscope.core.tensors import elements, shape_of


@dataclass(frozen=True, slots=True)
class ScopeRow:
    """A name scope, or a node that is no scope.

    Attributes:
        depth: 0 for the outermost.
        label: the last part of the name.
        name: the whole name.
        op: the op of the node of this name; empty where there is only a scope.
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


@dataclass(slots=True)
class _Scope:
    op: str = ""
    nodes: int = 0
    parameters: int = 0
    parameter_bytes: int = 0
    children: dict[str, _Scope] = field(default_factory=dict)


def scope_tree(body: Body, depth: int | None = None) -> Iterator[ScopeRow]:
    """The scopes of ``body`` in the order of first appearance, each before what lies in it, down to ``depth`` levels."""
    root = _Scope()
    for node in body:
        _add(root, node)
    yield from _rows(root, depth)


def _add(root: _Scope, node: Node) -> None:
    parameters, size = parameters_of(node)
    scope = root
    for part in node.name.split("/"):
        child = scope.children.get(part)
        if child is None:
            child = scope.children[part] = _Scope()
        scope = child
        scope.nodes += 1
        scope.parameters += parameters
        scope.parameter_bytes += size
    scope.op = node.op


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
    """Depth first, without recursion: a hostile name may hold a million slashes."""
    stack = _children(root, "", ())
    while stack:
        label, name, scope, is_last = stack.pop()
        yield ScopeRow(
            len(is_last) - 1, label, name, scope.op, scope.nodes, scope.parameters, scope.parameter_bytes, is_last
        )
        if limit is None or len(is_last) < limit:
            stack += _children(scope, name + "/", is_last)


def _children(scope: _Scope, prefix: str, above: tuple[bool, ...]) -> list[tuple[str, str, _Scope, tuple[bool, ...]]]:
    """The children as a stack: the first on top."""
    last = len(scope.children) - 1
    found = [
        (label, prefix + label, child, (*above, i == last)) for i, (label, child) in enumerate(scope.children.items())
    ]
    return found[::-1]
