"""What ``features`` says of its work."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from graphscope.api.features import Features
from graphscope.cli.terminal.text import escape, size, tensor_type


def feature_lines(found: Features, out: Path, seconds: float) -> Iterator[str]:
    """What was computed, and what was written."""
    store, source = found.store, found.source
    known = len(store) - store.computed
    kept = ", from the cache" if not store.computed else f", {known:,} of them from the cache" if known else ""
    for spec in store.specs:
        yield f"{escape(spec.name)}  {tensor_type(spec.dtype, (len(store), *spec.shape))}"
    classes = f", {len(source.classes):,} classes" if source.classes else ""
    yield f"{len(store):,} examples{classes}{kept}"
    yield f"{escape(str(out))}  {size(out.stat().st_size)} in {seconds:.1f} s"


def feature_record(found: Features, out: Path) -> dict[str, Any]:
    """The same as data."""
    return {
        "path": str(out),
        "size_bytes": out.stat().st_size,
        "tensors": found.store.specs,
        "examples": len(found),
        "computed": found.store.computed,
        "classes": found.source.classes,
    }
