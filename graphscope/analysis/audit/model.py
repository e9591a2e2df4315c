"""The audit of one model: every check in one table."""

from __future__ import annotations

from collections.abc import Callable, Iterator

from graphscope.analysis.audit.code import hidden_graphs, object_lambdas, unknown_ops
from graphscope.analysis.audit.denial import endless_functions, endless_loops, huge_tensors
from graphscope.analysis.audit.finding import Finding, Severity
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
from graphscope.named_tuple import NamedTuple


def effects(model: Model, reached: Reached) -> Iterator[Finding]:
    """Nodes that do more than compute. What follows where their paths come from is imported only where there are any."""
    if any(op in OP_EFFECTS for _, body in model.graph.bodies for op in body.ops):
        from graphscope.analysis.audit.effects import effect_findings

        yield from effect_findings(model, reached)


class Check(NamedTuple):
    """A check, and the highest severity of what it finds."""

    find: Callable[[Model, Reached], Iterator[Finding]]
    worst: Severity


CHECKS = (
    Check(effects, Severity.HIGH),
    Check(unknown_ops, Severity.MEDIUM),
    Check(hidden_graphs, Severity.HIGH),
    Check(object_lambdas, Severity.HIGH),
    Check(huge_tensors, Severity.HIGH),
    Check(endless_functions, Severity.HIGH),
    Check(endless_loops, Severity.MEDIUM),
    Check(asset_names, Severity.HIGH),
    Check(duplicate_names, Severity.MEDIUM),
    Check(hidden_characters, Severity.HIGH),
    Check(shadowed_ops, Severity.MEDIUM),
    Check(remote_devices, Severity.INFO),
)


def audit_model(model: Model, least: Severity = Severity.INFO) -> tuple[Finding, ...]:
    """Audits ``model``: findings, worst first. Linear in its size; reads no weights.

    A checkpoint without a graph has nothing to run and gives no finding.

    Args:
        least: the lowest severity to look for.
    """
    if not model.has_graph:
        return ()
    reached = Reached(model)
    found = [finding for check in CHECKS if check.worst >= least for finding in check.find(model, reached)]
    placed = (finding._replace(path=model.path) for finding in dict.fromkeys(found) if finding.severity >= least)
    return tuple(sorted(placed, key=lambda finding: -finding.severity))
