"""Shapes that were inferred without TensorFlow, beside those that it infers."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

import graphscope
from graphscope.analysis.shapes import Shapes
from graphscope.core.model import Model
from graphscope.core.tensors import Shape, node_of
from graphscope.runtime.shapes import infer_shapes

NOTED = "_output_shapes"


@dataclass
class Comparison:
    """How two inferences compare, in numbers of tensors.

    Attributes:
        same: of one shape.
        more: of which we know more than TensorFlow.
        less: of which we know less -> both shapes, ours first.
        contradictions: of which both know something, and something else.
    """

    same: int = 0
    more: int = 0
    less: dict[str, tuple[Shape, Shape]] = field(default_factory=dict)
    contradictions: dict[str, tuple[Shape, Shape]] = field(default_factory=dict)

    @property
    def tensors(self) -> int:
        """How many were compared."""
        return self.same + self.more + len(self.less) + len(self.contradictions)

    @property
    def share(self) -> float:
        """The part of the tensors of which we know as much as TensorFlow, or more."""
        return (self.same + self.more) / max(1, self.tensors)

    def take(self, name: str, ours: Shape, theirs: Shape) -> None:
        """Adds one tensor; where nobody knows a rank, there is nothing to compare."""
        if ours is None and theirs is None:
            return
        if contradicts(ours, theirs):
            self.contradictions[name] = ours, theirs
        elif ours == theirs:
            self.same += 1
        elif is_less(ours, theirs):
            self.less[name] = ours, theirs
        else:
            self.more += 1


def contradicts(ours: Shape, theirs: Shape) -> bool:
    """Whether no tensor can be of both shapes."""
    if ours is None or theirs is None:
        return False
    return len(ours) != len(theirs) or any(a is not None and b is not None and a != b for a, b in zip(ours, theirs))


def is_less(ours: Shape, theirs: Shape) -> bool:
    """Whether something is known in ``theirs`` alone."""
    if theirs is None:
        return False
    return ours is None or any(a is None and b is not None for a, b in zip(ours, theirs))


def by_tensorflow(path: Path) -> tuple[Model, Mapping[str, Shape]]:
    """A model and the shapes that TensorFlow infers, without those that Python noted when it built the graph."""
    model = graphscope.load(path)
    for _, body in model.graph.bodies:
        for node in body:
            node.proto.attr.pop(NOTED, None)
    return model, infer_shapes(model).shapes


def compare(found: Shapes, expected: Mapping[str, Shape], model: Model) -> Comparison:
    """Compares all tensors of the graph that either knows."""
    result = Comparison()
    ours = found.by_name
    for name in {**expected, **ours}:
        if node_of(name) in model.graph:
            result.take(name, ours.get(name), expected.get(name))
    return result
