"""A ``Const`` whose one value stands for very many elements: looking, statistics and conversion take no memory for them."""

from __future__ import annotations

import tracemalloc
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import graphscope
from graphscope.analysis.detail import show
from graphscope.analysis.statistics import statistics
from graphscope.board.summaries import payload_histogram
from graphscope.core.values.dtypes import DataType
from graphscope.core.values.inline import InlinePayload
from graphscope.core.values.payload import CHUNK_BYTES, repeat
from graphscope.errors import CorruptFileError, UnsupportedError
from graphscope.formats.archives.npz_writer import write_npz
from graphscope.protos import GraphDef, TensorProto
from tests.support.broken import memory
from tests.support.invoked import code_of

ELEMENTS = 1 << 26
BOUND_BYTES = 24 << 20


def filled(dtype: DataType, *shape: int, **values: Any) -> InlinePayload:
    proto = TensorProto(dtype=int(dtype), **values)
    for size in shape:
        proto.tensor_shape.dim.add(size=size)
    return InlinePayload(proto, "n")


def graph_file(path: Path, payload: InlinePayload) -> Path:
    graph = GraphDef()
    node = graph.node.add(name="w", op="Const")
    node.attr["dtype"].type = int(payload.dtype)
    node.attr["value"].tensor.CopyFrom(payload.proto)
    graph.node.add(name="y", op="Identity", input=["w"]).attr["T"].type = int(payload.dtype)
    path.write_bytes(graph.SerializeToString())
    return path


@pytest.mark.parametrize(
    ("dtype", "values"),
    [
        (DataType.FLOAT, {"float_val": [1.5, -2.5]}),
        (DataType.FLOAT, {}),
        (DataType.INT8, {"int_val": [1, 2, -3]}),
        (DataType.COMPLEX128, {"dcomplex_val": [1.0, 2.0]}),
        (DataType.BFLOAT16, {"half_val": [16256]}),
        (DataType.INT64, {"int64_val": range(5)}),
        (DataType.BOOL, {"bool_val": [True]}),
    ],
)
@pytest.mark.parametrize("count", [5, 7, CHUNK_BYTES // 4 + 3])
def test_pieces_are_what_the_array_is(dtype: DataType, values: dict[str, Any], count: int) -> None:
    payload = filled(dtype, count, **values)
    pieces = list(payload.chunks())
    assert b"".join(pieces) == payload.numpy().tobytes()
    assert max(map(len, pieces)) <= CHUNK_BYTES
    assert all(len(piece) % (dtype.itemsize or 1) == 0 for piece in pieces)


@pytest.mark.parametrize("count", [0, 1, 2, 3])
def test_repeated(count: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("graphscope.core.values.payload.CHUNK_BYTES", 2)
    assert b"".join(repeat(b"a", count)) == b"a" * count
    assert list(repeat(b"abc", count)) == [b"abc"] * count


def test_statistics_and_histograms_take_no_memory_for_it() -> None:
    payload = filled(DataType.FLOAT, ELEMENTS, float_val=[3.0, 1.0])
    tracemalloc.start()
    found, histogram = statistics(payload), payload_histogram("w", payload)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert (found.minimum, found.maximum) == (1.0, 3.0)
    assert found.mean == pytest.approx(1.0)
    table = np.frombuffer(histogram.tensor.tensor_content, "<f8").reshape(-1, 3)
    assert (table[0, 2], table[-1, 2]) == (ELEMENTS - 1, 1)
    assert peak < BOUND_BYTES


def test_an_archive_of_it_is_streamed(tmp_path: Path) -> None:
    payload = filled(DataType.FLOAT, ELEMENTS // 4, float_val=[1.5])
    tracemalloc.start()
    write_npz(tmp_path / "w.npz", [("w", payload)])
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < BOUND_BYTES
    with np.load(tmp_path / "w.npz") as archive:
        assert archive["w"].shape == (ELEMENTS // 4,)
        assert (archive["w"] == 1.5).all()


@pytest.mark.parametrize("words", [["info"], ["show", "w"], ["vars", "--stats"], ["nodes", "--tree"]])
def test_looking_takes_no_memory_for_it(words: list[str], tmp_path: Path) -> None:
    path = graph_file(tmp_path / "g.pb", filled(DataType.FLOAT, 1 << 13, 1 << 13, float_val=[1.5]))
    code_of(words[0], path, *words[1:])  # which imports what it needs
    with memory(64 << 20):
        assert code_of(words[0], path, *words[1:]) == 0


def test_strings_are_not_shown_where_they_are_many(tmp_path: Path) -> None:
    for count, is_shown in ((1 << 20, True), (1 << 23, False)):
        path = graph_file(tmp_path / "g.pb", filled(DataType.STRING, count, string_val=[b"x"]))
        assert (show(graphscope.load(path), "w").values is not None) == is_shown
    payload = filled(DataType.STRING, 1 << 25, string_val=[b"x"])
    with pytest.raises(UnsupportedError, match="1 values stand for 33,554,432 elements"), memory(64 << 20):
        payload.numpy()


def test_what_is_wrong_is_refused_piece_by_piece_too() -> None:
    with pytest.raises(CorruptFileError, match="3 values for 2 elements"):
        list(filled(DataType.FLOAT, 2, float_val=[1, 2, 3]).chunks())
    with pytest.raises(UnsupportedError, match="stand for"):
        list(filled(DataType.FLOAT, 1 << 40, float_val=[1]).chunks())
