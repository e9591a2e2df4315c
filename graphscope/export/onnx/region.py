"""Converts part of a graph: all of it, a branch, the body of a loop or of a library function."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace

import numpy as np

from graphscope.analysis.shapes import Shapes
from graphscope.core.graph import Body, Graph, Node
from graphscope.core.ops.sets import PLACEHOLDER_OPS
from graphscope.core.ops.table import OpCatalog
from graphscope.core.order import needed_first
from graphscope.core.tensors import Shape, TensorName
from graphscope.core.values.dtypes import DataType
from graphscope.export.conditions import Conditions, conditions_of
from graphscope.export.onnx.builder import Builder
from graphscope.export.onnx.call import Call
from graphscope.export.onnx.element_types import is_expressible, plain
from graphscope.export.onnx.registry import DEFERRED, RULES, Results
from graphscope.export.onnx.value import Value
from graphscope.export.refusal import UNSHAPED, BrokenInputError, NotExpressibleError, Refusal

Tensor = tuple[str, int]
"""A node's name and the number of one of its outputs."""


@dataclass
class Conversion:
    """The state that all regions of one graph share.

    Attributes:
        graph: the frozen graph.
        catalog: the op definitions.
        facts: what is known of the graph's tensors.
        refusals: nodes found so far that cannot be expressed.
        labels: name in ONNX -> TensorFlow tensor.
        inputs: the placeholders that are needed, by tensor name.
        random: nodes that draw random numbers.
        notes: op, and what is not exact about it -> nodes of which it holds.
    """

    graph: Graph
    catalog: OpCatalog
    facts: Shapes
    refusals: dict[str, Refusal] = field(default_factory=dict)
    labels: dict[str, str] = field(default_factory=dict)
    inputs: dict[str, Value] = field(default_factory=dict)
    random: list[str] = field(default_factory=list)
    notes: dict[tuple[str, str], list[str]] = field(default_factory=dict)

    @property
    def shapes(self) -> Mapping[str, Shape]:
        """Tensor of the graph -> its shape, where its rank is known."""
        return self.facts.by_name

    def note(self, node: Node, remark: str) -> None:
        """Notes what runtimes do otherwise than TensorFlow at ``node``, where that cannot be helped."""
        self.notes.setdefault((node.op, remark), []).append(node.name)

    def refuse(self, node: Node, reason: str) -> None:
        """Notes why ``node`` cannot be expressed; the first reason counts."""
        is_unshaped = node.op in PLACEHOLDER_OPS and reason == UNSHAPED
        self.refusals.setdefault(node.name, Refusal(node.name, node.op, reason, is_unshaped))


class Region:
    """The nodes of ``body``, converted on demand.

    Args:
        bound: tensors defined outside: the arguments of a function, the state of a loop.
        parent: the region around this one.
        owns: whether a node is in this region; the parent provides the others. By default, all are.
        active: the conditions that hold in this region.
    """

    def __init__(
        self,
        conversion: Conversion,
        body: Body,
        builder: Builder,
        bound: Mapping[Tensor, Value] | None = None,
        parent: Region | None = None,
        owns: Callable[[str], bool] = lambda _: True,
        active: Conditions = frozenset(),
    ) -> None:
        self.conversion = conversion
        self.body = body
        self.builder = builder
        self.bound: dict[Tensor, Value] = dict(bound or {})
        self.parent = parent
        self.owns = owns
        self.active = active
        self.conditions: Mapping[str, Conditions] = conditions_of(body) if parent is None else parent.conditions
        self.converted: set[str] = set()

    def value(self, text: str) -> Value:
        """The tensor that ``text`` names in the body, converted if necessary.

        Raises:
            BrokenInputError: it needs a node that cannot be expressed; the reason is noted.
        """
        name = TensorName.parse(text)
        if name.node not in self.converted and (name.node, 0) not in self.bound:
            if not self.owns(name.node) and self.parent is not None:
                return self.parent.value(text)
            for node in self.order(name.node):
                self.convert(node)
        tensor = (name.node, self.index(name))
        if tensor not in self.bound:
            self.note_missing(name, tensor[1])
            raise BrokenInputError(text)
        return self.bound[tensor]

    def note_missing(self, name: TensorName, index: int) -> None:
        """Records an output that a rule does not produce."""
        if (name.node, 0) in self.bound and name.node in self.body:
            self.conversion.refuse(self.body[name.node], f"its output {index} has no counterpart")

    def is_active(self, name: str) -> bool:
        """Whether node ``name`` is computed whenever this region is."""
        return self.conditions.get(name, frozenset()) <= self.active

    def index(self, name: TensorName) -> int:
        """The index of an output; functions refer to it by argument name."""
        if name.argument is None or name.node not in self.body:
            return name.index
        node = self.body[name.node]
        types = self.conversion.catalog.outputs(node.op, node.attrs) or ()
        first = next((i for i, t in enumerate(types) if t.argument == name.argument), 0)
        return first + name.index

    def order(self, start: str) -> list[Node]:
        """The nodes to convert for ``start``, in topological order, ``start`` last."""
        names = needed_first(
            filter(self.is_pending, [start]), lambda name: filter(self.is_pending, self.needed(self.body[name]))
        )
        return [self.body[name] for name in names]

    def is_pending(self, name: str) -> bool:
        """Whether the node still has to be converted here."""
        return name not in self.converted and (name, 0) not in self.bound and name in self.body and self.owns(name)

    def needed(self, node: Node) -> Iterable[str]:
        """Names of the nodes whose tensors ``node`` consumes."""
        return () if node.op in DEFERRED else [TensorName.parse(text).node for text in node.data_inputs()]

    def convert(self, node: Node) -> None:
        """Converts ``node``, whose inputs are already converted; records the reason if that is impossible."""
        if node.name in self.converted:
            return
        self.converted.add(node.name)
        try:
            self.bind(node, self.known(node) or self.results(node))
        except NotExpressibleError as error:
            self.conversion.refuse(node, error.reason)
        except BrokenInputError:
            pass
        except (ValueError, IndexError) as error:  # NumPy's and Python's, about constants that no kernel would take
            self.conversion.refuse(node, f"its constants do not fit: {error}")

    def known(self, node: Node) -> list[Value]:
        """The outputs of ``node`` as constants, if they are integers that follow from the shapes; otherwise none."""
        if self.body is not self.conversion.graph or node.op == "Const" or node.op in DEFERRED:
            return []
        types = self.conversion.catalog.outputs(node.op, node.attrs) or ()
        if any(t.dtype not in (DataType.INT32, DataType.INT64) for t in types):
            return []
        self.builder.scope = node.name
        found = [self.known_output(f"{node.name}:{index}", t.dtype) for index, t in enumerate(types)]
        return [value for value in found if value is not None] if None not in found else []

    def known_output(self, tensor: str, dtype: DataType) -> Value | None:
        """A tensor as a constant, if all its elements are known."""
        facts = self.conversion.facts
        elements, shape = facts.integers(tensor), facts.shape(tensor)
        if elements is None or shape is None or None in shape:
            return None
        array = np.array(elements, dtype.numpy).reshape([size or 0 for size in shape])
        return replace(self.builder.constant(array), items=elements if len(shape) <= 1 else None)

    def results(self, node: Node) -> Results:
        """The outputs of ``node``."""
        found = RULES.get(node.op)
        types = self.conversion.catalog.outputs(node.op, node.attrs)
        if found is None and node.op in self.conversion.graph.functions:
            found = RULES["PartitionedCall"]
        if found is None or types is None:
            raise NotExpressibleError("there is no rule for this op")
        if not self.is_active(node.name):
            raise NotExpressibleError("it is computed in one branch only, and no Merge takes it")
        inputs = [] if node.op in DEFERRED else [self.value(text) for text in node.data_inputs()]
        self.builder.scope = node.name
        return found(Call(node, inputs, [t.dtype for t in types], self.builder, self))

    def bind(self, node: Node, results: Results) -> None:
        """Registers ``results`` as the outputs of ``node``."""
        values = [results] if isinstance(results, Value) else results
        types = self.conversion.catalog.outputs(node.op, node.attrs) or ()
        for index, value in enumerate(values):
            if index < len(types):
                _refuse_other_type(value, types[index].dtype)
            self.bound[node.name, index] = self.with_inferred_shape(node, index, value)
            if value.payload is None and value.name not in self.conversion.inputs:
                self.conversion.labels.setdefault(value.name, f"{node.name}:{index}")

    def with_inferred_shape(self, node: Node, index: int, value: Value) -> Value:
        """``value`` with the shape that TensorFlow's rules infer."""
        if self.body is not self.conversion.graph:
            return value
        return self.builder.reshaped(value, self.conversion.shapes.get(f"{node.name}:{index}"))


def values_of(region: Region, texts: Sequence[str]) -> list[Value]:
    """See :meth:`Region.value`; all are converted before one that is broken raises."""
    found: list[Value] = []
    broken: BrokenInputError | None = None
    for text in texts:
        try:
            found.append(region.value(text))
        except BrokenInputError as error:
            broken = error
    if broken is not None:
        raise broken
    return found


def _refuse_other_type(value: Value, dtype: DataType) -> None:
    """Checks that a rule produces the same types as TensorFlow."""
    if is_expressible(dtype) and value.dtype is not plain(dtype):
        raise NotExpressibleError(f"would be {value.dtype.label} in place of {dtype.label}")
