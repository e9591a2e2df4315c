"""Tensors that stayed in a text file, as escaped string literals."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping

from graphscope.core.dtypes import DataType
from graphscope.core.payload import CHUNK_BYTES, Payload
from graphscope.formats.cut import Place
from graphscope.formats.holders import stated
from graphscope.formats.textcut import Cut, PathStep, TextRegion
from graphscope.formats.textlex import iter_region, region_size
from graphscope.formats.wire import Source
from graphscope.protos import NodeDef, TensorProto

_LEVELS = {"meta_graphs": "meta_graph", "node": "node", "node_def": "node", "function": "function"}
"""Field name -> what a :data:`Place` calls the message in it."""

_TO_TENSOR = (("value", None), ("tensor", None), ("tensor_content", None))


def tensor_contents() -> Cut:
    """Asks the text parser to leave the contents of large tensors where they are."""
    return Cut(frozenset({TensorProto.DESCRIPTOR.full_name + ".tensor_content"}))


class TextHolder:
    """The tensors that the text parser left in ``source``.

    Raises:
        CorruptFileError: a large tensor stands where no tensor is left in a file: in a list, in a function's argument.
    """

    def __init__(self, source: Source, regions: Iterable[TextRegion]) -> None:
        self._source = source
        self._regions: dict[Place, dict[str, TextRegion]] = {}
        for region in regions:
            place, key = self._address(region)
            self._regions.setdefault(place, {})[key] = region

    def payloads(self, place: Place, node: NodeDef) -> Mapping[str, Payload] | None:
        """See :class:`graphscope.formats.holders.Holder`."""
        found = self._regions.get(place)
        return {key: self._payload(key, region, node) for key, region in found.items()} if found else None

    def _payload(self, key: str, region: TextRegion, node: NodeDef) -> TextPayload:
        what = f"node {node.name}, attribute {key}"
        dtype, shape = stated(node.attr[key].tensor, self._source, region.offset, what)
        return TextPayload(self._source, region, dtype, shape, what)

    def _address(self, region: TextRegion) -> tuple[Place, str]:
        *outer, (attr, key) = region.path[:-3]
        if region.path[-3:] != _TO_TENSOR or attr != "attr" or not isinstance(key, str):
            raise self._source.corrupt("a large tensor stands where graphs have none", region.offset)
        return tuple(_steps(outer)), key


def _steps(path: Iterable[PathStep]) -> Iterator[tuple[str, int]]:
    for name, index in path:
        if name in _LEVELS and isinstance(index, int):
            yield _LEVELS[name], index


class TextPayload(Payload):
    """A ``tensor_content`` that is spelled as string literals in a text file."""

    __slots__ = ("region", "source", "what")

    def __init__(self, source: Source, region: TextRegion, dtype: DataType, shape: tuple[int, ...], what: str) -> None:
        super().__init__(dtype, shape)
        self.source = source
        self.region = region
        self.what = what

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
