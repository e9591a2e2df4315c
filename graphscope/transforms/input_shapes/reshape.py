"""Changes the input shapes of a graph, and adapts the nodes that depend on them.

A batch is followed with a number that occurs nowhere else in the graph (:mod:`.probe`): where a constant states the old batch
and provably means it (:mod:`.rules`), it is rewritten. What is left then, a node that the new shapes do not fit or an output
that lost its examples, is refused by name.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from graphscope.advice import Advice, Option
from graphscope.analysis.shapes import Shapes, infer
from graphscope.analysis.shapes.facts import Fact
from graphscope.core.changes.build import make_node, without_attrs
from graphscope.core.graph import Graph, Node
from graphscope.core.ops.sets import PLACEHOLDER_OPS
from graphscope.core.stated_shapes import stated_shape
from graphscope.core.tensors import Shape, TensorName, TensorSpec, node_of, shape_text
from graphscope.core.values.dtypes import DataType
from graphscope.errors import GraphscopeError, UnknownNameError, some
from graphscope.protos import AttrValue
from graphscope.transforms.input_shapes.batch import Batch, checked_batch
from graphscope.transforms.input_shapes.probe import Batches, prime_apart
from graphscope.transforms.input_shapes.rewrite import BatchSource, rewrite
from graphscope.transforms.input_shapes.rules import MAKERS, RULES, Change, make_change, same_rows, squeezed_axes
from graphscope.transforms.opening import placeholder

_STATED = "_output_shapes"
_MAX_NAMES = 4


@dataclass(frozen=True, slots=True)
class Reshaped:
    """A graph whose inputs take other shapes.

    Attributes:
        graph: the result.
        inputs: placeholder whose shape is another one -> the shape before and now.
        rewritten: node -> what became of the constant in it, as ``(1, 2048) -> (-1, 2048)``.
    """

    graph: Graph
    inputs: Mapping[str, tuple[Shape, Shape]] = field(default_factory=dict)
    rewritten: Mapping[str, str] = field(default_factory=dict)

    def lines(self) -> Iterator[str]:
        """The inputs that take other shapes, and the constants that were rewritten, in words."""
        for name, (old, new) in self.inputs.items():
            yield f"{name} {shape_text(old)} -> {shape_text(new)}"
        if self.rewritten:
            changes = (f"{node} {change}" for node, change in self.rewritten.items())
            yield f"rewritten for that: {some(changes, _MAX_NAMES)}"


def wanted_shapes(graph: Graph, shapes: Mapping[str, Shape], batch: Batch) -> dict[str, Shape]:
    """``shapes``, and those of the other placeholders with a batch, for ``batch`` examples.

    Raises:
        ArgumentError: ``batch`` is a number below 1.
        GraphscopeError: as :func:`batch_shapes`.
    """
    examples = checked_batch(batch)
    of_batch = {} if examples is None else batch_shapes(graph, None if examples == "?" else examples)
    return {**of_batch, **{node_of(name): shape for name, shape in shapes.items()}}


def batch_shapes(graph: Graph, batch: int | None) -> dict[str, Shape]:
    """Placeholder -> its shape with ``batch`` examples, for each one that takes the batch.

    Those are the placeholders with an unknown first size, and if there is none those of the most frequent first size.

    Raises:
        GraphscopeError: no placeholder states a first size.
    """
    shapes = {name: shape for name, shape in _placeholders(graph) if shape}
    firsts = [shape[0] for shape in shapes.values() if shape]
    if not firsts:
        raise GraphscopeError(
            "no placeholder states a batch", hint=Advice(Option("shape", "NAME=?,224,224,3"), " gives one its shape")
        )
    old = None if None in firsts else max(firsts, key=firsts.count)
    return {name: (batch, *shape[1:]) for name, shape in shapes.items() if shape and shape[0] == old}


def _placeholders(graph: Graph) -> Iterator[tuple[str, Shape]]:
    for op, node in zip(graph.ops, graph.nodes):
        if op in PLACEHOLDER_OPS:
            yield node.name, stated_shape(node, 0, graph.producer, graph)


_REFUSED_SINCE = 23
"""The producer version from which on TensorFlow refuses ``PlaceholderV2`` (``array_ops.cc``)."""


def reshape_inputs(graph: Graph, shapes: Mapping[str, Shape], outputs: Sequence[str] = ()) -> Reshaped:
    """``graph`` whose placeholders take ``shapes``: the same computation for another batch or size.

    Shapes that programs noted in ``_output_shapes`` go. Weights are not read.

    Args:
        shapes: node or tensor name of a placeholder -> its new shape; ``None`` for a size that is not known.
        outputs: tensors that must keep their batch dimension.

    Raises:
        UnknownNameError: there is no such node.
        GraphscopeError: it is not a placeholder; a node does not fit the new shapes; an output would lose its batch dimension.
    """
    asked = {node_of(name): shape for name, shape in shapes.items()}
    old = dict(_placeholders(graph))
    _check_names(graph, asked, old)
    asked = {name: shape for name, shape in asked.items() if shape != old[name]}
    if not asked:
        return Reshaped(graph)
    return _Reshaping(graph, asked, old, outputs).result()


def _check_names(graph: Graph, asked: Mapping[str, Shape], placeholders: Mapping[str, Shape]) -> None:
    for name, shape in asked.items():
        if name not in graph:
            raise UnknownNameError("placeholder", name, placeholders)
        if name not in placeholders:
            raise GraphscopeError(
                f"{name} is a {graph[name].op}, not a placeholder: its shape cannot be set",
                hint=Advice(Option("inputs", name), " cuts the graph open there"),
            )
        old = placeholders[name]
        if old is not None and (shape is None or len(shape) != len(old)):
            raise GraphscopeError(
                f"{name} is {shape_text(old)} and cannot become {shape_text(shape)}: name {len(old)} sizes"
            )


def with_placeholder_shapes(graph: Graph, shapes: Mapping[str, Shape]) -> Graph:
    """``graph`` whose placeholders state ``shapes``; what was noted of other shapes goes, all else stays."""
    old = dict(_placeholders(graph))
    plain = _without_stale_shapes(graph)
    nodes = (
        _with_shape(n, shapes[n.name], old[n.name], graph.producer) if n.name in shapes else n for n in plain.nodes
    )
    return plain.with_nodes(nodes)


class _Reshaping:
    """The work on one graph.

    Attributes:
        graph: the graph without stale shapes, its placeholders as they were.
        changes: node -> the constant that it needs, as found by the last look.
        squeezes: node -> the axes that it must name.
        forced: nodes whose stated size is the batch, as what takes them shows.
    """

    def __init__(
        self, graph: Graph, asked: Mapping[str, Shape], old: Mapping[str, Shape], outputs: Sequence[str]
    ) -> None:
        self.graph = _without_stale_shapes(graph)
        self.asked = asked
        self.old = old
        self.outputs = [str(TensorName.parse(name)) for name in outputs]
        self.changes: dict[str, Change] = {}
        self.squeezes: dict[str, AttrValue] = {}
        self.forced: set[str] = set()
        self.before = infer(self.graph)
        self.batches = self._batches()

    def _batches(self) -> Batches:
        changed = {
            (old[0], new[0]) for name, new in self.asked.items() if (old := self.old[name]) and new and old[0] != new[0]
        }
        if len(changed) > 1:
            pairs = ", ".join(f"{shape_text(self.old[n])} -> {shape_text(s)}" for n, s in self.asked.items())
            raise GraphscopeError(f"the inputs would have different batch sizes: {pairs}")
        prime = prime_apart(size for shape in self.before.by_name.values() for size in shape or () if size)
        [(before, after)] = changed or {(None, None)}
        return Batches(before, prime, after)

    @property
    def changes_batch(self) -> bool:
        return any(old and new and old[0] != new[0] for old, new in self._pairs())

    def _pairs(self) -> Iterator[tuple[Shape, Shape]]:
        return ((self.old[name], new) for name, new in self.asked.items())

    def result(self) -> Reshaped:
        seen = self._look()
        while fresh := self._makers(seen):
            self.forced |= fresh
            seen = self._look()
        self._refuse_misfits(seen)
        self._refuse_lost_examples(seen)
        graph = self._write()
        found = infer(graph, None)
        self._refuse_misfits(found)
        texts = {name: _change_text(change, self.batches) for name, change in self.changes.items()}
        inputs = {name: (self.old[name], shape) for name, shape in self.asked.items()}
        rows = {name: "a row for each example" for name in self.forced if self.graph[name].op == "Const"}
        axes = dict.fromkeys(self.squeezes, "names the axes that it drops")
        return Reshaped(graph, inputs, {**texts, **rows, **axes})

    def _look(self) -> Shapes:
        """Shapes with the probe for the batch; collects what has to change."""
        self.changes.clear()
        self.squeezes.clear()
        graph = self._with_placeholders(self._seen_shape)
        nodes = (self._row_input(n) if n.op == "Const" and n.name in self.forced else n for n in graph.nodes)
        return infer(graph.with_nodes(nodes), revise=self._revise)

    def _row_input(self, node: Node) -> Node:
        """The placeholder for a constant of equal rows during shape analysis."""
        tensor = node.tensor()
        shape = tensor.shape if tensor is not None else ()
        dtype = tensor.dtype if tensor is not None else DataType.INVALID
        return placeholder(node.name, TensorSpec(node.name, dtype, (self.batches.probe, *shape[1:])))

    def _seen_shape(self, name: str) -> Shape:
        """The shape of a placeholder as it is looked at."""
        shape = self.asked.get(name, self.old[name])
        if not shape:
            return shape
        is_changed = name in self.asked and self.changes_batch
        return (self.batches.probe, *shape[1:]) if is_changed or shape[0] is None else shape

    def _revise(self, node: Node, inputs: Sequence[Fact]) -> Sequence[Fact]:
        axes = squeezed_axes(node, inputs, self.batches) if self.changes_batch else None
        if axes is not None:
            self.squeezes[node.name] = axes
        change = self._change(node, inputs)
        if change is None:
            self.changes.pop(node.name, None)
            return inputs
        self.changes[node.name] = change
        known = Fact(inputs[change.argument].shape, change.value)
        return [*inputs[: change.argument], known, *inputs[change.argument + 1 :]]

    def _change(self, node: Node, inputs: Sequence[Fact]) -> Change | None:
        if node.name in self.forced:
            return make_change(node, inputs, self.batches)
        rule = RULES.get(node.op)
        return rule(node, inputs, self.batches) if rule is not None and inputs else None

    def _makers(self, seen: Shapes) -> set[str]:
        """Nodes that make tensors of the old batch for a node that now takes another."""
        found: set[str] = set()
        for name in self._misfits(seen):
            node = self.graph.get(name)
            for source in node.data_inputs() if node is not None else ():
                if not self.batches.carries(seen.shape(source)):
                    found |= self._makers_behind(node_of(source), seen)
        return found - self.forced

    def _makers_behind(self, name: str, seen: Shapes) -> set[str]:
        """The nearest such nodes from which ``name`` gets its first size."""
        first = self.batches.old
        graph = self.graph

        def step(node: Node) -> list[Node]:
            return [] if node.op in MAKERS else [p for p in graph.producers(node) if _first(seen, p.name) == first]

        of_batch = (graph[n] for n in graph.reach([name], step) if _first(seen, n) == first)
        return {n.name for n in of_batch if n.op in MAKERS or same_rows(n, first)}

    def _misfits(self, seen: Shapes) -> list[str]:
        """Nodes that no longer fit their ops, in file order; those that never did are left alone."""
        names = [name for name in seen.errors if name not in self.before.errors]
        return sorted(names, key=lambda name: self.graph.numbers.get(name, len(self.graph)))

    def _refuse_misfits(self, seen: Shapes) -> None:
        for name in self._misfits(seen):
            node = self.graph.get(name)
            op = f" ({node.op})" if node is not None else ""
            reason = seen.errors[name].replace(str(self.batches.probe), "the batch")
            raise self._refusal(f"node {name}{op} does not allow it: {reason}", name)

    def _refusal(self, reason: str, node: str) -> GraphscopeError:
        wanted = ", ".join(f"{name} of {shape_text(shape)}" for name, shape in self.asked.items())
        hint = Advice(Option("outputs", "NAME"), f" of a node before {node} leaves it out")
        return GraphscopeError(f"cannot take {wanted}: {reason}", hint=hint)

    def _refuse_lost_examples(self, seen: Shapes) -> None:
        for output in self.outputs:
            before, now = self.before.shape(output), seen.shape(output)
            if not before or now is None:
                continue
            found = self._loss(output, before, now, seen)
            if found is not None:
                reason, culprit = found
                raise self._refusal(f"output {output} {reason} node {culprit.name} ({culprit.op})", culprit.name)

    def _loss(
        self, output: str, before: tuple[int | None, ...], now: tuple[int | None, ...], seen: Shapes
    ) -> tuple[str, Node] | None:
        """What an output would lose, and the node that is why."""
        if len(before) != len(now):
            ancestors = self.graph.ancestors([node_of(output)])
            dropped = next((name for name in self.squeezes if name in ancestors), node_of(output))
            return f"would have {len(now)} dimensions instead of {len(before)}, by", self.graph[dropped]
        first = now[0] if now else None
        if self.changes_batch and before[0] is not None and before[0] == self.batches.old:
            if not self.batches.is_batch(first):
                return f"stays of {shape_text(before)}, fixed by", self._fixing(output, seen)
        elif before[0] is None and first is not None and first != self.batches.probe and self.batches.is_batch(first):
            return f"would have {first // self.batches.probe} rows for each example, by", self._mixing(output, seen)
        return None

    def _fixing(self, output: str, seen: Shapes) -> Node:
        """The node behind which ``output`` has no part for each example any more."""
        return self._first_back(output, seen, lambda shape: self.batches.carries(shape))

    def _mixing(self, output: str, seen: Shapes) -> Node:
        """The node behind which ``output`` has more rows than examples."""
        return self._first_back(
            output, seen, lambda shape: bool(shape) and shape is not None and shape[0] == self.batches.probe
        )

    def _first_back(self, output: str, seen: Shapes, is_whole: Callable[[Shape], bool]) -> Node:
        node = self.graph[node_of(output)]
        visited = {node.name}
        while True:
            sources = [text for text in node.data_inputs() if node_of(text) in self.graph]
            if any(is_whole(seen.shape(text)) for text in sources):
                return node
            depends = [
                self.graph[node_of(t)] for t in sources if self._depends(node_of(t)) and node_of(t) not in visited
            ]
            if not depends:
                return node
            node = depends[0]
            visited.add(node.name)

    def _leads_to(self, name: str, output: str) -> bool:
        return name in self.graph.ancestors([node_of(output)])

    def _depends(self, name: str) -> bool:
        return not self.asked.keys().isdisjoint(self.graph.ancestors([name]))

    def _with_placeholders(self, shape: Callable[[str], Shape]) -> Graph:
        graph, old = self.graph, self.old
        nodes = (
            _with_shape(n, shape(n.name), old[n.name], graph.producer) if n.name in old else n for n in graph.nodes
        )
        return graph.with_nodes(nodes)

    def _write(self) -> Graph:
        graph = self._with_placeholders(lambda name: self.asked.get(name, self.old[name]))
        nodes = (_squeezing(n, self.squeezes.get(n.name)) for n in graph.nodes)
        rows = {name for name in self.forced if self.graph[name].op == "Const"}
        source = BatchSource(next(iter(self.asked)))
        return rewrite(graph.with_nodes(nodes), self.changes, rows, self.batches, source)


def _first(seen: Shapes, name: str) -> int | None:
    shape = seen.shape(name)
    return shape[0] if shape else None


def _without_stale_shapes(graph: Graph) -> Graph:
    """TensorFlow would believe what a program noted of other shapes."""

    def plain(nodes: Iterable[Node]) -> list[Node]:
        return [without_attrs(n, (_STATED,)) if _STATED in n.attrs else n for n in nodes]

    functions = [function.with_nodes(plain(function)) for function in graph.functions.values()]
    return graph.with_nodes(plain(graph.nodes)).with_functions(functions)


def _with_shape(original: Node, shape: Shape, old: Shape, producer: int) -> Node:
    """A placeholder of another shape; a default of the old one goes.

    In an old graph, only ``PlaceholderV2`` can state that it is a scalar: a ``Placeholder``'s shape would count as unknown.
    """
    if shape == old:
        return original
    op = "PlaceholderV2" if shape == () and producer < _REFUSED_SINCE else "Placeholder"
    value = AttrValue()
    value.shape.unknown_rank = shape is None
    for size in shape or ():
        value.shape.dim.add(size=-1 if size is None else size)
    dtype = {"dtype": original.attrs["dtype"]} if "dtype" in original.attrs else {}
    return make_node(original.name, op, (), {**dtype, "shape": value})


def _squeezing(original: Node, axes: AttrValue | None) -> Node:
    if axes is None:
        return original
    return make_node(original.name, original.op, original.inputs, {**original.attrs, "squeeze_dims": axes})


def _change_text(change: Change, batches: Batches) -> str:
    return f"{_sizes(change.old)} -> {_sizes(_after(element, batches) for element in change.value)}"


def _after(element: object, batches: Batches) -> object:
    if not batches.is_batch(element):
        return element
    return "?" if batches.new is None else batches.after(element) if isinstance(element, int) else element


def _sizes(elements: Iterable[object]) -> str:
    return f"({', '.join(map(str, elements))})"
