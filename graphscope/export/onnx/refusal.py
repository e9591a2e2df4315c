"""What ONNX cannot express, and where a graph could be cut to leave it out."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from graphscope.errors import GraphscopeError

_MAX_LISTED = 12


class NotExpressibleError(Exception):
    """A rule does not cover a node. Never leaves this package: the reason is collected.

    Attributes:
        reason: why, in a few words that follow the op's name.
        shape_of: the tensor whose shape would have to be known, if that is the reason.
    """

    def __init__(self, reason: str, shape_of: str = "") -> None:
        super().__init__(reason)
        self.reason = reason
        self.shape_of = shape_of


class BrokenInputError(Exception):
    """A node needs a tensor that another refused node would give. Never leaves this package."""


@dataclass(frozen=True, slots=True)
class Refusal:
    """One node that cannot be expressed.

    Attributes:
        node, op: its name and op.
        reason: why not.
    """

    node: str
    op: str
    reason: str


class NotExportableError(GraphscopeError):
    """A graph that ONNX cannot express.

    Attributes:
        refusals: every node that is in the way, in the order of computation.
        cuts: the nodes at which ``--input`` would leave all of them out.
    """

    def __init__(self, path: str, refusals: Sequence[Refusal], cuts: Sequence[str], target: str) -> None:
        self.refusals = tuple(refusals)
        self.cuts = tuple(cuts)
        super().__init__(
            f"{path}: {_count(refusals)} cannot be expressed in {target}:\n{_lines(refusals)}", hint=_hint(cuts)
        )


def _count(refusals: Sequence[Refusal]) -> str:
    return "1 node" if len(refusals) == 1 else f"{len(refusals):,} nodes"


def _lines(refusals: Sequence[Refusal]) -> str:
    """One line for each op and reason, with one node of it."""
    groups: dict[tuple[str, str], list[str]] = {}
    for refusal in refusals:
        groups.setdefault((refusal.op, refusal.reason), []).append(refusal.node)
    lines = [
        f"  {op} ({names[0]}{f' and {len(names) - 1:,} more' if names[1:] else ''}): {reason}"
        for (op, reason), names in groups.items()
    ]
    if len(lines) > _MAX_LISTED:
        lines[_MAX_LISTED:] = [f"  and {len(lines) - _MAX_LISTED:,} more ops"]
    return "\n".join(lines)


def _hint(cuts: Sequence[str]) -> str | None:
    if not cuts or len(cuts) > _MAX_LISTED:
        return None
    return " ".join(f"--input {name}" for name in cuts) + "   starts the graph behind what cannot be expressed"
