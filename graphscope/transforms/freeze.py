"""Freezes a model: replaces its variables with constants.

The order matters. Training switches are fixed and the branches that they close are pruned *before* variables become constants:
what is left of batch norm or dropout then has no training branch that could refer to a variable.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

from graphscope.advice import SAVED_MODEL, Advice, Option
from graphscope.core.checks.frames import refuse_mixed_frames
from graphscope.core.graph import Graph
from graphscope.core.model import Model
from graphscope.core.ops.history import Version
from graphscope.core.ops.sets import PLACEHOLDER_OPS, TABLE_USERS, VARIABLE_OPS
from graphscope.core.tensors import Shape, TensorSpec, node_of
from graphscope.core.values.fit import fit
from graphscope.core.values.payload import ArrayPayload, Payload
from graphscope.core.variables.roles import MOVING_AVERAGE
from graphscope.core.variables.variables import Variable
from graphscope.errors import GraphscopeError, IncompleteModelError
from graphscope.transforms.bake import bake, with_set_variables
from graphscope.transforms.batchnorm import fold_batch_norms
from graphscope.transforms.borrowed_kernels import Evaluate
from graphscope.transforms.changes import OpChange, op_changes
from graphscope.transforms.data_format import Converted, convert_data_format
from graphscope.transforms.findings.read_after_write import reads_after_write
from graphscope.transforms.findings.sources import refuse_emptied_stacks, refuse_python, refuse_sources
from graphscope.transforms.findings.state import carried_state, restarted
from graphscope.transforms.findings.switches import open_switches, stored_switches
from graphscope.transforms.float16 import store_as_float16
from graphscope.transforms.fold import fold
from graphscope.transforms.for_tensorflow import Backported, backport
from graphscope.transforms.identities import remove_pass_through
from graphscope.transforms.inlining import inline_calls
from graphscope.transforms.input_shapes import Batch, Reshaped, reshape_inputs, wanted_shapes
from graphscope.transforms.one_turn import one_turn
from graphscope.transforms.opening import Opened, ShapeOf, open_at
from graphscope.transforms.pipeline import Transform, transform, until_settled
from graphscope.transforms.prune import predicates, prune_branches
from graphscope.transforms.replicas import first_replica
from graphscope.transforms.subgraph import clear_placement, cut, prune_library
from graphscope.transforms.tables import BakedTables, bake_tables, initializers_of
from graphscope.transforms.variables_to_constants import freeze_variables

if TYPE_CHECKING:
    from numpy.typing import NDArray


@dataclass(frozen=True, slots=True)
class FreezeOptions:
    """Options of freezing.

    Attributes:
        outputs: node or tensor names to keep.
        inputs: node or tensor names to cut the graph open at; placeholders need not be named.
        values: placeholder -> value to bake in; variable -> value in place of the stored one.
        moving_averages: take ``<variable>/ExponentialMovingAverage`` where the checkpoint has it.
        fold: fold constants.
        batch_norms: fold batch norms into the convolutions before them.
        keep_devices: keep the device assignments of the graph.
        float16: store float32 weights in half precision.
        shapes: placeholder of the result -> its new shape.
        batch: the new batch size of every placeholder with a batch; see :data:`Batch`.
        tables: bake small lookup tables into the graph, and keep the initializers of the others.
        data_format: ``NHWC`` or ``NCHW``, the data format of the result; empty for the graph's own.
        for_tensorflow: the release to write the result for.
        evaluate: kernels for ops that the table of NumPy kernels lacks.
        shape_of: shapes of inputs without a stated shape.
    """

    outputs: Sequence[str]
    inputs: Sequence[str] = ()
    values: Mapping[str, NDArray[Any]] = field(default_factory=dict)
    moving_averages: bool = False
    fold: bool = True
    batch_norms: bool = False
    keep_devices: bool = False
    float16: bool = False
    shapes: Mapping[str, Shape] = field(default_factory=dict)
    batch: Batch = None
    tables: bool = False
    data_format: str = ""
    for_tensorflow: Version | None = None
    evaluate: Evaluate | None = None
    shape_of: ShapeOf | None = None


@dataclass(frozen=True, slots=True)
class FrozenGraph:
    """A frozen graph and the changes made to it.

    Attributes:
        graph: the result.
        changes: nodes by op, before and after.
        averaged: variables replaced with their moving averages, and these averages.
        carried: variables that the outputs read and that a run would change for the next one -> the node that writes them.
        open_switches: placeholders left that look like training switches -> the value that ``--set`` should give them.
        reshaped: what other shapes of the inputs changed.
        converted: what computes in another data format.
        backported: what became of ops and attributes that an older release lacks.
        stored_switches: variables, none of them in ``values``, that say whether the model trains -> the value for prediction.
        restarted: variables that the model's own start writes to after it was restored -> the node that writes them.
        originals: tensor of a placeholder that ``inputs`` made -> the model's tensor in whose place it is, where that has
            another name.
        tables: lookup table that is now part of the graph -> how many keys it has.
        initializers: nodes that must run before the outputs, because they initialize the remaining tables.
    """

    graph: Graph
    changes: tuple[OpChange, ...]
    averaged: Mapping[str, Payload]
    open_switches: Mapping[str, str]
    reshaped: Reshaped
    converted: Converted
    backported: Backported
    originals: Mapping[str, str] = field(default_factory=dict)
    carried: Mapping[str, str] = field(default_factory=dict)
    stored_switches: Mapping[str, str] = field(default_factory=dict)
    restarted: Mapping[str, str] = field(default_factory=dict)
    tables: Mapping[str, int] = field(default_factory=dict)
    initializers: tuple[str, ...] = ()


def freeze(model: Model, options: FreezeOptions) -> FrozenGraph:
    """Freezes ``model``; reads small weights only.

    Raises:
        UnknownNameError: an output, an input or a placeholder is not in the graph.
        IncompleteModelError: a variable that is needed has no value.
        GraphscopeError: a value does not fit its placeholder; a node writes to a variable; a lookup table is needed; the graph
            is invalid.
    """
    model.refuse_invalid()
    keep = _find_kept(model, options)
    values = StoredValues(model, options.moving_averages, options.values)
    tables, initializers = _without_tables(model, needed_part(model, options), options)
    if initializers:
        options = replace(options, outputs=[*options.outputs, *initializers])
        tables, _ = _without_tables(model, needed_part(model, options), options)
        keep = _find_kept(model, options)
    graph = tables.graph
    stored = {name: value for name, value in stored_switches(graph).items() if name not in values.given}
    carried = _find_carried(model, graph, options, {name: values(name) for name in stored})
    read = {node.name for op, node in zip(graph.ops, graph.nodes) if op in VARIABLE_OPS} - values.given.keys()
    overwritten = restarted(model.graph, model.starts(), read) if read else {}
    graph = transform(graph, _steps(options, keep, values)).graph
    _refuse_variables(graph)
    reshaped = reshape_inputs(graph, wanted_shapes(graph, options.shapes, options.batch), options.outputs)
    converted = _convert(reshaped.graph, options)
    backported = _backport(converted.graph, options.for_tensorflow)
    graph = backported.graph
    refuse_mixed_frames(graph)
    changes = tuple(op_changes(model.graph, graph))
    originals = open_inputs(model, options, model.graph).originals
    switches = open_switches(graph, new_inputs(model, graph))
    return FrozenGraph(
        graph,
        changes,
        dict(values.averaged),
        switches,
        reshaped,
        converted,
        backported,
        originals,
        carried,
        stored,
        overwritten,
        tables.keys,
        tuple(initializers),
    )


def _without_tables(model: Model, needed: Graph, options: FreezeOptions) -> tuple[BakedTables, list[str]]:
    """``needed`` without its small tables, and the nodes that fill the others; without ``tables``, any is refused."""
    if not tables_of(needed):
        return BakedTables(needed), []
    found = bake_tables(needed, inline_calls(model.graph), list(options.outputs))
    initializers = initializers_of(model.graph, found.left)
    can_carry = not found.left or bool(initializers)
    if not (options.tables and can_carry):
        refuse_tables(found.graph if options.tables else needed, can_carry)
    return found, initializers


def _convert(graph: Graph, options: FreezeOptions) -> Converted:
    if not options.data_format:
        return Converted(graph)
    return convert_data_format(graph, options.data_format, options.outputs)


def _backport(graph: Graph, version: Version | None) -> Backported:
    return Backported(graph) if version is None else backport(graph, version)


def _find_carried(
    model: Model, needed: Graph, options: FreezeOptions, switches: Mapping[str, Payload]
) -> dict[str, str]:
    """Variables whose state persists between runs; what ``switches``, variables, decide is decided by their values."""
    if VARIABLE_OPS.isdisjoint(needed.ops):
        return {}
    stored = {name: payload.numpy() for name, payload in switches.items()}
    options = replace(options, values={**options.values, **stored})
    trainable = {v.name for v in model.variables if v.trainable}
    whole = _opened(model, options)
    found = carried_state(whole, needed, options.outputs, trainable, lambda graph: decide(graph, options))
    decided = whole.descendants(open_switches(needed)) if found else {}
    # What an open switch decides belongs to training: the switch is reported instead.
    return {variable: writer for variable, writer in found.items() if writer not in decided}


def _steps(options: FreezeOptions, keep: Sequence[str], values: StoredValues) -> list[Transform]:
    """From the part that is needed to the result."""
    return [
        lambda graph: freeze_variables(graph, values),
        lambda graph: remove_pass_through(graph, keep),
        _settle(options, keep, {}),
        *_finishing(options),
    ]


def decide(graph: Graph, options: FreezeOptions) -> Graph:
    """``graph`` with its calls inlined and without branches that are not taken; nothing is cut off."""
    unfolded = replace(options, fold=False)
    return until_settled([inline_calls, lambda graph: prune_branches(graph, _decisions(graph, unfolded))])(graph)


def needed_part(model: Model, options: FreezeOptions) -> Graph:
    """What the outputs need: placeholders fixed, branches that this closes pruned, variables still variables.

    Raises:
        UnknownNameError: an output, an input or a placeholder is not in the graph.
        GraphscopeError: a value does not fit its placeholder; an output reads a variable after a write.
    """
    graph = _opened(model, options)
    late = dict(reads_after_write(graph))
    graph = with_set_variables(cut(graph, options.outputs), options.values)
    graph = _settle(options, _find_kept(model, options), late)(graph)
    refuse_sources(graph, model.path)
    refuse_python(graph, model.path)
    refuse_emptied_stacks(graph, model.path)
    _refuse_late_reads(graph, late)
    refuse_mixed_frames(graph)
    return graph


def _opened(model: Model, options: FreezeOptions) -> Graph:
    """The whole graph with placeholders fixed, cut open at its inputs, free of what programs for TPUs are wrapped in."""
    graph = first_replica(bake(model.graph, options.values), options.outputs)
    return one_turn(graph, open_inputs(model, options, graph).graph, options.outputs)


def open_inputs(model: Model, options: FreezeOptions, graph: Graph) -> Opened:
    """``graph`` with placeholders where ``options`` open it."""
    return open_at(graph, options.inputs, options.outputs, model.catalog, options.shape_of)


def new_inputs(model: Model, graph: Graph) -> list[str]:
    """Placeholders of ``graph`` that were none in ``model``: a person has cut it open there."""
    old = model.graph.by_name
    placeholders = (n.name for op, n in zip(graph.ops, graph.nodes) if op in PLACEHOLDER_OPS)
    return [name for name in placeholders if name not in old or old[name].op not in PLACEHOLDER_OPS]


def _declared_inputs(model: Model) -> list[str]:
    """The tensors that the author's signatures take, wherever in the graph: they can be fed in the result too."""
    declared = model.signatures.values()
    return [spec.name for signature in declared for specs in signature.inputs.values() for spec in specs]


def _find_kept(model: Model, options: FreezeOptions) -> list[str]:
    return [node_of(name) for name in [*options.outputs, *options.inputs, *_declared_inputs(model)]]


def _settle(options: FreezeOptions, keep: Sequence[str], late: dict[str, str]) -> Transform:
    """Inlines, folds, prunes, cuts until nothing changes; ``late`` collects the reads that a cut parts from writes before."""

    def noted(graph: Graph) -> Graph:
        late.update(reads_after_write(graph))
        return graph

    folding: list[Transform] = [lambda graph: fold(graph, keep=keep, evaluate=options.evaluate)] if options.fold else []
    return until_settled(
        [
            inline_calls,
            *folding,
            lambda graph: prune_branches(graph, _decisions(graph, options)),
            noted,
            lambda graph: cut(_with_all(graph, options.outputs), options.outputs),
        ]
    )


def _with_all(graph: Graph, outputs: Sequence[str]) -> Graph:
    """``graph``; an output that is gone was in a branch."""
    gone = [name for name in outputs if node_of(name) not in graph]
    if gone:
        raise GraphscopeError(
            f"{gone[0]} is in a branch that is never taken: a constant, or a value that was set, decides against it",
            hint=Advice(Option("outputs"), " can name what comes before or after the branch"),
        )
    return graph


def _decisions(graph: Graph, options: FreezeOptions) -> Graph:
    """Replaces known predicates of ``graph`` with constants, even if nothing else is folded."""
    names = predicates(graph)
    known = with_set_variables(graph, options.values, assuming=True) if names else graph
    if known is graph and (options.fold or not names):
        return graph
    return fold(cut(known, names), keep=names, evaluate=options.evaluate)


def _refuse_late_reads(graph: Graph, late: Mapping[str, str]) -> None:
    for reader, writer in late.items():
        if reader in graph:
            raise GraphscopeError(
                f"node {reader} reads a variable after node {writer} writes to it, whenever the outputs are computed",
                hint=Advice(
                    Option("set", "NAME=false"), " fixes a training switch; ", SAVED_MODEL, " keeps the variables"
                ),
            )


def _finishing(options: FreezeOptions) -> list[Transform]:
    """What is asked for besides constants, then what is left over goes."""
    outputs, kept = options.outputs, [*options.outputs, *options.inputs]
    norms: list[Transform] = [lambda graph: cut(fold_batch_norms(graph, keep=kept), outputs)]
    return [
        *(norms if options.batch_norms else []),
        *([store_as_float16] if options.float16 else []),
        lambda graph: clear_placement(graph, keep_devices=options.keep_devices),
        prune_library,
    ]


def _refuse_variables(graph: Graph) -> None:
    """A function may make a variable of its own, by a name that only the running program knows."""
    for function, body in graph.bodies:
        for op, found in zip(body.ops, body.nodes):
            if op in VARIABLE_OPS:
                raise GraphscopeError(
                    f"variable {found.name} is made inside the library function {function}: it has no saved value",
                    hint=Advice(SAVED_MODEL, "   keeps variables"),
                )


class StoredValues:
    """Gives variables their values; remembers which took their moving average.

    Args:
        given: node or tensor name -> value in place of the stored one; names of other nodes are left to others.

    Attributes:
        averaged: variables replaced with their moving averages, and these averages.
    """

    def __init__(self, model: Model, moving_averages: bool, given: Mapping[str, NDArray[Any]]) -> None:
        self.model = model
        self.variables = {v.name: v for v in model.variables if v.in_graph}
        self.moving_averages = moving_averages
        self.averaged: dict[str, Payload] = {}
        self.given = given_values(model, given)

    def __call__(self, name: str) -> Payload:
        """The value of the variable op ``name``. No I/O.

        Raises:
            IncompleteModelError: there is none, or it is of another type or shape.
        """
        if name in self.given:
            return self.given[name]
        variable = self.variables.get(name)
        store = self.model.store
        if self.moving_averages and store is not None and variable is not None:
            for key in (f"{name}/{MOVING_AVERAGE}", f"{variable.key}/{MOVING_AVERAGE}"):
                if key in store.entries:
                    averaged = variable._replace(key=key, entry=store.entries[key])
                    self.averaged[name] = self.model.fitting_value(averaged)
                    return self.averaged[name]
        if variable is None or variable.entry is None:
            raise self._missing(name, variable)
        return self.model.fitting_value(variable)

    def _missing(self, name: str, variable: Variable | None) -> IncompleteModelError:
        if self.model.store is None:
            return IncompleteModelError(
                f"{self.model.path}: no checkpoint, so no value for variable {name}",
                hint=Advice(Option("checkpoint", "PREFIX"), " names the checkpoint that belongs to this graph"),
            )
        role = f" ({variable.role.value})" if variable is not None else ""
        return self.model.missing_value(name, f"no value for variable {name}{role}, which the outputs need")


def given_values(model: Model, values: Mapping[str, NDArray[Any]]) -> dict[str, Payload]:
    """Variable -> its value, for those of ``values`` (node or tensor name -> value) that are variables of ``model``.

    Raises:
        GraphscopeError: type or shape do not fit.
    """
    named = {node_of(name): value for name, value in values.items()}
    variables = {v.name: v for v in model.variables if v.in_graph and v.name in named} if named else {}
    specs = {name: TensorSpec(name, v.dtype, v.shape) for name, v in variables.items()}
    return {name: ArrayPayload(fit(named[name], spec), spec.dtype) for name, spec in specs.items()}


def tables_of(graph: Graph) -> list[str]:
    """Nodes that make or read lookup tables, in the graph and in the functions that it calls."""
    bodies = (body for _, body in prune_library(graph).bodies)
    found = (n.name for body in bodies for op, n in zip(body.ops, body.nodes) if TABLE_USERS.fullmatch(op))
    return list(dict.fromkeys(found))


def refuse_tables(graph: Graph, can_carry: bool) -> None:
    """A GraphDef cannot carry the content of a lookup table, be it made in the graph or in a function that it calls.

    Args:
        can_carry: whether the option that bakes tables into the graph, or keeps their initializers, would help.

    Raises:
        GraphscopeError: the graph needs one.
    """
    tables = tables_of(graph)
    if tables:
        keeping = (SAVED_MODEL, " keeps tables and assets")
        raise GraphscopeError(
            f"the outputs need lookup tables, which a frozen graph cannot carry: {', '.join(tables[:5])}",
            hint=Advice(
                *((Option("tables", True), " bakes small ones into the graph; ") if can_carry else ()), *keeping
            ),
        )


def refuse_oversize(size: int) -> None:
    """TensorFlow cannot parse a GraphDef of 2 GiB and more.

    Raises:
        GraphscopeError: ``size`` is that large.
    """
    if size >= 1 << 31:
        raise GraphscopeError(
            f"the frozen graph would take {size:,} bytes; TensorFlow parses none of 2 GiB (2,147,483,648 bytes) or more",
            hint=Advice(SAVED_MODEL, "   keeps the weights in a checkpoint"),
        )
