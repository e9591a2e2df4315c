"""The output of ``edit``."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from graphscope.api.edit import Edited, SavedEdited
from graphscope.cli.render.freeze import verified_lines
from graphscope.cli.terminal.text import escape, size


def summary_lines(edited: Edited, saved: SavedEdited) -> Iterator[str]:
    """The number of nodes before and after, the result of the verification, and the file."""
    before, after = len(edited.source.graph), len(edited.model.graph)
    yield f"{before:,} nodes -> {after:,}"
    if saved.verification is not None:
        yield from verified_lines(saved.verification, float16=False)
    yield f"{escape(saved.path)}  {size(saved.size_bytes)}"


def edited_report(edited: Edited, saved: SavedEdited) -> dict[str, Any]:
    """Everything that ``edit`` knows, for JSON."""
    return {
        "path": saved.path,
        "format": saved.format,
        "size_bytes": saved.size_bytes,
        "nodes_before": len(edited.source.graph),
        "nodes_after": len(edited.model.graph),
        "renamed": edited.names,
        "verification": saved.verification,
    }
