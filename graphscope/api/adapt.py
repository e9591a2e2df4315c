"""A model with variables, changed as a whole before it is written in another format."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from graphscope.core.listener import Listener
from graphscope.core.model import Model
from graphscope.core.ops.history import parse_version
from graphscope.core.tensors import Shape
from graphscope.editing.edited import Edited, with_parts
from graphscope.editing.shapes import Reshape
from graphscope.errors import some
from graphscope.transforms.for_tensorflow import Backported, backport
from graphscope.transforms.input_shapes import Batch

_MAX_CHANGES = 8


def with_input_shapes(
    model: Model, shapes: Mapping[str, Shape], batch: Batch, outputs: Sequence[str], listener: Listener
) -> Model:
    """Returns ``model`` with other shapes for its placeholders and signatures. Reads no weights.

    Args:
        shapes, batch: see :func:`graphscope.freeze`.
        outputs: tensors that must keep their batch dimension; by default the outputs of the signatures, or the likely outputs.
        listener: receives a note for each constant that was rewritten.

    Raises:
        UnknownNameError: there is no such placeholder.
        GraphscopeError: a node does not allow a shape.
    """
    edited = Reshape(shapes, batch).apply(Edited(model, tuple(outputs)))
    for note in edited.notes:
        listener.note(note)
    return edited.model


def for_older_tensorflow(model: Model, version: str, listener: Listener) -> Model:
    """Returns ``model`` rewritten for TensorFlow ``version``; ``listener`` receives notes on the changes. Reads no weights.

    Raises:
        GraphscopeError: ``version`` is not a version; the release lacks an op, or an attribute that does not have its default
            value.
    """
    found = backport(model.graph, parse_version(version))
    for line in backport_lines(found):
        listener.note(line)
    return with_parts(model, found.graph)


def backport_lines(found: Backported) -> Iterator[str]:
    """Describes the changes for an older release."""
    changes = [f"{op} {count:,}" for op, count in found.replaced.items()]
    changes += [f"{attribute} -{count:,}" for attribute, count in found.stripped.items()]
    if changes:
        yield f"changed for the older release: {some(changes, _MAX_CHANGES)}"
    if found.unknown:
        yield f"no release of TensorFlow has {', '.join(found.unknown)}: a library must provide them"
