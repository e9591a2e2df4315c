"""Tells transformations from edits: a model that was frozen or folded differs from itself in many nodes for one reason."""

from __future__ import annotations

from collections.abc import Iterable

from graphscope.analysis.diff.nodes import is_frozen
from graphscope.analysis.diff.report import Difference, Explanation
from graphscope.analysis.diff.sides import Matching
from graphscope.core.model import Model


def explain(
    a: Model, b: Model, matching: Matching, differences: Iterable[Difference]
) -> tuple[list[Difference], list[Explanation]]:
    """The differences that nothing explains, and what explains the others."""
    return list(differences), list(_frozen(matching))


def _frozen(matching: Matching) -> list[Explanation]:
    frozen = [a.name for a, b in matching.pairs() if b.op == "Const" and is_frozen(a, b)]
    thawed = [a.name for a, b in matching.pairs() if a.op == "Const" and is_frozen(b, a)]
    found = []
    if frozen:
        found.append(Explanation("frozen", f"{len(frozen):,} variables became constants", tuple(frozen), len(frozen)))
    if thawed:
        found.append(Explanation("unfrozen", f"{len(thawed):,} constants became variables", tuple(thawed), len(thawed)))
    return found
