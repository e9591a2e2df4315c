"""Shape functions of TensorFlow's ops, one file for each subject. Importing this package registers them."""

from graphscope.analysis.shapes.rules import (
    control_flow,
    elementwise,
    layers,
    linear_algebra,
    lists,
    media,
    random,
    records,
    reductions,
    reshaping,
    slicing,
    sources,
    sparse,
    state,
    windows,
)

__all__ = [
    "control_flow",
    "elementwise",
    "layers",
    "linear_algebra",
    "lists",
    "media",
    "random",
    "records",
    "reductions",
    "reshaping",
    "slicing",
    "sources",
    "sparse",
    "state",
    "windows",
]
