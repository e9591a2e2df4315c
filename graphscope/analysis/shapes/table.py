"""The table of rules: op name -> the function that gives the outputs of a node."""

from __future__ import annotations

from collections.abc import Callable

from graphscope.analysis.shapes.call import Rule

RULES: dict[str, Rule] = {}
"""Op name -> rule, of the rows, and of the modules below ``rules/`` that have been imported."""


def rule(*ops: str) -> Callable[[Rule], Rule]:
    """Registers a function as the rule of ``ops``; each may hold several names, separated by spaces.

    An op has one rule: which one would count depended on the order of imports.
    """
    names = " ".join(ops).split()

    def register(function: Rule) -> Rule:
        assert RULES.keys().isdisjoint(names), names
        RULES.update(dict.fromkeys(names, function))
        return function

    return register
