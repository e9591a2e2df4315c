"""A notation for shape functions that only equate sizes.

``"(n,r) (n) (r) -> (n,r) (n)"``: three inputs of ranks 2, 1 and 1 that share sizes, and two outputs. Between parentheses
stand numbers, names of sizes, ``?`` for a size that is unknown, and in front ``B...``, any number of leading dimensions.
Outside parentheses a capital letter is a whole shape, ``_`` is anything. Inputs that are not mentioned may be anything.
"""

from __future__ import annotations

import functools

from graphscope.analysis.shapes.call import Call, Rule
from graphscope.analysis.shapes.facts import Fact, Facts
from graphscope.analysis.shapes.sizes import Dim, Dims, ShapeError, Size, Sizes, at_least, merge, merge_sizes
from graphscope.core.patterns import Pattern
from graphscope.named_tuple import NamedTuple

_TOKEN = Pattern(r"\(([^)]*)\)|(\S+)")


class _Form(NamedTuple):
    """The form of one input or output.

    Attributes:
        whole: the name of the leading dimensions, or of the whole shape; empty if there is none, ``_`` for anything.
        sizes: numbers and names of the sizes that follow.
    """

    whole: str
    sizes: tuple[str | int, ...]

    @classmethod
    def parse(cls, text: str) -> _Form:
        if not text.startswith("("):
            return cls(text, ())
        parts = [part.strip() for part in text[1:-1].split(",") if part.strip()]
        whole = parts.pop(0)[:-3] if parts and parts[0].endswith("...") else ""
        return cls(whole, tuple(int(part) if part.isdecimal() else part for part in parts))


class _Match:
    """The values bound to the names of a pattern."""

    def __init__(self) -> None:
        self.wholes: dict[str, Dims] = {}
        self.sizes: dict[str, Size] = {}

    def take(self, form: _Form, call: Call, index: int) -> None:
        """Compares an input with its form."""
        if form.whole == "_":
            call.input(index)
            return
        if not form.whole:
            self._take_sizes(form.sizes, call.ranked(index, len(form.sizes)))
            return
        count = len(form.sizes)
        shape = at_least(call.shape(index), count)
        if shape is None:
            self.wholes.setdefault(form.whole, None)
            return
        cut = len(shape) - count
        self._take_sizes(form.sizes, shape[cut:])
        self.wholes[form.whole] = merge(self.wholes.get(form.whole), shape[:cut])

    def _take_sizes(self, names: tuple[str | int, ...], sizes: Sizes) -> None:
        for name, size in zip(names, sizes):
            if isinstance(name, int):
                merge_sizes(size, name)
            elif name != "?":
                known = self.sizes.get(name)
                self.sizes[name] = size if known is None else merge_sizes(size, known)

    def give(self, form: _Form) -> Dims:
        """The shape of an output."""
        if form.whole == "_":
            return None
        front = self.wholes.get(form.whole) if form.whole else ()
        return None if front is None else front + tuple(map(self._size, form.sizes))

    def _size(self, name: str | int) -> Size:
        if isinstance(name, int):
            return name
        return Dim() if name == "?" else self.sizes.setdefault(name, Dim())


def pattern(text: str) -> Rule:
    """The rule that a pattern states; it is parsed when a node is first compared with it."""

    def rule(call: Call) -> Facts:
        inputs, results = _parse(text)
        if len(call.inputs) < len(inputs):
            raise ShapeError(f"{call.node.op} takes {len(inputs)} inputs but has {len(call.inputs)}")
        match = _Match()
        for index, form in enumerate(inputs):
            match.take(form, call, index)
        return tuple(Fact(match.give(form)) for form in results)

    return rule


@functools.cache
def _parse(text: str) -> tuple[list[_Form], list[_Form]]:
    """The forms of the inputs, and those of the outputs."""
    left, _, right = text.partition("->")
    inputs, results = (
        [_Form.parse(match.group()) for match in _TOKEN.compiled.finditer(part)] for part in (left, right)
    )
    return inputs, results
