"""Log directories as TensorBoard's own accumulator reads them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from graphscope.board.dump import dump
from graphscope.core.model import Model
from graphscope.core.values.payload import PAYLOAD_BYTES

try:
    from tensorboard.backend.event_processing.plugin_event_accumulator import EventAccumulator
    from tensorboard.util.tensor_util import make_ndarray
except ImportError as error:
    pytest.skip(f"TensorBoard reads these logs for comparison: {error}", allow_module_level=True)


def accumulated(directory: Path) -> EventAccumulator:
    """Everything in the event files of ``directory``."""
    accumulator = EventAccumulator(str(directory), size_guidance={"tensors": 0})
    accumulator.Reload()
    return accumulator


def assert_tensorboard_opens(model: Model, logdir: Path) -> None:
    """The model is dumped, and TensorBoard reads its graph: every node, without the weights."""
    written = dump(model, logdir, "run")
    shown = accumulated(written.directory).Graph()
    assert [node.name for node in shown.node] == [node.name for node in model.graph]
    assert all(tensor.ByteSize() <= 2 * PAYLOAD_BYTES for node in shown.node for tensor in [node.attr["value"].tensor])


def tensors(log: EventAccumulator, tag: str) -> list[tuple[int, Any]]:
    """Step and value of each summary called ``tag``."""
    return [(event.step, make_ndarray(event.tensor_proto)) for event in log.Tensors(tag)]


def plugin(log: EventAccumulator, tag: str) -> tuple[str, int]:
    """The plugin that shows ``tag``, and its data class."""
    metadata = log.SummaryMetadata(tag)
    return metadata.plugin_data.plugin_name, metadata.data_class
