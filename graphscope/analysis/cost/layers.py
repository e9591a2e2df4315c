"""The layer of a node: its enclosing name scope, at the depth that separates layers."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping

from graphscope.analysis.cost.formulas import formulas
from graphscope.analysis.cost.items import Item

Namer = Callable[[Item], str]


def by_depth(depth: int) -> Namer:
    """Scopes of at most ``depth`` parts."""
    return lambda item: "/".join(item.path.split("/")[:depth])


def by_layer(items: Iterable[Item]) -> Namer:
    """The outermost scope that has no layers within it.

    A scope has layers within it if two scopes in it compute products with weights (convolutions, matrix products, look-ups), or
    if the only such scope has. Nodes outside layers have their own row.
    """
    inner: dict[str, set[str]] = {}
    for item in items:
        if _is_layer_op(item):
            parts = item.path.split("/")[:-1]
            for depth in range(len(parts)):
                inner.setdefault("/".join(parts[:depth]), set()).add("/".join(parts[: depth + 1]))
    opened = _opened(inner)

    def name(item: Item) -> str:
        parts = item.path.split("/")
        depth = 1
        while depth < len(parts) and "/".join(parts[:depth]) in opened:
            depth += 1
        return "/".join(parts[:depth])

    return name


def _opened(inner: Mapping[str, set[str]]) -> set[str]:
    result: set[str] = set()
    for scope in sorted(inner, key=lambda scope: -scope.count("/") - bool(scope)):
        if len(inner[scope]) > 1 or inner[scope] <= result:
            result.add(scope)
    return result


_LOOK_UPS = frozenset({"Gather", "GatherV2", "ResourceGather", "SparseSegmentSum", "SparseSegmentMean"})


def _is_layer_op(item: Item) -> bool:
    op = item.entry.node.op
    formula = formulas().get(op)
    return bool(item.entry.weights) and (op in _LOOK_UPS or (formula is not None and formula.is_product))
