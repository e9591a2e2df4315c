"""The tensors of an ONNX file: type and shape now, the content when someone asks for it.

Source: ``onnx/onnx.proto`` (1.23), ``TensorProto``.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import TYPE_CHECKING, Any

from graphscope.core.tensors import elements
from graphscope.core.values.dtypes import DataType
from graphscope.core.values.payload import ArrayPayload, Payload
from graphscope.errors import UnsupportedError
from graphscope.formats.io.wire import FileSource
from graphscope.formats.lazy.packed import BITS, packed_bytes, region, unpack
from graphscope.formats.lazy.split_weights import CutTensor, Place
from graphscope.formats.onnx.element_types import data_type
from graphscope.formats.onnx.external import EXTERNAL, ExternalFiles
from graphscope.protos import DecodeError, OnnxTensor

if TYPE_CHECKING:
    from numpy.typing import NDArray

MAX_ELEMENTS = 1 << 56
"""More than any address space holds."""

_IN_INT32 = frozenset(
    {
        *(DataType.INT32, DataType.INT16, DataType.INT8, DataType.UINT16, DataType.UINT8, DataType.BOOL),
        *(DataType.HALF, DataType.BFLOAT16, *BITS),
        *(DataType.FLOAT8_E4M3FN, DataType.FLOAT8_E4M3FNUZ, DataType.FLOAT8_E5M2, DataType.FLOAT8_E5M2FNUZ),
    }
)
_FIELDS: Mapping[DataType, str] = {
    **dict.fromkeys(_IN_INT32, "int32_data"),
    **dict.fromkeys((DataType.FLOAT, DataType.COMPLEX64), "float_data"),
    **dict.fromkeys((DataType.DOUBLE, DataType.COMPLEX128), "double_data"),
    **dict.fromkeys((DataType.UINT32, DataType.UINT64), "uint64_data"),
    DataType.INT64: "int64_data",
}
"""The field that holds the elements, where ``raw_data`` does not."""


class OnnxTensors:
    """The tensors of one file.

    Args:
        source: the file.
        cut: those whose content the message lacks.
    """

    def __init__(self, source: FileSource, cut: Iterable[CutTensor]) -> None:
        self.source = source
        self.external = ExternalFiles(source)
        self._cut = {tensor.place: tensor for tensor in cut}

    def payload(self, tensor: OnnxTensor, place: Place, what: str) -> Payload:
        """The content of ``tensor``, which is at ``place`` in the message. No I/O.

        Raises:
            CorruptFileError: its sizes cannot be, or it does not say where its data is.
        """
        cut = self._cut.get(place)
        dtype = data_type(tensor.data_type)
        shape = self._shape(tensor, what, cut.start if cut is not None else None)
        if tensor.data_location == EXTERNAL:
            return self.external.payload(tensor, dtype, shape, what)
        if cut is None:
            return DecodedPayload(lambda: tensor, self.source, dtype, shape, what)
        if cut.content is not None and dtype.itemsize is not None:
            start, end = cut.content
            return region(self.source, start, end - start, dtype, shape, what=what)
        return DecodedPayload(lambda: self._parse(cut, what), self.source, dtype, shape, what, cut.end - cut.start)

    def _shape(self, tensor: OnnxTensor, what: str, offset: int | None) -> tuple[int, ...]:
        shape = tuple(tensor.dims)
        if any(size < 0 for size in shape) or (elements(shape) or 0) >= MAX_ELEMENTS:
            raise self.source.corrupt(f"{what}: shape {list(shape)[:16]} cannot be", offset)
        return shape

    def _parse(self, cut: CutTensor, what: str) -> OnnxTensor:
        try:
            return OnnxTensor.FromString(self.source.read(cut.start, cut.end - cut.start))
        except DecodeError as error:
            raise self.source.corrupt(f"{what}: not a TensorProto: {error}", cut.start) from error


class DecodedPayload(Payload):
    """A tensor whose elements are in typed fields, or in a message that is in memory already.

    Args:
        parse: gives the message.
        what: how errors call it.
        size: of the message in the file, in bytes.
    """

    __slots__ = ("_parse", "_size", "_source", "_what")

    def __init__(
        self,
        parse: Callable[[], OnnxTensor],
        source: FileSource,
        dtype: DataType,
        shape: tuple[int, ...],
        what: str,
        size: int = 0,
    ) -> None:
        super().__init__(dtype, shape)
        self._parse = parse
        self._source = source
        self._what = what
        self._size = size

    @property
    def content_bytes(self) -> int:
        """See :attr:`Payload.content_bytes`."""
        return super().content_bytes + (self._size if self.dtype is DataType.STRING else 0)

    def chunks(self) -> Iterator[bytes]:
        """See :meth:`Payload.chunks`."""
        yield from ArrayPayload(self.numpy(), self.dtype).chunks()

    def numpy(self) -> NDArray[Any]:
        """See :meth:`Payload.numpy`.

        Raises:
            UnsupportedError: NumPy cannot have that many dimensions, or elements of that type.
        """
        flat = self._flat(self._parse())
        if flat.size != self.elements:
            stated = f"{self.dtype.label} {list(self.shape)[:16]} has {self.elements:,} elements"
            raise self._source.corrupt(f"{self._what}: {stated}, but {flat.size:,} are stored")
        try:
            return flat.reshape(self.shape)
        except ValueError as error:
            raise self._unsupported_error(f"shape {list(self.shape)[:16]}: {error}") from error

    def _flat(self, tensor: OnnxTensor) -> NDArray[Any]:
        import numpy as np

        if self.dtype is DataType.STRING:
            return np.fromiter(tensor.string_data, np.object_, len(tensor.string_data))
        if self.dtype is DataType.INVALID:
            raise self._unsupported_error(f"element type {tensor.data_type} is not known")
        if tensor.raw_data:
            return self._raw(tensor.raw_data)
        field = _FIELDS[self.dtype]
        return self._to_type(np.array(getattr(tensor, field), dtype=_NUMPY[field]))

    def _raw(self, content: bytes) -> NDArray[Any]:
        import numpy as np

        self._refuse_other_size(
            len(content), packed_bytes(self.dtype, self.elements) if self.dtype in BITS else self.nbytes
        )
        if self.dtype in BITS:
            return unpack(content, self.dtype, self.elements)
        return np.frombuffer(content, self.dtype.numpy)

    def _to_type(self, stored: NDArray[Any]) -> NDArray[Any]:
        """Numbers as they are; 16-bit and 8-bit floats by their bits; complex numbers as pairs."""
        import numpy as np

        if self.dtype in BITS:
            self._refuse_other_size(len(stored), packed_bytes(self.dtype, self.elements))
            return unpack(stored.astype(np.uint8).tobytes(), self.dtype, self.elements)
        if self.dtype in (DataType.COMPLEX64, DataType.COMPLEX128):
            return stored[: len(stored) // 2 * 2].view(self.dtype.numpy)
        if self.dtype.is_floating and stored.dtype.kind == "i":
            return stored.astype(f"<u{self.dtype.itemsize}").view(self.dtype.numpy)
        return stored.astype(self.dtype.numpy)

    def _refuse_other_size(self, size: int, expected: int | None) -> None:
        if size != expected:
            stated = f"{self.dtype.label} {list(self.shape)[:16]} takes {expected:,} bytes"
            raise self._source.corrupt(f"{self._what}: {stated}, but {size:,} are stored")

    def _unsupported_error(self, text: str) -> UnsupportedError:
        return UnsupportedError(f"{self._what}: {text}", path=self._source.path)


_NUMPY = {"int32_data": "<i4", "float_data": "<f4", "double_data": "<f8", "uint64_data": "<u8", "int64_data": "<i8"}
