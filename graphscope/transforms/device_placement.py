"""Assigns nodes to devices by their names.

Source of the spelling of devices: ``DeviceNameUtils::ParseFullName`` in ``tensorflow/core/util/device_name_utils.cc``.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

from graphscope.core.changes.build import without_attrs
from graphscope.core.graph import Graph, Node
from graphscope.core.patterns import PATTERN_ERRORS
from graphscope.errors import GraphscopeError

Rule = tuple[re.Pattern[str], str]
"""Nodes in whose names the expression is found go to the device."""

_PART = r"/(?:(?:job:[A-Za-z]\w*|(?:replica|task):\d+)|(?:device:)?[A-Za-z]\w*:(?:\d+|\*))"
_DEVICE = re.compile(f"(?:{_PART})+")
_SHORT = re.compile(r"(?<=/)(?!device:|job:|replica:|task:)([A-Za-z]\w*)(?=:)")


def place(graph: Graph, rules: Sequence[Rule]) -> Graph:
    """Each node on the device of the last rule whose expression is found in its name; others stay as they are.

    Nodes of library functions are not placed: a function runs where the node that calls it runs, unless its own nodes say
    otherwise.
    """
    return graph.with_nodes(_place(n, rules) for n in graph.nodes) if rules else graph


def place_unplaced(graph: Graph, device: str) -> Graph:
    """Every node that names no device on ``device``; as ``tf.device`` around an import does it."""
    if not device:
        return graph
    return graph.with_nodes(n if n.device else without_attrs(n, (), device=device) for n in graph.nodes)


def _place(node: Node, rules: Sequence[Rule]) -> Node:
    device = next((device for pattern, device in reversed(rules) if pattern.search(node.name)), node.device)
    return node if device == node.device else without_attrs(node, (), device=device)


def parse_rule(text: str) -> Rule:
    """``REGEX=DEVICE``: ``conv.*=/cpu:1``.

    Raises:
        GraphscopeError: one of the two is missing or is none.
    """
    pattern, equals, device = text.rpartition("=")
    if not equals:
        raise GraphscopeError(f"{text!r} is not of the form REGEX=DEVICE", hint="for example: conv.*=/cpu:1")
    try:
        return re.compile(pattern), parse_device(device)
    except PATTERN_ERRORS as error:
        raise GraphscopeError(f"{pattern!r} is not a valid regular expression: {error}") from error


def parse_device(text: str) -> str:
    """``cpu:1``, ``/cpu:1`` or ``/job:worker/task:0/device:CPU:1`` as TensorFlow writes it: ``/device:CPU:1``.

    Raises:
        GraphscopeError: it names no device.
    """
    slashed = text if text.startswith("/") else f"/{text}"
    if not _DEVICE.fullmatch(slashed):
        raise GraphscopeError(f"{text!r} names no device", hint="for example: /cpu:0, gpu:1, /job:worker/task:0/cpu:0")
    return _SHORT.sub(lambda found: f"device:{found[0].upper()}", slashed)
