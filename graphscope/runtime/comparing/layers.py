"""Compares two models tensor by tensor: where they start to differ, and how the difference grows."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING, Any

from graphscope.advice import Advice, Option
from graphscope.analysis.diff.counterparts import counterparts
from graphscope.analysis.tensors import TensorLister
from graphscope.core.checks.unconditional import unconditional_nodes
from graphscope.core.model import Model
from graphscope.core.shown import Shown
from graphscope.core.tensors import TensorSpec, node_of
from graphscope.core.units import count
from graphscope.core.values.dtypes import DataType
from graphscope.errors import GraphscopeError
from graphscope.feeding.dependencies import need
from graphscope.runtime.comparing.chunks import Chunks
from graphscope.runtime.comparing.comparison import Comparison
from graphscope.runtime.comparing.differences import Difference, compare
from graphscope.runtime.session import Session

if TYPE_CHECKING:
    from numpy.typing import NDArray

MAX_BYTES = 256 << 20
"""The maximum number of bytes of tensors in memory at a time, for sizes known in advance."""

_NO_ARRAY = frozenset({DataType.RESOURCE, DataType.VARIANT, DataType.INVALID})


@dataclass(frozen=True, slots=True)
class LayerDifference:
    """The difference of a tensor between two models.

    Attributes:
        tensor: its name in the second model.
        original: its name in the first.
        op: of the node in the second.
        difference: the largest differences of elements; ``None`` if the second model cannot compute it.
        relative: Euclidean norm of the difference over that of the first model's tensor; ``None`` if that is not a number.
        failure: why the second model cannot compute it.
    """

    tensor: str
    original: str
    op: str
    difference: Difference | None
    relative: float | None
    failure: str = ""

    @property
    def size(self) -> float:
        """To sort by: the relative difference; infinite if there is none."""
        return float("inf") if self.relative is None else self.relative


@dataclass(frozen=True, slots=True, repr=False)
class LayerComparison(Shown):
    """The result of :func:`compare_layers`.

    Attributes:
        compared: number of compared tensors.
        unmatched: nodes of the second model without a counterpart in the first.
        unreachable: nodes within loops and branches, whose tensors cannot be fetched.
        inputs: the fed tensors, with the shapes of their values.
        differing: the tensors that are not within tolerance, producers before consumers.
        growth: those of them that lie on the way from the first one to an output.
        atol, rtol: the tolerance.
    """

    compared: int
    unmatched: int
    unreachable: int
    inputs: tuple[TensorSpec, ...]
    differing: tuple[LayerDifference, ...]
    growth: tuple[LayerDifference, ...]
    atol: float
    rtol: float

    def __repr__(self) -> str:
        return f"<LayerComparison: {count(self.compared, 'tensor')} compared, {len(self.differing):,} differ>"

    @property
    def first(self) -> LayerDifference | None:
        """The tensor at which the models start to differ."""
        return self.differing[0] if self.differing else None

    @property
    def is_within(self) -> bool:
        """Whether all tensors are within tolerance."""
        return not self.differing

    def worst(self, count: int) -> list[LayerDifference]:
        """The ``count`` largest differences, relative to the tensors' sizes."""
        return sorted(self.differing, key=lambda layer: -layer.size)[:count]


def compare_layers(
    run: Comparison,
    *,
    seed: int = 0,
    unknown: int = 2,
    atol: float,
    rtol: float,
    max_bytes: int = MAX_BYTES,
    progress: Callable[[int], None] = lambda _: None,
) -> LayerComparison:
    """Compares every tensor that both models compute on the way to the outputs. Starts TensorFlow.

    Nodes are paired by name, by structure, then within renamed scopes. One batch is run.

    Args:
        run: the models, the outputs and what is fed.
        seed, unknown: see :meth:`Comparison.batches`.
        atol, rtol: the tolerance, see :func:`graphscope.runtime.comparing.verify.verify`.
        max_bytes: maximum size of the tensors fetched at a time; larger models run several times.
        progress: receives the number of compared tensors.

    Raises:
        GraphscopeError: as :func:`graphscope.runtime.comparing.verify.verify`; that the second model fails is a result.
    """
    [feeds] = run.batches(1, seed, unknown)
    work = _Work(run, feeds, atol, rtol, progress)
    chunks = Chunks(run.result, feeds_by_name(run, feeds), max_bytes // 2)
    with run.open_original(feeds) as one, run.open_result(feeds) as two:
        for names in chunks.of(list(work.pairs)):
            work.compare(one, two, names)
    if not (work.compared or work.found):
        raise GraphscopeError(
            f"{run.result.path} computes no tensor that {run.original.path} computes too: nothing was compared",
            hint=Advice(Option("map"), " pairs tensors of the two models"),
        )
    inputs = tuple(TensorSpec(name, DataType.from_numpy(value.dtype), value.shape) for name, value in feeds.items())
    return LayerComparison(
        work.compared, work.unmatched, work.unreachable, inputs, tuple(work.found), tuple(work.growth()), atol, rtol
    )


def feeds_by_name(run: Comparison, feeds: Mapping[str, NDArray[Any]]) -> dict[str, NDArray[Any]]:
    """What the result is fed, by its own names."""
    return {spec.name: feeds[run.renamed(spec.name)] for spec in run.fed_to_result(feeds)}


@dataclass
class _Work:
    run: Comparison
    feeds: Mapping[str, NDArray[Any]]
    atol: float
    rtol: float
    progress: Callable[[int], None]
    compared: int = 0
    unmatched: int = 0
    unreachable: int = 0
    found: list[LayerDifference] = field(default_factory=list)
    failed: set[str] = field(default_factory=set)
    """Nodes of the result that cannot run, and those that need them."""

    @cached_property
    def pairs(self) -> Mapping[str, str]:
        """Tensor of the result -> tensor of the original, producers before consumers."""
        run = self.run
        nodes = {**counterparts(run.original, run.result), **{node_of(n): node_of(o) for n, o in run.names.items()}}
        given = run.fed_to_result(self.feeds)
        needed = need(run.result.graph, run.outputs, given).names
        wanted = need(run.original.graph, run.original_outputs, self._given_to_original()).names
        reachable = unconditional_nodes(run.result.graph, needed)
        others = set(unconditional_nodes(run.original.graph, wanted))
        self.unreachable = len(needed) - len(reachable)
        fed = {spec.name for spec in given}
        found: dict[str, str] = {}
        for name in reachable:
            other = nodes.get(name)
            if other is None or other not in others:
                self.unmatched += other is None
                continue
            found.update((n, o) for n, o in self._tensors(name, other) if n not in fed)
        return found

    def _given_to_original(self) -> list[TensorSpec]:
        return [
            TensorSpec(name, DataType.from_numpy(value.dtype), value.shape)
            for name, value in self.feeds.items()
            if node_of(name) in self.run.original.graph
        ]

    def _tensors(self, name: str, other: str) -> Iterator[tuple[str, str]]:
        """The tensors of two nodes that can be compared."""
        pairs = zip(_outputs(self.run.result, name), _outputs(self.run.original, other))
        return ((n.name, o.name) for n, o in pairs if not {n.dtype, o.dtype} & _NO_ARRAY)

    def compare(self, one: Session, two: Session, names: Sequence[str]) -> None:
        """Compares some tensors; where the result cannot compute them, finds the one that fails."""
        names = [name for name in names if node_of(name) not in self.failed]
        if not names:
            return
        try:
            values = two.run(names, feeds_by_name(self.run, self.feeds))
        except GraphscopeError as error:
            if len(names) == 1:
                self._fail(names[0], error)
                return
            middle = len(names) // 2
            self.compare(one, two, names[:middle])
            self.compare(one, two, names[middle:])
            return
        with self.run.blaming_inputs(self.feeds):
            expected = one.run([self.pairs[name] for name in names], self.feeds)
        for name, left, right in zip(names, expected, values):
            self._judge(name, left, right)
        self.compared += len(names)
        self.progress(len(names))

    def _fail(self, name: str, error: GraphscopeError) -> None:
        self.failed |= set(self.run.result.graph.descendants([node_of(name)]))
        self.found.append(LayerDifference(name, self.pairs[name], self._op(name), None, None, error.message))

    def _judge(self, name: str, left: NDArray[Any] | None, right: NDArray[Any] | None) -> None:
        if left is None or right is None:
            return
        difference = compare(left, right, self.atol, self.rtol)
        if not difference.is_within:
            relative = _relative(left, right) if not difference.mismatch else None
            self.found.append(LayerDifference(name, self.pairs[name], self._op(name), difference, relative))

    def _op(self, name: str) -> str:
        return self.run.result.graph[node_of(name)].op

    def growth(self) -> list[LayerDifference]:
        """The differing tensors between the first of them and the outputs."""
        if not self.found:
            return []
        graph = self.run.result.graph
        behind = graph.descendants([node_of(self.found[0].tensor)])
        return [layer for layer in self.found if node_of(layer.tensor) in behind]


def _outputs(model: Model, name: str) -> list[TensorSpec]:
    return TensorLister(model.catalog, model.graph.producer).outputs(model.graph[name], model.graph)


def _relative(left: NDArray[Any], right: NDArray[Any]) -> float | None:
    """``||left - right|| / ||left||``; ``None`` for what is no number, or not finite."""
    import numpy as np

    if DataType.from_numpy(left.dtype) is DataType.STRING:
        return None
    wide = np.complex128 if left.dtype.kind == "c" else np.float64
    one, other = left.astype(wide), right.astype(wide)
    norm = float(np.linalg.norm(one))
    apart = float(np.linalg.norm(one - other))
    return apart / norm if norm and np.isfinite(apart) and np.isfinite(norm) else None
