"""What shows itself in a notebook."""

from __future__ import annotations

import importlib

RENDERER = "graphscope.notebook"
"""The module that makes the HTML, imported when a notebook asks: it knows all that is shown, and nothing here knows it."""


def html_of(thing: object) -> str:
    """See :func:`graphscope.notebook.html_of`."""
    html: str = importlib.import_module(RENDERER).html_of(thing)
    return html


class Shown:
    """Something that a notebook shows as HTML."""

    __slots__ = ()

    def _repr_html_(self) -> str:
        return html_of(self)
