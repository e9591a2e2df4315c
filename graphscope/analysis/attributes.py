"""A node's attributes in a normal form: without defaults and without marks of the writing program."""

from __future__ import annotations

from collections.abc import Mapping

from graphscope.analysis.detail import value_text
from graphscope.core.graph import Node
from graphscope.core.ops.table import OpCatalog
from graphscope.protos import AttrValue

MARKS = frozenset({"_output_shapes", "_class", "_too_large_attrs", "_has_manual_control_dependencies"})
"""Attributes that change no result: inferred shapes, colocation, what TensorBoard was not shown, how control edges came."""


class Attributes:
    """Returns the attributes of nodes of one model in a normal form.

    Args:
        catalog: the ops that the graph may use; their defaults count as if they were not stated.
        keeps_marks: whether to include :data:`MARKS`.
    """

    def __init__(self, catalog: OpCatalog, *, keeps_marks: bool = False) -> None:
        self._catalog = catalog
        self._keeps_marks = keeps_marks
        self._known: dict[str, Mapping[str, AttrValue]] = {}

    def of(self, node: Node) -> dict[str, AttrValue]:
        """Attribute name -> value, sorted by name, without those that the op's definition implies."""
        defaults = self.defaults(node.proto.op)
        return {
            name: value
            for name, value in sorted(node.proto.attr.items())
            if (self._keeps_marks or name not in MARKS) and defaults.get(name) != value
        }

    def defaults(self, op: str) -> Mapping[str, AttrValue]:
        """Attribute name -> default, of the attributes of ``op`` that have one."""
        known = self._known.get(op)
        if known is None:
            definition = self._catalog.get(op)
            stated = definition.attr if definition is not None else ()
            known = self._known[op] = {a.name: a.default_value for a in stated if a.HasField("default_value")}
        return known


def exact_text(value: AttrValue) -> str:
    """The text of an attribute value; other than :func:`value_text`, different numbers have different texts."""
    kind = value.WhichOneof("value")
    if kind == "f":
        return f"{value.f:.9g}"
    if kind == "list" and value.list.f:
        return "[" + ", ".join(f"{number:.9g}" for number in value.list.f) + "]"
    if kind == "func" and value.func.attr:
        inner = ", ".join(f"{name}={exact_text(v)}" for name, v in sorted(value.func.attr.items()))
        return f"{value.func.name}({inner})"
    return value_text(value)
