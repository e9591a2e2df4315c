"""Whether the nodes of an edited model still fit their inputs."""

from __future__ import annotations

from graphscope.analysis.shapes import infer
from graphscope.core.model import Model
from graphscope.errors import GraphscopeError

_LISTED = 8


def refuse_misfits(source: Model, model: Model) -> None:
    """Refuses a model with nodes that take no tensors of such shapes, which TensorFlow would not import.

    Args:
        source: what it was made of; what does not fit there already is not reported.

    Raises:
        GraphscopeError: there is such a node.
    """
    errors = infer(model).errors
    known = set(infer(source).errors.values()) if errors else set()
    found = [f"node {name}: {message}" for name, message in errors.items() if message not in known]
    if found:
        raise GraphscopeError("\n".join(["the edited graph is not valid", *found[:_LISTED]]))
