"""All rules of shape inference."""

from __future__ import annotations

from collections.abc import Mapping

from graphscope.analysis.shapes.call import Rule
from graphscope.analysis.shapes.rules import find_rule
from graphscope.analysis.shapes.table import RULES


def every_rule() -> Mapping[str, Rule]:
    """Op name -> rule, once every module has been imported: none has a rule for no op."""
    assert find_rule("") is None
    return RULES
