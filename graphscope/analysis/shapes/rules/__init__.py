"""Shape functions of TensorFlow's ops, one file for each subject. Importing this package registers them."""

from __future__ import annotations

import functools
from collections.abc import Mapping

from graphscope.analysis.shapes.call import Rule
from graphscope.analysis.shapes.rows import row_rules
from graphscope.analysis.shapes.rules import (
    blocks,
    control_flow,
    convolutions,
    counting,
    elementwise,
    filling,
    gathering,
    joining,
    layers,
    linear_algebra,
    lists,
    media,
    normalizing,
    pooling,
    random,
    records,
    reductions,
    reshaping,
    segments,
    shape_ops,
    slicing,
    sources,
    sparse,
    state,
)
from graphscope.analysis.shapes.table import RULES

__all__ = [
    "blocks",
    "control_flow",
    "convolutions",
    "counting",
    "elementwise",
    "filling",
    "gathering",
    "joining",
    "layers",
    "linear_algebra",
    "lists",
    "media",
    "normalizing",
    "pooling",
    "random",
    "records",
    "reductions",
    "reshaping",
    "rules",
    "segments",
    "shape_ops",
    "slicing",
    "sources",
    "sparse",
    "state",
]


@functools.cache
def rules() -> Mapping[str, Rule]:
    """Op name -> rule, of all ops that have one."""
    return {**row_rules(), **RULES}
