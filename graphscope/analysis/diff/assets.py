"""Compares the files that two SavedModels bring along: vocabularies of lookup tables, for instance."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import zip_longest
from pathlib import Path

from graphscope.analysis.diff.report import Change, Difference, Section
from graphscope.core.model import Model, ModelFile, ModelKind
from graphscope.core.units import count
from graphscope.errors import file_errors

_CHUNK = 1 << 20


def asset_differences(a: Model, b: Model) -> Iterator[Difference]:
    """Assets that only one SavedModel has, or whose contents differ; nothing is reported for other kinds of models.

    Raises:
        FileError: an asset cannot be read.
    """
    if not a.kind is b.kind is ModelKind.SAVED_MODEL:
        return
    ones, others = _assets(a), _assets(b)
    for name in sorted({*ones, *others}):
        one, other = ones.get(name), others.get(name)
        if one is None or other is None:
            yield Difference(Section.ASSETS, Change.ADDED if one is None else Change.REMOVED, name)
        elif one.path != other.path and not _is_equal(one.path, other.path):
            sizes = [count(file.size_bytes or 0, "byte") for file in (one, other)]
            yield Difference(Section.ASSETS, Change.CHANGED, name, f"other contents, {sizes[0]} -> {sizes[1]}")


def _assets(model: Model) -> dict[str, ModelFile]:
    """Those that are there, by name."""
    top = Path(model.path) / "assets"
    found = (file for file in model.files if file.role == "asset" and file.size_bytes is not None)
    return {Path(file.path).relative_to(top).as_posix(): file for file in found if Path(file.path).is_relative_to(top)}


def _is_equal(path: str, other: str) -> bool:
    return all(one == two for one, two in zip_longest(_pieces(path), _pieces(other)))


def _pieces(path: str) -> Iterator[bytes]:
    with file_errors(path), Path(path).open("rb") as file:
        while piece := file.read(_CHUNK):
            yield piece
