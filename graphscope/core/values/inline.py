"""Small tensors that stayed in their node's message."""

from __future__ import annotations

import struct
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from graphscope.core.tensors import shape_of
from graphscope.core.values.dtypes import DataType
from graphscope.core.values.payload import ArrayPayload, Payload, repeat
from graphscope.protos import TensorProto

if TYPE_CHECKING:
    from numpy.typing import NDArray


_CODES = {
    DataType.STRING: "",
    DataType.BOOL: "?",
    DataType.INT32: "i",
    DataType.INT64: "q",
    DataType.FLOAT: "f",
    DataType.DOUBLE: "d",
}
"""Types whose elements are often asked for one by one -> their code in ``tensor_content``, for :mod:`struct`."""


class InlinePayload(Payload):
    """A ``TensorProto`` in memory. ``where`` is what errors call it: the node's name."""

    __slots__ = ("proto", "where")

    def __init__(self, proto: TensorProto, where: str) -> None:
        shape = shape_of(proto.tensor_shape) or ()
        super().__init__(DataType.of(proto.dtype), tuple(d or 0 for d in shape))
        self.proto = proto
        self.where = where

    @property
    def content_bytes(self) -> int:
        """See :attr:`Payload.content_bytes`."""
        if self.dtype is not DataType.STRING:
            return super().content_bytes
        strings = self.proto.string_val
        missing = max(self.elements - len(strings), 0) if strings else 0
        last = len(strings[-1]) if missing else 0
        return super().content_bytes + self.proto.ByteSize() + missing * last

    def check_size(self, *, scan: bool = False) -> None:  # noqa: ARG002 - it is in memory
        """See :meth:`Payload.check_size`."""
        from graphscope.core.values.tensor_proto import check_size

        check_size(self.proto, where=self.where)

    def chunks(self) -> Iterator[bytes]:
        """See :meth:`Payload.chunks`. A value that stands for many elements takes no memory for them."""
        from graphscope.core.values.tensor_proto import Stated

        stated = Stated.of(self.proto, where=self.where)
        yield from ArrayPayload(stated.values, self.dtype).chunks()
        yield from repeat(stated.fill.tobytes(), stated.missing)

    def listed(self) -> list[Any]:
        """See :meth:`Payload.listed`."""
        from graphscope.core.values.tensor_proto import FIELDS

        content, code = self.proto.tensor_content, _CODES.get(self.dtype, "")
        if code and len(content) == self.elements * struct.calcsize(f"<{code}"):
            return list(struct.unpack(f"<{self.elements}{code}", content))
        values = getattr(self.proto, FIELDS[self.dtype][0]) if self.dtype in _CODES and not content else ()
        return list(values) if len(values) == self.elements > 0 else super().listed()

    def numpy(self) -> NDArray[Any]:
        """See :meth:`Payload.numpy`."""
        from graphscope.core.values.tensor_proto import decode

        return decode(self.proto, where=self.where)
