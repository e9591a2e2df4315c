"""Shapes that TensorFlow infers, with notes on where it could not."""

from __future__ import annotations

from graphscope.analysis.tensors import Shapes
from graphscope.core.listener import Listener
from graphscope.core.model import Model

_MAX_OPS = 8


def inferred_shapes(model: Model, listener: Listener) -> Shapes:
    """Shapes by TensorFlow; ``listener`` is told which nodes it could not take, since nothing is known below them.

    Raises:
        MissingDependencyError, GraphscopeError: as :func:`graphscope.runtime.shapes.infer_shapes`.
    """
    from graphscope.runtime.shapes import infer_shapes

    found = infer_shapes(model)
    if found.unknown_ops:
        ops = [f"{op} {number:,}" for op, number in found.unknown_ops.items()]
        more = f" and {len(ops) - _MAX_OPS} more" if ops[_MAX_OPS:] else ""
        listener.note(f"no shapes below ops that TensorFlow does not know: {', '.join(ops[:_MAX_OPS])}{more}")
    if found.refused:
        name, reason = next(iter(found.refused.items()))
        nodes = "1 node" if len(found.refused) == 1 else f"{len(found.refused):,} nodes"
        listener.note(f"no shapes below {nodes} that TensorFlow refuses: {name} ({reason})")
    return found.shapes
