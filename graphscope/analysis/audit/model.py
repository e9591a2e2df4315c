"""The audit of one model: every check in one table."""

from __future__ import annotations

from collections.abc import Callable, Iterator

from graphscope.analysis.audit.code import hidden_graphs, object_lambdas, unknown_ops
from graphscope.analysis.audit.denial import endless_functions, endless_loops, huge_tensors
from graphscope.analysis.audit.effects import effect_findings
from graphscope.analysis.audit.finding import Finding
from graphscope.analysis.audit.names import (
    asset_names,
    duplicate_names,
    hidden_characters,
    remote_devices,
    shadowed_ops,
)
from graphscope.analysis.audit.reach import Reached
from graphscope.core.model import Model

CHECKS: tuple[Callable[[Model, Reached], Iterator[Finding]], ...] = (
    effect_findings,
    unknown_ops,
    hidden_graphs,
    object_lambdas,
    huge_tensors,
    endless_functions,
    endless_loops,
    asset_names,
    duplicate_names,
    hidden_characters,
    shadowed_ops,
    remote_devices,
)


def audit_model(model: Model) -> tuple[Finding, ...]:
    """Audits ``model``: findings, worst first. Linear in its size; reads no weights.

    A checkpoint without a graph has nothing to run and gives no finding.
    """
    if not model.has_graph:
        return ()
    reached = Reached(model)
    found = [finding for check in CHECKS for finding in check(model, reached)]
    placed = (finding._replace(path=model.path) for finding in dict.fromkeys(found))
    return tuple(sorted(placed, key=lambda finding: -finding.severity))
