"""The facts about one tensor: its shape, its elements if there are few, and the target of a handle."""

from __future__ import annotations

from collections.abc import Callable

from graphscope.analysis.shapes.sizes import Dim, Dims, join

Element = int | float | bytes | Dim | None
"""One element: a number (booleans are numbers), a string, the unknown size of a dimension, or ``None``."""

Value = tuple[Element, ...]
"""The elements of a tensor in row-major order."""

Handle = tuple[Dims, ...] | None
"""The shapes that a resource or variant leads to: a variable's, a queue's components, the elements of a list."""

MAX_ELEMENTS = 256
"""The elements of larger tensors are not followed."""


class Fact:
    """The facts about one tensor. Immutable.

    Attributes:
        shape: see :data:`~graphscope.analysis.shapes.sizes.Dims`.
        handle: see :data:`Handle`.
    """

    __slots__ = ("_value", "handle", "shape")

    def __init__(
        self, shape: Dims, value: Value | Callable[[], Value | None] | None = None, handle: Handle = None
    ) -> None:
        self.shape = shape
        self.handle = handle
        self._value = value

    @property
    def value(self) -> Value | None:
        """The elements, ``None`` if nothing is known of them. Those of a constant are read at the first look."""
        if callable(self._value):
            self._value = self._value()
        return self._value

    @property
    def has_value(self) -> bool:
        """Whether :attr:`value` may be known; reads nothing."""
        return self._value is not None

    def same(self, other: Fact) -> bool:
        """Whether ``other`` says the same."""
        if self is other:
            return True
        return self.shape == other.shape and self.handle == other.handle and self.value == other.value


UNKNOWN = Fact(None)
SCALAR = Fact(())

Facts = tuple[Fact, ...]
"""The outputs of a node, in order; what is missing at the end is unknown."""


def outputs(*shapes: Dims) -> Facts:
    """Outputs with known shapes and unknown values."""
    return tuple(map(Fact, shapes))


def join_facts(one: Fact, other: Fact) -> Fact:
    """The facts that hold for both."""
    if one is other:
        return one
    shape = one.shape if one.shape == other.shape else join(one.shape, other.shape)
    return Fact(shape, _join_values(one, other, shape), _join_handles(one.handle, other.handle))


def _join_values(one: Fact, other: Fact, shape: Dims) -> Value | None:
    if not (one.has_value and other.has_value) or one.shape != other.shape or shape is None:
        return None
    a, b = one.value, other.value
    if a is None or b is None or len(a) != len(b):
        return None
    result = tuple(x if _is_same(x, y) else None for x, y in zip(a, b))
    return result if any(element is not None for element in result) else None


def _is_same(one: Element, other: Element) -> bool:
    return one is other or (not isinstance(one, Dim) and type(one) is type(other) and one == other)


def _join_handles(one: Handle, other: Handle) -> Handle:
    if one is None or other is None or len(one) != len(other):
        return None
    return one if one == other else tuple(map(join, one, other))
