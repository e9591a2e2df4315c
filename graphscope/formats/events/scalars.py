"""Scalars in event files, such as logged loss and accuracy.

TensorFlow 1 writes ``simple_value``; TensorFlow 2 a tensor of rank 0, and says ``scalars`` in the plugin's name. Source:
``tensorflow/core/framework/summary.proto`` and ``tensorboard/plugins/scalar/metadata.py``.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from graphscope.core.values.tensor_proto import decode
from graphscope.formats.events.event_file import SUMMARY, event_of, parts
from graphscope.formats.io.wire import FileSource
from graphscope.named_tuple import NamedTuple

_PLUGIN = "scalars"


class Scalar(NamedTuple):
    """One point of a curve; ``wall_time`` in seconds since 1970."""

    tag: str
    step: int
    wall_time: float
    value: float


def scalars_in(path: Path, notes: list[str]) -> Iterator[Scalar]:
    """The scalars of one event file, in the file's order.

    Args:
        notes: receives a note if the last event is incomplete.

    Raises:
        CorruptFileError: a checksum is wrong, a record is not an event, or a tensor's content does not fit its type.
    """
    source = FileSource(path)
    tags: set[str] = set()
    for part in parts(source, notes):
        if part.number != SUMMARY:
            continue
        event = event_of(source, part.record)
        for value in event.summary.value:
            found = _number(value, tags, str(path))
            if found is not None:
                yield Scalar(value.tag, event.step, event.wall_time, found)


def _number(value: Any, tags: set[str], path: str) -> float | None:
    """The number of a summary's value; ``None`` for pictures, histograms and the like."""
    kind = value.WhichOneof("value")
    if kind == "simple_value":
        return float(value.simple_value)
    if kind != "tensor":
        return None
    if value.metadata.plugin_data.plugin_name == _PLUGIN:
        tags.add(value.tag)  # later values need not say it again
    if value.tag not in tags or value.tensor.tensor_shape.dim:
        return None
    array = decode(value.tensor, where=f"{path}: {value.tag}")
    return float(array) if array.dtype.kind in "fiu" or array.dtype.kind == "V" else None
