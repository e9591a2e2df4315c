"""A drawing of a graph: arranged once, written in any format."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cached_property

from graphscope.core.shown import Shown
from graphscope.drawing.arrange import arrange
from graphscope.drawing.boxes import Box
from graphscope.drawing.colors import Coloring
from graphscope.drawing.diagram import Diagram
from graphscope.drawing.opening import opened
from graphscope.drawing.picture import Picture
from graphscope.drawing.writers.dot import dot
from graphscope.drawing.writers.html import Pane, page
from graphscope.drawing.writers.mermaid import mermaid
from graphscope.drawing.writers.png import png
from graphscope.drawing.writers.svg import svg
from graphscope.errors import ArgumentError
from graphscope.formats.io.atomic import write_file
from graphscope.formats.io.places import refuse_unwritable


@dataclass(frozen=True)
class SavedDrawing:
    """What was written.

    Attributes:
        path: the file.
        format: ``svg``, ``html``, ...
        size_bytes: of the file.
        boxes: number of boxes shown initially.
        nodes: number of nodes of the drawn graph.
    """

    path: str
    format: str
    size_bytes: int
    boxes: int
    nodes: int


@dataclass(frozen=True, repr=False)
class Drawing(Shown):
    """A graph ready to be drawn. Notebooks display it directly.

    Attributes:
        diagram: boxes, lines in them and edges.
        root: the drawn scope.
        depth: number of open levels, 1 for ``root`` alone; ``None`` for as many as fit.
        colorings: the available colorings; a picture has the first, a page lets the viewer choose.
        is_detail: whether everything is open if no depth is given.
    """

    diagram: Diagram
    root: Box
    depth: int | None
    colorings: tuple[Coloring, ...]
    is_detail: bool = False

    def __repr__(self) -> str:
        return f"<Drawing {self.diagram.title!r}: {len(self.diagram.nodes):,} nodes>"

    @cached_property
    def picture(self) -> Picture:
        """The layout of everything that is shown."""
        return arrange(self.diagram, self.is_open, self.root)

    @property
    def is_open(self) -> Callable[[Box], bool]:
        """Whether a scope is initially open."""
        return opened(self.root, self.depth, self.is_detail)

    def svg(self, *, is_dark: bool | None = None) -> str:
        """The drawing as SVG: light or dark by ``is_dark``, or following the viewer's system. Deterministic."""
        return svg(self.picture, self.colorings[0], is_dark)

    def html(self) -> str:
        """The drawing as an HTML page, to explore in a browser."""
        return page(self.diagram.title, [Pane(self.diagram, self.colorings, self.is_open, self.root)])

    def save(self, path: str | os.PathLike[str], *, overwrite: bool = False) -> SavedDrawing:
        """Writes the drawing in the format given by the file name.

        Args:
            overwrite: replace an existing file.

        Raises:
            ArgumentError: the suffix is not that of a format.
            FileError: the file exists and ``overwrite`` is not set, or cannot be written; an existing file is kept.
            MissingDependencyError: the format needs a package that is not installed.
        """
        format = drawing_format(path)
        refuse_unwritable(path, overwrite)
        size = write_file(path, [WRITERS[format](self)], overwrite=overwrite)
        return SavedDrawing(os.fspath(path), format, size, len(self.picture.boxes) - 1, len(self.diagram.nodes))


WRITERS: Mapping[str, Callable[[Drawing], bytes]] = {
    "dot": lambda drawing: dot(drawing.picture, drawing.colorings[0]).encode(),
    "html": lambda drawing: drawing.html().encode(),
    "mmd": lambda drawing: mermaid(drawing.picture, drawing.colorings[0]).encode(),
    "png": lambda drawing: png(drawing.svg(is_dark=False), drawing.picture.width, drawing.picture.height),
    "svg": lambda drawing: drawing.svg().encode(),
}
"""A format, named by its file suffix, and its writer."""


def drawing_format(path: str | os.PathLike[str]) -> str:
    """The format for a file name.

    Raises:
        ArgumentError: none.
    """
    ending = os.path.splitext(os.fspath(path))[1].removeprefix(".").lower()
    if ending not in WRITERS:
        known = ", ".join(f".{name}" for name in WRITERS)
        raise ArgumentError(
            f"{os.fspath(path)}: no drawing is written as {ending or 'a file without an ending'}",
            hint=f"name it with one of {known}",
        )
    return ending
