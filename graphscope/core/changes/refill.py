"""Repeated fields of messages, given other content."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any


def refill(repeated: Any, values: Iterable[Any]) -> None:
    """Replaces everything in a repeated field."""
    new = list(values)
    del repeated[:]
    repeated.extend(new)
