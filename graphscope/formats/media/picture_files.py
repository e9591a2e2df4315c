"""Values of tensors written as picture files.

Pillow encodes PNG without loss, JPEG at quality 95.
"""

from __future__ import annotations

import io
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from graphscope.core.tensors import shape_text
from graphscope.errors import GraphscopeError
from graphscope.formats.io.atomic import write_file
from graphscope.formats.io.places import refuse_unwritable

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

FORMATS = {".png": "PNG", ".jpg": "JPEG", ".jpeg": "JPEG"}
"""Suffix -> what Pillow calls the format."""

_STARTS = {b"\x89PNG\r\n\x1a\n": "PNG", b"\xff\xd8\xff": "JPEG"}
"""First bytes -> the format of an encoded picture."""

_CHANNELS = (1, 3, 4)
_QUALITY = 95

BYTES = "numbers are pixels, 0 to 255"
UNIT = "0 is black, 1 is white"
SIGNED = "-1 is black, 1 is white"
ENCODED = "strings are encoded pictures"


@dataclass(frozen=True, slots=True)
class SavedPictures:
    """Picture files that were written.

    Attributes:
        paths: in the order of the batch.
        size_bytes: of all together.
        rule: the interpretation of the values.
    """

    paths: tuple[str, ...]
    size_bytes: int
    rule: str


def save_pictures(name: str, value: NDArray[Any], path: Path, *, overwrite: bool = False) -> SavedPictures:
    """Writes one picture to ``path``, several to ``NAME-0.png``, ``NAME-1.png`` and so on.

    ============================  ==================================================
    strings                       encoded pictures, written as they are
    uint8                         pixels
    floating-point, 0 to 1        0 is black, 1 is white
    floating-point, -1 to 1       -1 is black, 1 is white, where a number is negative
    ============================  ==================================================

    Shapes are (height, width), (height, width, channels) with 1, 3 or 4 channels, (n, height, width, channels) and
    (n, height, width).

    Args:
        name: of the tensor, for messages.
        path: its suffix, one of :data:`FORMATS`, selects the format.

    Raises:
        FileError: a file exists and ``overwrite`` is not set, or cannot be written.
        GraphscopeError: values are not pictures, or encoded in another format.
    """
    rule, contents = _encode(name, value, path) if value.dtype.kind == "O" else _pictures(name, value, path)
    paths = [path] if len(contents) == 1 else [path.with_stem(f"{path.stem}-{i}") for i in range(len(contents))]
    for place in paths:
        refuse_unwritable(place, overwrite)
    size = sum(write_file(place, [content], overwrite=overwrite) for place, content in zip(paths, contents))
    return SavedPictures(tuple(map(str, paths)), size, rule)


def _encode(name: str, value: NDArray[Any], path: Path) -> tuple[str, list[bytes]]:
    contents = [item if isinstance(item, bytes) else str(item).encode() for item in value.reshape(-1).tolist()]
    for content in contents:
        found = next((kind for start, kind in _STARTS.items() if content.startswith(start)), None)
        if found != FORMATS[path.suffix.lower()]:
            kind = f"a {found} picture" if found else f"no picture: it begins with {content[:8]!r}"
            raise GraphscopeError(
                f"{name} holds {kind}, and {path.name} would be {FORMATS[path.suffix.lower()]}",
                hint=f"save it as {path.stem}{_suffix(found)}",
            )
    if not contents:
        raise GraphscopeError(f"{name} holds no strings")
    return ENCODED, contents


def _suffix(found: str | None) -> str:
    return next((suffix for suffix, kind in FORMATS.items() if kind == found), ".npz")


def _pictures(name: str, value: NDArray[Any], path: Path) -> tuple[str, list[bytes]]:
    shape = _batch_shape(name, value, path)
    rule, pixels = _pixels(name, value, path)
    return rule, [_file(name, picture, path) for picture in pixels.reshape(shape)]


def _batch_shape(name: str, value: NDArray[Any], path: Path) -> tuple[int, ...]:
    """The shape with a first dimension that counts pictures."""
    shape = value.shape
    is_one = len(shape) == 2 or (len(shape) == 3 and shape[2] in _CHANNELS)
    is_batch = len(shape) == 3 or (len(shape) == 4 and shape[3] in _CHANNELS)
    if not (is_one or is_batch) or not value.size:
        raise GraphscopeError(
            f"{name} is {value.dtype} {shape_text(shape)}, which is not a picture",
            hint=f"pictures are (28, 28), (224, 224, 3) or (?, 224, 224, 3); {path.stem}.npz saves anything",
        )
    return (1, *shape) if is_one else shape


def _pixels(name: str, value: NDArray[Any], path: Path) -> tuple[str, NDArray[np.uint8]]:
    """As bytes, with the rule that made them."""
    import numpy as np

    if value.dtype == np.uint8:
        return BYTES, value
    low, high = (float(value.min()), float(value.max())) if value.dtype.kind in "fV" else (np.nan, np.nan)
    if not (low >= -1 and high <= 1):
        raise GraphscopeError(
            f"{name} is {value.dtype} from {value.min():g} to {value.max():g}; pictures are uint8, or numbers from 0 to 1 or"
            " -1 to 1",
            hint=f"{path.stem}.npz saves the values as they are",
        )
    numbers = value.astype(np.float64)
    rule, scaled = (UNIT, numbers * 255) if low >= 0 else (SIGNED, (numbers + 1) * 127.5)
    return rule, np.rint(scaled).astype(np.uint8)


def _file(name: str, pixels: NDArray[np.uint8], path: Path) -> bytes:
    from PIL import Image

    kind = FORMATS[path.suffix.lower()]
    if kind == "JPEG" and pixels.ndim == 3 and pixels.shape[2] == 4:
        raise GraphscopeError(
            f"{name} has four channels, but JPEG has no alpha channel", hint=f"save it as {path.stem}.png"
        )
    file = io.BytesIO()
    flat = pixels[:, :, 0] if pixels.ndim == 3 and pixels.shape[2] == 1 else pixels
    Image.fromarray(flat).save(file, kind, quality=_QUALITY)
    return file.getvalue()
