"""What ``convert`` says of a model that it wrote for another runtime."""

from __future__ import annotations

from collections.abc import Iterator

from graphscope.api.export import Exported
from graphscope.cli.render.freeze import verified_lines
from graphscope.cli.terminal.text import escape, size
from graphscope.core.units import count


def exported_lines(exported: Exported) -> Iterator[str]:
    """The differences, if the file was verified, then its size."""
    if exported.verification is not None:
        yield from verified_lines(exported.verification, float16=False)
    beside = f" with {escape(exported.files[1])}" if exported.files[1:] else ""
    yield f"{escape(exported.path)}  {exported.format}{beside}, {count(exported.nodes, 'node')}, {size(exported.size_bytes)}"
