"""Shape functions of TensorFlow's ops, one file for each subject; see :func:`find_rule`."""

from __future__ import annotations

import functools
import importlib

from graphscope.analysis.shapes.call import Rule
from graphscope.analysis.shapes.rows import register_rows
from graphscope.analysis.shapes.table import RULES

SUBJECTS = (
    "elementwise sources linear_algebra reshaping convolutions pooling reductions state filling shape_ops joining slicing"
    " normalizing control_flow gathering random records counting layers blocks lists media segments sparse"
    " diagonals"
).split()
"""The modules with rules, those of the most frequent ops first."""

register_rows()


def find_rule(op: str) -> Rule | None:
    """The rule of ``op``; ``None`` if there is none.

    The modules are imported one by one until one has it: most models need a third of them.
    """
    for subject in SUBJECTS if op not in RULES else ():
        _load(subject)
        if op in RULES:
            break
    return RULES.get(op)


@functools.cache
def _load(subject: str) -> None:
    importlib.import_module(f"{__name__}.{subject}")
