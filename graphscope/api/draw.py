"""``graphscope.draw``: a graph as a picture or a page."""

from __future__ import annotations

import os
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from pathlib import Path

from graphscope.advice import Advice, Option
from graphscope.api.opening import ModelLike, as_model
from graphscope.board.dump import run_name
from graphscope.core.arguments import check_arguments
from graphscope.core.model import Model
from graphscope.core.tensors import node_of
from graphscope.core.units import duration, short_count, size
from graphscope.drawing.amounts import by_name, by_origin
from graphscope.drawing.bodies import Origin, with_bodies
from graphscope.drawing.boxes import Box
from graphscope.drawing.colors import Coloring, by_amount, by_device, by_op
from graphscope.drawing.diagram import Diagram
from graphscope.drawing.diagram import diagram as make_diagram
from graphscope.drawing.drawing import Drawing, SavedDrawing
from graphscope.errors import ArgumentError, CorruptFileError, FileError, GraphscopeError, UnknownNameError


@check_arguments
def draw(
    model: ModelLike,
    *,
    depth: int | None = None,
    scope: str = "",
    focus: str = "",
    radius: int = 2,
    color: str = "op",
    profile: str | os.PathLike[str] | None = None,
    checkpoint: str | os.PathLike[str] | None = None,
    tags: str | Collection[str] = (),
) -> Drawing:
    """Draws a graph: name scopes as nested boxes, weights in their layers, tensors with type and shape. Needs no TensorFlow.

    The body of a library function is a scope of each node that calls it, branches and bodies of loops among them.

    Args:
        model: a model, or what :func:`graphscope.load` opens.
        depth: levels of scopes that are open at first, 1 for only the outermost; by default as many as fit.
        scope: draw only this name scope, with its inputs and outputs.
        focus: draw only what is near this node or tensor.
        radius: distance from ``focus`` in edges, in either direction.
        color: ``op`` (kinds of ops), ``device`` (as requested by the graph), ``bytes`` (of outputs, unknown dimensions count as
            1) ``flops`` (of all nodes, as :func:`graphscope.cost` counts them for one example) or ``time`` (of traced runs). A
            page can always show the first three.
        profile: the traced runs, for ``time``: a log directory or an event file (see :func:`graphscope.read_profile`), or a
            timeline (see :meth:`graphscope.Profiled.save_timeline`).
        checkpoint, tags: see :func:`graphscope.load`; only for a path.

    Raises:
        GraphscopeError: as :func:`graphscope.load`.
        IncompleteModelError: the model is a checkpoint without a graph.
        UnknownNameError: there is no such scope or node.
        ArgumentError: ``color`` is not one of these, or only one of ``time`` and ``profile`` is given.
        FileError, CorruptFileError: ``profile`` cannot be read.
    """
    opened = as_model(model, tags=tags, checkpoint=checkpoint)
    if color not in COLORINGS:
        raise ArgumentError(f"unknown color {color!r}", hint=f"known: {', '.join(COLORINGS)}")
    if profile is not None and color != "time":
        raise ArgumentError("traced runs are only used to color by time", hint=Advice(Option("color", "time")))
    if color == "time" and profile is None:
        raise ArgumentError(
            "coloring by time needs traced runs",
            hint=Advice(Option("color", "time"), " ", Option("profile", "logs"), "   reads them from a log directory"),
        )
    bodies = with_bodies(opened)
    name = node_of(focus) if focus and focus not in bodies.model.graph else focus
    diagram = make_diagram(bodies, run_name(opened), name, radius)
    source = _Source(opened, bodies.origins, diagram, profile)
    names = [color, *(name for name in ("op", "device", "bytes") if name != color)]
    colorings = tuple(COLORINGS[name](source) for name in names)
    return Drawing(diagram, _scope(diagram, scope), depth, colorings, bool(focus))


def _scope(diagram: Diagram, name: str) -> Box:
    wanted = name.rstrip("/")
    if not wanted:
        return diagram.root
    for box in diagram.boxes:
        if box.node < 0 and box.name and (box.name == wanted or box.name.startswith(f"{wanted}/")):
            return box
    raise UnknownNameError("name scope", wanted, [box.name for box in diagram.boxes if box.node < 0 and box.name])


TIMELINE = ".json"
"""The suffix of a timeline."""


@dataclass(frozen=True)
class _Source:
    """The criteria for coloring."""

    model: Model
    origins: Mapping[str, Origin]
    diagram: Diagram
    profile: str | os.PathLike[str] | None


def _by_bytes(source: _Source) -> Coloring:
    amounts = source.diagram.output_bytes[: source.diagram.visible]
    return by_amount(source.diagram, "bytes", "Bytes of outputs", amounts, lambda value: size(round(value)))


def _by_flops(source: _Source) -> Coloring:
    from graphscope.api.cost import cost

    rows = cost(source.model, all=True, by="node", batch=1).rows
    found = (((row.function, row.name), float(row.figures.flops)) for row in rows)
    amounts = by_name(source.diagram, by_origin(found, source.origins))
    return by_amount(source.diagram, "flops", "Operations", amounts, lambda value: f"{short_count(round(value))} FLOPs")


def _by_time(source: _Source) -> Coloring:
    assert source.profile is not None
    found = by_name(source.diagram, _times(source.profile).items())
    if not any(found):
        raise GraphscopeError(
            f"{os.fspath(source.profile)}: none of the nodes that ran is in {source.diagram.title}",
            hint="use traces of this model",
        )
    return by_amount(source.diagram, "time", "Time of one step", found, duration)


def _times(profile: str | os.PathLike[str]) -> Mapping[str, float]:
    """Node -> microseconds of one step: in a timeline, or in event files."""
    from graphscope.api.profile import read_profile
    from graphscope.tracing.timeline_times import timeline_times

    if os.fspath(profile).endswith(TIMELINE):
        try:
            return timeline_times(Path(profile).read_bytes())
        except OSError as error:
            raise FileError.from_os_error(error, profile) from error
        except ValueError as error:
            raise CorruptFileError(str(error), path=profile) from error
    result: dict[str, float] = {}
    for cost in read_profile(profile).report.nodes:
        result[cost.name] = result.get(cost.name, 0.0) + cost.times.wall_us
    return result


COLORINGS: Mapping[str, Callable[[_Source], Coloring]] = {
    "op": lambda source: by_op(source.diagram),
    "device": lambda source: by_device(source.diagram),
    "bytes": _by_bytes,
    "flops": _by_flops,
    "time": _by_time,
}
"""What ``color`` may be."""

__all__ = ["Drawing", "SavedDrawing", "draw"]
