"""Devices that a graph requests, and available ones."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any

from graphscope.advice import Advice, Option
from graphscope.core.graph import Graph
from graphscope.errors import GraphscopeError
from graphscope.transforms.device_placement import parse_device

_PART = re.compile(r"/(job|replica|task):([^/]+)|/device:(\w+):([^/]+)")
_LOCAL = "/job:localhost/replica:0/task:0/device:"


def present_devices(session: Any) -> list[str]:
    """Full names of the devices of a ``tf.compat.v1.Session``: ``/job:localhost/replica:0/task:0/device:CPU:0``.

    XLA's own devices, on which no graph places nodes, are omitted.
    """
    return [d.name for d in session.list_devices() if not d.device_type.startswith("XLA_")]


def absent_devices(graph: Graph, present: Sequence[str]) -> dict[str, list[str]]:
    """Unavailable device that the graph or its functions request -> the nodes that request it."""
    named: dict[str, list[str]] = {}
    for _, body in graph.bodies:
        for node in body:
            if node.device:
                named.setdefault(node.device, []).append(node.name)
    return {device: nodes for device, nodes in named.items() if not _is_present(device, present)}


def _is_present(device: str, present: Sequence[str]) -> bool:
    try:
        wanted = _parts(parse_device(device))
    except GraphscopeError:
        return True  # TensorFlow itself says what is wrong with it
    return any(all(_parts(name).get(key) == value for key, value in wanted.items()) for name in present)


def _parts(device: str) -> dict[str, str]:
    """``job``, ``replica``, ``task``, ``type``, ``index``, if stated."""
    found: dict[str, str] = {}
    for key, value, kind, index in _PART.findall(device):
        found.update({key: value} if key else {"type": kind.upper(), "index": index})
    return {key: value for key, value in found.items() if value != "*"}


def short_device(name: str) -> str:
    """``CPU:0`` for a device of this process, the full name for any other."""
    return name.removeprefix(_LOCAL)


def refuse_absent(path: str, absent: Mapping[str, Sequence[str]], present: Sequence[str]) -> None:
    """Raises an error if there are ``absent`` devices.

    Raises:
        GraphscopeError: there are; the error names them, a node on the first, and the available devices.
    """
    if not absent:
        return
    (device, nodes), *others = absent.items()
    more = f" and {len(nodes) - 1:,} more" if len(nodes) > 1 else ""
    neither = f", nor are {', '.join(name for name, _ in others)}" if others else ""
    there = ", ".join(map(short_device, present))
    raise GraphscopeError(
        f"{path}: node {nodes[0]}{more} is to run on {device}, which is not available{neither}; available: {there}",
        hint=Advice(
            Option("soft_placement", True),
            " falls back to an available device, ",
            Option("clear_devices", True),
            " ignores device assignments, ",
            Option("devices", "cpu:4"),
            " creates virtual CPUs",
        ),
    )
