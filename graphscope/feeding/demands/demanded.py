"""Tensors to feed whose values must be of a kind that their type and shape do not say."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Protocol

from graphscope.core.tensors import TensorSpec

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from graphscope.feeding.random_values import Source


class Content(Protocol):
    """What the values of a tensor must be."""

    def draw(self, spec: TensorSpec, source: Source) -> NDArray[Any]:
        """Such values at random, of the shape that ``source`` gives to ``spec``."""


class Demanded(TensorSpec):
    """A tensor with what its values must be. Equal to any specification with the same properties.

    Attributes:
        content: see :class:`Content`.
    """

    content: Content

    def __new__(cls, spec: TensorSpec, content: Content) -> Demanded:
        """``spec``, for values of that content."""
        made = cls._make(spec)
        made.content = content
        return made

    def _replace(self, **changes: Any) -> Demanded:
        return Demanded(super()._replace(**changes), self.content)

    def __reduce__(self) -> tuple[type[Demanded], tuple[TensorSpec, Content]]:
        return Demanded, (TensorSpec(*self), self.content)
