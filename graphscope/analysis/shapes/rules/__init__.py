"""Shape functions of TensorFlow's ops, one file for each subject. Importing this package registers them."""

from graphscope.analysis.shapes.rules import (
    control_flow,
    elementwise,
    linear_algebra,
    lists,
    random,
    reductions,
    reshaping,
    slicing,
    sources,
    state,
    windows,
)

__all__ = [
    "control_flow",
    "elementwise",
    "linear_algebra",
    "lists",
    "random",
    "reductions",
    "reshaping",
    "slicing",
    "sources",
    "state",
    "windows",
]
