"""Tensors that stayed in a text file, as escaped string literals."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

from graphscope.core.graph import Node
from graphscope.core.values.dtypes import DataType
from graphscope.core.values.payload import CHUNK_BYTES, Payload
from graphscope.formats.io.wire import FileSource
from graphscope.formats.lazy.holders import stated_tensor
from graphscope.formats.lazy.payloads import StoredContent
from graphscope.formats.lazy.split_weights import Place
from graphscope.formats.text.large_values import Cut, PathStep, TextRegion
from graphscope.formats.text.lexer import decode_region, iter_region, region_size
from graphscope.protos import Message, NodeDef, TensorProto

_LEVELS = {"meta_graphs": "meta_graph", "node": "node", "node_def": "node", "function": "function"}
"""Field name -> what a :data:`Place` calls the message in it."""

_TO_TENSOR = (("value", None), ("tensor", None), ("tensor_content", None))


def tensor_contents() -> Cut:
    """Asks the text parser to leave the contents of large tensors where they are."""
    return Cut(frozenset({TensorProto.DESCRIPTOR.full_name + ".tensor_content"}))


class TextHolder:
    """The tensors that the text parser left in ``source``: those in attributes of nodes.

    What it left elsewhere (in a list, in a function's arguments) and the contents of strings, whose size no type tells, are
    put into ``message``.

    Raises:
        CorruptFileError: such a content has a wrong escape.
    """

    def __init__(self, source: FileSource, message: Message, regions: Iterable[TextRegion]) -> None:
        self._source = source
        self._bodies: dict[Place, dict[int, dict[str, TextRegion]]] = {}
        for region in regions:
            address = _address(region)
            tensor = _tensor(message, region)
            if address is None or DataType.of(tensor.dtype).itemsize is None:
                tensor.tensor_content = decode_region(source.view(), region.offset, region.end, source=str(source.path))
            else:
                (*body, (_, number)), key = address
                self._bodies.setdefault(tuple(body), {}).setdefault(number, {})[key] = region

    def payloads(self, body: Place, nodes: Sequence[Node]) -> Iterator[tuple[int, Mapping[str, Payload]]]:
        """See :class:`graphscope.formats.lazy.holders.Holder`."""
        for number, regions in self._bodies.get(body, {}).items():
            proto = nodes[number].proto
            yield number, {key: self._payload(key, region, proto) for key, region in regions.items()}

    def _payload(self, key: str, region: TextRegion, node: NodeDef) -> TextPayload:
        what = f"node {node.name}, attribute {key}"
        dtype, shape = stated_tensor(node.attr[key].tensor, self._source, region.offset, what)
        return TextPayload(self._source, region, dtype, shape, what)


def _address(region: TextRegion) -> tuple[Place, str] | None:
    """The node and the attribute whose tensor it is; ``None`` if it is another."""
    *outer, (attr, key) = region.path[:-3] or (("", None),)
    if region.path[-3:] != _TO_TENSOR or attr != "attr" or not isinstance(key, str):
        return None
    if not outer or outer[-1][0] not in ("node", "node_def"):
        return None
    return tuple(_steps(outer)), key


def _tensor(message: Message, region: TextRegion) -> TensorProto:
    """The ``TensorProto`` of ``message`` whose content ``region`` is."""
    found: Any = message
    steps = iter(region.path[:-1])
    for name, key in steps:
        kind = found.DESCRIPTOR.fields_by_name[name].message_type
        found = getattr(found, name)
        if key is not None:
            found = found[key]
        if kind.GetOptions().map_entry:
            next(steps)  # the entry's field "value": the map has given that already
    return found  # type: ignore[no-any-return]


def _steps(path: Iterable[PathStep]) -> Iterator[tuple[str, int]]:
    for name, index in path:
        if name in _LEVELS and isinstance(index, int):
            yield _LEVELS[name], index


class TextPayload(StoredContent):
    """A ``tensor_content`` that is spelled as string literals in a text file."""

    __slots__ = ("region",)

    def __init__(
        self, source: FileSource, region: TextRegion, dtype: DataType, shape: tuple[int, ...], what: str
    ) -> None:
        super().__init__(dtype, shape)
        self.source = source
        self.region = region
        self.what = what

    def check_size(self, *, scan: bool = False) -> None:
        """See :meth:`Payload.check_size`."""
        if scan:
            self._check_size()

    def chunks(self) -> Iterator[bytes]:
        """See :meth:`Payload.chunks`."""
        self._check_size()
        pending = bytearray()
        for piece in self._pieces():
            pending += piece
            if len(pending) >= CHUNK_BYTES:
                yield bytes(pending[:CHUNK_BYTES])
                del pending[:CHUNK_BYTES]
        if pending:
            yield bytes(pending)

    def _pieces(self) -> Iterator[bytes]:
        region = self.region
        return iter_region(self.source.view(), region.offset, region.end, source=str(self.source.path))

    def _check_size(self) -> None:
        region = self.region
        size = region_size(self.source.view(), region.offset, region.end, source=str(self.source.path))
        if size != self.nbytes:
            wanted = f"{self.dtype.label} {list(self.shape)} takes {self.nbytes or 0:,} bytes"
            raise self.source.corrupt(f"{self.what}: {wanted}, but {size:,} are written", region.offset)
