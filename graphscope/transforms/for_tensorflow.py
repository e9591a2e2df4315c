"""Rewrites a graph for an older TensorFlow.

A release refuses a node whose op it lacks, or that states an attribute which its op did not have. Attributes that came
later have defaults, under which the op does what it did before: where a node states the default, the attribute goes. A
few newer ops become the older ones that they replaced, where they compute the same.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field

from graphscope.analysis.shapes import Shapes, infer
from graphscope.analysis.shapes.sizes import Dims
from graphscope.core.changes.build import make_node, without_attrs
from graphscope.core.graph import Body, Graph, Node
from graphscope.core.ops.history import OpHistory, Version, op_histories, version_text
from graphscope.core.ops.table import registered_ops
from graphscope.core.tensors import TensorName
from graphscope.core.values.dtypes import DataType
from graphscope.errors import GraphscopeError, some
from graphscope.protos import AttrValue, NodeDef

_MAX_LISTED = 8

_HINTS = frozenset(
    "TensorArrayV3.identical_element_shapes MatMul.grad_a MatMul.grad_b"
    " BatchMatMulV2.grad_x BatchMatMulV2.grad_y BatchMatMul.grad_x BatchMatMul.grad_y".split()
)
"""Attributes that let TensorFlow check more or mark gradients, and change no value."""


@dataclass(frozen=True, slots=True)
class Backported:
    """A graph for an older TensorFlow.

    Attributes:
        graph: the result.
        stripped: ``op.attribute`` -> number of nodes that no longer state it; it had its default, or is only a hint.
        replaced: ``op -> older op`` -> number of nodes.
        unknown: ops that no release of TensorFlow has: a library must provide them.
    """

    graph: Graph
    stripped: Mapping[str, int] = field(default_factory=dict)
    replaced: Mapping[str, int] = field(default_factory=dict)
    unknown: tuple[str, ...] = ()


def backport(graph: Graph, version: Version) -> Backported:
    """Rewrites ``graph`` and its functions for TensorFlow ``version``. Reads no weights.

    Only ops and attributes are checked, not the element types that kernels of that release support.

    Raises:
        GraphscopeError: the release lacks an op, or an attribute that does not have its default; all of them are listed.
    """
    work = _Work(graph, version)
    result = graph.with_nodes(work.nodes(graph)).with_functions(
        [function.with_nodes(work.nodes(function)) for function in graph.functions.values()]
    )
    if work.lacking:
        release = f"TensorFlow {version_text(version)}"
        lines = [f"  {reason}" for reason in list(work.lacking)[:_MAX_LISTED]]
        more = [f"  and {len(work.lacking) - _MAX_LISTED} more"] if len(work.lacking) > _MAX_LISTED else []
        raise GraphscopeError("\n".join([f"{release} cannot load the graph:", *lines, *more]))
    return Backported(result, dict(work.stripped), dict(work.replaced), tuple(sorted(work.unknown)))


class _Work:
    """What was done so far.

    Attributes:
        stripped, replaced, unknown: see :class:`Backported`.
        lacking: why the release cannot load the graph, each reason once.
    """

    def __init__(self, graph: Graph, version: Version) -> None:
        self.graph = graph
        self.version = version
        self.stripped: Counter[str] = Counter()
        self.replaced: Counter[str] = Counter()
        self.unknown: set[str] = set()
        self.lacking: dict[str, None] = {}
        self._shapes: Shapes | None = None

    def nodes(self, body: Body) -> list[Node]:
        return [self.node(_plain(node), body) for node in body]

    def node(self, node: Node, body: Body) -> Node:
        """``node`` as the release knows it."""
        if node.op in self.graph.functions:
            return node
        history = op_histories().get(node.op)
        if history is None:
            self.unknown.add(node.op)
            return node
        if self.version not in history.releases:
            return self.older(node, history, body)
        late = [
            name for name in sorted(node.attrs) if not name.startswith("_") and not history.knows(name, self.version)
        ]
        return self.without(node, history, late) if late else node

    def older(self, node: Node, history: OpHistory, body: Body) -> Node:
        """An older op in the place of one that the release lacks."""
        replace = _OLDER.get(node.op)
        found = replace(node, _Context(body, self)) if replace is not None else None
        if found is None:
            self.lacking[f"op {node.op} ({history.releases}), {_count(self.graph, node.op)}"] = None
            return node
        self.replaced[f"{node.op} -> {found.op}"] += 1
        return self.node(found, body)

    def without(self, node: Node, history: OpHistory, late: Iterable[str]) -> Node:
        """``node`` without attributes that have their defaults."""
        gone = []
        for name in late:
            if _is_default(node, name) or f"{node.op}.{name}" in _HINTS:
                gone.append(name)
                self.stripped[f"{node.op}.{name}"] += 1
            else:
                reason = (
                    f"attribute {name} of {node.op} ({history.attributes[name]}) is not the default: node {node.name}"
                )
                self.lacking[reason] = None
        return without_attrs(node, gone)

    @property
    def shapes(self) -> Shapes:
        """The shapes of the graph's tensors."""
        if self._shapes is None:
            self._shapes = infer(self.graph)
        return self._shapes


def _count(graph: Graph, op: str) -> str:
    """``node a and 3 more``."""
    names = [node.name for _, body in graph.bodies for node in body if node.op == op]
    return f"node {some(names, 1)}"


def _plain(node: Node) -> Node:
    """``node`` without what an older reader of text does not know."""
    fields = ("experimental_debug_info", "experimental_type")
    if not any(node.proto.HasField(name) for name in fields):
        return node
    proto = NodeDef()
    proto.CopyFrom(node.proto)
    for name in fields:
        proto.ClearField(name)
    return Node(proto, node.payloads)


def _is_default(node: Node, name: str) -> bool:
    definition = registered_ops().get(node.op)
    for attr in definition.attr if definition is not None else ():
        if attr.name == name:
            return attr.HasField("default_value") and attr.default_value == node.attrs[name]
    return False


@dataclass(frozen=True, slots=True)
class _Context:
    """Where a node lies.

    Attributes:
        body: the graph or function.
        work: knows the shapes.
    """

    body: Body
    work: _Work

    def sizes(self, text: str) -> Dims:
        """The shape of a tensor of the graph itself; ``None`` in a function."""
        return self.work.shapes.sizes(text) if self.body is self.work.graph else None

    def is_used(self, name: str, index: int) -> bool:
        """Whether something takes an output of node ``name``."""
        return any(_takes(consumer, name, index) for consumer in self.body.consumers(name)) or (
            self.body is not self.work.graph
        )


def _takes(consumer: Node, name: str, index: int) -> bool:
    tensors = map(TensorName.parse, consumer.data_inputs())
    return any(tensor.node == name and tensor.index == index for tensor in tensors)


def _without(node: Node, op: str, attrs: Iterable[str]) -> Node:
    """``node`` of another op; without the note of its outputs' shapes, of which there may be fewer."""
    dropped = {"_output_shapes", *attrs}
    return make_node(node.name, op, node.inputs, {k: v for k, v in node.attrs.items() if k not in dropped})


def _add(node: Node, _: _Context) -> Node:
    return _without(node, "Add", ())


def _norm_v2(node: Node, context: _Context) -> Node | None:
    """The third version has one output more, which gradients alone take."""
    return None if context.is_used(node.name, 5) else _without(node, "FusedBatchNormV2", ())


def _norm(node: Node, _: _Context) -> Node | None:
    """The first version takes float32 alone."""
    kinds = {node.attrs[name].type for name in ("T", "U") if name in node.attrs}
    return _without(node, "FusedBatchNorm", ("U",)) if kinds == {int(DataType.FLOAT)} else None


def _batched_product(node: Node, context: _Context) -> Node | None:
    """The first version does not broadcast."""
    one, other = (context.sizes(text) for text in node.data_inputs()[:2])
    if one is None or other is None or one[:-2] != other[:-2]:
        return None
    return _without(node, "BatchMatMul", ())


def _typed_product(node: Node, _: _Context) -> Node | None:
    """The third version may take and give different types."""
    kinds = {node.attrs[name].type for name in ("Ta", "Tb", "Tout") if name in node.attrs}
    if len(kinds) != 1:
        return None
    result = _without(node, "BatchMatMulV2", ("Ta", "Tb", "Tout"))
    attrs = {**result.attrs, "T": AttrValue(type=kinds.pop())}
    return make_node(result.name, result.op, result.inputs, attrs)


def _select(node: Node, context: _Context) -> Node | None:
    """The first version does not broadcast."""
    condition, *others = (context.sizes(text) for text in node.data_inputs())
    same = condition is not None and all(sizes == condition for sizes in others)
    return _without(node, "Select", ()) if same else None


_OLDER: Mapping[str, Callable[[Node, _Context], Node | None]] = {
    "AddV2": _add,
    "FusedBatchNormV3": _norm_v2,
    "FusedBatchNormV2": _norm,
    "BatchMatMulV2": _batched_product,
    "BatchMatMulV3": _typed_product,
    "SelectV2": _select,
}
"""Op -> gives the node of an older op that computes the same; ``None`` if there is none."""
