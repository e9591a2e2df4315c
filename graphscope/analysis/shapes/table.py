"""The table of rules: op name -> the function that gives the outputs of a node."""

from __future__ import annotations

import functools
from collections.abc import Callable, Mapping

from graphscope.analysis.shapes.call import Rule

_RULES: dict[str, Rule] = {}


def rule(*ops: str) -> Callable[[Rule], Rule]:
    """Registers a function as the rule of ``ops``; each may hold several names, separated by spaces."""

    def register(function: Rule) -> Rule:
        _RULES.update(dict.fromkeys(" ".join(ops).split(), function))
        return function

    return register


@functools.cache
def rules() -> Mapping[str, Rule]:
    """Op name -> rule, of all ops that have one. The first call imports the modules below ``rules/``."""
    import graphscope.analysis.shapes.rules  # noqa: F401 - registers them
    from graphscope.analysis.shapes.rows import row_rules

    return {**row_rules(), **_RULES}
