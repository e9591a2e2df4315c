"""Pictures for tensors: read, resized, converted to the tensor's channels, and scaled.

Pillow reads the files. Sizes are in pixels; a picture is (height, width, channels), channels being 1 (gray), 3 (red, green,
blue) or 4 (with opacity).
"""

from __future__ import annotations

import io
import math
import warnings
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from graphscope.advice import Advice, Option
from graphscope.core.arguments import check_fields
from graphscope.core.tensors import Shape, shape_text
from graphscope.core.values.dtypes import DataType
from graphscope.errors import CorruptFileError, FileError, GraphscopeError, file_errors
from graphscope.formats.io.paths import is_file

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray
    from PIL import Image

SUFFIXES = (".png", ".jpg", ".jpeg", ".bmp", ".gif", ".webp", ".tif", ".tiff", ".ppm", ".pgm")
"""Of the files that are taken for pictures, in lower case."""

SOUNDS = (".wav",)
"""Of the files that are taken for sounds, where an input takes the content of files as it is."""

_MODES = {1: "L", 3: "RGB", 4: "RGBA"}
"""Channels -> Pillow's name for such pictures."""

_UNKNOWN_CHANNELS = 3
_DEEPEST = 65535
_DEEP_LEVELS = 257
"""A picture with 16 bits a channel has 65,535 = 255 * 257 as its white."""


@dataclass(frozen=True, slots=True)
class Scaling:
    """The scaling of pixels: ``(pixel - mean) * scale``, where pixels are 0 (black) to 255 (white).

    Attributes:
        scale: ``None`` for 1/255 for floating-point tensors and 1 for integer tensors.
        mean: one number, or one for each channel.
    """

    scale: float | None = None
    mean: tuple[float, ...] = (0.0,)

    def __post_init__(self) -> None:
        check_fields(self)


@dataclass(frozen=True, slots=True)
class PictureShape:
    """The layout of pictures in a tensor.

    Attributes:
        height, width: ``None`` if the tensor takes any.
        channels: 1, 3 or 4.
        flat: the pixels are one vector, row by row.
        batched: the tensor's first dimension counts pictures; without it, the tensor is one picture.
        rank: of one picture in the tensor: 1 (flat), 2 (no axis for channels) or 3.
        channels_first: (channels, height, width) in place of (height, width, channels).
    """

    height: int | None
    width: int | None
    channels: int
    flat: bool = False
    batched: bool = True
    rank: int = 3
    channels_first: bool = False


def picture_files(directory: Path, suffixes: Sequence[str] = SUFFIXES) -> list[Path]:
    """The pictures of a directory, in the order of their names. Subdirectories are not searched.

    Args:
        suffixes: of the files that count, in lower case.

    Raises:
        FileError: the directory cannot be read.
        GraphscopeError: there is none in it.
    """
    with file_errors(directory):
        found = sorted(p for p in directory.iterdir() if p.suffix.lower() in suffixes and is_file(p))
    if not found:
        raise GraphscopeError(f"{directory}: no pictures in this directory ({', '.join(suffixes)})")
    return found


def picture_shape(shape: Shape) -> PictureShape:
    """The layout of pictures in a tensor of ``shape``.

    ======================  =============================================================
    ``(?, 28, 28, 1)``      a batch; channels 1, 3, 4 or unknown (then 3), last or first
    ``(28, 28, 3)``         one picture; also ``(3, 28, 28)``
    ``(?, 28, 28)``         a batch of gray ones
    ``(28, 28)``            one gray picture
    ``(?, 784)``, ``(784)`` square ones, row by row: 28 * 28 gray; 3072 is 32 * 32 * 3
    ======================  =============================================================

    Raises:
        GraphscopeError: a tensor of this shape cannot hold pictures.
    """
    dimensions = shape if shape is not None else ()
    found: PictureShape | None = _BY_RANK.get(len(dimensions), _none)(*dimensions)
    if found is None:
        raise GraphscopeError(
            f"a tensor of shape {shape_text(shape)} cannot take pictures",
            hint="pictures fit (?, 224, 224, 3), (?, 28, 28, 1), (?, 28, 28), (?, 784); @x.npy feeds anything",
        )
    return found


def _batch(_: int | None, a: int | None, b: int | None, c: int | None) -> PictureShape | None:
    if c is None or c in _MODES:
        return PictureShape(a, b, c or _UNKNOWN_CHANNELS)
    return PictureShape(b, c, a, channels_first=True) if a in _MODES else None


def _one_or_grey_batch(a: int | None, b: int | None, c: int | None) -> PictureShape | None:
    if c in _MODES:
        return PictureShape(a, b, c, batched=False)
    if a in (3, 4):
        return PictureShape(b, c, a, batched=False, channels_first=True)
    return PictureShape(b, c, 1, rank=2)


def _grey_or_flat(a: int | None, b: int | None) -> PictureShape | None:
    return PictureShape(a, b, 1, batched=False, rank=2) if a and a == b else _flat(b, batched=True)


def _flat_one(a: int | None) -> PictureShape | None:
    return _flat(a, batched=False)


def _flat(size: int | None, batched: bool) -> PictureShape | None:
    for channels in (1, 3):
        side = math.isqrt((size or 0) // channels)
        if size and side * side * channels == size:
            return PictureShape(side, side, channels, flat=True, batched=batched, rank=1)
    return None


def _none(*_: int | None) -> None:
    return None


_BY_RANK: dict[int, Callable[..., PictureShape | None]] = {
    4: _batch,
    3: _one_or_grey_batch,
    2: _grey_or_flat,
    1: _flat_one,
}


def read_picture(path: Path | str, shape: PictureShape, content: bytes | None = None) -> NDArray[np.uint8]:
    """The picture (its first frame, upright) as (height, width, channels), 0 to 255; opacity is dropped unless asked for.

    A picture of another size is resized (bilinear, averaging over the pixels that fall together), whatever its proportions.

    Args:
        content: the file's bytes, where it lies inside another one; ``path`` is then its name in messages.

    Raises:
        FileError: there is no such file.
        CorruptFileError: Pillow cannot read it, or it has more pixels than Pillow takes for harmless.
    """
    import numpy as np
    from PIL import Image, ImageOps

    try:
        with warnings.catch_warnings():
            warnings.simplefilter("error", Image.DecompressionBombWarning)
            with Image.open(path if content is None else io.BytesIO(content)) as opened:
                upright = _eight_bits(ImageOps.exif_transpose(opened)).convert(_MODES[shape.channels])
    except (FileNotFoundError, IsADirectoryError, PermissionError) as error:
        raise FileError.from_os_error(error, path) from error
    except (OSError, ValueError, SyntaxError, Image.DecompressionBombError, Image.DecompressionBombWarning) as error:
        raise CorruptFileError(f"not a picture that Pillow can read: {error}", path=path) from error
    size = (shape.width or upright.width, shape.height or upright.height)
    sized = upright if upright.size == size else upright.resize(size, Image.Resampling.BILINEAR)
    pixels: NDArray[np.uint8] = np.asarray(sized, np.uint8)
    return pixels.reshape(size[1], size[0], shape.channels)


def _eight_bits(picture: Image.Image) -> Image.Image:
    """Grey pictures with 16 bits are brought to 8: Pillow itself would cut everything above 255 off.

    Raises:
        ValueError: nothing says which number is white.
    """
    import numpy as np
    from PIL import Image

    if picture.mode == "F":
        raise ValueError("floating-point pixels, whose range is unknown")
    if not picture.mode.startswith("I"):
        return picture
    pixels = np.asarray(picture)
    if pixels.min() < 0 or pixels.max() > _DEEPEST:
        raise ValueError(f"pixels from {pixels.min()} to {pixels.max()}, outside of 16 bits")
    return Image.fromarray((pixels / _DEEP_LEVELS).round().astype(np.uint8))


def scale_picture(pixels: NDArray[np.uint8], dtype: DataType, shape: PictureShape, scaling: Scaling) -> NDArray[Any]:
    """One picture as a tensor of ``dtype`` holds it, without the dimension that counts pictures.

    Computed in double precision; integers are rounded.

    Raises:
        GraphscopeError: the type takes no pixels, there is another number of means than of channels, or a result lies
            outside the type's range.
    """
    import numpy as np

    scale = scaling.scale if scaling.scale is not None else 1 / 255 if dtype.is_floating else 1.0
    if len(scaling.mean) not in (1, shape.channels):
        raise GraphscopeError(f"{len(scaling.mean)} means for pictures with {shape.channels} channels")
    values = (pixels.astype(np.float64) - np.array(scaling.mean)) * scale
    return _arrange(_to_type(values, dtype), shape)


def _to_type(values: NDArray[np.float64], dtype: DataType) -> NDArray[Any]:
    import numpy as np

    if dtype.is_floating:
        return np.asarray(values.astype(dtype.numpy))
    if dtype.itemsize is None or dtype.numpy.kind not in "iu":
        raise GraphscopeError(f"a {dtype.label} tensor cannot hold pixels")
    limits = np.iinfo(dtype.numpy)
    rounded: NDArray[np.float64] = values.round()
    if rounded.size and (rounded.min() < limits.min or rounded.max() > limits.max):
        raise GraphscopeError(
            f"pixels become {rounded.min():g} to {rounded.max():g}, outside of {dtype.label}",
            hint=Advice(Option("scale"), " and ", Option("mean"), " set how pixels are scaled: (pixel - mean) * scale"),
        )
    return np.asarray(rounded.astype(dtype.numpy))


def _arrange(values: NDArray[Any], shape: PictureShape) -> NDArray[Any]:
    import numpy as np

    if shape.flat:
        return values.reshape(-1)
    if shape.rank == 2:
        return values[:, :, 0]
    return np.ascontiguousarray(values.transpose(2, 0, 1)) if shape.channels_first else values
