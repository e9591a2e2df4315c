"""A picture as PNG, by resvg."""

from __future__ import annotations

from graphscope.errors import GraphscopeError, MissingDependencyError

ZOOM = 2
"""Pixels per SVG pixel, for high-resolution screens."""
MOST_PIXELS = 100_000_000


def png(svg: str, width: float, height: float) -> bytes:
    """The file's content.

    Args:
        svg: of one theme.
        width, height: of the picture, in pixels of the SVG.

    Raises:
        MissingDependencyError: resvg is not installed.
        GraphscopeError: the picture is too large for an image of pixels.
    """
    try:
        import resvg_py
    except ImportError as error:
        raise MissingDependencyError(
            "PNG needs resvg", hint="pip install 'tf-graphscope[png]', or write an SVG"
        ) from error
    if width * height * ZOOM**2 > MOST_PIXELS:
        raise GraphscopeError(
            f"{width:,.0f} by {height:,.0f} pixels are too many for a PNG", hint="write an SVG, or open fewer scopes"
        )
    return bytes(resvg_py.svg_to_bytes(svg_string=svg, zoom=ZOOM))
