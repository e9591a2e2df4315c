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
    fed = fit_feeds(model, feeds or {})
    refuse_unfed(model, outputs, list(fed))
    values = {spec.name: value for spec, value in fed.items()}
    frozen = _frozen(model, outputs, fed)
    given = {new: values[old] for new, old in _names(frozen, values).items()}
    shapes: dict[str, Shape] = {name: value.shape for name, value in given.items() if _has_node(frozen.graph, name)}
    try:
        program = engine.of_graph(frozen.graph, outputs, shapes, model.path)
    except NotExportableError as error:
        elsewhere = Advice(Option("engine", TENSORFLOW), " runs it in TensorFlow")
        raise GraphscopeError(error.message, hint=elsewhere) from error
    return RunResult(tuple(program.run(outputs, given)), (), {})


def _frozen(model: Model, outputs: Sequence[str], fed: Mapping[TensorSpec, NDArray[Any]]) -> FrozenGraph:
    fixed = {spec.name: value for spec, value in fed.items() if not value.shape and _op(model, spec) in PLACEHOLDER_OPS}
    cuts = [spec.name for spec in fed if spec.name not in fixed]
    shapes = {spec.name: value.shape for spec, value in fed.items()}
    return freeze(model, FreezeOptions(outputs, cuts, fixed, shape_of=shapes.get))


def _op(model: Model, spec: TensorSpec) -> str:
    return model.graph[TensorName.parse(spec.name).node].op


def _names(frozen: FrozenGraph, values: Mapping[str, NDArray[Any]]) -> dict[str, str]:
    """Input of the frozen graph -> the model's tensor that is fed to it."""
    renamed = {old: new for new, old in frozen.originals.items()}
    return {renamed.get(name, name): name for name in values}


def _has_node(graph: Graph, name: str) -> bool:
    return TensorName.parse(name).node in graph
