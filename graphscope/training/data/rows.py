"""Rows of an array in a file, read by position: only the requested rows take memory.

Mapping the file would keep every accessed page in the process's memory.
"""

from __future__ import annotations

import math
from pathlib import Path
from typing import TYPE_CHECKING, Any

from graphscope.errors import UnsupportedError
from graphscope.formats.archives.npy import Header, data_type, read_header
from graphscope.formats.io.wire import FileSource

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray


class Rows:
    """An array whose first dimension is read row by row.

    Attributes:
        shape: of the whole array.
    """

    def __init__(self, path: Path, offset: int, dtype: np.dtype[Any], shape: tuple[int, ...]) -> None:
        """Opens the file.

        Raises:
            FileError: it cannot be read.
            CorruptFileError: it is too short for the array.
            UnsupportedError: there are no rows, or they are empty.
        """
        self.shape = shape
        self._file = FileSource(path)
        self._offset = offset
        self._dtype = dtype
        self._row_bytes = dtype.itemsize * math.prod(shape[1:])
        if not shape or not shape[0] or not self._row_bytes:
            raise UnsupportedError(f"an array of shape {shape}, but examples are needed", path=path)
        end = offset + shape[0] * self._row_bytes
        if end > self._file.size:
            raise self._file.corrupt(f"the array ends at byte {end:,}; the file has {self._file.size:,}", offset)

    def take(self, indices: NDArray[np.int64]) -> NDArray[Any]:
        """The rows of ``indices`` in this order, in the machine's byte order. Neighbours are read at once.

        Raises:
            CorruptFileError: the file became shorter.
            FileError: the operating system refuses.
        """
        import numpy as np

        out = np.empty((len(indices), *self.shape[1:]), self._dtype)
        starts = np.flatnonzero(np.diff(indices, prepend=-2) != 1).tolist()
        for start, end in zip(starts, [*starts[1:], len(indices)]):
            at = self._offset + int(indices[start]) * self._row_bytes
            data = self._file.read(at, (end - start) * self._row_bytes)
            out[start:end] = np.frombuffer(data, self._dtype).reshape(end - start, *self.shape[1:])
        return out.astype(self._dtype.newbyteorder("="), copy=False)


def npy_rows(path: Path) -> Rows:
    """The rows of a ``.npy`` file that graphscope wrote; raises as :class:`Rows`."""
    with open(path, "rb") as file:
        header = read_header(file)
    return header_rows(path, header.size, header)


def header_rows(path: Path, offset: int, header: Header) -> Rows:
    """The rows of an array whose content starts at ``offset``; raises as :class:`Rows`."""
    if header.is_fortran and len(header.shape) > 1:
        raise UnsupportedError(
            "an array in Fortran order, whose rows cannot be read one by one",
            path=path,
            hint="save numpy.ascontiguousarray(x)",
        )
    dtype = data_type(header.dtype).numpy if header.dtype.kind == "V" else header.dtype
    return Rows(path, offset, dtype, header.shape)
