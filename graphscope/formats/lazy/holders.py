"""Assigns the tensors left in a file to their nodes."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Protocol

from graphscope.core.graph import Node
from graphscope.core.tensors import elements, shape_of
from graphscope.core.values.dtypes import DataType
from graphscope.core.values.payload import Payload
from graphscope.formats.io.wire import FileSource
from graphscope.formats.lazy.payloads import EncodedPayload, RegionPayload
from graphscope.formats.lazy.split_weights import CutTensor, Place
from graphscope.protos import NodeDef, TensorProto


class Holder(Protocol):
    """Knows which tensors of which node stayed in the file."""

    def payloads(self, body: Place, nodes: Sequence[Node]) -> Iterator[tuple[int, Mapping[str, Payload]]]:
        """For those few of the ``nodes`` of the body at ``body`` that lack a tensor: node number, attribute name -> content."""


class BinaryHolder:
    """The tensors that :func:`graphscope.formats.lazy.split_weights.cut` took out of ``source``."""

    def __init__(self, source: FileSource, tensors: Iterable[CutTensor]) -> None:
        self._source = source
        self._bodies: dict[Place, dict[int, list[CutTensor]]] = {}
        for tensor in tensors:
            *body, (_, number) = tensor.place
            self._bodies.setdefault(tuple(body), {}).setdefault(number, []).append(tensor)

    def payloads(self, body: Place, nodes: Sequence[Node]) -> Iterator[tuple[int, Mapping[str, Payload]]]:
        """See :class:`Holder`."""
        for number, tensors in self._bodies.get(body, {}).items():
            yield number, {t.key: self._payload(t, nodes[number].proto) for t in tensors}

    def _payload(self, tensor: CutTensor, node: NodeDef) -> EncodedPayload:
        what = f"node {node.name}, attribute {tensor.key}"
        if node.attr[tensor.key].WhichOneof("value") != "tensor":
            raise self._source.corrupt(f"{what}: another value follows the tensor", tensor.start)
        dtype, shape = stated_tensor(node.attr[tensor.key].tensor, self._source, tensor.start, what)
        content = None
        if tensor.content is not None and dtype.itemsize is not None:
            start, end = tensor.content
            content = RegionPayload(self._source, start, end - start, dtype, shape, what=what)
        size = tensor.end - tensor.start
        return EncodedPayload(self._source, tensor.start, size, dtype, shape, what=what, content=content)


def stated_tensor(proto: TensorProto, source: FileSource, offset: int, what: str) -> tuple[DataType, tuple[int, ...]]:
    """Type and shape of a tensor whose content stayed in ``source`` at ``offset``.

    Raises:
        CorruptFileError: a dimension is unknown, or there are more elements than an address space holds.
    """
    shape = shape_of(proto.tensor_shape)
    count = elements(shape)
    if shape is None or count is None or count >= 1 << 56:
        raise source.corrupt(f"{what}: a tensor's content needs a known shape", offset)
    return DataType.of(proto.dtype), tuple(d or 0 for d in shape)
