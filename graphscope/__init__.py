"""graphscope: what is in a TensorFlow graph file, on a machine where TensorFlow may not even be installed.

::

    import graphscope

    model = graphscope.load("fixtures/lenet5")
    for node in model.graph:
        print(node.name, node.op, list(node.inputs))
    for variable in model.variables:
        print(variable.name, variable.dtype.label, variable.shape)
    weights = model.value(model.variable("conv1/weights")).numpy()
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from graphscope.core.graph import Function, Graph, Node
    from graphscope.core.model import Model
    from graphscope.core.variables import Variable
    from graphscope.errors import GraphscopeError
    from graphscope.formats import load, save
    from graphscope.training.graft.graft import graft

__all__ = ["Function", "Graph", "GraphscopeError", "Model", "Node", "Variable", "__version__", "graft", "load", "save"]
__version__ = "0.2.0.dev0"
DISTRIBUTION = "tf-graphscope"
"""Its name on PyPI, where ``graphscope`` is another project."""

_HOMES = {
    "Function": "graphscope.core.graph",
    "Graph": "graphscope.core.graph",
    "GraphscopeError": "graphscope.errors",
    "Model": "graphscope.core.model",
    "Node": "graphscope.core.graph",
    "Variable": "graphscope.core.variables",
    "graft": "graphscope.training.graft.graft",
    "load": "graphscope.formats",
    "save": "graphscope.formats",
}


def __getattr__(name: str) -> object:
    """The public names on first use: ``graphscope --help`` needs none of them."""
    if name not in _HOMES:
        raise AttributeError(f"module 'graphscope' has no attribute {name!r}")
    return getattr(importlib.import_module(_HOMES[name]), name)
