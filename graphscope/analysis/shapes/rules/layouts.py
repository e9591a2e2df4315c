"""Where batch, channels and the other dimensions of pictures are, and how a window slides over them."""

from __future__ import annotations

from collections.abc import Sequence

from graphscope.analysis.shapes.call import Call
from graphscope.analysis.shapes.sizes import (
    Dim,
    ShapeError,
    Size,
    Sizes,
    is_size,
)

BLOCKED = "NCHW_VECT_C"
"""A layout with channels in two dimensions; shapes in it are not followed."""


class Layout:
    """Where batch, channels and the other dimensions of pictures are.

    Attributes:
        is_first: whether channels come before the other dimensions.
        rank: of the pictures.
    """

    def __init__(self, data_format: str, rank: int) -> None:
        self.is_first = data_format.startswith("NC")
        self.is_blocked = data_format == BLOCKED
        self.rank = rank

    @property
    def channel(self) -> int:
        """The axis of the channels."""
        return 1 if self.is_first else self.rank - 1

    @property
    def spatial(self) -> range:
        """The axes of the other dimensions."""
        return range(2, self.rank) if self.is_first else range(1, self.rank - 1)

    def arrange(self, batch: Size, spatial: Sequence[Size], channels: Size) -> Sizes:
        """A shape in this layout."""
        return (batch, channels, *spatial) if self.is_first else (batch, *spatial, channels)

    def pick(self, numbers: Sequence[int], op: str) -> list[int]:
        """Of one number for each dimension, those of the spatial ones.

        Raises:
            ShapeError: there are more or fewer numbers.
        """
        if len(numbers) != self.rank:
            raise ShapeError(f"{op} takes {self.rank} numbers but has {len(numbers)}")
        return [numbers[axis] for axis in self.spatial]


def window(
    size: Size, extent: Size, stride: int, padding: str, dilation: int = 1, extra: int = 0, *, fits_never: bool = False
) -> Size:
    """How often a window fits (``GetWindowedOutputSize``).

    Args:
        extent: the window's size.
        padding: ``SAME``, ``VALID`` or ``EXPLICIT``, with ``extra`` elements in sum.
        fits_never: whether a window that is too large by less than a stride is taken: it fits 0 times
            (``GetWindowedOutputSizeVerbose``).

    Raises:
        ShapeError: it does not fit, or a stride is not positive.
    """
    if stride <= 0 or dilation <= 0:
        raise ShapeError(f"strides and dilations must be positive but are {stride} and {dilation}")
    if padding == "SAME":
        return size if stride == 1 else -(-size // stride) if isinstance(size, int) else Dim()
    if is_size(extent, 1) and stride == 1 and not extra:
        return size
    if not (isinstance(size, int) and isinstance(extent, int)):
        return Dim()
    left = size + extra - ((extent - 1) * dilation + 1)
    if left < (-stride if fits_never else 0):
        raise ShapeError(f"a window of {(extent - 1) * dilation + 1} does not fit a size of {size}")
    return left // stride + 1


def per_axis(call: Call, name: str, layout: Layout) -> list[int]:
    """The spatial numbers of an attribute, 1 where it is absent."""
    numbers = call.numbers(name)
    return layout.pick(numbers, name) if numbers else [1] * (layout.rank - 2)


def extras(call: Call, layout: Layout) -> list[int]:
    """What explicit paddings add to each spatial dimension."""
    numbers = call.numbers("explicit_paddings")
    if call.text("padding") != "EXPLICIT":
        if numbers:
            raise ShapeError(f"explicit_paddings needs the padding EXPLICIT, not {call.text('padding')}")
        return [0] * (layout.rank - 2)
    if len(numbers) != 2 * layout.rank:
        raise ShapeError(f"explicit_paddings must have {2 * layout.rank} numbers but has {len(numbers)}")
    return [numbers[2 * axis] + numbers[2 * axis + 1] for axis in layout.spatial]
