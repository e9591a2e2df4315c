"""Groups of tensors that fit into memory together."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from functools import cached_property
from typing import TYPE_CHECKING, Any

from graphscope.analysis.shapes import Shapes, infer
from graphscope.core.model import Model

if TYPE_CHECKING:
    from numpy.typing import NDArray

_UNKNOWN_BYTES = 4 << 20
"""The size assumed for a tensor whose size is not known before it is computed."""

_MOST = 4096
"""The maximum number of tensors in a group: a session takes long to prepare for more."""


class Chunks:
    """Groups the tensors of a model by size.

    Args:
        model: whose tensors they are.
        feeds: tensor name -> fed value.
        max_bytes: maximum size of a group; a larger tensor is a group of its own.
    """

    def __init__(self, model: Model, feeds: Mapping[str, NDArray[Any]], max_bytes: int) -> None:
        self.model = model
        self.feeds = feeds
        self.max_bytes = max_bytes

    def of(self, tensors: Sequence[str]) -> Iterator[list[str]]:
        """The tensors in groups, in order."""
        group: list[str] = []
        total = 0
        for name in tensors:
            size = self.size(name)
            if group and (total + size > self.max_bytes or len(group) == _MOST):
                yield group
                group, total = [], 0
            group.append(name)
            total += size
        if group:
            yield group

    def size(self, name: str) -> int:
        """Bytes of a tensor; an estimate if its shape does not follow from the feeds."""
        shape = self._shapes.shape(name)
        if shape is None or None in shape:
            return _UNKNOWN_BYTES
        sizes = [size for size in shape if size is not None]
        return math.prod(sizes) * (self._shapes.dtype(name).itemsize or 1)

    @cached_property
    def _shapes(self) -> Shapes:
        return infer(self.model, {name: value.shape for name, value in self.feeds.items()})
