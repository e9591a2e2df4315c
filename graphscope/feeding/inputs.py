"""Converts stored data to the type and shape of a model's input."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from graphscope.advice import Advice, Option
from graphscope.core.tensors import TensorSpec, elements, shape_text
from graphscope.core.values.dtypes import DataType
from graphscope.core.values.fit import fit
from graphscope.errors import GraphscopeError, file_errors
from graphscope.feeding.one_at_a_time import takes_one
from graphscope.formats.io.wire import refuse_special
from graphscope.formats.media.pictures import PictureShape, Scaling, picture_shape, read_picture, scale_picture

if TYPE_CHECKING:
    from numpy.typing import NDArray


@dataclass(frozen=True, slots=True)
class Input:
    """The conversion of examples for a model's input.

    Attributes:
        spec: the fed tensor; its first dimension is the batch, unless it takes the content of one file.
        scaling: scaling of pixels.
        pictures: the layout of pictures in the tensor; ``None`` if it cannot hold pictures.
    """

    spec: TensorSpec
    scaling: Scaling
    pictures: PictureShape | None

    def picture(self) -> PictureShape:
        """The layout of pictures in the tensor, with known size.

        Raises:
            GraphscopeError: it cannot hold pictures, or takes any size and none is given.
        """
        shape = self.pictures or picture_shape(self.spec.shape)
        if not shape.batched or shape.height is None or shape.width is None:
            any_size = "pictures of any size" if shape.batched else "one picture at a time"
            raise GraphscopeError(
                f"{self.spec.name} {shape_text(self.spec.shape)} takes {any_size}",
                hint=Advice(Option("size", "224x224"), " resizes all of them to one size") if shape.batched else None,
            )
        return shape

    def elements(self) -> int | None:
        """Numbers in one example; ``None`` if that is not known."""
        return elements(self.spec.shape[1:]) if self.spec.shape else None

    def scale(self, pixels: NDArray[Any]) -> NDArray[Any]:
        """Pictures, (n, height, width, channels), 0 to 255, as the tensor takes them."""
        import numpy as np

        shape = self.picture()
        return np.stack([scale_picture(picture, self.spec.dtype, shape, self.scaling) for picture in pixels])

    def from_picture(self, path: Path | str, content: bytes | None = None) -> NDArray[Any]:
        """One picture as the tensor takes it; a tensor of strings takes the file's bytes.

        Args:
            content: the file's bytes, where it lies inside another one; ``path`` is then its name in messages.

        Raises:
            FileError, CorruptFileError: it cannot be read.
            GraphscopeError: the tensor cannot take pictures.
        """
        if self.spec.dtype is DataType.STRING:
            return _one_string(_file_bytes(path) if content is None else content)
        shape = self.picture()
        return scale_picture(read_picture(path, shape, content), self.spec.dtype, shape, self.scaling)

    def values(self, rows: NDArray[Any]) -> NDArray[Any]:
        """Converts rows of an array for the tensor: bytes are pixels if it holds pictures; all other values are used unchanged.

        Raises:
            GraphscopeError: type or shape do not fit.
        """
        if rows.dtype.name == "uint8" and self.pictures is not None:
            return self.scale(self._as_pictures(rows))
        return self._numbers(self._shape(rows))

    def _as_pictures(self, rows: NDArray[Any]) -> NDArray[Any]:
        shape = self.picture()
        assert shape.height is not None
        assert shape.width is not None
        wanted = (len(rows), shape.height, shape.width, shape.channels)
        stored = rows.shape[1:] if rows.shape[-1:] == (shape.channels,) and rows.ndim == 4 else (*rows.shape[1:], 1)
        if stored != wanted[1:] and rows.shape[1:] != (shape.height * shape.width * shape.channels,):
            raise self._misfit(rows, f"pictures {shape_text(wanted[1:])}")
        return rows.reshape(wanted)

    def _shape(self, rows: NDArray[Any]) -> NDArray[Any]:
        """Dimensions may be joined or split if all sizes are known."""
        stated = self.spec.shape
        if stated is None:
            return rows
        if not stated:
            if takes_one(self.spec) and rows.ndim == 1:
                return rows
            raise GraphscopeError(f"{self.spec.name} is a scalar: it has no dimension that counts examples")
        fits = len(stated) == rows.ndim and all(d in (None, r) for d, r in zip(stated[1:], rows.shape[1:]))
        if fits:
            return rows
        if elements(stated[1:]) != elements(rows.shape[1:]):
            raise self._misfit(rows, shape_text(stated[1:]))
        return rows.reshape(len(rows), *(d or 0 for d in stated[1:]))

    def _numbers(self, rows: NDArray[Any]) -> NDArray[Any]:
        dtype = self.spec.dtype
        if dtype is not DataType.STRING and dtype.itemsize is not None and rows.dtype == dtype.numpy:
            return rows
        return fit(rows, self.spec._replace(shape=None))

    def _misfit(self, rows: NDArray[Any], wanted: str) -> GraphscopeError:
        given = shape_text(rows.shape[1:])
        return GraphscopeError(
            f"an example is {given}, where {self.spec.name} {shape_text(self.spec.shape)} takes {wanted}",
            hint="picture files are resized to that size, arrays are not" if self.pictures else None,
        )


def input_of(spec: TensorSpec, scaling: Scaling, size: tuple[int, int] | None = None) -> Input:
    """The conversion of examples for ``spec``.

    Args:
        size: height and width of pictures, in pixels, if the tensor accepts any.
    """
    try:
        shape = picture_shape(spec.shape)
    except GraphscopeError:
        return Input(spec, scaling, None)
    if size is not None:
        shape = replace(shape, height=shape.height or size[0], width=shape.width or size[1])
    return Input(spec, scaling, shape)


def _file_bytes(path: Path | str) -> bytes:
    refuse_special(Path(path))
    with file_errors(path):
        return Path(path).read_bytes()


def _one_string(content: bytes) -> NDArray[Any]:
    import numpy as np

    return np.array(content, object)
