"""Pictures and sounds as files, of the kind and size that an op and what follows it take."""

from __future__ import annotations

import io
import math
import wave
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

from graphscope.core.graph import Body, Node
from graphscope.core.tensors import Shape, TensorSpec, shape_of
from graphscope.core.values.dtypes import DataType
from graphscope.feeding.demands.elements import demanded_elements
from graphscope.feeding.demands.rules import demanded_shapes

if TYPE_CHECKING:
    from numpy.typing import NDArray

_FORMATS: Mapping[str, str] = {
    "DecodeJpeg": "JPEG",
    "DecodeAndCropJpeg": "JPEG",
    "DecodePng": "PNG",
    "DecodeImage": "PNG",
    "DecodeGif": "GIF",
    "DecodeBmp": "BMP",
    "DecodeWebP": "WEBP",
}
"""Op -> what Pillow calls the format that it decodes."""
MEDIA = (*_FORMATS, "DecodeWav")
_SIDE = 64
"""Pixels, where any number will do: convolutional networks shrink their input a few times."""
_MAX_SIDE = 4096
_SAMPLES = 16_000
_RATE_HZ = 16_000

_Draw = Callable[[TensorSpec], "NDArray[Any]"]


def media_encoder(body: Body, node: Node) -> Callable[[_Draw], bytes]:
    """Makes files that ``node``, one of :data:`MEDIA`, decodes, all of one size."""
    if node.op == "DecodeWav":
        samples = _number(node, "desired_samples", _SAMPLES)
        channels = _number(node, "desired_channels", 1)
        return lambda draw: _sound(draw(TensorSpec("", DataType.INT16, (samples, channels))))
    spec = TensorSpec("", DataType.UINT8, _size(body, node))
    return lambda draw: _picture(draw(spec), _FORMATS[node.op])


def _number(node: Node, name: str, otherwise: int) -> int:
    attr = node.attr(name)
    return attr.i if attr is not None and attr.i > 0 else otherwise


def _size(body: Body, node: Node) -> tuple[int, int, int]:
    """(height, width, channels): as stated, or as what follows reshapes it to."""
    height, width, found = _stated(node) or (None, None, None)
    wanted = _number(node, "channels", found or 3)
    channels = wanted if wanted in (1, 3, 4 if _FORMATS[node.op] == "PNG" else 3) else 3
    if not height or not width:
        height, width = _reshaped(body, node, channels) or (_SIDE, _SIDE)
    return min(height, _MAX_SIDE), min(width, _MAX_SIDE), channels


def _stated(node: Node) -> Shape:
    attr = node.attr("_output_shapes")
    shape = shape_of(attr.list.shape[0]) if attr is not None and attr.list.shape else None
    return shape if shape is not None and len(shape) == 3 and shape[0] else None


def _reshaped(body: Body, node: Node, channels: int) -> tuple[int, int] | None:
    """The height and width of which what follows makes rows of numbers, or just these pictures."""
    size = demanded_elements(body, node, 1).size
    for shape in demanded_shapes(body, node):
        match shape:
            case (*_, int(height), int(width), int(last)) if height * width * last == size and last == channels:
                return height, width
    side = math.isqrt(size // channels)
    return (side, side) if side > 1 and side * side * channels == size else None


def _picture(pixels: NDArray[Any], file_format: str) -> bytes:
    from PIL import Image

    file = io.BytesIO()
    flat = pixels[:, :, 0] if pixels.shape[2] == 1 else pixels
    Image.fromarray(flat).save(file, file_format)
    return file.getvalue()


def _sound(samples: NDArray[Any]) -> bytes:
    file = io.BytesIO()
    with wave.open(file, "wb") as writer:
        writer.setnchannels(samples.shape[1])
        writer.setsampwidth(2)
        writer.setframerate(_RATE_HZ)
        writer.writeframes(samples.astype("<i2").tobytes())
    return file.getvalue()
