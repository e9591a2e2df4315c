"""Fields that protobuf does not know, that occur twice, and sizes that lie."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

import graphscope
from graphscope.errors import CorruptFileError, UnsupportedError
from tests.support.graph_bytes import (
    HEAD,
    GraphDef,
    assert_round_trip,
    bytes_of,
    const,
    field,
    saved,
    shape,
    type_entry,
)
from tests.support.saving import tf
from tests.support.tables import varint

UNKNOWN = b"\xa2\x1f\x03new" + b"\xa8\x1f\x07"  # fields 500 (bytes) and 501 (a number)


@pytest.mark.parametrize("elements", [3, 3000])
def test_unknown_fields(tmp_path: Path, elements: int) -> None:
    """At every level of the message, beside small tensors and large ones."""
    tensor = tf.make_tensor_proto(np.arange(elements, dtype=np.float32)).SerializeToString() + UNKNOWN
    value = field(8, tensor) + UNKNOWN
    node = HEAD + field(5, field(1, b"value") + field(2, value)) + UNKNOWN
    function = field(1, field(1, b"f") + UNKNOWN) + field(3, node) + UNKNOWN
    graph = field(1, node) + field(2, field(1, function) + UNKNOWN) + UNKNOWN
    path = tmp_path / "x.pb"
    path.write_bytes(graph)
    model = graphscope.load(path)
    again = saved(model, tmp_path, GraphDef)
    assert bytes_of(again) == bytes_of(GraphDef.FromString(graph))
    assert (tmp_path / "saved.pb").read_bytes().count(b"\x1f\x03new\xa8\x1f\x07") == graph.count(b"\x1f\x03new")
    found = model.graph["n"].tensor()
    assert found is not None
    assert found.numpy().tolist() == list(range(elements))


def test_odd_orders_of_fields(tmp_path: Path) -> None:
    """Name after attributes, value before key, type after content: any order is a valid message."""
    proto = tf.make_tensor_proto(np.arange(3000, dtype=np.int32))
    content, shape = proto.tensor_content, proto.tensor_shape.SerializeToString()
    tensor = field(4, content) + field(2, shape) + b"\x08" + varint(proto.dtype)
    entry = field(2, field(8, tensor)) + field(1, b"value")
    stated = type_entry(b"dtype", proto.dtype)
    node = field(1, b"n") + field(2, b"Const") + stated + field(5, entry) + field(4, b"/cpu:0")
    moved = field(5, entry) + field(4, b"/cpu:0") + stated + field(2, b"Const") + field(1, b"n2")
    (tmp_path / "x.pb").write_bytes(field(1, node) + b"\x22\x02\x08\x1b" + field(1, moved))
    model = graphscope.load(tmp_path / "x.pb")
    assert_round_trip(tmp_path / "x.pb", model, tmp_path)
    assert [n.name for n in model.graph] == ["n", "n2"]
    assert model.graph.producer == 27


BIG = tf.make_tensor_proto(np.arange(3000, dtype=np.int32)).SerializeToString()
SMALL = tf.make_tensor_proto(np.arange(3, dtype=np.int32)).SerializeToString()
LARGE_ENTRY = field(1, b"value") + field(2, field(8, BIG))
FUNCTION = field(1, field(1, field(1, b"f")) + field(3, HEAD + field(5, LARGE_ENTRY)))


@pytest.mark.parametrize(
    "graph",
    [
        field(1, HEAD + field(5, LARGE_ENTRY) + field(5, LARGE_ENTRY)),
        field(1, HEAD + field(5, LARGE_ENTRY + field(2, field(8, SMALL)))),
        field(1, HEAD + field(5, field(2, field(8, SMALL)) + LARGE_ENTRY)),
        field(1, HEAD + field(5, field(1, b"value") + field(2, field(8, BIG) + field(8, SMALL)))),
        field(1, HEAD + field(5, field(1, b"value") + field(2, field(8, SMALL) + field(8, BIG)))),
        field(1, HEAD + field(5, field(1, b"value") + field(2, field(8, BIG) + b"\x18\x07"))),
        field(1, HEAD + field(5, field(1, b"value") + field(2, field(8, BIG) + field(2, b"text")))),
        field(1, HEAD) + field(2, FUNCTION) + field(2, FUNCTION),
    ],
)
def test_what_protobuf_would_merge(tmp_path: Path, graph: bytes) -> None:
    """No writer writes a value twice; of two, protobuf takes the later or joins them, which cannot be done to a payload."""
    GraphDef.FromString(graph)
    (tmp_path / "x.pb").write_bytes(graph)
    with pytest.raises(CorruptFileError, match=r"x\.pb, byte [0-9,]+: .*(twice|another value follows the tensor)"):
        graphscope.load(tmp_path / "x.pb")


# Sizes that lie


@pytest.mark.parametrize("sizes", [(2999,), (3001,), (1 << 40,), (1 << 50, 4), (), (0,), (1 << 20, 1 << 20, 0)])
def test_a_content_of_another_size(tmp_path: Path, sizes: tuple[int, ...]) -> None:
    """Refused before memory is taken for what the shape says."""
    (tmp_path / "x.pb").write_bytes(const(b"\x08\x03" + shape(*sizes) + field(4, bytes(12_000))))
    tensor = graphscope.load(tmp_path / "x.pb").graph["n"].tensor()
    assert tensor is not None
    assert tensor.shape == sizes
    for read in (tensor.numpy, lambda: list(tensor.chunks())):
        with pytest.raises(CorruptFileError, match=r"x\.pb, byte [0-9]+: node n, attribute value: int32 .* 12,000 are"):
            read()


@pytest.mark.parametrize("sizes", [(-1,), (1 << 60,), (1 << 62, 1 << 62)])
def test_a_shape_that_cannot_be(tmp_path: Path, sizes: tuple[int, ...]) -> None:
    (tmp_path / "x.pb").write_bytes(const(b"\x08\x03" + shape(*sizes) + field(4, bytes(12_000))))
    with pytest.raises(CorruptFileError, match="node n, attribute value: a tensor's content needs a known shape"):
        graphscope.load(tmp_path / "x.pb")


@pytest.mark.parametrize("large", [False, True])
def test_more_dimensions_than_numpy_has(tmp_path: Path, large: bool) -> None:
    content = bytes(8192 if large else 4)
    sizes = [1] * 99 + ([2048] if large else [1])
    (tmp_path / "x.pb").write_bytes(const(b"\x08\x03" + shape(*sizes) + field(4, content)))
    tensor = graphscope.load(tmp_path / "x.pb").graph["n"].tensor()
    assert tensor is not None
    with pytest.raises(UnsupportedError, match="shape"):
        tensor.numpy()
    assert b"".join(tensor.chunks()) == content if large else True


@pytest.mark.parametrize("dtype", [0, 20, 21, 99, 101, 10_000])
def test_types_without_content(tmp_path: Path, dtype: int) -> None:
    (tmp_path / "x.pb").write_bytes(const(b"\x08" + varint(dtype) + shape(3000) + field(4, bytes(12_000))))
    tensor = graphscope.load(tmp_path / "x.pb").graph["n"].tensor()
    assert tensor is not None
    if dtype == 101:  # a reference is stored as its type
        assert tensor.numpy().shape == (3000,)
    else:
        with pytest.raises(UnsupportedError, match="has no NumPy equivalent"):
            tensor.numpy()
