"""The result of a run, in any engine."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from graphscope.tracing.report import Executed, Placement


@dataclass(frozen=True, slots=True)
class RunResult:
    """The result of a run.

    Attributes:
        values: of the outputs, in order; ``None`` for a node without outputs, which ran.
        devices: full names of the available devices; only for TensorFlow.
        absent: requested but unavailable device -> the nodes that request it, which ran on another device.
        placement: the devices of the graph's nodes, if requested.
        executed: the executed nodes and their devices, after TensorFlow's optimizations, if requested.
    """

    values: tuple[NDArray[Any] | None, ...]
    devices: tuple[str, ...]
    absent: Mapping[str, Sequence[str]]
    placement: Sequence[Placement] = ()
    executed: Sequence[Executed] = ()
