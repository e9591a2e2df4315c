"""External data: weights in files beside the model, by the names that it gives them.

Only files in the model's directory are opened, or below it, with every link followed; others are named.

Source: ``onnx/docs/ExternalData.md``.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

from graphscope.core.model import ModelFile
from graphscope.core.values.dtypes import DataType
from graphscope.core.values.payload import Payload
from graphscope.errors import FileError, IncompleteModelError, UnsupportedError
from graphscope.formats.io.files import model_file
from graphscope.formats.io.paths import is_below
from graphscope.formats.io.wire import FileSource
from graphscope.formats.lazy.packed import BITS, packed_bytes, region

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from graphscope.protos import OnnxTensor

EXTERNAL = 1
"""``TensorProto.data_location`` of a tensor whose content is elsewhere."""

OUTSIDE = "outside"
"""The role of a file that is named and not opened."""


class ExternalFiles:
    """The named files that hold weights of the model in ``source``."""

    def __init__(self, source: FileSource) -> None:
        self._source = source
        self._files: dict[str, ModelFile] = {}
        self._sources: dict[str, FileSource] = {}
        self._ends: dict[str, int] = {}

    @property
    def files(self) -> tuple[ModelFile, ...]:
        """Each file once, missing ones and those outside the directory included."""
        return tuple(self._files.values())

    @property
    def notes(self) -> Iterator[str]:
        """Files that are there and do not hold all that the model says."""
        for location, file in self._files.items():
            if file.size_bytes is not None and file.size_bytes < self._ends[location]:
                yield f"{location} has {file.size_bytes:,} bytes, but weights are declared up to byte {self._ends[location]:,}"

    def payload(self, tensor: OnnxTensor, dtype: DataType, shape: tuple[int, ...], what: str) -> Payload:
        """The content of ``tensor``, which is read when someone asks for it.

        Raises:
            CorruptFileError: it does not say where it lies.
        """
        stated = {entry.key: entry.value for entry in tensor.external_data}
        location = stated.get("location", "")
        if not location:
            raise self._source.corrupt(f"{what}: its data is external, but no file is named")
        payload = ExternalPayload(self, location, dtype, shape, what)
        payload.offset = self._number(stated.get("offset", "0"), what)
        payload.size = self._number(stated.get("length", str(payload.stored_bytes)), what)
        if location not in self._files:
            self._files[location] = self._file(location)
        self._ends[location] = max(self._ends.get(location, 0), payload.offset + payload.size)
        return payload

    def open(self, location: str, what: str) -> FileSource:
        """The file called ``location``.

        Raises:
            FileError: it is outside the model's directory, or cannot be read.
            IncompleteModelError: it is not there.
        """
        file = self._files[location]
        if file.role == OUTSIDE:
            text = f"{what} is in {location}, outside the directory of the model"
            raise FileError(f"{self._source.path}: {text}", hint="only files beside the model are opened")
        if file.size_bytes is None:
            raise IncompleteModelError(f"{self._source.path}: {what} is in {file.path}, which is missing")
        if location not in self._sources:
            self._sources[location] = FileSource(file.path)
        return self._sources[location]

    def _file(self, location: str) -> ModelFile:
        directory = self._source.path.parent
        path = str(directory / location)
        if not is_below(path, directory):
            return ModelFile(location, OUTSIDE, None)
        return model_file(Path(path), "data")

    def _number(self, text: str, what: str) -> int:
        if text.isascii() and text.isdigit() and len(text) < 20:
            return int(text)
        raise self._source.corrupt(f"{what}: {text[:40]!r} is not a place in a file")


class ExternalPayload(Payload):
    """``size`` bytes of an external file from ``offset``."""

    __slots__ = ("_files", "_location", "_what", "offset", "size")

    def __init__(self, files: ExternalFiles, location: str, dtype: DataType, shape: tuple[int, ...], what: str) -> None:
        super().__init__(dtype, shape)
        self._files = files
        self._location = location
        self._what = what
        self.offset = 0
        self.size = 0

    @property
    def stored_bytes(self) -> int:
        """What type and shape say that it takes in the file."""
        return packed_bytes(self.dtype, self.elements) if self.dtype in BITS else self.nbytes or 0

    def chunks(self) -> Iterator[bytes]:
        """See :meth:`Payload.chunks`."""
        return self._content().chunks()

    def numpy(self) -> NDArray[Any]:
        """See :meth:`Payload.numpy`."""
        return self._content().numpy()

    def _content(self) -> Payload:
        source = self._files.open(self._location, self._what)
        if self.dtype.itemsize is None:
            raise UnsupportedError(f"{self._what}: {self.dtype.label} elements in external data", path=source.path)
        return region(source, self.offset, self.size, self.dtype, self.shape, what=self._what)
