"""``--shapes``: shapes by TensorFlow, with a note where it could not tell all."""

from __future__ import annotations

from typing import TYPE_CHECKING

from graphscope.cli.terminal.output import Sink

if TYPE_CHECKING:
    from graphscope.analysis.tensors import Shapes
    from graphscope.core.model import Model


def inferred_shapes(sink: Sink, model: Model) -> Shapes:
    """Shapes by TensorFlow; says which nodes it could not take, since nothing is known below them.

    Raises:
        MissingDependencyError, GraphscopeError: as :func:`graphscope.runtime.shapes.infer_shapes`.
    """
    from graphscope.cli.terminal.text import count, some
    from graphscope.runtime.shapes import infer_shapes

    found = infer_shapes(model)
    if found.unknown_ops:
        ops = some((f"{op} {number:,}" for op, number in found.unknown_ops.items()), 8)
        sink.note(f"no shapes below ops that TensorFlow does not know: {ops}")
    if found.refused:
        name, reason = next(iter(found.refused.items()))
        sink.note(f"no shapes below {count(len(found.refused), 'node')} that TensorFlow refuses: {name} ({reason})")
    return found.shapes
