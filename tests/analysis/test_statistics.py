"""Statistics in one streaming pass: as NumPy computes them on the whole array in double precision."""

from __future__ import annotations

import math
import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

import graphscope
from graphscope.analysis.statistics import Statistics, statistics
from graphscope.analysis.variable_rows import list_weights, weights, with_statistics
from graphscope.core.values.dtypes import DataType
from graphscope.core.values.payload import CHUNK_BYTES, ArrayPayload, Payload
from graphscope.errors import IncompleteModelError
from tests.support.fixture_files import FIXTURES

Array = NDArray[Any]
RNG = np.random.default_rng(11)
NUMERIC = [t for t in DataType if t.itemsize is not None]
COMPLEX = (DataType.COMPLEX64, DataType.COMPLEX128)


class InPieces(Payload):
    """An array that is streamed in pieces of ``size`` elements."""

    __slots__ = ("array", "size")

    def __init__(self, array: Array, size: int, dtype: DataType | None = None) -> None:
        super().__init__(dtype or DataType.from_numpy(array.dtype), array.shape)
        self.array = array.reshape(-1)
        self.size = size

    def chunks(self) -> Iterator[bytes]:
        for start in range(0, len(self.array), self.size):
            yield self.array[start : start + self.size].tobytes()


def by_numpy(array: Array) -> Statistics:
    """The same on the whole, by the textbook."""
    with np.errstate(all="ignore"):
        return _by_numpy(array.reshape(-1))


def _by_numpy(flat: Array) -> Statistics:
    if flat.dtype.kind == "c":
        nans, infinities = np.isnan(flat), np.isinf(flat) & ~np.isnan(flat)
        return Statistics(None, None, None, None, *(int(c) for c in (np.sum(flat == 0), nans.sum(), infinities.sum())))
    wide = flat.astype(np.float64)
    finite = wide[np.isfinite(wide)]
    counts = [int(c) for c in (np.sum(wide == 0), np.isnan(wide).sum(), np.isinf(wide).sum())]
    if not len(finite):
        return Statistics(None, None, None, None, *counts)
    mean = math.fsum(finite) / len(finite)
    std = math.sqrt(math.fsum((x - mean) ** 2 for x in finite) / len(finite))
    return Statistics(float(finite.min()), float(finite.max()), mean, std, *counts)


def assert_close(found: Statistics, expected: Statistics, spread: float = 0.0) -> None:
    """Exact counts and extremes; mean and deviation to nine digits (of the largest value, where they vanish)."""
    assert (found.zeros, found.nans, found.infinities) == (expected.zeros, expected.nans, expected.infinities)
    assert (found.minimum, found.maximum) == (expected.minimum, expected.maximum)
    assert (found.mean is None) == (found.std is None) == (expected.mean is None)
    if expected.mean is not None and expected.std is not None:
        assert found.mean == pytest.approx(expected.mean, rel=1e-9, abs=1e-12 * spread)
        assert found.std == pytest.approx(expected.std, rel=1e-9, abs=1e-12 * spread)


def bits(dtype: DataType, count: int) -> Array:
    """Elements of every kind that ``dtype`` has, NaN and infinities among them."""
    if dtype is DataType.BOOL:
        return RNG.integers(0, 2, count).astype(np.bool_)
    raw = RNG.integers(0, 256, count * (dtype.itemsize or 0), np.uint8)
    if dtype.label in ("int4", "uint4", "float4_e2m1fn"):
        raw &= 15
    if dtype.label in ("int2", "uint2"):
        raw &= 3
    array: Array = raw.view(dtype.numpy)
    if dtype in (DataType.DOUBLE, DataType.COMPLEX128):  # whose squares would be beyond all numbers
        scale = RNG.choice([1e-3, 1.0, 1e3, np.nan, np.inf, -np.inf, 0.0], count)
        array = (RNG.standard_normal(count) * scale).astype(dtype.numpy)
    return array


@pytest.mark.parametrize("dtype", NUMERIC, ids=lambda t: t.label)
@pytest.mark.parametrize("size", [7, 1000, 10_000])
def test_every_type(dtype: DataType, size: int) -> None:
    array = bits(dtype, 3000)
    expected = by_numpy(array)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        found = statistics(InPieces(array, size, dtype))
    assert_close(found, expected, spread=max(abs(expected.minimum or 0), abs(expected.maximum or 0)))
    if dtype.label in ("float16", "bfloat16", "float32", "float64", "float8_e5m2", "complex64", "complex128"):
        assert expected.nans
        assert expected.nans > 0


def test_strings_and_handles_have_none() -> None:
    assert statistics(ArrayPayload(np.array([b"a", b""], object))) == Statistics()
    for dtype in (DataType.RESOURCE, DataType.VARIANT, DataType.INVALID):
        payload = InPieces(np.zeros(3, np.uint8), 1)
        payload.dtype = dtype
        assert statistics(payload) == Statistics()


@pytest.mark.parametrize("shape", [(0,), (3, 0, 2)])
@pytest.mark.parametrize("dtype", ["f4", "i8", "?", "c8"])
def test_empty(shape: tuple[int, ...], dtype: str) -> None:
    assert statistics(ArrayPayload(np.empty(shape, dtype))) == Statistics(zeros=0, nans=0, infinities=0)


def test_a_scalar() -> None:
    assert statistics(ArrayPayload(np.array(-2.5, np.float32))) == Statistics(-2.5, -2.5, -2.5, 0.0, 0, 0, 0)
    assert statistics(ArrayPayload(np.array(0, np.int64))) == Statistics(0.0, 0.0, 0.0, 0.0, 1, 0, 0)


@pytest.mark.parametrize("values", [[math.nan], [math.inf, -math.inf], [math.nan, math.inf, math.nan]])
@pytest.mark.parametrize("dtype", ["f2", "f4", "f8", "c8"])
def test_nothing_finite(values: list[float], dtype: str) -> None:
    with np.errstate(invalid="ignore"):
        array = np.array(values).astype(dtype)
    found = statistics(InPieces(array, 1))
    assert found == by_numpy(array)
    assert found.mean is None


def test_signed_zeros_and_what_is_left_out() -> None:
    array = np.array([0.0, -0.0, math.nan, 4.0, math.inf, 2.0, -math.inf], np.float32)
    found = statistics(InPieces(array, 2))
    assert found == Statistics(0.0, 4.0, 1.5, pytest.approx(math.sqrt(2.75)), 2, 1, 2)


SERIES = {
    "around zero": RNG.standard_normal(400_000),
    "an offset of a million": RNG.standard_normal(400_000) + 1e6,
    "an offset of 1e9": RNG.standard_normal(400_000) * 1e-2 + 1e9,
    "a trend": np.linspace(-1e3, 1e6, 400_000),
    "one outlier": np.r_[np.full(399_999, 1e-3), 1e9],
    "steps": np.repeat([1e8, 1e8 + 1, 1e8 + 2, 1e8 + 3], 100_000),
    "constant": np.full(400_000, 1 / 3),
    "tiny": RNG.standard_normal(400_000) * 1e-150,
    "large": RNG.standard_normal(400_000) * 1e140,
}


@pytest.mark.parametrize("name", SERIES)
@pytest.mark.parametrize("pieces", [1, 13, 400])
def test_merging(name: str, pieces: int) -> None:
    """Summing squares would lose all digits of the deviation where the offset is large."""
    values = SERIES[name]
    expected = by_numpy(values)
    found = statistics(InPieces(values, math.ceil(len(values) / pieces)))
    assert_close(found, expected, spread=1.0 if name == "constant" else 0.0)


def test_single_precision_is_summed_in_double() -> None:
    values = (RNG.random(3_000_000, np.float32) + np.float32(1000)).astype(np.float32)
    assert values.nbytes > 2 * CHUNK_BYTES
    expected = values.astype(np.float64)
    found = statistics(ArrayPayload(values))
    assert found.mean == pytest.approx(expected.mean(), rel=1e-12)
    assert found.std == pytest.approx(expected.std(), rel=1e-9)


def test_numbers_whose_sum_is_beyond_all_numbers() -> None:
    """Finite values all the same: they are counted as such, without a warning."""
    values = np.full(1000, 1.7e308)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        found = statistics(InPieces(values, 100))
    assert (found.minimum, found.maximum, found.zeros, found.nans, found.infinities) == (1.7e308, 1.7e308, 0, 0, 0)


@settings(max_examples=200)
@given(
    st.lists(st.floats(-1e6, 1e6, width=32) | st.sampled_from([math.nan, math.inf, -math.inf, 0.0]), max_size=60),
    st.integers(1, 9),
)
def test_any_values_in_any_pieces(values: list[float], size: int) -> None:
    array = np.array(values, np.float32)
    assert_close(statistics(InPieces(array, size)), by_numpy(array), spread=1e6)


def test_progress() -> None:
    told: list[int] = []
    array = np.ones(CHUNK_BYTES, np.float32)
    statistics(ArrayPayload(array), told.append)
    assert told == [CHUNK_BYTES] * 4


# Of a model


@pytest.mark.parametrize("name", ["softmax", "partitioned", "softmax/v1", "lenet5/frozen.pb", "lenet5/saved_model"])
def test_of_models(name: str) -> None:
    model = graphscope.load(FIXTURES / name)
    told: list[int] = []
    items = weights(model)
    rows = list(with_statistics(items, told.append))
    assert [(r.name, r.shape) for r in rows] == [(r.name, r.shape) for r in list_weights(model)]
    assert len(rows) >= 2
    read = 0
    for row, (_, content) in zip(rows, items, strict=True):
        assert content is not None
        array = content().numpy()
        if row.statistics is not None and array.dtype.kind != "O":
            assert_close(row.statistics, by_numpy(array), spread=1.0)
            read += array.nbytes
    assert sum(told) == read > 0


def test_of_missing_values(tmp_path: Path) -> None:
    """A graph without a checkpoint has rows, and no statistics; a lost data file is an error."""
    rows = list(with_statistics(weights(graphscope.load(FIXTURES / "softmax" / "graph.pbtxt"))))
    assert rows
    assert {row.statistics for row in rows} == {None}
    for suffix in (".meta", ".index"):
        source = FIXTURES / "softmax" / f"model.ckpt-6000{suffix}"
        (tmp_path / source.name).write_bytes(source.read_bytes())
    with pytest.raises(IncompleteModelError, match=r"model\.ckpt-6000\.data-00000-of-00001, which is missing"):
        list(with_statistics(weights(graphscope.load(tmp_path))))
