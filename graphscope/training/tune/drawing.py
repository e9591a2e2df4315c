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

_CELL = 40
_MANY = 24
"""More classes than this are drawn without names and numbers, a few pixels to a cell."""

_MANY_PIXELS = 640
_FONT = 14
_LINE = 18
_SIDE = 160
"""Small pictures are enlarged to about this many pixels."""

_MAX_NAME = 14


def confusion_picture(matrix: NDArray[np.int64], names: Sequence[str]) -> NDArray[np.uint8]:
    """A table of the classes, a row for each label, a column for what was predicted; (height, width, 3).

    A cell is the darker, the larger its share of its row.
    """
    import numpy as np
    from PIL import Image, ImageDraw

    shares = matrix / np.maximum(matrix.sum(1, keepdims=True), 1)
    shades = np.rint(255 - shares[:, :, None] * np.array([225.0, 150.0, 55.0])).astype(np.uint8)
    count = len(matrix)
    is_numbered = count <= _MANY
    cell = _cell_of(matrix) if is_numbered else max(_MANY_PIXELS // count, 1)
    table = Image.fromarray(shades).resize((count * cell, count * cell), Image.Resampling.NEAREST)
    margin = _LINE + 8 + (max(_text_width(name) for name in _short(names)) if is_numbered else 0)
    sheet = Image.new("RGB", (margin + count * cell, margin + count * cell), "white")
    sheet.paste(table, (margin, margin))
    _title_axes(sheet, margin, count * cell)
    if is_numbered:
        _label(sheet, names, margin, cell)
        _number_cells(ImageDraw.Draw(sheet), matrix, shares, margin, cell)
    return np.asarray(sheet)


def _cell_of(matrix: NDArray[np.int64]) -> int:
    """The side of a cell that the largest number fits in."""
    return max(_CELL, _text_width(str(int(matrix.max(initial=0)))) + 8)


def _font() -> Any:
    from PIL import ImageFont

    return ImageFont.load_default(_FONT)


def _short(names: Sequence[str]) -> list[str]:
    """Names in letters that Pillow's own font has."""
    return [name[:_MAX_NAME].encode("ascii", "replace").decode() for name in names]


def _text_width(text: str) -> int:
    return int(_font().getbbox(text or " ")[2])


def _upright(text: str, length: int) -> Image.Image:
    """A line of text from bottom to top, ``length`` pixels high."""
    from PIL import Image, ImageDraw

    strip = Image.new("RGB", (length, _LINE), "white")
    ImageDraw.Draw(strip).text((0, 0), text, fill="black", font=_font())
    return strip.rotate(90, expand=True)


def _title_axes(sheet: Image.Image, margin: int, side: int) -> None:
    """What the columns and the rows are."""
    from PIL import ImageDraw

    columns, rows = "predicted", "label"
    ImageDraw.Draw(sheet).text((margin + (side - _text_width(columns)) // 2, 1), columns, fill="black", font=_font())
    length = _text_width(rows) + 4
    sheet.paste(_upright(rows, length), (1, margin + max(side - length, 0) // 2))


def _label(sheet: Image.Image, names: Sequence[str], margin: int, cell: int) -> None:
    """Names left of the rows, and above the columns from bottom to top."""
    from PIL import ImageDraw

    draw = ImageDraw.Draw(sheet)
    for i, name in enumerate(_short(names)):
        middle = margin + i * cell + (cell - _LINE) // 2
        draw.text((_LINE + 4, middle), name, fill="black", font=_font())
        sheet.paste(_upright(name, margin - _LINE - 4), (middle, _LINE))


def _number_cells(
    draw: ImageDraw.ImageDraw, matrix: NDArray[np.int64], shares: NDArray[Any], margin: int, cell: int
) -> None:
    for row, column in zip(*matrix.nonzero()):
        text = str(matrix[row, column])
        left = margin + int(column) * cell + (cell - _text_width(text)) // 2
        top = margin + int(row) * cell + (cell - _LINE) // 2
        draw.text((left, top), text, fill="white" if shares[row, column] > 0.5 else "black", font=_font())


def example_picture(value: NDArray[Any], spec: TensorSpec, caption: str) -> NDArray[np.uint8] | None:
    """One input as a picture above its caption, (height, width, 3); ``None`` if inputs are no pictures.

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
    ImageDraw.Draw(sheet).text((2, height + 2), text, fill="black", font=_font())
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
