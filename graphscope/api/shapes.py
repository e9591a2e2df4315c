"""Shapes of a whole graph, with notes on unknown shapes."""

from __future__ import annotations

from collections.abc import Mapping

from graphscope.advice import Advice, Option
from graphscope.analysis.shapes import Shapes, infer
from graphscope.analysis.shapes.concrete import infer_concrete
from graphscope.analysis.tensors import Shapes as ShapesByName
from graphscope.core.listener import Listener
from graphscope.core.model import Model
from graphscope.core.ops.table import registered_ops
from graphscope.core.tensors import Shape, shape_text
from graphscope.errors import GraphscopeError, some

_MAX_NAMED = 8


def inferred_shapes(
    model: Model,
    listener: Listener,
    *,
    shape: Mapping[str, Shape] | None = None,
    batch: int | None = None,
    asks: bool = False,
) -> ShapesByName:
    """Tensor name -> shape, for every tensor of known rank; ``listener`` receives notes on unknown shapes and their reasons.

    Args:
        shape, batch: as :func:`graphscope.analysis.shapes.concrete.infer_concrete`.
        asks: start TensorFlow if the graph has ops without a shape rule that TensorFlow knows.

    Raises:
        UnknownNameError: ``shape`` names no node.
        GraphscopeError: a shape does not fit the one that the graph states.
        IncompleteModelError: the model is a checkpoint without a graph.
    """
    found = _infer(model, shape, batch, listener)
    _tell(found, listener)
    lacking = {op: number for op, number in found.without_rule.items() if op in registered_ops()}
    if not lacking:
        return found.by_name
    if asks:
        return {**_by_tensorflow(model, listener), **found.by_name}
    named = some([f"{op} {number:,}" for op, number in lacking.items()], _MAX_NAMED)
    listener.note(Advice(f"no shapes below ops without a rule: {named}; ", Option("shapes", True), " asks TensorFlow"))
    return found.by_name


def _infer(model: Model, shape: Mapping[str, Shape] | None, batch: int | None, listener: Listener) -> Shapes:
    if not shape and batch is None:
        return infer(model)
    concrete = infer_concrete(model, shape, batch)
    if batch is not None and concrete.batch is None:
        listener.note("no input has an open batch dimension")
    return concrete.shapes


def _tell(found: Shapes, listener: Listener) -> None:
    unknown = [f"{op} {number:,}" for op, number in found.without_rule.items() if op not in registered_ops()]
    if unknown:
        listener.note(f"no shapes below ops that TensorFlow does not know: {some(unknown, _MAX_NAMED)}")
    if found.errors:
        name, reason = next(iter(found.errors.items()))
        nodes = "1 node" if len(found.errors) == 1 else f"{len(found.errors):,} nodes"
        listener.note(f"no shapes below {nodes} that TensorFlow would refuse: {name} ({reason})")
    assumed = [f"{name} {shape_text(found.shape(name))}" for name in found.assumed_placeholders]
    if assumed:
        listener.note(f"shapes missing in the file were inferred from their consumers: {some(assumed, _MAX_NAMED)}")


def _by_tensorflow(model: Model, listener: Listener) -> ShapesByName:
    """The shapes from TensorFlow; nothing, with a note, if it cannot run."""
    from graphscope.runtime.shapes import infer_shapes

    try:
        return infer_shapes(model).shapes
    except GraphscopeError as error:
        listener.note(f"some shapes are unknown, because only TensorFlow can infer them: {error}")
        return {}
