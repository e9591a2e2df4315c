"""Computes a model's outputs in an engine that is not TensorFlow: the model is frozen in memory for what is fed."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from graphscope.advice import Advice, Option
from graphscope.core.model import Model
from graphscope.core.op_sets import PLACEHOLDER_OPS
from graphscope.core.tensors import Shape, TensorName, TensorSpec
from graphscope.errors import GraphscopeError
from graphscope.export.refusal import NotExportableError
from graphscope.feeding.default_feeds import fit_feeds
from graphscope.feeding.missing_feeds import refuse_unfed
from graphscope.runtime.engines.table import TENSORFLOW, Engine
from graphscope.runtime.run_result import RunResult
from graphscope.transforms.freeze import FreezeOptions, FrozenGraph, freeze

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
    """A model in an engine. What is prepared for one call serves the next ones, while inputs have the same shapes."""

    def __init__(self, model: Model, engine: Engine) -> None:
        self._model = model
        self._engine = engine
        self._key: object = None
        self._prepared: tuple[Program, Mapping[str, str]] | None = None

    def __call__(self, outputs: Sequence[str], feeds: Mapping[str, NDArray[Any]]) -> list[NDArray[Any]]:
        """The outputs; raises as :func:`compute`."""
        fed = fit_feeds(self._model, feeds)
        program, names = self._program(outputs, fed)
        values = {spec.name: value for spec, value in fed.items()}
        return list(program.run(outputs, {new: values[old] for new, old in names.items()}))

    def _program(
        self, outputs: Sequence[str], fed: Mapping[TensorSpec, NDArray[Any]]
    ) -> tuple[Program, Mapping[str, str]]:
        fixed = _fixed(self._model, fed)
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
) -> tuple[Program, Mapping[str, str]]:
    """The model as a program, and for each of its inputs the model's tensor that is fed to it."""
    refuse_unfed(model, outputs, list(fed))
    shapes: dict[str, Shape] = {spec.name: value.shape for spec, value in fed.items()}
    cuts = [name for name in shapes if name not in fixed]
    frozen = freeze(model, FreezeOptions(outputs, cuts, fixed, shape_of=shapes.get))
    names = _names(frozen, cuts)
    known = {new: shapes[old] for new, old in names.items() if _has_node(frozen.graph, new)}
    try:
        return engine.of_graph(frozen.graph, outputs, known, model.path), names
    except NotExportableError as error:
        elsewhere = Advice(Option("engine", TENSORFLOW), " runs it in TensorFlow")
        raise GraphscopeError(error.message, hint=elsewhere) from error


def _fixed(model: Model, fed: Mapping[TensorSpec, NDArray[Any]]) -> dict[str, NDArray[Any]]:
    """Scalars of placeholders: training switches, rates."""
    return {spec.name: value for spec, value in fed.items() if not value.shape and _op(model, spec) in PLACEHOLDER_OPS}


def _op(model: Model, spec: TensorSpec) -> str:
    return model.graph[TensorName.parse(spec.name).node].op


def _names(frozen: FrozenGraph, cuts: Sequence[str]) -> dict[str, str]:
    """Input of the frozen graph -> the model's tensor that is fed to it."""
    renamed = {old: new for new, old in frozen.originals.items()}
    return {renamed.get(name, name): name for name in cuts}


def _has_node(graph: Graph, name: str) -> bool:
    return TensorName.parse(name).node in graph
