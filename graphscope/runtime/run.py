"""Runs a model once: variables restored, what is given fed, the outputs computed."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from graphscope.advice import Advice, Option, join_options
from graphscope.core.dtypes import DataType
from graphscope.core.model import Model
from graphscope.core.payload import Payload
from graphscope.core.tensors import TensorName, TensorSpec, node_of, shape_text
from graphscope.errors import GraphscopeError
from graphscope.feeding.default_feeds import fit_feeds
from graphscope.feeding.feeds import required_inputs
from graphscope.formats.media.pictures import picture_shape
from graphscope.protos import RunMetadata
from graphscope.runtime.config import AS_STATED, DEFAULT, Placing, SessionOptions
from graphscope.runtime.master import placed_config
from graphscope.runtime.session import Session, open_session
from graphscope.runtime.tensorflow import tensorflow
from graphscope.tracing.profile import placement
from graphscope.tracing.report import Placement
from graphscope.tracing.trace import Trace
from graphscope.transforms.switches import open_switches

if TYPE_CHECKING:
    from numpy.typing import NDArray

_MAX_LISTED = 6


@dataclass(frozen=True, slots=True)
class RunResult:
    """What :func:`run` computed.

    Attributes:
        values: of the outputs, in order; ``None`` for a node without outputs, which ran.
        devices: full names of the devices that were there.
        absent: device that the graph names and that was not there -> the nodes that name it; they ran elsewhere.
        placement: what ran where, if it was asked for.
    """

    values: tuple[NDArray[Any] | None, ...]
    devices: tuple[str, ...]
    absent: Mapping[str, Sequence[str]]
    placement: tuple[Placement, ...]


def run(
    model: Model,
    outputs: Sequence[str],
    feeds: Mapping[str, NDArray[Any]] | None = None,
    *,
    values: Mapping[str, Payload] | None = None,
    options: SessionOptions = DEFAULT,
    placing: Placing = AS_STATED,
    trust: bool = False,
) -> RunResult:
    """Computes ``outputs`` as a session that restored the model would, to the bit. Starts TensorFlow.

    Nothing of the model's files changes: a train op works on the variables in memory.

    Args:
        outputs: tensors, or nodes.
        feeds: node or tensor name -> value; any tensor may be fed. Placeholders with a default may be left out.
        values: variable op -> content that replaces the checkpoint's.
        options: of the session; with ``log_placement``, the result says what ran where.
        placing: where nodes run.
        trust: runs nodes that touch files, the network or processes too.

    Raises:
        UnknownNameError: the model has no such output or tensor.
        IncompleteModelError: a variable has no value.
        UnsupportedError: an op is needed that TensorFlow does not have.
        UntrustedError: the graph does more than compute, and ``trust`` is not set.
        MissingDependencyError: TensorFlow is not installed.
        GraphscopeError: a placeholder is not fed, a value does not fit, or TensorFlow cannot run this.
    """
    fed = fit_feeds(model, feeds or {})
    given, fed_values = list(fed), {spec.name: value for spec, value in fed.items()}
    refuse_unfed(model, outputs, given)
    with open_session(
        model,
        outputs,
        given=given,
        values=values,
        placing=placing,
        config=lambda: placed_config(options, placing),
        trust=trust,
    ) as session:
        found, placed = _computed(session, outputs, fed_values, options.log_placement)
        return RunResult(tuple(found), tuple(session.devices), session.absent, placed)


def _computed(
    session: Session, outputs: Sequence[str], feeds: Mapping[str, NDArray[Any]], is_traced: bool
) -> tuple[list[NDArray[Any] | None], tuple[Placement, ...]]:
    if not is_traced:
        return session.run(outputs, feeds), ()
    tf1 = tensorflow().compat.v1
    metadata = tf1.RunMetadata()
    traced = tf1.RunOptions(output_partition_graphs=True)
    found = session.run(outputs, feeds, options=traced, run_metadata=metadata)
    told = RunMetadata.FromString(metadata.SerializeToString())
    return found, tuple(placement(Trace(session.model.path, [told], [0], graph=session.part)))


def refuse_unfed(model: Model, outputs: Sequence[str], given: Sequence[TensorSpec]) -> None:
    """Raises an error, if ``outputs`` need a placeholder that is not ``given``.

    Raises:
        UnknownNameError: an output is not in the graph.
        GraphscopeError: one is missing; the error says type and shape of each, its hint what to type.
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
        hint=Advice(*join_options(" ", [Option("feeds", _example(spec, switches)) for spec in shown])),
    )


def _example(spec: TensorSpec, switches: Mapping[str, str]) -> str:
    """A value that a person might want: a switch set for inference, a picture, anything."""
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
_FLAT = 784
"""A picture of fewer pixels along a side, or in a row, is hardly one."""


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
            return (c in _CHANNELS and min(a, b) >= _SIDE) or (a in _CHANNELS and min(b, c) >= _SIDE) or b == c >= _SIDE
        case (None, int(a), int(b)) | (int(a), int(b)) if a == b:
            return a >= _SIDE
        case (_, int(a)) | (int(a),):
            return a >= _FLAT
    return False
