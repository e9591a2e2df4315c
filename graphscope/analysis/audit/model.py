"""The audit of one model: every check in one table."""

from __future__ import annotations

from collections.abc import Callable, Iterator

from graphscope.analysis.audit.code import hidden_graphs, object_lambdas, unknown_ops
from graphscope.analysis.audit.denial import endless_functions, endless_loops, huge_tensors
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
from graphscope.core.ops.effects import OP_EFFECTS


def effects(model: Model, reached: Reached) -> Iterator[Finding]:
    """Nodes that do more than compute. What follows where their paths come from is imported only where there are any."""
    if any(op in OP_EFFECTS for _, body in model.graph.bodies for op in body.ops):
        from graphscope.analysis.audit.effects import effect_findings

        yield from effect_findings(model, reached)


CHECKS: tuple[Callable[[Model, Reached], Iterator[Finding]], ...] = (
    effects,
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
