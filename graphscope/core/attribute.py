"""One attribute of a node, as it is shown."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, slots=True)
class Attribute:
    """One attribute of a node.

    Attributes:
        name: as in the graph.
        kind: of its value: ``type``, ``shape``, ``list``, ...
        text: the value as people would write it.
        value: the same as numbers, text, truth, lists and mappings; types by their label, shapes as lists with ``None`` for
            what is unknown, tensors by type and shape.
    """

    name: str
    kind: str
    text: str
    value: Any = None
