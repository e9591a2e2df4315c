"""The reference for an export: the model in TensorFlow, or its frozen graph in OpenVINO if TensorFlow is not installed."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from importlib.util import find_spec
from typing import TYPE_CHECKING, Any

from graphscope.errors import GraphscopeError, MissingDependencyError
from graphscope.runtime.engines.table import ENGINES, TENSORFLOW
from graphscope.runtime.tensorflow import tensorflow

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from graphscope.api.freeze import Frozen
    from graphscope.runtime.engines.program import Program

STAND_IN = "openvino"
"""It has its own reader of frozen graphs, so its results do not depend on our converters."""


@dataclass(frozen=True, slots=True)
class Reference:
    """The reference of a verification.

    Attributes:
        engine: the row of :data:`graphscope.runtime.engines.table.ENGINES`.
        run: computes tensors of the frozen graph; ``None`` if the model itself runs in TensorFlow.
    """

    engine: str
    run: Callable[[Sequence[str], Mapping[str, NDArray[Any]]], list[NDArray[Any]]] | None = None


def reference_of(frozen: Frozen) -> Reference:
    """TensorFlow, or its substitute.

    Raises:
        MissingDependencyError: neither is installed.
    """
    try:
        tensorflow()
    except MissingDependencyError:
        if find_spec(STAND_IN) is None:
            raise
        return Reference(STAND_IN, _StandIn(frozen).run)
    return Reference(TENSORFLOW)


@dataclass
class _StandIn:
    """Loads the frozen graph when it is known which shapes are fed."""

    frozen: Frozen
    program: Program | None = field(default=None, init=False)

    def run(self, outputs: Sequence[str], feeds: Mapping[str, NDArray[Any]]) -> list[NDArray[Any]]:
        try:
            if self.program is None:
                graph, path = self.frozen.result.graph, self.frozen.source.path
                shapes = {name: value.shape for name, value in feeds.items()}
                self.program = ENGINES[STAND_IN].of_graph(graph, outputs, shapes, path)
            return self.program.run(outputs, feeds)
        except GraphscopeError as error:
            raise GraphscopeError(
                f"without TensorFlow, the file cannot be verified: {error.message}",
                hint="pip install 'tf-graphscope[tensorflow]'",
            ) from error
