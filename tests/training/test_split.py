"""Splits depend on keys and nothing else."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from graphscope.errors import GraphscopeError
from graphscope.training.data.keys import key_fractions
from graphscope.training.data.source import Examples
from graphscope.training.tune.split import BY_KEY, WITH_CLASSES, split
from tests.support.data_files import Array


def source_of(keys: list[str], labels: Array | None = None) -> Examples:
    def nothing(indices: Array) -> Array:
        raise AssertionError("a split reads no inputs")

    return Examples(nothing, np.zeros(len(keys), np.int64) if labels is None else labels, keys, (), "")


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
    of_two_classes = source_of(["a", "b"], np.arange(2))
    with pytest.raises(GraphscopeError, match="none is for validation"):
        split(of_two_classes, 1e-9)
    with pytest.raises(GraphscopeError, match="none is for training"):
        split(of_two_classes, 1 - 1e-9)


@pytest.mark.parametrize("fraction", [1e-9, 0.05, 0.2, 0.5, 0.9, 1 - 1e-9])
def test_every_class_of_two_is_on_both_sides(fraction: float) -> None:
    sizes = [1, 2, 2, 3, 5, 8, 13, 40]
    labels = np.repeat(np.arange(len(sizes)), sizes)
    keys = [f"{label}/{i}" for i, label in enumerate(labels)]
    source = source_of(keys, labels)
    sides = split(source, fraction)
    assert sorted(np.concatenate(sides)) == list(range(len(keys)))
    for side in sides:
        assert set(labels[side]) >= set(range(1, len(sizes)))
    first = split(source, fraction, BY_KEY) if 0.01 < fraction < 0.99 else sides
    moved = set(first[1]) ^ set(sides[1])
    lone = {c for c in labels if len({c} & set(labels[first[0]])) + len({c} & set(labels[first[1]])) < 2}
    assert {labels[i] for i in moved} == (lone - {0} if first is not sides else set()), "nothing else is moved"
    order = np.random.default_rng(0).permutation(len(keys))
    shuffled = split(source_of([keys[i] for i in order], labels[order]), fraction)
    assert {keys[order[i]] for i in shuffled[1]} == {keys[i] for i in sides[1]}, "the order does not matter"


@pytest.mark.parametrize("labels", [np.arange(40) % 4 / 4, np.eye(40, dtype=np.float32)])
def test_labels_that_are_no_classes_move_nothing(labels: Array) -> None:
    source = source_of(KEYS[:40], labels)
    for version in (BY_KEY, WITH_CLASSES):
        assert split(source, 0.2, version)[1].tolist() == np.flatnonzero(key_fractions(KEYS[:40]) < 0.2).tolist()
