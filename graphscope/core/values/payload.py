"""Weights that stay in their files until they are needed."""

from __future__ import annotations

import abc
import itertools
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from graphscope.core.tensors import elements, shape_text
from graphscope.core.values.dtypes import DataType
from graphscope.errors import IncompleteModelError

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

CHUNK_BYTES = 1 << 20
"""The amount of memory that a streamed payload uses at a time."""

STRING_BYTES = 16
"""The approximate overhead of a string: lengths, references."""

PAYLOAD_BYTES = 1024
"""A tensor message above this size stays in its file as a payload."""


class Payload(abc.ABC):
    """A tensor's content: type, shape and size are known without I/O; the bytes are read on demand.

    Attributes:
        dtype: element type.
        shape: dimensions, all known.
    """

    __slots__ = ("dtype", "shape")

    def __init__(self, dtype: DataType, shape: tuple[int, ...]) -> None:
        self.dtype = dtype
        self.shape = shape

    @property
    def elements(self) -> int:
        """Number of elements. No I/O."""
        count = elements(self.shape)
        return 0 if count is None else count

    @property
    def nbytes(self) -> int | None:
        """Size in memory, in bytes; ``None`` for strings, whose size is known only from their content. No I/O."""
        itemsize = self.dtype.itemsize
        return None if itemsize is None else itemsize * self.elements

    @property
    def content_bytes(self) -> int:
        """Size of the content in bytes; for strings an estimate, unless it is known without reading them. No I/O."""
        return self.elements * STRING_BYTES if self.nbytes is None else self.nbytes

    @property
    def stored_crc(self) -> int | None:
        """CRC-32C of the bytes of :meth:`chunks`, if the file states it; otherwise ``None``. No I/O."""
        return None

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> NDArray[Any]:
        """For ``np.asarray``; reads the file and raises as :meth:`numpy`."""
        import numpy as np

        array = np.asarray(self.numpy(), dtype)
        return array.copy() if copy else array

    def __repr__(self) -> str:
        return f"<{type(self).__name__} {self.dtype.label} {shape_text(self.shape)}>"

    def check_size(self, *, scan: bool = False) -> None:  # noqa: B027 - most have none to compare
        """Checks that the content has the size given by type and shape, as far as possible without reading it.

        Args:
            scan: read the content if its size is not known otherwise.

        Raises:
            CorruptFileError: it has another size.
        """

    @abc.abstractmethod
    def chunks(self) -> Iterator[bytes]:
        """The content as little-endian bytes in row-major order, piece by piece. Reads the file.

        Pieces are whole elements, :data:`CHUNK_BYTES` at most (or one slice). A checksum, if the format has one, is verified
        after the last piece.

        Raises:
            CorruptFileError: the content does not have the size given by the shape, or its checksum is wrong.
            IncompleteModelError: the file that holds it is missing.
            TypeError: for strings, whose elements have no fixed size.
        """

    def listed(self) -> list[Any]:
        """The elements in order as Python values; small tensors in a message need no NumPy for it. Raises as :meth:`numpy`."""
        return list(self.numpy().reshape(-1).tolist())

    def numpy(self) -> NDArray[Any]:
        """The content as an array of ``self.shape``; strings as an object array of ``bytes``. Reads the file.

        Raises:
            CorruptFileError, IncompleteModelError: as :meth:`chunks`.
        """
        import numpy as np

        chunks = self.chunks()
        first = next(chunks, b"")  # a content of another size is refused before memory is taken for the stated one
        array = np.empty(self.elements, self.dtype.numpy)
        view = array.view(np.uint8)
        at = 0
        for chunk in itertools.chain([first], chunks):
            view[at : at + len(chunk)] = np.frombuffer(chunk, np.uint8)
            at += len(chunk)
        return array.reshape(self.shape)


def repeat(element: bytes, count: int) -> Iterator[bytes]:
    """``element`` ``count`` times, in pieces as :meth:`Payload.chunks` gives them."""
    at_once = max(CHUNK_BYTES // len(element), 1)
    whole, left = divmod(count, at_once)
    piece = element * min(at_once, count)
    yield from itertools.repeat(piece, whole)
    if left:
        yield piece[: left * len(element)]


class ArrayPayload(Payload):
    """A tensor in memory."""

    __slots__ = ("array",)

    def __init__(self, array: NDArray[Any], dtype: DataType | None = None) -> None:
        super().__init__(dtype or DataType.from_numpy(array.dtype), array.shape)
        self.array = array

    @property
    def content_bytes(self) -> int:
        """See :attr:`Payload.content_bytes`."""
        texts = sum(map(len, self.array.reshape(-1))) if self.dtype is DataType.STRING else 0
        return super().content_bytes + texts

    def chunks(self) -> Iterator[bytes]:
        """See :meth:`Payload.chunks`."""
        data = _little_endian(self.array, self.dtype).reshape(-1).view("u1")
        for start in range(0, len(data), CHUNK_BYTES):
            yield data[start : start + CHUNK_BYTES].tobytes()

    def numpy(self) -> NDArray[Any]:
        """The array itself. No I/O."""
        return self.array


class ConvertedPayload(Payload):
    """Another payload, cast and reshaped as in the graph. Reading it reads the whole payload."""

    __slots__ = ("stored",)

    def __init__(self, stored: Payload, dtype: DataType, shape: tuple[int, ...]) -> None:
        super().__init__(dtype, shape)
        self.stored = stored

    def chunks(self) -> Iterator[bytes]:
        """See :meth:`Payload.chunks`."""
        return ArrayPayload(self.numpy(), self.dtype).chunks()

    def numpy(self) -> NDArray[Any]:
        """See :meth:`Payload.numpy`."""
        return self.stored.numpy().astype(self.dtype.numpy).reshape(self.shape)


class AbsentPayload(Payload):
    """A tensor with type and shape but no values: they were omitted when the graph was written.

    Attributes:
        what: its name in errors: the node's name.
    """

    __slots__ = ("what",)

    def __init__(self, dtype: DataType, shape: tuple[int, ...], what: str) -> None:
        super().__init__(dtype, shape)
        self.what = what

    def chunks(self) -> Iterator[bytes]:
        """See :meth:`Payload.chunks`.

        Raises:
            IncompleteModelError: always.
        """
        raise IncompleteModelError(
            f"{self.what}: its values were left out when the graph was logged",
            hint="name the model instead of its log",
        )


def _little_endian(array: NDArray[Any], dtype: DataType) -> NDArray[Any]:
    import numpy as np

    if dtype is DataType.STRING:
        raise TypeError("strings have no fixed-size content")
    return np.ascontiguousarray(array, _dtype_of(dtype))


def _dtype_of(dtype: DataType) -> np.dtype[Any]:
    return dtype.numpy
