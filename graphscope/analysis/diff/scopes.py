"""Renamed nodes, grouped by scope: ``a/ -> b/, 312 nodes`` instead of 312 lines."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable

from graphscope.analysis.diff.report import Change, Difference, Explanation, Section

_FEW = 2
"""Scopes with fewer renamed nodes are reported node by node."""


def split_common_end(name: str, other: str) -> tuple[str, str]:
    """What is left of two names without the parts that they end in alike: ``("a", "b")`` of ``a/x/y`` and ``b/x/y``."""
    if name.rpartition("/")[2] != other.rpartition("/")[2]:
        return name, other
    parts, other_parts = name.split("/"), other.split("/")
    while parts and other_parts and parts[-1] == other_parts[-1]:
        parts.pop()
        other_parts.pop()
    return "/".join(parts), "/".join(other_parts)


def rename_differences(
    pairs: Iterable[tuple[str, str]], function: str = ""
) -> tuple[list[Difference], list[Explanation]]:
    """Names that differ, as differences of single nodes and as scopes that were renamed as a whole."""
    groups: defaultdict[tuple[str, str], list[tuple[str, str]]] = defaultdict(list)
    for name, other in pairs:
        if name != other:
            groups[split_common_end(name, other)].append((name, other))
    differences: list[Difference] = []
    explanations: list[Explanation] = []
    for (scope, other_scope), renamed in groups.items():
        if len(renamed) < _FEW:
            differences += [_describe_renamed(name, other, function) for name, other in renamed]
        else:
            text = f"scope {scope}/ -> {other_scope}/, {len(renamed):,} nodes"
            explanations.append(Explanation("scope renamed", text, tuple(n for n, _ in renamed), len(renamed)))
    return differences, explanations


def _describe_renamed(name: str, other: str, function: str) -> Difference:
    return Difference(Section.NAMES, Change.RENAMED, name, f"{name} -> {other}", other, function)
