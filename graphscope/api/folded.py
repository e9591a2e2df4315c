"""Judges constants that a model has in place of what another computes: whether folding gives these values."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace

from graphscope.analysis.diff.explain import FOLDED, folded_nodes
from graphscope.analysis.diff.report import Difference, DiffReport, Explanation, Section
from graphscope.analysis.diff.weights import Depth, Pair, compare_weights
from graphscope.core.model import Model
from graphscope.core.values.dtypes import DataType
from graphscope.core.values.payload import Payload
from graphscope.errors import GraphscopeError

_ROUNDINGS = 16
"""So many roundings of the largest value may other kernels differ by."""


def with_judged_constants(report: DiffReport, a: Model, b: Model, depth: Depth) -> DiffReport:
    """``report`` with a difference for each constant that folding does not explain, because it gives another value.

    What folding does not compute without TensorFlow, or without the values of inputs, stays explained.

    Raises:
        CorruptFileError, IncompleteModelError: a value cannot be read.
    """
    names = [name for explanation in report.explanations if explanation.kind == FOLDED for name in explanation.names]
    if not names or depth is Depth.NONE:
        return report
    wrong = list(_wrong(report, names, a, b, depth))
    if not wrong:
        return report
    order = list(Section)
    differences = sorted([*report.differences, *wrong], key=lambda difference: order.index(difference.section))
    gone = {difference.name for difference in wrong}
    kept = (left for explanation in report.explanations for left in _without(explanation, gone))
    return replace(report, differences=tuple(differences), explanations=tuple(kept))


def _wrong(report: DiffReport, names: Sequence[str], a: Model, b: Model, depth: Depth) -> Iterator[Difference]:
    for name, value in _folded(a, names).items():
        other = report.partners[name]
        stored = b.graph[other].tensor()
        if stored is not None:
            for difference in compare_weights([_pair(name, other, value, stored)], depth):
                if not _is_rounding(difference, value):
                    yield difference


def _pair(name: str, other: str, value: Payload, stored: Payload) -> Pair:
    return Pair(name, other if other != name else "", "", lambda: value, lambda: stored)


def _folded(model: Model, names: Sequence[str]) -> dict[str, Payload]:
    """Node -> its value, for those whose value follows from constants and weights alone."""
    from graphscope.transforms.freeze import FreezeOptions, freeze

    try:
        graph = freeze(model, FreezeOptions(names)).graph
    except GraphscopeError:  # nothing that could be frozen: the nodes are in a loop, or need a table
        return {}
    tensors = {name: graph[name].tensor() for name in names if name in graph and graph[name].op == "Const"}
    return {name: tensor for name, tensor in tensors.items() if tensor is not None}


def _is_rounding(difference: Difference, value: Payload) -> bool:
    import numpy as np

    weight = difference.weight
    if weight is None or weight.max_abs is None or weight.not_finite or not value.dtype.is_floating:
        return False
    if value.dtype not in (DataType.HALF, DataType.FLOAT, DataType.DOUBLE):
        return False
    largest = float(np.abs(value.numpy()).max(initial=0.0))
    return weight.max_abs <= _ROUNDINGS * float(np.finfo(value.dtype.numpy).eps) * largest


def _without(explanation: Explanation, gone: set[str]) -> Iterator[Explanation]:
    """``explanation``, if it is about folding without some nodes."""
    if explanation.kind == FOLDED:
        yield from folded_nodes([name for name in explanation.names if name not in gone])
    else:
        yield explanation
