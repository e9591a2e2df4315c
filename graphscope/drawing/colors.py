"""Colorings of a picture: by kind of op, by device, or by amount."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

from graphscope.core.hostile import escape
from graphscope.drawing.boxes import Box
from graphscope.drawing.diagram import Diagram
from graphscope.drawing.kinds import KINDS, kind_of

STEPS = 6
"""The number of steps of a scale."""
PLAIN = "plain"
"""The color of boxes without one."""


@dataclass(frozen=True, slots=True)
class Swatch:
    """One row of a legend: a color class and its meaning."""

    color: str
    label: str


@dataclass(frozen=True, slots=True)
class Coloring:
    """Colors for boxes.

    Attributes:
        name: the value of ``--color``.
        title: above the legend.
        colors: for each box, in the diagram's order, its color class.
        legend: the colors that occur.
        amounts: for each box of a node the amount with its unit, if there is one; empty for what is no amount.
    """

    name: str
    title: str
    colors: Sequence[str]
    legend: Sequence[Swatch]
    amounts: Mapping[int, str] = field(default_factory=dict)

    def of(self, box: Box) -> str:
        """The color class of a box."""
        return self.colors[box.number]


def by_op(diagram: Diagram) -> Coloring:
    """By the kind of each node's op; scopes are plain, series of one kind have its color."""
    kinds = [kind_of(diagram.op(place)) for place in range(diagram.visible)]
    colors = [
        kinds[box.first] if box.node >= 0 or (box.is_series and _is_uniform(kinds, box)) else PLAIN
        for box in diagram.boxes
    ]
    return Coloring("op", "Ops", colors, [Swatch(kind, kind) for kind in KINDS if kind in set(colors)])


def by_device(diagram: Diagram) -> Coloring:
    """By the device that the graph requests; a scope has a color if all its contents have the same one."""
    devices = [diagram.graph.nodes[i].device for i in diagram.nodes[: diagram.visible]]
    names = sorted(set(devices))
    classes = {name: f"c{number % len(KINDS)}" for number, name in enumerate(name for name in names if name)}
    classes[""] = PLAIN
    own = [classes[device] for device in devices]
    colors = [own[box.first] if _is_uniform(own, box) else PLAIN for box in diagram.boxes]
    legend = [Swatch(classes[name], escape(name) or "no device stated") for name in names]
    return Coloring("device", "Devices", colors, legend)


def _is_uniform(colors: Sequence[str], box: Box) -> bool:
    return box.first < box.end and len(set(colors[box.first : box.end])) == 1


def by_amount(
    diagram: Diagram, name: str, title: str, amounts: Sequence[float], text: Callable[[float], str]
) -> Coloring:
    """By an amount for each node, in steps of a factor below the largest of any closed box; a scope has that of all in it.

    Args:
        amounts: place of a node -> its amount.
        text: writes an amount with its unit.
    """
    own = [0.0] * diagram.visible
    for place, (host, amount) in enumerate(zip(diagram.hosts, amounts)):
        if place not in diagram.unrelated:
            own[host] += amount
    sums = [0.0]
    for amount in own:
        sums.append(sums[-1] + amount)
    totals = [sums[box.end] - sums[box.first] for box in diagram.boxes]
    most = max((total for box, total in zip(diagram.boxes, totals) if box.level), default=0.0)
    colors = [_step(total, most) for total in totals]
    legend = [Swatch(PLAIN, "none or not known")]
    legend += [Swatch(f"h{i}", f"up to {text(most / 4 ** (STEPS - i))}") for i in range(1, STEPS + 1) if most]
    return Coloring(name, title, colors, legend, {place: text(amount) for place, amount in enumerate(own) if amount})


def _step(amount: float, most: float) -> str:
    if amount <= 0 or not most:
        return PLAIN
    return f"h{max(1, min(STEPS, STEPS + math.ceil(math.log(amount / most, 4) - 1e-9)))}"
