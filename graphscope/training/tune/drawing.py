"""Pictures for a log: which class is taken for which, and examples with a line of text below them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from graphscope.core.tensors import TensorSpec
from graphscope.errors import GraphscopeError
from graphscope.formats.media.pictures import PictureShape, picture_shape

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray
    from PIL import Image, ImageDraw

_CELL = 36
_MANY = 24
"""More classes than this are drawn without names and numbers, a few pixels to a cell."""

_MANY_PIXELS = 640
_LINE = 14
_SIDE = 160
"""Small pictures are enlarged to about this many pixels."""

_MAX_NAME = 14


def confusion_picture(matrix: NDArray[np.int64], names: Sequence[str]) -> NDArray[np.uint8]:
    """A table of the classes, a row for each label, a column for what was told; (height, width, 3).

    A cell is the darker, the larger its share of its row.
    """
    import numpy as np
    from PIL import Image, ImageDraw

    shares = matrix / np.maximum(matrix.sum(1, keepdims=True), 1)
    shades = np.rint(255 - shares[:, :, None] * np.array([225.0, 150.0, 55.0])).astype(np.uint8)
    count = len(matrix)
    cell = _CELL if count <= _MANY else max(_MANY_PIXELS // count, 1)
    table = Image.fromarray(shades).resize((count * cell, count * cell), Image.Resampling.NEAREST)
    if count > _MANY:
        return np.asarray(table)
    margin = 8 + max(_text_width(name) for name in _short(names))
    sheet = Image.new("RGB", (margin + count * cell, margin + count * cell), "white")
    sheet.paste(table, (margin, margin))
    _label(sheet, names, margin)
    _number_cells(ImageDraw.Draw(sheet), matrix, shares, margin)
    return np.asarray(sheet)


def _short(names: Sequence[str]) -> list[str]:
    """Names in letters that Pillow's own font has."""
    return [name[:_MAX_NAME].encode("ascii", "replace").decode() for name in names]


def _text_width(text: str) -> int:
    from PIL import ImageFont

    return int(ImageFont.load_default().getbbox(text or " ")[2])


def _label(sheet: Image.Image, names: Sequence[str], margin: int) -> None:
    """Names left of the rows, and above the columns from bottom to top."""
    from PIL import Image, ImageDraw

    draw = ImageDraw.Draw(sheet)
    for i, name in enumerate(_short(names)):
        draw.text((4, margin + i * _CELL + 11), name, fill="black")
        strip = Image.new("RGB", (margin - 4, _LINE), "white")
        ImageDraw.Draw(strip).text((0, 0), name, fill="black")
        sheet.paste(strip.rotate(90, expand=True), (margin + i * _CELL + 10, 0))


def _number_cells(draw: ImageDraw.ImageDraw, matrix: NDArray[np.int64], shares: NDArray[Any], margin: int) -> None:
    for row, column in zip(*matrix.nonzero()):
        place = (margin + int(column) * _CELL + 4, margin + int(row) * _CELL + 11)
        draw.text(place, f"{matrix[row, column]}", fill="white" if shares[row, column] > 0.5 else "black")


def example_picture(value: NDArray[Any], spec: TensorSpec, caption: str) -> NDArray[np.uint8] | None:
    """One input as a picture above its caption, (height, width, 3); ``None`` where inputs are no pictures.

    Whatever was done to the pixels, the smallest number becomes black and the largest white.
    """
    import numpy as np
    from PIL import Image, ImageDraw

    pixels = _pixels(value, spec)
    if pixels is None:
        return None
    factor = max(_SIDE // max(pixels.shape[:2]), 1)
    height, width = pixels.shape[0] * factor, pixels.shape[1] * factor
    [text] = _short_caption(caption)
    sheet = Image.new("RGB", (max(width, _text_width(text) + 4), height + _LINE + 4), "white")
    sheet.paste(Image.fromarray(pixels).resize((width, height), Image.Resampling.NEAREST), (0, 0))
    ImageDraw.Draw(sheet).text((2, height + 2), text, fill="black")
    return np.asarray(sheet)


def _short_caption(caption: str) -> list[str]:
    return [caption[:60].encode("ascii", "replace").decode()]


def _pixels(value: NDArray[Any], spec: TensorSpec) -> NDArray[np.uint8] | None:
    """(height, width, 3), 0 to 255."""
    import numpy as np

    try:
        shape = picture_shape(spec.shape)
    except GraphscopeError:
        return None
    arranged = _height_width_channels(value.astype(np.float64), shape)
    if arranged is None:
        return None
    low, high = float(np.nanmin(arranged)), float(np.nanmax(arranged))
    grey = np.nan_to_num((arranged - low) / (high - low) if high > low else arranged * 0.0)
    colours = grey[:, :, :3] if arranged.shape[2] >= 3 else grey[:, :, :1].repeat(3, 2)
    return np.rint(colours * 255).astype(np.uint8)


def _height_width_channels(value: NDArray[Any], shape: PictureShape) -> NDArray[Any] | None:
    if not shape.batched:
        return None
    if shape.flat:
        return value.reshape(shape.height or 0, shape.width or 0, shape.channels)
    if shape.rank == 2:
        return value[:, :, None]
    return value.transpose(1, 2, 0) if shape.channels_first else value
