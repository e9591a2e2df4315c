"""Runs two models on the same inputs and compares their outputs."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from graphscope.core.model import Model
from graphscope.core.shown import Shown
from graphscope.core.tensors import Shape, TensorName, TensorSpec
from graphscope.core.units import count
from graphscope.core.values.dtypes import DataType
from graphscope.core.values.payload import Payload
from graphscope.feeding.random_values import UNKNOWN
from graphscope.runtime.comparing.comparison import Comparison, Engine, Feeds
from graphscope.runtime.comparing.differences import Difference, compare, merge_differences
from graphscope.runtime.engines.table import TENSORFLOW
from graphscope.runtime.tensorflow import is_exact, promise_equal_bits

if TYPE_CHECKING:
    from numpy.typing import NDArray

ATOL = 1e-6
RTOL = 1e-5


@dataclass(frozen=True, slots=True)
class OutputDifference:
    """The comparison of one output over all batches.

    Attributes:
        tensor: its name.
        difference: the largest differences, see :class:`Difference`.
        is_random: it is not within tolerance, but neither are two runs of the original on the same inputs.
    """

    tensor: str
    difference: Difference
    is_random: bool = False


@dataclass(frozen=True, slots=True, repr=False)
class Verification(Shown):
    """The result of :func:`verify`.

    Attributes:
        outputs: in the requested order.
        inputs: the fed tensors, with the shapes of their values.
        batches: number of different inputs.
        atol, rtol: the tolerance.
        is_exact: whether TensorFlow ran without oneDNN, if it ran, so that equal computations give equal bits.
        engines: the engines of the two models.
        row_batches: the batches in which the result ran, where it takes others than the original and rows were compared.
    """

    outputs: tuple[OutputDifference, ...]
    inputs: tuple[TensorSpec, ...]
    batches: int
    atol: float
    rtol: float
    is_exact: bool = True
    row_batches: tuple[int, ...] = ()
    engines: tuple[str, str] = (TENSORFLOW, TENSORFLOW)

    def __repr__(self) -> str:
        verdict = "within" if self.is_within else "beyond"
        return f"<Verification: {count(len(self.outputs), 'output')}, max |difference| {self.max_abs:.3g}, {verdict} tolerance>"

    @property
    def max_abs(self) -> float:
        """The largest absolute difference of all outputs; infinite where type or shape differ."""
        return max(output.difference.max_absolute for output in self.outputs)

    @property
    def is_within(self) -> bool:
        """Whether every output that is not random is within tolerance."""
        return all(output.difference.is_within or output.is_random for output in self.outputs)

    @property
    def is_proven(self) -> bool:
        """Whether no output is random, so that the comparison says something of each."""
        return not any(output.is_random for output in self.outputs)

    @property
    def is_equal(self) -> bool:
        """Whether every output is equal to the bit."""
        return all(output.difference.is_equal for output in self.outputs)


def verify(
    original: Model,
    result: Model,
    outputs: Sequence[str],
    *,
    feeds: Feeds | None = None,
    fixed: Feeds | None = None,
    values: Mapping[str, Payload] | None = None,
    batches: int = 3,
    seed: int = 0,
    unknown: int = UNKNOWN,
    atol: float = ATOL,
    rtol: float = RTOL,
    trust: bool = False,
    names: Mapping[str, str] | None = None,
    original_engine: Engine | None = None,
    engine: Engine | None = None,
    shapes: Mapping[str, Shape] | None = None,
) -> Verification:
    """Runs both models on the same inputs, one after the other, and compares ``outputs``. Starts TensorFlow.

    Neither is optimized by TensorFlow, so that equal computations give equal bits. A number is within tolerance where
    ``|original - result| <= atol + rtol * |original|``; integers, booleans and strings must be equal. NaN equals NaN.

    Args:
        outputs: node or tensor names of the result.
        feeds: node or tensor name -> value; of every other input that a model needs, training switches are set for inference
            and the rest is random. If nothing is random, one batch is run.
        fixed: what was baked into the result: fed to the original in every batch, never to a constant of the result.
        values: variable op -> content that the original takes in place of the checkpoint's (moving averages).
        batches: number of random inputs.
        seed: seed for the random inputs.
        unknown: the size of unknown dimensions.
        trust: also run nodes that touch files, the network or processes.
        names: tensor of the result, an input or an output -> what it is called in the original, where that has another name.
        original_engine, engine: the engines that run the original and the result instead of TensorFlow.
        shapes: node or tensor name of an input -> the shape of its random values, where the file leaves sizes open.

    Raises:
        UnknownNameError: a model has no such output.
        IncompleteModelError: the original lacks a variable's value.
        UnsupportedError: the run needs an op that TensorFlow does not have.
        UntrustedError: a model does more than compute, and ``trust`` is not set.
        MissingDependencyError: TensorFlow is not installed.
        GraphscopeError: TensorFlow cannot run one of the models.
    """
    has_tensorflow = engine is None or original_engine is None
    if has_tensorflow:
        promise_equal_bits()
    run = Comparison(
        original,
        result,
        outputs,
        names=names,
        feeds=feeds,
        fixed=fixed,
        shapes=shapes,
        trust=trust,
        engine=engine,
        original_engine=original_engine,
    )
    inputs = run.batches(batches, seed, unknown)
    expected = run.of_original(inputs, values)
    differences = _compare(expected, run.of_result(inputs), atol, rtol)
    repeated = differences
    if not all(difference.is_within for difference in differences):
        repeated = _compare(expected, run.of_original(inputs, values), atol, rtol)
    found = (
        OutputDifference(str(TensorName.parse(name)), difference, not difference.is_within and not again.is_within)
        for name, difference, again in zip(outputs, differences, repeated)
    )
    return Verification(tuple(found), fed_shapes(inputs[0]), len(inputs), atol, rtol, not has_tensorflow or is_exact())


def fed_shapes(feeds: Feeds) -> tuple[TensorSpec, ...]:
    """What is fed, with its types and shapes."""
    return tuple(TensorSpec(name, DataType.from_numpy(value.dtype), value.shape) for name, value in feeds.items())


def _compare(
    expected: Sequence[Sequence[NDArray[Any]]], actual: Sequence[Sequence[NDArray[Any]]], atol: float, rtol: float
) -> list[Difference]:
    """One difference for each output, over all batches."""
    batches = [[compare(e, a, atol, rtol) for e, a in zip(*pair)] for pair in zip(expected, actual)]
    return [merge_differences(of_output) for of_output in zip(*batches)]
