"""Estimates the cost of a model: the main function of this package."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from typing import TypeVar

from graphscope.analysis.cost.devices import Device
from graphscope.analysis.cost.items import Item, items
from graphscope.analysis.cost.parts import Part, Parts, Weight
from graphscope.analysis.cost.peak import peak
from graphscope.analysis.cost.report import BranchRow, CostReport, LoopRow
from graphscope.analysis.cost.rows import figures, rows
from graphscope.analysis.scopes import parameters_of, weight_holders
from graphscope.analysis.shapes.concrete import Concrete
from graphscope.core.model import Model
from graphscope.core.tensors import node_of

T = TypeVar("T")


def estimate(
    model: Model,
    concrete: Concrete,
    outputs: Sequence[str],
    *,
    by: str = "scope",
    depth: int | None = None,
    device: Device | None = None,
) -> CostReport:
    """The cost of one run of ``outputs``, or of all nodes if there are none. Reads no weights.

    Args:
        concrete: the shapes of the model.
        by: the kind of row: ``scope``, ``op`` or ``node``.
        depth: of scopes: how many parts of their names make a row; ``None`` for one row a layer.
        device: for an estimate of time.

    Raises:
        UnknownNameError: an output is not in the graph.
    """
    flow = concrete.shapes.flow
    parts = Parts(model.catalog, weight_holders(model))
    ends = [flow.wiring.places[model.graph[node_of(name)].name] for name in outputs] if outputs else None
    root = parts.of_graph(flow, ends)
    found = list(items(root))
    sizes = _Sizes(model)
    most = peak(root)
    return CostReport(
        path=model.path,
        outputs=tuple(outputs),
        inputs=_select_used(concrete.inputs, found),
        batch=concrete.batch,
        is_batch_open=False,
        values=_select_used(concrete.values, found),
        by=by,
        rows=rows(found, by, depth, sizes, device),
        total=figures(found, sizes, device),
        peak_low_bytes=most.low_bytes,
        peak_high_bytes=most.high_bytes,
        peak_node=most.node,
        peak_unsized=most.unsized,
        peak_low_by_batch=None,
        peak_high_by_batch=None,
        without_formula=dict(Counter(i.entry.node.op for i in found if not i.entry.work.has_formula).most_common()),
        unsized=tuple(i.entry.node.name for i in found if i.entry.work.has_formula and i.entry.work.flops is None),
        loops=tuple(
            LoopRow(loop.name, loop.turns.count, loop.turns.is_known, loop.turns.is_limit)
            for part in _parts(found)
            for loop in part.loops
        ),
        branches=tuple(
            BranchRow(branch.name, branch.taken, branch.flops, branch.other_flops)
            for part in _parts(found)
            for branch in part.branches
        ),
        device=device,
    )


class _Sizes:
    """Elements and bytes of weights."""

    def __init__(self, model: Model) -> None:
        self._graph = model.graph

    def __call__(self, weight: Weight) -> tuple[int, int]:
        function, name = weight
        return parameters_of((self._graph.functions[function] if function else self._graph)[name])


def _select_used(named: Mapping[str, T], found: Iterable[Item]) -> dict[str, T]:
    """Those of ``named`` whose node runs."""
    names = {item.entry.node.name for item in found if not item.part.function}
    return {name: value for name, value in named.items() if node_of(name) in names}


def _parts(found: Iterable[Item]) -> list[Part]:
    return list({id(item.part): item.part for item in found}.values())
