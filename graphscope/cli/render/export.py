"""The output of ``convert`` for another runtime."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from graphscope.api.export import Exported
from graphscope.cli.render.freeze import batches_text
from graphscope.cli.terminal.text import escape, size
from graphscope.core.units import count
from graphscope.runtime.engines.table import ENGINES

if TYPE_CHECKING:
    from graphscope.runtime.comparing.verify import Verification


def exported_lines(exported: Exported) -> Iterator[str]:
    """The differences, if the file was verified, then its size."""
    if exported.verification is not None:
        yield from _compared_lines(exported.verification)
    others = exported.files[1:]
    names = escape(others[0]) if len(others) == 1 else f"{count(len(others), 'file')} beside it"
    beside = f" with {names}" if others else ""
    yield f"{escape(exported.path)}  {exported.format}{beside}, {count(exported.nodes, 'node')}, {size(exported.size_bytes)}"


def _compared_lines(found: Verification) -> Iterator[str]:
    """The differences of each output, and the engines. Outputs beyond tolerance count as compared, not verified."""
    original, result = (ENGINES[name].title for name in found.engines)
    word = "verified" if found.is_within else "compared"
    for output in found.outputs:
        where = f"{word} on {batches_text(found)}, {result} with {original}"
        yield f"{where}: {escape(output.tensor)} {output.difference}"
