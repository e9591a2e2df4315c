"""Options for scaling pixels."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from graphscope.formats.media.pictures import Scaling

Scale = Annotated[
    str,
    typer.Option(
        "--scale", metavar="NUMBER", show_default=False, help="Factor applied to pixels after --mean: 1/127.5."
    ),
]
Mean = Annotated[
    str,
    typer.Option(
        "--mean", metavar="NUMBERS", show_default=False, help="Subtracted from pixels: one number, or one per channel."
    ),
]


def scaling(scale: str, mean: str) -> Scaling:
    """``--scale`` and ``--mean``; anything but numbers is wrong usage."""
    from graphscope.formats.media.pictures import Scaling

    means = tuple(_number(text, "--mean") for text in mean.split(",")) if mean else (0.0,)
    return Scaling(_number(scale, "--scale") if scale else None, means)


def _number(text: str, option: str) -> float:
    """A number, or a fraction: ``1/255``."""
    import math

    above, _, below = text.partition("/")
    try:
        found = float(above) / float(below or 1)
    except (ValueError, ZeroDivisionError):
        found = math.nan
    if not math.isfinite(found):
        raise typer.BadParameter(f"{text!r} is not a number, for example 0.5 or 1/255", param_hint=option)
    return found
