"""Splits depend on keys and nothing else."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from graphscope.errors import GraphscopeError
from graphscope.training.data.keys import key_fractions
from graphscope.training.data.source import Examples
from graphscope.training.split import split
from tests.data_files import Array


def source_of(keys: list[str]) -> Examples:
    def nothing(indices: Array) -> Array:
        raise AssertionError("a split reads no inputs")

    return Examples(nothing, np.zeros(len(keys), np.int64), keys, (), "")


def chosen(keys: list[str], fraction: float) -> set[str]:
    return {keys[i] for i in split(source_of(keys), fraction)[1]}


KEYS = [f"class{i % 7}/{i:05d}.jpg" for i in range(5000)]


@pytest.mark.parametrize("fraction", [0.01, 0.1, 0.25, 0.5, 0.9])
def test_the_fraction_is_kept_in_expectation(fraction: float) -> None:
    training, validation = split(source_of(KEYS), fraction)
    assert sorted([*training, *validation]) == list(range(5000))
    assert training.dtype == validation.dtype == np.int64
    deviation = (5000 * fraction * (1 - fraction)) ** 0.5
    assert abs(len(validation) - 5000 * fraction) < 4 * deviation


def test_examples_stay_on_their_side() -> None:
    few = chosen(KEYS[:3000], 0.2)
    assert chosen(KEYS, 0.2) & set(KEYS[:3000]) == few
    assert chosen(KEYS[2999::-1], 0.2) == few, "the order does not matter"
    assert few < chosen(KEYS[:3000], 0.3), "a larger part only adds"


def test_the_same_on_every_machine() -> None:
    """BLAKE2b, as RFC 7693 defines it; the numbers were taken once from Python's."""
    found = key_fractions(["rose/1.jpg", "rose/2.jpg", "ü/\udcff.png"])
    np.testing.assert_allclose(found, FIRST, rtol=0, atol=1e-15)
    assert not np.allclose(key_fractions(["rose/1.jpg"], "other"), found[0])


FIRST = [0.19542689924340095, 0.625719399402091, 0.5071277609884148]


def test_numbers_spread_evenly() -> None:
    counts, _ = np.histogram(key_fractions(KEYS), 10, (0, 1))
    assert (np.abs(counts - 500) < 4 * 450**0.5).all()


@pytest.mark.parametrize("fraction", [0, 1, -0.5, 2, float("nan")])
def test_no_fraction(fraction: float) -> None:
    with pytest.raises(GraphscopeError, match="between 0 and 1"):
        split(source_of(KEYS), fraction)


def test_an_empty_side_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(GraphscopeError, match="none is for validation"):
        split(source_of(["a", "b"]), 1e-9)
    with pytest.raises(GraphscopeError, match="none is for training"):
        split(source_of(["a", "b"]), 1 - 1e-9)
