"""The step that gives inputs other shapes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace

from graphscope.analysis.ends.choose_outputs import choose_outputs
from graphscope.core.model import Model
from graphscope.core.tensors import Shape
from graphscope.editing.edited import Edited
from graphscope.editing.signatures import with_stated_types
from graphscope.errors import GraphscopeError
from graphscope.transforms.input_shapes import Batch, reshape_inputs, wanted_shapes


@dataclass(frozen=True, slots=True)
class Reshape:
    """Gives placeholders other shapes, and rewrites the constants that provably state the old ones.

    Attributes:
        shapes: placeholder -> its shape, ``None`` for an unknown size.
        batch: how many examples every input takes, ``"?"`` for any number.
    """

    shapes: Mapping[str, Shape] = field(default_factory=dict)
    batch: Batch = None

    def apply(self, edited: Edited) -> Edited:
        """See :class:`graphscope.editing.steps.Step`."""
        model = edited.model
        wanted = wanted_shapes(model.graph, self.shapes, self.batch)
        found = reshape_inputs(model.graph, wanted, edited.outputs or _likely_outputs(model))
        if not found.inputs:
            return edited
        return replace(with_stated_types(edited.with_graph(found.graph)), notes=(*edited.notes, *found.lines()))


def _likely_outputs(model: Model) -> Sequence[str]:
    try:
        return choose_outputs(model).outputs
    except GraphscopeError:
        return ()
