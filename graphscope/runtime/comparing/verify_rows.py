"""Verifies a graph with other input shapes: it must compute the same for each example as the original model."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from graphscope.core.model import Model
from graphscope.core.tensors import Shape, TensorName, node_of
from graphscope.core.values.payload import Payload
from graphscope.feeding.random_values import UNKNOWN
from graphscope.runtime.comparing.comparison import Comparison, Engine, Feeds
from graphscope.runtime.comparing.differences import Difference, compare, merge_differences
from graphscope.runtime.comparing.verify import ATOL, RTOL, OutputDifference, Verification, fed_shapes
from graphscope.runtime.tensorflow import is_exact, promise_equal_bits
from graphscope.transforms.input_shapes import with_placeholder_shapes

if TYPE_CHECKING:
    from numpy.typing import NDArray

SIZES = (1, 7)
"""The batches at which a graph runs that takes any number of examples."""


def verify_rows(
    original: Model,
    result: Model,
    outputs: Sequence[str],
    inputs: Mapping[str, tuple[Shape, Shape]],
    *,
    feeds: Feeds | None = None,
    fixed: Feeds | None = None,
    values: Mapping[str, Payload] | None = None,
    seed: int = 0,
    atol: float = ATOL,
    rtol: float = RTOL,
    trust: bool = False,
    names: Mapping[str, str] | None = None,
    engine: Engine | None = None,
) -> Verification:
    """Runs both models on the same examples, each in batches of its own, and compares ``outputs`` row by row.

    Where the sizes of an example change, the original runs with placeholders of the new ones. Starts TensorFlow.

    Args:
        inputs: placeholder -> its shape in the original and in the result.

    For the other arguments and errors, see :func:`graphscope.runtime.comparing.verify.verify`.
    """
    promise_equal_bits()
    rows = _Rows(inputs)
    opened = with_placeholder_shapes(original.graph, rows.of_original) if rows.changes_sizes else original.graph
    run = Comparison(
        original.with_graph(opened),
        result,
        outputs,
        names=names,
        feeds=feeds,
        fixed=fixed,
        shapes={n: shape if shape == () else (rows.count, *(shape or ())[1:]) for n, shape in rows.of_original.items()},
        trust=trust,
        engine=engine,
    )
    [examples] = run.batches(1, seed, UNKNOWN)
    expected = run.of_original(rows.parts(examples, rows.old), values)
    found = [
        _compare(expected, rows.old, run.of_result(rows.parts(examples, size)), size, rows.count, atol, rtol)
        for size in rows.sizes
    ]
    differences = [merge_differences(of_output) for of_output in zip(*found)]
    repeated = differences
    if not all(difference.is_within for difference in differences):
        again = run.of_original(rows.parts(examples, rows.old), values)
        repeated = _compare(expected, rows.old, again, rows.old, rows.count, atol, rtol)
    of_outputs = (
        OutputDifference(str(TensorName.parse(name)), difference, not difference.is_within and not other.is_within)
        for name, difference, other in zip(outputs, differences, repeated)
    )
    return Verification(tuple(of_outputs), fed_shapes(examples), 1, atol, rtol, is_exact(), rows.sizes)


class _Rows:
    """How many examples there are, and in which batches they run.

    Attributes:
        old: the batch of the original.
        sizes: the batches of the result, one after the other.
        count: how many examples there are: a multiple of ``old``, and as many as the largest batch at least.
        of_original: placeholder -> the shape that the original takes.
        changes_sizes: whether that is another one than the file states.
    """

    def __init__(self, inputs: Mapping[str, tuple[Shape, Shape]]) -> None:
        olds = [old[0] for old, _ in inputs.values() if old and old[0] is not None]
        news = [new[0] for _, new in inputs.values() if new and new[0] is not None]
        self.sizes = tuple(news[:1]) or SIZES
        self.old = olds[0] if olds else max(self.sizes)
        self.count = -(-max(self.sizes) // self.old) * self.old
        self.of_original = {name: _concrete(old, new) for name, (old, new) in inputs.items()}
        self.changes_sizes = any((old or ())[1:] != (new or ())[1:] for old, new in inputs.values())
        self._names = frozenset(inputs)

    def parts(self, examples: Feeds, size: int) -> list[Feeds]:
        """``examples`` in batches of ``size``, the last one filled up with the first examples."""
        return [
            {name: self._part(name, value, start, size) for name, value in examples.items()}
            for start in range(0, self.count, size)
        ]

    def _part(self, name: str, value: NDArray[Any], start: int, size: int) -> NDArray[Any]:
        if node_of(name) not in self._names or not value.ndim:
            return value
        return value.take(range(start, start + size), axis=0, mode="wrap")


def _concrete(old: Shape, new: Shape) -> Shape:
    """The new sizes of an example, those that are unknown as they were, in the old batch."""
    if not new:
        return new
    before = old if old is not None and len(old) == len(new) else (None,) * len(new)
    return (before[0], *(was if size is None else size for size, was in zip(new[1:], before[1:])))


def _compare(
    expected: Sequence[Sequence[NDArray[Any]]],
    old: int,
    actual: Sequence[Sequence[NDArray[Any]]],
    size: int,
    count: int,
    atol: float,
    rtol: float,
) -> list[Difference]:
    """One difference for each output, over all examples."""
    return [
        compare(*_side_by_side(one, old, other, size, count), atol, rtol)
        for one, other in zip(zip(*expected), zip(*actual))
    ]


def _side_by_side(
    one: Sequence[NDArray[Any]], old: int, other: Sequence[NDArray[Any]], size: int, count: int
) -> tuple[NDArray[Any], NDArray[Any]]:
    """All rows of an output in one array each; the first batches alone, where it has no row for each example."""
    import numpy as np

    a, b = one[0], other[0]
    if not a.ndim or not b.ndim or len(a) % old or len(a) * size != len(b) * old:
        return a, b
    rows = len(a) // old * count
    return np.concatenate(one)[:rows], np.concatenate(other)[:rows]
