"""The part of a trained model before a cut, on which a new head is built."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

from graphscope.advice import Advice, Option
from graphscope.analysis.ends.choose_outputs import choose_outputs
from graphscope.analysis.ends.inputs import encoded_constants
from graphscope.core.changes.build import without_attrs
from graphscope.core.graph import Graph, Node
from graphscope.core.model import Model
from graphscope.core.ops.sets import DEFAULTED, PLACEHOLDER_OPS, VARIABLE_OPS
from graphscope.core.tensors import TensorSpec, node_of, shape_of
from graphscope.core.values.dtypes import DataType
from graphscope.core.values.payload import Payload
from graphscope.errors import GraphscopeError
from graphscope.feeding.feed_values import literal
from graphscope.feeding.one_at_a_time import demanded_string, takes_one
from graphscope.runtime.evaluate import TensorFlowKernels
from graphscope.runtime.shapes import shape_lookup
from graphscope.transforms.bake import placeholder_spec
from graphscope.transforms.findings.branches import deciding_switch
from graphscope.transforms.findings.read_after_write import writes
from graphscope.transforms.findings.switches import open_switches, stored_switches
from graphscope.transforms.freeze import FreezeOptions, StoredValues, freeze, needed_part, new_inputs, tables_of
from graphscope.transforms.opening import ShapeOf, placeholder
from graphscope.transforms.subgraph import clear_placement, cut, prune_library

if TYPE_CHECKING:
    from numpy.typing import NDArray


@dataclass(frozen=True, slots=True)
class Base:
    """The part of a model that the cut needs, ready to be extended.

    Attributes:
        path: of the model, for messages.
        graph: nodes that the tensors ``at`` need; variables are variables, devices are cleared.
        at: tensor names of the cut.
        values: variable op of ``graph`` -> its content. No I/O until it is read.
        fixed: training switch that was not set -> the value for inference that was used.
        nodes_before: how many nodes the model's graph has.
        notes: notes on the results.
        averaged: variables that were replaced with their moving averages.
    """

    path: str
    graph: Graph
    at: tuple[str, ...]
    values: Mapping[str, Payload]
    fixed: Mapping[str, str] = field(default_factory=dict)
    nodes_before: int = 0
    notes: tuple[str, ...] = ()
    averaged: tuple[str, ...] = ()

    @property
    def inputs(self) -> tuple[TensorSpec, ...]:
        """The placeholders that must be fed."""
        return tuple(
            demanded_string(self.graph, placeholder_spec(n)._replace(name=f"{n.name}:0"))
            for n in self.graph.nodes
            if n.op in PLACEHOLDER_OPS - {DEFAULTED}
        )

    @property
    def takes_one(self) -> bool:
        """Whether it computes one example at a time: its only input is the content of one file."""
        inputs = self.inputs
        return bool(inputs) and all(map(takes_one, inputs))


def open_base(
    model: Model,
    at: Sequence[str],
    *,
    inputs: Sequence[str] = (),
    values: Mapping[str, NDArray[Any]] | None = None,
    moving_averages: bool = False,
) -> Base:
    """Cuts ``model`` down to what the tensors ``at`` need. Reads small weights only; may start TensorFlow for shapes.

    Training switches that ``values`` does not set are set for inference. A graph without placeholders is opened where it
    decodes a constant: the bytes of a JPEG that its author left there. Variables of a SavedModel of objects (TensorFlow 2)
    become constants: its functions take them as arguments.

    Args:
        at: node or tensor names; if empty, the model's own output.
        inputs: node or tensor names to cut the graph open at.
        values: placeholder -> value to fix it to; variable -> value in place of the stored one.
        moving_averages: use each variable's moving average, if the checkpoint has one.

    Raises:
        UnknownNameError: a name is not in the graph.
        IncompleteModelError: the model has no graph, or a variable that is needed has no value.
        GraphscopeError: the cut needs lookup tables or writes to variables; a value does not fit its placeholder.
    """
    model.refuse_invalid()
    at = choose_outputs(model, at).outputs
    lookup = shape_lookup(model)
    options = FreezeOptions(
        outputs=at,
        inputs=inputs,
        values=values or {},
        moving_averages=moving_averages,
        fold=False,
        evaluate=TensorFlowKernels(model.graph.versions),
        shape_of=lookup,
    )
    graph = needed_part(model, options)
    notes = []
    encoded = [] if inputs or _has_placeholders(graph) else [node.name for node in encoded_constants(graph)]
    if encoded:
        options = replace(options, inputs=encoded)
        graph = needed_part(model, options)
        notes.append(f"{', '.join(encoded)} used as the input: a constant that the graph decodes")
    fixed = dict(_switches(graph, new_inputs(model, graph), values or {}))
    if fixed:
        options = replace(options, values={**options.values, **_literals(graph, fixed)})
        graph = needed_part(model, options)
    _refuse_tables(graph)
    if model.meta.HasField("object_graph_def") and not VARIABLE_OPS.isdisjoint(graph.ops):
        graph = freeze(model, options).graph
        notes.append(
            "variables of a TensorFlow 2 SavedModel become constants, because its functions are called with them"
        )
    opened = [*new_inputs(model, graph), *_data_defaults(graph)]
    graph = prune_library(clear_placement(_with_plain_inputs(graph, opened, at, lookup)))
    _refuse_writes(graph)
    for name in at:
        _refuse_in_branch(graph, name)
    stored = StoredValues(model, moving_averages, options.values)
    found = {n.name: stored(n.name) for n in graph if n.op in VARIABLE_OPS}
    return Base(model.path, graph, tuple(at), found, fixed, len(model.graph), tuple(notes), tuple(stored.averaged))


def _has_placeholders(graph: Graph) -> bool:
    return not PLACEHOLDER_OPS.isdisjoint(graph.ops)


def _data_defaults(graph: Graph) -> list[str]:
    """Placeholders with a default that take data: their shape is more than a scalar's, or nothing else takes any.

    One whose default is computed of what is fed is a place where features may be fed (``BottleneckInputPlaceholder``), no
    input: the way to it starts at a placeholder below.
    """
    below = graph.descendants([n.name for n in graph.nodes if n.op in PLACEHOLDER_OPS - {DEFAULTED}])
    defaulted = [n for n in graph.nodes if n.op == DEFAULTED and n.name not in below]
    shaped = [n.name for n in defaulted if placeholder_spec(n).shape]
    has_others = bool(shaped) or not {"Placeholder", "PlaceholderV2"}.isdisjoint(graph.ops)
    return shaped if has_others else [n.name for n in defaulted]


def _switches(graph: Graph, opened: Sequence[str], values: Collection[str]) -> Iterator[tuple[str, str]]:
    """Remaining scalar placeholders, and variables without one of ``values``, that look like training switches.

    Each with its value for inference.
    """
    given = set(map(node_of, values))
    for name, value in {**open_switches(graph, opened), **stored_switches(graph)}.items():
        if not placeholder_spec(graph[name]).shape and name not in given:
            yield name, value


def _literals(graph: Graph, texts: Mapping[str, str]) -> dict[str, NDArray[Any]]:
    return {name: literal(text, placeholder_spec(graph[name])._replace(shape=())) for name, text in texts.items()}


def _with_plain_inputs(graph: Graph, names: Iterable[str], at: Sequence[str], lookup: ShapeOf) -> Graph:
    """Where the graph was cut open, a placeholder without default and of a known shape, as far as it is known."""
    opened = {node_of(name) for name in names if node_of(name) in graph}
    if not opened:
        return graph
    return cut(graph.with_nodes(_plain(n, lookup) if n.name in opened else drop_shapes(n) for n in graph.nodes), at)


def _plain(original: Node, lookup: ShapeOf) -> Node:
    spec = placeholder_spec(original)
    if spec.dtype is DataType.STRING and shape_of(original.proto.attr["shape"].shape) == ():
        return placeholder(original.name, spec._replace(shape=()))
    shape = spec.shape or lookup(f"{original.name}:0")
    return placeholder(original.name, spec._replace(shape=(None, *shape[1:]) if shape else None))


def _refuse_tables(graph: Graph) -> None:
    """What fills a table is no part of the cut."""
    tables = tables_of(graph)
    if tables:
        raise GraphscopeError(
            f"the cut needs lookup tables: {', '.join(tables[:3])}",
            hint=Advice("cut the graph open after them: ", Option("inputs", "NAME")),
        )


_STATED = "_output_shapes"


def _refuse_in_branch(graph: Graph, name: str) -> None:
    """Refuses a tensor in a branch, which may have no value."""
    switch = deciding_switch(graph, name)
    if switch is not None:
        raise GraphscopeError(
            f"{name} lies in a branch that may not be taken: it depends on node {switch.name} ({switch.op})",
            hint="cut before or after the branch",
        )


def _refuse_writes(graph: Graph) -> None:
    for found in graph:
        if writes(found.op):
            raise GraphscopeError(
                f"node {found.name} ({found.op}) writes to {node_of(found.inputs[0])} whenever the cut is computed",
                hint=Advice(
                    Option("set", "NAME=false"),
                    " fixes a training switch; ",
                    Option("inputs", "NAME"),
                    " cuts the graph open behind it",
                ),
            )


def drop_shapes(original: Node) -> Node:
    """``original`` without the shapes that a file states of what follows another input: TensorFlow would believe them."""
    return without_attrs(original, (_STATED,)) if _STATED in original.attrs else original
