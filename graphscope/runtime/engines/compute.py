"""Computes a model's outputs in another engine than TensorFlow: the model is frozen in memory for the given feeds."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from graphscope.advice import Advice, Option
from graphscope.core.model import Model
from graphscope.core.ops.sets import PLACEHOLDER_OPS
from graphscope.core.tensors import Shape, TensorName, TensorSpec
from graphscope.errors import GraphscopeError
from graphscope.export.refusal import NotExportableError
from graphscope.feeding.default_feeds import fit_feeds
from graphscope.feeding.missing_feeds import refuse_unfed
from graphscope.runtime.engines.table import TENSORFLOW, Engine
from graphscope.runtime.run_result import RunResult
from graphscope.transforms.freeze import FreezeOptions, freeze

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from graphscope.core.graph import Graph
    from graphscope.runtime.engines.program import Program


def compute(
    model: Model, engine: Engine, outputs: Sequence[str], feeds: Mapping[str, NDArray[Any]] | None = None
) -> RunResult:
    """Computes ``outputs`` as :func:`graphscope.runtime.run.run` does, up to rounding, without TensorFlow.

    Placeholders that are fed a scalar (training switches, rates) become constants.

    Args:
        outputs: tensors.
        feeds: node or tensor name -> value; any tensor may be fed.

    Raises:
        UnknownNameError: the model has no such output or tensor.
        IncompleteModelError: a variable has no value.
        MissingDependencyError: the engine is not installed.
        GraphscopeError: a placeholder is not fed, a value does not fit, or the engine cannot run this.
    """
    return RunResult(tuple(EngineRun(model, engine)(outputs, feeds or {})), (), {})


class EngineRun:
    """A model in an engine. The prepared program is reused as long as inputs have the same shapes."""

    def __init__(self, model: Model, engine: Engine) -> None:
        self._model = model
        self._engine = engine
        self._key: object = None
        self._prepared: Program | None = None

    def __call__(self, outputs: Sequence[str], feeds: Mapping[str, NDArray[Any]]) -> list[NDArray[Any]]:
        """The outputs; raises as :func:`compute`."""
        fed = fit_feeds(self._model, feeds)
        values = {spec.name: value for spec, value in fed.items()}
        return list(self._program(outputs, fed).run(outputs, values))

    def _program(self, outputs: Sequence[str], fed: Mapping[TensorSpec, NDArray[Any]]) -> Program:
        fixed = _fixed_values(self._model, fed)
        key = (
            *(tuple(outputs), *((spec.name, value.shape) for spec, value in fed.items())),
            *((name, value.tobytes()) for name, value in fixed.items()),
        )
        if self._prepared is None or self._key != key:
            self._key, self._prepared = key, _prepare(self._model, self._engine, outputs, fed, fixed)
        return self._prepared


def _prepare(
    model: Model,
    engine: Engine,
    outputs: Sequence[str],
    fed: Mapping[TensorSpec, NDArray[Any]],
    fixed: Mapping[str, NDArray[Any]],
) -> Program:
    """The model as a program for the given feeds."""
    refuse_unfed(model, outputs, list(fed))
    shapes: dict[str, Shape] = {spec.name: value.shape for spec, value in fed.items()}
    cuts = [name for name in shapes if name not in fixed]
    return frozen_program(model, engine, FreezeOptions(outputs, cuts, fixed, shape_of=shapes.get), shapes)


def frozen_program(model: Model, engine: Engine, options: FreezeOptions, shapes: Mapping[str, Shape]) -> Program:
    """A model, frozen in memory and ready to run; tensors have the model's names.

    Args:
        options: how it is frozen.
        shapes: fed tensor -> its shape.

    Raises:
        MissingDependencyError: the engine is not installed.
        GraphscopeError: as freezing; the engine cannot load the graph.
    """
    frozen = freeze(model, options)
    names = {old: new for new, old in frozen.originals.items()}
    renamed = {names.get(name, name): shape for name, shape in shapes.items()}
    known = {name: shape for name, shape in renamed.items() if _has_node(frozen.graph, name)}
    try:
        return _Renamed(engine.of_graph(frozen.graph, options.outputs, known, model.path), names)
    except NotExportableError as error:
        elsewhere = Advice(Option("engine", TENSORFLOW), " runs it in TensorFlow")
        raise GraphscopeError(error.message, hint=elsewhere) from error


class _Renamed:
    """A program of a frozen graph, fed by the names that the model has for its tensors.

    Args:
        names: tensor of the model -> its name in the frozen graph, if that is another.
    """

    def __init__(self, program: Program, names: Mapping[str, str]) -> None:
        self.program = program
        self.names = names

    def run(self, outputs: Sequence[str], feeds: Mapping[str, NDArray[Any]]) -> list[NDArray[Any]]:
        """See :class:`graphscope.runtime.engines.program.Program`."""
        return self.program.run(outputs, {self.names.get(name, name): value for name, value in feeds.items()})


def _fixed_values(model: Model, fed: Mapping[TensorSpec, NDArray[Any]]) -> dict[str, NDArray[Any]]:
    """Scalars of placeholders: training switches, rates."""
    return {spec.name: value for spec, value in fed.items() if not value.shape and _op(model, spec) in PLACEHOLDER_OPS}


def _op(model: Model, spec: TensorSpec) -> str:
    return model.graph[TensorName.parse(spec.name).node].op


def _has_node(graph: Graph, name: str) -> bool:
    return TensorName.parse(name).node in graph
