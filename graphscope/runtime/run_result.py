"""What a run gives, whatever computed it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from graphscope.tracing.report import Executed, Placement


@dataclass(frozen=True, slots=True)
class RunResult:
    """What a run computed.

    Attributes:
        values: of the outputs, in order; ``None`` for a node without outputs, which ran.
        devices: full names of the devices that were there; TensorFlow alone tells.
        absent: device that the graph names and that was not there -> the nodes that name it; they ran elsewhere.
        placement: where TensorFlow puts the graph's nodes, if that was asked for.
        executed: what ran where, after TensorFlow's rewriting, if that was asked for.
    """

    values: tuple[NDArray[Any] | None, ...]
    devices: tuple[str, ...]
    absent: Mapping[str, Sequence[str]]
    placement: Sequence[Placement] = ()
    executed: Sequence[Executed] = ()
