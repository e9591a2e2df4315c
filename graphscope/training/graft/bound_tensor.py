"""The source of an input of the model on top: a tensor of the base, optionally scaled and shifted."""

from __future__ import annotations

import re
from dataclasses import dataclass

from graphscope.errors import ArgumentError

_NUMBER = r"(?:\d+(?:\.\d*)?|\.\d+)(?:[eE][-+]?\d+)?"
_FORM = re.compile(rf"([^*+]+)(?:\*([-+]?{_NUMBER})([-+]{_NUMBER})?|(\+{_NUMBER}))?")
"""A node's name has no ``*`` and no ``+``. It may have ``-``, which is part of the name unless a factor comes before it."""


@dataclass(frozen=True, slots=True)
class BoundTensor:
    """``tensor * scale + shift``.

    Attributes:
        tensor: node or tensor name.
        scale, shift: numbers, in the tensor's type.
    """

    tensor: str
    scale: float = 1.0
    shift: float = 0.0

    @property
    def is_plain(self) -> bool:
        """Whether it is the tensor itself."""
        return (self.scale, self.shift) == (1.0, 0.0)


def parse_bound(text: str) -> BoundTensor:
    """``TENSOR``, ``TENSOR*0.107``, ``TENSOR*0.107+1``, ``TENSOR+1``.

    Raises:
        ArgumentError: the text has another form.
    """
    found = _FORM.fullmatch(text)
    if found is None:
        raise ArgumentError(f"{text!r} is not of the form TENSOR*NUMBER+NUMBER", hint="for example: encoder/z*0.107+0")
    tensor, scale, shift, sum_alone = found.groups()
    return BoundTensor(tensor, float(scale or 1), float(shift or sum_alone or 0))
