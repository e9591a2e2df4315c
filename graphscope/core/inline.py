"""Small tensors that stayed in their node's message."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from graphscope.core.dtypes import DataType
from graphscope.core.payload import ArrayPayload, Payload
from graphscope.core.tensors import shape_of
from graphscope.protos import TensorProto

if TYPE_CHECKING:
    from numpy.typing import NDArray


class InlinePayload(Payload):
    """A ``TensorProto`` in memory. ``where`` is what errors call it: the node's name."""

    __slots__ = ("proto", "where")

    def __init__(self, proto: TensorProto, where: str) -> None:
        shape = shape_of(proto.tensor_shape) or ()
        super().__init__(DataType.of(proto.dtype), tuple(d or 0 for d in shape))
        self.proto = proto
        self.where = where

    def check_size(self, *, scan: bool = False) -> None:  # noqa: ARG002 - it is in memory
        """See :meth:`Payload.check_size`."""
        from graphscope.core.tensor_proto import check_size

        check_size(self.proto, where=self.where)

    def chunks(self) -> Iterator[bytes]:
        """See :meth:`Payload.chunks`."""
        return ArrayPayload(self.numpy(), self.dtype).chunks()

    def numpy(self) -> NDArray[Any]:
        """See :meth:`Payload.numpy`."""
        from graphscope.core.tensor_proto import decode

        return decode(self.proto, where=self.where)
