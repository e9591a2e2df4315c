"""Data layouts: ONNX has channels first, most TensorFlow graphs have them last."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from graphscope.export.onnx.call import Call
from graphscope.export.onnx.value import Value
from graphscope.export.refusal import NotExpressibleError

Step = Callable[[Value], Value]


@dataclass(frozen=True)
class Layout:
    """The order of the axes of a node's tensors.

    Attributes:
        text: value of the attribute: ``NHWC``.
    """

    text: str

    @property
    def is_first(self) -> bool:
        """Whether channels come before space, as in ONNX."""
        return self.text.startswith("NC")

    @property
    def rank(self) -> int:
        """The number of axes."""
        return len(self.text)

    @property
    def space(self) -> range:
        """The axes of space."""
        return range(2, self.rank) if self.is_first else range(1, self.rank - 1)

    @property
    def channels(self) -> int:
        """The axis of channels."""
        return 1 if self.is_first else self.rank - 1

    @property
    def to_first(self) -> list[int]:
        """The permutation that brings channels to the front."""
        return list(range(self.rank)) if self.is_first else [0, self.rank - 1, *range(1, self.rank - 1)]

    @property
    def from_first(self) -> list[int]:
        """The permutation back."""
        return list(range(self.rank)) if self.is_first else [0, *range(2, self.rank), 1]

    def spatial(self, numbers: Sequence[int], what: str) -> list[int]:
        """The values for the spatial axes, out of one per axis.

        Raises:
            NotExpressibleError: the value for batch or channels is not 1.
        """
        if not numbers:
            return [1] * len(self.space)
        if len(numbers) != self.rank or numbers[0] != 1 or numbers[self.channels] != 1:
            raise NotExpressibleError(f"{what} {list(numbers)} apply to batch or channels")
        return [numbers[i] for i in self.space]


def layout_of(call: Call, default: str = "NHWC") -> Layout:
    """The layout that the node states."""
    text = call.text("data_format") or default
    if text not in ("NHWC", "NCHW", "NDHWC", "NCDHW"):
        raise NotExpressibleError(f"its layout {text} is not covered")
    return Layout(text)


def channels_first(call: Call, layout: Layout, value: Value, step: Step) -> Value:
    """Applies ``step`` to ``value`` with channels first; the result is in ``layout`` again."""
    result = step(call.transpose(value, layout.to_first))
    return call.transpose(result, layout.from_first)
