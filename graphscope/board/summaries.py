"""Values for TensorBoard's pages, in the form of its current plugins: a tensor and the plugin's name.

Source: ``tensorboard/plugins/{scalar,image,histogram,text}/{metadata.py,summary_v2.py}``.
"""

from __future__ import annotations

import io
from typing import TYPE_CHECKING, Any

from graphscope.analysis.statistics import statistics
from graphscope.core.values.dtypes import DataType
from graphscope.core.values.payload import ArrayPayload, Payload
from graphscope.formats.io.progress import Progress, quiet
from graphscope.protos import Summary, SummaryMetadata, TensorProto

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

BUCKETS = 30
"""Number of buckets of a histogram, as in TensorFlow 2."""

_SCALAR, _TENSOR, _BLOBS = 1, 2, 3
"""``tensorboard.DataClass``: how a plugin's values are stored."""


def scalar(tag: str, value: float) -> Summary.Value:
    """A point of a curve on the Scalars page, in single precision."""
    return _value(tag, "scalars", _SCALAR, TensorProto(dtype=DataType.FLOAT, float_val=[value]))


def text(tag: str, markdown: str) -> Summary.Value:
    """A paragraph, table or list on the Text page."""
    return _value(tag, "text", _TENSOR, TensorProto(dtype=DataType.STRING, string_val=[markdown.encode()]))


def image(tag: str, pixels: NDArray[np.uint8]) -> Summary.Value:
    """An image on the Images page: (height, width, 1, 3 or 4) for gray, RGB or RGBA."""
    height, width, _ = pixels.shape
    strings = [str(width).encode(), str(height).encode(), png(pixels)]
    return _value(tag, "images", _BLOBS, _shape_message(TensorProto(dtype=DataType.STRING, string_val=strings), 3))


def png(pixels: NDArray[np.uint8]) -> bytes:
    """A PNG file of pixels (height, width, 1, 3 or 4)."""
    from PIL import Image

    file = io.BytesIO()
    Image.fromarray(pixels[:, :, 0] if pixels.shape[2] == 1 else pixels).save(file, "PNG")
    return file.getvalue()


def histogram(tag: str, values: NDArray[Any]) -> Summary.Value:
    """A slice of the Histograms and Distributions pages; NaN and infinities are left out."""
    return payload_histogram(tag, ArrayPayload(values))


def payload_histogram(tag: str, payload: Payload, progress: Progress = quiet) -> Summary.Value:
    """As :func:`histogram`, for a weight in a file: reads it twice, in bounded memory.

    Args:
        progress: receives the number of bytes of each piece, both times.

    Raises:
        CorruptFileError, IncompleteModelError, UnsupportedError: as :meth:`Payload.chunks`.
        TypeError: strings and complex numbers have no histogram.
    """
    import numpy as np

    if not payload.dtype.is_real:
        raise TypeError(f"{payload.dtype.label} has no histogram")
    found = statistics(payload, progress)
    table = np.zeros((BUCKETS, 3), "<f8")
    if found.minimum is not None and found.maximum is not None:
        table[:, :2] = _edges(found.minimum, found.maximum)
        has_others = bool(found.nans or found.infinities)
        table[:, 2] = _counts(payload, found.minimum, found.maximum, has_others, progress)
    return _value(tag, "histograms", _TENSOR, _matrix(table))


def _edges(low: float, high: float) -> NDArray[np.float64]:
    """Left and right edges of the buckets; all edges are equal if all values are, as in TensorFlow."""
    import numpy as np

    edges = low * (1 - _fractions()) + high * _fractions()  # high - low may be more than a float holds
    return np.stack([edges[:-1], edges[1:]], axis=1) if low < high else np.full((BUCKETS, 2), low)


def _fractions() -> NDArray[np.float64]:
    import numpy as np

    return np.linspace(0, 1, BUCKETS + 1)


def _counts(payload: Payload, low: float, high: float, has_others: bool, progress: Progress) -> NDArray[np.float64]:
    """How many values are in each bucket: those on the line between two in the right one, equal ones all in the last.

    Args:
        has_others: whether some values are not finite.
    """
    import numpy as np

    counts = np.zeros(BUCKETS)
    half_range = high / 2 - low / 2
    for chunk in payload.chunks():
        values = np.frombuffer(chunk, payload.dtype.numpy).astype(np.float64)
        if has_others:
            values = values[np.isfinite(values)]
        if half_range > 0:
            values /= 2
            values -= low / 2
            values /= half_range
            values *= BUCKETS
            numbers = np.minimum(values.astype(np.intp), BUCKETS - 1)
            counts += np.bincount(numbers, minlength=BUCKETS)
        else:
            counts[-1] += len(values)
        progress(len(chunk))
    return counts


def _matrix(values: NDArray[np.float64]) -> TensorProto:
    return _shape_message(TensorProto(dtype=DataType.DOUBLE, tensor_content=values.tobytes()), *values.shape)


def _shape_message(tensor: TensorProto, *shape: int) -> TensorProto:
    for size in shape:
        tensor.tensor_shape.dim.add(size=size)
    return tensor


def _value(tag: str, plugin: str, kind: int, tensor: TensorProto) -> Summary.Value:
    metadata = SummaryMetadata(data_class=kind)
    metadata.plugin_data.plugin_name = plugin
    return Summary.Value(tag=tag, metadata=metadata, tensor=tensor)
