"""Whether two models compute the same: both are run on the same inputs, and their outputs compared."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from graphscope.core.dtypes import DataType
from graphscope.core.model import Model
from graphscope.core.payload import Payload
from graphscope.core.tensors import TensorName, TensorSpec
from graphscope.errors import GraphscopeError
from graphscope.runtime.differences import Difference, compare, merged
from graphscope.runtime.feeds import UNKNOWN, random_feeds, required_inputs, tensor_spec
from graphscope.runtime.session import open_session, soft_placement

if TYPE_CHECKING:
    from numpy.typing import NDArray

ATOL = 1e-6
RTOL = 1e-5

Feeds = Mapping[str, "NDArray[Any]"]


@dataclass(frozen=True, slots=True)
class Output:
    """How one output of the two models compares over all batches.

    Attributes:
        tensor: its name.
        difference: the largest differences, see :class:`Difference`.
        is_random: it is not within tolerance, but neither are two runs of the original on the same inputs.
    """

    tensor: str
    difference: Difference
    is_random: bool = False


@dataclass(frozen=True, slots=True)
class Verification:
    """What :func:`verify` found.

    Attributes:
        outputs: in the order asked for.
        inputs: what was fed, with the shapes that it had.
        batches: how many different inputs were fed.
        atol, rtol: the tolerance.
    """

    outputs: tuple[Output, ...]
    inputs: tuple[TensorSpec, ...]
    batches: int
    atol: float
    rtol: float

    @property
    def is_within(self) -> bool:
        """Whether every output that is not random is within tolerance."""
        return all(output.difference.is_within or output.is_random for output in self.outputs)

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
) -> Verification:
    """Runs both models on the same inputs, one after the other, and compares ``outputs``. Starts TensorFlow.

    Neither is optimised by TensorFlow, so that equal computations give equal bits. A number is within tolerance where
    ``|original - result| <= atol + rtol * |original|``; integers, booleans and strings must be equal. NaN equals NaN.

    Args:
        outputs: node or tensor names that both models have.
        feeds: node or tensor name -> value; every other input that a model needs is random. If nothing is left to be random,
            one batch is run.
        fixed: what was baked into the result: fed to the original in every batch.
        values: variable op -> content that the original takes in place of the checkpoint's (moving averages).
        batches: how many random inputs.
        seed: of the random inputs.
        unknown: the size of unknown dimensions.

    Raises:
        UnknownNameError: a model has no such output.
        IncompleteModelError: the original lacks a variable's value.
        UnsupportedError: an op is needed that TensorFlow does not have.
        MissingDependencyError: TensorFlow is not installed.
        GraphscopeError: TensorFlow cannot run one of the models.
    """
    run = _Run(original, result, outputs, _by_tensor(fixed), _by_tensor(feeds))
    batch_feeds = run.batches(batches, seed, unknown)
    expected = run.computed(original, batch_feeds, values)
    actual = run.computed(result, batch_feeds)
    differences = _compare(expected, actual, atol, rtol)
    repeated = differences
    if not all(difference.is_within for difference in differences):
        repeated = _compare(expected, run.computed(original, batch_feeds, values), atol, rtol)
    found = (
        Output(str(TensorName.parse(name)), difference, not difference.is_within and not again.is_within)
        for name, difference, again in zip(outputs, differences, repeated)
    )
    return Verification(tuple(found), _fed(batch_feeds[0]), len(batch_feeds), atol, rtol)


class _Run:
    """What both models are run on.

    Attributes:
        fixed: fed to the original in every batch.
        named: fed in every batch to the models that have it.
        open: the other inputs that a model needs.
    """

    def __init__(self, original: Model, result: Model, outputs: Sequence[str], fixed: Feeds, named: Feeds) -> None:
        self.outputs = outputs
        self.fixed = fixed
        self.named = named
        known = {**fixed, **named}
        for name in known:
            tensor_spec(original, name)
        of_result = required_inputs(result, outputs, _given(result, known))
        of_original = required_inputs(original, outputs, [*_given(original, known), *of_result])
        self.open = list({spec.name: spec for spec in [*of_result, *of_original]}.values())

    def batches(self, count: int, seed: int, unknown: int) -> list[Feeds]:
        """One random batch after another; a single one, if nothing is random."""
        known = {**self.fixed, **self.named}
        if not self.open:
            return [known]
        return [{**known, **random_feeds(self.open, seed=seed + i, unknown=unknown)} for i in range(count)]

    def computed(
        self, model: Model, batches: Sequence[Feeds], values: Mapping[str, Payload] | None = None
    ) -> list[list[NDArray[Any]]]:
        """The outputs of ``model`` for each batch."""
        specs = _given(model, batches[0])
        here = {spec.name for spec in specs}
        with open_session(model, self.outputs, given=specs, values=values, config=_exact()) as session:
            return [
                self.checked(session.run(self.outputs, {k: v for k, v in feeds.items() if k in here}))
                for feeds in batches
            ]

    def checked(self, values: Sequence[NDArray[Any] | None]) -> list[NDArray[Any]]:
        """The values; an error for a node that has none."""
        for name, value in zip(self.outputs, values):
            if value is None:
                raise GraphscopeError(f"{name} has no output that could be compared")
        return [value for value in values if value is not None]


def _by_tensor(feeds: Feeds | None) -> Feeds:
    return {str(TensorName.parse(name)): value for name, value in (feeds or {}).items()}


def _given(model: Model, feeds: Feeds) -> list[TensorSpec]:
    """Those of the tensors ``feeds`` that ``model`` has."""
    here = {name: value for name, value in feeds.items() if TensorName.parse(name).node in model.graph}
    return [tensor_spec(model, name) for name in here]


def _fed(feeds: Feeds) -> tuple[TensorSpec, ...]:
    return tuple(TensorSpec(name, DataType.from_numpy(value.dtype), value.shape) for name, value in feeds.items())


def _compare(
    expected: Sequence[Sequence[NDArray[Any]]], actual: Sequence[Sequence[NDArray[Any]]], atol: float, rtol: float
) -> list[Difference]:
    """One difference for each output, over all batches."""
    batches = [[compare(e, a, atol, rtol) for e, a in zip(*pair)] for pair in zip(expected, actual)]
    return [merged(of_output) for of_output in zip(*batches)]


def _exact() -> Any:
    """A configuration in which TensorFlow runs the graph as it stands."""
    config = soft_placement()
    config.graph_options.rewrite_options.disable_meta_optimizer = True
    config.graph_options.optimizer_options.opt_level = -1  # L0: no constant folding, no common subexpressions
    return config
