"""Finds the node of a graph that produces the first NaN or infinity."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from graphscope.analysis.tensors import TensorLister
from graphscope.core.checks.unconditional import unconditional_nodes
from graphscope.core.model import Model
from graphscope.core.ops.sets import VARIABLE_OPS
from graphscope.core.shown import Shown
from graphscope.core.tensors import Shape, TensorName, node_of
from graphscope.feeding.dependencies import need
from graphscope.feeding.feeds import tensor_spec
from graphscope.named_tuple import NamedTuple
from graphscope.runtime.comparing.chunks import Chunks
from graphscope.runtime.comparing.comparison import Comparison, Feeds
from graphscope.runtime.comparing.layers import MAX_BYTES
from graphscope.runtime.session import Session

if TYPE_CHECKING:
    from numpy.typing import NDArray

_STORED = VARIABLE_OPS | {"Const", "ReadVariableOp"}
"""Ops that return stored values; an infinity in them counts as intended (a mask), a NaN does not."""


@dataclass(frozen=True, slots=True)
class ValueRange:
    """The values of a tensor.

    Attributes:
        tensor, shape: its name and the shape that it had.
        low, high: the smallest and the largest finite number; ``None`` if there is none.
        nans, infinities: how many elements are not finite.
    """

    tensor: str
    shape: Shape
    low: float | None
    high: float | None
    nans: int
    infinities: int


@dataclass(frozen=True, slots=True, repr=False)
class NonfiniteReport(Shown):
    """The result of :func:`find_nonfinite`.

    Attributes:
        path: of the model.
        checked: number of checked tensors, up to the one found.
        node, op: the node that produces a NaN or an infinity; empty if none does.
        output: its tensor.
        inputs: the inputs of the node.
    """

    path: str
    checked: int
    node: str = ""
    op: str = ""
    output: ValueRange | None = None
    inputs: tuple[ValueRange, ...] = ()

    def __repr__(self) -> str:
        verdict = "all finite" if self.is_finite else f"first at {self.node!r}"
        return f"<NonfiniteReport {self.path!r}: {verdict}>"

    @property
    def is_finite(self) -> bool:
        """Whether no such node was found."""
        return self.output is None


class _Kinds(NamedTuple):
    """Whether a tensor holds a NaN, an infinity."""

    nan: bool
    infinite: bool


_FINITE = _Kinds(False, False)


def find_nonfinite(
    run: Comparison,
    *,
    seed: int = 0,
    unknown: int = 2,
    max_bytes: int = MAX_BYTES,
    progress: Callable[[int], None] = lambda _: None,
) -> NonfiniteReport:
    """Finds the first node of the original with a NaN or an infinity in its output but not in its inputs. Starts TensorFlow.

    Args:
        run: the model, the outputs and what is fed.
        seed, unknown: see :meth:`Comparison.batches`.
        max_bytes: maximum size of the tensors fetched at a time.
        progress: receives the number of checked tensors.

    Raises:
        GraphscopeError: the model cannot run.
    """
    [feeds] = run.batches(1, seed, unknown)
    search = _Search(run.original, feeds)
    tensors = search.tensors(run.original_outputs)
    with run.blaming_inputs(feeds), run.open_original(feeds) as session:
        for names in Chunks(run.original, feeds, max_bytes).of(tensors):
            found = search.first(names, session.run(names, feeds))
            progress(len(names))
            if found is not None:
                return search.report(session, found)
    return NonfiniteReport(run.original.path, search.checked)


@dataclass
class _Search:
    model: Model
    feeds: Feeds
    kinds: dict[str, _Kinds] = field(default_factory=dict)
    checked: int = 0

    def tensors(self, outputs: Sequence[str]) -> list[str]:
        """The floating-point tensors that the outputs need, producers before consumers."""
        given = [tensor_spec(self.model, name) for name in self.feeds]
        graph = self.model.graph
        lister = TensorLister(self.model.catalog, graph.producer)
        nodes = unconditional_nodes(graph, need(graph, outputs, given).names)
        specs = (spec for name in nodes for spec in lister.outputs(graph[name], graph))
        return [spec.name for spec in specs if spec.dtype.is_floating]

    def first(self, names: Sequence[str], values: Sequence[NDArray[Any] | None]) -> str | None:
        """The first tensor with a kind of non-finite value that its inputs do not have."""
        for name, value in zip(names, values):
            kinds = _FINITE if value is None else _kinds(value)
            self.kinds[name] = kinds
            self.checked += 1
            if kinds != _FINITE and name not in self.feeds and self._is_made(name, kinds):
                return name
        return None

    def _is_made(self, name: str, kinds: _Kinds) -> bool:
        node = self.model.graph[node_of(name)]
        if node.op in _STORED:
            return kinds.nan
        sources = [self.kinds.get(text, _FINITE) for text in self._inputs(node.name)]
        has = _Kinds(any(s.nan for s in sources), any(s.infinite for s in sources))
        return (kinds.nan and not has.nan) or (kinds.infinite and not has.infinite and not has.nan)

    def _inputs(self, name: str) -> list[str]:
        return [str(TensorName.parse(text)) for text in self.model.graph[name].data_inputs()]

    def report(self, session: Session, name: str) -> NonfiniteReport:
        """The inputs and the output of the node."""
        node = self.model.graph[node_of(name)]
        names = [name, *(text for text in dict.fromkeys(self._inputs(node.name)) if text in self.kinds)]
        ranges = [
            _range(text, value) for text, value in zip(names, session.run(names, self.feeds)) if value is not None
        ]
        return NonfiniteReport(self.model.path, self.checked, node.name, node.op, ranges[0], tuple(ranges[1:]))


def _kinds(value: NDArray[Any]) -> _Kinds:
    import numpy as np

    if np.isfinite(value).all():
        return _FINITE
    return _Kinds(bool(np.isnan(value).any()), bool(np.isinf(value).any()))


def _range(name: str, value: NDArray[Any]) -> ValueRange:
    import numpy as np

    finite = value[np.isfinite(value)]
    low, high = (float(finite.min()), float(finite.max())) if finite.size else (None, None)
    return ValueRange(name, value.shape, low, high, int(np.isnan(value).sum()), int(np.isinf(value).sum()))
