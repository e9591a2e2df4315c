"""New names in messages: every string that is the name of a node or a tensor."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from graphscope.core.changes.refill import refill


def rename_strings(message: Any, rename: Callable[[str], str]) -> None:
    """Replaces every string of a message, those in nested messages and maps included, with what ``rename`` makes of it."""
    for descriptor, value in message.ListFields():
        if descriptor.message_type is not None and descriptor.message_type.GetOptions().map_entry:
            _rename_map(value, rename)
        elif descriptor.type == descriptor.TYPE_STRING:
            if isinstance(value, str):
                setattr(message, descriptor.name, rename(value))
            else:
                refill(value, [rename(text) for text in value])
        elif descriptor.type == descriptor.TYPE_MESSAGE:
            for inner in value if not hasattr(value, "ListFields") else [value]:
                rename_strings(inner, rename)


def _rename_map(values: Any, rename: Callable[[str], str]) -> None:
    for key, value in dict(values).items():
        if isinstance(value, str):
            del values[key]
            values[rename(key)] = rename(value)
        elif hasattr(value, "ListFields"):
            rename_strings(values[key], rename)
