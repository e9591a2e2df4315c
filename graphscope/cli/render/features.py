"""The output of ``features``."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from graphscope.api.features import Features
from graphscope.cli.terminal.text import escape, size, tensor_type


def feature_lines(found: Features, seconds: float) -> Iterator[str]:
    """The computed features, and the file, if this process writes it."""
    store, source = found.store, found.source
    known = len(store) - store.computed
    kept = ", from the cache" if not store.computed else f", {known:,} of them from the cache" if known else ""
    for spec in store.specs:
        yield f"{escape(spec.name)}  {tensor_type(spec.dtype, (len(store), *spec.shape))}"
    classes = f", {len(source.classes):,} classes" if source.classes else ""
    yield f"{len(store):,} examples{classes}{kept}"
    if found.path is not None:
        yield f"{escape(str(found.path))}  {size(found.path.stat().st_size)} in {seconds:.1f} s"
    else:
        yield f"all are in the cache after {seconds:.1f} s; worker 0 writes the file"


def feature_record(found: Features) -> dict[str, Any]:
    """The same as data; without a path and a size where another worker writes the file."""
    return {
        "path": str(found.path) if found.path is not None else None,
        "size_bytes": found.path.stat().st_size if found.path is not None else None,
        "tensors": found.store.specs,
        "examples": len(found),
        "computed": found.store.computed,
        "classes": found.source.classes,
    }
