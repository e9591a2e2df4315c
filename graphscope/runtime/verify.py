"""Whether two models compute the same: both are run on the same inputs, and their outputs compared."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from graphscope.core.build import make_node
from graphscope.core.dtypes import DataType
from graphscope.core.graph import Body, Node
from graphscope.core.model import Model
from graphscope.core.op_sets import CALL_OPS
from graphscope.core.payload import Payload
from graphscope.core.tensors import Shape, TensorName, TensorSpec, node_of, shape_text
from graphscope.errors import GraphscopeError
from graphscope.feeding.default_feeds import fit_feeds, switches_off
from graphscope.feeding.feeds import UNKNOWN, random_feeds, required_inputs, tensor_spec
from graphscope.protos import AttrValue
from graphscope.runtime.config import session_config
from graphscope.runtime.differences import Difference, compare, merge_differences
from graphscope.runtime.session import open_session, unsuitable
from graphscope.runtime.tensorflow import is_exact, promise_equal_bits

if TYPE_CHECKING:
    from numpy.typing import NDArray

ATOL = 1e-6
RTOL = 1e-5

_MAX_LISTED = 4

Feeds = Mapping[str, "NDArray[Any]"]

Engine = Callable[[Sequence[str], Feeds], "list[NDArray[Any]]"]
"""Computes tensors of the result from what is fed, in another runtime."""


@dataclass(frozen=True, slots=True)
class OutputDifference:
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
        is_exact: whether TensorFlow ran without oneDNN, so that equal computations give equal bits.
    """

    outputs: tuple[OutputDifference, ...]
    inputs: tuple[TensorSpec, ...]
    batches: int
    atol: float
    rtol: float
    is_exact: bool = True

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
    originals: Mapping[str, str] | None = None,
    engine: Engine | None = None,
    shapes: Mapping[str, Shape] | None = None,
) -> Verification:
    """Runs both models on the same inputs, one after the other, and compares ``outputs``. Starts TensorFlow.

    Neither is optimized by TensorFlow, so that equal computations give equal bits. A number is within tolerance where
    ``|original - result| <= atol + rtol * |original|``; integers, booleans and strings must be equal. NaN equals NaN.

    Args:
        outputs: node or tensor names that both models have.
        feeds: node or tensor name -> value; of every other input that a model needs, training switches are set for inference
            and the rest is random. If nothing is random, one batch is run.
        fixed: what was baked into the result: fed to the original in every batch, never to a constant of the result.
        values: variable op -> content that the original takes in place of the checkpoint's (moving averages).
        batches: how many random inputs.
        seed: of the random inputs.
        unknown: the size of unknown dimensions.
        trust: runs nodes that touch files, the network or processes too.
        originals: input of the result -> the tensor of the original that is fed the same, where that has another name.
        engine: what runs the result in place of TensorFlow.
        shapes: node or tensor name of an input -> the shape of its random values, where the file leaves sizes open.

    Raises:
        UnknownNameError: a model has no such output.
        IncompleteModelError: the original lacks a variable's value.
        UnsupportedError: an op is needed that TensorFlow does not have.
        UntrustedError: a model does more than compute, and ``trust`` is not set.
        MissingDependencyError: TensorFlow is not installed.
        GraphscopeError: TensorFlow cannot run one of the models.
    """
    promise_equal_bits()
    run = _Run(
        original, result, outputs, {**_fitted(original, fixed), **_fitted(original, feeds)}, trust, originals or {}
    )
    run.engine = engine
    run.give_shapes(shapes or {})
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
    return Verification(tuple(found), _shapes(inputs[0]), len(inputs), atol, rtol, is_exact())


def _fitted(model: Model, feeds: Feeds | None) -> Feeds:
    """The values by tensor name, each in the type that the tensor has."""
    return {spec.name: value for spec, value in fit_feeds(model, feeds or {}).items()}


class _Run:
    """What both models are run on.

    Attributes:
        known: fed in every batch: to the original, and to the result where that has not made a constant of it.
        open: the other inputs that a model needs, which are random.
        engine: what runs the result in place of TensorFlow, if anything.
    """

    engine: Engine | None = None

    def __init__(
        self,
        original: Model,
        result: Model,
        outputs: Sequence[str],
        known: Feeds,
        trust: bool,
        originals: Mapping[str, str],
    ) -> None:
        self.original = original
        self.result = result
        self.outputs = outputs
        self.trust = trust
        self.originals = originals
        of_result = required_inputs(result, outputs, self.fed_to_result(known), with_defaults=True)
        fed = [replace(spec, name=originals.get(spec.name, spec.name)) for spec in of_result]
        of_original = required_inputs(original, outputs, [*_specs(original, known), *fed])
        inputs = list({spec.name: spec for spec in [*of_result, *of_original]}.values())
        self.known = {**known, **switches_off(original, inputs)}
        self.open = [spec for spec in inputs if spec.name not in self.known]

    def give_shapes(self, shapes: Mapping[str, Shape]) -> None:
        """Makes random inputs of these shapes."""
        given = {str(TensorName.parse(name)): shape for name, shape in shapes.items()}
        self.open = [replace(spec, shape=given.get(spec.name, spec.shape)) for spec in self.open]

    def batches(self, count: int, seed: int, unknown: int) -> list[Feeds]:
        """One random batch after another; a single one, if nothing is random."""
        if not self.open:
            return [self.with_originals(self.known)]
        random = (random_feeds(self.open, seed=seed + i, unknown=unknown) for i in range(count))
        return [self.with_originals({**self.known, **values}) for values in random]

    def with_originals(self, feeds: Feeds) -> Feeds:
        """What is fed to an input of the result, to the original's tensor as well."""
        return {**feeds, **{old: feeds[new] for new, old in self.originals.items() if new in feeds}}

    def fed_to_result(self, feeds: Feeds) -> list[TensorSpec]:
        """Those of the tensors that are inputs of the result too. What became a constant there must stand the test."""
        specs = _specs(self.result, feeds)
        return [s for s in specs if not self.is_constant(self.result, s) or self.is_constant(self.original, s)]

    def is_constant(self, model: Model, spec: TensorSpec) -> bool:
        """Whether the tensor is a constant of ``model``."""
        found = model.graph.get(node_of(spec.name))
        return found is not None and found.op == "Const"

    def of_original(self, batches: Sequence[Feeds], values: Mapping[str, Payload] | None) -> list[list[NDArray[Any]]]:
        """The outputs of the original; where random inputs may be why it cannot run, the error says what they were."""
        try:
            return self.computed(self.original, _specs(self.original, batches[0]), batches, values)
        except GraphscopeError as error:
            if not self.open or error.hint is not None or type(error) is not GraphscopeError:
                raise
            fed = ", ".join(_fed_text(spec, batches[0]) for spec in self.open[:_MAX_LISTED])
            raise GraphscopeError(error.message, hint=unsuitable(fed)) from error

    def of_result(self, batches: Sequence[Feeds]) -> list[list[NDArray[Any]]]:
        """The outputs of the result."""
        if self.engine is not None:
            return [self.engine(self.outputs, feeds) for feeds in batches]
        return self.computed(self.result, self.fed_to_result(batches[0]), batches, None)

    def computed(
        self,
        model: Model,
        specs: Sequence[TensorSpec],
        batches: Sequence[Feeds],
        values: Mapping[str, Payload] | None,
    ) -> list[list[NDArray[Any]]]:
        """The outputs of ``model`` for each batch, of which it is fed ``specs``."""
        names = [spec.name for spec in specs]
        with open_session(
            _as_written(model), self.outputs, given=specs, values=values, config=_exact, trust=self.trust
        ) as session:
            return [self.checked(session.run(self.outputs, {n: feeds[n] for n in names})) for feeds in batches]

    def checked(self, values: Sequence[NDArray[Any] | None]) -> list[NDArray[Any]]:
        """The values; an error for a node that has none."""
        for name, value in zip(self.outputs, values):
            if value is None:
                raise GraphscopeError(f"{name} has no output that could be compared")
        return [value for value in values if value is not None]


def _specs(model: Model, feeds: Feeds) -> list[TensorSpec]:
    """Those of the tensors ``feeds`` that ``model`` has."""
    return [tensor_spec(model, name) for name in feeds if TensorName.parse(name).node in model.graph]


def _fed_text(spec: TensorSpec, feeds: Feeds) -> str:
    unknown = ", of unknown rank in the file" if spec.shape is None else ""
    return f"{spec.name} {spec.dtype.label} {shape_text(feeds[spec.name].shape)}{unknown}"


def _shapes(feeds: Feeds) -> tuple[TensorSpec, ...]:
    return tuple(TensorSpec(name, DataType.from_numpy(value.dtype), value.shape) for name, value in feeds.items())


def _compare(
    expected: Sequence[Sequence[NDArray[Any]]], actual: Sequence[Sequence[NDArray[Any]]], atol: float, rtol: float
) -> list[Difference]:
    """One difference for each output, over all batches."""
    batches = [[compare(e, a, atol, rtol) for e, a in zip(*pair)] for pair in zip(expected, actual)]
    return [merge_differences(of_output) for of_output in zip(*batches)]


def _as_written(model: Model) -> Model:
    """``model`` with :func:`_exact` in the calls of functions too: each carries a configuration of its own."""
    graph = model.graph
    if not graph.functions:
        return model
    config = AttrValue(s=_exact().SerializeToString())

    def plain(body: Body) -> list[Node]:
        return [
            make_node(n.name, n.op, n.inputs, {**n.attrs, "config_proto": config}) if n.op in CALL_OPS else n
            for n in body
        ]

    functions = [function.with_nodes(plain(function)) for function in graph.functions.values()]
    return replace(model, loaded_graph=graph.with_nodes(plain(graph)).with_functions(functions))


def _exact() -> Any:
    """A configuration in which Grappler leaves the graph as it stands: its rewrites change the last bits."""
    config = session_config()
    config.graph_options.rewrite_options.disable_meta_optimizer = True
    return config
