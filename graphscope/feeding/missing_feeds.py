"""Refuses to run without required feeds, and says what to type."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from graphscope.advice import Advice, Option, Options
from graphscope.core.model import Model
from graphscope.core.tensors import TensorName, TensorSpec, node_of, shape_text
from graphscope.core.values.dtypes import DataType
from graphscope.errors import GraphscopeError
from graphscope.feeding.feeds import required_inputs
from graphscope.formats.media.pictures import picture_shape
from graphscope.transforms.findings.sources import data_sources, fed_places
from graphscope.transforms.findings.switches import open_switches

_MAX_LISTED = 6


def refuse_unfed(model: Model, outputs: Sequence[str], given: Sequence[TensorSpec]) -> None:
    """Raises an error if ``outputs`` need a placeholder that is not ``given``.

    Raises:
        UnknownNameError: an output is not in the graph.
        GraphscopeError: one is missing; the error states the type and shape of each, the hint what to type.
    """
    missing = required_inputs(model, outputs, given)
    if not missing:
        return
    switches = open_switches(model.graph)
    shown = missing[:_MAX_LISTED]
    width = max(len(spec.name) for spec in shown)
    lines = [f"{spec.name:{width}}  {spec.dtype.label} {shape_text(spec.shape)}" for spec in shown]
    lines += [f"and {len(missing) - _MAX_LISTED} more"] if len(missing) > _MAX_LISTED else []
    wanted = ", ".join(outputs[:2]) + (" and more" if len(outputs) > 2 else "")
    counted = "a placeholder that is not fed" if len(missing) == 1 else f"{len(missing)} placeholders that are not fed"
    raise GraphscopeError(
        f"{model.path}: {wanted} needs {counted}:\n" + "\n".join(lines),
        hint=Advice(
            Options(
                tuple(Option("feeds", value) for spec in shown for value in _examples(model, outputs, spec, switches))
            )
        ),
    )


def _examples(model: Model, outputs: Sequence[str], spec: TensorSpec, switches: Mapping[str, str]) -> list[str]:
    """What to feed; for the handle of an iterator, which belongs to another process, what the iterator gives."""
    graph, node = model.graph, node_of(spec.name)
    if all(consumer.op in _HANDLE_TAKERS for consumer in graph.consumers(node)):
        after, needed = graph.descendants([node]), graph.ancestors(map(node_of, outputs))
        places = [
            place
            for s in data_sources(graph)
            if s.node in after.keys() & needed.keys()
            for place in fed_places(graph, s, needed)
        ]
        if places:
            return [f"{place}=random" for place in dict.fromkeys(places)]
    return [_example(spec, switches)]


_HANDLE_TAKERS = frozenset({"IteratorFromStringHandle", "IteratorFromStringHandleV2"})


def _example(spec: TensorSpec, switches: Mapping[str, str]) -> str:
    """A plausible value: a switch set for inference, a picture, or random."""
    node = node_of(spec.name)
    name = node if TensorName.parse(spec.name).index == 0 else spec.name
    if node in switches:
        return f"{name}={switches[node]}"
    if _takes_pictures(spec):
        return f"{name}=@picture.png"
    return f"{name}={'random' if spec.shape else _SCALARS.get(spec.dtype, 'random')}"


_SCALARS = {DataType.BOOL: "false", DataType.STRING: "text"}


_CHANNELS = frozenset({1, 3, 4})
_SIDE = 8
"""A picture of fewer pixels along a side is hardly one."""
_GREY_SIDE = 28
"""Where no size is that of channels, a square of fewer is rather a matrix: the smallest usual pictures are MNIST's."""
_FLAT = _GREY_SIDE**2


def _takes_pictures(spec: TensorSpec) -> bool:
    if not (spec.dtype.is_floating or spec.dtype is DataType.UINT8) or not _is_like_pictures(spec.shape or ()):
        return False
    try:
        return picture_shape(spec.shape).channels > 0
    except GraphscopeError:
        return False


def _is_like_pictures(shape: tuple[int | None, ...]) -> bool:
    """Whether a shape is more likely that of pictures than of sequences or plain features."""
    match shape:
        case (_, a, _, c):
            return c in _CHANNELS or a in _CHANNELS
        case (int(a), int(b), int(c)):
            return (
                (c in _CHANNELS and min(a, b) >= _SIDE)
                or (a in _CHANNELS and min(b, c) >= _SIDE)
                or b == c >= _GREY_SIDE
            )
        case (None, int(a), int(b)) | (int(a), int(b)) if a == b:
            return a >= _GREY_SIDE
        case (_, int(a)) | (int(a),):
            return a >= _FLAT
    return False
