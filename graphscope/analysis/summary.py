"""``info``: a summary of a model."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from itertools import chain

from graphscope.analysis.audit.finding import Severity
from graphscope.analysis.audit.model import audit_model
from graphscope.analysis.ends.inputs import InputRow, find_inputs
from graphscope.analysis.ends.outputs import OutputCandidate, best_candidates, rank_outputs
from graphscope.core.checks.validity import Problem
from graphscope.core.graph import Graph
from graphscope.core.model import Model, ModelFile, ModelKind
from graphscope.core.ops.sets import TABLES, VARIABLE_OPS
from graphscope.core.ops.table import registered_ops
from graphscope.core.shown import html_of
from graphscope.core.signatures import BOOKKEEPING, Signature
from graphscope.core.values.dtypes import DataType, is_weight_type
from graphscope.core.variables.variables import Role
from graphscope.named_tuple import NamedTuple


class Amount(NamedTuple):
    """How many tensors, elements and bytes (in memory) there are of something, and the elements by type."""

    tensors: int
    elements: int
    size_bytes: int
    by_dtype: Mapping[str, int]


class CollectionRow(NamedTuple):
    """A collection's name, what it holds and how many."""

    name: str
    kind: str
    items: int


class TableRow(NamedTuple):
    """A lookup table: its node, its op, and the asset that fills it where the graph says so."""

    name: str
    op: str


class SwitchRow(NamedTuple):
    """An input that switches a graph between training and inference.

    Attributes:
        node: its name.
        value: for inference, in command-line syntax.
        reason: its function or its name.
    """

    node: str
    value: str
    reason: str


class GraphSummary(NamedTuple):
    """The information in the graph alone.

    Attributes:
        nodes, functions, function_nodes: counts.
        ops: op name -> number of nodes in the graph itself, most frequent first.
        producer, min_consumer: versions as stated.
        devices: device string -> number of nodes, for nodes that ask for one.
        unregistered: op -> number of nodes (library functions included) that TensorFlow 2.21 does not register.
        tables: lookup tables.
        inputs: the inputs to feed.
        outputs: likely outputs, best first, at most :data:`MAX_OUTPUTS`.
        switches: inputs that say whether the graph trains.
    """

    nodes: int
    functions: int
    function_nodes: int
    ops: Mapping[str, int]
    producer: int
    min_consumer: int
    devices: Mapping[str, int]
    unregistered: Mapping[str, int]
    tables: tuple[TableRow, ...]
    inputs: tuple[InputRow, ...]
    outputs: tuple[OutputCandidate, ...]
    switches: tuple[SwitchRow, ...] = ()


class Summary(NamedTuple):
    """The complete output of ``info``.

    Attributes:
        path, kind, encoding: of the model; ``kind`` as text.
        checkpoint_version: ``V1``, ``V2`` or empty.
        shards: number of data files that the checkpoint has.
        files: every file, missing ones included.
        tensorflow_version: that wrote the meta graph; empty if nothing says so.
        tags: of the chosen meta graph; ``tag_sets`` of all.
        graph: ``None`` for a checkpoint without one.
        parameters: the model's own variables, or a frozen graph's floating and quantized constants of rank 1 and up.
        slots, moving_averages, others: variables that training keeps beside them; others are steps and local ones.
        signatures: without TensorFlow's own bookkeeping.
        collections: by name.
        missing: variables of the graph whose value the checkpoint lacks, optimizer slots left out.
        extra: checkpoint keys that no variable of the graph takes.
        mismatched: variables whose value has another type or shape, each as a sentence.
        problems: what makes the graph invalid.
        dangers: what an audit finds that is of high severity, each as a sentence.
        notes: how the files were found.
    """

    path: str
    kind: str
    encoding: str
    checkpoint_version: str
    shards: int
    files: tuple[ModelFile, ...]
    tensorflow_version: str
    tags: tuple[str, ...]
    tag_sets: tuple[tuple[str, ...], ...]
    graph: GraphSummary | None
    parameters: Amount
    slots: Amount
    moving_averages: Amount
    others: Amount
    signatures: tuple[Signature, ...]
    collections: tuple[CollectionRow, ...]
    missing: tuple[str, ...]
    extra: tuple[str, ...]
    notes: tuple[str, ...]
    mismatched: tuple[str, ...] = ()
    problems: tuple[Problem, ...] = ()
    dangers: tuple[str, ...] = ()

    def _repr_html_(self) -> str:
        return html_of(self)

    def __repr__(self) -> str:
        return f"<Summary {self.path!r}: {self.kind}, {self.parameters.elements:,} parameters>"


def summarize(model: Model) -> Summary:
    """The summary of ``model``. Reads no weights, only the constants that hold checkpoint keys.

    Raises:
        CorruptFileError: such a constant cannot be read.
    """
    meta = model.meta.meta_info_def
    amounts = {role: _variables_of(model, role) for role in Role}
    has_variables = any(v.in_graph for v in model.variables) or not model.has_graph
    return Summary(
        path=model.path,
        kind=kind_text(model),
        encoding=model.encoding,
        checkpoint_version=model.store_version,
        shards=sum(f.role == "data" for f in model.files),
        files=model.files,
        tensorflow_version=meta.tensorflow_version,
        tags=tuple(sorted(meta.tags)),
        tag_sets=tuple(tuple(sorted(t)) for t in model.tag_sets),
        graph=_graph(model) if model.has_graph else None,
        parameters=amounts[Role.MODEL] if has_variables else _constants(model.graph),
        slots=amounts[Role.SLOT],
        moving_averages=amounts[Role.MOVING_AVERAGE],
        others=_variables_of(model, Role.STEP, Role.LOCAL),
        signatures=tuple(s for s in model.signatures.values() if s.name not in BOOKKEEPING),
        collections=tuple(CollectionRow(c.name, c.kind, len(c.values)) for c in model.collections.values()),
        missing=_missing(model),
        extra=tuple(v.key or v.name for v in model.variables if not v.in_graph) if model.has_graph else (),
        mismatched=tuple(f"{v.name} is {v.declared}, the value {v.mismatch}" for v in model.variables if v.mismatch),
        problems=tuple(model.problems) if model.has_graph else (),
        dangers=tuple(map(str, audit_model(model, Severity.HIGH))),
        notes=model.notes,
    )


def _missing(model: Model) -> tuple[str, ...]:
    """Variables without a value; missing optimizer slots are recreated when training continues."""
    if model.store is None:
        return ()
    return tuple(v.name for v in model.variables if v.is_missing and v.role is not Role.SLOT)


def kind_text(model: Model) -> str:
    """``frozen graph`` for a graph without variables, otherwise the kind's own name."""
    if model.kind is not ModelKind.GRAPH:
        return str(model.kind.value)
    has_variables = any(not VARIABLE_OPS.isdisjoint(body.ops) for _, body in model.graph.bodies)
    return "graph with variables, no values" if has_variables else "frozen graph"


def _graph(model: Model) -> GraphSummary:
    graph = model.graph
    ops = Counter(graph.ops)
    everywhere = Counter(chain.from_iterable(body.ops for _, body in graph.bodies))
    inputs, outputs = _ends(model)
    table_ops = {op for op in ops if TABLES.fullmatch(op)}
    unknown = {op: n for op, n in everywhere.most_common() if op not in registered_ops() and op not in graph.functions}
    return GraphSummary(
        nodes=len(graph),
        functions=len(graph.functions),
        function_nodes=sum(everywhere.values()) - len(graph),
        ops=dict(ops.most_common()),
        producer=graph.producer,
        min_consumer=graph.versions.min_consumer,
        devices=dict(Counter(filter(None, [node.proto.device for node in graph])).most_common()),
        unregistered=unknown,
        tables=tuple(TableRow(node.name, op) for op, node in zip(graph.ops, graph.nodes) if op in table_ops),
        inputs=inputs,
        outputs=outputs,
    )


def _ends(model: Model) -> tuple[tuple[InputRow, ...], tuple[OutputCandidate, ...]]:
    """Inputs and likely outputs; shapes that the file does not state are inferred, if there are any."""
    inputs, outputs = find_inputs(model), best_candidates(rank_outputs(model))
    if None not in [*(row.shape for row in inputs), *(row.shape for row in outputs)]:
        return tuple(inputs), tuple(outputs)
    from graphscope.analysis.shapes import infer

    shape = infer(model).shape
    return (
        tuple(r._replace(shape=shape(r.tensor)) if r.shape is None else r for r in inputs),
        tuple(r._replace(shape=shape(r.tensor)) if r.shape is None else r for r in outputs),
    )


def _variables_of(model: Model, *roles: Role) -> Amount:
    chosen = [v for v in model.variables if v.role in roles]
    return amount_of((v.dtype, v.elements or 0, v.size_bytes or 0) for v in chosen)


def _constants(graph: Graph) -> Amount:
    """Weights of a frozen graph: floating and quantized constants that are no scalars, in functions too."""
    bodies = (zip(body.ops, body.nodes) for _, body in graph.bodies)
    tensors = [node.tensor() for op, node in chain.from_iterable(bodies) if op == "Const"]
    return amount_of(
        (t.dtype, t.elements, t.nbytes or 0) for t in tensors if t is not None and t.shape and is_weight_type(t.dtype)
    )


def amount_of(parts: Iterable[tuple[DataType, int, int]]) -> Amount:
    """The sum of tensors, each given by its type, its elements and its bytes."""
    tensors = total = size = 0
    by_dtype: Counter[str] = Counter()
    for dtype, count, nbytes in parts:
        tensors += 1
        total += count
        size += nbytes
        by_dtype[dtype.label] += count
    return Amount(tensors, total, size, dict(by_dtype.most_common()))
