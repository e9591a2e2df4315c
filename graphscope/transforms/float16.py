"""Stores float32 weights in half precision."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from graphscope.core.changes.build import constant, make_node, type_attr
from graphscope.core.graph import Graph, Node
from graphscope.core.values.dtypes import DataType
from graphscope.core.values.payload import Payload

if TYPE_CHECKING:
    from numpy.typing import NDArray

MIN_ELEMENTS = 256
"""Smaller constants would take more for the Cast than they save."""


def store_as_float16(graph: Graph) -> Graph:
    """Each large float32 constant becomes a half-precision one with a ``Cast`` behind it that has the old name.

    Values beyond half precision's range (65,504) keep their constant in float32: they would become infinite.
    """
    nodes = [result for original in graph for result in _store(original)]
    return graph if len(nodes) == len(graph) else graph.with_nodes(nodes)


def _store(original: Node) -> Iterator[Node]:
    tensor = original.tensor() if original.op == "Const" else None
    if tensor is None or tensor.dtype is not DataType.FLOAT or tensor.elements < MIN_ELEMENTS or not _fits(tensor):
        yield original
        return
    half = f"{original.name}/float16"
    yield constant(half, HalfPayload(tensor), [i for i in original.inputs if i.startswith("^")])
    attrs = {"SrcT": type_attr(DataType.HALF), "DstT": type_attr(DataType.FLOAT)}
    yield make_node(original.name, "Cast", [half], attrs)


def _fits(tensor: Payload) -> bool:
    import numpy as np

    largest = float(np.finfo(np.float16).max)
    return all(bool((np.abs(np.frombuffer(chunk, "<f4")) <= largest).all()) for chunk in tensor.chunks())


class HalfPayload(Payload):
    """A float32 payload, rounded to half precision as it is read."""

    __slots__ = ("single",)

    def __init__(self, single: Payload) -> None:
        super().__init__(DataType.HALF, single.shape)
        self.single = single

    def chunks(self) -> Iterator[bytes]:
        """See :meth:`Payload.chunks`."""
        import numpy as np

        for chunk in self.single.chunks():
            yield np.frombuffer(chunk, "<f4").astype("<f2").tobytes()

    def numpy(self) -> NDArray[Any]:
        """See :meth:`Payload.numpy`."""
        return self.single.numpy().astype("<f2")
