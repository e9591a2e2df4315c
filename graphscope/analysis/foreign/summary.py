"""``info`` for a model of another runtime."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from graphscope.analysis.foreign.weights import is_weight
from graphscope.analysis.summary import Amount, amount_of
from graphscope.core.foreign import ForeignGraph, ForeignModel, ForeignSignature, ForeignTensor
from graphscope.core.model import ModelFile


@dataclass(frozen=True, slots=True)
class BodyRow:
    """A graph beside the one that runs: a function, a body of a node, a further subgraph."""

    name: str
    nodes: int


@dataclass(frozen=True, slots=True)
class ForeignSummary:
    """Everything that ``info`` shows of a model of another runtime.

    Attributes:
        path, kind, files, producer, versions, signatures, description, metadata, notes: as in
            :class:`graphscope.core.foreign.ForeignModel`.
        inputs, outputs: of the graph that runs.
        nodes: how many it has.
        ops: op -> number of nodes in the graph that runs, most frequent first.
        bodies: the other graphs.
        tensors: the number that the main graph declares.
        parameters: floating and quantized constants that are no scalars, in all graphs.
        constants: all constants of all graphs.
    """

    path: str
    kind: str
    files: tuple[ModelFile, ...]
    producer: str
    versions: Mapping[str, int | str]
    inputs: tuple[ForeignTensor, ...]
    outputs: tuple[ForeignTensor, ...]
    nodes: int
    ops: Mapping[str, int]
    bodies: tuple[BodyRow, ...]
    tensors: int
    parameters: Amount
    constants: Amount
    signatures: tuple[ForeignSignature, ...]
    description: str
    metadata: Mapping[str, str]
    notes: tuple[str, ...]


def summarize_foreign(model: ForeignModel) -> ForeignSummary:
    """The summary of ``model``. Reads no weights."""
    graph = model.graph
    graphs = [each for _, each in model.graphs]
    return ForeignSummary(
        path=model.path,
        kind=model.kind,
        files=model.files,
        producer=model.producer,
        versions=model.versions,
        inputs=graph.inputs,
        outputs=graph.outputs,
        nodes=len(graph),
        ops=dict(Counter(node.op for node in graph).most_common()),
        bodies=tuple(BodyRow(name, len(body)) for name, body in model.bodies.items()),
        tensors=len({*graph.tensors, *graph.producers}),
        parameters=_amount(graphs, weights_only=True),
        constants=_amount(graphs, weights_only=False),
        signatures=model.signatures,
        description=model.description,
        metadata=model.metadata,
        notes=model.notes,
    )


def _amount(graphs: Iterable[ForeignGraph], *, weights_only: bool) -> Amount:
    constants = ((graph.tensor(name), c) for graph in graphs for name, c in graph.constants.items())
    chosen = (c for tensor, c in constants if not weights_only or is_weight(tensor, c))
    return amount_of((c.dtype, c.elements, c.nbytes or 0) for c in chosen)
