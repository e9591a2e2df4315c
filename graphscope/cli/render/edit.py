"""What ``edit`` says of its work."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from graphscope.api.edit import Edited, SavedEdited
from graphscope.cli.terminal.text import count, escape, size


def summary_lines(edited: Edited, saved: SavedEdited) -> Iterator[str]:
    """How many nodes there were and are, what the verification found, and the file."""
    before, after = len(edited.source.graph), len(edited.model.graph)
    yield f"{before:,} nodes -> {after:,}"
    found = saved.verification
    if found is not None:
        batches = count(found.batches, "random batch") if found.batches > 1 else "one batch"
        yield from (f"verified on {batches}: {escape(o.tensor)} {o.difference}" for o in found.outputs)
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
